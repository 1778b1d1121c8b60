package mqtt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
	"github.com/eclipse/paho.golang/paho/session/state"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/broker"
	"github.com/suyuan-io/suyuan/hub"
)

// source is one connection.
type source struct {
	options  *Options
	client   *paho.Client
	session  session.SessionManager
	messages chan *paho.Publish
	ended    chan error
	closing  chan struct{}
	early    early
	// read and settled count items: an item's number is its token.
	read, settled uint64
}

// token is what Settle needs of an item.
type token struct {
	number uint64
	packet *packets.Publish
}

// held is a session whose messages are acknowledged by Settle: the client would do it as soon as it has handed a message
// over.
type held struct{ session.SessionManager }

// Ack implements [session.SessionManager].
func (held) Ack(*packets.Publish) error { return nil }

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(hub.Position) error { return broker.NoPosition() }

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "broker.url", "the url is not valid").Because(err)
	}
	secure, err := o.TLS.Config(env.Dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, broker.Timeout)
	defer cancel()
	conn, err := dial(ctx, u, secure)
	if err != nil {
		return nil, broker.Unavailable("connect", err)
	}
	s := &source{
		options: o, session: state.NewInMemory(), messages: make(chan *paho.Publish, o.Prefetch),
		ended: make(chan error, 1), closing: make(chan struct{}),
	}
	s.client = paho.NewClient(paho.ClientConfig{
		Conn: packets.NewThreadSafeConn(conn), Session: held{s.session},
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){s.receive},
		OnServerDisconnect: func(d *paho.Disconnect) {
			s.end(fmt.Errorf("the broker ends the connection: reason 0x%02x", d.ReasonCode))
		},
		OnClientError: s.end,
	})
	answer, err := s.client.Connect(ctx, o.connect(env))
	if err != nil {
		return nil, errors.Join(connectFault(answer, err), s.session.Close())
	}
	if err := s.subscribe(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (o *Options) connect(env connectors.Env) *paho.Connect {
	seconds, window := uint32(o.Session.Seconds()), uint16(o.Prefetch)
	return &paho.Connect{
		ClientID: cmp.Or(o.ClientID, "suyuan-"+string(env.Connector)), KeepAlive: 30, CleanStart: false,
		Username: o.User, UsernameFlag: o.User != "",
		Password: []byte(o.Password.Reveal()), PasswordFlag: o.Password.IsSet(),
		Properties: &paho.ConnectProperties{SessionExpiryInterval: &seconds, ReceiveMaximum: &window},
	}
}

// subscribe asks for the topics at QoS 1. What is kept of a topic comes with the first subscription only.
func (s *source) subscribe(ctx context.Context) error {
	packet := &paho.Subscribe{}
	for _, filter := range s.options.Topics {
		packet.Subscriptions = append(packet.Subscriptions, paho.SubscribeOptions{Topic: filter, QoS: 1, RetainHandling: 1})
	}
	answer, err := s.client.Subscribe(ctx, packet)
	if answer == nil && err != nil {
		return broker.Unavailable("subscribe", err)
	}
	for i, reason := range answer.Reasons {
		if f := subscribeFault(s.options.Topics[min(i, len(s.options.Topics)-1)], reason); f != nil {
			return f
		}
	}
	return nil
}

// early are the messages that come before the subscription is confirmed. Mosquitto 2.0 sends a resumed session all that it
// has kept, whatever window was agreed, and the confirmation after that: to stop reading would be to wait for ever.
type early struct {
	mu       sync.Mutex
	over     bool
	messages []*paho.Publish
}

// add takes a message, unless early is over.
func (e *early) add(m *paho.Publish) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.over {
		e.messages = append(e.messages, m)
	}
	return !e.over
}

// take returns the next early message and ends the adding.
func (e *early) take() (*paho.Publish, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	if len(e.messages) == 0 {
		return nil, false
	}
	m := e.messages[0]
	e.messages[0], e.messages = nil, e.messages[1:]
	return m, true
}

// receive takes a message from the client. It waits while the host is behind: at QoS 1 the broker stops before that.
func (s *source) receive(p paho.PublishReceived) (bool, error) {
	if s.early.add(p.Packet) {
		return true, nil
	}
	select {
	case s.messages <- p.Packet:
	case <-s.closing:
	}
	return true, nil
}

// end notes why the connection is over; the first reason counts.
func (s *source) end(err error) {
	select {
	case s.ended <- err:
	default:
	}
}

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	for {
		m, ok := s.early.take()
		if !ok {
			var err error
			if m, err = broker.Await(ctx, s.messages, s.ended); err != nil {
				return connectors.Item{}, err
			}
		}
		s.read++
		item := s.item(m)
		if slices.ContainsFunc(s.options.Topics, func(filter string) bool { return matches(filter, m.Topic) }) {
			return item, nil
		}
		// The session still holds a subscription that the instance file held once.
		if err := s.Settle(ctx, item, nil); err != nil {
			return connectors.Item{}, err
		}
	}
}

func (s *source) item(m *paho.Publish) connectors.Item {
	item := connectors.Item{Origin: m.Topic, Body: m.Payload, Token: token{s.read, m.Packet()}}
	property := func(string) string { return "" }
	if m.Properties != nil {
		item.ContentType, property = m.Properties.ContentType, m.Properties.User.Get
	}
	item.ID = s.options.ID.Value(m.Payload, property)
	if item.ID == "" {
		sequence := s.options.Sequence.Value(m.Payload, property)
		item.ID = broker.Digest([]byte(m.Topic), m.Payload, []byte(sequence))
	}
	return item
}

// Settle implements [connectors.Source]: it acknowledges. A refused message is acknowledged as well, because MQTT has no
// place to move it to.
func (s *source) Settle(_ context.Context, item connectors.Item, _ error) error {
	t, ok := item.Token.(token)
	if !ok {
		return hub.Faultf(hub.Internal, "mqtt.token", "the item has another source's token")
	}
	if t.number <= s.settled {
		return nil
	}
	if t.packet.QoS > 0 {
		if err := s.session.Ack(t.packet); err != nil {
			return broker.Unavailable("acknowledge", err)
		}
	}
	s.settled = t.number
	return nil
}

// Close implements [connectors.Source]. The broker keeps the session.
func (s *source) Close() error {
	close(s.closing)
	_ = s.client.Disconnect(&paho.Disconnect{}) // on a broken connection there is nobody to tell
	<-s.client.Done()
	return s.session.Close()
}
