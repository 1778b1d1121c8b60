package sqlite_test

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"

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
