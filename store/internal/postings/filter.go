package postings

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"unsafe"

	"github.com/FastFilter/xorfilter"
)

// fuse is a binary fuse filter: it says of a key that it lacks that it has it with a probability of 1 in 256, or in 65,536.
type fuse[T uint8 | uint16] struct{ xorfilter.BinaryFuse[T] }

// builders are what filters are made in, some thirty bytes a key.
//
//nolint:gochecknoglobals // a pool of scratch space
var builders = sync.Pool{New: func() any { return new(xorfilter.BinaryFuseBuilder) }}

// newFuse returns a filter of keys, which are sorted and stand once. The same keys give the same filter.
func newFuse[T uint8 | uint16](keys []uint64) (*fuse[T], error) {
	b, _ := builders.Get().(*xorfilter.BinaryFuseBuilder)
	defer builders.Put(b)
	f, err := xorfilter.BuildBinaryFuse[T](b, keys)
	if err != nil {
		return nil, err
	}
	f.Fingerprints = slices.Clone(f.Fingerprints) // they are the builder's
	return &fuse[T]{f}, nil
}

// fuseHeader is how many bytes stand before the fingerprints: the seed, the number of segments and the logarithm of their length.
const fuseHeader = 8 + 4 + 1

// append appends f as it is kept, all numbers little-endian.
func (f *fuse[T]) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, f.Seed)
	b = binary.LittleEndian.AppendUint32(b, f.SegmentCount)
	b = append(b, byte(bits.TrailingZeros32(f.SegmentLength)))
	for _, fp := range f.Fingerprints {
		if b = append(b, byte(fp)); unsafe.Sizeof(fp) == 2 {
			b = append(b, byte(uint16(fp)>>8))
		}
	}
	return b
}

// decodeFuse decodes a filter from the beginning of b and returns what follows it. It copies what it keeps. Its sizes fit to each other, so
// that whoever asks it stays within the fingerprints, whatever they are.
func decodeFuse[T uint8 | uint16](b []byte) (f *fuse[T], rest []byte, err error) {
	if len(b) < fuseHeader || b[fuseHeader-1] > 18 {
		return nil, nil, ErrDamaged
	}
	f = new(fuse[T])
	f.Seed, f.SegmentCount = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])
	f.SegmentLength = 1 << b[fuseHeader-1]
	f.SegmentLengthMask, f.SegmentCountLength = f.SegmentLength-1, f.SegmentCount*f.SegmentLength
	b = b[fuseHeader:]
	size := uint64(unsafe.Sizeof(T(0)))
	n := (uint64(f.SegmentCount) + 2) * uint64(f.SegmentLength)
	if f.SegmentCount == 0 || n > uint64(len(b))/size {
		return nil, nil, ErrDamaged
	}
	f.Fingerprints = make([]T, n)
	for i := range f.Fingerprints {
		if f.Fingerprints[i] = T(b[uint64(i)*size]); size == 2 {
			f.Fingerprints[i] |= T(uint16(b[2*i+1]) << 8)
		}
	}
	return f, b[n*size:], nil
}

func (f *fuse[T]) bytes() int64 { return int64(len(f.Fingerprints)) * int64(unsafe.Sizeof(T(0))) }
