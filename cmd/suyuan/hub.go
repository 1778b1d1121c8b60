package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/telemetry"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
	"github.com/suyuan-io/suyuan/trace"
	"github.com/suyuan-io/suyuan/web"
)

// Hub is one hub process, wired in the order in which data flows. Open makes it, Run runs it until its context ends,
// Close releases what Open took.
type Hub struct {
	cfg      Config
	log      *zap.Logger
	registry *prometheus.Registry
	schemas  *schemas.Registry
	catalog  *catalog
	master   *masterData
	// folder is where the catalog comes from; loaded is what it said at the start, footprint how its files were then.
	folder    *folder
	loaded    *loaded
	footprint footprint
	// hup asks for the folder to be applied at once; nil never does.
	hup <-chan os.Signal

	store    database
	leases   leases
	pipeline *pipeline.Pipeline
	host     *connectors.Host
	breakers *connectors.Breakers
	// opened asks for the breakers to be obeyed at once.
	opened  chan struct{}
	ledgers []openLedger
	anchor  *anchor.Log
	api     *api.Server
	binding *epcisrest.Server
	web     *web.Server
	tracer  *trace.Tracer

	// indexing is told how far the store has come that makes an index again.
	indexing func(done, of uint64)
	index    *indexHealth

	// sealing is true while this process seals; adopting guards what of the folder is adopted, and whether it polls.
	sealing  atomic.Bool
	adopting sync.Mutex
	adopted  []*connectors.Instance
	polling  bool

	listener net.Listener
	// adminKey is the secret of the admin key that this start made, or "".
	adminKey string
	closers  []func() error
}

// OpenHub opens everything and listens; nothing flows yet. What was opened is closed again when it fails.
func OpenHub(ctx context.Context, cfg Config, log *zap.Logger) (*Hub, error) {
	h, err := openHub(ctx, cfg, log, indexingLog(log))
	if err != nil {
		return nil, err
	}
	// The last step: a start that fails would take the key with it.
	if h.adminKey, err = api.EnsureAdmin(ctx, h.store, now()); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// indexingLog logs how far an index has come that is made again.
func indexingLog(log *zap.Logger) func(done, of uint64) {
	return func(done, of uint64) {
		log.Info("making the index of recorded events again", zap.Uint64("done", done), zap.Uint64("of", of))
	}
}

// openHub opens everything and makes no admin key.
func openHub(ctx context.Context, cfg Config, log *zap.Logger, indexing func(done, of uint64)) (*Hub, error) {
	h := &Hub{cfg: cfg, log: log, registry: telemetry.Registry(), catalog: &catalog{}, opened: make(chan struct{}, 1), indexing: indexing}
	h.index = newIndexHealth(log, h.registry)
	for _, step := range []func(context.Context) error{
		h.openTelemetry, h.openStore, h.openPipeline, h.openAnchor, h.openConnectors, h.openFaces, h.openBinding, h.listen,
	} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

func (h *Hub) openTelemetry(ctx context.Context) error {
	stop, err := telemetry.Tracing(ctx, h.cfg.Telemetry.OTLP, version())
	if err != nil {
		return err
	}
	h.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return stop(ctx)
	})
	return nil
}

func (h *Hub) openStore(ctx context.Context) error {
	var err error
	for _, dir := range []string{h.cfg.data(), h.cfg.keys("")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return hub.Faultf(hub.Unavailable, "data.folder", "cannot make the folder %s", dir).Because(cause(err)).WithHint(dataHint)
		}
	}
	if err := h.lockData(); err != nil {
		return err
	}
	if h.store, h.leases, err = h.cfg.openDatabase(ctx, opening{indexing: h.indexing, damaged: h.index.told}); err != nil {
		return err
	}
	h.onClose(h.store.Close)
	return nil
}

// lockData keeps other processes from the data folder before anything in it is opened: a newer release, which a backup at night may
// be, would bring the store to its schema beneath a hub that runs. Where stream and store are elsewhere, nothing in it is shared.
func (h *Hub) lockData() error {
	if h.cfg.shared() && h.cfg.Stream.URL != "" {
		return nil
	}
	lock, err := pipeline.Lock(h.cfg.stream().Dir)
	if err != nil {
		return err
	}
	h.onClose(lock.Close)
	return nil
}

