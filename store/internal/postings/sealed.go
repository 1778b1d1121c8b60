package postings

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"

	"github.com/FastFilter/xorfilter"
)

// Sealed is a segment that does not change any more, as far as it stays in memory.
type Sealed struct {
	// First is the seq of its first event, Len the number of its events.
	First int64
	Len   int
	// Earliest and Latest are the bounds of their times in microseconds.
	Earliest, Latest int64
	// Buckets is how many parts hold buckets; those after them hold the sets of Many, in its order.
	Buckets int
	Many    []int64
	filter  *xorfilter.BinaryFuse[uint16]
}

// Bytes are a sealed segment as it is kept.
type Bytes struct {
	Sealed
	// Filter, Keys and Times are whole; Parts are read one by one.
	Filter, Keys, Times []byte
	Parts               [][]byte
}

const (
	// entrySize is 4 bytes of a key and a place.
	entrySize = 6
	// perBucket is how many entries a bucket has in the mean. With them it fits into a database page of 4 KiB: it is five times the
	// square root away from 670.
	perBucket = 560
)

// spread turns a key, whose high bits may be alike, into one whose every bit depends on all.
func spread(key int64) uint64 {
	h := uint64(key)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// bucketOf returns the bucket of a spread key, and what of the key stands in it.
func bucketOf(spread uint64, buckets int) (bucket int, rest uint32) {
	hi, _ := bits.Mul64(spread, uint64(buckets))
	return int(hi), uint32(spread)
}

// Seal returns r as a sealed segment. Nothing is added to r any more.
func (r *Recent) Seal() (Bytes, error) {
	t := r.Times()
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := Bytes{Sealed: Sealed{First: r.First, Len: len(t.At), Many: slices.Sorted(maps.Keys(r.many))}, Keys: []byte{}, Times: t.encode()}
	if n := len(t.Order); n > 0 {
		out.Earliest, out.Latest = t.At[t.Order[0]], t.At[t.Order[n-1]]
	}
	keys := make([]uint64, 0, len(r.heads))
	for key := range r.heads {
		keys = append(keys, spread(key))
	}
	slices.Sort(keys) // so that the same events give the same bytes
	filter, err := xorfilter.NewBinaryFuse[uint16](slices.Compact(keys))
	if err != nil {
		return out, err
	}
	out.filter = filter
	var b bytes.Buffer
	if err := filter.Save(&b); err != nil {
		return out, err
	}
	out.Filter = b.Bytes()
	out.Parts = r.buckets()
	out.Buckets = len(out.Parts)
	for _, key := range out.Many {
		out.Keys = binary.LittleEndian.AppendUint64(out.Keys, uint64(key))
		out.Parts = append(out.Parts, r.many[key].encode())
	}
	return out, nil
}

// buckets returns the keys of few events: in each bucket the entries in the order of their bytes.
func (r *Recent) buckets() [][]byte {
	type entry struct {
		hash  uint64
		place uint16
	}
	all := make([]entry, 0, len(r.links))
	for key, h := range r.heads {
		if h.count >= manyFrom {
			continue
		}
		hash := spread(key)
		for at := h.link; at >= 0; at = r.links[at].before {
			all = append(all, entry{hash, r.links[at].place})
		}
	}
	n := max(1, (len(all)+perBucket-1)/perBucket)
	filled := make([][]uint64, n)
	for _, e := range all {
		bucket, rest := bucketOf(e.hash, n)
		filled[bucket] = append(filled[bucket], uint64(rest)<<16|uint64(e.place))
	}
	out := make([][]byte, n)
	for i, entries := range filled {
		slices.Sort(entries)
		b := make([]byte, 0, len(entries)*entrySize)
		for _, e := range entries {
			b = binary.BigEndian.AppendUint32(b, uint32(e>>16))
			b = binary.BigEndian.AppendUint16(b, uint16(e))
		}
		out[i] = b
	}
	return out
}

// Open makes s, whose other fields are set, one that can be asked.
func (s *Sealed) Open(filter, keys []byte) error {
	if len(keys)%8 != 0 || s.Len < 0 || s.Len > Size || s.Buckets < 1 {
		return errDamaged
	}
	for ; len(keys) > 0; keys = keys[8:] {
		s.Many = append(s.Many, int64(binary.LittleEndian.Uint64(keys)))
	}
	var err error
	s.filter, err = xorfilter.LoadBinaryFuse[uint16](bytes.NewReader(filter))
	return err
}

// Resident is how many bytes of memory s keeps.
func (s *Sealed) Resident() int64 { return int64(2*len(s.filter.Fingerprints) + 8*len(s.Many)) }

// Part returns the part that has to be read to find a key's events; ok is false where it has none.
func (s *Sealed) Part(key int64) (part int, ok bool) {
	hash := spread(key)
	if !s.filter.Contains(hash) {
		return 0, false
	}
	if i, ok := slices.BinarySearch(s.Many, key); ok {
		return s.Buckets + i, true
	}
	part, _ = bucketOf(hash, s.Buckets)
	return part, true
}

// Find adds a key's events to a set, from the bytes of its part.
func (s *Sealed) Find(key int64, part int, b []byte, to *Set) error {
	if part >= s.Buckets {
		return to.orEncoded(b)
	}
	if len(b)%entrySize != 0 {
		return errDamaged
	}
	_, rest := bucketOf(spread(key), s.Buckets)
	n := len(b) / entrySize
	low, high := 0, n
	for low < high {
		mid := (low + high) / 2
		if binary.BigEndian.Uint32(b[mid*entrySize:]) < rest {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for ; low < n && binary.BigEndian.Uint32(b[low*entrySize:]) == rest; low++ {
		to.Add(binary.BigEndian.Uint16(b[low*entrySize+4:]))
	}
	return nil
}
