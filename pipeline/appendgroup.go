package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// appendGroup gathers the outcomes of several frames into one append, in the order in which the frames stand in the
// stream: frames are normalised side by side, and a turn keeps each one's place. Like the publisher it commits in groups:
// what becomes ready during one append goes into the next.
//
// It owns the policy of failing appends. A passing fault is tried again for as long as it lasts, in place, so that the
// order holds and nothing overtakes. Any other fault is tried a few times, then the batch is halved until the outcome
// that causes it stands alone and becomes a dead letter: one bad record never stops the others.
type appendGroup struct {
	appender Appender
	limit    int // outcomes in an append
	log      *zap.Logger
	metrics  *metrics
	now      func() time.Time

	all batch // of the goroutine that appends: what several frames make together

	mu      sync.Mutex
	issued  uint64
	next    uint64 // the turn that is appended next
	waiting map[uint64]*submission
	wake    chan struct{}
	trouble error // of the append that is being retried
}

// submission is the outcomes of one frame; none when its turn was given up.
type submission struct {
	batch
	done chan error
}

// batch is outcomes and, place by place, the raw records that they come from.
type batch struct {
	outcomes []hub.Outcome
	origins  []origin
}

// origin is where an outcome comes from.
type origin struct {
	env *hub.Envelope
	rec *hub.Record
}

func (b batch) slice(from, to int) batch { return batch{b.outcomes[from:to], b.origins[from:to]} }

func (b batch) with(c batch) batch {
	return batch{append(b.outcomes, c.outcomes...), append(b.origins, c.origins...)}
}

// empty keeps b's memory, and nothing that is in it.
func (b *batch) empty() {
	clear(b.outcomes)
	clear(b.origins)
	*b = b.slice(0, 0)
}

func newAppendGroup(a Appender, limit int, log *zap.Logger, m *metrics, now func() time.Time) *appendGroup {
	return &appendGroup{
		appender: a, limit: limit, log: log, metrics: m, now: now,
		waiting: make(map[uint64]*submission), wake: make(chan struct{}, 1),
	}
}

// turn is the place of one frame. It is used once: by submit, or by release when there is nothing to append.
type turn struct {
	group *appendGroup
	place uint64
	used  bool // only the frame's own handler uses its turn
}

func (g *appendGroup) turn() *turn {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.issued++
	return &turn{group: g, place: g.issued - 1}
}

// submit appends b when the turn has come, and returns when they are recorded. The only error is that ctx or the
// group ended first; nothing is known then.
func (t *turn) submit(ctx context.Context, b batch) error {
	if t.used { // a handler that failed after it submitted: its dead letter goes to the end
		*t = *t.group.turn()
	}
	s := &submission{batch: b, done: make(chan error, 1)}
	t.put(s)
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
		return hub.Faultf(hub.Unavailable, "pipeline.stopping", "the hub stopped before the records were appended").Because(ctx.Err())
	}
}

// release gives the turn up if it was not used.
func (t *turn) release() {
	if !t.used {
		t.put(&submission{done: make(chan error, 1)})
	}
}

func (t *turn) put(s *submission) {
	t.used = true
	g := t.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting[t.place] = s
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// linger is how soon after an append the next one begins at the earliest, unless plenty of outcomes wait. Each append syncs the
// disk that acceptance syncs as well: fewer and larger ones leave it to those who wait for their answer.
const (
	linger = 40 * time.Millisecond
	plenty = 1024
)

// rest waits for the rest of [linger] since an append began.
func (g *appendGroup) rest(ctx context.Context, began time.Time) {
	timer := time.NewTimer(linger - time.Since(began))
	defer timer.Stop()
	for !g.enough() {
		select {
		case <-timer.C:
			return
		case <-g.wake:
		case <-ctx.Done():
			return
		}
	}
}

// enough reports whether plenty of outcomes wait whose turn has come.
func (g *appendGroup) enough() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for place := g.next; n < min(plenty, g.limit); place++ {
		s, ok := g.waiting[place]
		if !ok {
			return false
		}
		n += len(s.outcomes)
	}
	return true
}

