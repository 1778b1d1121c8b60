package connectors

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/suyuan-io/suyuan/hub"
)

// Config is what the host needs. Publisher and Positions are required.
type Config struct {
	Publisher Publisher
	Positions Positions
	// Busy reports that what is accepted is recorded too late already: senders are refused with 429, sources wait. nil is never.
	Busy func() bool
	// Log gets one entry for a fault and for its end; nil logs nothing.
	Log *zap.Logger
	// Metrics gets one collector; nil registers none.
	Metrics prometheus.Registerer
	// Now is the clock, time.Now by default.
	Now func() time.Time
	// Drain is how long stopping an instance may take to make durable what was read, 10s by default.
	Drain time.Duration
	// Memory bounds the request bodies that are held at once, 256 MiB by default, and Requests how many requests are
	// served at once, 64 a processor and at least 128 by default. What is beyond them is refused with its body unread.
	Memory   int64
	Requests int
	// BodyTime is how long a request's body may take, and a second more for each 64 KiB of it; 30s by default. A sender that
	// trickles cannot hold its place for ever.
	BodyTime time.Duration
}

// Host runs instances: it opens and reads sources, takes requests for receivers, splits, publishes, stores positions and
// settles, in this order. It is safe for concurrent use.
//
// What is true after a crash: before Publish returned, nothing happened; after it and before the position is stored, the
// records come again with the same ids, which the store calls Repeated; after that and before Settle returned, the
// upstream still holds the item, and opening the source at the stored position settles it. Restart runs the same
// functions as normal work.
type Host struct {
	cfg    Config
	bodies *semaphore.Weighted
	slots  chan int // the numbers of the requests that may still be served at once
	// reading are the bodies that are being waited for, by number.
	reading []atomic.Pointer[limitedBody]
	// ops serialises Apply, Obey, Pause, Resume, SetPosition and Close; mu guards runners.
	ops     sync.Mutex
	mu      sync.RWMutex
	runners map[hub.ConnectorID]*runner
	closed  bool
}

