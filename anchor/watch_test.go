package anchor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

// telling is a ledger that tells what the test makes it tell.
type telling struct {
	anchor.Ledger

	news chan hub.Checkpoint
	ends chan error
}

func (l telling) Watch(ctx context.Context, _ string, saw func(hub.Checkpoint) error) error {
	for {
		select {
		case c := <-l.news:
			if err := saw(c); err != nil {
				return err
			}
		case err := <-l.ends:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestLedgerThatTells lets a ledger tell things while nothing else happens.
func TestLedgerThatTells(t *testing.T) {
	for name, c := range map[string]struct {
		tell  func(l telling, own, other hub.Checkpoint)
		alarm string
	}{
		"our own checkpoints": {func(l telling, own, _ hub.Checkpoint) { l.news <- own }, ""},
		"that it is down, and our own": {func(l telling, own, _ hub.Checkpoint) {
			l.ends <- errors.New("the peer is gone")
			l.ends <- nil
			l.news <- own
		}, ""},
		"a larger checkpoint": {func(l telling, _, other hub.Checkpoint) { l.news <- other }, "which was not sealed here"},
		"another root": {func(l telling, own, other hub.Checkpoint) {
			other.Size = own.Size
			l.news <- other
		}, "which was not sealed here"},
		"that its history has changed": {func(l telling, _, _ hub.Checkpoint) {
			l.ends <- hub.Faultf(hub.Conflict, "test", "block 7 is another")
		}, "block 7 is another"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				opts := w.options()
				ledger := telling{opts.Ledgers[0], make(chan hub.Checkpoint), make(chan error)}
				opts.Ledgers = []anchor.Ledger{ledger}
				l, stop := run(t, opts)
				defer stop()
				w.now = time.Now()
				w.record(5)
				if err := l.WaitCommitted(t.Context(), 5); err != nil {
					t.Fatal(err)
				}
				own, err := w.memory.Latest(t.Context(), l.Origin())
				if err != nil {
					t.Fatal(err)
				}
				forked := anchortest.NewLog(t, "hub.example/log", "forked").Grow(t, 9)
				c.tell(ledger, own, forked)
				<-time.After(time.Second) // of the bubble's clock
				switch err := l.Ready(); {
				case c.alarm == "" && err != nil:
					t.Errorf("it is not ready: %v", err)
				case c.alarm != "" && (hub.KindOf(err) != hub.Conflict || !strings.Contains(err.Error(), c.alarm)):
					t.Errorf("got %v, want an alarm that says %q", err, c.alarm)
				}
			})
		})
	}
}
