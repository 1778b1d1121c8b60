package anchor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// Options configure a [Log]. Key, Leaves, Journal and at least one of Ledgers are required.
type Options struct {
	// Key signs the checkpoints; its name is the log's origin.
	Key *SigningKey
	// Hash is the tree's hash function; the default is that of the key: SM3 for SM2, else SHA-256. Leaves must give leaf
	// hashes of the same function.
	Hash    Hash
	Leaves  Leaves
	Journal Journal
	// Ledgers witness every checkpoint. Their names must differ.
	Ledgers []Ledger
	// Quorum is how many of them must have witnessed a checkpoint before it is committed; 0 means all.
	Quorum int
	// MaxLeaves seals a batch as soon as so many leaves wait, MaxAge as soon as the oldest has waited so long. The
	// defaults are 65,536 and 1 s. A checkpoint is sealed only when the one before is committed, so that batches grow
	// by themselves while a ledger is slow or down.
	MaxLeaves uint64
	MaxAge    time.Duration
	// TargetCost is how many ledger transactions a million events may cost on average, all ledgers together; 0, the default,
	// means whatever MaxAge makes of it. A batch that is old enough and would cost more waits for more leaves, but no longer
	// than MaxDelay, whose default is 10 min.
	TargetCost float64
	MaxDelay   time.Duration
	// Poll is how often Run looks for waiting leaves when nobody calls Nudge; the default is 200 ms.
	Poll time.Duration
	// CommitTimeout bounds one call of a ledger; the default is 30 s. MaxBackoff bounds the wait after failures; the
	// default is 30 s.
	CommitTimeout time.Duration
	MaxBackoff    time.Duration
	// Now is the clock; the default is time.Now.
	Now func() time.Time
	// Logger, Registerer and Tracer may be nil.
	Logger     *zap.Logger
	Registerer prometheus.Registerer
	Tracer     trace.Tracer
}

// Log is the Merkle log of one origin. Its methods may be called concurrently. Of several processes on one journal one
// should run it and the others follow; should two run it for a while, the journal refuses one of them each time.
type Log struct {
	opts    Options
	metrics *metrics
	nudge   chan struct{}

	// rounds is held for a whole round; it guards what a round works on.
	rounds sync.Mutex
	// tree is the sealed tree, nil when it must be loaded: at the start, and after any error, because the outcome of
	// what failed is unknown. last is its checkpoint, zero before the first.
	tree *Tree
	last Sealed
	// budget is what of TargetCost is left.
	budget budget
	// behind is when the clock was first seen to be earlier than the oldest waiting leaf, zero if it is not.
	behind time.Time
	// audited is true once the sealed tree has been recomputed from the leaves.
	audited bool

	// keeping is held while evidence is added to a checkpoint of the journal.
	keeping sync.Mutex
	lanes   []*lane

	// mu guards what others may look at.
	mu      sync.Mutex
	state   state
	changed chan struct{} // closed and replaced when state changes
}

// state is what the log knows about itself without asking the store.
type state struct {
	checked           bool
	sealed, committed uint64
	committedAt       time.Time
	// oldestAt is when the oldest leaf that no committed checkpoint covers was recorded, zero if none is known.
	oldestAt time.Time
	// transactions and leaves were committed since the start.
	transactions, leaves uint64
	commitTook           time.Duration
	// alarm is set once and for ever; lastErr is nil after a round that went well.
	alarm, lastErr error
}

// New returns the log. It reads nothing: the first round of Run or Flush checks the journal against the leaves and the
// ledgers.
func New(opts Options) (*Log, error) {
	if err := opts.complete(); err != nil {
		return nil, err
	}
	budget, err := opts.newBudget()
	if err != nil {
		return nil, err
	}
	l := &Log{opts: opts, budget: budget, nudge: make(chan struct{}, 1), changed: make(chan struct{})}
	if l.metrics, err = newMetrics(opts.Registerer, l.oldestAge); err != nil {
		return nil, err
	}
	for _, ledger := range opts.Ledgers {
		l.lanes = append(l.lanes, opts.newLane(ledger))
	}
	return l, nil
}

