package postings

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// naive is an index by its definition.
type naive struct {
	times []int64
	keys  [][]int64
}

func (n naive) find(keys []int64) []uint16 {
	var out []uint16
	for place, have := range n.keys {
		if slices.ContainsFunc(have, func(k int64) bool { return slices.Contains(keys, k) }) {
			out = append(out, uint16(place))
		}
	}
	return out
}

// random fills a segment with n events: keys of one event, keys of some, and keys of most.
func random(r *rand.Rand, first int64, n int) (naive, *Recent) {
	var want naive
	seg := NewRecent(first)
	for i := range n {
		at := int64(i)*1000 + r.Int64N(50_000)
		if r.IntN(40) == 0 {
			at = -at
		}
		keys := []int64{r.Int64(), r.Int64N(20), 1000 + r.Int64N(3)}
		if r.IntN(100) > 0 {
			keys = append(keys, 7777)
		}
		want.times, want.keys = append(want.times, at), append(want.keys, keys)
		seg.Add(at, keys[:2], keys[2:])
	}
	return want, seg
}

// sealed is a segment as it comes back from where it is kept.
func sealed(t *testing.T, seg *Recent) (Bytes, *Sealed) {
	t.Helper()
	b, err := seg.Seal()
	if err != nil {
		t.Fatal(err)
	}
	s := &Sealed{First: b.First, Len: b.Len, Earliest: b.Earliest, Latest: b.Latest, Buckets: b.Buckets}
	if err := s.Open(b.Filter, b.Keys); err != nil {
		t.Fatal(err)
	}
	return b, s
}

func TestSegmentsFindWhatTheDefinitionFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 300, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			want, seg := random(r, 100, n)
			b, s := sealed(t, seg)
			for range 300 {
				keys := []int64{r.Int64N(1 << 20), r.Int64N(25), 1000 + r.Int64N(4), 7777, want.keys[r.IntN(n)][0]}
				keys = keys[r.IntN(len(keys)):]
				var recent, kept Set
				seg.Find(keys, &recent)
				for _, key := range keys {
					if part, ok := s.Part(key); ok {
						if err := s.Find(key, part, b.Parts[part], &kept); err != nil {
							t.Fatal(err)
						}
					}
				}
				if diff := cmp.Diff(want.find(keys), recent.Places()); diff != "" {
					t.Fatalf("in memory, %v: %s", keys, diff)
				}
				if diff := cmp.Diff(want.find(keys), kept.Places()); diff != "" {
					t.Fatalf("sealed, %v: %s", keys, diff)
				}
			}
			again, err := seg.Seal()
			if diff := cmp.Diff([][]byte{b.Filter, b.Keys, b.Times}, [][]byte{again.Filter, again.Keys, again.Times}); diff != "" || err != nil {
				t.Error("the same events give other bytes")
			}
			for _, part := range b.Parts[:b.Buckets] {
				if len(part) > 4000 {
					t.Errorf("a bucket of %d bytes does not fit into a page", len(part))
				}
			}
		})
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
	b, s := sealed(t, seg)
	kept, err := DecodeTimes(b.Times)
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]*Times{"in memory": seg.Times(), "sealed": kept} {
		if diff := cmp.Diff(want.times, got.At); diff != "" {
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
		if err := back.orEncoded(b); err != nil || back != s {
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
	f.Fuzz(func(t *testing.T, b []byte) {
		var set Set
		if set.orEncoded(b) == nil {
			var back Set
			if err := back.orEncoded(set.encode()); err != nil || back != set {
				t.Errorf("a set does not come back: %v", err)
			}
		}
		if times, err := DecodeTimes(b); err == nil && len(times.At) > 0 {
			_ = times.From(times.At[0], 0, 0)
		}
		seg := &Sealed{Len: 1, Buckets: 1}
		_ = seg.Find(1, 0, b, &set)
		_ = seg.Open(b, b)
	})
}

// BenchmarkRecent adds events of a dozen keys and seals every segment. One op is one event.
func BenchmarkRecent(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	seg := NewRecent(0)
	keys := make([]int64, 12)
	for i := 0; b.Loop(); i++ {
		for k := range keys {
			keys[k] = int64(k)
		}
		for k := range 5 {
			keys[k] = r.Int64()
		}
		seg.Add(int64(i), keys)
		if seg.Len() == Size {
			if _, err := seg.Seal(); err != nil {
				b.Fatal(err)
			}
			seg = NewRecent(0)
		}
	}
}

// BenchmarkAbsent asks 100 sealed segments for a key that none has. One op is all of them.
func BenchmarkAbsent(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 10))
	var all []*Sealed
	for range 10 {
		seg := NewRecent(0)
		for i := range Size {
			seg.Add(int64(i), []int64{r.Int64(), r.Int64(), r.Int64()})
		}
		s, err := seg.Seal()
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, &s.Sealed)
	}
	for b.Loop() {
		key := r.Int64()
		for i := range 100 {
			_, _ = all[i%10].Part(key)
		}
	}
}
