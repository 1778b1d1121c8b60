package epcisrest

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// Publisher makes envelopes durable in the raw stream; see connectors.Publisher, which it is.
type Publisher interface {
	Publish(ctx context.Context, envelopes ...hub.Envelope) error
}

// Events finds recorded events. It does not block what is being recorded, and is safe for concurrent use.
type Events interface {
	// Find returns the events of a window that match.
	Find(ctx context.Context, q *epcis.Query, w hub.Window) (hub.Page, error)
	// Event returns the event of an id and its error declarations, or a fault of kind NotFound.
	Event(ctx context.Context, id string) ([]hub.Event, error)
	// Values lists the distinct values of a term behind after; an empty provider means everybody's.
	Values(ctx context.Context, t hub.Term, provider hub.ProviderID, after string, limit int) ([]string, error)
	// First reports whether no event before seq speaks of id.
	First(ctx context.Context, id string, provider hub.ProviderID, seq hub.Seq) (bool, error)
}

// Log tells how far the log is.
type Log interface {
	LogSize(ctx context.Context) (uint64, error)
	// FirstSince returns the first Seq recorded at t or later, the size of the log if there is none.
	FirstSince(ctx context.Context, t time.Time) (hub.Seq, error)
}

// Records says what became of raw records.
type Records interface {
	Record(ctx context.Context, ref hub.RecordRef) (hub.RecordStatus, error)
	// Verdicts is for many records at once; 0 stands for one that is not known yet.
	Verdicts(ctx context.Context, refs []hub.RecordRef) ([]hub.Verdict, error)
	// Contents returns what the recorded events with any of the ids state.
	Contents(ctx context.Context, ids []string) (map[hub.EventKey]hub.Content, error)
	DeadLetter(ctx context.Context, id hub.DeadLetterID) (hub.DeadLetter, error)
}

// Jobs keeps capture jobs durably.
type Jobs interface {
	PutJob(ctx context.Context, j hub.CaptureJob) error
	Job(ctx context.Context, id string) (hub.CaptureJob, error)
	Jobs(ctx context.Context, provider hub.ProviderID, before time.Time, id string, limit int) ([]hub.CaptureJob, error)
	RunningJobs(ctx context.Context) ([]hub.CaptureJob, error)
}

// Queries keeps named queries durably. Deleting one deletes its subscriptions.
type Queries interface {
	AddQuery(ctx context.Context, q hub.NamedQuery) error
	Query(ctx context.Context, provider hub.ProviderID, name string) (hub.NamedQuery, error)
	Queries(ctx context.Context, provider hub.ProviderID, after string, limit int) ([]hub.NamedQuery, error)
	DeleteQuery(ctx context.Context, provider hub.ProviderID, name string) error
}

// Subscriptions keeps subscriptions durably.
type Subscriptions interface {
	AddSubscription(ctx context.Context, s hub.Subscription) error
	Subscriptions(ctx context.Context, provider hub.ProviderID, query, after string, limit int) ([]hub.Subscription, error)
	DeleteSubscription(ctx context.Context, provider hub.ProviderID, query, id string) error
}

// Deliveries keeps how far the delivery of each subscription came.
type Deliveries interface {
	AllSubscriptions(ctx context.Context) ([]hub.Subscription, error)
	SaveDelivery(ctx context.Context, id string, p hub.Progress) error
}

// Deps is what the server asks. Every field of this group is necessary.
type Deps struct {
	Log       *zap.Logger
	Now       func() time.Time
	Authorize func(r *http.Request, scopes ...hub.Scope) (hub.Key, error)
	// Keys lists all keys, revoked ones too.
	Keys          func(ctx context.Context) ([]hub.Key, error)
	Publisher     Publisher
	Events        Events
	Size          Log
	Records       Records
	Jobs          Jobs
	Queries       Queries
	Subscriptions Subscriptions
	Deliveries    Deliveries
	Registerer    prometheus.Registerer
	// ValidateEvent says whether the JSON of one event is valid, ValidateDocument whether that of a document is, with
	// [hub.Faults] in the order of their places.
	ValidateEvent, ValidateDocument func(data []byte) error
	// Space says whether the disk has room beyond what is kept for recording, or why not.
	Space func() error
	// Dir is the folder in which posted documents wait for their job; it is made if it is missing.
	Dir string
}

// Config are the server's settings. The zero value of each is its default.
type Config struct {
	// PublicURL is the address of the hub as clients know it, without /epcis; by default it is taken from each request.
	PublicURL string
	// MaxEvents and MaxBytes bound one posted document; the defaults are 10,000,000 events and 4 GiB.
	MaxEvents int
	MaxBytes  int64
	// GS1 says how long company prefixes are, for answers in EPC URNs.
	GS1 gs1.Options
	// DeliverTo are the networks whose addresses subscriptions may be delivered to though they are not public.
	DeliverTo []netip.Prefix
	Version   string
}

// Server serves the binding. It is safe for concurrent use.
type Server struct {
	Deps
	Config

	log       *zap.Logger
	routes    []route
	tokens    tokens
	jobs      *jobQueue
	delivery  *delivery
	metrics   *metrics
	recording notifier
	// stopped is closed when Run ends: connections that last are to end with it.
	stopped chan struct{}
}

// New returns the server. Run must run beside it.
func New(d Deps, c Config) (*Server, error) {
	if c.MaxEvents <= 0 {
		c.MaxEvents = 10_000_000
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = 4 << 30
	}
	if err := os.MkdirAll(d.Dir, 0o700); err != nil {
		return nil, hub.Faultf(hub.Unavailable, "capture.folder", "cannot make the folder for posted documents").Because(err)
	}
	key, err := loadTokenKey(filepath.Join(d.Dir, "page-token.key"))
	if err != nil {
		return nil, err
	}
	s := &Server{Deps: d, Config: c, log: d.Log.Named("epcis"), tokens: tokens{key: key, now: d.Now}, metrics: newMetrics(d.Registerer)}
	s.routes = s.table()
	s.jobs = newJobQueue()
	s.stopped = make(chan struct{})
	s.delivery = newDelivery(s)
	return s, nil
}

// Patterns are the patterns under which the server is mounted.
func (s *Server) Patterns() []string { return []string{"/epcis", "/epcis/"} }

// Nudge tells the server that events were recorded, so that streams need not wait for their next look. It never blocks.
func (s *Server) Nudge() { s.recording.notify() }

// Run works on capture jobs and delivers subscriptions until ctx ends. Jobs and subscriptions that were interrupted go on
// where they were. It is called once.
func (s *Server) Run(ctx context.Context) error {
	defer close(s.stopped)
	done := make(chan struct{})
	go func() { defer close(done); s.delivery.run(ctx) }()
	err := s.runJobs(ctx)
	<-done
	return err
}

// request is a request on its way through a handler.
type request struct {
	*http.Request

	// params are the variable segments of the path, decoded.
	params []string
	key    hub.Key
}

// handler serves one request, or returns the error to answer with and has written nothing.
type handler func(w http.ResponseWriter, r *request) error

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := s.Now()
	sw := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	name, serve, params, err := s.route(r)
	s.stateVersions(sw.Header())
	if err == nil {
		err = serve(sw, &request{Request: r, params: params})
	}
	if err != nil {
		s.fail(sw, r, err)
	}
	s.metrics.latency.WithLabelValues(knownMethod(r.Method)+" "+name, strconv.Itoa(sw.status)).Observe(s.Now().Sub(started).Seconds())
}

// knownMethod is a method as a label: anybody can make methods up, and each would be counted for ever.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(code int) {
	w.status = code
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap lets [http.ResponseController] reach the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
