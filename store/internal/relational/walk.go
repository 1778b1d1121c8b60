package relational

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// spot is one candidate: an event's time in microseconds and its seq.
type spot struct{ time, seq int64 }

// walk yields candidates in the order of a plan. It holds no statement open between calls.
type walk struct {
	s       *Store
	pl      plan
	after   *spot
	streams []stream
	given   *spot // the last candidate that a stream gave
	// collected is the rest of the candidates when they were few.
	collected []spot
}

// stream is the candidates of one key of the driver.
type stream struct {
	key   int64
	ahead []spot
	last  *spot
	chunk int
	ended bool
}

// The size of a stream's reads grows from firstChunk to lastChunk.
const (
	firstChunk = 64
	lastChunk  = 1024
)

func (s *Store) newWalk(ctx context.Context, pl plan, after *hub.Mark) (*walk, error) {
	w := &walk{s: s, pl: pl}
	if after != nil {
		w.after = &spot{micros(after.EventTime), int64(after.Seq)}
	}
	if pl.all {
		return w, w.collect(ctx)
	}
	keys := pl.driver.keys
	if pl.driver.in == byTime || pl.driver.in == byLog {
		keys = []int64{0}
	}
	for _, key := range keys {
		w.streams = append(w.streams, stream{key: key, last: w.after, chunk: firstChunk})
	}
	return w, nil
}

// compare orders two spots as the plan does.
func (w *walk) compare(a, b spot) int {
	c := cmp.Compare(a.seq, b.seq)
	if !w.pl.order.ByLog() {
		c = cmp.Or(cmp.Compare(a.time, b.time), c)
	}
	if w.pl.order.Descending() {
		return -c
	}
	return c
}

// collect reads all candidates of the driver.
func (w *walk) collect(ctx context.Context) error {
	for _, key := range w.pl.driver.keys {
		found, err := w.read(ctx, key, nil, -1)
		if err != nil {
			return err
		}
		w.collected = append(w.collected, found...)
	}
	slices.SortFunc(w.collected, w.compare)
	w.collected = slices.Compact(w.collected)
	if w.after != nil {
		w.collected = slices.DeleteFunc(w.collected, func(sp spot) bool { return w.compare(sp, *w.after) <= 0 })
	}
	return nil
}

// next returns up to n candidates, none at the end.
func (w *walk) next(ctx context.Context, n int) ([]spot, error) {
	if w.pl.all {
		n = min(n, len(w.collected))
		out := w.collected[:n]
		w.collected = w.collected[n:]
		return out, nil
	}
	var out []spot
	for len(out) < n {
		best := -1
		for i := range w.streams {
			if err := w.fill(ctx, &w.streams[i]); err != nil {
				return nil, err
			}
			if st := &w.streams[i]; len(st.ahead) > 0 && (best < 0 || w.compare(st.ahead[0], w.streams[best].ahead[0]) < 0) {
				best = i
			}
		}
		if best < 0 {
			return out, nil
		}
		sp := w.streams[best].ahead[0]
		w.streams[best].ahead = w.streams[best].ahead[1:]
		if w.given == nil || *w.given != sp { // an event may have several keys
			out = append(out, sp)
			w.given = &sp
		}
	}
	return out, nil
}

// fill reads ahead in a stream that has nothing ahead.
func (w *walk) fill(ctx context.Context, st *stream) error {
	if len(st.ahead) > 0 || st.ended {
		return nil
	}
	found, err := w.read(ctx, st.key, st.last, st.chunk)
	if err != nil {
		return err
	}
	st.ended = len(found) < st.chunk
	st.ahead, st.chunk = found, min(2*st.chunk, lastChunk)
	if len(found) > 0 {
		last := found[len(found)-1]
		st.last = &last
	}
	return nil
}

// read reads candidates of one key after a spot, past the probes, in the plan's order; a negative limit is none.
func (w *walk) read(ctx context.Context, key int64, after *spot, limit int) ([]spot, error) {
	text, args := w.statement(key, after, limit)
	rows, err := w.s.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, w.s.unavailable("search events", err)
	}
	defer rows.Close()
	var out []spot
	for rows.Next() {
		var sp spot
		if err := rows.Scan(&sp.time, &sp.seq); err != nil {
			return nil, w.s.unavailable("search events", err)
		}
		out = append(out, sp)
	}
	if err := rows.Err(); err != nil {
		return nil, w.s.unavailable("search events", err)
	}
	return out, nil
}

// statement builds the SQL of [walk.read]. Every value is a parameter.
func (w *walk) statement(key int64, after *spot, limit int) (text string, args []any) {
	var b strings.Builder
	put := func(sql string, values ...any) {
		b.WriteString(sql)
		args = append(args, values...)
	}
	switch w.pl.driver.in {
	case byFacet:
		put(`SELECT c.event_time, c.seq FROM facets c WHERE c.key = ?`, key)
	case byStep:
		put(`SELECT c.event_time, c.seq FROM events c `+w.s.dialect.ByStep+` WHERE c.biz_step = ?`, key)
	case byThing:
		put(`SELECT c.event_time, c.seq FROM things t `+w.s.dialect.Cross+` events c ON c.seq = t.seq WHERE t.key = ?`, key)
	case byLog:
		put(`SELECT c.event_time, c.seq FROM events c ` + w.s.dialect.ByLog + ` WHERE c.seq >= 0`)
	case byTime:
		put(`SELECT c.event_time, c.seq FROM events c `+w.s.dialect.ByTime+` WHERE c.event_time >= ?`, w.pl.from)
	}
	put(` AND c.event_time >= ? AND c.event_time <= ? AND c.seq >= ? AND c.seq < ?`, w.pl.from, w.pl.to, w.pl.seqs[0], w.pl.seqs[1])
	for _, p := range w.pl.probes {
		switch p.in {
		case byFacet:
			cond, keys := w.s.in(`f.key`, p.keys)
			put(` AND EXISTS (SELECT 1 FROM facets f WHERE `+cond+` AND f.event_time = c.event_time AND f.seq = c.seq)`, keys...)
		case byStep:
			cond, keys := w.s.in(`s.biz_step`, p.keys)
			put(` AND EXISTS (SELECT 1 FROM events s `+w.s.dialect.ByStep+` WHERE `+cond+
				` AND s.event_time = c.event_time AND s.seq = c.seq)`, keys...)
		case byThing:
			cond, keys := w.s.in(`h.key`, p.keys)
			put(` AND EXISTS (SELECT 1 FROM things h WHERE `+cond+` AND h.seq = c.seq)`, keys...)
		case byTime, byLog: // nothing to probe
		}
	}
	columns, compare, direction := `c.event_time, c.seq`, `>`, ``
	if w.pl.order.Descending() {
		compare, direction = `<`, ` DESC`
	}
	if w.pl.order.ByLog() {
		columns = `c.seq`
	}
	if after != nil {
		if w.pl.order.ByLog() {
			put(` AND c.seq `+compare+` ?`, after.seq)
		} else {
			put(` AND (c.event_time, c.seq) `+compare+` (?, ?)`, after.time, after.seq)
		}
	}
	if limit >= 0 {
		put(` ORDER BY `+strings.ReplaceAll(columns, `,`, direction+`,`)+direction+` LIMIT ?`, limit)
	}
	return b.String(), args
}
