package connectors

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/suyuan-io/suyuan/hub"
)

// maxInFlightBytes bounds the bytes of one source that are read but not yet durable.
const maxInFlightBytes = 32 << 20

// session is one opening of a source. The reading goroutine calls the source and fills entries; the writing goroutine
// makes them durable; the keeper stores positions; what is finished goes back to the reader, which settles it, because a
// source is called from one goroutine at a time.
type session struct {
	r        *runner
	src      Source
	entries  chan entry
	records  *semaphore.Weighted
	bytes    *semaphore.Weighted
	finished finishedItems
	// ending is closed when reading is over: the writer then tries once more and gives up.
	ending chan struct{}
	// worked is set when something succeeded: the next fault is then a first one.
	worked atomic.Bool
	// resume is where a mid-item mark of the last run points to, until its item comes.
	resume mark
	// held is the last record that was read, if there is one: whether it ends its item is not known yet.
	held    entry
	holding bool
}

// entry is one record on its way to the writer, or, with no record, the end of an item.
type entry struct {
	item      *Item
	preamble  []byte
	record    hub.Record
	hasRecord bool
	// n is the record's number in its item, from 1.
	n int
	// end is set on the last entry of an item; refused is then what Settle is told.
	end     bool
	refused error
	// weight is what it holds of the in-flight bytes.
	weight int64
}

// session opens the source and works until a fault or until ctx is done; then it drains. It reports whether anything
// succeeded.
func (r *runner) session(ctx context.Context) (worked bool, err error) {
	opener, ok := r.inst.Options.(Opener)
	if !ok {
		return false, hub.Faultf(hub.Internal, "kind.no-opener", "the kind %s neither opens nor listens", r.inst.Kind)
	}
	src, err := opener.Open(ctx, r.env())
	if err != nil {
		return false, err
	}
	s := &session{
		r: r, src: src, resume: r.mark(), ending: make(chan struct{}),
		entries:  make(chan entry, r.inst.Limits.InFlight),
		records:  semaphore.NewWeighted(int64(r.inst.Limits.InFlight)),
		bytes:    semaphore.NewWeighted(maxInFlightBytes),
		finished: finishedItems{news: make(chan struct{}, 1)},
	}
	err = s.run(ctx)
	return s.worked.Load(), err
}

func (s *session) run(ctx context.Context) error {
	drain, expire := context.WithCancel(context.WithoutCancel(ctx))
	defer expire()
	wrote := make(chan error, 1)
	go func() { wrote <- s.write(drain) }()

	readErr := s.readAll(ctx)
	close(s.ending)
	close(s.entries)
	timer := time.AfterFunc(s.r.host.cfg.Drain, expire)
	defer timer.Stop()
	writeErr := <-wrote
	settleErr := s.settle(drain)
	closeErr := s.src.Close()
	if ctx.Err() != nil && errors.Is(readErr, ctx.Err()) {
		readErr = nil // asked to stop: only a failure to drain is one
	}
	for _, err := range []error{readErr, writeErr, settleErr, closeErr} {
		if err != nil {
			return err
		}
	}
	return nil
}

// readAll reads items until a fault or until ctx is done.
func (s *session) readAll(ctx context.Context) error {
	s.r.board.enter(StateReading)
	for {
		if err := s.settle(ctx); err != nil {
			return err
		}
		item, err := s.next(ctx)
		switch {
		case errors.Is(err, errSettleFirst):
			continue
		case errors.Is(err, io.EOF):
			s.caughtUp()
			if err := s.idle(ctx); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			s.r.board.enter(StateReading)
			if err := s.read(ctx, item); err != nil {
				return err
			}
		}
	}
}

func (s *session) caughtUp() {
	s.worked.Store(true)
	s.r.board.enter(StateWaiting)
}

// idle waits for the instance's interval, and settles meanwhile.
func (s *session) idle(ctx context.Context) error {
	t := time.NewTimer(s.r.inst.Interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-s.finished.news:
			if err := s.settle(ctx); err != nil {
				return err
			}
		}
	}
}

