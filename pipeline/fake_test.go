package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

// memory is a store in memory that keeps the contracts of Appender and Morgue, with fault switches.
type memory struct {
	mu      sync.Mutex
	records map[hub.RecordRef]hub.Digest
	order   []hub.RecordRef // of recorded ones: the log
	letters []hub.DeadLetter
	groups  []int // outcomes in each append
	// fail is asked before each append and landed after it: an error of landed means recorded, but the answer is lost.
	fail   func([]hub.Outcome) error
	landed func() error
	// hold, when set, is received from before each append.
	hold chan struct{}
	// changed is closed and replaced at every change.
	changed chan struct{}
}

func newMemory() *memory {
	return &memory{records: make(map[hub.RecordRef]hub.Digest), changed: make(chan struct{})}
}

func (m *memory) Append(ctx context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error) {
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(outcomes); err != nil {
			return nil, err
		}
	}
	m.groups = append(m.groups, len(outcomes))
	verdicts := make([]hub.Verdict, len(outcomes))
	for i := range outcomes {
		verdicts[i] = m.append(&outcomes[i])
	}
	close(m.changed)
	m.changed = make(chan struct{})
	if m.landed != nil {
		return verdicts, m.landed()
	}
	return verdicts, nil
}

func (m *memory) append(o *hub.Outcome) hub.Verdict {
	if _, ok := m.records[o.Record]; ok {
		return hub.Repeated
	}
	at := slices.IndexFunc(m.letters, func(d hub.DeadLetter) bool { return d.Record == o.Record })
	if o.Dead != nil {
		if at < 0 {
			d := kept(o.Dead)
			d.ID = hub.DeadLetterID(len(m.letters) + 1)
			m.letters = append(m.letters, d)
			return hub.Dead
		}
		if o.Attempt == 0 {
			return hub.Repeated
		}
		id := m.letters[at].ID
		m.letters[at] = kept(o.Dead)
		m.letters[at].ID = id
		return hub.Dead
	}
	if at >= 0 {
		m.letters[at].State = hub.DeadResolved
	}
	m.records[o.Record] = o.RawDigest
	m.order = append(m.order, o.Record)
	return hub.Recorded
}

// kept is d with bytes of its own.
func kept(d *hub.DeadLetter) hub.DeadLetter {
	k := *d
	k.Preamble, k.Body = slices.Clone(d.Preamble), slices.Clone(d.Body)
	return k
}

func (m *memory) DeadLetter(_ context.Context, id hub.DeadLetterID) (hub.DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id == 0 || int(id) > len(m.letters) {
		return hub.DeadLetter{}, hub.Faultf(hub.NotFound, "dead-letter.unknown", "no dead letter %d", id)
	}
	return m.letters[id-1], nil
}

func (m *memory) DeadLetters(_ context.Context, f hub.DeadFilter) ([]hub.DeadLetter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.State == 0 {
		f.State = hub.DeadWaiting
	}
	if f.Limit == 0 {
		f.Limit = 100
	}
	var page []hub.DeadLetter
	for _, d := range m.letters {
		if d.ID > f.After && d.State == f.State && (f.Code == "" || f.Code == d.Fault.Code) && len(page) < f.Limit {
			d.Preamble, d.Body = nil, nil
			page = append(page, d)
		}
	}
	return page, nil
}

func (m *memory) UpdateDeadLetter(_ context.Context, d hub.DeadLetter, was hub.DeadState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := &m.letters[d.ID-1]
	if old.State != was {
		return hub.Faultf(hub.Conflict, "dead-letter.state", "it is %s", old.State)
	}
	old.State, old.Note, old.Preamble, old.Body = d.State, d.Note, d.Preamble, d.Body
	return nil
}

// await waits until check holds, looking at every change.
func (m *memory) await(t testing.TB, what string, check func(*memory) bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		m.mu.Lock()
		ok, changed := check(m), m.changed
		recorded, letters := len(m.records), len(m.letters)
		m.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for %s: %d recorded, %d dead letters", what, recorded, letters)
		}
	}
}

