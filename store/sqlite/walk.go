package sqlite

import (
	"cmp"
	"context"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/postings"
	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// walk is a search. Segments are opened one after the other, each when the walk comes to where it begins: in the order of the
// log each by itself, in the order of time as soon as it may hold the next event.
type walk struct {
	relational.Search
	conditions []*condition
	closed     []segment // in the order in which they are opened
	open       []*cursor
}

// cursor walks the candidates of one segment: along its order, or, where they are few, those that were collected.
type cursor struct {
	few   []relational.Spot
	first int64
	set   postings.Set
	times *postings.Times
	// at is an index into the order of the walk: of times.Order, or of places where the walk is by log.
	at    int
	byLog bool
	step  int
	head  relational.Spot
}

// Walk implements [relational.Index].
func (x *index) Walk(_ context.Context, s relational.Search) (relational.Walk, error) {
	w := &walk{Search: s}
	for _, c := range s.Conditions {
		w.conditions = append(w.conditions, newCondition(c))
	}
	for _, part := range x.all() {
		e := part.extent()
		if e.first < s.Seqs[1] && e.first+int64(e.n) > s.Seqs[0] && e.earliest <= s.To && e.latest >= s.From {
			w.closed = append(w.closed, part)
		}
	}
	slices.SortStableFunc(w.closed, func(a, b segment) int {
		one, other := a.extent(), b.extent()
		switch {
		case s.Order.ByLog() && s.Order.Descending():
			return cmp.Compare(other.first, one.first)
		case s.Order.ByLog():
			return cmp.Compare(one.first, other.first)
		case s.Order.Descending():
			return cmp.Compare(other.latest, one.latest)
		}
		return cmp.Compare(one.earliest, other.earliest)
	})
	return w, nil
}

// Next implements [relational.Walk].
func (w *walk) Next(ctx context.Context, n int) ([]relational.Spot, error) {
	var out []relational.Spot
	for len(out) < n {
		best, err := w.reach(ctx)
		if err != nil || best < 0 {
			return out, err
		}
		c := w.open[best]
		out = append(out, c.head)
		if !c.next(&w.Search) {
			w.open = slices.Delete(w.open, best, best+1)
		}
	}
	return out, nil
}

// best is the open segment whose candidate comes next, -1 where there is none.
func (w *walk) best() int {
	best := -1
	for i, c := range w.open {
		if best < 0 || w.compare(c.head, w.open[best].head) < 0 {
			best = i
		}
	}
	return best
}

// compare orders two spots as the walk does.
func (w *walk) compare(a, b relational.Spot) int {
	c := cmp.Compare(a.Seq, b.Seq)
	if !w.Order.ByLog() {
		c = cmp.Or(cmp.Compare(a.Time, b.Time), c)
	}
	if w.Order.Descending() {
		return -c
	}
	return c
}

// reach opens the segments that may hold the next candidate, and returns the one that does, as best does.
func (w *walk) reach(ctx context.Context) (best int, err error) {
	best = w.best()
	for len(w.closed) > 0 && w.mayComeNext(w.closed[0], best) {
		part := w.closed[0]
		w.closed = w.closed[1:]
		c, err := w.enter(ctx, part)
		if err != nil {
			return -1, err
		}
		if c != nil {
			w.open = append(w.open, c)
			best = w.best()
		}
	}
	return best, nil
}

// mayComeNext reports whether a segment may hold a candidate before that of the best open one.
func (w *walk) mayComeNext(part segment, best int) bool {
	if best < 0 {
		return true
	}
	if w.Order.ByLog() {
		return false
	}
	if w.Order.Descending() {
		return part.extent().latest >= w.open[best].head.Time
	}
	return part.extent().earliest <= w.open[best].head.Time
}

// enter finds the candidates of a segment and goes to the first one; nil says that there is none.
func (w *walk) enter(ctx context.Context, part segment) (*cursor, error) {
	e := part.extent()
	c := &cursor{first: e.first, byLog: w.Order.ByLog(), step: 1}
	within := func(seq int64) int { return int(max(min(seq-e.first, int64(e.n)), 0)) }
	c.set.AddRange(within(w.Seqs[0]), within(w.Seqs[1]))
	for _, condition := range w.conditions {
		var set postings.Set
		if err := part.find(ctx, condition, &set); err != nil {
			return nil, err
		}
		if c.set.And(&set); c.set.Empty() {
			return nil, nil //nolint:nilnil // a segment without a candidate
		}
	}
	switch n := c.set.Len(); {
	case n == 0:
		return nil, nil //nolint:nilnil // a segment without a candidate
	case n <= few:
		if err := w.collect(ctx, c, part, c.set.Places()); err != nil {
			return nil, err
		}
	default:
		var err error
		if c.times, err = part.times(ctx); err != nil {
			return nil, err
		}
		w.begin(c)
	}
	if !c.next(&w.Search) {
		return nil, nil //nolint:nilnil // as above
	}
	return c, nil
}

// few is how many candidates of a segment are looked up one by one: the times of all events are a hundred kilobytes.
const few = 128

// collect makes c the candidates at places.
func (w *walk) collect(ctx context.Context, c *cursor, part segment, places []uint16) (err error) {
	if c.few, err = part.spots(ctx, places); err != nil {
		return err
	}
	c.few = slices.DeleteFunc(c.few, func(sp relational.Spot) bool {
		return sp.Time < w.From || sp.Time > w.To || w.After != nil && w.compare(sp, *w.After) <= 0
	})
	slices.SortFunc(c.few, w.compare)
	return nil
}

// begin sets c before its first candidate.
func (w *walk) begin(c *cursor) {
	n := len(c.times.At)
	descending := w.Order.Descending()
	if descending {
		c.step = -1
	}
	switch {
	case w.Order.ByLog():
		c.at = -1
		if descending {
			c.at = n
		}
		if w.After != nil {
			c.at = int(min(max(w.After.Seq-c.first, -1), int64(n)))
		}
	case descending:
		c.at = c.times.From(w.To, c.first+int64(n), c.first)
		if w.After != nil {
			c.at = min(c.at, c.times.From(w.After.Time, w.After.Seq, c.first))
		}
	default:
		c.at = c.times.From(w.From, c.first, c.first) - 1
		if w.After != nil {
			c.at = max(c.at, c.times.From(w.After.Time, w.After.Seq+1, c.first)-1)
		}
	}
}

// next goes to the next candidate and reports whether there is one.
func (c *cursor) next(s *relational.Search) bool {
	if c.times == nil {
		if len(c.few) == 0 {
			return false
		}
		c.head, c.few = c.few[0], c.few[1:]
		return true
	}
	for c.at += c.step; c.at >= 0 && c.at < len(c.times.At); c.at += c.step {
		place := uint16(c.at)
		if !c.byLog {
			place = c.times.Order[c.at]
		}
		if !c.set.Has(place) {
			continue
		}
		at := c.times.At[place]
		if at < s.From || at > s.To {
			if c.byLog {
				continue
			}
			return false // the walk began within the bounds, and left them at the other end
		}
		c.head = relational.Spot{Time: at, Seq: c.first + int64(place)}
		return true
	}
	return false
}
