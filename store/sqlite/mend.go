package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/postings"
)

// place is what is made again as one: a slice of a run, or, at level 0, a segment with the run that it began with.
type place struct {
	level int
	first int64
	slice int
}

// String says which events p is of.
func (p place) String() string {
	return fmt.Sprintf("level %d, events from %d on, slice %d", p.level, p.first, p.slice)
}

// damage is the cause of the fault that a part is missing or is not what was written.
type damage struct{ place }

// Error implements error.
func (d *damage) Error() string { return d.String() }

// damaged is the fault that what is kept of p is damaged. It passes: [mender].
func damaged(p place) *hub.Fault {
	f := hub.Faultf(hub.Unavailable, "store.index", "a part of the index is damaged").
		WithHint("it is made again from the recorded events; ask again").Because(&damage{p})
	f.MessageZh, f.HintZh = "索引的一部分已损坏", "正在根据已记录的事件重建，请稍后再试"
	return f
}

// mender makes what turns out to be damaged again from the events, one place after the other, beside whoever appends and reads.
type mender struct {
	tell func(parts int, err error)

	mu     sync.Mutex
	known  []place // the first is being mended
	mend   func(ctx context.Context, p place) error
	ctx    context.Context //nolint:containedctx // that of what runs in the background
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// start lets m mend what was reported and what will be, until stop.
func (m *mender) start(mend func(ctx context.Context, p place) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.mend = mend
	if len(m.known) > 0 {
		m.work.Go(m.run)
	}
}

// stop ends what m does. What is damaged is found again.
func (m *mender) stop() {
	m.cancel()
	m.work.Wait()
}

// report notes that p is damaged, unless that is known.
func (m *mender) report(p place) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Contains(m.known, p) {
		return
	}
	m.known = append(m.known, p)
	m.tell(len(m.known), damaged(p))
	if m.mend != nil && len(m.known) == 1 && m.ctx.Err() == nil {
		m.work.Go(m.run)
	}
}

// run mends what is known, and what becomes known meanwhile. What cannot be mended is tried again, at last every minute.
func (m *mender) run() {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = time.Minute
	for {
		m.mu.Lock()
		p := m.known[0]
		m.mu.Unlock()
		pause.Reset()
		_, err := backoff.Retry(m.ctx, func() (struct{}, error) { return struct{}{}, m.mend(m.ctx, p) },
			backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0),
			backoff.WithNotify(func(err error, _ time.Duration) { m.failed(p, err) }))
		if err != nil || m.mended() == 0 { // only the end of m.ctx is an error
			return
		}
	}
}

func (m *mender) failed(p place, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() == nil {
		m.tell(len(m.known), fmt.Errorf("make a part of the index again: %s: %w", p, err))
	}
}

// mended forgets the first place and returns how many are left.
func (m *mender) mended() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = m.known[1:]
	m.tell(len(m.known), nil)
	return len(m.known)
}

// mend makes a place again. hold keeps others from appending while it is written, which is short. A place that was merged away or
// made again meanwhile is left alone.
func (x *index) mend(ctx context.Context, p place, hold func() (release func())) error {
	var write func(tx executor) error
	var err error
	if v := x.now.Load(); p.level > 0 {
		write, err = x.remakeSlice(ctx, v, p)
	} else {
		write, err = x.remakeSegment(ctx, v, p)
	}
	if err != nil || write == nil {
		return err
	}
	defer hold()()
	if p.level > 0 && x.now.Load().at(p) == nil {
		return nil
	}
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := write(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	x.progress = x.progress.resumed()
	return nil
}

// at returns the run that readers ask at a place, nil where there is none any more.
func (v *view) at(p place) *run {
	i := slices.IndexFunc(v.runs, func(r *run) bool { return r.Level == p.level && r.First == p.first })
	if i < 0 {
		return nil
	}
	return v.runs[i]
}

// remakeSegment makes a segment again, and returns what writes it; nil when there is none.
func (x *index) remakeSegment(ctx context.Context, v *view, p place) (write func(tx executor) error, err error) {
	i := slices.IndexFunc(v.segments, func(s *sealed) bool { return s.First == p.first })
	if i < 0 {
		return nil, nil
	}
	b, err := x.remake(ctx, v.segments[i])
	if err != nil {
		return nil, err
	}
	return func(tx executor) error {
		if x.now.Load().at(p) == nil { // its run was merged with others: only what stays with it is its own
			clear(b.Parts[:postings.Sets])
		}
		_, err := x.put(ctx, tx, &b)
		return err
	}, nil
}

// remakeSlice makes a slice of a run again out of its segments, of which only what belongs to the slice is kept.
func (x *index) remakeSlice(ctx context.Context, v *view, p place) (write func(tx executor) error, err error) {
	r := v.at(p)
	if r == nil {
		return nil, nil
	}
	var sources []*postings.Run
	var parts [][2][][]byte
	for _, s := range v.segments {
		if !r.covers(s.First) {
			continue
		}
		b, err := x.remake(ctx, s)
		if err != nil {
			return nil, err
		}
		var of [2][][]byte
		for kind := range of {
			from, to := b.Run.Span(postings.Kind(kind), &r.Run, p.slice)
			of[kind] = slices.Clone(b.Parts[kind][from:to])
		}
		sources, parts = append(sources, &postings.Run{First: b.First, Len: int64(b.Len), Entries: b.Run.Entries}), append(parts, of)
	}
	made, err := r.Merge(p.slice, sources, func(i int, kind postings.Kind, _, _ int) ([][]byte, error) { return parts[i][kind], nil })
	if err != nil {
		return nil, err
	}
	return func(tx executor) error { return r.putSlice(ctx, tx, p.slice, made) }, nil
}

// remake makes a segment again from its events.
func (x *index) remake(ctx context.Context, s *sealed) (postings.Bytes, error) {
	const batch = 2000
	r := postings.NewRecent(s.First, postings.Room{})
	for n := 0; n < s.Len; n = r.Len() {
		entries, err := x.entries(ctx, uint64(s.First)+uint64(n), min(s.Len-n, batch))
		if err != nil {
			return postings.Bytes{}, err
		}
		if len(entries) == 0 {
			return postings.Bytes{}, fmt.Errorf("event %d is missing", s.First+int64(n))
		}
		for i := range entries {
			e := &entries[i]
			if e.Seq != s.First+int64(n+i) {
				return postings.Bytes{}, fmt.Errorf("event %d is missing", s.First+int64(n+i))
			}
			r.Add(e.Time, e.Names[:], e.Things, e.Facets)
		}
	}
	return r.Seal()
}
