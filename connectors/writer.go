package connectors

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// What one call of Publish takes at most from a source.
const (
	groupRecords = 1000
	groupBytes   = 4 << 20
)

// write makes entries durable in groups, and gives them to the keeper, which stores the position and hands finished items
// back. While one group is being synced the next one gathers, so a group is as large as the disk is slow.
func (s *session) write(ctx context.Context) (err error) {
	defer s.discard()
	k := s.keeper(ctx)
	defer func() {
		if kerr := k.close(); err == nil {
			err = kerr
		}
	}()
	at := s.r.mark().At
	for {
		group := s.gather()
		if len(group) == 0 {
			return nil
		}
		s.await(ctx)
		err := s.persist(ctx, func() error { return s.publish(ctx, group) })
		if err != nil {
			return err
		}
		s.release(group)
		s.account(group)
		m := markAfter(at, group)
		if err := k.add(m, group); err != nil {
			return err
		}
		at = m.At
	}
}

// await waits while recording is behind, unless reading is over.
func (s *session) await(ctx context.Context) {
	const often = 50 * time.Millisecond
	for s.r.host.cfg.Busy() {
		t := time.NewTimer(often)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		case <-s.ending:
			t.Stop()
			return
		}
	}
}

// stored notes that a position is stored, and so that the session works.
func (s *session) stored() {
	s.worked.Store(true)
	s.r.board.change(func(st *Status) {
		if st.State == StateRetrying {
			st.State, st.Since = StateReading, s.r.host.cfg.Now()
		}
	})
}

// discard empties the channel after a failure at the end. What it held was not durable and comes again.
func (s *session) discard() {
	for e := range s.entries {
		s.release([]entry{e})
	}
}

// gather waits for one entry and takes what else is there.
func (s *session) gather() []entry {
	first, ok := <-s.entries
	if !ok {
		return nil
	}
	group, size := []entry{first}, len(first.record.Body)
	for len(group) < groupRecords && size < groupBytes {
		select {
		case e, ok := <-s.entries:
			if !ok {
				return group
			}
			group = append(group, e)
			size += len(e.record.Body)
		default:
			return group
		}
	}
	return group
}

// persist tries until it succeeds, with back-off; once reading is over a failure is final.
func (s *session) persist(ctx context.Context, step func() error) error {
	delays := s.r.delays()
	for {
		err := step()
		if err == nil {
			return nil
		}
		delay := delays.NextBackOff()
		select {
		case <-s.ending:
			return err
		default:
			s.r.failed(err, StateRetrying, delay)
		}
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-s.ending: // one last attempt
			t.Stop()
		}
	}
}

// publish makes the group's records durable. When the stream refuses the group for what is in it, it goes record by
// record, so that one bad record cannot hold up the others; a record that is refused alone keeps its beginning only.
func (s *session) publish(ctx context.Context, group []entry) error {
	envelopes := s.envelopes(group)
	if len(envelopes) == 0 {
		return nil
	}
	err := s.r.host.cfg.Publisher.Publish(ctx, envelopes...)
	if err == nil || !itemsOwn(err) {
		return err
	}
	if len(group) > 1 {
		half := len(group) / 2
		if err := s.publish(ctx, group[:half]); err != nil {
			return err
		}
		return s.publish(ctx, group[half:])
	}
	e := &group[0]
	if e.record.Refused != nil {
		return hub.Faultf(hub.Internal, "host.publish", "the stream refuses even the beginning of a record").Because(err)
	}
	e.record.Refused = withoutCause(hub.AsFault(err))
	e.record.Body = e.record.Body[:min(len(e.record.Body), refusedHead)]
	e.preamble = nil
	return s.publish(ctx, group)
}

func withoutCause(f *hub.Fault) *hub.Fault {
	plain := *f
	plain.Err = nil
	return &plain
}

// envelopes packs consecutive records that share origin, content type and preamble.
func (s *session) envelopes(group []entry) []hub.Envelope {
	var out []hub.Envelope
	now := s.r.host.cfg.Now().UTC()
	for i := range group {
		e := &group[i]
		if !e.hasRecord {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Origin == e.item.Origin && out[n-1].ContentType == e.item.ContentType &&
			bytes.Equal(out[n-1].Preamble, e.preamble) {
			out[n-1].Records = append(out[n-1].Records, e.record)
			continue
		}
		out = append(out, hub.Envelope{
			Connector: s.r.inst.ID, Provider: s.r.inst.Provider, ReceivedAt: now, ContentType: e.item.ContentType,
			Origin: e.item.Origin, Preamble: e.preamble, Records: []hub.Record{e.record},
		})
	}
	return out
}

// markAfter is the mark once group is durable; at is the position before it.
func markAfter(at hub.Position, group []entry) mark {
	m := mark{At: at}
	for i := range group {
		e := &group[i]
		if e.end {
			m = mark{At: e.item.Position}
			continue
		}
		m.Item, m.Done = e.item.ID, e.n
	}
	return m
}

func (s *session) release(group []entry) {
	inFlight, weight := 0, int64(0)
	for i := range group {
		weight += group[i].weight
		if group[i].hasRecord {
			inFlight++
		}
	}
	s.records.Release(int64(len(group)))
	s.bytes.Release(weight)
	s.r.board.inFlight.Add(-int64(inFlight))
}

func (s *session) account(group []entry) {
	records, size, items := 0, 0, 0
	for i := range group {
		if group[i].hasRecord {
			records++
			size += len(group[i].record.Body)
		}
		if group[i].end {
			items++
		}
	}
	if records > 0 {
		s.r.board.published(items, records, size)
		return
	}
	s.r.board.change(func(st *Status) { st.Counts.Items += uint64(items) })
}

// finishedItems are items whose records are durable and whose position is stored, on their way back to the reader.
type finishedItems struct {
	mu        sync.Mutex
	items     []finishedItem
	interrupt func()
	timer     *time.Timer
	// news holds one token while there may be items.
	news chan struct{}
}

type finishedItem struct {
	item    *Item
	refused error
}

// settleGrace is how long a Next that blocks is left alone when something is finished: most return by themselves.
const settleGrace = 50 * time.Millisecond

func (f *finishedItems) add(group []entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.items)
	for i := range group {
		if group[i].end {
			f.items = append(f.items, finishedItem{group[i].item, group[i].refused})
		}
	}
	if len(f.items) == before {
		return
	}
	notify(f.news)
	if f.interrupt != nil && f.timer == nil {
		f.timer = time.AfterFunc(settleGrace, f.interrupt)
	}
}

func (f *finishedItems) take() []finishedItem {
	f.mu.Lock()
	defer f.mu.Unlock()
	items := f.items
	f.items = nil
	return items
}

// arm sets what interrupts a blocking Next, unless something is finished already.
func (f *finishedItems) arm(interrupt func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.items) > 0 {
		return false
	}
	f.interrupt = interrupt
	return true
}

func (f *finishedItems) disarm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.interrupt = nil
	if f.timer != nil {
		f.timer.Stop()
		f.timer = nil
	}
}
