package postgres

import (
	"encoding/binary"
	"errors"
)

// sieve is a split block Bloom filter (Apache Parquet, Bloom filter): it says of a key that it lacks that it may have it about five
// times in a thousand when it holds as many as it was made for. A block is eight words, of which a key sets one bit each: a question
// touches one line of the processor's cache. It grows key by key, which filters that need less memory cannot.
type sieve []uint32

const (
	blockWords = 8
	wordBytes  = 4
	bitsPerKey = 12
)

// newSieve returns an empty filter for n keys.
func newSieve(n uint64) sieve {
	const blockBits = blockWords * 32
	return make(sieve, (n*bitsPerKey+blockBits-1)/blockBits*blockWords)
}

// salt holds the odd numbers of the format, one for each word of a block.
//
//nolint:gochecknoglobals // a constant
var salt = [blockWords]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// mix makes a key what filters are asked for. Keys are hashes whose upper bits depend little on the last bytes of what was hashed:
// these are the steps that end MurmurHash3.
func mix(key int64) uint64 {
	h := uint64(key)
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// block returns the block of a mixed key.
func (s sieve) block(h uint64) []uint32 {
	at := h >> 32 * uint64(len(s)/blockWords) >> 32
	return s[at*blockWords:][:blockWords:blockWords]
}

// add adds a mixed key.
func (s sieve) add(h uint64) {
	block := s.block(h)
	for i := range block {
		block[i] |= 1 << (uint32(h) * salt[i] >> 27)
	}
}

// has is true of every mixed key that was added, and of few others.
func (s sieve) has(h uint64) bool {
	block := s.block(h)
	for i := range block {
		if block[i]&(1<<(uint32(h)*salt[i]>>27)) == 0 {
			return false
		}
	}
	return true
}

// append appends s as it is kept: its words, little-endian.
func (s sieve) append(b []byte) []byte {
	for _, word := range s {
		b = binary.LittleEndian.AppendUint32(b, word)
	}
	return b
}

var errSieve = errors.New("a filter of names has no sensible length")

// decodeSieve decodes a filter.
func decodeSieve(b []byte) (sieve, error) {
	if len(b) == 0 || len(b)%(blockWords*wordBytes) != 0 {
		return nil, errSieve
	}
	s := make(sieve, len(b)/wordBytes)
	for i := range s {
		s[i] = binary.LittleEndian.Uint32(b[i*wordBytes:])
	}
	return s, nil
}
