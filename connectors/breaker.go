package connectors

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// Breaker says when an instance is stopped because its records die.
type Breaker struct {
	// Dead is how many records must become dead letters in a row; 0, the default, is never.
	Dead int `yaml:"dead" min:"1" max:"100000"`
}

// Trip is why the breaker of an instance is open, as it is stored.
type Trip struct {
	// At is when it opened, after Dead records in a row became dead letters.
	At   time.Time `json:"at"`
	Dead int       `json:"dead"`
	// Code and Message are those of the last one's fault.
	Code    string `json:"code"`
	Message string `json:"message"`
}

// String says it to the operator.
func (t Trip) String() string {
	return fmt.Sprintf("%d records in a row became dead letters, the last with %s: %s", t.Dead, t.Code, t.Message)
}

// Zh says it in Chinese.
func (t Trip) Zh() string {
	return fmt.Sprintf("连续 %d 条记录成为死信，最后一条的原因是 %s：%s", t.Dead, t.Code, t.Message)
}

// tripKey is where the trip of an instance is stored among the positions. No instance has such an id.
func tripKey(id hub.ConnectorID) hub.ConnectorID { return id + "/breaker" }

func readTrip(ctx context.Context, from Positions, id hub.ConnectorID) (*Trip, error) {
	p, err := from.Position(ctx, tripKey(id))
	if err != nil || p == "" {
		return nil, err
	}
	var t Trip
	if err := json.Unmarshal([]byte(p), &t); err != nil {
		return nil, hub.Faultf(hub.Invalid, "breaker.unreadable", "the stored state of the breaker of %s is not one of this hub", id).
			WithHint("resume the instance").Because(err)
	}
	return &t, nil
}

// Breakers count, where records are recorded, how many of each instance die in a row, and store a [Trip] when they are too
// many. The [Host] that reads the source obeys it; it may be in another process. What is in memory is only the count: after
// a crash it begins anew, so that a crash costs a few more dead letters and never an open breaker.
//
// A record counts when it is recorded or dies for the first time: neither a replay nor what a stream hands out again says
// anything of the source. Breakers are safe for concurrent use.
type Breakers struct {
	positions Positions
	log       *zap.Logger
	now       func() time.Time

	mu     sync.Mutex
	limits map[hub.ConnectorID]int
	row    map[hub.ConnectorID]int
}

// NewBreakers returns breakers without instances.
func NewBreakers(positions Positions, log *zap.Logger, now func() time.Time) *Breakers {
	return &Breakers{positions: positions, log: log, now: now, row: map[hub.ConnectorID]int{}}
}

// Set says which instances have a breaker. Counts of those that go on having one stay.
func (b *Breakers) Set(instances []*Instance) {
	limits := map[hub.ConnectorID]int{}
	for _, inst := range instances {
		if inst.Breaker.Dead > 0 {
			limits[inst.ID] = inst.Breaker.Dead
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = limits
	for id := range b.row {
		if limits[id] == 0 {
			delete(b.row, id)
		}
	}
}

// Observe counts outcomes that were appended with these verdicts, in their order. It reports whether a breaker opened; the
// trip is stored then. Where it cannot be stored, the next dead letter tries again.
func (b *Breakers) Observe(ctx context.Context, outcomes []hub.Outcome, verdicts []hub.Verdict) bool {
	opened := false
	for id, run := range b.count(outcomes, verdicts) {
		if err := b.trip(ctx, id, run); err != nil {
			b.log.Warn("cannot store that a breaker opened", zap.String("connector", string(id)), zap.Error(err))
			continue
		}
		opened = true
		b.mu.Lock()
		b.row[id] = 0
		b.mu.Unlock()
	}
	return opened
}

// run is a row of dead outcomes that was too long.
type run struct {
	dead int
	last *hub.Outcome
}

// count returns for each instance that has had too many dead in a row how many, and the last.
func (b *Breakers) count(outcomes []hub.Outcome, verdicts []hub.Verdict) map[hub.ConnectorID]run {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.limits) == 0 {
		return nil
	}
	over := map[hub.ConnectorID]run{}
	for i := range outcomes {
		o := &outcomes[i]
		id := o.Record.Connector
		limit := b.limits[id]
		if limit == 0 || o.Attempt > 0 {
			continue
		}
		switch verdicts[i] {
		case hub.Recorded:
			b.row[id] = 0
		case hub.Dead, hub.Conflicting:
			if b.row[id]++; b.row[id] >= limit {
				over[id] = run{b.row[id], o}
			}
		case hub.Repeated:
		}
	}
	return over
}

// trip stores why the breaker of an instance opens. An older reason stays.
func (b *Breakers) trip(ctx context.Context, id hub.ConnectorID, r run) error {
	if before, err := readTrip(ctx, b.positions, id); err == nil && before != nil {
		return nil
	}
	t := Trip{
		At: b.now().UTC(), Dead: r.dead, Code: "record.conflicting",
		Message: "the record's id, or an event of it, was recorded before with another content",
	}
	if r.last.Dead != nil {
		t.Code, t.Message = r.last.Dead.Fault.Code, r.last.Dead.Fault.Message
	}
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode trip: %w", err)
	}
	b.log.Warn("a breaker opened", zap.String("connector", string(id)), zap.Int("dead_in_a_row", t.Dead), zap.String("code", t.Code))
	return b.positions.SavePosition(ctx, tripKey(id), hub.Position(text))
}

// Obey looks which breakers have opened or were closed since the last look, stops the sources of the former and starts
// those of the latter. A receiver goes on receiving: what is accepted is kept, and can be replayed.
func (h *Host) Obey(ctx context.Context) error {
	h.ops.Lock()
	defer h.ops.Unlock()
	if h.closed {
		return nil
	}
	for _, r := range h.all() {
		if r.inst.Breaker.Dead == 0 {
			continue
		}
		t, err := readTrip(ctx, h.cfg.Positions, r.inst.ID)
		if err != nil {
			return err
		}
		was := r.tripped() != nil
		switch r.setTrip(t); {
		case t != nil && !was:
			r.log.Warn("the breaker is open", zap.Int("dead_in_a_row", t.Dead), zap.String("code", t.Code))
			if r.receiver == nil && !r.mark().Paused {
				r.stop()
				r.start(ctx)
			}
		case t == nil && was && r.receiver == nil && !r.mark().Paused:
			r.start(ctx)
		}
	}
	return nil
}

// all returns the runners as they are now.
func (h *Host) all() []*runner {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := make([]*runner, 0, len(h.runners))
	for _, r := range h.runners {
		out = append(out, r)
	}
	return out
}

// tripped returns why the breaker is open, or nil.
func (r *runner) tripped() *Trip {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trip
}

func (r *runner) setTrip(t *Trip) {
	r.mu.Lock()
	r.trip = t
	r.mu.Unlock()
	r.board.change(func(s *Status) { s.Tripped = t })
}

// closeBreaker closes the breaker durably, if it is open.
func (r *runner) closeBreaker(ctx context.Context) error {
	if r.tripped() == nil {
		return nil
	}
	if err := r.host.cfg.Positions.SavePosition(ctx, tripKey(r.inst.ID), ""); err != nil {
		return err
	}
	r.setTrip(nil)
	return nil
}
