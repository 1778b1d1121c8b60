package notary_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
)

// bench is a notary on a file, with what is needed to open it again.
type bench struct {
	path string
	opts notary.Options
}

func newBench(t testing.TB, logs ...anchor.VerifierKey) bench {
	t.Helper()
	key, err := anchor.GenerateKey("notary.example")
	if err != nil {
		t.Fatal(err)
	}
	return bench{filepath.Join(t.TempDir(), "notary.jsonl"), notary.Options{Key: key, Logs: logs}}
}

func (b bench) open(t testing.TB) *notary.Ledger {
	t.Helper()
	l, err := notary.Open(b.path, b.opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestNotaryIsALedger(t *testing.T) {
	benches := make(map[anchor.Ledger]bench)
	ledgertest.Run(t, ledgertest.Subject{
		Open: func(t testing.TB, logs ...anchor.VerifierKey) anchor.Ledger {
			b := newBench(t, logs...)
			l := b.open(t)
			benches[l] = b
			return l
		},
		Reopen: func(t testing.TB, l anchor.Ledger) anchor.Ledger {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			b := benches[l]
			again := b.open(t)
			benches[again] = b
			return again
		},
		Verify: notary.Verify,
	})
}

// written returns a bench whose file holds checkpoints of sizes 5 and 9, and the log.
func written(t *testing.T) (bench, *anchortest.Log) {
	t.Helper()
	log := anchortest.NewLog(t, "log.example", "a")
	b := newBench(t, log.Key.Public())
	l := b.open(t)
	for _, c := range []anchor.Commitment{log.Commit(t, 0, 5), log.Commit(t, 5, 9)} {
		if _, err := l.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return b, log
}

func TestUnfinishedEntryIsCutOff(t *testing.T) {
	b, log := written(t)
	whole, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for end := last; end < len(whole); end += min(29, max(1, len(whole)-1-end)) { // a crash somewhere in the second line
		if err := os.WriteFile(b.path, whole[:end], 0o600); err != nil {
			t.Fatal(err)
		}
		l := b.open(t)
		c, err := l.Latest(t.Context(), "log.example")
		if err != nil || c.Size != 5 {
			t.Fatalf("after a crash at byte %d the newest size is %d, %v", end, c.Size, err)
		}
		if _, err := l.Commit(t.Context(), log.Commit(t, 5, uint64(10+end))); err != nil {
			t.Fatalf("commit after a crash at byte %d: %v", end, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := b.open(t).Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamagedFileIsRefused(t *testing.T) {
	b, _ := written(t)
	whole, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	damages := map[string][]byte{
		"first entry missing":   whole[first:],
		"entries swapped":       append(bytes.Clone(whole[first:]), whole[:first]...),
		"entry twice":           append(bytes.Clone(whole), whole[first:]...),
		"blank line":            append(bytes.Clone(whole), '\n'),
		"bit in the first line": flip(whole, 20),
		"bit in the last line":  flip(whole, len(whole)-20),
		"not JSON":              append(bytes.Clone(whole), "hello\n"...),
		"endless line":          append(bytes.Clone(whole), bytes.Repeat([]byte("x"), 3<<20)...),
	}
	for name, damaged := range damages {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(b.path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := notary.Open(b.path, b.opts); hub.KindOf(err) != hub.Conflict {
				t.Errorf("got %v, want Conflict", err)
			}
		})
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func TestForeignKeyIsRefused(t *testing.T) {
	b, _ := written(t)
	b.opts.Key = newBench(t).opts.Key
	if _, err := notary.Open(b.path, b.opts); hub.KindOf(err) != hub.Conflict {
		t.Errorf("got %v, want Conflict", err)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	b, _ := written(t)
	b.open(t)
	if _, err := notary.Open(b.path, b.opts); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("got %v, want Unavailable", err)
	}
}

func TestPinnedKey(t *testing.T) {
	log := anchortest.NewLog(t, "log.example", "a")
	b := newBench(t, log.Key.Public())
	c := log.Commit(t, 0, 5)
	e, err := b.open(t).Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for name, pinned := range map[string]struct {
		yaml string
		ok   bool
	}{
		"own key":       {"key: " + b.opts.Key.Public().String(), true},
		"another key":   {"key: " + newBench(t).opts.Key.Public().String(), false},
		"no key":        {"{}", false},
		"unknown field": {"kei: x", false},
	} {
		if _, err := notary.Verify(e.Entry, c.Checkpoint, anchor.Pinned(pinned.yaml)); (err == nil) != pinned.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
