package postings

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// naive is an index by its definition: the names and the things of each event, and the events of each.
type naive struct {
	first int64
	times []int64
	keys  [2][][]int64
	seqs  [2]map[int64][]int64
}

func (n *naive) add(names, things []int64) {
	for kind, keys := range [][]int64{Names: names, Things: things} {
		if n.seqs[kind] == nil {
			n.seqs[kind] = map[int64][]int64{}
		}
		for _, key := range keys {
			n.seqs[kind][key] = append(n.seqs[kind][key], n.first+int64(len(n.keys[kind])))
		}
		n.keys[kind] = append(n.keys[kind], keys)
	}
}

func (n *naive) find(kind Kind, keys []int64) (out []int64) {
	for _, key := range keys {
		out = append(out, n.seqs[kind][key]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ask returns some keys, of which events have some.
func (n *naive) ask(r *rand.Rand, kind Kind) []int64 {
	keys := []int64{r.Int64N(1 << 20), r.Int64N(25), 1000 + r.Int64N(4), 7777, 77}
	if have := n.keys[kind][r.IntN(len(n.keys[kind]))]; len(have) > 0 {
		keys = append(keys, have[r.IntN(len(have))])
	}
	return keys[r.IntN(len(keys)):]
}

// random fills a segment with n events: keys of one event, keys of some, and keys of most.
func random(r *rand.Rand, first int64, n int) (naive, *Recent) {
	want := naive{first: first}
	seg := NewRecent(first, Room{})
	for i := range n {
		at := int64(i)*1000 + r.Int64N(50_000)
		if r.IntN(40) == 0 {
			at = -at
		}
		names := []int64{r.Int64(), r.Int64N(1000)}
		things := []int64{r.Int64(), r.Int64N(20), 1000 + r.Int64N(3)}
		if r.IntN(100) > 0 {
			things = append(things, 7777)
		}
		want.times = append(want.times, at)
		want.add(names, things)
		seg.Add(at, names, things[:2], things[2:])
	}
	return want, seg
}

// differ is [cmp.Diff] of what is mostly equal, which that looks at element by element.
func differ(want, got []int64) string {
	if slices.Equal(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// kept is a segment as it comes back from where it is kept.
type kept struct {
	Sealed
	run   *Run
	parts Parts
	times []byte
}

func seal(t testing.TB, seg *Recent) kept {
	t.Helper()
	b, err := seg.Seal()
	if err != nil {
		t.Fatal(err)
	}
	k := kept{
		Sealed: Sealed{First: b.First, Len: b.Len, Earliest: b.Earliest, Latest: b.Latest},
		run:    &Run{First: b.Run.First, Len: b.Run.Len, Entries: b.Run.Entries}, parts: b.Parts, times: b.Times,
	}
	if err := k.Open(b.Keys); err != nil {
		t.Fatal(err)
	}
	open(t, k.run, b.Parts)
	return k
}

// open gives a run its filters.
func open(t testing.TB, r *Run, parts Parts) {
	t.Helper()
	if !r.Sound() || len(parts[Filters]) != r.Slices() {
		t.Fatalf("a run of %d slices with %d filters", r.Slices(), len(parts[Filters]))
	}
	for slice, b := range parts[Filters] {
		if err := r.OpenFilter(slice, b); err != nil {
			t.Fatal(err)
		}
	}
}

// find asks a run as its caller does, and adds the seqs to out.
func find(t testing.TB, r *Run, parts Parts, kind Kind, keys []int64, out []int64) []int64 {
	t.Helper()
	var err error
	for _, hash := range r.Candidates(kind, Hashes(keys), nil) {
		if out, err = r.Find(kind, hash, parts[kind][r.Part(kind, hash)], out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// find asks a segment and adds the seqs to out, in order.
func (k *kept) find(t testing.TB, kind Kind, keys []int64) []int64 {
	t.Helper()
	out := find(t, k.run, k.parts, kind, keys, nil)
	if kind == Things {
		out = append(out, k.sets(t, keys)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (k *kept) sets(t testing.TB, keys []int64) (out []int64) {
	t.Helper()
	var set Set
	for _, key := range keys {
		if part, ok := k.Set(key); ok {
			if err := set.OrEncoded(k.parts[Sets][part]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, place := range set.Places() {
		out = append(out, k.First+int64(place))
	}
	return out
}

func TestSegmentsFindWhatTheDefinitionFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 300, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			want, seg := random(r, 100, n)
			s := seal(t, seg)
			for range 300 {
				for kind := range want.keys {
					keys := want.ask(r, Kind(kind))
					var recent Set
					seg.Find(Kind(kind), keys, &recent)
					if diff := differ(want.find(Kind(kind), keys), placesFrom(100, &recent)); diff != "" {
						t.Fatalf("in memory, %v: %s", keys, diff)
					}
					if diff := differ(want.find(Kind(kind), keys), s.find(t, Kind(kind), keys)); diff != "" {
						t.Fatalf("sealed, %v: %s", keys, diff)
					}
				}
			}
			again, err := seg.Seal()
			if err != nil || !reflect.DeepEqual(s.parts, again.Parts) || !slices.Equal(s.times, again.Times) {
				t.Error("the same events give other bytes")
			}
			small(t, s.parts)
		})
	}
}

func placesFrom(first int64, s *Set) (out []int64) {
	for _, place := range s.Places() {
		out = append(out, first+int64(place))
	}
	return out
}

// small checks that parts of entries fit into a page.
func small(t *testing.T, parts Parts) {
	t.Helper()
	for _, kind := range []Kind{Names, Things} {
		for _, part := range parts[kind] {
			if len(part) > 4000 {
				t.Errorf("a part of %d bytes does not fit into a page", len(part))
			}
		}
	}
}

// merged merges runs with their parts.
func merged(t testing.TB, sources []*Run, parts []Parts) (*Run, Parts) {
	t.Helper()
	r := NewRun(sources)
	var out Parts
	ended := make([][Kinds]int, len(sources))
	for slice := range r.Slices() {
		got, err := r.Merge(slice, sources, func(i int, kind Kind, from, to int) ([][]byte, error) { return parts[i][kind][from:to], nil })
		if err != nil {
			t.Fatal(err)
		}
		for kind := range Sets {
			if from, to := r.Span(kind, r, slice); from != len(out[kind]) || to-from != len(got[kind]) {
				t.Fatalf("slice %d has parts %d to %d of kind %d, %d come after %d", slice, from, to, kind, len(got[kind]), len(out[kind]))
			}
			out[kind] = append(out[kind], got[kind]...)
		}
		for i, s := range sources {
			for kind := range Sets {
				from, to := s.Ended(kind, r, slice)
				if to > from && from != ended[i][kind] {
					t.Fatalf("after slice %d parts %d to %d of kind %d end, those before %d did", slice, from, to, kind, ended[i][kind])
				}
				ended[i][kind] = max(ended[i][kind], to)
			}
		}
	}
	for i := range sources {
		for kind := range Sets {
			if ended[i][kind] != len(parts[i][kind]) {
				t.Errorf("%d of %d parts of kind %d ended", ended[i][kind], len(parts[i][kind]), kind)
			}
		}
	}
	r = &Run{Level: r.Level, First: r.First, Len: r.Len, Entries: r.Entries}
	open(t, r, out)
	return r, out
}

// A run finds what its segments find, and so does one of runs, whatever their shapes: with nearly no things, with many, with one name
// of all events, and with segments that are not full.
func TestRunsFindWhatTheirSegmentsFind(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for name, c := range map[string]struct{ n, things, most int }{
		"few events": {3, 1, 0}, "no things": {200, 0, 0}, "few things": {4000, 0, 3}, "many things": {500, 40, 0}, "slices": {9000, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			first, want := int64(500), naive{first: 500}
			var level0, level1 []*Run
			var parts0, parts1 []Parts
			var segments []kept
			for range 2 * Fan {
				n := c.n
				if r.IntN(4) == 0 {
					n = 1 + r.IntN(n)
				}
				seg := NewRecent(first, Room{})
				for i := range n {
					names, things := []int64{r.Int64(), 5 + r.Int64N(1<<17)*100}, make([]int64, 0, c.things)
					if c.n < 1000 && r.IntN(3) == 0 {
						names[1] = 77
					}
					for range c.things {
						things = append(things, r.Int64N(1<<20))
					}
					if i < c.most {
						things = append(things, r.Int64N(9))
					}
					slices.Sort(things)
					things = slices.Compact(things)
					want.add(names, things)
					seg.Add(int64(i), names, things)
				}
				s := seal(t, seg)
				segments, level0, parts0 = append(segments, s), append(level0, s.run), append(parts0, s.parts)
				first += int64(n)
			}
			for i := range 2 {
				run, parts := merged(t, level0[i*Fan:(i+1)*Fan], parts0[i*Fan:(i+1)*Fan])
				level1, parts1 = append(level1, run), append(parts1, parts)
				again, _ := merged(t, level0[i*Fan:(i+1)*Fan], parts0[i*Fan:(i+1)*Fan])
				if !reflect.DeepEqual(run.slices, again.slices) {
					t.Error("the same segments give other filters")
				}
			}
			run, parts := merged(t, level1, parts1)
			if name == "slices" && (level1[0].Slices() < 4 || run.Slices() < 8) {
				t.Errorf("%d slices and %d: the case tries nothing", level1[0].Slices(), run.Slices())
			}
			if c.most == 0 && c.n > 1000 {
				small(t, parts)
			}
			for range 300 {
				for kind := range want.keys {
					keys := want.ask(r, Kind(kind))
					var by1, sets []int64
					for i := range level1 {
						by1 = find(t, level1[i], parts1[i], Kind(kind), keys, by1)
					}
					for i := range segments {
						if Kind(kind) == Things {
							sets = append(sets, segments[i].sets(t, keys)...)
						}
					}
					by2 := find(t, run, parts, Kind(kind), keys, nil)
					for level, got := range [][]int64{1: append(by1, sets...), 2: append(by2, sets...)} {
						slices.Sort(got)
						if diff := differ(want.find(Kind(kind), keys), slices.Compact(got)); level > 0 && diff != "" {
							t.Fatalf("level %d, kind %d, %v: %s", level, kind, keys, diff)
						}
					}
				}
			}
			absent := make([]int64, 20_000)
			for i := range absent {
				absent[i] = r.Int64()
			}
			if n := len(run.Candidates(Names, Hashes(absent), nil)); n > 20_000/100 {
				t.Errorf("the filters let %d of 20,000 names pass that are not there", n)
			}
		})
	}
}

// What is damaged is an error, not a wrong answer or the end of the process.
func TestDamagedPartsAreNotMerged(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	_, seg := random(r, 0, 50)
	s := seal(t, seg)
	into := NewRun([]*Run{s.run})
	for name, damage := range map[string]func(p [][]byte) [][]byte{
		"short":      func(p [][]byte) [][]byte { return [][]byte{p[0][1:]} },
		"missing":    func([][]byte) [][]byte { return nil },
		"high place": func(p [][]byte) [][]byte { return [][]byte{bytes.Repeat([]byte{0xff}, len(p[0]))} },
	} {
		_, err := into.Merge(0, []*Run{s.run}, func(_ int, kind Kind, from, to int) ([][]byte, error) { return damage(s.parts[kind][from:to]), nil })
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimesComeBackInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	want, seg := random(r, 0, 500)
	seg.Times() // a reader in between must not spoil what follows
	for i := range 500 {
		seg.Add(int64(i), nil)
		want.times = append(want.times, int64(i))
		if i%100 == 0 {
			seg.Times()
		}
	}
	s := seal(t, seg)
	kept, err := DecodeTimes(s.times)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*Times{"in memory": seg.Times(), "sealed": kept} {
		if diff := differ(want.times, got.At); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if diff := cmp.Diff(inOrder(want.times), got.Order); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if s.Earliest != slices.Min(want.times) || s.Latest != slices.Max(want.times) {
		t.Errorf("bounds %d, %d", s.Earliest, s.Latest)
	}
	for i, place := range kept.Order {
		if got := kept.From(kept.At[place], 10+int64(place), 10); got != i {
			t.Fatalf("place %d is found at %d, it is at %d", place, got, i)
		}
	}
}

func TestOrderIsThatOfTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for name, span := range map[string]int64{"equal": 1, "close": 100, "years apart": 1 << 40, "ages apart": 1 << 62} {
		at := make([]int64, 5000)
		for i := range at {
			at[i] = r.Int64N(span) - span/2
		}
		order := inOrder(at)
		for i := 1; i < len(order); i++ {
			if a, b := order[i-1], order[i]; at[a] > at[b] || at[a] == at[b] && a >= b {
				t.Fatalf("%s: place %d at %d comes before %d at %d", name, a, at[a], b, at[b])
			}
		}
	}
}

func TestSetsComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, fill := range map[string]func(s *Set){
		"empty": func(*Set) {}, "all": func(s *Set) { s.AddRange(0, Size) }, "the last": func(s *Set) { s.Add(Size - 1) },
		"both ends": func(s *Set) { s.Add(0); s.Add(Size - 1) }, "a range": func(s *Set) { s.AddRange(63, 1000) },
		"few": func(s *Set) {
			for range 300 {
				s.Add(uint16(r.IntN(Size)))
			}
		},
		"half": func(s *Set) {
			for i := range s {
				s[i] = r.Uint64()
			}
		},
	} {
		var s, back Set
		fill(&s)
		b := s.encode()
		if err := back.OrEncoded(b); err != nil || back != s {
			t.Errorf("%s: %d places came back as %d: %v", name, s.Len(), back.Len(), err)
		}
		if len(b) > 1+Size/8 {
			t.Errorf("%s takes %d bytes", name, len(b))
		}
	}
}

// FuzzParts feeds what is read from a disk.
func FuzzParts(f *testing.F) {
	var s Set
	s.AddRange(5, 900)
	f.Add(s.encode())
	f.Add((&Times{At: []int64{5000, 1000, 2000}, Order: []uint16{1, 2, 0}}).encode())
	_, seg := random(rand.New(rand.NewPCG(17, 18)), 0, 3)
	k := seal(f, seg)
	for _, parts := range k.parts {
		for _, part := range parts {
			f.Add(part)
		}
	}
	into, parts := merged(f, []*Run{k.run}, []Parts{k.parts})
	f.Add(parts[Filters][0])
	f.Fuzz(func(t *testing.T, b []byte) {
		var set Set
		if set.OrEncoded(b) == nil {
			var back Set
			if err := back.OrEncoded(set.encode()); err != nil || back != set {
				t.Errorf("a set does not come back: %v", err)
			}
		}
		if times, err := DecodeTimes(b); err == nil && len(times.At) > 0 {
			_ = times.From(times.At[0], 0, 0)
		}
		_ = (&Sealed{Len: 1}).Open(b)
		for _, r := range []*Run{{Len: 3, Entries: k.run.Entries}, {Level: 1, Len: 3, Entries: into.Entries}} {
			if r.OpenFilter(0, b) == nil {
				_ = r.Candidates(Names, []uint64{0, 1, 1 << 39}, nil)
			}
			if seqs, err := r.Find(Names, Hash(7), b, nil); err == nil && slices.ContainsFunc(seqs, func(seq int64) bool { return seq >= 3 }) {
				t.Errorf("found %v of 3 events", seqs)
			}
			to := NewRun([]*Run{r})
			if parts, err := to.Merge(0, []*Run{r}, func(int, Kind, int, int) ([][]byte, error) { return [][]byte{b}, nil }); err == nil {
				if seqs, err := to.Find(Names, Hash(7), parts[Names][0], nil); err != nil || slices.ContainsFunc(seqs, func(seq int64) bool { return seq >= 3 }) {
					t.Errorf("found %v of 3 events when merged: %v", seqs, err)
				}
			}
		}
	})
}

// BenchmarkRecent adds events of a dozen keys and seals every segment. One op is one event.
func BenchmarkRecent(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	seg := NewRecent(0, Room{})
	keys := make([]int64, 12)
	for i := 0; b.Loop(); i++ {
		for k := range keys {
			keys[k] = int64(k)
		}
		for k := range 5 {
			keys[k] = r.Int64()
		}
		seg.Add(int64(i), keys[:2], keys[2:])
		if seg.Len() == Size {
			if _, err := seg.Seal(); err != nil {
				b.Fatal(err)
			}
			seg = NewRecent(0, Room{})
		}
	}
}

// benchRuns returns a run of sixteen full segments, and what it was made of.
func benchRuns(b *testing.B) (level0 []*Run, parts0 []Parts, r *Run, parts Parts) {
	b.Helper()
	rnd := rand.New(rand.NewPCG(9, 10))
	for i := range Fan {
		seg := NewRecent(int64(i)*Size, Room{})
		for n := range Size {
			seg.Add(int64(n), []int64{rnd.Int64(), rnd.Int64()}, []int64{rnd.Int64()})
		}
		s := seal(b, seg)
		level0, parts0 = append(level0, s.run), append(parts0, s.parts)
	}
	r, parts = merged(b, level0, parts0)
	return level0, parts0, r, parts
}

// BenchmarkAbsent asks for 5,000 names that are not there: ten runs of a million events, and those of sixteen segments. One op is all.
func BenchmarkAbsent(b *testing.B) {
	level0, _, run, _ := benchRuns(b)
	rnd := rand.New(rand.NewPCG(19, 20))
	keys, n := make([]int64, 5000), 0
	for b.Loop() {
		for i := range keys {
			keys[i] = rnd.Int64()
		}
		hashes := Hashes(keys)
		for range 10 {
			n += len(run.Candidates(Names, hashes, nil))
		}
		for _, r := range level0 {
			n += len(r.Candidates(Names, hashes, nil))
		}
	}
	b.ReportMetric(float64(n)/float64(b.N*len(keys)), "reads/name")
}

// BenchmarkMerge merges sixteen full segments. One op is all of their 1,048,576 events.
func BenchmarkMerge(b *testing.B) {
	level0, parts0, run, _ := benchRuns(b)
	b.ReportMetric(float64(run.Resident())/float64(run.Len), "B/event")
	for b.Loop() {
		merged(b, level0, parts0)
	}
}
