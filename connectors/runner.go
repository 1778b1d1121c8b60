package connectors

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/suyuan-io/suyuan/hub"
)

// runner is one instance while the host has it.
type runner struct {
	host     *Host
	inst     *Instance
	board    *board
	log      *zap.Logger
	receiver Receiver      // nil for a source
	limiter  *rate.Limiter // nil without a rate limit

	inFlight *semaphore.Weighted // of a receiver, in records

	mu     sync.Mutex
	stored mark
	trip   *Trip // nil while the breaker is closed
	cancel context.CancelFunc
	done   chan struct{} // closed when the source has stopped; nil while nothing runs
}

func (h *Host) newRunner(ctx context.Context, inst *Instance) (*runner, error) {
	r := &runner{
		host: h, inst: inst, board: newBoard(inst, h.cfg.Now), limiter: newLimiter(inst.Limits.Rate.PerSecond),
		log:      h.cfg.Log.With(zap.String("connector", string(inst.ID)), zap.String("kind", inst.Kind)),
		inFlight: semaphore.NewWeighted(int64(inst.Limits.InFlight)),
	}
	p, err := h.cfg.Positions.Position(ctx, inst.ID)
	if err != nil {
		return nil, err
	}
	if r.stored, err = decodeMark(p); err != nil {
		return nil, err
	}
	r.board.marked(r.stored)
	if inst.Breaker.Dead > 0 {
		t, err := readTrip(ctx, h.cfg.Positions, inst.ID)
		if err != nil {
			return nil, err
		}
		r.setTrip(t)
	}
	if l, ok := inst.Options.(Listener); ok {
		if r.receiver, err = l.Listen(r.env()); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *runner) env() Env {
	return Env{Connector: r.inst.ID, Position: r.mark().At, Dir: r.inst.Dir, Now: r.host.cfg.Now, Note: r.note}
}

// note logs what a program of the source's own has to say.
func (r *runner) note(level slog.Level, text string) {
	at := zap.InfoLevel
	switch {
	case level >= slog.LevelError:
		at = zap.ErrorLevel
	case level >= slog.LevelWarn:
		at = zap.WarnLevel
	}
	r.log.Log(at, "connector says", zap.String("text", text))
}

// newLimiter lets a second's worth of records through at once.
func newLimiter(perSecond float64) *rate.Limiter {
	if perSecond <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(perSecond), max(1, int(math.Ceil(perSecond))))
}

// start begins the work, unless the instance is paused or retired, or its breaker keeps it from reading.
func (r *runner) start(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.inst.Retired:
		r.board.enter(StateRetired)
	case r.stored.Paused:
		r.board.enter(StatePaused)
	case r.receiver != nil:
		r.board.enter(StateReceiving)
	case r.trip != nil:
		r.board.enter(StateTripped)
	default:
		r.board.enter(StateStarting)
		run, cancel := context.WithCancel(context.WithoutCancel(ctx))
		r.cancel, r.done = cancel, make(chan struct{})
		go r.run(run, r.done)
	}
}

// stop ends the work and returns when it is drained.
func (r *runner) stop() {
	r.mu.Lock()
	cancel, done := r.cancel, r.done
	r.cancel, r.done = nil, nil
	r.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
	r.board.enter(StateStopped)
}

// inherit takes over what must not be lost when an instance's file changed: the mark, as the old runner left it, and
// the counts.
func (r *runner) inherit(old *runner) {
	m := old.mark()
	r.mu.Lock()
	r.stored = m
	r.mu.Unlock()
	before := old.board.read()
	r.board.change(func(s *Status) {
		s.Counts, s.LastSuccessAt, s.LastError, s.LastErrorAt = before.Counts, before.LastSuccessAt, before.LastError, before.LastErrorAt
	})
	r.board.marked(m)
}

func (r *runner) mark() mark {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stored
}

// save stores m durably. It writes nothing when nothing changed.
func (r *runner) save(ctx context.Context, m mark) error {
	if m == r.mark() {
		return nil
	}
	if err := r.host.cfg.Positions.SavePosition(ctx, r.inst.ID, m.encode()); err != nil {
		return err
	}
	r.remember(m)
	return nil
}

// obeyPause has a receiver do as is stored, where another process of the hub has paused or resumed it.
func (r *runner) obeyPause(ctx context.Context) error {
	if r.receiver == nil {
		return nil
	}
	p, err := r.host.cfg.Positions.Position(ctx, r.inst.ID)
	if err != nil {
		return err
	}
	m, err := decodeMark(p)
	if err != nil {
		return err
	}
	if m.Paused != r.mark().Paused {
		r.log.Info("another process has paused or resumed it", zap.Bool("paused", m.Paused))
		r.remember(m)
		r.start(ctx)
	}
	return nil
}

// remember takes m for what is stored.
func (r *runner) remember(m mark) {
	r.mu.Lock()
	r.stored = m
	r.mu.Unlock()
	r.board.marked(m)
}

func (r *runner) keepPaused(ctx context.Context, paused bool) error {
	m := r.mark()
	m.Paused = paused
	if err := r.save(ctx, m); err != nil {
		return err
	}
	if paused {
		r.board.enter(StatePaused)
	}
	return nil
}

// run reads the source until ctx is done. Whatever ends a session short of that is tried again: a passing condition
// after a growing delay, what only a person can mend after the longest one.
func (r *runner) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	delays := r.delays()
	for {
		worked, err := r.session(ctx)
		if worked {
			delays.Reset()
		}
		if ctx.Err() != nil {
			if err != nil {
				r.failed(err, StateStopped, 0)
			}
			return
		}
		state, delay := StateFailed, r.inst.Retry.Max
		if hub.KindOf(err) == hub.Unavailable {
			state, delay = StateRetrying, max(delays.NextBackOff(), asked(err))
		}
		r.failed(err, state, delay)
		if !pause(ctx, delay) {
			return
		}
	}
}

// failed is the one place where a source's fault is logged and shown.
func (r *runner) failed(err error, state State, delay time.Duration) {
	r.board.failed(err)
	r.board.enter(state)
	r.log.Warn("connector fault", zap.Stringer("state", state), zap.String("code", hub.AsFault(err).Code),
		zap.Duration("retry_in", delay), zap.Error(err))
}

func (r *runner) delays() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = r.inst.Retry.Initial, r.inst.Retry.Max
	b.Reset()
	return b
}

// pause waits for d and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
