package postings

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Size is how many events a segment holds at most.
const Size = 1 << 16

const words = Size / 64

// Set is a set of places.
type Set [words]uint64

// Add adds a place.
func (s *Set) Add(place uint16) { s[place/64] |= 1 << (place % 64) }

// Has reports whether a place is in s.
func (s *Set) Has(place uint16) bool { return s[place/64]&(1<<(place%64)) != 0 }

// AddRange adds the places from <= place < to.
func (s *Set) AddRange(from, to int) {
	for from < to && from%64 != 0 {
		s.Add(uint16(from))
		from++
	}
	for ; to-from >= 64; from += 64 {
		s[from/64] = ^uint64(0)
	}
	for ; from < to; from++ {
		s.Add(uint16(from))
	}
}

// And leaves the places that are in o as well.
func (s *Set) And(o *Set) {
	for i := range s {
		s[i] &= o[i]
	}
}

// Or adds the places of o.
func (s *Set) Or(o *Set) {
	for i := range s {
		s[i] |= o[i]
	}
}

// Len is the number of places.
func (s *Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether there is no place in s.
func (s *Set) Empty() bool { return *s == Set{} }

// Places returns the places in order.
func (s *Set) Places() []uint16 {
	var out []uint16
	for i, w := range s {
		for ; w != 0; w &= w - 1 {
			out = append(out, uint16(i*64+bits.TrailingZeros64(w)))
		}
	}
	return out
}

// The first byte of an encoded set says what follows: its places, 2 bytes each; its runs, the first and the last place of each;
// or all its bits. All numbers are little-endian.
const (
	setPlaces = iota
	setRuns
	setBits
)

// encode returns the shortest form of s.
func (s *Set) encode() []byte {
	places := s.Places()
	var runs [][2]uint16
	for _, p := range places {
		if n := len(runs); n > 0 && runs[n-1][1]+1 == p && p != 0 {
			runs[n-1][1] = p
			continue
		}
		runs = append(runs, [2]uint16{p, p})
	}
	switch size := min(2*len(places), 4*len(runs), Size/8); size {
	case 4 * len(runs):
		out := append(make([]byte, 0, 1+size), setRuns)
		for _, r := range runs {
			out = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(out, r[0]), r[1])
		}
		return out
	case 2 * len(places):
		out := append(make([]byte, 0, 1+size), setPlaces)
		for _, p := range places {
			out = binary.LittleEndian.AppendUint16(out, p)
		}
		return out
	}
	out := append(make([]byte, 0, 1+Size/8), setBits)
	for _, w := range s {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	return out
}

// OrEncoded adds the places of an encoded set.
func (s *Set) OrEncoded(b []byte) error {
	if len(b) == 0 {
		return ErrDamaged
	}
	kind, b := b[0], b[1:]
	switch {
	case kind == setPlaces && len(b)%2 == 0:
		for ; len(b) > 0; b = b[2:] {
			s.Add(binary.LittleEndian.Uint16(b))
		}
	case kind == setRuns && len(b)%4 == 0:
		for ; len(b) > 0; b = b[4:] {
			s.AddRange(int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))+1)
		}
	case kind == setBits && len(b) == Size/8:
		for i := range s {
			s[i] |= binary.LittleEndian.Uint64(b[8*i:])
		}
	default:
		return ErrDamaged
	}
	return nil
}

// ErrDamaged says that bytes are not what the package wrote.
var ErrDamaged = errors.New("a part of the index is damaged: make it again with: suyuan rebuild")
