package postings

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Times are the event times of a segment in microseconds, by place, and the places in the order of their times; of equal
// times the earlier place comes first.
type Times struct {
	At    []int64
	Order []uint16
}

// inOrder returns the places of at in the order of their times.
func inOrder(at []int64) []uint16 {
	out := make([]uint16, len(at))
	for i := range out {
		out[i] = uint16(i)
	}
	if slices.IsSorted(at) {
		return out
	}
	if least := slices.Min(at); uint64(slices.Max(at)-least) < 1<<48 { // nine years: time and place fit into one number
		both := make([]uint64, len(at))
		for i := range at {
			both[i] = uint64(at[i]-least)<<16 | uint64(i)
		}
		slices.Sort(both)
		for i := range out {
			out[i] = uint16(both[i])
		}
		return out
	}
	slices.SortFunc(out, func(a, b uint16) int { return cmp.Or(cmp.Compare(at[a], at[b]), cmp.Compare(a, b)) })
	return out
}

// merge adds the places from len(order) on to an order, which it leaves as it is.
func merge(order []uint16, at []int64) []uint16 {
	n := len(order)
	added := inOrder(at[n:])
	out := make([]uint16, 0, len(at))
	i := 0
	for _, p := range added {
		place := uint16(n) + p
		for i < n && at[order[i]] <= at[place] {
			out = append(out, order[i])
			i++
		}
		out = append(out, place)
	}
	return append(out, order[i:]...)
}

// From returns the index in t.Order of the first place whose time is at least at, and whose seq, which is first more than its
// place, is at least seq if its time is at.
func (t *Times) From(at, seq, first int64) int {
	i, _ := slices.BinarySearchFunc(t.Order, struct{}{}, func(p uint16, _ struct{}) int {
		return cmp.Or(cmp.Compare(t.At[p], at), cmp.Compare(first+int64(p), seq))
	})
	return i
}

// What follows the number of events in encoded times.
const (
	timesSorted = 1 << iota // no order follows: it is that of the log
	timesMillis             // the times are whole milliseconds
)

// encode returns the number of events, flags, the differences of the times in their order as zigzag varints, and the order in
// 2 bytes a place.
func (t *Times) encode() []byte {
	flags, unit := byte(timesMillis), int64(millis)
	for _, at := range t.At {
		if at%millis != 0 {
			flags, unit = 0, 1
		}
	}
	if slices.IsSorted(t.Order) {
		flags |= timesSorted
	}
	out := append(binary.AppendUvarint(nil, uint64(len(t.At))), flags)
	last := int64(0)
	for _, p := range t.Order {
		out = binary.AppendVarint(out, t.At[p]/unit-last)
		last = t.At[p] / unit
	}
	if flags&timesSorted == 0 {
		for _, p := range t.Order {
			out = binary.LittleEndian.AppendUint16(out, p)
		}
	}
	return out
}

const millis = 1000

// DecodeTimes decodes the times of a sealed segment.
func DecodeTimes(b []byte) (*Times, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > Size || len(b) <= used {
		return nil, ErrDamaged
	}
	flags, b := b[used], b[used+1:]
	unit := int64(1)
	if flags&timesMillis != 0 {
		unit = millis
	}
	t := &Times{At: make([]int64, n), Order: make([]uint16, n)}
	last := int64(0)
	sorted := make([]int64, n)
	for i := range sorted {
		d, used := binary.Varint(b)
		if used <= 0 {
			return nil, ErrDamaged
		}
		last, b = last+d, b[used:]
		sorted[i] = last * unit
	}
	if flags&timesSorted == 0 && len(b) != 2*len(t.Order) {
		return nil, ErrDamaged
	}
	for i := range t.Order {
		t.Order[i] = uint16(i)
		if flags&timesSorted == 0 {
			t.Order[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		if int(t.Order[i]) >= len(t.At) {
			return nil, ErrDamaged
		}
		t.At[t.Order[i]] = sorted[i]
	}
	return t, nil
}
