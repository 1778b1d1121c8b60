package pipeline

import (
	"context"
	"errors"
	"math"
	"runtime"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/suyuan-io/suyuan/hub"
)

// Run consumes the raw stream until ctx is done, then finishes what is in flight, for cfg.Drain at most, and returns nil.
// It also takes up the replays that a crash interrupted, and removes from the stream what is processed and out of date.
//
// What is true after a crash, along the way of a frame:
//
//	published, not handed out    in the stream; handed out at the next start
//	handed out, not appended     unacknowledged in the stream; handed out again 5 s later
//	appended, not acknowledged   recorded and unacknowledged; handed out again, every record of it is Repeated
//	acknowledged                 recorded; kept in the stream for replay until its time is over
//
// So a record is normalised at least once and recorded exactly once, and recovery is the normal way.
func (p *Pipeline) Run(ctx context.Context) error {
	d := p.deps
	if d.Normaliser == nil || d.Appender == nil || d.Morgue == nil {
		return hub.Faultf(hub.Internal, "pipeline.deps", "Run needs a normaliser, an appender and a morgue")
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	life, end := p.lifetime(work)
	defer end()
	group := newAppendGroup(d.Appender, p.cfg.Batch, d.Log, p.metrics, d.Now)
	appended := make(chan struct{})
	go func() { defer close(appended); group.run(life) }()
	p.group.Store(group)
	defer p.group.Store(nil)

	sub := p.subscriber(life, group)
	router, err := p.router(sub)
	if err != nil {
		return err
	}
	kept := make(chan struct{})
	go func() { defer close(kept); p.resume(work); p.keeper.run(work) }()
	err = router.Run(work)
	stop()
	sub.wait()
	end()
	sub.reporter.Wait()
	<-appended
	<-kept
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// lifetime is the context of frames in flight: it ends cfg.Drain after ctx.
func (p *Pipeline) lifetime(ctx context.Context) (life context.Context, end context.CancelFunc) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(p.cfg.Drain)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-life.Done():
		}
	})
	return life, func() { stop(); cancel() }
}

func (p *Pipeline) subscriber(life context.Context, group *appendGroup) *subscriber {
	return &subscriber{
		open: func(ctx context.Context) (*puller, error) {
			if err := openConsumer(ctx, p.link.js, p.cfg.Partition); err != nil {
				return nil, err
			}
			return newPuller(p.link.nc, p.cfg.Partition, max(p.cfg.InFlight/2, int(p.link.nc.MaxPayload())+frameOverhead))
		},
		life:  func() context.Context { return life },
		group: group,

		recorded: p.behind.recorded,
		budget:   int64(p.cfg.InFlight),
		log:      p.deps.Log,
		metrics:  p.metrics,
	}
}

// router builds the way of a frame. From the outside in: observe it, try passing faults again without end, make a dead
// letter of a frame that can never be handled, turn a panic into an error, carry the correlation id, handle.
func (p *Pipeline) router(sub *subscriber) (*message.Router, error) {
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: p.cfg.Drain + 5*time.Second}, routerLog{p.deps.Log})
	if err != nil {
		return nil, err
	}
	poison, err := middleware.PoisonQueueWithFilter(undertaker{p}, poisonTopic, permanent)
	if err != nil {
		return nil, err
	}
	retry := middleware.Retry{
		MaxRetries:      math.MaxInt32,
		InitialInterval: 20 * time.Millisecond,
		MaxInterval:     5 * time.Second,
		Multiplier:      2,
		ShouldRetry: func(r middleware.RetryParams) bool {
			return !permanent(r.Err) && !errors.Is(r.Err, context.Canceled)
		},
		ResetContextOnRetry: true,
		Logger:              routerLog{p.deps.Log},
	}
	h := &handler{
		normaliser: p.deps.Normaliser, slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		log: p.deps.Log, metrics: p.metrics, now: p.deps.Now, tracer: p.deps.Tracer.Tracer(tracerName),
	}
	router.AddMiddleware(h.observe, retry.Middleware, poison, noteFault, middleware.Recoverer, middleware.CorrelationID)
	router.AddConsumerHandler("normalise", rawSubject(p.cfg.Partition, ">"), sub, h.handle)
	return router, nil
}

// permanent reports whether err will be the same the next time, so that the frame is to become a dead letter. A passing
// fault and a stop never are; everything else is: bytes that are no frame, a panic.
func permanent(err error) bool {
	return err != nil && hub.KindOf(err) != hub.Unavailable &&
		!errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