// complete sets defaults and refuses what cannot work.
func (o *Options) complete() error {
	if o.Key == nil || o.Leaves == nil || o.Journal == nil || len(o.Ledgers) == 0 {
		return errors.New("open log: Key, Leaves, Journal and Ledgers are required")
	}
	if o.Hash == SHA256 {
		o.Hash = o.Key.Public().Hash()
	}
	names := make(map[string]bool)
	for _, l := range o.Ledgers {
		if names[l.Name()] {
			return hub.Faultf(hub.Invalid, "anchor.ledger-twice", "two ledgers are named %q", l.Name())
		}
		names[l.Name()] = true
	}
	if o.Quorum < 0 || o.Quorum > len(o.Ledgers) {
		return hub.Faultf(hub.Invalid, "anchor.quorum", "a quorum of %d of %d ledgers is impossible", o.Quorum, len(o.Ledgers))
	}
	setDefault(&o.Quorum, len(o.Ledgers))
	setDefault(&o.MaxLeaves, 1<<16)
	setDefault(&o.MaxAge, time.Second)
	setDefault(&o.MaxDelay, 10*time.Minute)
	setDefault(&o.Poll, 200*time.Millisecond)
	setDefault(&o.CommitTimeout, 30*time.Second)
	setDefault(&o.MaxBackoff, 30*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Tracer == nil {
		o.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Origin returns the log's name.
func (l *Log) Origin() string { return l.opts.Key.Public().Name() }

// Key returns the key that verifies the log's checkpoints.
func (l *Log) Key() VerifierKey { return l.opts.Key.Public() }

// Status is the state of the log.
type Status struct {
	Origin string `json:"origin"`
	// Key is the verifier key to pin.
	Key string `json:"key"`
	// Size is how many leaves there are, Sealed how many a signed checkpoint covers, Committed how many a checkpoint
	// covers that the ledgers have witnessed.
	Size      uint64 `json:"size"`
	Sealed    uint64 `json:"sealed"`
	Committed uint64 `json:"committed"`
	// CommittedAt is when the last checkpoint was committed, zero before the first since the start.
	CommittedAt time.Time `json:"committedAt,omitzero"`
	// OldestUnanchored is how long the oldest leaf without a committed checkpoint has waited.
	OldestUnanchored time.Duration `json:"oldestUnanchored,format:nano"`
	// TransactionsPerMillion is how many ledger transactions a million events have cost since the start; 0 before the
	// first commit.
	TransactionsPerMillion float64 `json:"transactionsPerMillion"`
	// Ledgers are the ledgers, in the order of the configuration.
	Ledgers []LedgerStatus `json:"ledgers"`
	// Alarm says why the log has stopped for ever, LastError why the last round failed; both are empty when all is well.
	Alarm     string `json:"alarm,omitempty"`
	LastError string `json:"lastError,omitempty"`
}

// LedgerStatus is the state of one ledger.
type LedgerStatus struct {
	Name string `json:"name"`
	// Holds is the size of the newest checkpoint that it is known to hold.
	Holds uint64 `json:"holds"`
	// LastError says why the last attempt failed, empty when it went well.
	LastError string `json:"lastError,omitempty"`
}

func (l *Log) ledgerStatuses() []LedgerStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]LedgerStatus, len(l.lanes))
	for i, lane := range l.lanes {
		out[i] = LedgerStatus{Name: lane.Name(), Holds: lane.held}
		if lane.lastErr != nil {
			out[i].LastError = lane.lastErr.Error()
		}
	}
	return out
}

// oldestAge returns for how many seconds the oldest leaf has waited that no committed checkpoint covers, 0 if none does.
func (l *Log) oldestAge() float64 {
	s := l.snapshot()
	if s.oldestAt.IsZero() {
		return 0
	}
	return max(0, l.opts.Now().Sub(s.oldestAt).Seconds())
}

// perMillion returns how many ledger transactions a million events have cost.
func (s *state) perMillion() float64 { return float64(s.transactions) * 1e6 / float64(s.leaves) }

// Status returns the state of the log.
func (l *Log) Status(ctx context.Context) (Status, error) {
	size, err := l.opts.Leaves.LogSize(ctx)
	if err != nil {
		return Status{}, err
	}
	s := l.snapshot()
	status := Status{
		Origin: l.Origin(), Key: l.Key().String(),
		Size: size, Sealed: s.sealed, Committed: s.committed, CommittedAt: s.committedAt,
	}
	if s.leaves > 0 {
		status.TransactionsPerMillion = s.perMillion()
	}
	status.Ledgers = l.ledgerStatuses()
	if s.alarm != nil {
		status.Alarm = s.alarm.Error()
	}
	if s.lastErr != nil {
		status.LastError = s.lastErr.Error()
	}
	if size > s.committed {
		at, err := l.opts.Leaves.RecordedAt(ctx, hub.Seq(s.committed))
		if err != nil {
			return Status{}, err
		}
		status.OldestUnanchored = max(0, l.opts.Now().Sub(at))
	}
	return status, nil
}

// Ready returns nil when the log is checked and has no reason to stop: a fault of kind Conflict after an alarm, of kind
// Unavailable before the first check has ended or while rounds fail.
func (l *Log) Ready() error {
	s := l.snapshot()
	switch {
	case s.alarm != nil:
		return s.alarm
	case s.lastErr != nil:
		return hub.Faultf(hub.Unavailable, "anchor.failing", "anchoring fails and is tried again").Because(s.lastErr)
	case !s.checked:
		return hub.Faultf(hub.Unavailable, "anchor.unchecked", "the log has not been checked yet")
	}
	return nil
}

// Check compares the journal with the key, the leaves and every ledger, as the first round of Run does, and changes nothing. A
// fault of kind Conflict says that going on could fork the log.
func (l *Log) Check(ctx context.Context) error {
	l.rounds.Lock()
	defer l.rounds.Unlock()
	if err := l.load(ctx); err != nil {
		return err
	}
	for _, lane := range l.lanes {
		if _, err := l.checkLedger(ctx, lane.Ledger, l.last); err != nil {
			return err
		}
	}
	return nil
}

// Nudge tells Run that there may be leaves to seal.
func (l *Log) Nudge() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

// WaitCommitted blocks until a committed checkpoint covers the first size leaves, or ctx is done, or an alarm makes
// sure that it never will.
func (l *Log) WaitCommitted(ctx context.Context, size uint64) error {
	for {
		l.mu.Lock()
		s, changed := l.state, l.changed
		l.mu.Unlock()
		switch {
		case s.checked && s.committed >= size:
			return nil
		case s.alarm != nil:
			return s.alarm
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Log) snapshot() state {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

// update changes the state and wakes those who wait for it.
func (l *Log) update(change func(*state)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.state)
	l.wake()
}

// wake wakes those who wait for a change. The caller holds mu.
func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}
