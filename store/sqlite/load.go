package sqlite

import (
	"context"
	"database/sql"
	"fmt"
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
		if err := r.loadFilters(ctx, r.Slices()); err != nil {
			return nil, p, err
		}
	}
	for _, m := range p.under {
		if m == nil || m.written() {
			continue
		}
		m.sources = slices.DeleteFunc(slices.Clone(v.runs), func(r *run) bool { return !m.into.covers(r.First) })
		if err := m.into.loadFilters(ctx, m.step); err != nil {
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
		if err := s.Open(keys); err != nil || s.First != v.sealedEnd() || !r.Sound() {
			return fmt.Errorf("read the index from event %d on: %w", s.First, postings.ErrDamaged)
		}
		v.segments, v.runs = append(v.segments, s), append(v.runs, r)
	}
	return rows.Err()
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
		if !r.Sound() || r.Level < 1 || r.Level > maxLevel || from < 0 || to < from || m.step < 1 || m.step > 2*r.Slices() || !m.done() && p.under[r.Level] != nil {
			return fmt.Errorf("read the index from event %d on: %w", r.First, postings.ErrDamaged)
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

// loadFilters reads the filters of the first n slices. Where one is missing or damaged every part is read that may hold what is asked.
func (r *run) loadFilters(ctx context.Context, n int) error {
	if n == 0 {
		return nil
	}
	rows, err := r.read.QueryContext(ctx, `SELECT id, part FROM postings WHERE id BETWEEN ? AND ? ORDER BY id`,
		r.id(postings.Filters, 0), r.id(postings.Filters, n-1))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var b sql.RawBytes
		if err := rows.Scan(&id, &b); err != nil {
			return err
		}
		_ = r.OpenFilter(int(id-r.id(postings.Filters, 0)), b) // as said above
	}
	return rows.Err()
}
