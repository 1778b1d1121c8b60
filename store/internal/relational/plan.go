package relational

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// index is one of the tables that find events.
type index uint8

const (
	byTime  index = iota // every event, by event time
	byLog                // every event, by seq
	byFacet              // facets
	byStep               // events_by_step
	byThing              // things, which is in no order of time
)

// condition is one that an index can answer: one of its keys stands in it for the event. Keys are hashes, so that an event
// that fulfils every condition is still only a candidate.
type condition struct {
	in   index
	keys []int64
}

// plan is how a search walks: along the driver, past the probes.
type plan struct {
	driver condition
	probes []condition
	// all is true when the driver's candidates are few, so that they are collected and sorted.
	all      bool
	from, to int64 // event time in microseconds, both inclusive
	seqs     [2]int64
	order    hub.Order
}

const (
	// few is how many candidates are collected at most before the search walks in order instead.
	few = 4096
	// maxKeys is how many alternatives one condition may have before it is left to the event itself.
	maxKeys = 256
	// maxStreams is how many of them are walked side by side: with more that are many events, most events are candidates.
	maxStreams = 16
)

// plan chooses how to search: along the condition that the fewest events fulfil.
func (s *Store) plan(ctx context.Context, q *epcis.Query, w hub.Window, p places) (plan, error) {
	pl := plan{
		from: math.MinInt64, to: math.MaxInt64, order: w.Order, seqs: [2]int64{int64(w.From), int64(w.Until)}, driver: condition{in: byTime},
	}
	if t := q.EventTime.From; !t.IsZero() {
		pl.from = t.UnixMicro()
	}
	if t := q.EventTime.To; !t.IsZero() {
		pl.to = t.Add(time.Microsecond - time.Nanosecond).UnixMicro()
	}
	if w.Order.ByLog() {
		pl.driver.in = byLog
	}
	if err := s.narrowByRecordTime(ctx, q, &pl); err != nil {
		return pl, err
	}
	conditions, err := s.conditions(ctx, q, w, p)
	if err != nil {
		return pl, err
	}
	if recorded := pl.seqs[1] - pl.seqs[0]; q.RecordTime != (epcis.Span{}) && recorded < few && !w.Order.ByLog() {
		// The usual question of who polls: what was recorded since. Few events are, wherever their times lie.
		pl.driver, pl.all, pl.probes = condition{in: byLog, keys: []int64{0}}, true, conditions
		return pl, nil
	}
	return pl, s.choose(ctx, &pl, conditions)
}

