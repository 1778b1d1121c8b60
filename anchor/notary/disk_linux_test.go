package notary_test

import (
	"bytes"
	"math"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
)

// A disk that was full or broken for a while leaves half an entry; the notary cuts it off and goes on when the disk is well.
func TestNotaryGoesOnAfterItsDiskWasFull(t *testing.T) {
	b, log := written(t)
	l := b.open(t)
	limit := func(size uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: math.MaxUint64}); err != nil {
			t.Skipf("SKIPPED, NOT PASSED: cannot limit the size of files: %v", err)
		}
	}
	info, err := os.Stat(b.path)
	if err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	limit(uint64(info.Size()) + 10)
	t.Cleanup(func() { limit(math.MaxUint64); signal.Reset(syscall.SIGXFSZ) })
	c := log.Commit(t, 9, 12)
	if _, err := l.Commit(t.Context(), c); err == nil {
		t.Fatal("it commits on a full disk")
	}
	if half, err := os.Stat(b.path); err != nil || half.Size() <= info.Size() {
		t.Fatalf("the fault left nothing behind: %v", err)
	}
	limit(math.MaxUint64)
	if _, _, err := l.Lookup(t.Context(), "log.example", 12); hub.KindOf(err) != hub.NotFound {
		t.Errorf("an entry that was not answered for is there: %v", err)
	}
	first, err := l.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, again, err := b.open(t).Lookup(t.Context(), "log.example", 12); err != nil || !bytes.Equal(again.Entry, first.Entry) {
		t.Errorf("the file does not hold what was answered: %v", err)
	}
}
