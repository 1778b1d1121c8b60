package sqlite

import (
	"context"
	"database/sql"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/postings"
)

// kept reads what the database has of the index. Filters that are in memory already are not read again.
func (x *index) kept(ctx context.Context) (*view, progress, error) {
	v, p := &view{}, progress{}
	if err := x.loadSegments(ctx, v); err != nil {
		return nil, p, err
	}
	if err := x.loadRuns(ctx, v, &p); err != nil {
		return nil, p, err
	}
	before := map[[2]int64]*run{}
	for _, r := range x.now.Load().runs {
		before[[2]int64{int64(r.Level), r.First}] = r
	}
	for i, r := range v.runs {
		if b, ok := before[[2]int64{int64(r.Level), r.First}]; ok {
			if m := p.under[r.Level]; m != nil && m.into == r {
				m.into = b
			}
			v.runs[i] = b
			continue
		}
		if err := x.loadFilters(ctx, r, r.Slices()); err != nil {
			return nil, p, err
		}
	}
	for _, m := range p.under {
		if m == nil || m.written() {
			continue
		}
		m.sources = slices.DeleteFunc(slices.Clone(v.runs), func(r *run) bool { return !m.into.covers(r.First) })
		if err := x.loadFilters(ctx, m.into, m.step); err != nil {
			return nil, p, err
		}
	}
	return v, p, nil
}

// loadSegments reads the segments, and the runs that they began with.
func (x *index) loadSegments(ctx context.Context, v *view) error {
	rows, err := x.read.QueryContext(ctx, `SELECT first, events, earliest, latest, names, things, keys FROM segments ORDER BY first`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		s := &sealed{x: x}
		r := &run{read: x.read}
		var keys sql.RawBytes
		if err := rows.Scan(&s.First, &s.Len, &s.Earliest, &s.Latest, &r.Entries[postings.Names], &r.Entries[postings.Things], &keys); err != nil {
			return err
		}
		r.First, r.Len = s.First, int64(s.Len)
		many, ok := checked(keys, segmentRow(&s.Sealed, &r.Run)...)
		if err := s.Open(many); err != nil || !ok || s.First != v.sealedEnd() || !r.Sound() {
			return damaged(place{first: s.First})
		}
		v.segments, v.runs = append(v.segments, s), append(v.runs, r)
	}
	return rows.Err()
}

// segmentRow is what a segment's row says besides its keys and times.
func segmentRow(s *postings.Sealed, r *postings.Run) []int64 {
	return []int64{s.First, int64(s.Len), s.Earliest, s.Latest, r.Entries[postings.Names], r.Entries[postings.Things]}
}

// loadRuns puts the runs in the place of what they were merged from, the lowest levels first.
func (x *index) loadRuns(ctx context.Context, v *view, p *progress) error {
	rows, err := x.read.QueryContext(ctx, `SELECT level, first, events, names, things, step FROM runs ORDER BY level, first`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r := &run{read: x.read}
		m := merge{into: r}
		if err := rows.Scan(&r.Level, &r.First, &r.Len, &r.Entries[postings.Names], &r.Entries[postings.Things], &m.step); err != nil {
			return err
		}
		from := slices.IndexFunc(v.runs, func(s *run) bool { return s.First == r.First })
		to := slices.IndexFunc(v.runs, func(s *run) bool { return s.First+s.Len == r.First+r.Len })
		if r.Level < 1 || r.Level > maxLevel || from < 0 || to < from || !r.of(v.runs[from:to+1]) ||
			m.step < 1 || m.step > 2*r.Slices() || !m.done() && p.under[r.Level] != nil {
			return damaged(r.place(0))
		}
		if !m.done() {
			m.sources = slices.Clone(v.runs[from : to+1])
			p.under[r.Level] = &m
		}
		if m.written() {
			v.runs = slices.Replace(v.runs, from, to+1, r)
		}
	}
	return rows.Err()
}

// loadFilters reads the filters of the first n slices. Where one is missing or damaged every part is read that may hold what is asked,
// until the next start.
func (x *index) loadFilters(ctx context.Context, r *run, n int) error {
	if n == 0 {
		return nil
	}
	rows, err := r.read.QueryContext(ctx, `SELECT id, part FROM postings WHERE id BETWEEN ? AND ? ORDER BY id`,
		r.id(postings.Filters, 0), r.id(postings.Filters, n-1))
	if err != nil {
		return err
	}
	defer rows.Close()
	slice := 0
	for ; rows.Next(); slice++ {
		var id int64
		var b sql.RawBytes
		if err := rows.Scan(&id, &b); err != nil {
			return err
		}
		for ; r.id(postings.Filters, slice) < id; slice++ {
			x.mender.report(r.place(slice))
		}
		if b, ok := checked(b, id); !ok || r.OpenFilter(slice, b) != nil {
			x.mender.report(r.place(slice))
		}
	}
	for ; slice < n; slice++ {
		x.mender.report(r.place(slice))
	}
	return rows.Err()
}
