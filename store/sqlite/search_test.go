package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// sizes are those of the index's segments that the suites run with: usual ones, which they do not fill, and small ones, of which
// they make many, and the smallest, which are merged all the time.
var sizes = map[string]int{"segments of 65536": 0, "segments of 7": 7, "segments of 1": 1}

// empty makes a new database once: that takes longer than most tests of the suites, which begin with a copy.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "suyuan-empty-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system clears what is left
	path := filepath.Join(dir, "hub.db")
	s, err := sqlite.Open(context.Background(), sqlite.Config{Path: path})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// reopening returns a function that opens the same database again at each call.
func reopening(t *testing.T, segment int) func() *sqlite.Store {
	path := filepath.Join(t.TempDir(), "hub.db")
	b, err := empty()
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var s *sqlite.Store
	return func() *sqlite.Store {
		if s != nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if s, err = sqlite.Open(t.Context(), sqlite.Config{Path: path, Segment: segment}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
}

// The suite's events fill several segments and leave some in memory, or so many that they are merged.
func TestSearchConforms(t *testing.T) {
	for _, size := range []int{100, 20} {
		t.Run(fmt.Sprintf("segments of %d", size), func(t *testing.T) {
			storetest.RunSearch(t, func(t *testing.T) func() storetest.Searcher {
				open := reopening(t, size)
				return func() storetest.Searcher { return open() }
			})
		})
	}
}

func TestStandingConforms(t *testing.T) {
	storetest.RunStanding(t, func(t *testing.T) func() storetest.Standing {
		open := reopening(t, 0)
		return func() storetest.Standing { return open() }
	})
}
