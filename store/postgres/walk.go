package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// walk is a search on its way.
type walk struct {
	x       *index
	pl      plan
	streams []stream
	given   *relational.Spot // the last candidate that a stream gave
	// collected is the rest of the candidates when they were few.
	collected []relational.Spot
}

// stream is the candidates of one key of the driver.
type stream struct {
	key   int64
	ahead []relational.Spot
	last  *relational.Spot
	chunk int
	ended bool
}

// The size of a stream's reads grows from firstChunk to lastChunk.
const (
	firstChunk = 64
	lastChunk  = 1024
)

func (x *index) newWalk(ctx context.Context, pl plan) (*walk, error) {
	w := &walk{x: x, pl: pl}
	if pl.all {
		return w, w.collect(ctx)
	}
	keys := pl.driver.keys
	if pl.driver.in == byTime || pl.driver.in == byLog {
		keys = []int64{0}
	}
	for _, key := range keys {
		w.streams = append(w.streams, stream{key: key, last: w.pl.After, chunk: firstChunk})
	}
	return w, nil
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
	if w.pl.After != nil {
		w.collected = slices.DeleteFunc(w.collected, func(sp relational.Spot) bool { return w.compare(sp, *w.pl.After) <= 0 })
	}
	return nil
}

// Next implements [relational.Walk].
func (w *walk) Next(ctx context.Context, n int) ([]relational.Spot, error) {
	if w.pl.all {
		n = min(n, len(w.collected))
		out := w.collected[:n]
		w.collected = w.collected[n:]
		return out, nil
	}
	var out []relational.Spot
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

// read reads candidates of one key after a relational.Spot, past the probes, in the plan's order; a negative limit is none.
func (w *walk) read(ctx context.Context, key int64, after *relational.Spot, limit int) ([]relational.Spot, error) {
	text, args := w.statement(key, after, limit)
	rows, err := w.x.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []relational.Spot
	for rows.Next() {
		var sp relational.Spot
		if err := rows.Scan(&sp.Time, &sp.Seq); err != nil {
			return nil, err
		}
		out = append(out, sp)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// statement builds the SQL of [walk.read]. Every value is a parameter.
func (w *walk) statement(key int64, after *relational.Spot, limit int) (text string, args []any) {
	var b strings.Builder
	put := func(sql string, values ...any) {
		b.WriteString(sql)
		args = append(args, values...)
	}
	switch w.pl.driver.in {
	case byFacet:
		put(`SELECT c.event_time, c.seq FROM facets c WHERE c.key = ?`, key)
	case byStep:
		put(`SELECT c.event_time, c.seq FROM events c WHERE c.biz_step = ?`, key)
	case byThing:
		put(`SELECT c.event_time, c.seq FROM things t JOIN events c ON c.seq = t.seq WHERE t.key = ?`, key)
	case byLog:
		put(`SELECT c.event_time, c.seq FROM events c WHERE c.seq >= 0`)
	case byTime:
		put(`SELECT c.event_time, c.seq FROM events c WHERE c.event_time >= ?`, w.pl.From)
	}
	put(` AND c.event_time >= ? AND c.event_time <= ? AND c.seq >= ? AND c.seq < ?`, w.pl.From, w.pl.To, w.pl.Seqs[0], w.pl.Seqs[1])
	for _, p := range w.pl.probes {
		switch p.in {
		case byFacet:
			put(` AND EXISTS (SELECT 1 FROM facets f WHERE f.key = ANY(?) AND f.event_time = c.event_time AND f.seq = c.seq)`, p.keys)
		case byStep:
			put(` AND EXISTS (SELECT 1 FROM events s WHERE s.biz_step = ANY(?) AND s.event_time = c.event_time AND s.seq = c.seq)`, p.keys)
		case byThing:
			put(` AND EXISTS (SELECT 1 FROM things h WHERE h.key = ANY(?) AND h.seq = c.seq)`, p.keys)
		case byTime, byLog: // nothing to probe
		}
	}
	columns, compare, direction := `c.event_time, c.seq`, `>`, ``
	if w.pl.Order.Descending() {
		compare, direction = `<`, ` DESC`
	}
	if w.pl.Order.ByLog() {
		columns = `c.seq`
	}
	if after != nil {
		if w.pl.Order.ByLog() {
			put(` AND c.seq `+compare+` ?`, after.Seq)
		} else {
			put(` AND (c.event_time, c.seq) `+compare+` (?, ?)`, after.Time, after.Seq)
		}
	}
	if limit >= 0 {
		put(` ORDER BY `+strings.ReplaceAll(columns, `,`, direction+`,`)+direction+` LIMIT ?`, limit)
	}
	return b.String(), args
}
