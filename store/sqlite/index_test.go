package sqlite_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// What the index keeps in memory is told when it has grown, and at the next start.
func TestResidentMemoryIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	var told []int64
	open := func() *sqlite.Store {
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Segment: 10, Resident: func(n int64) { told = append(told, n) }})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	fill(t, s, 0, 31, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 4 || told[0] != 0 || told[1] == 0 || told[3] <= told[2] {
		t.Fatalf("told %v, want nothing and three segments", told)
	}
	last := told[3]
	told = nil
	s = open()
	defer s.Close()
	if len(told) != 1 || told[0] != last {
		t.Errorf("told %v at the next start, want %d", told, last)
	}
}

// Who waits for an index that is made again is told how far it has come.
func TestIndexingIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	now := time.Now()
	slow := func() time.Time {
		now = now.Add(4 * time.Second)
		return now
	}
	var told []string
	open := func() *sqlite.Store {
		s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Now: slow, Indexing: func(done, of uint64) {
			told = append(told, fmt.Sprintf("%d of %d", done, of))
		}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	fill(t, s, 0, 4500, 1500)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	told = nil
	s = open()
	defer s.Close()
	want := []string{"0 of 4500", "2000 of 4500", "4000 of 4500", "4500 of 4500"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q at the next start, want %q", told, want)
	}
	told = nil
	if _, _, err := s.Rebuild(t.Context()); err != nil || !slices.Equal(told, want) {
		t.Errorf("told %q by the rebuild, want %q (%v)", told, want, err)
	}
}

// segmented opens the database at path with segments of so many events.
func segmented(t *testing.T, path string, size int) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Segment: size})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fill appends events about one item each, from <= n < to, in batches.
func fill(t *testing.T, s *sqlite.Store, from, to, batch int) {
	t.Helper()
	for from < to {
		var all []hub.Outcome
		for ; from < to && len(all) < batch; from++ {
			all = append(all, storetest.Outcome(t, from, fmt.Sprintf("S%d", from)))
		}
		if _, err := s.Append(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
}

// wantAll checks that each item of the events is found, and once.
func wantAll(t *testing.T, s *sqlite.Store, n int) {
	t.Helper()
	wantEach(t, s, n, 1)
}

// wantEach is wantAll for one of so many.
func wantEach(t *testing.T, s *sqlite.Store, n, each int) {
	t.Helper()
	for i := 0; i < n; i += each {
		found, more, err := s.EventsAbout(t.Context(), []string{fmt.Sprintf("https://id.gs1.org/01/07613035982949/21/S%d", i)}, 5)
		if err != nil || more || len(found) != 1 || found[0].Seq != hub.Seq(i) {
			t.Fatalf("item %d: %d events, %v", i, len(found), err)
		}
	}
}

// change changes the database behind the store's back.
func change(t *testing.T, path, text string) int {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	res, err := db.ExecContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// What is in memory when a hub ends is found again, and what a database of an older release has no segments for gets them.
func TestIndexIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := segmented(t, path, 10)
	fill(t, s, 0, 35, 8)
	wantAll(t, s, 35)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := change(t, path, `UPDATE segments SET events = events`); n != 3 {
		t.Errorf("%d segments, want 3", n)
	}
	change(t, path, `DELETE FROM segments`)
	change(t, path, `DELETE FROM postings`)
	s = segmented(t, path, 10)
	defer s.Close()
	wantAll(t, s, 35)
	fill(t, s, 35, 50, 50)
	wantAll(t, s, 50)
}

// The transaction that wrote a segment may have landed though its commit failed: the segment is written again.
func TestSegmentIsWrittenTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := segmented(t, path, 10)
	defer s.Close()
	fill(t, s, 0, 12, 12)
	change(t, path, `INSERT INTO segments VALUES (0, 1, 0, 0, 1, 1, x'', x'00')`)
	change(t, path, `INSERT INTO postings VALUES (0, x'000000000000')`)
	fill(t, s, 12, 14, 1)
	wantAll(t, s, 14)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = segmented(t, path, 10)
	wantAll(t, s, 14)
}

// A part that is missing is made again with all others.
func TestIndexIsMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := segmented(t, path, 10)
	fill(t, s, 0, 35, 35)
	defer s.Close()
	fill(t, s, 35, 36, 1)
	if change(t, path, `DELETE FROM postings WHERE id < 1 << 29`) == 0 {
		t.Fatal("nothing was there to lose")
	}
	before, after, err := s.Rebuild(t.Context())
	if err != nil || before["segments"] == after["segments"] {
		t.Fatalf("rebuilt: %v, %v, %v", before, after, err)
	}
	wantAll(t, s, 36)
	before, after, err = s.Rebuild(t.Context())
	if err != nil || before["segments"] != after["segments"] {
		t.Errorf("rebuilt twice: %v, %v, %v", before, after, err)
	}
}

// What an older release kept of its segments is made again from the events when its database is opened.
func TestSegmentsOfEarlierReleasesAreMadeAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := segmented(t, path, 2)
	fill(t, s, 0, 75, 10)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`DROP TABLE runs`, `DROP TABLE segments`, `DELETE FROM postings`,
		`CREATE TABLE segments (first INTEGER PRIMARY KEY, events INTEGER NOT NULL, earliest INTEGER NOT NULL, latest INTEGER NOT NULL,
			buckets INTEGER NOT NULL, filter BLOB NOT NULL, keys BLOB NOT NULL, times BLOB NOT NULL)`,
		`INSERT INTO segments VALUES (0, 2, 0, 0, 1, x'00', x'', x'00')`, `INSERT INTO postings VALUES (0, x'000000000000')`,
		`DELETE FROM goose_db_version WHERE version_id > 4`,
	} {
		change(t, path, text)
	}
	s = segmented(t, path, 2)
	defer s.Close()
	wantAll(t, s, 75)
	fill(t, s, 75, 80, 1)
	wantRepeated(t, s, 80)
	wantSame(t, s)
}
