package anchor

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// watch listens to a ledger that tells what it takes, until ctx is done. A checkpoint that is not in the journal was not
// sealed here, and a ledger whose history changes is none: both raise the alarm, although the hub's own commits may go well.
func (l *Log) watch(ctx context.Context, name string, w Watcher) {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = min(100*time.Millisecond, l.opts.MaxBackoff), l.opts.MaxBackoff
	failing := false
	for {
		err := w.Watch(ctx, l.Origin(), func(c hub.Checkpoint) error {
			wait.Reset()
			failing = false
			return l.seen(ctx, name, c)
		})
		switch {
		case ctx.Err() != nil || l.snapshot().alarm != nil:
			return
		case hub.KindOf(err) == hub.Conflict:
			_ = l.raise("the ledger %s: %v", name, err)
			l.Nudge()
			return
		case err != nil && !failing: // once an outage: nobody waits for this
			failing = true
			l.opts.Logger.Warn("cannot listen to a ledger, will try again", zap.String("ledger", name), zap.Error(err))
		}
		timer := time.NewTimer(wait.NextBackOff())
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// seen compares a checkpoint that a ledger has taken with the journal, in which every checkpoint stands before it is submitted.
func (l *Log) seen(ctx context.Context, ledger string, c hub.Checkpoint) error {
	found, err := l.opts.Journal.SealedFrom(ctx, c.Size, 1)
	if err != nil {
		return err
	}
	if len(found) > 0 && found[0].Checkpoint.Size == c.Size && found[0].Checkpoint.Root == c.Root {
		return nil
	}
	defer l.Nudge()
	return l.raise("the ledger %s has taken checkpoint %d with the root %v, which was not sealed here", ledger, c.Size, c.Root)
}
