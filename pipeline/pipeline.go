package pipeline

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// Deps is what a pipeline works with. A process that only publishes needs none of the first three.
type Deps struct {
	Normaliser Normaliser
	Appender   Appender
	Morgue     Morgue
	// Log, Metrics, Tracer and Now may be nil: silence, private metrics, no spans, and the system's clock.
	Log     *zap.Logger
	Metrics prometheus.Registerer
	Tracer  trace.TracerProvider
	Now     func() time.Time
}

func (d Deps) withDefaults() Deps {
	if d.Log == nil {
		d.Log = zap.NewNop()
	}
	if d.Tracer == nil {
		d.Tracer = noop.NewTracerProvider()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

// Pipeline is the way from acceptance to the store. Publish and the methods on dead letters may be called from Open to
// Close, concurrently; Run consumes.
type Pipeline struct {
	cfg       Config
	deps      Deps
	embedded  *embedded // nil on a cluster
	link      *link
	limit     int // bytes of envelopes in a frame
	publisher *publisher
	keeper    *keeper
	behind    *behind
	metrics   *metrics

	quit    context.CancelFunc
	watched sync.WaitGroup
	group   atomic.Pointer[appendGroup] // while Run runs
	closing sync.Once
	closed  error
}

// Open connects to the raw stream, starting the embedded server unless cfg names a cluster, and makes the stream ready.
// Faults: Invalid for a bad cfg, Unavailable when the directory is in use by another process or the cluster cannot be
// reached. Close the pipeline when done.
func Open(ctx context.Context, cfg Config, deps Deps) (*Pipeline, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p := &Pipeline{cfg: cfg.withDefaults(), deps: deps.withDefaults()}
	var err error
	if p.metrics, err = newMetrics(p.deps.Metrics); err != nil {
		return nil, err
	}
	if p.cfg.embedded() {
		if p.embedded, err = startEmbedded(p.cfg, p.deps.Log); err != nil {
			return nil, err
		}
	}
	if err = p.connect(ctx); err != nil {
		if p.embedded != nil {
			err = errors.Join(err, p.embedded.close())
		}
		return nil, err
	}
	p.limit = p.link.frameLimit(p.cfg)
	p.keeper = &keeper{
		cfg: p.cfg, link: p.link, now: p.deps.Now, log: p.deps.Log, metrics: p.metrics, nudged: make(chan struct{}, 1),
	}
	p.publisher = &publisher{
		send: p.send, limit: p.limit, bound: p.cfg.MaxQueue, metrics: p.metrics,
		subject: func(c hub.ConnectorID) string { return rawSubject(p.cfg.Partition, string(c)) },
	}
	p.behind = newBehind(p.cfg.MaxLag, p.deps.Now)
	p.publisher.start()
	p.watch()
	return p, nil
}

// connect opens the link and makes the partition's consumer, so that the keeper knows of a partition that is published to
// before anyone consumes it.
func (p *Pipeline) connect(ctx context.Context) (err error) {
	if p.link, err = openLink(ctx, p.cfg, p.embedded, p.deps.Log); err != nil {
		return err
	}
	if err = openConsumer(ctx, p.link.js, p.cfg.Partition); err != nil {
		p.link.nc.Close()
	}
	return err
}

// Publish makes envelopes durable in the raw stream; see connectors.Publisher, which it implements. Records without which
// a frame would be too large come back as a fault of kind TooLarge; every other failure is Unavailable.
func (p *Pipeline) Publish(ctx context.Context, envelopes ...hub.Envelope) error {
	if p.embedded != nil && p.embedded.full.Load() {
		p.metrics.publishFailed.Inc()
		return p.cfg.diskFull("")
	}
	for i := range envelopes {
		if err := checkEnvelope(&envelopes[i]); err != nil {
			return err
		}
	}
	return p.publisher.publish(ctx, envelopes)
}

// checkEnvelope refuses what could not be told apart or addressed later.
func checkEnvelope(env *hub.Envelope) error {
	if err := hub.CheckName(string(env.Connector)); err != nil {
		return err
	}
	for i := range env.Records {
		if env.Records[i].ID == "" {
			return hub.Faultf(hub.Invalid, "record.no-id", "record %d of connector %s has no id", i+1, env.Connector)
		}
	}
	return nil
}

// send makes one frame durable: JetStream answers after its sync under [Strict].
func (p *Pipeline) send(ctx context.Context, subject string, frame []byte) error {
	if p.embedded != nil {
		var cancel context.CancelFunc
		ctx, cancel = p.embedded.whileHealthy(ctx)
		defer cancel()
	}
	ack, err := p.link.js.Publish(ctx, subject, frame)
	switch {
	case err == nil:
		p.behind.published(ack.Sequence)
	case streamFull(err):
		p.keeper.nudge()
	}
	return err
}

// watchInterval is how often the embedded server is looked after.
const watchInterval = 500 * time.Millisecond

// watch looks after the embedded server, and after the lag, until Close.
func (p *Pipeline) watch() {
	ctx, quit := context.WithCancel(context.Background())
	p.quit = quit
	p.watched.Go(func() { p.watchLag(ctx) })
	if p.embedded == nil {
		return
	}
	p.watched.Go(func() {
		tick := time.NewTicker(watchInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				p.embedded.lookAfter()
			}
		}
	})
}

// Close waits for the publishers that wait, closes the connection and stops the embedded server. Stop Run first.
func (p *Pipeline) Close() error {
	p.closing.Do(func() {
		p.publisher.close()
		p.quit()
		p.watched.Wait()
		p.link.nc.Close()
		if p.embedded != nil {
			p.closed = p.embedded.close()
		}
	})
	return p.closed
}