// run appends until ctx is done.
func (g *appendGroup) run(ctx context.Context) {
	var began time.Time
	for {
		g.rest(ctx, began)
		began = time.Now()
		group, all := g.take()
		if len(group) == 0 {
			select {
			case <-g.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		err := g.record(ctx, all)
		g.all.empty()
		for _, s := range group {
			s.done <- err
		}
		if err != nil {
			return
		}
	}
}

// take removes the submissions whose turn has come, up to the limit.
func (g *appendGroup) take() (group []*submission, all batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for n < g.limit {
		s, ok := g.waiting[g.next]
		if !ok || n > 0 && n+len(s.outcomes) > g.limit {
			break
		}
		delete(g.waiting, g.next)
		g.next++
		n += len(s.outcomes)
		group = append(group, s)
	}
	if len(group) == 1 {
		return group, group[0].batch
	}
	for _, s := range group {
		g.all = g.all.with(s.batch)
	}
	return group, g.all
}

// attempts is how often an append is tried that fails for no passing reason.
const attempts = 3

// record appends b whatever it takes. It returns an error only when ctx is done.
func (g *appendGroup) record(ctx context.Context, b batch) error {
	n := len(b.outcomes)
	if n == 0 {
		return nil
	}
	err := g.persist(ctx, b.outcomes)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case n > 1:
		if err := g.record(ctx, b.slice(0, n/2)); err != nil {
			return err
		}
		return g.record(ctx, b.slice(n/2, n))
	case b.outcomes[0].Dead == nil:
		g.log.Error("a record cannot be appended and becomes a dead letter",
			zap.Stringer("record", b.outcomes[0].Record), zap.Error(err))
		return g.record(ctx, batch{[]hub.Outcome{g.unappendable(b, err)}, b.origins})
	}
	// Not even the dead letter is taken: the store is broken, not the record.
	return g.insist(ctx, b.outcomes)
}

// persist appends outcomes; it tries passing faults for as long as they last and others a few times.
func (g *appendGroup) persist(ctx context.Context, outcomes []hub.Outcome) error {
	tries := 0
	return g.retry(ctx, func() error {
		err := g.append(ctx, outcomes)
		if tries++; err != nil && hub.KindOf(err) != hub.Unavailable && tries >= attempts {
			return backoff.Permanent(err)
		}
		return err
	})
}

// insist appends outcomes; it tries every fault for as long as it lasts.
func (g *appendGroup) insist(ctx context.Context, outcomes []hub.Outcome) error {
	return g.retry(ctx, func() error { return g.append(ctx, outcomes) })
}

func (g *appendGroup) retry(ctx context.Context, op func() error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 20*time.Millisecond, 5*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, op() },
		backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, next time.Duration) {
			g.setTrouble(err)
			g.log.Warn("append failed, trying again", zap.Error(err), zap.Duration("in", next))
		}))
	g.setTrouble(nil)
	return err
}

// append is one append with its metrics. A panic of the appender is an error like any other.
//
// A crash before Append returned leaves all of the batch recorded or nothing; a crash after it leaves the frames
// unacknowledged. Either way they are handed out again, and what is recorded already is Repeated.
func (g *appendGroup) append(ctx context.Context, outcomes []hub.Outcome) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = hub.Faultf(hub.Internal, "internal.panic", "the appender panicked: %v", r).Because(fmt.Errorf("%s", debug.Stack()))
		}
		if err != nil {
			g.metrics.appendFailed.WithLabelValues(hub.KindOf(err).String()).Inc()
		}
	}()
	began := g.now()
	verdicts, err := g.appender.Append(ctx, outcomes)
	if err != nil {
		return err
	}
	if len(verdicts) != len(outcomes) {
		return hub.Faultf(hub.Internal, "internal", "the appender gave %d verdicts on %d outcomes", len(verdicts), len(outcomes))
	}
	g.observe(outcomes, verdicts, began)
	return nil
}

func (g *appendGroup) observe(outcomes []hub.Outcome, verdicts []hub.Verdict, began time.Time) {
	now := g.now()
	g.metrics.append.Observe(now.Sub(began).Seconds())
	g.metrics.appendGroup.Observe(float64(len(outcomes)))
	type label struct {
		connector hub.ConnectorID
		verdict   hub.Verdict
	}
	counts := make(map[label]int)
	var last time.Time
	for i := range outcomes {
		o := &outcomes[i]
		counts[label{o.Record.Connector, verdicts[i]}]++
		// One observation an envelope, whose records share the time; a replay's age says nothing of the pipeline.
		if o.Attempt == 0 && !o.ReceivedAt.Equal(last) {
			last = o.ReceivedAt
			g.metrics.latency.Observe(now.Sub(last).Seconds())
		}
	}
	for l, n := range counts {
		g.metrics.outcomes.WithLabelValues(string(l.connector), l.verdict.String()).Add(float64(n))
	}
}

// unappendable is b's only outcome as a dead letter, because the store refused it with err.
func (g *appendGroup) unappendable(b batch, err error) hub.Outcome {
	o := b.outcomes[0]
	o.Events, o.Master = nil, nil
	o.Dead = deadLetter(b.origins[0], stageAppend, hub.AsFault(err), g.now())
	return o
}

func (g *appendGroup) setTrouble(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.trouble = err
}

func (g *appendGroup) currentTrouble() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.trouble
}
