package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// count returns the one number that a query gives.
func count(t *testing.T, path, text string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), text).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// wantRepeated checks that the events are known when they come again.
func wantRepeated(t *testing.T, s *sqlite.Store, n int) {
	t.Helper()
	var all []hub.Outcome
	for i := range n {
		all = append(all, storetest.Outcome(t, i, fmt.Sprintf("S%d", i)))
	}
	verdicts, err := s.Append(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range verdicts {
		if v != hub.Repeated {
			t.Fatalf("event %d comes again and is %v", i, v)
		}
	}
}

// wantSame checks that the index is what the events say.
func wantSame(t *testing.T, s *sqlite.Store) {
	t.Helper()
	before, after, err := s.Rebuild(t.Context())
	if err != nil || before["segments"] != after["segments"] {
		t.Fatalf("rebuilt: %v, %v, %v", before, after, err)
	}
}

// copyDatabase copies a database as a crash leaves it.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A crash between any two steps leaves an index that finds everything, goes on where it was, and ends as the same.
func TestACrashBetweenStepsOfAMerge(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hub.db")
	s := segmented(t, path, 1)
	defer s.Close()
	const most = 300 // 256 segments become a run of runs
	states := map[string]bool{}
	for n := 1; n <= most; n++ {
		fill(t, s, n-1, n, 1)
		state := fmt.Sprint(count(t, path, `SELECT coalesce(max(step), 0) FROM runs WHERE level = 2`), " ",
			count(t, path, `SELECT coalesce(sum(step), 0) FROM runs WHERE level = 1`))
		if states[state] && n%50 > 0 {
			continue
		}
		states[state] = true
		crashed := filepath.Join(dir, fmt.Sprintf("crashed%d.db", n))
		copyDatabase(t, path, crashed)
		after := segmented(t, crashed, 1)
		wantEach(t, after, n, 11)
		fill(t, after, n, n+20, 7)
		wantRepeated(t, after, n+20)
		wantEach(t, after, n+20, 13)
		if n%50 == 0 {
			wantSame(t, after)
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantSame(t, s)
	if n := count(t, path, `SELECT count(*) FROM runs WHERE level = 2 AND step = 2`); n != 1 {
		t.Errorf("%d runs of runs, want 1", n)
	}
	// 300 segments are one run of 256, two of 16, and 12 that are not merged.
	if n := count(t, path, `SELECT count(*) FROM runs`); n != 3 {
		t.Errorf("%d runs, want 3", n)
	}
	if n := count(t, path, `SELECT count(*) FROM postings WHERE id & (3 << 24) = 0`); n != 15 {
		t.Errorf("%d parts of names, want 15", n)
	}
}

// A commit whose outcome is unknown may have landed: what is in memory is older than the database until the next call.
func TestACommitThatLandedUnseen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := segmented(t, path, 1)
	defer s.Close()
	n := 0
	for _, more := range []int{10, 1, 16, 1, 1, 1, 90, 2, 150, 1, 1, 20} {
		other := segmented(t, path, 1)
		fill(t, other, n, n+more, 5)
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		n += more
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Append(ctx, []hub.Outcome{storetest.Outcome(t, n, fmt.Sprintf("S%d", n))}); err == nil {
			t.Fatal("an append with a context that is over")
		}
		fill(t, s, n, n+3, 1)
		n += 3
		wantEach(t, s, n, 7)
		wantRepeated(t, s, n)
	}
	wantSame(t, s)
}

// Readers find everything while segments and runs are merged and their parts deleted.
func TestReadersDuringMerges(t *testing.T) {
	s := segmented(t, filepath.Join(t.TempDir(), "hub.db"), 2)
	defer s.Close()
	const known = 40
	fill(t, s, 0, known, known)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for reader := range 3 {
		wg.Go(func() {
			for i := reader; ctx.Err() == nil; i++ {
				item := i % known
				id := fmt.Sprintf("https://id.gs1.org/01/07613035982949/21/S%d", item)
				found, _, err := s.EventsAbout(context.Background(), []string{id}, 5)
				if err != nil || len(found) != 1 {
					t.Errorf("item %d: %d events, %v", item, len(found), err)
					return
				}
				events, err := s.Event(context.Background(), found[0].Key.ID)
				if err != nil || len(events) != 1 {
					t.Errorf("event %s: %d, %v", found[0].Key.ID, len(events), err)
					return
				}
				if first, err := s.First(context.Background(), id, found[0].Leaf.Provider, found[0].Seq); err != nil || !first {
					t.Errorf("item %d is not the first: %v", item, err)
					return
				}
			}
		})
	}
	fill(t, s, known, 700, 3) // 350 segments
	cancel()
	wg.Wait()
	wantEach(t, s, 700, 7)
}
