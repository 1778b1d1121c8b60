package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/file"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
)

// folder is an upstream for the conformance kit.
type folder struct {
	dir   string
	after string
}

func (f *folder) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(f.dir, "*", "*.txt"))
	if err != nil {
		tb.Fatal(err)
	}
	name := filepath.Join(f.dir, "in", fmt.Sprintf("%03d.txt", len(names)))
	if err := os.WriteFile(name+".tmp", []byte(strings.Join(texts, "\n")), 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		tb.Fatal(err)
	}
}

func (f *folder) Instance(testing.TB) *connectors.Instance {
	o := &file.Options{
		Paths: []string{filepath.Join(f.dir, "in", "*.txt")}, Order: "name",
		Ready: drop.Ready{StablePolls: 1}, After: drop.After{Success: "keep", Failure: "keep"},
	}
	if f.after == "move" {
		o.After = drop.After{Success: "move:" + filepath.Join(f.dir, "archive"), Failure: "move:" + filepath.Join(f.dir, "error")}
	}
	return &connectors.Instance{
		ID: "files", Provider: "tester", Kind: "file", Options: o, Splitter: connectortest.Lines{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 5 * time.Millisecond,
	}
}

func open(after string) func(testing.TB, string) connectortest.Upstream {
	return func(tb testing.TB, dir string) connectortest.Upstream {
		tb.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "in"), 0o750); err != nil {
			tb.Fatal(err)
		}
		return &folder{dir, after}
	}
}

func TestConformanceWhenMoving(t *testing.T) {
	connectortest.Source(t, open("move"), connectortest.Traits{Remembers: true, Splits: true})
}

func TestConformanceWhenKeeping(t *testing.T) {
	connectortest.Source(t, open("keep"), connectortest.Traits{Remembers: true, Splits: true})
}
