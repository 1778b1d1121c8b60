package anchor

import (
	"context"
	"errors"
	"fmt"
	"math"
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
	for {
		recent, err := l.opts.Journal.SealedFrom(ctx, math.MaxInt64, -2)
		if ctx.Err() != nil {
			return nil
		}
		l.update(func(s *state) {
			if s.lastErr = err; err != nil {
				return
			}
			s.checked = true
			for _, c := range recent {
				s.sealed = max(s.sealed, c.Checkpoint.Size)
				if c.State == StateCommitted && c.Checkpoint.Size > s.committed {
					s.committed, s.committedAt = c.Checkpoint.Size, c.CommittedAt
				}
			}
		})
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
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = min(100*time.Millisecond, l.opts.MaxBackoff), l.opts.MaxBackoff
	for ctx.Err() == nil {
		progress, err := l.round(ctx, false)
		pause, wake := l.opts.Poll, l.nudge
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

// Flush seals and commits what is in the log now, without waiting for size or age, and returns the first error.
func (l *Log) Flush(ctx context.Context) error {
	size, err := l.opts.Leaves.LogSize(ctx)
	if err != nil {
		return fmt.Errorf("flush log: %w", err)
	}
	for {
		if s := l.snapshot(); s.checked && s.committed >= size {
			return s.alarm
		}
		if _, err := l.round(ctx, true); err != nil {
			return err
		}
	}
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
	if l.last.Checkpoint.Size > 0 && l.last.State != StateCommitted {
		return true, l.commit(ctx)
	}
	due, err := l.due(ctx, force)
	if err != nil || due == 0 {
		return false, err
	}
	return true, l.seal(ctx, due)
}

// due returns how many leaves shall be sealed now.
func (l *Log) due(ctx context.Context, force bool) (uint64, error) {
	size, err := l.opts.Leaves.LogSize(ctx)
	if err != nil {
		return 0, fmt.Errorf("read size of the log: %w", err)
	}
	sealed := l.tree.Size()
	l.metrics.waiting.Set(float64(size - min(size, sealed)))
	if size <= sealed {
		l.metrics.oldest.Set(0)
		return 0, nil
	}
	at, err := l.opts.Leaves.RecordedAt(ctx, hub.Seq(sealed))
	if err != nil {
		return 0, fmt.Errorf("read age of leaf %d: %w", sealed, err)
	}
	age := l.age(at)
	l.metrics.oldest.Set(age.Seconds())
	if waiting := size - sealed; force || waiting >= l.opts.MaxLeaves || age >= l.opts.MaxAge {
		return min(waiting, maxBatch), nil
	}
	return 0, nil
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

// commit brings the last sealed checkpoint before the ledgers.
//
//	crash before the first SaveProgress   the checkpoint is sealed and certainly on no ledger
//	crash after it                        submitted: the outcome is unknown, the next round looks it up at each ledger
//	crash after a Ledger.Commit           the same; the ledger answers a look-up, or the same commit, with the first evidence
//	crash after the last SaveProgress     committed: receipts can be had, the next round may seal
func (l *Log) commit(ctx context.Context) error {
	ctx, span := l.opts.Tracer.Start(ctx, "anchor.commit")
	defer span.End()
	s := l.last
	unknown := s.State == StateSubmitted
	if !unknown {
		s.State = StateSubmitted
		if err := l.opts.Journal.SaveProgress(ctx, s); err != nil {
			return fmt.Errorf("note that checkpoint %d is submitted: %w", s.Checkpoint.Size, err)
		}
	}
	started := l.opts.Now()
	witnessed, failed := l.witness(ctx, s, unknown)
	if alarm := l.snapshot().alarm; alarm != nil {
		return alarm
	}
	s.Evidence = witnessed
	if len(s.Evidence) >= l.opts.Quorum {
		s.State, s.CommittedAt = StateCommitted, l.opts.Now().UTC()
		failed = nil // a quorum is what was asked for; the others get the next checkpoint
	}
	if err := l.opts.Journal.SaveProgress(ctx, s); err != nil {
		return fmt.Errorf("note evidence of checkpoint %d: %w", s.Checkpoint.Size, err)
	}
	if failed != nil {
		return failed
	}
	l.last = s
	l.update(func(st *state) {
		st.committed, st.committedAt = s.Checkpoint.Size, s.CommittedAt
		st.transactions += uint64(len(s.Evidence))
		st.leaves += s.Checkpoint.Size - s.PreviousSize
		st.commitTook = s.CommittedAt.Sub(started)
	})
	l.metrics.committed.Set(float64(s.Checkpoint.Size))
	return nil
}

// witness asks every ledger that has not yet witnessed s, and returns all evidence, in the order of the ledgers, and
// what failed. unknown says that s may be on the ledgers already.
func (l *Log) witness(ctx context.Context, s Sealed, unknown bool) ([]hub.Evidence, error) {
	var evidence []hub.Evidence
	var failed []error
	for _, ledger := range l.opts.Ledgers {
		if e, ok := evidenceOf(s, ledger.Name()); ok {
			evidence = append(evidence, e)
			continue
		}
		started := l.opts.Now()
		e, err := l.commitTo(ctx, ledger, s.Checkpoint, unknown)
		l.metrics.observe(ledger.Name(), err, l.opts.Now().Sub(started))
		if err != nil {
			failed = append(failed, fmt.Errorf("commit checkpoint %d to %s: %w", s.Checkpoint.Size, ledger.Name(), err))
			continue
		}
		l.held[ledger.Name()] = s.Checkpoint.Size
		evidence = append(evidence, e)
	}
	return evidence, errors.Join(failed...)
}

// commitTo brings a checkpoint before one ledger, after looking whether it is there already if that is unknown.
func (l *Log) commitTo(ctx context.Context, ledger Ledger, c hub.Checkpoint, unknown bool) (hub.Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.CommitTimeout)
	defer cancel()
	if unknown {
		there, evidence, err := ledger.Lookup(ctx, c.Origin, c.Size)
		switch {
		case err == nil && there.Root == c.Root:
			return evidence, nil
		case err == nil:
			return hub.Evidence{}, l.raise("the ledger %s holds the root %v for size %d, the journal %v",
				ledger.Name(), there.Root, c.Size, c.Root)
		case hub.KindOf(err) != hub.NotFound:
			return hub.Evidence{}, fmt.Errorf("look up: %w", err)
		}
	}
	commitment := Commitment{Checkpoint: c, PreviousSize: l.held[ledger.Name()]}
	var err error
	if commitment.PreviousSize > 0 {
		commitment.Consistency, err = ProveConsistency(ctx, l.opts.Hash, l.opts.Journal, commitment.PreviousSize, c.Size)
		if err != nil {
			return hub.Evidence{}, err
		}
	}
	evidence, err := ledger.Commit(ctx, commitment)
	if hub.KindOf(err) == hub.Conflict && !l.superseded(ctx, c.Size) {
		return hub.Evidence{}, l.raise("the ledger %s refuses checkpoint %d: %v", ledger.Name(), c.Size, err)
	}
	return evidence, err
}

// superseded reports whether the journal has gone on beyond size: another process has taken over, and what contradicts this
// one is that other one's work.
func (l *Log) superseded(ctx context.Context, size uint64) bool {
	last, err := newest(ctx, l.opts.Journal)
	return err == nil && last.Checkpoint.Size > size
}

// evidenceOf returns what the named ledger said of s.
func evidenceOf(s Sealed, ledger string) (hub.Evidence, bool) {
	for _, e := range s.Evidence {
		if e.Ledger == ledger {
			return e, true
		}
	}
	return hub.Evidence{}, false
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
