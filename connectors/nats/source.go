package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
)

// source is one connection.
type source struct {
	conn     *nats.Conn
	pull     jetstream.MessagesContext
	messages chan jetstream.Msg
	ended    chan error
	closing  chan struct{}
	// unsettled are the items that were handed out, in order.
	unsettled []delivery
}

// delivery is one message on its way; it is its item's token.
type delivery struct {
	sequence uint64
	msg      jetstream.Msg
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(hub.Position) error { return broker.NoPosition() }

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.Timeout)
	defer cancel()
	conn, err := o.connect(env)
	if err != nil {
		return nil, err
	}
	consumer, err := o.consumer(ctx, env, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	pull, err := consumer.Messages(jetstream.PullMaxMessages(o.Prefetch))
	if err != nil {
		conn.Close()
		return nil, o.fault("pull", err)
	}
	s := &source{
		conn: conn, pull: pull, messages: make(chan jetstream.Msg), ended: make(chan error, 1), closing: make(chan struct{}),
	}
	go s.receive()
	return s, nil
}

// receive hands over what the client pulls until that ends; the client notices a server that has gone silent only while
// somebody waits for a message.
func (s *source) receive() {
	defer close(s.messages)
	for {
		msg, err := s.pull.Next()
		if err != nil {
			s.ended <- err
			return
		}
		select {
		case s.messages <- msg:
		case <-s.closing: // Close takes what is left
			s.messages <- msg
		}
	}
}

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	for {
		msg, err := broker.Await(ctx, s.messages, s.ended)
		if err != nil {
			return connectors.Item{}, err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return connectors.Item{}, hub.Faultf(hub.Internal, "nats.metadata", "a message does not say where it stands").Because(err)
		}
		d := delivery{meta.Sequence.Stream, msg}
		if slices.ContainsFunc(s.unsettled, d.same) {
			continue // it took longer than ackWait: the one that is under way will be acknowledged
		}
		s.unsettled = append(s.unsettled, d)
		item := connectors.Item{
			ID: msg.Headers().Get(jetstream.MsgIDHeader), Origin: msg.Subject(), ContentType: msg.Headers().Get("Content-Type"),
			Body: msg.Data(), Token: d,
		}
		if item.ID == "" {
			item.ID = fmt.Sprintf("%s/%d", meta.Stream, meta.Sequence.Stream)
		}
		return item, nil
	}
}

func (d delivery) same(other delivery) bool { return d.sequence == other.sequence }

// Settle implements [connectors.Source]: it acknowledges, or has the server give a refused message up.
func (s *source) Settle(_ context.Context, item connectors.Item, refused error) error {
	d, ok := item.Token.(delivery)
	if !ok {
		return hub.Faultf(hub.Internal, "nats.token", "the item has another source's token")
	}
	settle := d.msg.Ack
	if refused != nil {
		settle = d.msg.Term
	}
	if err := settle(); err != nil && !errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
		return broker.Unavailable("acknowledge", err)
	}
	s.unsettled = slices.DeleteFunc(s.unsettled, d.same)
	return nil
}

// backDelay is after how long a message that went back comes again. The server sorts what becomes due together; without a
// delay the first one would go behind the others, because the server tries it on the connection that is closing.
const backDelay = 100 * time.Millisecond

// Close implements [connectors.Source]. What was delivered and not settled goes back, so that it comes again at once and
// before what follows it.
func (s *source) Close() error {
	s.pull.Drain()
	close(s.closing)
	for msg := range s.messages {
		s.unsettled = append(s.unsettled, delivery{msg: msg})
	}
	for _, d := range s.unsettled {
		_ = d.msg.NakWithDelay(backDelay) // on a broken connection the server finds out by itself
	}
	_ = s.conn.FlushTimeout(broker.Timeout) // as above
	s.conn.Close()
	return nil
}
