package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Skipped is the outcome of a case that does not concern a ledger.
type Skipped string

// Error implements error.
func (s Skipped) Error() string { return string(s) }

// Judge runs the case outside of a test, and returns nil, [Skipped], or what did not hold.
func (c Case) Judge(ctx context.Context, s Subject) error {
	ctx, cancel := context.WithCancel(ctx)
	j := &judge{ctx: ctx}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer j.cleanUp(cancel)
		c.run(j, s)
	}()
	<-ended
	switch {
	case len(j.found) > 0:
		return errors.New(strings.Join(j.found, "; "))
	case j.skipped != "":
		return Skipped(j.skipped)
	}
	return nil
}

// judge is a test without a test binary: it keeps what the suite finds. Methods that the suite does not need are missing,
// and panic.
type judge struct {
	testing.TB

	ctx context.Context //nolint:containedctx // it stands for that of a test

	mu      sync.Mutex
	found   []string
	skipped string
	after   []func()
}

// most is how many findings of a case are kept.
const most = 5

// Helper implements [testing.TB].
func (j *judge) Helper() {}

// Context implements [testing.TB].
func (j *judge) Context() context.Context { return j.ctx }

// Cleanup implements [testing.TB].
func (j *judge) Cleanup(f func()) { j.after = append(j.after, f) }

// TempDir implements [testing.TB].
func (j *judge) TempDir() string {
	dir, err := os.MkdirTemp("", "suyuan-ledger-")
	if err != nil {
		j.Fatal(err)
	}
	j.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Error implements [testing.TB].
func (j *judge) Error(args ...any) { j.Errorf("%s", strings.TrimSuffix(fmt.Sprintln(args...), "\n")) }

// Errorf implements [testing.TB].
func (j *judge) Errorf(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.found) < most {
		j.found = append(j.found, fmt.Sprintf(format, args...))
	}
}

// Fatal implements [testing.TB].
func (j *judge) Fatal(args ...any) {
	j.Error(args...)
	runtime.Goexit()
}

// Fatalf implements [testing.TB].
func (j *judge) Fatalf(format string, args ...any) {
	j.Errorf(format, args...)
	runtime.Goexit()
}

// Skip implements [testing.TB].
func (j *judge) Skip(args ...any) {
	j.skipped = strings.TrimSuffix(fmt.Sprintln(args...), "\n")
	runtime.Goexit()
}

// cleanUp does what a test does at its end: the context ends first.
func (j *judge) cleanUp(cancel context.CancelFunc) {
	cancel()
	for _, f := range slices.Backward(j.after) {
		f()
	}
}
