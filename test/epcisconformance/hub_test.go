package epcisconformance_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
	"github.com/suyuan-io/suyuan/store/postgres"
	"github.com/suyuan-io/suyuan/store/sqlite"
)

// registry is one for all hubs: compiling the schemas costs more than most tests do.
var registry = sync.OnceValues(schemas.Open)

// embedded is a hub's EPCIS side in this process: the real store, raw stream, normaliser and binding behind a real
// listener. Only the API keys are made up.
type embedded struct {
	URL   string
	store database
	// postgres is the URL of the store's database, "" for one in dir.
	postgres string
	rest     *epcisrest.Server
	dir      string
	t        testing.TB
	config   epcisrest.Config
	stop     func()
	// revoked are secrets whose keys are not good any more.
	revoked sync.Map
	// space says whether the disk has room; nil if it has.
	space func() error
}

// database is a store, of either kind.
type database interface {
	pipeline.Appender
	pipeline.Morgue
	epcisrest.Events
	epcisrest.Log
	epcisrest.Records
	epcisrest.Jobs
	epcisrest.Queries
	epcisrest.Subscriptions
	epcisrest.Deliveries
	Close() error
}

// openStore opens the store in dir, or that at a URL of PostgreSQL.
func openStore(ctx context.Context, dir, url string) (database, error) {
	if url != "" {
		return postgres.Open(ctx, postgres.Config{URL: url})
	}
	return sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(dir, "hub.db")})
}

// appender tells the binding that events were recorded, as the hub's wiring does.
type appender struct {
	database

	nudge func()
}

func (a appender) Append(ctx context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error) {
	v, err := a.database.Append(ctx, outcomes)
	a.nudge()
	return v, err
}

// keys maps secrets to keys.
var keys = map[string]hub.Key{
	"admin": {ID: "k-admin", Provider: "hub", Scopes: []hub.Scope{hub.ScopeAdmin}},
	"plant": {ID: "k-plant", Provider: "plant", Scopes: []hub.Scope{hub.ScopeCapture, hub.ScopeQuery}},
	"other": {ID: "k-other", Provider: "other", Scopes: []hub.Scope{hub.ScopeCapture, hub.ScopeQuery}},
	"blind": {ID: "k-blind", Provider: "plant", Scopes: []hub.Scope{hub.ScopeCapture}},
	"audit": {ID: "k-audit", Provider: "customs", Scopes: []hub.Scope{hub.ScopeAudit}},
}

func (e *embedded) authorize(r *http.Request, scopes ...hub.Scope) (hub.Key, error) {
	secret := bearer(r.Header.Get("Authorization"))
	k, ok := keys[secret]
	if _, revoked := e.revoked.Load(secret); !ok || revoked {
		return k, hub.Faultf(hub.Unauthorized, "key.missing", "no API key was sent")
	}
	if slices.Contains(k.Scopes, hub.ScopeAdmin) {
		return k, nil
	}
	for _, sc := range scopes {
		if slices.Contains(k.Scopes, sc) {
			return k, nil
		}
	}
	return k, hub.Faultf(hub.Forbidden, "key.scope", "the key lacks a scope")
}

// keys lists the keys as the hub's own store does.
func (e *embedded) keys(context.Context) ([]hub.Key, error) {
	var all []hub.Key
	for secret, k := range keys {
		if _, revoked := e.revoked.Load(secret); revoked {
			k.RevokedAt = time.Now()
		}
		all = append(all, k)
	}
	return all, nil
}

func (e *embedded) room() error {
	if e.space == nil {
		return nil
	}
	return e.space()
}

func bearer(header string) string {
	if len(header) > 7 {
		return header[7:]
	}
	return ""
}

// start opens a hub in dir and stops it with the test.
func start(t testing.TB, dir string, c epcisrest.Config) *embedded {
	t.Helper()
	return startOn(t, "", dir, c)
}

// startOn is start with the store at a URL of PostgreSQL.
func startOn(t testing.TB, url, dir string, c epcisrest.Config) *embedded {
	t.Helper()
	e := &embedded{postgres: url, dir: dir, t: t, config: c}
	e.open()
	t.Cleanup(func() { e.stop() })
	return e
}

// restart closes everything and opens it again on the same data.
func (e *embedded) restart() {
	e.stop()
	e.open()
}

func (e *embedded) open() {
	t := e.t
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	schema, err := registry()
	must(err)
	validator := schema.With(schemas.ValidateOptions{Rules: true})
	e.store, err = openStore(ctx, e.dir, e.postgres)
	must(err)
	instances := func(id hub.ConnectorID) (pipeline.Instance, bool) {
		return pipeline.Instance{}, epcisrest.IsCapture(id)
	}
	p, err := pipeline.Open(ctx, pipeline.Config{Dir: filepath.Join(e.dir, "stream"), MinFree: -1}, pipeline.Deps{
		Normaliser: pipeline.NewNormaliser(instances, validator.ValidateEvent, time.Now),
		Appender:   appender{e.store, func() { e.rest.Nudge() }}, Morgue: e.store, Log: log,
	})
	must(err)
	e.config.DeliverTo = append(e.config.DeliverTo, netip.MustParsePrefix("127.0.0.0/8"))
	e.config.GS1 = gs1.Options{GCPLength: 7}
	e.rest, err = epcisrest.New(epcisrest.Deps{
		Log: log, Now: time.Now, Authorize: e.authorize, Keys: e.keys, Publisher: p, Events: e.store, Size: e.store, Records: e.store, Jobs: e.store,
		Queries: e.store, Subscriptions: e.store, Deliveries: e.store, Registerer: prometheus.NewRegistry(),
		ValidateEvent: validator.ValidateEvent, ValidateDocument: validator.ValidateDocument, Space: e.room, Dir: filepath.Join(e.dir, "capture"),
	}, e.config)
	must(err)
	mux := http.NewServeMux()
	for _, pattern := range e.rest.Patterns() {
		mux.Handle(pattern, e.rest)
	}
	server := httptest.NewServer(mux)
	e.URL = server.URL
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	running.Go(func() { _ = e.rest.Run(ctx) })
	e.stop = sync.OnceFunc(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
		running.Wait()
		_ = p.Close()
		_ = e.store.Close()
	})
}
