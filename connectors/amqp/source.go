package amqp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/rabbitmq/amqp091-go"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
)

// source is one connection.
type source struct {
	options  *Options
	conn     *amqp091.Connection
	messages <-chan amqp091.Delivery
	ended    chan error
	// settled is the highest delivery tag that was settled: the broker ends the channel when one is settled twice.
	settled uint64
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(hub.Position) error { return broker.NoPosition() }

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	conn, err := o.connect(ctx, env)
	if err != nil {
		return nil, err
	}
	s := &source{options: o, conn: conn, ended: make(chan error, 1)}
	if err := s.consume(env); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (o *Options) connect(ctx context.Context, env connectors.Env) (*amqp091.Connection, error) {
	secure, err := o.TLS.Config(env.Dir)
	if err != nil {
		return nil, err
	}
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName("suyuan " + string(env.Connector))
	config := amqp091.Config{
		TLSClientConfig: secure, Heartbeat: 10 * time.Second, Properties: properties,
		SASL: []amqp091.Authentication{&amqp091.PlainAuth{Username: o.User, Password: o.Password.Reveal()}},
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{Timeout: broker.Timeout}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// The client lifts the deadline once the connection is open.
			return conn, conn.SetDeadline(time.Now().Add(broker.Timeout))
		},
	}
	if o.User == "" {
		config.SASL = []amqp091.Authentication{&amqp091.ExternalAuth{}}
	}
	conn, err := amqp091.DialConfig(o.URL, config)
	if err != nil {
		return nil, o.fault("connect", err)
	}
	return conn, nil
}

// consume opens the queue for reading.
func (s *source) consume(env connectors.Env) error {
	channel, err := s.conn.Channel()
	if err != nil {
		return s.options.fault("open a channel", err)
	}
	if err := channel.Qos(s.options.Prefetch, 0, false); err != nil {
		return s.options.fault("set the prefetch", err)
	}
	closed := channel.NotifyClose(make(chan *amqp091.Error, 1))
	s.messages, err = channel.Consume(s.options.Queue, "suyuan-"+string(env.Connector), false, false, false, false, nil)
	if err != nil {
		return s.options.fault("read the queue", err)
	}
	go func() {
		if reason := <-closed; reason != nil {
			s.ended <- reason
		}
	}()
	return nil
}

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	d, err := broker.Await(ctx, s.messages, s.ended)
	if err != nil {
		return connectors.Item{}, err
	}
	header := func(name string) string {
		if v, ok := d.Headers[name]; ok && v != nil {
			return fmt.Sprint(v)
		}
		return ""
	}
	id := cmp.Or(s.options.ID.Value(d.Body, header), d.MessageId)
	if id == "" {
		id = broker.Digest([]byte(d.RoutingKey), d.Body)
	}
	return connectors.Item{ID: id, Origin: s.options.Queue, ContentType: d.ContentType, Body: d.Body, Token: d}, nil
}

// Settle implements [connectors.Source]: it acknowledges, or rejects a refused message, which the broker moves to the
// queue's dead-letter exchange where there is one.
func (s *source) Settle(_ context.Context, item connectors.Item, refused error) error {
	d, ok := item.Token.(amqp091.Delivery)
	if !ok {
		return hub.Faultf(hub.Internal, "amqp.token", "the item has another source's token")
	}
	if d.DeliveryTag <= s.settled {
		return nil
	}
	var err error
	if refused != nil {
		err = d.Reject(false)
	} else {
		err = d.Ack(false)
	}
	if err != nil {
		return broker.Unavailable("acknowledge", err)
	}
	s.settled = d.DeliveryTag
	return nil
}

// Close implements [connectors.Source]. The broker takes back what was not settled.
func (s *source) Close() error {
	err := s.conn.CloseDeadline(time.Now().Add(broker.Timeout))
	if err != nil && !errors.Is(err, amqp091.ErrClosed) {
		return broker.Unavailable("disconnect", err)
	}
	return nil
}

// fault classifies an error of the client.
func (o *Options) fault(doing string, err error) error {
	var reason *amqp091.Error
	switch {
	case !errors.As(err, &reason):
	case errors.Is(err, amqp091.ErrCredentials), reason.Code == amqp091.AccessRefused, reason.Code == amqp091.NotAllowed:
		return broker.Unauthorized("to "+doing, err)
	case reason.Code == amqp091.NotFound && strings.Contains(reason.Reason, "queue"):
		return broker.Missing("queue", o.Queue, err)
	case reason.Code == amqp091.NotFound:
		return broker.Missing("virtual host", o.URL, err)
	}
	return broker.Unavailable(doing, err)
}
