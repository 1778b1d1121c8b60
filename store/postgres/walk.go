package postgres

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// walk is a search on its way.
type walk struct {
	x        *index
	pl       plan
	from, to int64 // bounds of event time

	// source gives the candidates of the driver.
	source source
	given  relational.Spot // the last that it gave
	// rest is what passed the probes and was not asked for yet, chunk how many candidates are read next.
	rest  []relational.Spot
	chunk int
	ended bool
	// open are the probes that are not asked any more: their runs are too many for so few candidates.
	open []bool
}

// source gives candidates in the order of the walk, about n at a time, and ended with the last of them.
type source interface {
	next(ctx context.Context, n int) (found []relational.Spot, ended bool, err error)
}

// The number of candidates that are read at once grows from firstChunk to lastChunk.
const (
	firstChunk = 64
	lastChunk  = 1024
)

func (x *index) newWalk(ctx context.Context, pl plan) (*walk, error) {
	w := &walk{x: x, pl: pl, chunk: firstChunk, given: relational.Spot{Seq: -1}, open: make([]bool, len(pl.probes))}
	w.from, w.to = bounds(&pl)
	if after := pl.After; after != nil && !pl.Order.ByLog() {
		if pl.Order.Descending() {
			w.to = min(w.to, after.Time)
		} else {
			w.from = max(w.from, after.Time)
		}
	}
	switch pl.driver.in {
	case byFacet:
		w.source = newMerge(w)
	case byThing, byLog:
		w.source = newInLog(w)
	}
	if !pl.all {
		return w, nil
	}
	found, err := w.collect(ctx)
	w.source = &found
	return w, err
}

// compare orders two spots as the plan does.
func (w *walk) compare(a, b relational.Spot) int {
	c := cmp.Compare(a.Seq, b.Seq)
	if !w.pl.Order.ByLog() {
		c = cmp.Or(cmp.Compare(a.Time, b.Time), c)
	}
	if w.pl.Order.Descending() {
		return -c
	}
	return c
}

// within reports whether a spot is within the bounds of the search.
func (w *walk) within(sp relational.Spot) bool {
	return sp.Time >= w.from && sp.Time <= w.to && sp.Seq >= w.pl.Seqs[0] && sp.Seq < w.pl.Seqs[1] &&
		(w.pl.After == nil || w.compare(sp, *w.pl.After) > 0)
}

// collected is a source of what was read at once.
type collected []relational.Spot

func (c *collected) next(_ context.Context, n int) ([]relational.Spot, bool, error) {
	n = min(n, len(*c))
	out := (*c)[:n]
	*c = (*c)[n:]
	return out, len(*c) == 0, nil
}

// collect reads all candidates of the driver.
func (w *walk) collect(ctx context.Context) (collected, error) {
	var all collected
	for {
		found, ended, err := w.source.next(ctx, w.x.few)
		if err != nil {
			return nil, err
		}
		if all = append(all, found...); ended {
			break
		}
	}
	slices.SortFunc(all, w.compare)
	return slices.Compact(all), nil
}

// Next implements [relational.Walk].
func (w *walk) Next(ctx context.Context, n int) ([]relational.Spot, error) {
	for len(w.rest) < n && !w.ended {
		found, ended, err := w.source.next(ctx, w.chunk)
		if err != nil {
			return nil, err
		}
		w.ended, w.chunk = ended, min(2*w.chunk, lastChunk)
		found = slices.DeleteFunc(found, func(sp relational.Spot) bool { // an event may have several keys
			again := w.given == sp
			w.given = sp
			return again
		})
		if found, err = w.probe(ctx, found); err != nil {
			return nil, err
		}
		w.rest = append(w.rest, found...)
	}
	n = min(n, len(w.rest))
	out := w.rest[:n]
	w.rest = w.rest[n:]
	return out, nil
}

// probe leaves the candidates that fulfil the other conditions, as far as that is worth asking: who reads the events sees it.
func (w *walk) probe(ctx context.Context, found []relational.Spot) ([]relational.Spot, error) {
	for i, c := range w.pl.probes {
		if len(found) == 0 || w.open[i] {
			continue
		}
		has, known, err := map[int64]bool(nil), true, error(nil)
		if c.in == byThing {
			has, err = w.x.probeThings(ctx, c.keys, found)
		} else {
			has, known, err = w.x.probeFacets(ctx, c.keys, found)
		}
		if err != nil {
			return nil, err
		}
		if !known {
			w.open[i] = true
			continue
		}
		found = slices.DeleteFunc(found, func(sp relational.Spot) bool { return !has[sp.Seq] })
	}
	return found, nil
}

