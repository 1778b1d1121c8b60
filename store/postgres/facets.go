package postgres

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sort"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// A row of the table facets is a run: events of one key that were recorded together and whose times lie close together. Events
// that share a key come by the hundred, and a row of each, with its entry in an index, was half of what recording an event cost.
//
// Whoever walks along a key in the order of time must see every run that may hold the next event. So that there are few, a run
// spans less than one of three widths, which its row names: all runs of a width that reach a time begin less than that width
// before it.

// widths are what a run spans less than, in microseconds: about a second, two minutes, five hours.
//
//nolint:gochecknoglobals // a constant
var widths = [...]int64{1 << 20, 1 << 27, 1 << 34}

const (
	// longest is how many events are in a run at most. PostgreSQL keeps the row in one piece.
	longest = 256
	// worthwhile is how many events the runs of a width have in the mean, at least, when a wider one is not better.
	worthwhile = 8
	// everyEvent is the key that all events have. Those of facets are not negative.
	everyEvent = -2
)

// run is a row of facets.
type run struct {
	key, width       int64
	earliest, latest int64
	first, last      int64
	spots            []relational.Spot // by time, then by seq
}

// runs cuts events of one key into runs. It sorts spots.
func runs(out []run, key int64, spots []relational.Spot) []run {
	sorted := func(a, b relational.Spot) int { return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Seq, b.Seq)) }
	if !slices.IsSortedFunc(spots, sorted) {
		slices.SortFunc(spots, sorted)
	}
	width := 0
	for width < len(widths)-1 && pieces(spots, widths[width]) > max(1, len(spots)/worthwhile) {
		width++
	}
	for len(spots) > 0 {
		n := cut(spots, widths[width])
		out = append(out, runOf(key, int64(width), spots[:n]))
		spots = spots[n:]
	}
	return out
}

// cut returns how many of the spots are one run of a width.
func cut(spots []relational.Spot, width int64) int {
	n := min(len(spots), longest)
	if spots[n-1].Time-spots[0].Time < width {
		return n
	}
	return 1 + sort.Search(n-1, func(i int) bool { return spots[i+1].Time-spots[0].Time >= width })
}

// pieces is how many runs of a width spots are.
func pieces(spots []relational.Spot, width int64) (n int) {
	for ; len(spots) > 0; n++ {
		spots = spots[cut(spots, width):]
	}
	return n
}

func runOf(key, width int64, spots []relational.Spot) run {
	r := run{
		key: key, width: width, earliest: spots[0].Time, latest: spots[len(spots)-1].Time, first: math.MaxInt64, last: math.MinInt64,
		spots: spots,
	}
	for _, sp := range spots {
		r.first, r.last = min(r.first, sp.Seq), max(r.last, sp.Seq)
	}
	return r
}

// units are what the times of a run are whole multiples of after its earliest, in microseconds; the first byte of its spots says
// which.
//
//nolint:gochecknoglobals // a constant
var units = [...]int64{1, 1000, 1000_000}

// unit returns the number of the largest unit of a run's times.
func (r *run) unit() int {
	u := len(units) - 1
	for _, sp := range r.spots {
		for (sp.Time-r.earliest)%units[u] != 0 {
			u--
		}
	}
	return u
}

// encode returns the spots of a run: the unit of time, then of each event how much later than the one before it it was, as a varint,
// and the difference of their seqs less one, as a zigzag varint. The first follows on the run's earliest, and the seq before its first.
func (r *run) encode(b []byte) []byte {
	u := r.unit()
	b = append(b, byte(u))
	at, seq := r.earliest, r.first-1
	for _, sp := range r.spots {
		b = binary.AppendUvarint(b, uint64((sp.Time-at)/units[u]))
		b = binary.AppendVarint(b, sp.Seq-seq-1)
		at, seq = sp.Time, sp.Seq
	}
	return b
}

var errRun = errors.New("a row of facets is damaged: make the index again with: suyuan rebuild")

// decodeRun appends the spots of a run to out.
func decodeRun(out []relational.Spot, earliest, first int64, b []byte) ([]relational.Spot, error) {
	if len(b) == 0 || int(b[0]) >= len(units) {
		return out, errRun
	}
	unit := units[b[0]]
	at, seq := earliest, first-1
	for b = b[1:]; len(b) > 0; {
		later, n := binary.Uvarint(b)
		if n <= 0 || later > uint64(widths[len(widths)-1]) {
			return out, errRun
		}
		further, m := binary.Varint(b[n:])
		if m <= 0 {
			return out, errRun
		}
		b = b[n+m:]
		at, seq = at+int64(later)*unit, seq+1+further
		out = append(out, relational.Spot{Time: at, Seq: seq})
	}
	return out, nil
}
