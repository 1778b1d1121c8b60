package postgres

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// index is the store's [relational.Index]: a row of things for each key of the events' Things, one of facets for each of their
// Facets. Business steps are found by an index of the events themselves.
type index struct{ read relational.DB }

// Load implements [relational.Index]: everything is in the database.
func (x *index) Load(context.Context, relational.Entries) error { return nil }

// Begin implements [relational.Index].
func (x *index) Begin(ctx context.Context, tx *relational.Tx) (relational.Additions, error) {
	return &additions{ctx: ctx, tx: tx}, nil
}

// additions are the rows of one transaction, in the order of their columns.
type additions struct {
	ctx    context.Context //nolint:containedctx // lives as long as the transaction that made it
	tx     *relational.Tx
	things [][2]int64
	facets [][3]int64
}

// Add implements [relational.Additions].
func (a *additions) Add(e *relational.Entry) error {
	for _, key := range e.Things {
		a.things = append(a.things, [2]int64{key, e.Seq})
	}
	for _, key := range e.Facets {
		a.facets = append(a.facets, [3]int64{key, e.Time, e.Seq})
	}
	return nil
}

// Flush implements [relational.Additions]. Rows go in the order of their keys: neighbours find the pages of their index in the
// processor's caches.
func (a *additions) Flush() error {
	slices.SortFunc(a.things, func(x, y [2]int64) int { return slices.Compare(x[:], y[:]) })
	slices.SortFunc(a.facets, func(x, y [3]int64) int { return slices.Compare(x[:], y[:]) })
	things, facets := copyOf(len(a.things), 2), copyOf(len(a.facets), 3)
	for i := range a.things {
		things = things.row(a.things[i][:])
	}
	for i := range a.facets {
		facets = facets.row(a.facets[i][:])
	}
	if err := things.send(a.ctx, a.tx, "things (key, seq)"); err != nil {
		return err
	}
	return facets.send(a.ctx, a.tx, "facets (key, event_time, seq)")
}

// Done implements [relational.Additions].
func (a *additions) Done() {}

// Lookup implements [relational.Index].
func (x *index) Lookup(ctx context.Context, tx *relational.Tx, keys []int64, most int) ([]int64, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	query := x.read.QueryContext
	if tx != nil {
		query = tx.QueryContext
	}
	rows, err := query(ctx, `SELECT DISTINCT seq FROM things WHERE key = ANY(?) ORDER BY seq LIMIT ?`, keys, int64(min(most, math.MaxInt-1)+1))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		out = append(out, seq)
	}
	return out, rows.Err()
}

// table is where the candidates of a condition are.
type table uint8

const (
	byTime  table = iota // every event, by event time
	byLog                // every event, by seq
	byFacet              // facets
	byStep               // events_by_step
	byThing              // things, which is in no order of time
)

// condition is one whose keys are as its table has them: of steps the numbers of their terms.
type condition struct {
	in   table
	keys []int64
}

// plan is how a search walks: along the driver, past the probes.
type plan struct {
	relational.Search
	driver condition
	probes []condition
	// all is true when the driver's candidates are few, so that they are collected and sorted.
	all bool
}

const (
	// few is how many candidates are collected at most before the search walks in order instead.
	few = 4096
	// maxStreams is how many alternatives are walked side by side: with more that are many events, most events are candidates.
	maxStreams = 16
)

// Walk implements [relational.Index]: along the condition that the fewest events fulfil.
func (x *index) Walk(ctx context.Context, s relational.Search) (relational.Walk, error) {
	pl := plan{Search: s, driver: condition{in: byTime}}
	if s.Order.ByLog() {
		pl.driver.in = byLog
	}
	conditions := make([]condition, len(s.Conditions))
	for i, c := range s.Conditions {
		conditions[i] = condition{byThing, c.Keys}
		switch c.Of {
		case relational.OfFacets:
			conditions[i].in = byFacet
		case relational.OfSteps:
			keys, err := x.terms(ctx, c.Steps)
			if err != nil {
				return nil, err
			}
			conditions[i] = condition{byStep, keys}
		case relational.OfThings:
		}
	}
	if s.Recent && s.Seqs[1]-s.Seqs[0] < few && !s.Order.ByLog() {
		// The usual question of who polls: what was recorded since. Few events are, wherever their times lie.
		pl.driver, pl.all, pl.probes = condition{in: byLog, keys: []int64{0}}, true, conditions
	} else if err := x.choose(ctx, &pl, conditions); err != nil {
		return nil, err
	}
	return x.newWalk(ctx, pl)
}

// choose makes the narrowest condition the driver and the others probes.
func (x *index) choose(ctx context.Context, pl *plan, conditions []condition) error {
	best, least := -1, 0
	walks := func(c condition) bool { return (c.in == byThing) == pl.Order.ByLog() && len(c.keys) <= maxStreams }
	for i, c := range conditions {
		if len(conditions) == 1 && walks(c) {
			best = 0 // nothing to compare with, and it walks in the right order
			break
		}
		n, err := x.estimate(ctx, c, pl)
		if err != nil {
			return err
		}
		if n < few && (best < 0 || n < least || !pl.all) {
			best, least, pl.all = i, n, true
		} else if best < 0 && walks(c) {
			best = i
		}
	}
	if best < 0 { // things are in no order of time; there are fewer of one than of all
		best = slices.IndexFunc(conditions, func(c condition) bool { return c.in == byThing })
		pl.all = best >= 0
	}
	for i, c := range conditions {
		if i == best {
			pl.driver = c
		} else {
			pl.probes = append(pl.probes, c)
		}
	}
	return nil
}

// estimate counts the candidates of a condition, up to [few].
func (x *index) estimate(ctx context.Context, c condition, pl *plan) (int, error) {
	total := 0
	for _, key := range c.keys {
		text, args := `SELECT count(*) FROM (SELECT 1 FROM things WHERE key = ? LIMIT ?) c`, []any{key, few - total}
		switch c.in {
		case byFacet:
			text = `SELECT count(*) FROM (SELECT 1 FROM facets WHERE key = ? AND event_time BETWEEN ? AND ? LIMIT ?) c`
			args = []any{key, pl.From, pl.To, few - total}
		case byStep:
			text = `SELECT count(*) FROM (SELECT 1 FROM events WHERE biz_step = ? AND event_time BETWEEN ? AND ? LIMIT ?) c`
			args = []any{key, pl.From, pl.To, few - total}
		default:
		}
		n := 0
		if err := x.read.QueryRowContext(ctx, text, args...).Scan(&n); err != nil {
			return 0, err
		}
		if total += n; total >= few {
			break
		}
	}
	return total, nil
}

// terms are the numbers of business steps. A step that no event ever had has none, and one that nothing has stands for it.
func (x *index) terms(ctx context.Context, steps []string) ([]int64, error) {
	var keys []int64
	for _, step := range steps {
		id := int64(-1)
		err := x.read.QueryRowContext(ctx, `SELECT id FROM terms WHERE text = ?`, step).Scan(&id)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		keys = append(keys, id)
	}
	return keys, nil
}
