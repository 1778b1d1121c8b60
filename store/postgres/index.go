package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"math"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// index is the store's [relational.Index]: a row of postings for each of the events' Names and Things, and runs of events for their
// Facets, and of all.
type index struct {
	write, read relational.DB
	few         int // [Config].Few
	names       *names
}

// Begin implements [relational.Index].
func (x *index) Begin(ctx context.Context, tx *relational.Tx) (relational.Additions, error) {
	if err := x.names.begin(ctx, tx); err != nil {
		return nil, err
	}
	return newAdditions(ctx, tx, x.names), nil
}

// additions are the rows of one transaction.
type additions struct {
	ctx      context.Context //nolint:containedctx // lives as long as the transaction that made it
	tx       *relational.Tx
	names    *names
	postings [][2]int64
	facets   map[int64]*group
	// like is what the event before had, its groups among others: mostly the next has the same.
	like struct {
		facets []int64
		groups []*group
	}
}

// group is the events of one key.
type group struct{ spots []relational.Spot }

func newAdditions(ctx context.Context, tx *relational.Tx, n *names) *additions {
	a := &additions{ctx: ctx, tx: tx, names: n, facets: map[int64]*group{}}
	a.like.groups = []*group{a.group(everyEvent)}
	return a
}

func (a *additions) group(key int64) *group {
	g := a.facets[key]
	if g == nil {
		g = &group{}
		a.facets[key] = g
	}
	return g
}

// Sift implements [relational.Additions].
func (a *additions) Sift(keys []int64) []int64 { return a.names.sift(keys) }

// Add implements [relational.Additions].
func (a *additions) Add(e *relational.Entry) error {
	a.names.tell(e)
	for _, keys := range [][]int64{e.Names[:], e.Things} {
		for _, key := range keys {
			a.postings = append(a.postings, [2]int64{key, e.Seq})
		}
	}
	if l := &a.like; !slices.Equal(e.Facets, l.facets) {
		l.facets, l.groups = e.Facets, l.groups[:1]
		for _, key := range e.Facets {
			l.groups = append(l.groups, a.group(key))
		}
	}
	for _, g := range a.like.groups {
		g.spots = append(g.spots, relational.Spot{Time: e.Time, Seq: e.Seq})
	}
	return nil
}

// Flush implements [relational.Additions]. Rows go in the order of their keys: neighbours find the pages of their index in the
// processor's caches.
func (a *additions) Flush() error {
	slices.SortFunc(a.postings, func(x, y [2]int64) int {
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		return cmp.Compare(x[1], y[1])
	})
	a.postings = slices.Compact(a.postings) // a name and a thing of an event may have one key
	postings := copyOf(len(a.postings), 2)
	for i := range a.postings {
		postings = postings.row(2).integer(a.postings[i][0]).integer(a.postings[i][1])
	}
	if err := postings.send(a.ctx, a.tx, "postings (key, seq)"); err != nil {
		return err
	}
	var found []run
	for _, key := range slices.Sorted(maps.Keys(a.facets)) {
		if g := a.facets[key]; len(g.spots) > 0 {
			found = runs(found, key, g.spots)
		}
	}
	facets, spots := copyOf(len(found), runColumns), []byte(nil)
	for i := range found {
		r := &found[i]
		spots = r.encode(spots[:0])
		facets = facets.row(runColumns).integer(r.key).integer(r.width).integer(r.earliest).integer(r.first).integer(r.latest).integer(r.last).
			integer(int64(len(r.spots))).bytes(spots)
	}
	if err := facets.send(a.ctx, a.tx, "facets (key, width, earliest, first, latest, last, events, spots)"); err != nil {
		return err
	}
	return a.names.flush(a.ctx, a.tx)
}

const runColumns = 8

// Done implements [relational.Additions].
func (a *additions) Done() { a.names.done() }

// Lookup implements [relational.Index].
func (x *index) Lookup(ctx context.Context, tx *relational.Tx, c relational.Condition, most int) ([]int64, error) {
	if len(c.Keys) == 0 {
		return nil, nil
	}
	limit := int64(min(most, math.MaxInt-1) + 1)
	if tx != nil && c.Of == relational.OfNames {
		p := x.names.places(c.Keys)
		if len(p.keys) == 0 {
			return nil, nil
		}
		rows, err := tx.QueryContext(ctx, `SELECT DISTINCT p.seq FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) k (key, low, high),
			LATERAL (SELECT seq FROM postings WHERE key = k.key AND seq >= k.low AND seq < k.high) p ORDER BY 1 LIMIT ?`, p.keys, p.from, p.to, limit)
		return scanSeqs(rows, err)
	}
	query := x.read.QueryContext
	if tx != nil {
		query = tx.QueryContext
	}
	rows, err := query(ctx, `SELECT DISTINCT seq FROM postings WHERE key = ANY(?) ORDER BY seq LIMIT ?`, c.Keys, limit)
	return scanSeqs(rows, err)
}

// scanSeqs reads and closes the rows of a query, whose error is err.
func scanSeqs(rows *sql.Rows, err error) ([]int64, error) {
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

// scanRun appends the events of a row of a run to out, and reads where it begins and what stands before.
func scanRun(rows *sql.Rows, out []relational.Spot, at *relational.Spot, before ...any) ([]relational.Spot, error) {
	var begins relational.Spot
	var spots sql.RawBytes
	if err := rows.Scan(append(before, &begins.Time, &begins.Seq, &spots)...); err != nil {
		return nil, err
	}
	if at != nil {
		*at = begins
	}
	return decodeRun(out, begins.Time, begins.Seq, spots)
}