func (h *Hub) openPipeline(ctx context.Context) (err error) {
	if h.schemas, err = schemas.Open(); err != nil {
		return err
	}
	h.breakers = connectors.NewBreakers(h.store, h.log, now)
	h.master = &masterData{statements: h.store.Statements, now: now}
	validate := withoutAdvice(h.schemas.With(schemas.ValidateOptions{Rules: true}).ValidateEvent)
	stream := h.cfg.stream()
	stream.Locked = true
	h.pipeline, err = pipeline.Open(ctx, stream, pipeline.Deps{
		Normaliser: pipeline.NewNormaliser(h.catalog.Instance, validate, now),
		Appender:   recorder{h}, Morgue: h.store,
		Log: h.log, Metrics: h.registry, Tracer: otel.GetTracerProvider(), Now: now,
	})
	if err != nil {
		return err
	}
	h.onClose(h.pipeline.Close)
	return nil
}

// withoutAdvice drops what GS1's own published samples do as well: sensor attributes that stand at two levels, sensor
// times after the event's, a field that is stated twice alike. A connector takes what its owner has; the EPCIS capture
// interface holds its clients to the whole standard.
func withoutAdvice(validate func([]byte) error) func([]byte) error {
	return func(event []byte) error {
		faults := slices.DeleteFunc(appendFaults(nil, validate(event)), func(f *hub.Fault) bool {
			return strings.HasPrefix(f.Code, "rule.sensor-") || f.Code == "rule.field-twice"
		})
		return faults.Err()
	}
}

// recorder appends, and tells the anchor that there may be leaves to seal, the EPCIS streams that there are events, and the
// breakers what became of each record.
type recorder struct{ h *Hub }

// Append implements pipeline.Appender.
func (r recorder) Append(ctx context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error) {
	verdicts, err := r.h.store.Append(ctx, outcomes)
	if err == nil && r.h.anchor != nil {
		r.h.anchor.Nudge()
	}
	if err == nil && r.h.binding != nil {
		r.h.binding.Nudge()
	}
	if err == nil && r.h.breakers.Observe(ctx, outcomes, verdicts) {
		select {
		case r.h.opened <- struct{}{}:
		default:
		}
	}
	return verdicts, err
}

func (h *Hub) openAnchor(context.Context) error {
	key, err := h.cfg.Anchor.algorithm().LoadOrCreateKey(h.cfg.keys("log.key"), h.cfg.Anchor.Origin)
	if err != nil {
		return err
	}
	ledgers := make([]anchor.Ledger, 0, len(h.cfg.Anchor.ledgers()))
	for _, c := range h.cfg.Anchor.ledgers() {
		l, err := c.open(&h.cfg, h.log, key.Public())
		if err != nil {
			return err
		}
		h.onClose(l.Close)
		h.ledgers, ledgers = append(h.ledgers, l), append(ledgers, l.Ledger)
	}
	h.anchor, err = anchor.New(anchor.Options{
		Key: key, Leaves: h.store, Journal: h.store, Ledgers: ledgers, Quorum: h.cfg.Anchor.Quorum,
		MaxLeaves: uint64(h.cfg.Anchor.MaxLeaves), MaxAge: h.cfg.Anchor.MaxAge,
		TargetCost: h.cfg.Anchor.TargetCost, MaxDelay: h.cfg.Anchor.MaxDelay,
		Now: now, Logger: h.log, Registerer: h.registry, Tracer: otel.Tracer("suyuan/anchor"),
	})
	return err
}

func (h *Hub) openConnectors(context.Context) error {
	h.host = connectors.New(connectors.Config{
		Publisher: h.pipeline, Busy: h.pipeline.Busy, Positions: h.store, Log: h.log, Metrics: h.registry, Drain: h.cfg.Drain, Now: now,
	})
	h.folder = newFolder(h.cfg.path(h.cfg.Connectors), h.log, h.registry)
	var err error
	if h.loaded, h.footprint, err = h.folder.load(nil); err != nil {
		return err
	}
	h.breakers.Set(h.loaded.instances)
	parts := informed(h.loaded.parts, h.master.lookup)
	h.catalog.byID.Store(&parts) // the instances are applied by Run: nothing flows before everything stands
	return nil
}

func (h *Hub) openFaces(context.Context) error {
	h.tracer = trace.New(h.store, candidates)
	prover := &prover{h: h}
	h.api = api.New(api.Deps{
		Log: h.log, Now: now, Keys: h.store, Intake: intake{h}, Rewind: intake{h}, Setup: setup{h}, Records: h.store, Tracer: h.tracer, Anchors: prover, AnchorStatus: h.anchorStatus,
		Morgue: morgue{h}, Backups: backups{h}, Checks: h.checks, Registerer: h.registry, Version: version(),
		Metrics: promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}),
	})
	pages, err := h.cfg.templates()
	if err != nil {
		return err
	}
	h.web, err = web.New(web.Options{Tracer: h.tracer, Prover: pageProver{prover}, Templates: pages, Log: h.log})
	return err
}

