package sqlite

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// BenchmarkIndex adds events to an index alone, in batches of 2,500 whose names are looked up first, and asks at the end for one of
// their things 2,000 times. One op is one event: -benchtime 10000000x shows what ten million take.
func BenchmarkIndex(b *testing.B) {
	resident, candidates := int64(0), 0
	s, x := openIndex(b, filepath.Join(b.TempDir(), "hub.db"), 1<<16, func(n int64) { resident = n })
	defer s.Close()
	const batch = 2500
	r := rand.New(rand.NewPCG(1, 2))
	var sample []int64
	var last time.Duration
	from := processorTime(b)
	for seq := 0; seq < b.N; {
		entries := make([]relational.Entry, min(batch, b.N-seq))
		var names []int64
		for i := range entries {
			entries[i] = relational.Entry{
				Seq: int64(seq), Time: int64(seq) * 1000, Names: [2]int64{r.Int64(), r.Int64()}, Things: []int64{r.Int64()},
				Facets: []int64{1, 2, 3, int64(seq) % 5, 9},
			}
			names = append(names, entries[i].Names[:]...)
			seq++
		}
		if seq/batch%max(b.N/batch/500, 1) == 0 {
			sample = append(sample, entries[0].Things[0])
		}
		found, err := x.Lookup(b.Context(), nil, relational.Condition{Keys: names}, math.MaxInt)
		if err != nil {
			b.Fatal(err)
		}
		candidates += len(found)
		x.add(entries)
		if err := x.settleFull(b.Context()); err != nil {
			b.Fatal(err)
		}
		if seq/1_000_000 > (seq-len(entries))/1_000_000 {
			now := processorTime(b) - from
			b.Logf("%d million: %v of the last an event, %d runs, %.1f B an event in memory, %d candidates in vain",
				seq/1_000_000, (now-last)/1_000_000, len(x.now.Load().runs), float64(resident)/float64(seq), candidates)
			last = now
		}
	}
	b.ReportMetric(float64((processorTime(b)-from).Nanoseconds())/float64(b.N), "cpu-ns/event")
	b.ReportMetric(float64(resident)/float64(b.N), "B/event")
	var took []time.Duration
	for i := range 2000 {
		at := time.Now()
		found, err := x.Lookup(context.Background(), nil, relational.Condition{Of: relational.OfThings, Keys: []int64{sample[i%len(sample)]}}, 10)
		if err != nil || len(found) == 0 {
			b.Fatalf("%v are found: %v", found, err)
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/thing-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/thing-p99")
	if f, err := os.Stat(s.path); err == nil {
		b.ReportMetric(float64(f.Size())/float64(b.N), "disk-B/event")
	}
}

// openIndex opens an index alone, with segments of so many events.
func openIndex(tb testing.TB, path string, size int, resident func(n int64)) (s *Store, x *index) {
	tb.Helper()
	s, err := Open(tb.Context(), Config{Path: path, Segment: size})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := relational.New(tb.Context(), dialect(), relational.Config{
		Write: s.write, Read: s.read, Now: time.Now,
		Index: func(write, read relational.DB, entries relational.Entries) relational.Index {
			x = newIndex(write, read, entries, Config{Segment: size, Resident: resident, Damaged: func(int, error) {}})
			return x
		},
	}); err != nil {
		tb.Fatal(err)
	}
	return s, x
}

// New segments are merged while a merge of runs is half written, and a restart then goes on with both.
func TestMergesOfTwoLevelsAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	r := rand.New(rand.NewPCG(3, 4))
	var all []relational.Entry
	from := func(_ context.Context, from uint64, n int) ([]relational.Entry, error) {
		return all[from:min(int(from)+n, len(all))], nil
	}
	s, x := openIndex(t, path, 80, func(int64) {})
	x.perStep = 500
	both := 0
	for len(all) < 24_000 {
		entries := make([]relational.Entry, 40)
		for i := range entries {
			entries[i] = relational.Entry{Seq: int64(len(all) + i), Names: [2]int64{r.Int64(), r.Int64()}, Things: []int64{r.Int64()}}
		}
		all = append(all, entries...)
		x.add(entries)
		if err := x.settleFull(t.Context()); err != nil {
			t.Fatal(err)
		}
		one, two := x.progress.under[1], x.progress.under[2]
		if one == nil || two == nil || one.step == 0 || two.written() {
			continue
		}
		both++
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, x = openIndex(t, path, 80, func(int64) {})
		x.perStep = 500
		if err := x.Load(t.Context(), from); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			e := &all[r.IntN(len(all))]
			for family, key := range []int64{relational.OfNames: e.Names[1], relational.OfThings: e.Things[0]} {
				c := relational.Condition{Of: relational.Family(family), Keys: []int64{key}}
				if found, err := x.Lookup(t.Context(), nil, c, 10); err != nil || !slices.Contains(found, e.Seq) {
					t.Fatalf("event %d: found %v, %v", e.Seq, found, err)
				}
			}
		}
	}
	defer func() { _ = s.Close() }()
	if both == 0 {
		t.Error("the merges never met")
	}
	before, err := x.Digests(t.Context())
	if err == nil {
		err = x.Rebuild(t.Context(), from)
	}
	after, again := x.Digests(t.Context())
	if err != nil || again != nil || before["segments"] != after["segments"] {
		t.Errorf("rebuilt: %v, %v, %v, %v", before, after, err, again)
	}
}

func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
