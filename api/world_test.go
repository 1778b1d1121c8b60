package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
	"github.com/suyuan-io/suyuan/trace"
)

// item is what both parties state something of.
const item = "https://id.gs1.org/01/07613035982949/21/S1"

// world is a server over a real store and a real log, with two parties: each recorded one event (0 and 1) of the same
// item, and each has a dead letter (1 and 2).
type world struct {
	t     *testing.T
	url   string
	store *sqlite.Store
	desk  *desk
	clock *clock
	// keys are secrets by name: alpha and beta (query), capture (of alpha), audit, admin.
	keys map[string]string
}

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, keys: map[string]string{}, clock: &clock{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}}
	dir := t.TempDir()
	var err error
	if w.store, err = sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(dir, "hub.db"), Now: w.clock.now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.record()
	log := w.anchorAll(dir)
	for name, k := range map[string]struct {
		provider hub.ProviderID
		scope    hub.Scope
	}{
		"alpha": {"alpha", hub.ScopeQuery}, "beta": {"beta", hub.ScopeQuery}, "capture": {"alpha", hub.ScopeCapture},
		"audit": {"auditor", hub.ScopeAudit}, "admin": {"hub", hub.ScopeAdmin},
	} {
		key, secret := api.NewKey(k.provider, []hub.Scope{k.scope}, name, w.clock.now())
		if err := w.store.PutKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		w.keys[name] = secret
	}
	w.desk = &desk{paused: map[hub.ConnectorID]bool{}}
	registry := prometheus.NewRegistry()
	server := httptest.NewServer(api.New(api.Deps{
		Log: zap.NewNop(), Now: w.clock.now, Keys: w.store, Intake: w.desk, Rewind: w.desk, Setup: w.desk, Records: w.store,
		Tracer:  trace.New(w.store, func(code string) []string { return []string{code} }),
		Anchors: &receipts{log: log, store: w.store}, Morgue: morgue{w.store}, Backups: backups{},
		AnchorStatus: func(ctx context.Context) (api.AnchorStatus, error) {
			s, err := log.Status(ctx)
			return api.AnchorStatus{Origin: s.Origin, Size: s.Size, Committed: s.Committed, Ledgers: []api.LedgerStatus{}}, err
		},
		Checks:  func(context.Context) []api.Check { return []api.Check{{Name: "store", OK: true}} },
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), Registerer: registry, Version: "test",
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// record fills the store.
func (w *world) record() {
	w.t.Helper()
	var outcomes []hub.Outcome
	for i, provider := range []hub.ProviderID{"alpha", "beta"} {
		o := storetest.Outcome(w.t, i, "S1")
		o.Provider, o.Record.Connector = provider, hub.ConnectorID(provider+"-push")
		e := &o.Events[0]
		e.Record, e.Leaf.Provider, e.Leaf.Connector = o.Record, provider, o.Record.Connector
		letter := storetest.Letter(fmt.Sprintf("bad-%d", i), "secret of "+string(provider))
		letter.Provider, letter.Record.Connector = provider, o.Record.Connector
		letter.Dead.Provider, letter.Dead.Record = provider, letter.Record
		outcomes = append(outcomes, o, letter)
	}
	if _, err := w.store.Append(w.t.Context(), outcomes); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) anchorAll(dir string) *anchor.Log {
	w.t.Helper()
	key, err := anchor.GenerateKey("test.example/log")
	if err != nil {
		w.t.Fatal(err)
	}
	witness, err := anchor.GenerateKey("notary.example")
	if err != nil {
		w.t.Fatal(err)
	}
	ledger, err := notary.Open(filepath.Join(dir, "notary.log"), notary.Options{Key: witness, Logs: []anchor.VerifierKey{key.Public()}, Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = ledger.Close() })
	log, err := anchor.New(anchor.Options{Key: key, Leaves: w.store, Journal: w.store, Ledgers: []anchor.Ledger{ledger}, Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := log.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return log
}

// receipts shows the log to the API.
type receipts struct {
	log   *anchor.Log
	store *sqlite.Store
}

// Receipt implements api.Anchors.
func (r *receipts) Receipt(ctx context.Context, seq hub.Seq, by ...string) ([]byte, error) {
	receipt, err := r.log.Receipt(ctx, seq, by...)
	if err != nil {
		return nil, err
	}
	return anchor.EncodeReceipt(receipt)
}

// Consistency implements api.Anchors.
func (r *receipts) Consistency(ctx context.Context, from, to uint64) (hub.Consistency, error) {
	return r.log.Consistency(ctx, from, to)
}

// SealedFrom implements api.Anchors.
func (r *receipts) SealedFrom(ctx context.Context, size uint64, limit int) ([]hub.Sealed, error) {
	return r.store.SealedFrom(ctx, size, limit)
}

// Trust implements api.Anchors.
func (r *receipts) Trust() []byte { return []byte("origin: test.example/log\n") }

// morgue replays by saying so in the store.
type morgue struct{ *sqlite.Store }

// Replay implements api.Morgue.
func (m morgue) Replay(ctx context.Context, id hub.DeadLetterID) error {
	return m.change(ctx, id, func(d *hub.DeadLetter) { d.State = hub.DeadReplaying })
}

// Change implements api.Morgue.
func (m morgue) Change(ctx context.Context, id hub.DeadLetterID, c api.Change) error {
	return m.change(ctx, id, func(d *hub.DeadLetter) {
		d.Note, d.Body = c.Note, c.Body
		if c.Drop {
			d.State = hub.DeadDropped
		}
	})
}

func (m morgue) change(ctx context.Context, id hub.DeadLetterID, how func(*hub.DeadLetter)) error {
	d, err := m.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	how(&d)
	return m.UpdateDeadLetter(ctx, d, hub.DeadWaiting)
}

// desk is where two connectors take what is posted, and where a third asks for no key.
type desk struct {
	mu     sync.Mutex
	paused map[hub.ConnectorID]bool
	taken  []string
}

// Receive implements api.Intake.
func (d *desk) Receive(w http.ResponseWriter, r *http.Request, id hub.ConnectorID, authorize func(hub.ProviderID) error) error {
	found := d.Connectors(id)
	if len(found) == 0 {
		return hub.Faultf(hub.NotFound, "connector.unknown", "there is no connector %q", id)
	}
	if found[0].Kind == "epcis" { // which does not authenticate the sender
		if err := authorize(found[0].Provider); err != nil {
			return err
		}
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	switch string(b) {
	case "busy":
		return &tooMany{hub.Faultf(hub.Unavailable, "host.busy", "too many in flight")}
	case "broken":
		return fmt.Errorf("open /secret/path: denied")
	}
	d.mu.Lock()
	d.taken = append(d.taken, string(id)+" "+string(b))
	d.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, err = io.WriteString(w, `{"accepted":1,"records":[{"id":"r1","status":"/v1/records/`+string(id)+`/r1"}]}`)
	return err
}

// tooMany is a fault that has an HTTP status of its own.
type tooMany struct{ *hub.Fault }

// HTTPStatus implements api.Statuser.
func (*tooMany) HTTPStatus() int { return http.StatusTooManyRequests }

// Unwrap shows the fault.
func (e *tooMany) Unwrap() error { return e.Fault }

// Connectors implements api.Intake.
func (d *desk) Connectors(only ...hub.ConnectorID) []api.Connector {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	state := func(id hub.ConnectorID) string {
		if d.paused[id] {
			return "paused"
		}
		return "receiving"
	}
	all := []api.Connector{
		{ID: "alpha-push", Provider: "alpha", Kind: "epcis", State: state("alpha-push"), LastTakenAt: &at, Records: 2, Items: 2},
		{ID: "beta-push", Provider: "beta", Kind: "epcis", State: state("beta-push"), LastError: "odd", LastErrorAt: &at},
		{ID: "signed", Provider: "alpha", Kind: "webhook", State: state("signed")},
	}
	if len(only) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(c api.Connector) bool { return !slices.Contains(only, c.ID) })
}

// Pause implements api.Intake.
func (d *desk) Pause(_ context.Context, id hub.ConnectorID) error { return d.set(id, true) }

// Resume implements api.Intake.
func (d *desk) Resume(_ context.Context, id hub.ConnectorID) error { return d.set(id, false) }

// Rewind implements api.Rewinder.
func (d *desk) Rewind(_ context.Context, id hub.ConnectorID, to hub.Position) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.paused[id] {
		return hub.Faultf(hub.Conflict, "connector.running", "%s is not paused", id)
	}
	d.taken = append(d.taken, string(id)+" from "+string(to))
	return nil
}

func (d *desk) set(id hub.ConnectorID, paused bool) error {
	if !strings.HasSuffix(string(id), "-push") {
		return hub.Faultf(hub.NotFound, "connector.unknown", "there is no connector %q", id)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused[id] = paused
	return nil
}

// Folder implements api.Setup.
func (d *desk) Folder() api.Folder {
	return api.Folder{
		AppliedAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
		Faults:    hub.Faults{hub.Faultf(hub.Invalid, "yaml.unknown-key", "unknown key").At(hub.Where{File: "connectors/x.yaml", Line: 2, Column: 1})},
	}
}

// Files implements api.Setup.
func (d *desk) Files(id hub.ConnectorID) map[string]string {
	if id != "alpha-push" {
		return nil
	}
	return map[string]string{"connectors/alpha-push.yaml": "id: alpha-push\n"}
}

// Latest implements api.Setup.
func (d *desk) Latest(_ context.Context, id hub.ConnectorID, _ int) ([]hub.Envelope, error) {
	return []hub.Envelope{{Connector: id, ReceivedAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Records: []hub.Record{{ID: "r1", Body: []byte("\xff")}, {ID: "r2", Body: []byte("{}")}}}}, nil
}

// reply is an answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// ask sends one request with the key of a name ("" for none).
func (w *world) ask(key, method, path, body string) reply {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if secret, known := w.keys[key]; known {
		r.Header.Set("Authorization", "Bearer "+secret)
	} else if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	a, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer a.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(a.Body); err != nil {
		w.t.Fatal(err)
	}
	return reply{a.StatusCode, a.Header, b.Bytes()}
}

// problem reads an answer's problem detail.
func (w *world) problem(a reply) api.Problem {
	w.t.Helper()
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" || p.Status != a.status || p.Code == "" {
		w.t.Errorf("no problem detail: %d %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return p
}

// backups describes backups that it does not write.
type backups struct{}

// Backup implements api.Backups.
func (backups) Backup(_ context.Context, name string) (any, error) {
	return map[string]any{"format": "suyuan-backup/1", "logSize": 3}, hub.CheckName(name)
}
