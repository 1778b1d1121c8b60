package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// The names of the raw stream, as docs/formats-raw.md states them.
const (
	streamName    = "SUYUAN_RAW"
	subjectPrefix = "suyuan.raw."
	// mixed stands for the connector in the subject of a frame that holds envelopes of several. It is no connector's id.
	mixed = "_"
)

const (
	// ackWait is how long the server waits for a frame to be acknowledged or reported in progress before it hands it out
	// again. It is short because what a crash interrupted waits for it; a repeat in vain is harmless.
	ackWait = 5 * time.Second
	// maxAckPending bounds the frames that all processes of a partition have in flight.
	maxAckPending = 4096
	// brokerTimeout bounds one request to the broker.
	brokerTimeout = 10 * time.Second
)

// rawSubject is the subject of a frame.
func rawSubject(partition, connector string) string {
	return subjectPrefix + partition + "." + connector
}

// dial connects to the embedded server if there is one, else to the cluster. The connection never gives up: while it is
// down, requests fail at once and are the caller's to repeat.
func dial(cfg Config, e *embedded, log *zap.Logger) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("suyuan"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // nothing is buffered that nobody would wait for
		nats.ReconnectWait(250 * time.Millisecond),
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil is Close
				log.Warn("lost the raw stream's server", zap.Error(err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("reached the raw stream's server again") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("raw stream's connection", zap.Error(err))
		}),
	}
	url := cfg.Cluster.URL
	if e != nil {
		url = ""
		opts = append(opts, nats.InProcessServer(e))
		if cfg.Token != "" {
			opts = append(opts, nats.Token(cfg.Token))
		}
	}
	if cfg.Cluster.Credentials != "" {
		opts = append(opts, nats.UserCredentials(cfg.Cluster.Credentials))
	}
	if cfg.Cluster.CA != "" {
		opts = append(opts, nats.RootCAs(cfg.Cluster.CA))
	}
	if cfg.Cluster.Cert != "" {
		opts = append(opts, nats.ClientCert(cfg.Cluster.Cert, cfg.Cluster.Key))
	}
	nc, err := nats.Connect(url, opts...)
	if err != nil {
		return nil, hub.Faultf(hub.Unavailable, "pipeline.unreachable", "the raw stream's server cannot be reached").
			Because(err).WithHint("check url, credentials and ca under stream, and that the NATS server runs")
	}
	return nc, nil
}

// openStream makes the raw stream, or brings an existing one to cfg. It never removes anything by itself: a full stream
// refuses, and [keeper] removes what was processed.
func openStream(ctx context.Context, cfg Config, js jetstream.JetStream) (jetstream.Stream, error) {
	maxBytes := cfg.MaxBytes
	if maxBytes == 0 {
		maxBytes = -1
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        streamName,
		Description: "Raw records as they arrived, until they are recorded and their time is over",
		Subjects:    []string{subjectPrefix + ">"},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardNew,
		Storage:     jetstream.FileStorage,
		MaxBytes:    maxBytes,
		Replicas:    cfg.Cluster.Replicas,
		AllowDirect: true,
		// Records have their own ids, so the broker's window of message ids only costs memory.
		Duplicates: time.Second,
		DenyDelete: true,
	})
	if err != nil {
		return nil, cfg.streamless(err)
	}
	return stream, nil
}

// streamless is the fault of a server that runs and has no raw stream for the hub.
func (c Config) streamless(err error) *hub.Fault {
	hint := "the NATS servers need JetStream, must be as many as replicas under stream, and let the credentials use it"
	if c.embedded() {
		hint = "let the hub's user write in " + c.Dir + ", and see that its disk is not full"
	}
	return hub.Faultf(hub.Unavailable, "pipeline.stream", "the raw stream %s cannot be opened", streamName).Because(err).WithHint(hint)
}

// CheckCluster returns nil when the cluster can be reached and has JetStream, or the fault with which Open would refuse. It makes
// nothing there. The embedded server is not asked.
func (c Config) CheckCluster(ctx context.Context) error {
	c = c.withDefaults()
	if c.embedded() {
		return nil
	}
	nc, err := dial(c, nil, zap.NewNop())
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(brokerTimeout))
	if err == nil {
		_, err = js.AccountInfo(ctx)
	}
	if err != nil {
		return c.streamless(err)
	}
	return nil
}

// openConsumer makes the partition's durable consumer, or brings an existing one to this release. Acknowledgement is
// explicit and not cumulative, because several processes may share the consumer: one must not acknowledge for another.
func openConsumer(ctx context.Context, js jetstream.JetStream, partition string) error {
	_, err := js.CreateOrUpdateConsumer(ctx, streamName, jetstream.ConsumerConfig{
		Durable:       consumerName(partition),
		Description:   "Normalises and records partition " + partition,
		FilterSubject: rawSubject(partition, ">"),
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1,
		MaxAckPending: maxAckPending,
	})
	if err != nil {
		return hub.Faultf(hub.Unavailable, "pipeline.consumer", "the consumer of partition %s cannot be opened", partition).
			Because(err)
	}
	return nil
}

func consumerName(partition string) string { return "suyuan-" + partition }

// streamFull reports whether err says that the stream is at its bound. The server has no code of its own for it.
func streamFull(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && strings.Contains(api.Description, "maximum bytes exceeded")
}

// publishFault says what a failed publish means to the one who called Publish: always that nothing is known.
func publishFault(err error) *hub.Fault {
	switch {
	case streamFull(err):
		return hub.Faultf(hub.Unavailable, "pipeline.raw-full", "the raw stream is at its bound and holds nothing that is processed").
			Because(err).WithHint("records are accepted faster than they are recorded: retry later, or raise maxBytes")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return hub.Faultf(hub.Unavailable, "pipeline.raw-timeout", "the raw stream did not answer within %s", brokerTimeout).
			Because(err).WithHint("the records may be durable or not; send them again: their ids make that harmless")
	}
	return hub.Faultf(hub.Unavailable, "pipeline.raw-failed", "the raw stream cannot be written").
		Because(err).WithHint("send the records again: their ids make that harmless")
}

// link is the connection to the raw stream.
type link struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream
}

func openLink(ctx context.Context, cfg Config, e *embedded, log *zap.Logger) (*link, error) {
	nc, err := dial(cfg, e, log)
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(brokerTimeout))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	stream, err := openStream(ctx, cfg, js)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &link{nc: nc, js: js, stream: stream}, nil
}

// frameLimit is how many bytes of envelopes one frame may hold: what cfg says, or less if the server takes less.
func (l *link) frameLimit(cfg Config) int {
	return min(cfg.MaxFrame, int(l.nc.MaxPayload())-frameOverhead)
}
