package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// reopening returns a function that opens the same database again at each call.
func reopening(t *testing.T) func() *sqlite.Store {
	path := filepath.Join(t.TempDir(), "hub.db")
	var s *sqlite.Store
	return func() *sqlite.Store {
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
}

func TestSearchConforms(t *testing.T) {
	storetest.RunSearch(t, func(t *testing.T) func() storetest.Searcher {
		open := reopening(t)
		return func() storetest.Searcher { return open() }
	})
}

func TestStandingConforms(t *testing.T) {
	storetest.RunStanding(t, func(t *testing.T) func() storetest.Standing {
		open := reopening(t)
		return func() storetest.Standing { return open() }
	})
}