// choose makes the narrowest condition the driver and the others probes.
func (s *Store) choose(ctx context.Context, pl *plan, conditions []condition) error {
	best, least := -1, 0
	walks := func(c condition) bool { return c.in != byThing && !pl.order.ByLog() && len(c.keys) <= maxStreams }
	for i, c := range conditions {
		if len(conditions) == 1 && walks(c) {
			best = 0 // nothing to compare with, and it walks in the right order
			break
		}
		n, err := s.estimate(ctx, c, pl)
		if err != nil {
			return err
		}
		if n < few && (best < 0 || n < least || !pl.all) {
			best, least, pl.all = i, n, true
		} else if best < 0 && walks(c) {
			best = i
		}
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
func (s *Store) estimate(ctx context.Context, c condition, pl *plan) (int, error) {
	total := 0
	for _, key := range c.keys {
		text, args := `SELECT count(*) FROM (SELECT 1 FROM things WHERE key = ? LIMIT ?) c`, []any{key, few - total}
		switch c.in {
		case byFacet:
			text = `SELECT count(*) FROM (SELECT 1 FROM facets WHERE key = ? AND event_time BETWEEN ? AND ? LIMIT ?) c`
			args = []any{key, pl.from, pl.to, few - total}
		case byStep:
			text = `SELECT count(*) FROM (SELECT 1 FROM events ` + s.dialect.ByStep + ` WHERE biz_step = ?
				AND event_time BETWEEN ? AND ? LIMIT ?) c`
			args = []any{key, pl.from, pl.to, few - total}
		default:
		}
		n := 0
		if err := s.read.QueryRowContext(ctx, text, args...).Scan(&n); err != nil {
			return 0, s.unavailable("plan a search", err)
		}
		if total += n; total >= few {
			break
		}
	}
	return total, nil
}

// narrowByRecordTime turns bounds of the record time into bounds of the log, whose order is that of record times.
func (s *Store) narrowByRecordTime(ctx context.Context, q *epcis.Query, pl *plan) error {
	for i, t := range [2]time.Time{q.RecordTime.From, q.RecordTime.To} {
		if t.IsZero() {
			continue
		}
		seq, err := s.firstSince(ctx, t, pl.seqs[1])
		if err != nil {
			return err
		}
		if i == 0 {
			pl.seqs[0] = max(pl.seqs[0], seq)
		} else {
			pl.seqs[1] = min(pl.seqs[1], seq)
		}
	}
	return nil
}

// firstSince returns the first seq below until whose event was recorded at t or later, or until.
func (s *Store) firstSince(ctx context.Context, t time.Time, until int64) (int64, error) {
	low, high := int64(0), until
	for low < high {
		mid := low + (high-low)/2
		var at int64
		if err := s.read.QueryRowContext(ctx, `SELECT recorded_at FROM events WHERE seq = ?`, mid).Scan(&at); err != nil {
			return 0, s.unavailable("search by record time", err)
		}
		if fromMicros(at).Before(t) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, nil
}

// FirstSince returns the first Seq whose event was recorded at t or later, the size of the log if there is none.
func (s *Store) FirstSince(ctx context.Context, t time.Time) (hub.Seq, error) {
	size, err := s.LogSize(ctx)
	if err != nil {
		return 0, err
	}
	seq, err := s.firstSince(ctx, t, int64(size))
	return hub.Seq(seq), err
}

// conditions are what of a query indexes can answer.
func (s *Store) conditions(ctx context.Context, q *epcis.Query, w hub.Window, p places) ([]condition, error) {
	var out []condition
	add := func(in index, keys []int64) {
		if len(keys) > 0 && len(keys) <= maxKeys {
			out = append(out, condition{in, keys})
		}
	}
	facets := func(kind string, values []string) {
		keys := make([]int64, len(values))
		for i, v := range values {
			keys[i] = hashKey(kind, v)
		}
		add(byFacet, keys)
	}
	facets(facetDisposition, q.Dispositions)
	facets(facetTransformation, q.TransformationIDs)
	facets(facetReadPoint, q.ReadPoint.IDs)
	facets(facetReadPoint, p.below(q.ReadPoint.Within))
	facets(facetBizLocation, q.BizLocation.IDs)
	facets(facetBizLocation, p.below(q.BizLocation.Within))
	add(byFacet, whatKeys(q))
	steps, err := s.stepKeys(ctx, q.BizSteps)
	if err != nil {
		return nil, err
	}
	add(byStep, steps)
	ids := make([]int64, len(q.EventIDs))
	for i, id := range q.EventIDs {
		ids[i] = eventIDKey(id)
	}
	add(byThing, ids)
	for _, t := range q.Things {
		c, err := s.thingCondition(ctx, t.Patterns)
		if err != nil {
			return nil, err
		}
		add(c.in, c.keys)
	}
	if w.Provider != "" { // last: of conditions that narrow alike it is the least likely driver
		facets(facetProvider, []string{string(w.Provider)})
	}
	return out, nil
}

// whatKeys are the keys of type and action together, nil when the query states neither in a closed list.
func whatKeys(q *epcis.Query) []int64 {
	types, actions := q.EventTypes, q.Actions
	if len(types) == 0 {
		return nil // extended types are not known beforehand
	}
	if len(actions) == 0 {
		actions = []string{"ADD", "OBSERVE", "DELETE", ""}
	}
	var keys []int64
	for _, t := range types {
		for _, prefix := range []string{"epcis:", "https://ref.gs1.org/epcis/"} {
			t = strings.TrimPrefix(t, prefix)
		}
		for _, a := range actions {
			keys = append(keys, hashKey(facetWhat, t, a))
		}
	}
	return keys
}

// stepKeys are the terms of business steps. A step that no event ever had has none, and a key that nothing matches stands
// for it.
func (s *Store) stepKeys(ctx context.Context, steps []string) ([]int64, error) {
	var keys []int64
	for _, step := range steps {
		id := int64(-1)
		err := s.read.QueryRowContext(ctx, `SELECT id FROM terms WHERE text = ?`, step).Scan(&id)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, s.unavailable("plan a search", err)
		}
		keys = append(keys, id)
	}
	return keys, nil
}

// thingCondition finds the things of a MATCH_ parameter: an identity by itself, a pattern by the stems that it covers.
func (s *Store) thingCondition(ctx context.Context, patterns []string) (condition, error) {
	exact := condition{in: byThing}
	stems := condition{in: byFacet}
	for _, p := range patterns {
		if !gs1.IsPattern(p) {
			id, _ := gs1.Canonical(p)
			exact.keys = append(exact.keys, hashKey(id))
			if st := stem(id); st != "" {
				stems.keys = append(stems.keys, hashKey(facetStem, st))
				continue
			}
			stems.keys = make([]int64, maxKeys+1) // what has no stem cannot be found by one
			continue
		}
		exact.keys = make([]int64, maxKeys+1)
		ranges, ok := gs1.PatternRanges(p)
		if !ok {
			continue
		}
		for _, r := range ranges {
			keys, err := s.stemsIn(ctx, r)
			if err != nil {
				return condition{}, err
			}
			stems.keys = append(stems.keys, keys...)
		}
	}
	if len(exact.keys) <= maxKeys {
		return exact, nil
	}
	if len(stems.keys) == 0 {
		stems.keys = []int64{-1} // nothing was ever recorded that the pattern covers
	}
	return stems, nil
}

// stemsIn returns the keys of the stems of identifiers in a range, one more than [maxKeys] when there are too many.
func (s *Store) stemsIn(ctx context.Context, r gs1.Range) ([]int64, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT value FROM vocabulary WHERE kind = ? AND value = ?
		UNION SELECT value FROM vocabulary WHERE kind = ? AND value >= ? AND value < ? LIMIT ?`,
		vocabularyStem, stem(r.From), vocabularyStem, r.From, r.To, maxKeys+1)
	if err != nil {
		return nil, s.unavailable("plan a search", err)
	}
	defer rows.Close()
	var keys []int64
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, s.unavailable("plan a search", err)
		}
		keys = append(keys, hashKey(facetStem, value))
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("plan a search", err)
	}
	return keys, nil
}
