package postings

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
)

// Kind is what a part holds.
type Kind uint8

const (
	// Names are entries of what names an event: the keys that are asked for whenever one is appended.
	Names Kind = iota
	// Things are entries of all other keys.
	Things
	// Filters are those of a run: of the whole of a segment's, of one slice of a merged one.
	Filters
	// Sets are the events of a key of which a segment has many. The kinds before it are those that runs have.
	Sets
	// Kinds is how many there are.
	Kinds
)

// Parts are parts of each kind, in their order.
type Parts [Kinds][][]byte

// Run is where the events of the keys are of which the segments have few: one segment's at level 0, and those of sixteen neighbours
// of the level before at each other. Its entries are in the order of their hashes, and lie in 2^n parts by the first n bits.
type Run struct {
	Level int
	// First is the seq of its first event, Len the number of its events.
	First, Len int64
	// Entries is how many it has of Names and of Things.
	Entries [2]int64

	whole  [2]*fuse[uint16] // the filters of a segment's
	slices []*fuse[uint8]   // those of the names of each slice of a merged one
}

// Fan is how many neighbours are merged into one.
const Fan = 16

const (
	// hashBits is how many bits of a key's hash are kept.
	hashBits = 40
	// perPart is how many entries a part has in the mean at most. Of the usual 6 bytes, they fit into a database page of 4 KiB: it is five
	// times the square root away from 670.
	perPart = 560
	// perSlice is how many names a slice has in the mean at most.
	perSlice = 1 << 15
	// maxBits bounds the numbers of parts.
	maxBits = 24
)

// Hash is what of a key's hash is kept.
func Hash(key int64) uint64 {
	h := uint64(key)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return (h ^ h>>31) >> (64 - hashBits)
}

