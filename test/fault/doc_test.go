// Package fault breaks the machine under the running binary and checks one invariant: what was accepted is recorded exactly
// once, what is recorded is anchored exactly once, and the hub goes on by itself when the fault is over.
//
// The faults are real where the machine allows it: kill -9, a full file system (a small tmpfs), system calls that fail or
// take long (strace), a process that is frozen (SIGSTOP). Only the clock is a seam of the binary, and only in a build with
// the tag fault (cmd/suyuan/clock_fault.go). The books are audited by SQL and arithmetic of this package's own (hubtest.Audit).
package fault

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m)) }

// count is how much a test does: n in an ordinary run, or what the environment variable says.
func count(t *testing.T, name string, n int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return n
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// skipLoudly skips a test that this machine cannot run.
func skipLoudly(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Skipf("SKIPPED, NOT PASSED: "+format, args...)
}

// dropSite is a hub that takes the test's webhooks and reads files of the same records from the folder in.
func dropSite(t *testing.T, extra string) *hubtest.Site {
	t.Helper()
	s := hubtest.HookSite(t)
	s.Write("suyuan.yaml", "listen: 127.0.0.1:0\ndata: data\nlog: { level: warn }\nanchor: { origin: test.example/log, maxAge: 100ms }\n"+extra)
	s.Write("connectors/drop.yaml", `id: drop
provider: warehouse
source: { file: { paths: ["../in/*.ndjson"], ready: { minAge: 0s, stablePolls: 1 } } }
decode: ndjson
map: ../mappings/hook.yaml
interval: 100ms
`)
	if err := os.Mkdir(s.Path("in"), 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// drop puts a file of n records that no webhook sends into the folder, whole at once.
func drop(t *testing.T, s *hubtest.Site, name string, n int) {
	t.Helper()
	text := ""
	for i := range n {
		text += fmt.Sprintf(`{"at":"2026-11-11T11:00:%02d+08:00","step":"receiving","gtin":"07613035982949","serial":"%s-%d"}`+"\n", i%60, name, i)
	}
	s.Write("in/"+name+".part", text)
	if err := os.Rename(s.Path("in", name+".part"), s.Path("in", name+".ndjson")); err != nil {
		t.Fatal(err)
	}
}

// numbers are 0 to n-1.
func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// finish pushes what is left until everything is accepted.
func finish(t *testing.T, p *hubtest.Process, push *hubtest.Push, left []int) {
	t.Helper()
	p.Await("everything is accepted", func() bool {
		left = push.All(p, left, nil)
		return len(left) == 0
	})
}

// settle waits until the log has n events and all of them are anchored.
func settle(t *testing.T, p *hubtest.Process, n int) {
	t.Helper()
	p.Await(fmt.Sprintf("%d events recorded and anchored", n), func() bool {
		size, committed := p.LogSize()
		return size >= uint64(n) && committed == size
	})
}

// dataFile is a path of the data folder.
func dataFile(s *hubtest.Site, elem ...string) string {
	return filepath.Join(append([]string{s.Path("data")}, elem...)...)
}

// pause lets the fault last; nothing is expected to have happened when it ends.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}