// errSettleFirst interrupts a blocking Next because finished items wait to be settled.
var errSettleFirst = errors.New("settle first")

// next calls the source. When something is finished while Next blocks, Next is interrupted, so that an upstream that
// gives no more before it is acknowledged cannot wait for us while we wait for it.
func (s *session) next(ctx context.Context) (Item, error) {
	interruptible, interrupt := context.WithCancel(ctx)
	defer interrupt()
	if !s.finished.arm(interrupt) {
		return Item{}, errSettleFirst
	}
	item, err := s.src.Next(interruptible)
	s.finished.disarm()
	if err != nil && ctx.Err() != nil {
		return Item{}, ctx.Err()
	}
	if err != nil && interruptible.Err() != nil {
		return Item{}, errSettleFirst
	}
	return item, err
}

// settle tells the source what became of the finished items.
func (s *session) settle(ctx context.Context) error {
	for _, f := range s.finished.take() {
		if err := s.src.Settle(ctx, *f.item, f.refused); err != nil {
			s.worked.Store(false) // the items come again: without a growing delay that would go round and round
			return err
		}
	}
	return nil
}

// read cuts one item into records and hands them to the writer.
func (s *session) read(ctx context.Context, item Item) error {
	skip := 0
	if s.resume.Item != "" && s.resume.Item == item.ID {
		skip, s.resume = s.resume.Done, mark{}
	}
	s.holding = false
	var refused error
	n := 0
	err := s.cut(item, func(c cut) error {
		if n++; n <= skip {
			return nil
		}
		if c.record.Refused != nil {
			refused = c.record.Refused
		}
		return s.offer(ctx, entry{item: &item, preamble: c.preamble, record: c.record, hasRecord: true, n: n})
	})
	if err != nil {
		if !itemsOwn(err) {
			return err
		}
		refused = err
	}
	if refused != nil {
		s.r.board.failed(refused)
		s.r.board.change(func(st *Status) { st.Counts.Refused++ })
	}
	return s.endItem(ctx, &item, refused)
}

// cut cuts an item into records.
func (s *session) cut(item Item, yield func(cut) error) error {
	c := cutter{splitter: s.r.inst.Splitter, limit: int(s.r.inst.Limits.Record)}
	if item.Open == nil {
		return c.bytes(item.ID, item.Body, yield)
	}
	body, err := item.Open()
	if err != nil {
		return err
	}
	err = c.run(item.ID, body, yield)
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	return err
}

// itemsOwn reports whether a fault lies in the item itself, so that trying again cannot help and later items must not
// wait for it.
func itemsOwn(err error) bool {
	switch hub.KindOf(err) {
	case hub.Invalid, hub.TooLarge, hub.Unsupported, hub.Conflict:
		return true
	default:
		return false
	}
}

// offer holds e back until the next record or the end of the item shows whether it is the last.
func (s *session) offer(ctx context.Context, e entry) error {
	if s.holding {
		if err := s.send(ctx, s.held); err != nil {
			return err
		}
	}
	s.held, s.holding = e, true
	return nil
}

func (s *session) endItem(ctx context.Context, item *Item, refused error) error {
	last := entry{item: item}
	if s.holding {
		last, s.held, s.holding = s.held, entry{}, false
	}
	last.end, last.refused = true, refused
	return s.send(ctx, last)
}

// send gives e to the writer once the limits allow it.
func (s *session) send(ctx context.Context, e entry) error {
	if e.hasRecord && s.r.limiter != nil {
		if err := s.r.limiter.Wait(ctx); err != nil {
			return err
		}
	}
	if err := s.records.Acquire(ctx, 1); err != nil {
		return err
	}
	e.weight = min(int64(len(e.record.Body)), maxInFlightBytes)
	if err := s.bytes.Acquire(ctx, e.weight); err != nil {
		return err
	}
	if e.hasRecord {
		s.r.board.inFlight.Add(1)
	}
	s.entries <- e // as many places as records may be acquired: it does not block
	return nil
}