func (m *memory) set(f func(*memory)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

func recorded(n int) func(*memory) bool { return func(m *memory) bool { return len(m.records) == n } }

// words is a Normaliser that reads a record's body as an order: "panic", "bad", or anything else for an event.
type words struct{}

func (words) Normalise(env *hub.Envelope, rec *hub.Record, o *hub.Outcome) {
	*o = hub.Outcome{
		Record:     hub.RecordRef{Connector: env.Connector, ID: rec.ID},
		Provider:   env.Provider,
		ReceivedAt: env.ReceivedAt,
		RawDigest:  hub.RawDigest(env.Preamble, rec.Body),
		Attempt:    rec.Attempt,
	}
	switch {
	case bytes.HasPrefix(rec.Body, []byte("panic")):
		panic("as ordered")
	case bytes.HasPrefix(rec.Body, []byte("bad")):
		o.Dead = &hub.DeadLetter{
			Record: o.Record, Provider: o.Provider, ReceivedAt: o.ReceivedAt, Attempts: rec.Attempt + 1, Stage: "map",
			Fault: *hub.Faultf(hub.Invalid, "test.bad", "bad"), State: hub.DeadWaiting, Body: rec.Body,
		}
	default:
		o.Events = []hub.Event{{Key: hub.EventKey{ID: string(rec.ID)}, Body: rec.Body}}
	}
}

// hubOf is a pipeline under test with its store.
type hubOf struct {
	*pipeline.Pipeline
	store *memory
	stop  func() // ends Run and waits for it
}

func quiet(t testing.TB) *zap.Logger {
	return zaptest.NewLogger(t, zaptest.Level(logLevel()))
}

func open(t testing.TB, cfg pipeline.Config, store *memory) *hubOf {
	t.Helper()
	if cfg.Dir == "" && cfg.Cluster.URL == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.MinFree == 0 {
		cfg.MinFree = -1
	}
	p, err := pipeline.Open(t.Context(), cfg, pipeline.Deps{Normaliser: words{}, Appender: store, Morgue: store, Log: quiet(t)})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	h := &hubOf{Pipeline: p, store: store, stop: func() {}}
	t.Cleanup(func() {
		h.stop()
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return h
}

// run starts Run in the background.
func (h *hubOf) run(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// running opens a pipeline over a new store and runs it.
func running(t testing.TB) *hubOf {
	t.Helper()
	h := open(t, pipeline.Config{}, newMemory())
	h.run(t)
	return h
}

func (h *hubOf) publish(t testing.TB, envelopes ...hub.Envelope) {
	t.Helper()
	if err := h.Publish(t.Context(), envelopes...); err != nil {
		t.Fatalf("Publish: %v", err)
	}
}

// env makes an envelope of one connector whose records have bodies and the ids "name/1", "name/2", ….
func env(name string, bodies ...string) hub.Envelope {
	e := hub.Envelope{
		Connector: "shop", Provider: "acme", ReceivedAt: time.Now().UTC(), ContentType: "text/plain", Origin: name,
		Preamble: []byte("head"), TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	for i, b := range bodies {
		e.Records = append(e.Records, hub.Record{ID: hub.RecordID(fmt.Sprintf("%s/%d", name, i+1)), Body: []byte(b), Line: i + 1, Column: 1})
	}
	return e
}

func many(n int, body string) []string {
	return strings.Split(strings.Repeat(body+"\x00", n-1)+body, "\x00")
}

// logLevel lets a developer see the log of a failing test: SUYUAN_TEST_LOG=debug.
func logLevel() zap.AtomicLevel {
	level, err := zap.ParseAtomicLevel(os.Getenv("SUYUAN_TEST_LOG"))
	if err != nil {
		return zap.NewAtomicLevelAt(zap.FatalLevel)
	}
	return level
}
