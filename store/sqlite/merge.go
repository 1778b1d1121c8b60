package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/postings"
)

// merge is one that is under way: sixteen neighbours become one run. Its slices are written one after the other; then it stands in
// the place of its sources; then their parts are deleted, as they were written. A crash leaves its row, and with it the step at which
// it goes on. Every step can be done again.
type merge struct {
	into    *run
	sources []*run
	step    int
}

// written reports whether m's run is whole, done whether nothing is left of its sources.
func (m *merge) written() bool { return m.step >= m.into.Slices() }
func (m *merge) done() bool    { return m.step == 2*m.into.Slices() }

// eventsPerStep is for how many appended events one step is done, of 65,536 in a segment: a slice holds the names of some 16,384 events,
// and is written and deleted once at each level, so that this keeps up with four levels.
const eventsPerStep = 2048

// maxLevel bounds the levels: a place has 32 bits.
const maxLevel = 4

// next is the merge to go on with, nil where there is none: that of the lowest level that has one under way, or sixteen neighbours
// below it of which the oldest are to be merged. So new segments do not wait for a merge of old runs.
func (x *index) next(v *view, under *[maxLevel + 1]*merge) *merge {
	for level := 1; level <= maxLevel; level++ {
		if under[level] != nil {
			return under[level]
		}
		from := slices.IndexFunc(v.runs, func(r *run) bool { return r.Level < level }) // levels only fall
		if from < 0 || v.runs[from].Level < level-1 {
			continue
		}
		if to := from + postings.Fan; to <= len(v.runs) && v.runs[to-1].Level == level-1 {
			sources := v.runs[from:to]
			return &merge{into: &run{Run: *postings.NewRun(plain(sources)), read: x.read}, sources: sources}
		}
	}
	return nil
}

func plain(runs []*run) []*postings.Run {
	out := make([]*postings.Run, len(runs))
	for i, r := range runs {
		out[i] = &r.Run
	}
	return out
}

// progress is how far merging has come. It is a value, so that a transaction that fails leaves what was.
type progress struct {
	under [maxLevel + 1]*merge // by the level of what they make, at most one of each
	// credit is how many events were appended for which no step was done yet.
	credit int
	// ended is true after a part of a source turned out to be damaged: nothing is merged until it is mended.
	ended bool
}

// resumed is p where merging goes on after it ended.
func (p progress) resumed() progress {
	p.ended, p.credit = false, 0
	return p
}

// advance does the steps that p has credit for, but the one after a run is written, which has to wait until readers see it.
func (x *index) advance(ctx context.Context, tx executor, v *view, p progress) (progress, error) {
	for !p.ended {
		next := x.next(v, &p.under)
		if next == nil {
			p.credit = 0
			break
		}
		if p.credit < x.perStep {
			break
		}
		p.credit -= x.perStep
		m := *next
		err := m.do(ctx, tx)
		if d, ok := errors.AsType[*damage](err); ok { // it was found before anything was written
			x.mender.report(d.place)
			p.ended = true
			return p, nil
		}
		if err != nil {
			return p, fmt.Errorf("merge a part of the index: %w", err)
		}
		p.under[m.into.Level] = &m
		if m.step == m.into.Slices() {
			break
		}
		if m.done() {
			p.under[m.into.Level] = nil
		}
	}
	return p, nil
}

// do does the next step.
func (m *merge) do(ctx context.Context, tx executor) error {
	step := m.write
	if m.written() {
		step = m.drop
	}
	if err := step(ctx, tx, m.step%m.into.Slices()); err != nil {
		return err
	}
	m.step++
	r := m.into
	_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO runs (level, first, events, names, things, step) VALUES (?,?,?,?,?,?)`,
		r.Level, r.First, r.Len, r.Entries[postings.Names], r.Entries[postings.Things], m.step)
	return err
}

// write writes a slice.
func (m *merge) write(ctx context.Context, tx executor, slice int) error {
	var source *run
	parts, err := m.into.Merge(slice, plain(m.sources), func(i int, kind postings.Kind, from, to int) ([][]byte, error) {
		source = m.sources[i]
		return source.get(ctx, tx, kind, from, to)
	})
	if errors.Is(err, postings.ErrDamaged) {
		in, _ := source.Span(postings.Filters, &m.into.Run, slice)
		return damaged(source.place(in))
	}
	if err != nil {
		return err
	}
	if err := m.into.putSlice(ctx, tx, slice, parts); err != nil {
		return err
	}
	return m.into.OpenFilter(slice, parts[postings.Filters][0])
}

// drop deletes what the sources have of a slice, and at last the sources.
func (m *merge) drop(ctx context.Context, tx executor, slice int) error {
	for _, s := range m.sources {
		for kind := range postings.Sets {
			from, to := s.Ended(kind, &m.into.Run, slice)
			if err := s.drop(ctx, tx, kind, from, to); err != nil {
				return err
			}
		}
	}
	if slice+1 < m.into.Slices() {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM runs WHERE level = ? AND first >= ? AND first < ?`,
		m.into.Level-1, m.into.First, m.into.First+m.into.Len)
	return err
}

// merged is v with m's run in the place of its sources.
func (v *view) merged(m *merge) *view {
	out := *v
	i := slices.Index(v.runs, m.sources[0])
	out.runs = slices.Concat(v.runs[:i], []*run{m.into}, v.runs[i+len(m.sources):])
	return &out
}

// settle takes over what a transaction that was committed did.
func (x *index) settle(p progress) {
	before := x.progress.under
	x.progress = p
	for level, m := range p.under {
		if b := before[level]; m != nil && m.written() && (b == nil || b.into != m.into || !b.written()) {
			x.show(x.now.Load().merged(m))
		}
	}
}

// stepsPerTx is how many steps a transaction of their own has at most.
const stepsPerTx = 16

// work does the steps that there is credit for in transactions of their own.
func (x *index) work(ctx context.Context, credit int) error {
	for credit > 0 {
		part := min(credit, stepsPerTx*x.perStep)
		credit -= part
		tx, err := x.write.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		p := x.progress
		p.credit += part
		if p, err = x.advance(ctx, tx, x.now.Load(), p); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		x.settle(p)
		if p.ended || x.next(x.now.Load(), &p.under) == nil {
			return nil
		}
	}
	return nil
}
