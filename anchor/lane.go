package anchor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// lookBack is how many checkpoints are searched for the newest evidence of a ledger.
const lookBack = 64

// lane is one ledger's own progress. A ledger that is slow or down falls behind in its lane; it then skips what was
// sealed meanwhile and takes the newest checkpoint, which commits all before it. Where a lane stands after a crash is
// what its ledger says; the evidence that it gave is in the journal.
type lane struct {
	Ledger

	// The fields below are guarded by Log.mu, held but by the attempt that is under way while busy is true.
	busy bool
	// known is true once it was compared what the ledger holds; held is then the size of its newest checkpoint.
	known bool
	held  uint64
	// retryAt is when a lane that lags may be tried again.
	retryAt time.Time
	wait    *backoff.ExponentialBackOff
	lastErr error
}

func (o *Options) newLane(ledger Ledger) *lane {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = min(100*time.Millisecond, o.MaxBackoff), o.MaxBackoff
	return &lane{Ledger: ledger, wait: wait}
}

// known returns of how many ledgers it is known what they hold.
func (l *Log) known() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, lane := range l.lanes {
		if lane.known {
			n++
		}
	}
	return n
}

// attempt starts to bring target before every ledger that is not at work and does not hold it, and waits until enough is
// true or there is none left to wait for. unknown says that target may be on the ledgers already. It returns what failed.
func (l *Log) attempt(ctx context.Context, target Sealed, unknown bool, enough func() bool) error {
	tried := make(map[*lane]bool)
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		done := enough()
		for _, lane := range l.lanes {
			if !tried[lane] && l.take(lane, target.Checkpoint.Size, done) {
				tried[lane] = true
				go l.advance(ctx, lane, target, unknown)
			}
		}
		if done {
			return nil
		}
		if !l.working() {
			return l.failures(tried)
		}
		<-changed
	}
}

// working reports whether a lane is at work.
func (l *Log) working() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.lanes, func(l *lane) bool { return l.busy })
}

// failures returns why the last attempts of the given lanes failed.
func (l *Log) failures(of map[*lane]bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var failed []error
	for _, lane := range l.lanes {
		if of[lane] {
			failed = append(failed, lane.lastErr)
		}
	}
	return errors.Join(failed...)
}

// take marks a lane as busy if there is something for it to do. While nobody waits for it, it keeps to its back-off.
func (l *Log) take(lane *lane, size uint64, leisurely bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lane.busy || lane.known && lane.held >= size || leisurely && l.opts.Now().Before(lane.retryAt) {
		return false
	}
	lane.busy = true
	return true
}

// advance brings target before one ledger, having compared what it holds if that is not known, and keeps its evidence.
func (l *Log) advance(ctx context.Context, lane *lane, target Sealed, unknown bool) {
	held, err := lane.held, error(nil)
	if !lane.known {
		held, err = l.checkLedger(ctx, lane.Ledger, target)
	}
	known := err == nil
	if known && target.Checkpoint.Size > 0 && !hasEvidence(target, lane.Name()) {
		if err = l.bring(ctx, lane.Ledger, held, target, unknown); err == nil {
			held = target.Checkpoint.Size
		} else {
			known = false // what failed may or may not have happened: look again
		}
	}
	if err != nil {
		err = fmt.Errorf("commit checkpoint %d to %s: %w", target.Checkpoint.Size, lane.Name(), err)
	}
	l.leave(lane, held, known, err)
}

// leave notes how an attempt ended.
func (l *Log) leave(lane *lane, held uint64, known bool, err error) {
	l.mu.Lock()
	before := lane.lastErr
	lane.busy, lane.held, lane.known, lane.lastErr = false, held, known, err
	if err == nil {
		lane.wait.Reset()
		lane.retryAt = time.Time{}
	} else {
		lane.retryAt = l.opts.Now().Add(lane.wait.NextBackOff())
	}
	l.wake()
	l.mu.Unlock()
	l.metrics.held.WithLabelValues(lane.Name()).Set(float64(held))
	if err != nil && before == nil { // once an outage: a lagging ledger stops nobody, so nobody else would tell
		l.opts.Logger.Warn("a ledger fails, will try again", zap.String("ledger", lane.Name()), zap.Error(err))
	}
}

// settle waits until no lane is at work. Attempts are bounded by their context and by CommitTimeout.
func (l *Log) settle() {
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if !l.working() {
			return
		}
		<-changed
	}
}

// bring brings target before one ledger, whose newest size is held, and keeps its evidence.
func (l *Log) bring(ctx context.Context, ledger Ledger, held uint64, target Sealed, unknown bool) error {
	started := l.opts.Now()
	evidence, err := l.commitTo(ctx, ledger, held, target.Checkpoint, unknown)
	l.metrics.observe(ledger.Name(), err, l.opts.Now().Sub(started))
	if err != nil {
		return err
	}
	return l.keep(ctx, target.Checkpoint.Size, evidence, started)
}

