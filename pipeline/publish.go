package pipeline

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// publisher commits in groups. Whoever publishes while a frame is on its way to the disk waits in the queue; when the
// frame is synced, everything that waits goes into the next one, and most of those who have just been answered if they come again
// at once (gather). So the cost of a sync is shared by as many callers as there are, and a lone caller waits for nobody. A second
// frame beside the one on its way makes both smaller, which costs more than it gains (docs/performance.md).
type publisher struct {
	send    func(ctx context.Context, subject string, frame []byte) error
	subject func(connector hub.ConnectorID) string
	limit   int // bytes of envelopes in a frame, and of one record; most frames are full before
	bound   int // bytes that may wait
	metrics *metrics

	// room and sealer are of the goroutine that commits: what a frame is made in, at most limit bytes each.
	room   []byte
	sealer sealer

	mu     sync.Mutex
	queue  []part
	bytes  int // in queue
	wanted int // how many in queue make a frame worth its sync
	closed bool
	wake   chan struct{}
	done   chan struct{}
}

// call is one caller of Publish.
type call struct {
	parts int // not settled yet; guarded by publisher.mu
	err   error
	done  chan struct{}
	one   [1]part // room for the part of a call that is a single envelope, as most are
}

// part is what of a call goes into one frame: one encoded envelope, whose memory is used again once it is in its frame.
type part struct {
	call      *call
	connector hub.ConnectorID
	bytes     *[]byte
	records   int
}

//nolint:gochecknoglobals // a pool of scratch space
var encodings = sync.Pool{New: func() any { return new([]byte) }}

func (p *publisher) start() {
	p.wake, p.done = make(chan struct{}, 1), make(chan struct{})
	go p.commit()
}

// publish encodes envelopes in the caller's goroutine, queues them, and waits until they are durable or have failed.
func (p *publisher) publish(ctx context.Context, envelopes []hub.Envelope) error {
	c := &call{done: make(chan struct{})}
	parts, err := p.encode(c, envelopes)
	if err != nil || len(parts) == 0 {
		return err
	}
	if err := p.enqueue(c, parts); err != nil {
		return err
	}
	gone := ctx.Done()
	if gone == nil { // a select of one way costs several times a plain receive
		<-c.done
		return c.err
	}
	select {
	case <-c.done:
		return c.err
	case <-gone:
		return hub.Faultf(hub.Unavailable, "pipeline.gone", "the caller stopped waiting for the disk").Because(ctx.Err())
	}
}

// encode encodes envelopes, cutting those that are over a frame's limits between two records.
func (p *publisher) encode(c *call, envelopes []hub.Envelope) ([]part, error) {
	parts := c.one[:0]
	if len(envelopes) > 1 {
		parts = make([]part, 0, len(envelopes))
	}
	for i := range envelopes {
		env := envelopes[i]
		all := env.Records
		for len(all) > 0 {
			n, size, err := p.fit(&env, all)
			if err != nil {
				return nil, err
			}
			env.Records, all = all[:n], all[n:]
			b, _ := encodings.Get().(*[]byte)
			*b = appendEnvelope(slices.Grow((*b)[:0], size), &env)
			parts = append(parts, part{call: c, connector: env.Connector, bytes: b, records: n})
		}
	}
	return parts, nil
}

// fit returns how many of records fit into one frame under env's head, and the encoded size.
func (p *publisher) fit(env *hub.Envelope, records []hub.Record) (n, size int, err error) {
	const tag = 6 // the envelope's own tag and length
	size = tag + headSize(env)
	for n < len(records) && n < maxFrameRecords {
		s := recordTotal(&records[n])
		if size+s > p.limit || n > 0 && size+s > p.full() {
			break
		}
		size += s
		n++
	}
	if n == 0 {
		ref := hub.RecordRef{Connector: env.Connector, ID: records[0].ID}
		return 0, 0, hub.Faultf(hub.TooLarge, "record.too-large", "record %s has %d bytes with what precedes it, at most %d are allowed",
			ref, len(env.Preamble)+len(records[0].Body), p.limit).
			At(hub.Where{File: env.Origin, Line: records[0].Line, Column: records[0].Column}).
			WithHint("split it at its source, or raise maxFrame")
	}
	return n, size, nil
}

