package pipeline

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
)

// subscriber hands the frames of one partition to the router, many at a time. Watermill's own NATS subscriber keeps one
// message in flight; this one keeps as many as fit into a budget of bytes, each with its turn in the append group.
//
// A frame is acknowledged to the stream when the router acknowledges the message, that is after its outcomes are
// recorded. A crash before that hands it out again after [ackWait]; a lost acknowledgement does too: repeats are harmless.
type subscriber struct {
	open    func(context.Context) (*puller, error)
	group   *appendGroup
	budget  int64 // bytes in flight, before compression
	log     *zap.Logger
	metrics *metrics
	// life is the context of messages: it outlives the subscription, so that a stop lets what is in flight finish.
	life func() context.Context
	// recorded is told each frame that is recorded, by its sequence.
	recorded func(sequence uint64)

	flying   inFlight
	stop     context.CancelFunc // set by Subscribe
	loop     sync.WaitGroup
	reporter sync.WaitGroup
}

// inFlight is the set of frames that are being processed, or wait to be.
type inFlight struct {
	sync.Mutex
	sync.WaitGroup
	msgs map[*nats.Msg]struct{}
}

type turnKey struct{}

// turnOf returns the turn of the frame that ctx belongs to.
func turnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}

// metaSequence and metaDelivered are the metadata of a message: its place in the stream and how often it was handed out.
const (
	metaSequence  = "stream_sequence"
	metaDelivered = "delivered"
)

// Subscribe implements [message.Subscriber]. The topic is the partition's; it is only a name here.
func (s *subscriber) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	ctx, s.stop = context.WithCancel(ctx)
	s.flying.msgs = make(map[*nats.Msg]struct{})
	out := make(chan *message.Message)
	s.loop.Go(func() {
		defer close(out)
		s.consume(ctx, out)
	})
	s.reporter.Go(func() { s.report(s.life()) })
	return out, nil
}

// Close implements [message.Subscriber]: no further frame is handed out. What is in flight goes on; see wait.
func (s *subscriber) Close() error {
	s.stop()
	s.loop.Wait()
	return nil
}

// wait returns when every frame in flight is settled.
func (s *subscriber) wait() { s.flying.Wait() }

// consume opens the consumer and pulls from it until ctx is done. Whatever ends a pull (a lost consumer, a server that
// restarts) is met by opening the consumer anew, with back-off.
func (s *subscriber) consume(ctx context.Context, out chan<- *message.Message) {
	room := semaphore.NewWeighted(s.budget)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, 5*time.Second
	for {
		from, err := s.open(ctx)
		if err == nil {
			err = s.pullUntil(ctx, from, room, out, pause.Reset)
		}
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("the raw stream cannot be consumed, trying again", zap.Error(err))
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return
		}
	}
}

// pullUntil hands out frames until ctx is done or the pull ends.
func (s *subscriber) pullUntil(
	ctx context.Context, from *puller, room *semaphore.Weighted, out chan<- *message.Message, good func(),
) error {
	ctx, cancel := context.WithCancel(ctx)
	q := &pullQueue{frames: make(chan *nats.Msg, 2*pullMessages), low: make(chan struct{}, 1)}
	var err error
	var pulling sync.WaitGroup
	pulling.Go(func() {
		defer close(q.frames)
		err = s.pullInto(ctx, from, q)
		from.close()
	})
	handed := s.handOut(ctx, q, room, out, good)
	cancel()
	pulling.Wait()
	for m := range q.frames { // never handed out: somebody else, or the next pull, may have them at once
		s.let(m)
		_ = m.Nak()
	}
	return errors.Join(handed, err)
}

// pullQueue holds frames that came from the server and wait for room. They are reported as being worked on, because they may
// wait longer than [ackWait], and more are asked for only when those that may come have a place.
type pullQueue struct {
	frames chan *nats.Msg
	low    chan struct{} // a token after there were few
}

