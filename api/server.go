package api

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
)

// Intake is where connectors are.
type Intake interface {
	// Receive serves one pushed request of a connector and writes its answer, or returns a fault and writes nothing. Where the
	// connector's own protocol does not authenticate the sender it first asks authorize with the connector's provider.
	Receive(w http.ResponseWriter, r *http.Request, id hub.ConnectorID, authorize func(hub.ProviderID) error) error
	// Connectors lists the instances by id: all, or those of only that there are.
	Connectors(only ...hub.ConnectorID) []Connector
	// Pause stops an instance after what it has in flight; Resume starts it again, also when its breaker had stopped it.
	Pause(ctx context.Context, id hub.ConnectorID) error
	Resume(ctx context.Context, id hub.ConnectorID) error
}

// Rewinder sets where connectors read on.
type Rewinder interface {
	// Rewind stores the position of an instance that is stopped, "" for its beginning; a fault of kind Conflict while it
	// reads.
	Rewind(ctx context.Context, id hub.ConnectorID, to hub.Position) error
}

// Connector is one connector instance as the API shows it. It holds no secrets.
type Connector struct {
	ID       hub.ConnectorID `json:"id"`
	Provider hub.ProviderID  `json:"provider"`
	Kind     string          `json:"kind"`
	// State is the name of a connectors.State.
	State string `json:"state"`
	// Tripped says why the instance's breaker is open; "" while it is closed.
	Tripped     string     `json:"tripped,omitempty"`
	TrippedZh   string     `json:"trippedZh,omitempty"`
	TrippedAt   *time.Time `json:"trippedAt,omitempty"`
	Silent      bool       `json:"silent"`
	LastError   string     `json:"lastError,omitempty"`
	LastErrorZh string     `json:"lastErrorZh,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
	LastTakenAt *time.Time `json:"lastTakenAt,omitempty"`
	Position    string     `json:"position,omitempty"`
	Items       uint64     `json:"items"`
	Records     uint64     `json:"records"`
	Refused     uint64     `json:"refused"`
	InFlight    int        `json:"inFlight"`
	Target      string     `json:"target,omitempty"`
}

// Records finds what was recorded.
type Records interface {
	Event(ctx context.Context, id string) ([]hub.Event, error)
	EventAt(ctx context.Context, seq hub.Seq) (hub.Event, error)
	Record(ctx context.Context, ref hub.RecordRef) (hub.RecordStatus, error)
	LogSize(ctx context.Context) (uint64, error)
}

// Tracer tells journeys.
type Tracer interface {
	Trace(ctx context.Context, code string, scannedAt time.Time) (*trace.Trace, error)
	Forward(ctx context.Context, code string) (*trace.Trace, error)
}

// Anchors proves what was recorded.
type Anchors interface {
	// Receipt returns the exact bytes of the receipt of the event at seq, by all ledgers that are named, or a fault of kind
	// Unavailable while no committed checkpoint covers it.
	Receipt(ctx context.Context, seq hub.Seq, by ...string) ([]byte, error)
	// SealedFrom is as anchor.Journal has it.
	SealedFrom(ctx context.Context, size uint64, limit int) ([]hub.Sealed, error)
	// Consistency returns two anchored checkpoints and the RFC 6962 consistency proof from the smaller to the larger, or a
	// fault of kind NotFound.
	Consistency(ctx context.Context, from, to uint64) (hub.Consistency, error)
	// Trust is the trust file that pins this hub's log and ledgers.
	Trust() []byte
}

// Morgue keeps dead letters and sends them again.
type Morgue interface {
	DeadLetter(ctx context.Context, id hub.DeadLetterID) (hub.DeadLetter, error)
	DeadLetters(ctx context.Context, f hub.DeadFilter) ([]hub.DeadLetter, error)
	// Replay publishes a waiting letter's record again.
	Replay(ctx context.Context, id hub.DeadLetterID) error
	// Change edits a waiting letter's body, or drops it.
	Change(ctx context.Context, id hub.DeadLetterID, c Change) error
}

// Change is what an operator does to a dead letter: Body replaces its bytes, or Drop ends it. Note says why.
type Change struct {
	Body []byte
	Drop bool
	Note string
}

// Backups writes backups of the hub.
type Backups interface {
	// Backup writes the backup with this name and describes it. It blocks until the backup is durable.
	Backup(ctx context.Context, name string) (any, error)
}

// Check is one readiness check.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Reason says what is wrong, or what was found.
	Reason   string `json:"reason,omitempty"`
	ReasonZh string `json:"reasonZh,omitempty"`
	// Later says that what is wrong hinders neither taking nor recording and is made up for later by itself: the hub is ready.
	Later bool `json:"-"`
}

// Deps is what the server asks. Every field is necessary.
type Deps struct {
	Log     *zap.Logger
	Now     func() time.Time
	Keys    Keyring
	Intake  Intake
	Rewind  Rewinder
	Setup   Setup
	Records Records
	Tracer  Tracer
	Anchors Anchors
	// AnchorStatus says how far the log and its ledgers are.
	AnchorStatus func(ctx context.Context) (AnchorStatus, error)
	Morgue       Morgue
	Backups      Backups
	// Checks runs the readiness checks.
	Checks func(ctx context.Context) []Check
	// Metrics serves the registry; Registerer takes the server's own metrics.
	Metrics    http.Handler
	Registerer prometheus.Registerer
	Version    string
}

// Server serves the API. It is safe for concurrent use.
type Server struct {
	Deps
	log     *zap.Logger
	keys    keyCache
	latency *prometheus.HistogramVec
	traced  bool // otherwise nobody would see a span
	mux     *http.ServeMux
}

// New returns the server.
func New(d Deps) *Server {
	s := &Server{
		Deps: d, log: d.Log.Named("api"), mux: http.NewServeMux(),
		keys: keyCache{ring: d.Keys, now: d.Now, kept: map[hub.Digest]keptKey{}},
		latency: promauto.With(d.Registerer).NewHistogramVec(prometheus.HistogramOpts{
			Name: "suyuan_api_request_seconds", Help: "Time to answer a request, by route and status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"route", "status"}),
	}
	_, off := otel.GetTracerProvider().(noop.TracerProvider)
	s.traced = !off
	s.Mount(s.mux)
	return s
}

// Mount mounts the routes on mux, beside others.
func (s *Server) Mount(mux *http.ServeMux) {
	for _, rt := range s.routes() {
		mux.Handle(rt.pattern, s.measured(rt.pattern, rt.serve))
	}
}

// handler serves one request, or returns the fault to answer with and has written nothing.
type handler func(w http.ResponseWriter, r *http.Request) error

type route struct {
	pattern string
	serve   handler
}

// routes is the whole surface in one table.
func (s *Server) routes() []route {
	return []route{
		{"/in/{connector}", s.receive},
		{"POST /in/{connector}/token", s.receive},
		{"GET /v1/trace/{code...}", s.trace},
		{"GET /v1/events/{id}", s.event},
		{"GET /v1/events/{id}/receipt", s.receipt},
		{"GET /v1/log/{seq}", s.logEntry},
		{"GET /v1/log/{seq}/receipt", s.logReceipt},
		{"GET /v1/records/{connector}/{id...}", s.record},
		{"GET /v1/anchors", s.anchors},
		{"GET /v1/anchors/{size}", s.anchor},
		{"GET /v1/anchors/{size}/consistency", s.consistency},
		{"GET /v1/trust", s.trust},
		{"GET /v1/connectors", s.connectors},
		{"GET /v1/connectors/{id}", s.connector},
		{"GET /v1/connectors/{id}/files", s.files},
		{"GET /v1/connectors/{id}/raw", s.raw},
		{"POST /v1/connectors/{id}/pause", s.pause},
		{"POST /v1/connectors/{id}/resume", s.resume},
		{"PUT /v1/connectors/{id}/position", s.rewind},
		{"GET /v1/dead-letters", s.deadLetters},
		{"GET /v1/dead-letters/{id}", s.deadLetter},
		{"PATCH /v1/dead-letters/{id}", s.changeDeadLetter},
		{"POST /v1/dead-letters/{id}/replay", s.replayDeadLetter},
		{"POST /v1/dead-letters/replay", s.replayDeadLetters},
		{"POST /v1/dead-letters/drop", s.dropDeadLetters},
		{"GET /v1/keys", s.listKeys},
		{"POST /v1/keys", s.makeKey},
		{"DELETE /v1/keys/{id}", s.revokeKey},
		{"POST /v1/backups", s.backup},
		{"GET /v1/openapi.json", s.openapi},
		{"GET /healthz", s.healthz},
		{"GET /readyz", s.readyz},
		{"GET /metrics", s.metrics},
		{"/v1/", s.unknown},
	}
}

// Patterns lists the routes' patterns.
func (s *Server) Patterns() []string {
	var out []string
	for _, rt := range s.routes() {
		out = append(out, rt.pattern)
	}
	return out
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) unknown(_ http.ResponseWriter, r *http.Request) error {
	return hub.Faultf(hub.NotFound, "route.unknown", "there is no %s %s", r.Method, r.URL.Path).
		WithHint("the API is described at /v1/openapi.json")
}
