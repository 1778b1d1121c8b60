package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// pullMessages is how many frames one request to the server asks for.
	pullMessages = 64
	// pullWait is how long a request waits for them; after it another is made, so that one that was lost is soon forgotten. The
	// server ends it pullMargin earlier.
	pullWait, pullMargin = 2 * time.Second, 200 * time.Millisecond
)

// puller asks the server for frames, one request after another, over one subscription.
//
// It does so itself, because the client library ends a request at the server's word that it is complete. A server of a replicated
// stream says so before the frames, which wait for its replicas (nats-server 2.15): the library drops them, and they come again 5 s
// later, to be dropped again as long as there are enough for a whole request.
type puller struct {
	nc    *nats.Conn
	next  string // the subject of requests
	bytes int    // of one request
	inbox string
	asked int
	came  chan *nats.Msg
	sub   *nats.Subscription
}

// newPuller subscribes to what comes for requests to the partition's consumer. Close it when done.
func newPuller(nc *nats.Conn, partition string, bytes int) (*puller, error) {
	p := &puller{
		nc: nc, next: jetstream.DefaultAPIPrefix + "CONSUMER.MSG.NEXT." + streamName + "." + consumerName(partition), bytes: bytes,
		inbox: nc.NewInbox(), came: make(chan *nats.Msg, 4*pullMessages),
	}
	var err error
	p.sub, err = nc.ChanSubscribe(p.inbox+".*", p.came)
	return p, err
}

// close ends the subscription and gives back what nobody has taken. Frames that were taken can be acknowledged after it.
func (p *puller) close() {
	_ = p.sub.Unsubscribe()
	for {
		select {
		case m := <-p.came:
			_ = m.Nak() // a status has nobody to tell; a frame is at worst handed out again later
		default:
			return
		}
	}
}

// pull makes one request and gives what comes to use, which must not block for long. It returns when the request is over: when all
// that was asked for, or that the server has said to have sent, has come, or after pullWait. What comes later is given to the next.
func (p *puller) pull(ctx context.Context, use func(*nats.Msg)) error {
	p.asked++
	reply := p.inbox + "." + strconv.Itoa(p.asked)
	request, err := json.Marshal(struct {
		Expires time.Duration `json:"expires"`
		Batch   int           `json:"batch"`
		Bytes   int           `json:"max_bytes"`
	}{pullWait - pullMargin, pullMessages, p.bytes})
	if err != nil {
		return err
	}
	if err := p.nc.PublishRequest(p.next, reply, request); err != nil {
		return err
	}
	over := time.NewTimer(pullWait)
	defer over.Stop()
	for left := pullMessages; left > 0; {
		select {
		case m := <-p.came:
			status := m.Header.Get("Status")
			switch {
			case status == "" || len(m.Data) > 0:
				use(m)
				left--
			case m.Subject == reply:
				unsent, err := unsent(m, status)
				if err != nil {
					return err
				}
				left -= unsent
			}
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// unsent is what the server says of how many frames of a request it has not sent and will not. It is an error when the request has
// come to nothing.
func unsent(m *nats.Msg, status string) (int, error) {
	if status == "100" { // it is there
		return 0, nil
	}
	n, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		return 0, fmt.Errorf("ask for frames: %s %s", status, m.Header.Get("Description"))
	}
	return n, nil
}