// probeThings returns which of the candidates have one of the keys among their things.
func (x *index) probeThings(ctx context.Context, keys []int64, found []relational.Spot) (map[int64]bool, error) {
	seqs := make([]int64, len(found))
	for i := range found {
		seqs[i] = found[i].Seq
	}
	got, err := x.seqs(ctx, `SELECT s FROM unnest(?::bigint[]) s WHERE EXISTS (SELECT 1 FROM postings WHERE key = ANY(?) AND seq = s)`, seqs, keys)
	has := make(map[int64]bool, len(got))
	for _, seq := range got {
		has[seq] = true
	}
	return has, err
}

// probeFacets is probeThings for facets. known is false where too many runs would have to be read.
func (x *index) probeFacets(ctx context.Context, keys []int64, found []relational.Spot) (has map[int64]bool, known bool, err error) {
	low, high := found[0], found[0]
	for _, sp := range found {
		low = relational.Spot{Time: min(low.Time, sp.Time), Seq: min(low.Seq, sp.Seq)}
		high = relational.Spot{Time: max(high.Time, sp.Time), Seq: max(high.Seq, sp.Seq)}
	}
	keys, wide := everyWidth(keys)
	most := 16 + 4*len(found)
	rows, err := x.read.QueryContext(ctx, `SELECT f.earliest, f.first, f.spots
		FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) k (key, width, span), LATERAL (SELECT earliest, first, spots FROM facets
			WHERE key = k.key AND width = k.width AND earliest > ? - k.span AND earliest <= ? AND latest >= ? AND first <= ? AND last >= ?
			LIMIT ?) f LIMIT ?`, keys, wide.numbers, wide.spans, low.Time, high.Time, low.Time, high.Seq, low.Seq, most+1, most+1)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	has = make(map[int64]bool)
	var spots []relational.Spot
	n := 0
	for ; rows.Next(); n++ {
		if spots, err = scanRun(rows, spots[:0], nil); err != nil {
			return nil, false, err
		}
		for _, sp := range spots {
			has[sp.Seq] = true
		}
	}
	return has, n <= most, rows.Err()
}

// seqs runs a query for seqs.
func (x *index) seqs(ctx context.Context, text string, args ...any) ([]int64, error) {
	rows, err := x.read.QueryContext(ctx, text, args...)
	return scanSeqs(rows, err)
}

// inLog is a source in the order of the log: of every event, or of those of some things.
type inLog struct {
	w     *walk
	seqs  [2]int64 // what is still to be read, the upper bound exclusive
	every bool
}

func newInLog(w *walk) *inLog {
	l := &inLog{w: w, seqs: w.pl.Seqs, every: w.pl.driver.in == byLog}
	if after := w.pl.After; after != nil && w.pl.Order.ByLog() {
		if w.pl.Order.Descending() {
			l.seqs[1] = min(l.seqs[1], after.Seq)
		} else {
			l.seqs[0] = max(l.seqs[0], after.Seq+1)
		}
	}
	return l
}

// descends is true where the log is walked from its end. In an order of time all is collected, and sorted then.
func (l *inLog) descends() bool { return l.w.pl.Order.ByLog() && l.w.pl.Order.Descending() }

func (l *inLog) next(ctx context.Context, n int) ([]relational.Spot, bool, error) {
	seqs, err := l.read(ctx, n)
	if err != nil || len(seqs) == 0 {
		return nil, true, err
	}
	if last := seqs[len(seqs)-1]; l.descends() {
		l.seqs[1] = last
	} else {
		l.seqs[0] = last + 1
	}
	out, err := l.w.x.read.Spots(ctx, seqs)
	ended := len(seqs) < n || l.every && len(out) < len(seqs) && !l.descends() // the log has no gaps
	if l.descends() {
		slices.Reverse(out)
	}
	return slices.DeleteFunc(out, func(sp relational.Spot) bool { return !l.w.within(sp) }), ended, err
}

// read returns the next n seqs.
func (l *inLog) read(ctx context.Context, n int) ([]int64, error) {
	if !l.every {
		text := `SELECT DISTINCT s.seq FROM unnest(?::bigint[]) k, LATERAL (SELECT seq FROM postings WHERE key = k AND seq >= ? AND seq < ?
			ORDER BY seq LIMIT ?) s ORDER BY 1 LIMIT ?`
		if l.descends() {
			text = `SELECT DISTINCT s.seq FROM unnest(?::bigint[]) k, LATERAL (SELECT seq FROM postings WHERE key = k AND seq >= ? AND seq < ?
				ORDER BY seq DESC LIMIT ?) s ORDER BY 1 DESC LIMIT ?`
		}
		return l.w.x.seqs(ctx, text, l.w.pl.driver.keys, l.seqs[0], l.seqs[1], n, n)
	}
	var out []int64
	for len(out) < n && l.seqs[0]+int64(len(out)) < l.seqs[1] {
		if l.descends() {
			out = append(out, l.seqs[1]-1-int64(len(out)))
		} else {
			out = append(out, l.seqs[0]+int64(len(out)))
		}
	}
	return out, nil
}

// merge is a source in the order of time: the runs of some keys, those of each width by themselves.
type merge struct {
	w       *walk
	streams []stream
}