// enqueue takes parts for the next frames, or refuses at once when too much waits already.
func (p *publisher) enqueue(c *call, parts []part) error {
	size := 0
	for _, q := range parts {
		size += len(*q.bytes)
	}
	c.parts = len(parts)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return hub.Faultf(hub.Unavailable, "pipeline.stopping", "the hub is stopping").WithHint("retry in a moment")
	case p.bytes > 0 && p.bytes+size > p.bound:
		p.metrics.shed.Inc()
		return hub.Faultf(hub.Unavailable, "pipeline.busy", "%d bytes wait to be written, at most %d may", p.bytes, p.bound).
			WithHint("records arrive faster than the disk takes them: retry with back-off")
	}
	idle := len(p.queue) == 0
	p.queue = append(p.queue, parts...)
	p.bytes += size
	if idle || p.enough() { // between these two it would wake up for nothing
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// enough reports whether what waits makes a frame: as many as are wanted, all that fit, or so much that others are about to be
// refused. The caller holds p.mu.
func (p *publisher) enough() bool {
	return p.closed || len(p.queue) >= p.wanted || p.bytes >= min(p.full(), p.bound/2)
}

// fullFrame is how many bytes of envelopes make a frame worth its sync. Larger ones sync no faster, and what becomes of their records
// fits into no cache.
const fullFrame = 2 << 20

// full is how many bytes of envelopes a frame of more than one record has at most.
func (p *publisher) full() int { return min(p.limit, fullFrame) }

// gathering bounds how long a frame waits for callers to come again.
const gathering = 2 * time.Millisecond

// gather waits until the queue holds three of four callers that there seem to be: those who were answered by the last frame, and
// those who wait already. Without it a frame of all callers is followed by one of the first who come again, and so on by turns, for
// two syncs where one does; the last of four are answered and read while the disk works. It waits no longer than the last frame
// took.
func (p *publisher) gather(answered int, took time.Duration) {
	p.mu.Lock()
	p.wanted = (answered + len(p.queue)) * 3 / 4
	enough := p.enough()
	p.mu.Unlock()
	if enough {
		return
	}
	timer := time.NewTimer(min(took, gathering))
	defer timer.Stop()
	for !enough {
		select {
		case <-p.wake:
		case <-timer.C:
			return
		}
		p.mu.Lock()
		enough = p.enough()
		p.mu.Unlock()
	}
}

// commit writes frame after frame until the publisher is closed and its queue is empty.
//
// A crash before send returns leaves the frame in the stream or not: its callers were not answered and publish again, and
// the records' ids make that harmless. After send returned the frame is durable, whether or not the callers hear of it.
func (p *publisher) commit() {
	defer close(p.done)
	for {
		runtime.Gosched() // who is about to publish comes along: fewer and larger frames where the processors are busy
		group, closed := p.take()
		if len(group) > 0 {
			began := time.Now()
			p.settle(group, p.write(group))
			p.gather(len(group), time.Since(began))
			continue
		}
		if closed {
			return
		}
		<-p.wake
	}
}

// take removes from the queue what the next frame holds.
func (p *publisher) take() (group []part, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size, records := 0, 0, 0
	for n < len(p.queue) && n < maxFrameEnvelopes {
		q := p.queue[n]
		if n > 0 && (size+len(*q.bytes) > p.full() || records+q.records > maxFrameRecords) {
			break
		}
		size, records, n = size+len(*q.bytes), records+q.records, n+1
	}
	group = p.queue[:n:n]
	p.queue = p.queue[n:]
	p.bytes -= size
	p.metrics.queued.Set(float64(p.bytes))
	return group, p.closed
}

// write makes one frame of group durable.
func (p *publisher) write(group []part) error {
	size, records := 0, 0
	connector := group[0].connector
	for _, q := range group {
		size, records = size+len(*q.bytes), records+q.records
		if q.connector != connector {
			connector = mixed
		}
	}
	if cap(p.room) < size {
		p.room = make([]byte, 0, size)
	}
	envelopes := p.room[:0]
	for _, q := range group {
		envelopes = append(envelopes, *q.bytes...)
		encodings.Put(q.bytes)
	}
	ctx, cancel := context.WithTimeout(context.Background(), brokerTimeout)
	defer cancel()
	began := time.Now()
	err := p.send(ctx, p.subject(connector), p.sealer.seal(envelopes))
	p.metrics.sync.Observe(time.Since(began).Seconds())
	if err != nil {
		p.metrics.publishFailed.Inc()
		return publishFault(err)
	}
	p.metrics.frames.Inc()
	p.metrics.frameRecords.Observe(float64(records))
	p.metrics.published.Add(float64(records))
	return nil
}

// settle answers the callers whose last part this was. Of several failures a caller hears the first.
func (p *publisher) settle(group []part, err error) {
	answered := make([]*call, 0, len(group))
	p.mu.Lock()
	for _, q := range group {
		if q.call.err == nil {
			q.call.err = err
		}
		if q.call.parts--; q.call.parts == 0 {
			answered = append(answered, q.call)
		}
	}
	p.mu.Unlock()
	for _, c := range answered { // without the lock, on which they would wait for each other
		close(c.done)
	}
}

// close refuses new calls and returns when those that wait are answered.
func (p *publisher) close() {
	p.mu.Lock()
	already := p.closed
	p.closed = true
	p.mu.Unlock()
	if !already {
		close(p.wake)
	}
	<-p.done
}
