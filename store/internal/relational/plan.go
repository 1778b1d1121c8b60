package relational

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// maxKeys is how many alternatives one condition may have before it is left to the event itself.
const maxKeys = 256

// search is what the index is asked for a query.
func (s *Store) search(ctx context.Context, q *epcis.Query, w hub.Window, p places) (Search, error) {
	out := Search{
		From: math.MinInt64, To: math.MaxInt64, Order: w.Order, Seqs: [2]int64{int64(w.From), int64(w.Until)},
		Recent: q.RecordTime != (epcis.Span{}),
	}
	if t := q.EventTime.From; !t.IsZero() {
		out.From = t.UnixMicro()
	}
	if t := q.EventTime.To; !t.IsZero() {
		out.To = t.Add(time.Microsecond - time.Nanosecond).UnixMicro()
	}
	if w.After != nil {
		out.After = &Spot{micros(w.After.EventTime), int64(w.After.Seq)}
	}
	if err := s.narrowByRecordTime(ctx, q, &out); err != nil {
		return out, err
	}
	var err error
	out.Conditions, err = s.conditions(ctx, q, w, p)
	return out, err
}

// narrowByRecordTime turns bounds of the record time into bounds of the log, whose order is that of record times.
func (s *Store) narrowByRecordTime(ctx context.Context, q *epcis.Query, to *Search) error {
	for i, t := range [2]time.Time{q.RecordTime.From, q.RecordTime.To} {
		if t.IsZero() {
			continue
		}
		seq, err := s.firstSince(ctx, t, to.Seqs[1])
		if err != nil {
			return err
		}
		if i == 0 {
			to.Seqs[0] = max(to.Seqs[0], seq)
		} else {
			to.Seqs[1] = min(to.Seqs[1], seq)
		}
	}
	return nil
}

// firstSince returns the first seq below until whose event was recorded at t or later, or until.
func (s *Store) firstSince(ctx context.Context, t time.Time, until int64) (int64, error) {
	low, high := int64(0), until
	for low < high {
		mid := low + (high-low)/2
		at, ok, err := s.recordedAt(ctx, mid)
		if err == nil && !ok {
			err = corrupt(hub.Seq(mid), errors.New("it is missing"))
		}
		if err != nil {
			return 0, err
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
func (s *Store) conditions(ctx context.Context, q *epcis.Query, w hub.Window, p places) ([]Condition, error) {
	var out []Condition
	add := func(of Family, keys []int64) {
		if len(keys) > 0 && len(keys) <= maxKeys {
			out = append(out, Condition{Of: of, Keys: keys})
		}
	}
	facets := func(kind string, values []string) {
		keys := make([]int64, len(values))
		for i, v := range values {
			keys[i] = hashKey(kind, v)
		}
		add(OfFacets, keys)
	}
	facets(facetDisposition, q.Dispositions)
	facets(facetTransformation, q.TransformationIDs)
	facets(facetReadPoint, q.ReadPoint.IDs)
	facets(facetReadPoint, p.below(q.ReadPoint.Within))
	facets(facetBizLocation, q.BizLocation.IDs)
	facets(facetBizLocation, p.below(q.BizLocation.Within))
	add(OfFacets, whatKeys(q))
	facets(facetStep, q.BizSteps)
	ids := make([]int64, len(q.EventIDs))
	for i, id := range q.EventIDs {
		ids[i] = eventIDKey(id)
	}
	add(OfNames, ids)
	for _, t := range q.Things {
		c, err := s.thingCondition(ctx, t.Patterns)
		if err != nil {
			return nil, err
		}
		add(c.Of, c.Keys)
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

// thingCondition finds the things of a MATCH_ parameter: an identity by itself, a pattern by the stems that it covers.
func (s *Store) thingCondition(ctx context.Context, patterns []string) (Condition, error) {
	exact := Condition{Of: OfThings}
	stems := Condition{Of: OfFacets}
	for _, p := range patterns {
		if !gs1.IsPattern(p) {
			id, _ := gs1.Canonical(p)
			exact.Keys = append(exact.Keys, hashKey(id))
			if st := stem(id); st != "" {
				stems.Keys = append(stems.Keys, hashKey(facetStem, st))
				continue
			}
			stems.Keys = make([]int64, maxKeys+1) // what has no stem cannot be found by one
			continue
		}
		exact.Keys = make([]int64, maxKeys+1)
		ranges, ok := gs1.PatternRanges(p)
		if !ok {
			continue
		}
		for _, r := range ranges {
			keys, err := s.stemsIn(ctx, r)
			if err != nil {
				return Condition{}, err
			}
			stems.Keys = append(stems.Keys, keys...)
		}
	}
	if len(exact.Keys) <= maxKeys {
		return exact, nil
	}
	if len(stems.Keys) == 0 {
		stems.Keys = []int64{-1} // nothing was ever recorded that the pattern covers
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
