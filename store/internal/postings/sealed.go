package postings

import (
	"encoding/binary"
	"maps"
	"slices"
)

// Sealed is a segment that does not change any more, as far as it stays in memory.
type Sealed struct {
	// First is the seq of its first event, Len the number of its events.
	First int64
	Len   int
	// Earliest and Latest are the bounds of their times in microseconds.
	Earliest, Latest int64
	// Many are the keys that have a set: parts of [Sets], in this order.
	Many []int64
}

// Bytes are a sealed segment as it is kept, and the run that it begins with.
type Bytes struct {
	Sealed
	Run *Run
	// Keys and Times are whole; Parts are read one by one.
	Keys, Times []byte
	Parts       Parts
	// Room is how much there was in the segment.
	Room Room
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
	for _, key := range out.Many {
		out.Keys = binary.LittleEndian.AppendUint64(out.Keys, uint64(key))
		out.Parts[Sets] = append(out.Parts[Sets], r.many[key].encode())
	}
	out.Room, out.Run = r.room(), &Run{First: r.First, Len: int64(len(t.At))}
	var filters []byte
	for kind, c := range []*chains{Names: &r.names, Things: &r.things} {
		entries := c.entries(out.Run.placeBits())
		out.Run.Entries[kind] = int64(len(entries))
		out.Parts[kind] = out.Run.encode(Kind(kind), entries)
		filter, err := newFuse[uint16](hashesOf(entries, out.Run.placeBits(), 0))
		if err != nil {
			return out, err
		}
		out.Run.whole[kind], filters = filter, filter.append(filters)
	}
	out.Parts[Filters] = [][]byte{filters}
	return out, nil
}

// entries returns the events of all keys as entries of hash and place, sorted, so that the same events give the same bytes.
func (c *chains) entries(placeBits int) []uint64 {
	out := make([]uint64, 0, len(c.links))
	for key, h := range c.heads {
		hash := Hash(key) << placeBits
		for at := h.link; at >= 0; at = c.links[at].before {
			out = append(out, hash|uint64(c.links[at].place))
		}
	}
	slices.Sort(out)
	return out
}

// Open makes s, whose other fields are set, one that can be asked.
func (s *Sealed) Open(keys []byte) error {
	if len(keys)%8 != 0 || s.Len < 1 || s.Len > Size {
		return ErrDamaged
	}
	for ; len(keys) > 0; keys = keys[8:] {
		s.Many = append(s.Many, int64(binary.LittleEndian.Uint64(keys)))
	}
	return nil
}

// Resident is how many bytes of memory s keeps.
func (s *Sealed) Resident() int64 { return int64(8 * len(s.Many)) }

// Set returns the part that has a key's set; ok is false where it has none.
func (s *Sealed) Set(key int64) (part int, ok bool) { return slices.BinarySearch(s.Many, key) }
