package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

func TestStoreConforms(t *testing.T) {
	for name, size := range sizes {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) func() storetest.Store {
				open := reopening(t, size)
				return func() storetest.Store { return open() }
			})
		})
	}
}

// openStore opens a fresh store.
func openStore(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(t.TempDir(), "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStoreKeepsTheJournal(t *testing.T) {
	anchortest.Journal(t, func(t *testing.T) anchor.Journal { return openStore(t) })
}

// What was recorded together and what was not lies in two tables: leaves and times of both come back in the order of the log, from
// memory and from the disk.
func TestLeavesAndTimesOfBothTables(t *testing.T) {
	open := reopening(t, 1<<16)
	s := open()
	n := 0
	for _, size := range []int{2, 65, 1, 40, 3} {
		batch := make([]hub.Outcome, size)
		for i := range batch {
			batch[i] = storetest.Outcome(t, n, fmt.Sprintf("S%d", n))
			n++
		}
		if _, err := s.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	want, err := s.LeafHashes(t.Context(), 0, n+5)
	if err != nil || len(want) != n {
		t.Fatalf("%d leaves of %d: %v", len(want), n, err)
	}
	s = open()
	for _, from := range []int{0, 1, 2, 30, 66, 67, 68, 108, n - 1, n} {
		for _, most := range []int{1, 3, 50, n} {
			got, err := s.LeafHashes(t.Context(), uint64(from), most)
			if diff := cmp.Diff(want[from:min(from+most, n)], append([]hub.Digest{}, got...)); err != nil || diff != "" {
				t.Errorf("%d from %d: %v %s", most, from, err, diff)
			}
		}
		if from == n {
			continue
		}
		if got, err := s.RecordedAt(t.Context(), hub.Seq(from)); err != nil || got.IsZero() {
			t.Errorf("record time of %d: %v, %v", from, got, err)
		}
	}
	if damaged, err := s.Damaged(t.Context()); len(damaged) != 0 || err != nil {
		t.Errorf("damaged: %v, %v", damaged, err)
	}
	if _, err := s.RecordedAt(t.Context(), hub.Seq(n)); hub.KindOf(err) != hub.NotFound {
		t.Errorf("past the end: %v", err)
	}
}

// The release before blocks of events packed bodies together, beside a row for each event.
func TestBlocksOfBodiesOfEarlierReleasesAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	var want [][]byte
	for n := range 3 {
		o := storetest.Outcome(t, n, "S")
		want = append(want, o.Events[0].Body)
		if _, err := s.Append(t.Context(), []hub.Outcome{o}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var plain []byte
	for _, b := range want {
		plain = append(binary.AppendUvarint(append(plain, 0), uint64(len(b))), b...)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `UPDATE events SET body = unhex('03' || printf('%02x', seq))`)
	if err == nil {
		_, err = db.ExecContext(t.Context(), `INSERT INTO bodies VALUES (0, ?)`, append([]byte{1}, s2.Encode(nil, plain)...))
	}
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = sqlite.Open(t.Context(), sqlite.Config{Path: path}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for seq := range want {
		if e, err := s.EventAt(t.Context(), hub.Seq(seq)); err != nil || string(e.Body) != string(want[seq]) {
			t.Errorf("event %d: %s, %v", seq, e.Body, err)
		}
	}
}

func TestStoreGivesTheLeaves(t *testing.T) {
	anchortest.Leaves(t, func(t *testing.T, events []hub.Event) anchor.Leaves {
		s := openStore(t)
		for i, e := range events {
			e.Record = hub.RecordRef{Connector: e.Leaf.Connector, ID: hub.RecordID(strconv.Itoa(i))}
			verdicts, err := s.Append(t.Context(), []hub.Outcome{{
				Record: e.Record, Provider: e.Leaf.Provider, RawDigest: e.Leaf.Raw, Events: []hub.Event{e},
			}})
			if err != nil || verdicts[0] != hub.Recorded {
				t.Fatalf("append: %v, %v", verdicts, err)
			}
		}
		return s
	})
}
