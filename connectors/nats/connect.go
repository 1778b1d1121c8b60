package nats

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
)

// connect opens one connection, which is never mended: the host opens the source anew.
func (o *Options) connect(env connectors.Env) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("suyuan " + string(env.Connector)), nats.NoReconnect(), nats.Timeout(broker.Timeout),
		nats.PingInterval(20 * time.Second), nats.MaxPingsOutstanding(2),
	}
	if o.TLS != nil || strings.HasPrefix(o.URL, "tls:") {
		secure, err := o.TLS.Config(env.Dir)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(secure))
	}
	switch {
	case o.User != "":
		opts = append(opts, nats.UserInfo(o.User, o.Password.Reveal()))
	case o.Token.IsSet():
		opts = append(opts, nats.Token(o.Token.Reveal()))
	case o.Credentials.IsSet():
		opts = append(opts, nats.UserCredentialBytes([]byte(o.Credentials.Reveal())))
	}
	conn, err := nats.Connect(o.URL, opts...)
	if err != nil {
		return nil, o.fault("connect", err)
	}
	return conn, nil
}

// consumer finds the durable consumer, fits it to the options, or creates it. Where it begins is decided once.
func (o *Options) consumer(ctx context.Context, env connectors.Env, conn *nats.Conn) (jetstream.Consumer, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, o.fault("use JetStream", err)
	}
	stream, err := js.Stream(ctx, o.Stream)
	if err != nil {
		return nil, o.fault("open the stream", err)
	}
	name := cmp.Or(o.Consumer, "suyuan-"+string(env.Connector))
	config := jetstream.ConsumerConfig{
		Durable: name, AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverAllPolicy, MaxDeliver: -1,
	}
	if o.From == "new" {
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	found, err := stream.Consumer(ctx, name)
	switch {
	case err == nil:
		config = found.CachedInfo().Config
	case !errors.Is(err, jetstream.ErrConsumerNotFound):
		return nil, o.fault("open the consumer", err)
	}
	if err == nil && config.AckWait == o.AckWait && config.MaxAckPending == o.Prefetch && slices.Equal(filters(config), o.Subjects) {
		return found, nil
	}
	config.AckWait, config.MaxAckPending = o.AckWait, o.Prefetch
	config.FilterSubject, config.FilterSubjects = "", o.Subjects
	made, err := stream.CreateOrUpdateConsumer(ctx, config)
	if err != nil {
		return nil, o.fault("create the consumer", err)
	}
	return made, nil
}

// filters are a consumer's subjects, however it states them.
func filters(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// fault classifies an error of the client.
func (o *Options) fault(doing string, err error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked),
		errors.Is(err, nats.ErrPermissionViolation):
		return broker.Unauthorized("to "+doing, err)
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return broker.Missing("stream", o.Stream, err)
	}
	return broker.Unavailable(doing, err)
}