// Hashes are those of keys, sorted and each once.
func Hashes(keys []int64) []uint64 {
	out := make([]uint64, len(keys))
	for i, key := range keys {
		out[i] = Hash(key)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// placeBits is how many bits a place has.
func (r *Run) placeBits() int { return bits.Len64(uint64(max(r.Len, 1) - 1)) }

// sliceBits is the logarithm of the number of slices. Within one, what remains of a hash and a place fit into 64 bits.
func (r *Run) sliceBits() int {
	if r.Level == 0 {
		return 0
	}
	return max(shareBits(r.Entries[Names], perSlice), r.placeBits()+hashBits-64)
}

// partBits is the logarithm of the number of parts of a kind. A slice is made of whole parts.
func (r *Run) partBits(kind Kind) int {
	if kind == Filters {
		return r.sliceBits()
	}
	return max(shareBits(r.Entries[kind], perPart), r.sliceBits())
}

// shareBits is how often n is halved until it is at most each.
func shareBits(n, each int64) (out int) {
	for out < maxBits && n > each<<out {
		out++
	}
	return out
}

// restBits is how many bits of a hash stand in an entry of a kind: the part says the others.
func (r *Run) restBits(kind Kind) int { return hashBits - r.partBits(kind) }

// width is how many bytes an entry of a kind has: the rest of the hash, and behind it the place, big-endian.
func (r *Run) width(kind Kind) int { return (r.restBits(kind) + r.placeBits() + 7) / 8 }

// Sound reports whether r, which was read, can be one.
func (r *Run) Sound() bool {
	return r.Level >= 0 && r.First >= 0 && r.Len > 0 && r.placeBits() <= 32 && r.Entries[Names] >= 0 && r.Entries[Things] >= 0
}

// Slices is how many there are.
func (r *Run) Slices() int { return 1 << r.sliceBits() }

// Span returns the parts of a kind that hold what another run has in one of its slices: from <= part < to.
func (r *Run) Span(kind Kind, of *Run, slice int) (from, to int) {
	if n := r.partBits(kind) - of.sliceBits(); n >= 0 {
		return slice << n, (slice + 1) << n
	}
	part := slice >> (of.sliceBits() - r.partBits(kind))
	return part, part + 1
}

// Ended is Span without a part that later slices need as well.
func (r *Run) Ended(kind Kind, of *Run, slice int) (from, to int) {
	from, to = r.Span(kind, of, slice)
	if after, _ := r.Span(kind, of, slice+1); after < to {
		return from, from
	}
	return from, to
}

// Candidates adds to out those hashes of a kind that r may have. Without a filter it may have all.
func (r *Run) Candidates(kind Kind, hashes, out []uint64) []uint64 {
	switch {
	case r.Level == 0 && r.whole[kind] != nil:
		f := r.whole[kind]
		for _, h := range hashes {
			if f.Contains(h) {
				out = append(out, h)
			}
		}
		return out
	case r.Level > 0 && kind == Names && r.slices != nil:
		shift := hashBits - r.sliceBits()
		for _, h := range hashes {
			if f := r.slices[h>>shift]; f == nil || f.Contains(h) {
				out = append(out, h)
			}
		}
		return out
	}
	return append(out, hashes...)
}

// Part returns the part that has to be read to find the events of a hash.
func (r *Run) Part(kind Kind, hash uint64) int { return int(hash >> r.restBits(kind)) }

// Find adds the seqs of the events of a hash to out, from the bytes of its part.
func (r *Run) Find(kind Kind, hash uint64, part []byte, out []int64) ([]int64, error) {
	width, place := r.width(kind), r.placeBits()
	if len(part)%width != 0 {
		return out, ErrDamaged
	}
	n := len(part) / width
	rest := hash & (1<<r.restBits(kind) - 1)
	for i := sort.Search(n, func(i int) bool { return entryAt(part[i*width:], width)>>place >= rest }); i < n; i++ {
		e := entryAt(part[i*width:], width)
		if e>>place != rest {
			break
		}
		at := int64(e & (1<<place - 1))
		if at >= r.Len {
			return out, ErrDamaged
		}
		out = append(out, r.First+at)
	}
	return out, nil
}

// entryAt reads an entry of some bytes.
func entryAt(b []byte, width int) (e uint64) {
	if width == 6 { // nearly all
		return uint64(binary.BigEndian.Uint32(b))<<16 | uint64(binary.BigEndian.Uint16(b[4:]))
	}
	for _, c := range b[:width] {
		e = e<<8 | uint64(c)
	}
	return e
}

// encode returns the parts of a slice. An entry of it is what remains of the hash behind the bits that say the slice, and the place;
// they are sorted.
func (r *Run) encode(kind Kind, entries []uint64) [][]byte {
	width, in := r.width(kind), r.restBits(kind)+r.placeBits()
	out := make([][]byte, 1<<(r.partBits(kind)-r.sliceBits()))
	for i := range out {
		n, _ := slices.BinarySearch(entries, uint64(i+1)<<in) // the last sum may be 2^64: then all that are left belong to it
		if i == len(out)-1 {
			n = len(entries)
		}
		b := make([]byte, 0, n*width)
		for _, e := range entries[:n] {
			e &= 1<<in - 1
			for at := 8 * (width - 1); at >= 0; at -= 8 {
				b = append(b, byte(e>>at))
			}
		}
		out[i], entries = b, entries[n:]
	}
	return out
}

// decode adds the entries of a slice of the run `of` to out, as that run has them, from the parts of r that hold them.
func (r *Run) decode(kind Kind, of *Run, slice int, parts [][]byte, out []uint64) ([]uint64, error) {
	from, to := r.Span(kind, of, slice)
	if len(parts) != to-from {
		return out, ErrDamaged
	}
	width, place, rest := r.width(kind), r.placeBits(), r.restBits(kind)
	left, shift := hashBits-of.sliceBits(), of.placeBits()
	behind := uint64(r.First - of.First)
	for i, part := range parts {
		if len(part)%width != 0 {
			return out, ErrDamaged
		}
		base := uint64(from+i) << rest
		for ; len(part) > 0; part = part[width:] {
			e := entryAt(part, width)
			at := e & (1<<place - 1)
			if e>>place>>rest != 0 || at >= uint64(r.Len) {
				return out, ErrDamaged
			}
			if hash := base | e>>place; int(hash>>left) == slice {
				out = append(out, hash&(1<<left-1)<<shift|(at+behind))
			}
		}
	}
	return out, nil
}

// NewRun returns the run into which neighbours of one level are merged; it has no filters yet.
func NewRun(sources []*Run) *Run {
	out := &Run{Level: sources[0].Level + 1, First: sources[0].First}
	for _, s := range sources {
		out.Len += s.Len
		out.Entries[Names] += s.Entries[Names]
		out.Entries[Things] += s.Entries[Things]
	}
	return out
}

// Merge returns the parts of one slice of r: those of Names and Things, and its filter. read returns the parts from <= part < to of a
// source.
func (r *Run) Merge(slice int, sources []*Run, read func(source int, kind Kind, from, to int) ([][]byte, error)) (out Parts, err error) {
	for _, kind := range []Kind{Names, Things} {
		mean := min(r.Entries[kind]>>r.sliceBits(), 1<<20)
		entries := make([]uint64, 0, mean+mean/16)
		for i, s := range sources {
			from, to := s.Span(kind, r, slice)
			parts, err := read(i, kind, from, to)
			if err != nil {
				return out, err
			}
			if entries, err = s.decode(kind, r, slice, parts, entries); err != nil {
				return out, err
			}
		}
		slices.Sort(entries)
		out[kind] = r.encode(kind, entries)
		if kind == Names {
			filter, err := newFuse[uint8](hashesOf(entries, r.placeBits(), uint64(slice)<<(hashBits-r.sliceBits())))
			if err != nil {
				return out, err
			}
			out[Filters] = [][]byte{filter.append(nil)}
		}
	}
	return out, nil
}

// hashesOf returns the hashes of sorted entries, each once.
func hashesOf(entries []uint64, placeBits int, base uint64) []uint64 {
	out := make([]uint64, len(entries))
	for i, e := range entries {
		out[i] = base | e>>placeBits
	}
	return slices.Compact(out)
}

// OpenFilter makes the filter of a slice one that can be asked; that of a segment's run is slice 0.
func (r *Run) OpenFilter(slice int, b []byte) error {
	if r.Level > 0 {
		f, rest, err := decodeFuse[uint8](b)
		if err != nil || len(rest) > 0 {
			return ErrDamaged
		}
		if r.slices == nil {
			r.slices = make([]*fuse[uint8], r.Slices())
		}
		r.slices[slice] = f
		return nil
	}
	names, rest, err := decodeFuse[uint16](b)
	if err != nil {
		return err
	}
	things, rest, err := decodeFuse[uint16](rest)
	if err != nil || len(rest) > 0 {
		return ErrDamaged
	}
	r.whole = [2]*fuse[uint16]{Names: names, Things: things}
	return nil
}

// Resident is how many bytes of memory r keeps.
func (r *Run) Resident() (n int64) {
	for _, f := range r.whole {
		if f != nil {
			n += f.bytes()
		}
	}
	for _, f := range r.slices {
		if f != nil {
			n += f.bytes()
		}
	}
	return n
}
