package epcispull_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	connepcis "github.com/suyuan-io/suyuan/connectors/epcis"
	"github.com/suyuan-io/suyuan/connectors/epcispull"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
	"github.com/suyuan-io/suyuan/store/sqlite"
)

const key = "sk-0cc175b9c0f1"

// repository is a hub's EPCIS side: the real store and binding behind a real listener. What is put into it goes by the
// normaliser straight into the store, with a clock of its own, so that two of them record alike.
type repository struct {
	url        string
	store      *sqlite.Store
	normaliser pipeline.Normaliser
	n          atomic.Int64 // what is put so far: the time
}

// openSchemas compiles the schemas once for all repositories.
var openSchemas = sync.OnceValues(schemas.Open)

// openRepository opens one in dir, or finds the one that another process has there.
func openRepository(tb testing.TB, dir string) connectortest.Upstream {
	tb.Helper()
	address := filepath.Join(dir, "url")
	if url, err := os.ReadFile(address); err == nil {
		return &repository{url: string(url)}
	}
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	r := &repository{}
	registry, err := openSchemas()
	must(err)
	validator := registry.With(schemas.ValidateOptions{Rules: true})
	clock := func() time.Time { return time.Date(2026, 1, 1, 0, 0, int(r.n.Load()), 0, time.UTC) }
	r.store, err = sqlite.Open(context.Background(), sqlite.Config{Path: filepath.Join(dir, "hub.db"), Now: clock})
	must(err)
	tb.Cleanup(func() { must(r.store.Close()) })
	r.normaliser = pipeline.NewNormaliser(func(hub.ConnectorID) (pipeline.Instance, bool) { return pipeline.Instance{}, true },
		validator.ValidateEvent, clock)
	rest, err := epcisrest.New(epcisrest.Deps{
		Log: zap.NewNop(), Now: clock, Authorize: authorize, Publisher: nobody{}, Events: r.store, Size: r.store, Records: r.store,
		Jobs: r.store, Queries: r.store, Subscriptions: r.store, Deliveries: r.store, Registerer: prometheus.NewRegistry(),
		ValidateEvent: validator.ValidateEvent, ValidateDocument: validator.ValidateDocument, Space: func() error { return nil }, Dir: filepath.Join(dir, "capture"),
	}, epcisrest.Config{})
	must(err)
	mux := http.NewServeMux()
	for _, pattern := range rest.Patterns() {
		mux.Handle(pattern, rest)
	}
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	r.url = server.URL
	must(os.WriteFile(address, []byte(r.url), 0o600))
	return r
}

func authorize(r *http.Request, _ ...hub.Scope) (hub.Key, error) {
	if r.Header.Get("Authorization") != "Bearer "+key {
		return hub.Key{}, hub.Faultf(hub.Unauthorized, "key.missing", "no API key was sent")
	}
	return hub.Key{ID: "k", Provider: "hub", Scopes: []hub.Scope{hub.ScopeAdmin}}, nil
}

// nobody takes no capture: the test puts events into the store.
type nobody struct{}

func (nobody) Publish(context.Context, ...hub.Envelope) error { return errors.New("not in this test") }

func (r *repository) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	r.n.Add(1)
	env := &hub.Envelope{Connector: "plant", Provider: "plant", Preamble: []byte(`{"@context":[{"example":"https://example.org/"}]}`)}
	var outcomes []hub.Outcome
	for _, text := range texts {
		body, err := json.Marshal(map[string]any{
			"type": "ObjectEvent", "eventID": "urn:example:" + strings.TrimRight(text[:min(len(text), 10)], "-"),
			"eventTime": "2026-01-01T00:00:00Z", "eventTimeZoneOffset": "+08:00", "action": "OBSERVE",
			"epcList": []string{"https://id.example.org/21/1"}, "example:mark": text,
		})
		if err != nil {
			tb.Fatal(err)
		}
		record := hub.Record{ID: hub.RecordID(text[:9]), Body: body}
		out := pipeline.Normalised(r.normaliser, env, &record)
		if out.Dead != nil {
			tb.Fatal(&out.Dead.Fault)
		}
		outcomes = append(outcomes, out)
	}
	if _, err := r.store.Append(tb.Context(), outcomes); err != nil {
		tb.Fatal(err)
	}
}

func (r *repository) options() *epcispull.Options {
	o, _ := epcispull.Kind().Options().(*epcispull.Options)
	o.URL = r.url + "/epcis"
	o.Auth.Bearer = strictyaml.NewSecret("${env:KEY}", key)
	o.PerPage = 4
	return o
}

func (r *repository) Instance(testing.TB) *connectors.Instance {
	return &connectors.Instance{
		ID: "partner", Provider: "partner", Kind: "epcis-pull", Options: r.options(), Splitter: connepcis.Splitter{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 10 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	connectortest.Source(t, openRepository, connectortest.Traits{Remembers: true, Secrets: []string{key}})
}