func (h *Hub) listen(ctx context.Context) error {
	if err := h.cfg.checkTLS(); err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", h.cfg.Listen)
	if err != nil {
		return unlistenable(h.cfg.Listen, err,
			"if another program has the address, or a hub that runs already, stop it or choose another with listen: or --listen")
	}
	h.listener = l
	return nil
}

// URL is where the hub is reached: by everyone if that is configured, else from its own machine.
func (h *Hub) URL() string {
	if h.cfg.PublicURL != "" {
		return h.cfg.PublicURL
	}
	bound := h.cfg
	bound.Listen = h.listener.Addr().String() // with the port that :0 has become
	return localURL(bound)
}

// handler mounts the faces side by side.
func (h *Hub) handler() http.Handler {
	mux := http.NewServeMux()
	h.api.Mount(mux)
	if h.binding != nil {
		for _, p := range h.binding.Patterns() {
			mux.Handle(p, h.binding)
		}
	}
	if !h.cfg.hasRole(roleWeb) {
		return api.InTime(mux)
	}
	for _, p := range h.web.Patterns() {
		mux.Handle(p, h.web)
	}
	return api.InTime(h.web.Around(mux))
}

// Run lets data flow until ctx ends, then drains against the direction of the flow's source: no new requests, no new
// reads, what is in flight is recorded and anchored.
func (h *Hub) Run(ctx context.Context) error {
	consume, stopConsuming := context.WithCancel(context.WithoutCancel(ctx))
	defer stopConsuming()
	seal, stopSealing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSealing()
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	fatal := make(chan error, 4)
	var consumers, sealers, servers sync.WaitGroup
	if h.cfg.hasRole(rolePipeline) {
		consumers.Go(func() { report(fatal, "run pipeline", h.pipeline.Run(consume)) })
	}
	sealers.Go(func() { report(fatal, "run anchor", h.seal(seal)) })
	if err := h.adopt(ctx, h.loaded); err != nil {
		return err
	}
	server := &http.Server{
		Handler: h.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: zap.NewStdLog(h.log.Named("http")),
	}
	servers.Go(func() { report(fatal, "serve", h.serve(server)) })
	servers.Go(func() { h.watch(watching) })
	servers.Go(func() { h.obeyBreakers(watching) })
	if h.cfg.shared() {
		servers.Go(func() { h.poll(watching) })
	}
	if h.binding != nil {
		servers.Go(func() { report(fatal, "run the EPCIS binding", h.binding.Run(watching)) })
	}
	h.log.Info("serving", zap.String("url", h.URL()), zap.String("version", version()))

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-fatal:
		stopWatching()
	}
	h.log.Info("draining")
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.Drain)
	defer cancel()
	if err := server.Shutdown(stop); err != nil { // requests that outlast the drain are cut; they were not answered
		h.log.Warn("requests were cut off", zap.Error(server.Close()))
	}
	servers.Wait()
	h.host.Close()
	stopConsuming()
	consumers.Wait()
	if h.sealing.Load() {
		if err := h.anchor.Flush(stop); err != nil {
			h.log.Warn("not everything is anchored yet; the next start goes on", zap.Error(err))
		}
	}
	stopSealing()
	sealers.Wait()
	return failure
}

// report passes on why a part of the hub ended, if it was not asked to.
func report(fatal chan<- error, what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, http.ErrServerClosed) {
		fatal <- fmt.Errorf("%s: %w", what, err)
	}
}

func (h *Hub) serve(server *http.Server) error {
	if t := h.cfg.TLS; t != nil {
		return server.ServeTLS(h.listener, h.cfg.path(t.Cert), h.cfg.path(t.Key))
	}
	return server.Serve(h.listener)
}

func (h *Hub) onClose(f func() error) { h.closers = append(h.closers, f) }

// Close releases what OpenHub took, newest first.
func (h *Hub) Close() error {
	var errs []error
	if h.listener != nil {
		_ = h.listener.Close() // closed already where the server ran
	}
	for _, closer := range slices.Backward(h.closers) {
		errs = append(errs, closer())
	}
	h.closers = nil
	return errors.Join(errs...)
}
