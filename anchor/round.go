package anchor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

const (
	// maxBatch bounds the leaves of one checkpoint, and so the memory of a round: 32 bytes a leaf.
	maxBatch = 1 << 20
	// readLeaves is how many leaf hashes are read at once.
	readLeaves = 1 << 14
)

// Follow keeps what the log knows of its progress true while another process seals and commits: it looks into the journal
// from time to time until ctx is done. It checks nothing against leaves and ledgers; the process that seals does. Do not
// run it beside Run.
func (l *Log) Follow(ctx context.Context) error {
	tick := time.NewTicker(l.opts.Poll)
	defer tick.Stop()
	l.metrics.waiting.Set(0) // the process that seals tells what waits, and what the ledgers hold
	l.metrics.held.Reset()
	for {
		recent, err := l.opts.Journal.SealedFrom(ctx, math.MaxInt64, -2)
		if ctx.Err() != nil {
			return nil
		}
		l.update(func(s *state) {
			if s.lastErr = err; err != nil {
				return
			}
			s.checked, s.oldestAt = true, time.Time{} // the process that seals tells the age
			for _, c := range recent {
				s.sealed = max(s.sealed, c.Checkpoint.Size)
				if c.State == StateCommitted && c.Checkpoint.Size > s.committed {
					s.committed, s.committedAt = c.Checkpoint.Size, c.CommittedAt
				}
			}
		})
		known := l.snapshot()
		l.metrics.sealed.Set(float64(known.sealed))
		l.metrics.committed.Set(float64(known.committed))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Run seals and commits until ctx is done. It begins by looking at what is true, so that it may take over from another
// process. Two that run at once do no harm: the journal takes the seals and the progress of one only.
//
// It logs what fails and tries again with back-off; after an alarm it stays idle until ctx is done, because a log that may be forked must not be signed any further.
func (l *Log) Run(ctx context.Context) error {
	l.rounds.Lock()
	l.tree = nil
	l.rounds.Unlock()
	var watching sync.WaitGroup
	defer watching.Wait()
	for _, lane := range l.lanes {
		if w, ok := lane.Ledger.(Watcher); ok {
			watching.Go(func() { l.watch(ctx, lane.Name(), w) })
		}
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = min(100*time.Millisecond, l.opts.MaxBackoff), l.opts.MaxBackoff
	for ctx.Err() == nil {
		progress, err := l.round(ctx, false)
		pause, wake := time.Duration(0), l.nudge
		switch {
		case ctx.Err() != nil:
			return nil
		case l.snapshot().alarm != nil:
			l.opts.Logger.Error("anchoring has stopped for ever", zap.String("origin", l.Origin()), zap.Error(err))
			<-ctx.Done()
			return nil
		case err != nil:
			pause, wake = wait.NextBackOff(), nil
			l.opts.Logger.Warn("anchoring failed, will try again",
				zap.String("origin", l.Origin()), zap.Duration("after", pause), zap.Error(err))
		case progress:
			wait.Reset()
			continue
		default:
			wait.Reset()
			pause = l.lull()
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wake:
		}
		timer.Stop()
	}
	return nil
}

// lull is how long nothing will be due by itself: until the oldest leaf that waits is old enough, or for a poll if that is
// sooner.
func (l *Log) lull() time.Duration {
	l.rounds.Lock()
	defer l.rounds.Unlock()
	at := l.snapshot().oldestAt
	if at.IsZero() {
		return l.opts.Poll
	}
	left := l.opts.MaxAge - l.age(at)
	if left <= 0 { // it waits for more leaves to pay for
		return l.opts.Poll
	}
	return min(left, l.opts.Poll)
}

// Flush seals and commits what is in the log now, without waiting for size or age, and returns the first error. It also
// waits for the ledgers beyond the quorum to take or refuse it, but for those in their back-off.
func (l *Log) Flush(ctx context.Context) error {
	defer l.settle()
	size, err := l.opts.Leaves.LogSize(ctx)
	if err != nil {
		return fmt.Errorf("flush log: %w", err)
	}
	for {
		if s := l.snapshot(); s.checked && s.committed >= size {
			l.catchUp(ctx)
			return l.snapshot().alarm
		}
		if _, err := l.round(ctx, true); err != nil {
			return err
		}
	}
}

// catchUp lets the ledgers that were still at work on something older take the last checkpoint, too.
func (l *Log) catchUp(ctx context.Context) {
	l.rounds.Lock()
	defer l.rounds.Unlock()
	l.settle()
	if l.tree == nil || l.last.State != StateCommitted {
		return // another round begins with that
	}
	_ = l.attempt(ctx, l.last, true, func() bool { return true }) // a ledger that fails is tried again by Run
}

// round takes the log one durable step further and reports whether there was one to take. It is the only way in which
// the log moves, in normal work and after a crash: it loads what is true, commits what is sealed, and only then seals.
func (l *Log) round(ctx context.Context, force bool) (progress bool, err error) {
	l.rounds.Lock()
	defer l.rounds.Unlock()
	if alarm := l.snapshot().alarm; alarm != nil {
		return false, alarm
	}
	defer func() {
		if err != nil {
			l.tree = nil // what failed may or may not have happened: look again
		}
		if ctx.Err() == nil {
			l.update(func(s *state) { s.lastErr = err })
		}
	}()
	if l.tree == nil {
		if err := l.load(ctx); err != nil {
			return false, err
		}
	}
	size, err := l.backlog(ctx)
	if err != nil {
		return false, err
	}
	if l.last.Checkpoint.Size > 0 && l.last.State != StateCommitted {
		return true, l.commit(ctx)
	}
	if err := l.checkLedgers(ctx); err != nil {
		return false, err
	}
	due := l.due(size, force)
	if due == 0 {
		return false, nil
	}
	return true, l.seal(ctx, due)
}

// backlog returns the size of the log, and notes what of it waits: to be sealed, or for the ledgers.
func (l *Log) backlog(ctx context.Context) (uint64, error) {
	size, err := l.opts.Leaves.LogSize(ctx)
	if err != nil {
		return 0, fmt.Errorf("read size of the log: %w", err)
	}
	l.metrics.waiting.Set(float64(size - min(size, l.tree.Size())))
	if s := l.snapshot(); size > s.committed && s.oldestAt.IsZero() {
		at, err := l.opts.Leaves.RecordedAt(ctx, hub.Seq(s.committed))
		if err != nil {
			return 0, fmt.Errorf("read age of leaf %d: %w", s.committed, err)
		}
		l.update(func(s *state) { s.oldestAt = at })
	}
	return size, nil
}

// due returns how many leaves of a log of the given size shall be sealed now. What was sealed is committed.
func (l *Log) due(size uint64, force bool) uint64 {
	sealed := l.tree.Size()
	if size <= sealed {
		return 0
	}
	waiting, age := size-sealed, l.age(l.snapshot().oldestAt)
	switch {
	case force, waiting >= l.opts.MaxLeaves, l.opts.TargetCost > 0 && age >= l.opts.MaxDelay:
	case age >= l.opts.MaxAge && l.budget.allows(waiting):
	default:
		return 0
	}
	return min(waiting, maxBatch)
}

// age returns how long the oldest waiting leaf, which was recorded at at, has waited. Where the clock was set back since, it
// counts from when that was first seen: nobody waits until the clock is where it was.
func (l *Log) age(at time.Time) time.Duration {
	now := l.opts.Now()
	if !now.Before(at) {
		return now.Sub(at)
	}
	if l.behind.IsZero() || now.Before(l.behind) {
		l.behind = now
	}
	return now.Sub(l.behind)
}

// seal fixes the next n leaves under a signed checkpoint.
//
//	crash before Journal.Seal   nothing happened: the signature existed in memory only, and nobody has seen it
//	crash after Journal.Seal    the batch is fixed for ever; the next round commits it
func (l *Log) seal(ctx context.Context, n uint64) error {
	ctx, span := l.opts.Tracer.Start(ctx, "anchor.seal")
	defer span.End()
	previous := l.tree.Size()
	if err := appendLeaves(ctx, l.opts.Leaves, l.tree, previous+n); err != nil {
		return fmt.Errorf("seal leaves from %d: %w", previous, err)
	}
	sealed := Sealed{
		Checkpoint:   l.opts.Key.SignCheckpoint(l.tree.Size(), l.tree.Root()),
		PreviousSize: previous,
		SealedAt:     l.opts.Now().UTC(),
		State:        StateSealed,
	}
	if err := l.opts.Journal.Seal(ctx, sealed, l.tree.TakeTiles()); err != nil {
		return fmt.Errorf("seal checkpoint %d: %w", sealed.Checkpoint.Size, err)
	}
	l.last, l.behind = sealed, time.Time{}
	l.budget.spend(n)
	l.update(func(s *state) { s.sealed = sealed.Checkpoint.Size })
	l.metrics.sealed.Set(float64(sealed.Checkpoint.Size))
	l.metrics.batch.Observe(float64(n))
	span.SetAttributes(attribute.Int64("suyuan.log.size", int64(sealed.Checkpoint.Size)))
	return nil
}

// appendLeaves grows tree to size from leaves.
func appendLeaves(ctx context.Context, leaves Leaves, tree *Tree, size uint64) error {
	for tree.Size() < size {
		want := int(min(size-tree.Size(), readLeaves))
		hashes, err := leaves.LeafHashes(ctx, tree.Size(), want)
		if err != nil {
			return fmt.Errorf("read %d leaves from %d: %w", want, tree.Size(), err)
		}
		if len(hashes) != want {
			return fmt.Errorf("read %d leaves from %d: there are %d", want, tree.Size(), len(hashes))
		}
		tree.Append(hashes)
	}
	return nil
}

// commit brings the last sealed checkpoint before the ledgers, all at once, and returns when a quorum has witnessed it,
// or none is left to wait for. Those that are at work still go on by themselves.
//
//	crash before the first SaveProgress   the checkpoint is sealed and certainly on no ledger
//	crash after it                        submitted: the outcome is unknown, the next round looks it up at each ledger
//	crash after a Ledger.Commit           the same; the ledger answers a look-up, or the same commit, with the first evidence
//	crash after a later SaveProgress      some ledgers' evidence is kept; once it is that of a quorum the checkpoint is
//	                                      committed: receipts can be had, the next round may seal
func (l *Log) commit(ctx context.Context) error {
	ctx, span := l.opts.Tracer.Start(ctx, "anchor.commit")
	defer span.End()
	target, unknown := l.last, l.last.State == StateSubmitted
	if !unknown {
		target.State = StateSubmitted
		if err := l.opts.Journal.SaveProgress(ctx, target); err != nil {
			return fmt.Errorf("note that checkpoint %d is submitted: %w", target.Checkpoint.Size, err)
		}
		l.last = target
	}
	size := target.Checkpoint.Size
	failed := l.attempt(ctx, target, unknown, func() bool { return l.snapshot().committed >= size })
	if s := l.snapshot(); s.alarm != nil {
		return s.alarm
	} else if s.committed < size {
		if failed == nil {
			failed = hub.Faultf(hub.Unavailable, "anchor.waiting", "checkpoint %d waits for its ledgers", size)
		}
		return failed
	}
	l.last.State = StateCommitted
	return nil
}

// checkLedgers asks the ledgers of which it is not known what they hold, and lets those that lag catch up with the last
// checkpoint. It fails unless a quorum is known not to contradict: before that nothing may be signed.
func (l *Log) checkLedgers(ctx context.Context) error {
	failed := l.attempt(ctx, l.last, true, func() bool { return l.known() >= l.opts.Quorum })
	switch {
	case l.snapshot().alarm != nil:
		return l.snapshot().alarm
	case l.known() >= l.opts.Quorum:
		return nil // what failed is tried again while the log goes on
	}
	return failed
}

// superseded reports whether the journal has gone on beyond size: another process has taken over, and what contradicts this
// one is that other one's work.
func (l *Log) superseded(ctx context.Context, size uint64) bool {
	last, err := newest(ctx, l.opts.Journal)
	return err == nil && last.Checkpoint.Size > size
}

// hasEvidence reports whether s bears evidence of the named ledger.
func hasEvidence(s Sealed, ledger string) bool {
	return slices.ContainsFunc(s.Evidence, func(e hub.Evidence) bool { return e.Ledger == ledger })
}

// raise stops the log for ever and returns why.
func (l *Log) raise(format string, args ...any) error {
	fault := hub.Faultf(hub.Conflict, "anchor.forked", format, args...).
		WithHint("the log is stopped so that it cannot fork; find out which side was restored or replaced, then restart")
	fault.MessageZh = "日志与账本不一致,已停止锚定"
	fault.HintZh = "为避免分叉,日志已停止;请查明哪一方被恢复或替换,然后重启"
	l.update(func(s *state) { s.alarm = fault })
	l.metrics.alarm.Set(1)
	return fault
}

// newest returns the last sealed checkpoint, or the zero Sealed before the first.
func newest(ctx context.Context, j Journal) (Sealed, error) {
	sealed, err := j.SealedFrom(ctx, math.MaxInt64, -1)
	if err != nil || len(sealed) == 0 {
		return Sealed{}, err
	}
	return sealed[0], nil
}
