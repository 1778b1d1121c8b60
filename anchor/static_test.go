package anchor_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

// exportOf is the export of everything that w has committed.
func exportOf(w *world, dir string) anchor.Export {
	return anchor.Export{Reader: anchor.Reader{Key: w.key.Public(), Leaves: w.store, Journal: w.store}, Dir: dir, To: 1 << 20}
}

func mustExport(t *testing.T, e anchor.Export) anchor.Exported {
	t.Helper()
	done, err := e.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func folder(dir string) *anchor.Static {
	return &anchor.Static{Read: func(_ context.Context, name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
	}}
}

// grown returns a world with checkpoints of the given sizes.
func grown(t *testing.T, sizes ...int) (*world, *anchor.Log) {
	t.Helper()
	w := newWorld(t)
	l := w.open(t)
	at := 0
	for _, size := range sizes {
		w.record(size - at)
		at = size
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w, l
}

// TestExportFollowsTheLog exports, lets the log grow, and exports into the same folder: every receipt of the first export is
// extended by what is there then, and what cannot change is not written again.
func TestExportFollowsTheLog(t *testing.T) {
	w, l := grown(t, 3, 300)
	dir := t.TempDir()
	if done := mustExport(t, exportOf(w, dir)); done != (anchor.Exported{Size: 300, Checkpoints: 2, Tiles: 3, Receipts: 300}) {
		t.Errorf("exported %+v", done)
	}
	first := make(map[hub.Seq][]byte)
	for _, seq := range []hub.Seq{0, 2, 3, 255, 256, 299} {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(anchor.ReceiptPath(seq))))
		if err != nil {
			t.Fatal(err)
		}
		first[seq] = b
	}
	w.record(1_000)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := exportOf(w, dir)
	e.From, e.To = 1_000, 1_001
	// Six tiles of leaves, of which the first was there, and one of level 1.
	if done := mustExport(t, e); done != (anchor.Exported{Size: 1_300, Checkpoints: 3, Tiles: 6, Receipts: 1}) {
		t.Errorf("exported %+v", done)
	}
	if done := mustExport(t, e); done.Tiles != 0 {
		t.Errorf("exported again: %+v", done)
	}
	for seq, b := range first {
		report, err := verifier().Verify(b, nil)
		if err != nil {
			t.Fatalf("receipt of %d: %v", seq, err)
		}
		c := checkpointOf(t, b)
		newest, err := folder(dir).VerifyExtends(t.Context(), anchor.Signed{Key: report.Key}, c)
		if err != nil || newest.Size != 1_300 {
			t.Errorf("receipt of %d: %v", seq, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "receipt", "x001", "000.json")); err != nil || len(b) == 0 {
		t.Errorf("receipt 1000: %v", err)
	}
}

func checkpointOf(t *testing.T, receipt []byte) hub.Checkpoint {
	t.Helper()
	r, err := anchor.ParseReceipt(receipt)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := anchor.ParseCheckpoint([]byte(r.Checkpoint))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestExportedLogThatContradictsAReceipt serves what a dishonest or broken server could.
func TestExportedLogThatContradictsAReceipt(t *testing.T) {
	w, l := grown(t, 300, 700)
	receipt := w.checkReceipt(t, l, 7)
	forked := newWorld(t)
	forked.key, forked.memory.Logs = w.key, []anchor.VerifierKey{w.key.Public()}
	for n := range 700 {
		if n > 100 {
			n += 5000
		}
		forked.store.Append(anchortest.Event(n, w.now))
	}
	if err := forked.open(t).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		of     *world
		damage func(dir string) error
		want   string
	}{
		"a fork":                  {forked, nil, "does not extend"},
		"a changed tile":          {w, func(dir string) error { return flip(filepath.Join(dir, "tile", "0", "001")) }, "does not extend"},
		"a missing tile":          {w, func(dir string) error { return os.Remove(filepath.Join(dir, "tile", "0", "001")) }, "cannot be read"},
		"a cut tile":              {w, func(dir string) error { return os.Truncate(filepath.Join(dir, "tile", "0", "001"), 99) }, "has 99 bytes"},
		"no checkpoint":           {w, func(dir string) error { return os.Remove(filepath.Join(dir, "checkpoint")) }, "cannot be read"},
		"a checkpoint of another": {w, func(dir string) error { return flip(filepath.Join(dir, "checkpoint")) }, "refused"},
		"an old checkpoint": {w, func(dir string) error {
			note, err := os.ReadFile(filepath.Join(dir, "checkpoint.d", "300"))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "checkpoint"), note, 0o600)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e := exportOf(c.of, dir)
			e.To = 0
			mustExport(t, e)
			if c.damage != nil {
				if err := c.damage(dir); err != nil {
					t.Fatal(err)
				}
			}
			_, err := folder(dir).VerifyExtends(t.Context(), anchor.Signed{Key: w.key.Public()}, checkpointOf(t, receipt))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	newer := w.checkReceipt(t, l, 600)
	dir := t.TempDir()
	old, _ := grown(t, 300)
	old.key = w.key
	mustExport(t, exportOf(w, dir))
	note, err := os.ReadFile(filepath.Join(dir, "checkpoint.d", "300"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "checkpoint"), note, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder(dir).VerifyExtends(t.Context(), anchor.Signed{Key: w.key.Public()}, checkpointOf(t, newer)); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("a log that ends before the receipt: %v", err)
	}
}

// flip changes one bit in the middle of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(path, b, 0o600)
}

// TestExportRefusesAFolderOfAnotherHistory keeps an export from overwriting what proves a fork.
func TestExportRefusesAFolderOfAnotherHistory(t *testing.T) {
	w, _ := grown(t, 9)
	dir := t.TempDir()
	mustExport(t, exportOf(w, dir))
	forked := newWorld(t)
	forked.key, forked.memory.Logs = w.key, []anchor.VerifierKey{w.key.Public()}
	for n := range 12 {
		forked.store.Append(anchortest.Event(100+n, w.now))
	}
	if err := forked.open(t).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger, _ := grown(t, 12)
	shorter, _ := grown(t, 5)
	shorter.key = w.key
	for name, other := range map[string]*world{"a fork": forked, "another log": stranger} {
		if _, err := exportOf(other, dir).Run(t.Context()); hub.KindOf(err) != hub.Conflict {
			t.Errorf("%s: got %v, want Conflict", name, err)
		}
	}
	empty := newWorld(t)
	if _, err := exportOf(empty, t.TempDir()).Run(t.Context()); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("nothing anchored: got %v, want Unavailable", err)
	}
}

func FuzzTlogProof(f *testing.F) {
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\nhub.example/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— hub.example/log AAAAAAAA\n"))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nhub.example/log\n9\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— hub.example/log AAAAAAAA\n— w AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := anchor.ParseTlogProof(b)
		if err == nil && !bytes.Equal(p.Encode(), b) {
			t.Errorf("%q is read, and written as %q", b, p.Encode())
		}
	})
}