// pullInto fills q until ctx is done or a request fails.
func (s *subscriber) pullInto(ctx context.Context, from *puller, q *pullQueue) error {
	for ctx.Err() == nil {
		if len(q.frames) > pullMessages {
			select {
			case <-q.low:
			case <-ctx.Done():
			}
			continue
		}
		err := from.pull(ctx, func(m *nats.Msg) {
			s.flying.Lock()
			s.flying.msgs[m] = struct{}{}
			s.flying.Unlock()
			q.frames <- m // it has room for all that one request asks for
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// handOut gives the frames of q to the router, in order, as their sizes fit into the budget.
func (s *subscriber) handOut(
	ctx context.Context, q *pullQueue, room *semaphore.Weighted, out chan<- *message.Message, good func(),
) error {
	for {
		m, ok := q.next(ctx)
		if !ok {
			return ctx.Err()
		}
		good()
		size := min(unpackedSize(m.Data), s.budget)
		if err := room.Acquire(ctx, size); err != nil {
			s.let(m)
			_ = m.Nak() // at worst it is handed out again later
			return err
		}
		msg := s.wrap(m)
		s.flying.Add(1)
		go s.settle(m, msg, func() { room.Release(size) })
		select {
		case out <- msg:
		case <-ctx.Done():
			msg.Nack()
			return ctx.Err()
		}
	}
}

// next takes the next frame; false when the pull or ctx has ended.
func (q *pullQueue) next(ctx context.Context) (*nats.Msg, bool) {
	select {
	case m, ok := <-q.frames:
		if len(q.frames) <= pullMessages {
			select {
			case q.low <- struct{}{}:
			default:
			}
		}
		return m, ok
	case <-ctx.Done():
		return nil, false
	}
}

// let forgets a frame that is no longer worked on.
func (s *subscriber) let(m *nats.Msg) {
	s.flying.Lock()
	delete(s.flying.msgs, m)
	s.flying.Unlock()
}

// wrap makes m a message of the router and gives it its turn.
func (s *subscriber) wrap(m *nats.Msg) *message.Message {
	uuid, delivered := m.Subject, "1"
	if meta, err := m.Metadata(); err == nil {
		uuid = strconv.FormatUint(meta.Sequence.Stream, 10)
		delivered = strconv.FormatUint(meta.NumDelivered, 10)
		if meta.NumDelivered > 1 {
			s.metrics.redelivered.Inc()
		}
	}
	msg := message.NewMessageWithContext(context.WithValue(s.life(), turnKey{}, s.group.turn()), uuid, m.Data)
	msg.Metadata.Set(metaSequence, uuid)
	msg.Metadata.Set(metaDelivered, delivered)
	s.metrics.inFlight.Add(float64(unpackedSize(m.Data)))
	return msg
}

// settle waits for the router's word on msg and passes it on to the stream.
func (s *subscriber) settle(m *nats.Msg, msg *message.Message, done func()) {
	defer s.flying.Done()
	var err error
	select {
	case <-msg.Acked():
		if sequence, err := strconv.ParseUint(msg.UUID, 10, 64); err == nil {
			s.recorded(sequence)
		}
		err = m.Ack()
	case <-msg.Nacked():
		turnOf(msg.Context()).release()
		err = m.NakWithDelay(time.Second)
	}
	s.let(m)
	s.metrics.inFlight.Sub(float64(unpackedSize(m.Data)))
	done()
	if err != nil { // the frame is handed out again, which is harmless
		s.log.Debug("cannot acknowledge a frame", zap.String("sequence", msg.UUID), zap.Error(err))
	}
}

// report tells the server from time to time that frames in flight are being worked on, however long a store is down.
func (s *subscriber) report(ctx context.Context) {
	tick := time.NewTicker(ackWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.flying.Lock()
			for m := range s.flying.msgs {
				_ = m.InProgress() // at worst the frame is handed out again
			}
			s.flying.Unlock()
		case <-ctx.Done():
			return
		}
	}
}