// stream is the runs of one key and width. They are read in the order in which they begin, and backwards if the walk goes back.
type stream struct {
	key, width int64
	// at is where the run that was read last begins.
	at    relational.Spot
	chunk int
	ended bool
	// ahead are the events that were read and not given yet, in order; before the first ready of them no other can come.
	ahead []relational.Spot
	ready int
}

// The number of runs that are read at once grows from firstRuns to lastRuns.
const (
	firstRuns = 8
	lastRuns  = 512
)

func newMerge(w *walk) *merge {
	m := &merge{w: w}
	for _, key := range w.pl.driver.keys {
		for width, span := range widths {
			st := stream{key: key, width: int64(width), chunk: firstRuns, at: relational.Spot{Time: w.from - span, Seq: math.MaxInt64}}
			if w.pl.Order.Descending() {
				st.at = relational.Spot{Time: w.to + 1, Seq: math.MinInt64}
			}
			if w.pl.all {
				st.chunk = lastRuns
			}
			m.streams = append(m.streams, st)
		}
	}
	return m
}

func (m *merge) next(ctx context.Context, n int) ([]relational.Spot, bool, error) {
	var out []relational.Spot
	for len(out) < n {
		best := -1
		if err := m.fill(ctx); err != nil {
			return nil, false, err
		}
		for i := range m.streams {
			if st := &m.streams[i]; st.ready > 0 && (best < 0 || m.w.compare(st.ahead[0], m.streams[best].ahead[0]) < 0) {
				best = i
			}
		}
		if best < 0 {
			return out, true, nil
		}
		st := &m.streams[best]
		out = append(out, st.ahead[0])
		st.ahead, st.ready = st.ahead[1:], st.ready-1
	}
	return out, false, nil
}

// fill reads ahead in the streams that have nothing ready, until they have or are at their end.
func (m *merge) fill(ctx context.Context) error {
	for {
		var dry []*stream
		for i := range m.streams {
			if st := &m.streams[i]; st.ready == 0 && !st.ended {
				dry = append(dry, st)
			}
		}
		if len(dry) == 0 {
			return nil
		}
		if err := m.read(ctx, dry); err != nil {
			return err
		}
	}
}

// The query for the next runs of some streams, without the order in which they are read.
const (
	selectRuns = `SELECT k.place, f.earliest, f.first, f.spots
		FROM unnest(?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
			WITH ORDINALITY k (key, width, span, earliest, first, most, place),
		LATERAL (SELECT earliest, first, spots FROM facets WHERE key = k.key AND width = k.width
			AND earliest > ? - k.span AND earliest <= ? AND latest >= ? AND first < ? AND last >= ? AND (earliest, first) `
	runsForwards  = selectRuns + `> (k.earliest, k.first) ORDER BY earliest, first LIMIT k.most) f`
	runsBackwards = selectRuns + `< (k.earliest, k.first) ORDER BY earliest DESC, first DESC LIMIT k.most) f`
)

// read reads the next runs of some streams.
func (m *merge) read(ctx context.Context, streams []*stream) error {
	n := len(streams)
	keys, wide, spans, earliest, first, most := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, st := range streams {
		keys[i], wide[i], spans[i], earliest[i], first[i], most[i] = st.key, st.width, widths[st.width], st.at.Time, st.at.Seq, int64(st.chunk)
	}
	w, text := m.w, runsForwards
	if w.pl.Order.Descending() {
		text = runsBackwards
	}
	rows, err := w.x.read.QueryContext(ctx, text, keys, wide, spans, earliest, first, most, w.from, w.to, w.from, w.pl.Seqs[1], w.pl.Seqs[0])
	if err != nil {
		return err
	}
	defer rows.Close()
	counts := make([]int, n)
	for rows.Next() {
		var place int
		var at relational.Spot
		spots, err := scanRun(rows, nil, &at, &place)
		if err != nil {
			return err
		}
		st := streams[place-1]
		counts[place-1]++
		st.at = at
		for _, sp := range spots {
			if w.within(sp) {
				st.ahead = append(st.ahead, sp)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for i, st := range streams {
		st.ended = counts[i] < st.chunk
		st.chunk = min(4*st.chunk, lastRuns)
		m.settle(st)
	}
	return nil
}

// settle puts what a stream has read in order, and finds out how much of it no run that is still to be read can precede.
func (m *merge) settle(st *stream) {
	slices.SortFunc(st.ahead, m.w.compare)
	st.ready = len(st.ahead)
	if st.ended {
		return
	}
	bound := relational.Spot{Time: st.at.Time, Seq: st.at.Seq + 1} // the next runs begin there or after it
	if m.w.pl.Order.Descending() {
		bound = relational.Spot{Time: st.at.Time + widths[st.width], Seq: math.MinInt64} // or before it, and end within the width
	}
	st.ready, _ = slices.BinarySearchFunc(st.ahead, bound, m.w.compare)
}