// New returns a host without instances.
func New(cfg Config) *Host {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Busy == nil {
		cfg.Busy = func() bool { return false }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Drain <= 0 {
		cfg.Drain = 10 * time.Second
	}
	if cfg.Memory <= 0 {
		cfg.Memory = 256 << 20
	}
	if cfg.Requests <= 0 {
		cfg.Requests = max(128, 64*runtime.GOMAXPROCS(0))
	}
	if cfg.BodyTime <= 0 {
		cfg.BodyTime = 30 * time.Second
	}
	h := &Host{
		cfg: cfg, bodies: semaphore.NewWeighted(cfg.Memory), slots: make(chan int, cfg.Requests),
		reading: make([]atomic.Pointer[limitedBody], cfg.Requests), runners: map[hub.ConnectorID]*runner{},
	}
	for n := range cfg.Requests {
		h.slots <- n
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(newCollector(h.Statuses))
	}
	return h
}

// Change says what Apply does, or would do, with one instance.
type Change struct {
	ID hub.ConnectorID
	// Action is "start", "restart" or "stop".
	Action string
	// File is the instance file, or "" for "stop".
	File string
}

// Plan returns what Apply would do with instances, without doing it.
func (h *Host) Plan(instances []*Instance) []Change {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var changes []Change
	wanted := map[hub.ConnectorID]bool{}
	for _, inst := range instances {
		wanted[inst.ID] = true
		r, runs := h.runners[inst.ID]
		switch {
		case !runs:
			changes = append(changes, Change{inst.ID, "start", inst.File})
		case r.inst.Version != inst.Version:
			changes = append(changes, Change{inst.ID, "restart", inst.File})
		}
	}
	for id := range h.runners {
		if !wanted[id] {
			changes = append(changes, Change{id, "stop", ""})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return changes
}

// Apply makes the host run exactly these instances: new ones are started, changed ones stopped, drained and started at
// their position, missing ones stopped; the others are not touched. Nothing is changed when an instance cannot be made.
// Starting does not wait for a source to connect. What runs outlives ctx, until Close.
func (h *Host) Apply(ctx context.Context, instances []*Instance) error {
	h.ops.Lock()
	defer h.ops.Unlock()
	if h.closed {
		return hub.Faultf(hub.Unavailable, "host.closed", "the hub is stopping")
	}
	changes := h.Plan(instances)
	fresh := map[hub.ConnectorID]*runner{}
	for _, c := range changes {
		i := slices.IndexFunc(instances, func(inst *Instance) bool { return inst.ID == c.ID })
		if i < 0 {
			continue
		}
		r, err := h.newRunner(ctx, instances[i])
		if err != nil {
			return err
		}
		fresh[c.ID] = r
	}
	for _, c := range changes {
		h.mu.RLock()
		old := h.runners[c.ID]
		h.mu.RUnlock()
		if old != nil {
			old.stop()
		}
		r := fresh[c.ID]
		if r != nil && old != nil {
			r.inherit(old)
		}
		h.mu.Lock()
		delete(h.runners, c.ID)
		if r != nil {
			h.runners[c.ID] = r
		}
		h.mu.Unlock()
		if r != nil {
			r.start(ctx)
		}
	}
	return nil
}

// Close stops every instance and returns when what was read is durable, or the drain time is over.
func (h *Host) Close() {
	h.ops.Lock()
	defer h.ops.Unlock()
	h.closed = true
	h.mu.RLock()
	defer h.mu.RUnlock()
	var wg sync.WaitGroup
	for _, r := range h.runners {
		wg.Go(r.stop)
	}
	wg.Wait()
}

// Pause stops an instance, drains it and stores that it is paused, also over a restart. Pausing twice is no fault.
func (h *Host) Pause(ctx context.Context, id hub.ConnectorID) error {
	h.ops.Lock()
	defer h.ops.Unlock()
	r, err := h.runner(id)
	if err != nil {
		return err
	}
	if err := r.obeyPause(ctx); err != nil {
		return err
	}
	r.stop()
	return r.keepPaused(ctx, true)
}

// Resume starts an instance at its position that was paused, or stopped by its breaker. Resuming one that runs is no fault.
func (h *Host) Resume(ctx context.Context, id hub.ConnectorID) error {
	h.ops.Lock()
	defer h.ops.Unlock()
	r, err := h.runner(id)
	if err != nil {
		return err
	}
	if err := r.obeyPause(ctx); err != nil {
		return err
	}
	if !r.mark().Paused && r.tripped() == nil {
		return nil
	}
	if err := r.closeBreaker(ctx); err != nil {
		return err
	}
	if err := r.keepPaused(ctx, false); err != nil {
		return err
	}
	r.start(ctx)
	return nil
}

// ObeyPauses has what is pushed to be received as is stored, where another process of the hub has paused or resumed it. What is polled
// runs in one process alone.
func (h *Host) ObeyPauses(ctx context.Context) error {
	h.ops.Lock()
	defer h.ops.Unlock()
	if h.closed {
		return nil
	}
	for _, r := range h.all() {
		if err := r.obeyPause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// SetPosition stores where a paused instance, or one that its breaker has stopped, resumes: a position as [Status] shows it,
// or "" for the beginning. Faults: Invalid for a position that the kind refuses, Conflict for an instance that reads.
func (h *Host) SetPosition(ctx context.Context, id hub.ConnectorID, p hub.Position) error {
	h.ops.Lock()
	defer h.ops.Unlock()
	r, err := h.runner(id)
	if err != nil {
		return err
	}
	if err := checkPosition(r.inst.Options, p); err != nil {
		f := hub.AsFault(err)
		f.Hint, f.HintZh = strings.Replace(f.Hint, " ID ", " "+string(id)+" ", 1), strings.Replace(f.HintZh, " ID ", " "+string(id)+" ", 1)
		return f
	}
	paused := r.mark().Paused
	if !paused && r.board.read().State != StateTripped {
		f := hub.Faultf(hub.Conflict, "connector.running", "the position of %s can only be set while it is paused", id).
			WithHint(fmt.Sprintf("suyuan connector pause %s", id))
		f.MessageZh, f.HintZh = fmt.Sprintf("只有在连接器 %s 暂停时才能设定其读取位置", id), f.Hint
		return f
	}
	return r.save(ctx, mark{At: p, Paused: paused})
}

// checkPosition says what the options of an instance think of a position.
func checkPosition(options any, p hub.Position) error {
	if _, reads := options.(Opener); !reads {
		return NoPosition("its senders push, and know what they have sent", "数据由发送方推送，发送方知道已发送的内容")
	}
	if r, ok := options.(Resumer); ok {
		return r.CheckPosition(p)
	}
	return nil
}

// Status returns how one instance is, or a fault of kind NotFound.
func (h *Host) Status(id hub.ConnectorID) (Status, error) {
	r, err := h.runner(id)
	if err != nil {
		return Status{}, err
	}
	return r.board.read(), nil
}

// Statuses returns how every instance is, in the order of their ids.
func (h *Host) Statuses() []Status {
	h.mu.RLock()
	defer h.mu.RUnlock()
	out := make([]Status, 0, len(h.runners))
	for _, r := range h.runners {
		out = append(out, r.board.read())
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return out
}

// Instance returns a running instance as it was loaded, or a fault of kind NotFound.
func (h *Host) Instance(id hub.ConnectorID) (*Instance, error) {
	r, err := h.runner(id)
	if err != nil {
		return nil, err
	}
	return r.inst, nil
}

func (h *Host) runner(id hub.ConnectorID) (*runner, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	r, ok := h.runners[id]
	if !ok {
		return nil, &hub.Fault{
			Kind: hub.NotFound, Code: "connector.unknown",
			Message:   "there is no connector " + string(id),
			MessageZh: "没有名为 " + string(id) + " 的连接器",
			Hint:      "check the last part of the address against the id in the instance file", HintZh: "请核对地址末段与实例文件中的 id",
		}
	}
	return r, nil
}