// commitTo brings a checkpoint before one ledger, after looking whether it is there already if that is unknown.
func (l *Log) commitTo(ctx context.Context, ledger Ledger, held uint64, c hub.Checkpoint, unknown bool) (hub.Evidence, error) {
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
	commitment := Commitment{Checkpoint: c, PreviousSize: held}
	var err error
	if held > 0 {
		if commitment.Consistency, err = ProveConsistency(ctx, l.opts.Hash, l.opts.Journal, held, c.Size); err != nil {
			return hub.Evidence{}, err
		}
	}
	evidence, err := ledger.Commit(ctx, commitment)
	if hub.KindOf(err) == hub.Conflict && !l.superseded(ctx, c.Size) {
		return hub.Evidence{}, l.raise("the ledger %s refuses checkpoint %d: %v", ledger.Name(), c.Size, err)
	}
	return evidence, err
}

// keep adds a ledger's evidence to what the journal has of a checkpoint, and declares it committed when the quorum has
// witnessed it. Lanes take turns here.
func (l *Log) keep(ctx context.Context, size uint64, evidence hub.Evidence, started time.Time) error {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	found, err := l.opts.Journal.SealedFrom(ctx, size, 1)
	if err != nil {
		return fmt.Errorf("read checkpoint %d: %w", size, err)
	}
	if len(found) == 0 || found[0].Checkpoint.Size != size {
		return fmt.Errorf("read checkpoint %d: the journal does not have it", size)
	}
	s := found[0]
	if hasEvidence(s, evidence.Ledger) {
		return nil
	}
	s.Evidence = l.ordered(s.Evidence, evidence)
	late := s.State == StateCommitted
	if !late && len(s.Evidence) >= l.opts.Quorum {
		s.State, s.CommittedAt = StateCommitted, l.opts.Now().UTC()
	}
	if err := l.opts.Journal.SaveProgress(ctx, s); err != nil {
		return fmt.Errorf("note evidence of checkpoint %d: %w", size, err)
	}
	l.metrics.transactions.WithLabelValues(evidence.Ledger).Inc()
	l.update(func(st *state) {
		st.transactions++
		if late || s.State != StateCommitted {
			return
		}
		st.committed, st.committedAt, st.oldestAt = size, s.CommittedAt, time.Time{}
		st.leaves += size - s.PreviousSize
		st.commitTook = s.CommittedAt.Sub(started)
	})
	if s := l.snapshot(); s.leaves > 0 {
		l.metrics.perMillion.Set(s.perMillion())
	}
	l.metrics.committed.Set(float64(l.snapshot().committed))
	return nil
}

// ordered returns the evidence of a checkpoint with one piece more, in the order of the ledgers; that of ledgers which
// are no longer configured stands last.
func (l *Log) ordered(all []hub.Evidence, more hub.Evidence) []hub.Evidence {
	by := map[string]hub.Evidence{more.Ledger: more}
	for _, e := range all {
		by[e.Ledger] = e
	}
	out := make([]hub.Evidence, 0, len(by))
	for _, lane := range l.lanes {
		if e, ok := by[lane.Name()]; ok {
			out = append(out, e)
			delete(by, lane.Name())
		}
	}
	for _, e := range all {
		if _, left := by[e.Ledger]; left {
			out = append(out, e)
		}
	}
	return out
}

// checkLedger compares what a ledger holds with what was sealed up to last, and returns the size that it holds.
func (l *Log) checkLedger(ctx context.Context, ledger Ledger, last Sealed) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.CommitTimeout)
	defer cancel()
	// The journal is read first: what it has evidence of now, the ledger must hold when it is asked.
	promised, err := l.promised(ctx, ledger.Name())
	if err != nil {
		return 0, err
	}
	held, err := ledger.Latest(ctx, l.Origin())
	if hub.KindOf(err) == hub.NotFound {
		held, err = hub.Checkpoint{}, nil
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the newest checkpoint of %s: %w", ledger.Name(), err)
	case held.Size > last.Checkpoint.Size && l.superseded(ctx, last.Checkpoint.Size):
		return 0, superseded()
	case held.Size > last.Checkpoint.Size:
		return 0, l.raise("the ledger %s holds checkpoint %d, the journal ends at %d",
			ledger.Name(), held.Size, last.Checkpoint.Size)
	case held.Size < promised:
		return 0, l.raise("the ledger %s witnessed checkpoint %d and now holds %d: it has lost its history",
			ledger.Name(), promised, held.Size)
	case held.Size == 0:
		return 0, nil
	}
	tree, err := LoadTree(ctx, l.opts.Hash, l.opts.Journal, held.Size)
	if err != nil {
		return 0, fmt.Errorf("load tree of checkpoint %d: %w", held.Size, err)
	}
	if tree.Root() != held.Root {
		return 0, l.raise("the ledger %s holds the root %v for size %d, the leaves give %v",
			ledger.Name(), held.Root, held.Size, tree.Root())
	}
	return held.Size, nil
}

// promised returns the size of the newest checkpoint of which the journal has the ledger's evidence, as far as it looks back.
func (l *Log) promised(ctx context.Context, ledger string) (uint64, error) {
	recent, err := l.opts.Journal.SealedFrom(ctx, math.MaxInt64, -lookBack)
	if err != nil {
		return 0, fmt.Errorf("read journal: %w", err)
	}
	for _, s := range recent {
		if hasEvidence(s, ledger) {
			return s.Checkpoint.Size, nil
		}
	}
	return 0, nil
}
