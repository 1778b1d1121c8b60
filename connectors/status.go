package connectors

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// State is what an instance is doing.
//
//	            open            io.EOF
//	Starting ─────────▶ Reading ◀─────▶ Waiting
//	   ▲                  │
//	   │ delay            │ fault
//	   ├──── Retrying ◀───┤ passing
//	   └──── Failed ◀─────┘ only a person can help (tried again after retry.max)
//
//	any ──pause──▶ Paused ──resume──▶ Starting          a receiver is Receiving or Paused
//	any ──breaker──▶ Tripped ──resume──▶ Starting       records died in a row
type State uint8

// The states of an instance.
const (
	StateStarting State = iota + 1
	StateReading
	StateWaiting
	StateRetrying
	StateFailed
	StatePaused
	StateTripped
	StateReceiving
	StateRetired
	StateStopped
)

// String returns the stable lower-case name of s.
func (s State) String() string {
	switch s {
	case StateStarting:
		return "starting"
	case StateReading:
		return "reading"
	case StateWaiting:
		return "waiting"
	case StateRetrying:
		return "retrying"
	case StateFailed:
		return "failed"
	case StatePaused:
		return "paused"
	case StateTripped:
		return "tripped"
	case StateReceiving:
		return "receiving"
	case StateRetired:
		return "retired"
	case StateStopped:
		return "stopped"
	}
	return "unknown"
}

// Status is how one instance is. It never holds an option, so no secret can show in it.
type Status struct {
	ID       hub.ConnectorID
	Provider hub.ProviderID
	Kind     string
	File     string
	State    State
	// Since is when State began.
	Since time.Time
	// LastError is the last fault and LastErrorAt when; both stay after it has passed.
	LastError   *hub.Fault
	LastErrorAt time.Time
	// LastSuccessAt is when records last became durable.
	LastSuccessAt time.Time
	// CaughtUpAt is when the source last had nothing more to give; Lag is the time since, 0 while it waits.
	CaughtUpAt time.Time
	Lag        time.Duration
	// Position is the stored position as the source understands it; Item and Done tell how far into the item after it.
	Position hub.Position
	Item     string
	Done     int
	InFlight int
	// Tripped is why the breaker is open, or nil. A receiver receives all the same.
	Tripped *Trip
	// Silent is true when nothing has arrived for longer than the instance's silence.
	Silent bool
	Counts Counts
}

// Counts are totals since the hub started.
type Counts struct {
	// Items were read to their end, Records and Bytes became durable; Refused are items or requests that could not be
	// taken, Limited are requests over the rate or in-flight limit, Faults are failed attempts.
	Items, Records, Bytes, Refused, Limited, Faults uint64
}

// board is the live status of an instance.
type board struct {
	inFlight atomic.Int64 // Status.InFlight, which changes with every request

	mu      sync.Mutex
	now     func() time.Time
	status  Status
	silence time.Duration
	started time.Time
}

func newBoard(inst *Instance, now func() time.Time) *board {
	t := now()
	return &board{now: now, started: t, silence: inst.Silence, status: Status{
		ID: inst.ID, Provider: inst.Provider, Kind: inst.Kind, File: inst.File, State: StateStarting, Since: t,
	}}
}

func (b *board) change(f func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.status)
}

func (b *board) enter(s State) {
	t := b.now()
	b.change(func(st *Status) {
		if s == StateWaiting {
			st.CaughtUpAt = t
		}
		if st.State != s {
			st.State, st.Since = s, t
		}
	})
}

// failed records a fault. The causes are kept as text: they may hold what the driver was told, but drivers never put
// secrets into errors (the conformance kit checks).
func (b *board) failed(err error) {
	t, fault := b.now(), hub.AsFault(err)
	b.change(func(st *Status) {
		st.LastError, st.LastErrorAt = fault, t
		st.Counts.Faults++
	})
}

func (b *board) marked(m mark) {
	b.change(func(st *Status) { st.Position, st.Item, st.Done = m.At, m.Item, m.Done })
}

func (b *board) published(items, records, bytes int) {
	t := b.now()
	b.change(func(st *Status) {
		st.LastSuccessAt = t
		st.Counts.Items += uint64(items)
		st.Counts.Records += uint64(records)
		st.Counts.Bytes += uint64(bytes)
	})
}

func (b *board) state() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status.State
}

// read returns a copy of the status with what is computed from the clock.
func (b *board) read() Status {
	t := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.InFlight = int(b.inFlight.Load())
	switch s.State {
	case StateReading, StateRetrying, StateFailed, StateStarting:
		since := s.CaughtUpAt
		if since.IsZero() {
			since = b.started
		}
		s.Lag = max(0, t.Sub(since))
	default:
	}
	heard := s.LastSuccessAt
	if heard.IsZero() {
		heard = b.started
	}
	s.Silent = b.silence > 0 && s.State != StatePaused && s.State != StateTripped && s.State != StateRetired && t.Sub(heard) > b.silence
	return s
}
