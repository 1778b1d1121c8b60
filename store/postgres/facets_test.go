package postgres

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

const second, hour = 1_000_000, 3_600_000_000

// spotsOf are n events from a seq on whose times are what at says.
func spotsOf(n int, at func(i int) int64) []relational.Spot {
	out := make([]relational.Spot, n)
	for i := range out {
		out[i] = relational.Spot{Time: at(i), Seq: 1000 + int64(i)}
	}
	return out
}

func TestRunsHoldEveryEventWithinTheirWidth(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		n, most int // how many runs at most
		at      func(i int) int64
	}{
		"one event":             {1, 1, func(int) int64 { return -5 }},
		"all at once":           {1000, 4, func(int) int64 { return 7 * hour }},
		"one after the other":   {1000, 12, func(i int) int64 { return int64(i) * second }},
		"within a second":       {300, 2, func(i int) int64 { return 12 - int64(i) }},
		"a few over an hour":    {4, 1, func(i int) int64 { return int64(i) * hour / 4 }},
		"at random over a day":  {1000, 6, func(int) int64 { return rnd.Int64N(24 * hour) }},
		"at random over a year": {100, 100, func(int) int64 { return rnd.Int64N(365*24*hour) - 100*24*hour }},
	} {
		spots := spotsOf(c.n, c.at)
		found := runs(nil, 9, slices.Clone(spots))
		if len(found) > c.most {
			t.Errorf("%s: %d runs", name, len(found))
		}
		var all []relational.Spot
		for _, r := range found {
			if r.key != 9 || r.latest-r.earliest >= widths[r.width] || len(r.spots) > longest {
				t.Fatalf("%s: a run of %d events over %d of width %d", name, len(r.spots), r.latest-r.earliest, r.width)
			}
			decoded, err := decodeRun(nil, r.earliest, r.first, r.encode(nil))
			if err != nil || !slices.Equal(decoded, r.spots) {
				t.Fatalf("%s: %v came back as %v: %v", name, r.spots, decoded, err)
			}
			for _, sp := range decoded {
				if sp.Time < r.earliest || sp.Time > r.latest || sp.Seq < r.first || sp.Seq > r.last {
					t.Fatalf("%s: %v is out of the bounds of %+v", name, sp, r)
				}
			}
			all = append(all, decoded...)
		}
		slices.SortFunc(all, func(a, b relational.Spot) int { return int(a.Seq - b.Seq) })
		if !slices.Equal(all, spots) {
			t.Errorf("%s: %d events of %d", name, len(all), len(spots))
		}
	}
}

func FuzzDecodeRun(f *testing.F) {
	for _, r := range runs(nil, 1, spotsOf(5, func(i int) int64 { return int64(i%3) * second })) {
		f.Add(r.earliest, r.first, r.encode(nil))
	}
	f.Add(int64(0), int64(0), []byte{1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, earliest, first int64, b []byte) {
		spots, err := decodeRun(nil, earliest, first, b)
		if err == nil && 2*len(spots) > len(b) {
			t.Fatalf("%d events of %d bytes", len(spots), len(b))
		}
	})
}
