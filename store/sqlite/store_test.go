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
	storetest.Run(t, func(t *testing.T) func() storetest.Store {
		path := filepath.Join(t.TempDir(), "hub.db")
		var s *sqlite.Store
		return func() storetest.Store {
			if s != nil {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			if s, err = sqlite.Open(t.Context(), sqlite.Config{Path: path}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
	})
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
