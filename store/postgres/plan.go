package postgres

import (
	"context"
	"math"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// table is where the candidates of a condition are.
type table uint8

const (
	byLog   table = iota // every event, by seq
	byFacet              // facets
	byThing              // things, which is in no order of time
)

// condition is one whose keys are as its table has them.
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

// maxStreams is how many alternatives are walked side by side: with more that are many events, most events are candidates.
const maxStreams = 16

// Walk implements [relational.Index]: along the condition that the fewest events fulfil.
func (x *index) Walk(ctx context.Context, s relational.Search) (relational.Walk, error) {
	pl := plan{Search: s, driver: condition{in: byFacet, keys: []int64{everyEvent}}}
	if s.Order.ByLog() {
		pl.driver.in = byLog
	}
	conditions := make([]condition, len(s.Conditions))
	for i, c := range s.Conditions {
		conditions[i] = condition{byFacet, c.Keys}
		if c.Of == relational.OfNames || c.Of == relational.OfThings {
			conditions[i].in = byThing
		}
	}
	if s.Recent && s.Seqs[1]-s.Seqs[0] < int64(x.few) && !s.Order.ByLog() {
		// The usual question of who polls: what was recorded since. Few events are, wherever their times lie.
		pl.driver, pl.all, pl.probes = condition{in: byLog}, true, conditions
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
		if n < x.few && (best < 0 || n < least || !pl.all) {
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

// estimate counts the candidates of a condition, roughly and up to few.
func (x *index) estimate(ctx context.Context, c condition, pl *plan) (n int, err error) {
	if c.in == byThing {
		err = x.read.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM postings WHERE key = ANY(?) LIMIT ?) c`, c.keys, x.few).Scan(&n)
		return n, err
	}
	keys, wide := everyWidth(c.keys)
	from, to := bounds(pl)
	for _, most := range [...]int{max(x.few/longest, 1), x.few} { // runs are long where there are many
		rows := 0
		err = x.read.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(events), 0)::bigint FROM (SELECT f.events
			FROM unnest(?::bigint[], ?::bigint[], ?::bigint[]) k (key, width, span), LATERAL (SELECT events FROM facets
				WHERE key = k.key AND width = k.width AND earliest > ? - k.span AND earliest <= ? AND latest >= ? LIMIT ?) f LIMIT ?) c`,
			keys, wide.numbers, wide.spans, from, to, from, most, most).Scan(&rows, &n)
		if err != nil || rows < most || n >= x.few {
			break
		}
	}
	return n, err
}

// everyWidth pairs each key with each width.
func everyWidth(keys []int64) (repeated []int64, wide struct{ numbers, spans []int64 }) {
	for _, key := range keys {
		for width, span := range widths {
			repeated = append(repeated, key)
			wide.numbers, wide.spans = append(wide.numbers, int64(width)), append(wide.spans, span)
		}
	}
	return repeated, wide
}

// bounds are those of the event times of a search, so far from the ends that a width may be taken away or added.
func bounds(pl *plan) (from, to int64) {
	const end = math.MaxInt64 / 2
	return max(pl.From, -end), min(pl.To, end)
}
