package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// Find returns the events of a window that match a query, in the window's order. Indexes find candidates; [epcis.Query.Matches]
// decides. It may be called concurrently and does not block appends.
func (s *Store) Find(ctx context.Context, q *epcis.Query, w hub.Window) (hub.Page, error) {
	var page hub.Page
	p, err := s.placesOf(ctx, q)
	if err != nil {
		return page, err
	}
	asked, err := s.search(ctx, q, w, p)
	if err != nil {
		return page, err
	}
	wk, err := s.index.Walk(ctx, asked)
	if err != nil {
		return page, s.classify("search events", err)
	}
	f := finder{s: s, q: q, w: w, places: p}
	if w.Budget > 0 {
		f.deadline = time.Now().Add(w.Budget)
	}
	err = f.run(ctx, wk)
	return f.page, err
}

// chunk is how many candidates are read at once, perQuery how many keys or places one statement names.
const (
	chunk    = 64
	perQuery = 500
)

// finder is one call of Find.
type finder struct {
	s        *Store
	q        *epcis.Query
	w        hub.Window
	places   places
	deadline time.Time
	page     hub.Page
	// at is the last candidate that was looked at.
	at *hub.Mark
}

func (f *finder) run(ctx context.Context, wk Walk) error {
	for batch := min(f.w.Limit+1, chunk); ; batch = chunk {
		spots, err := wk.Next(ctx, max(batch, 1))
		if err != nil {
			return f.s.classify("search events", err)
		}
		if len(spots) == 0 {
			return nil
		}
		full, err := f.look(ctx, spots)
		if err != nil || full {
			return err
		}
		if !f.deadline.IsZero() && time.Now().After(f.deadline) {
			f.page.Next = f.at
			return nil
		}
	}
}

// look reads the candidates and keeps those that match. It reports full when there is one more than the page may hold.
func (f *finder) look(ctx context.Context, spots []Spot) (full bool, err error) {
	seqs := make([]int64, len(spots))
	for i, sp := range spots {
		seqs[i] = sp.Seq
	}
	found, err := f.s.readEvents(ctx, f.s.read, seqs)
	if err != nil {
		return false, err
	}
	matching := map[hub.Seq]*hub.Event{}
	for i := range found {
		e := &found[i]
		parsed, err := stated(e)
		if err != nil {
			return false, err
		}
		if f.matches(e, parsed) {
			matching[e.Seq] = e
		}
	}
	for _, sp := range spots {
		e := matching[hub.Seq(sp.Seq)]
		if e != nil && len(f.page.Events) == f.w.Limit {
			f.page.Next = f.at
			return true, nil
		}
		f.at = &hub.Mark{EventTime: fromMicros(sp.Time), Seq: hub.Seq(sp.Seq)}
		if e != nil {
			f.page.Events = append(f.page.Events, *e)
		}
	}
	return false, nil
}

func (f *finder) matches(e *hub.Event, parsed *epcis.Event) bool {
	return (f.w.Provider == "" || e.Leaf.Provider == f.w.Provider) &&
		f.q.Matches(parsed, epcis.Setting{RecordedAt: e.RecordedAt, Within: f.places.within})
}

// places is the hierarchy of places by master data: each with those that it lies in. Nil knows none.
type places map[string][]string

// placesOf reads the hierarchy if the query asks for it. Every provider's statements count: they say where places lie, not
// who did what there.
func (s *Store) placesOf(ctx context.Context, q *epcis.Query) (places, error) {
	if len(q.ReadPoint.Within) == 0 && len(q.BizLocation.Within) == 0 {
		return nil, nil
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, attributes FROM statements WHERE kind = ?`, hub.AboutPlace)
	if err != nil {
		return nil, s.unavailable("read places", err)
	}
	defer rows.Close()
	p := places{}
	for rows.Next() {
		var id string
		var text sql.RawBytes
		if err := rows.Scan(&id, &text); err != nil {
			return nil, s.unavailable("read places", err)
		}
		attrs := map[string]attribute{}
		if err := json.Unmarshal(text, &attrs); err != nil {
			return nil, fmt.Errorf("decode statement about %s: %w", id, err)
		}
		if parent := attrs["parent"].Value; parent != "" {
			p[id] = append(p[id], parent)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("read places", err)
	}
	return p, nil
}

// within reports whether id is ancestor or lies in it.
func (p places) within(id, ancestor string) bool {
	seen := map[string]bool{id: true} // statements may make a circle
	for level := []string{id}; len(level) > 0; {
		if slices.Contains(level, ancestor) {
			return true
		}
		var above []string
		for _, place := range level {
			for _, parent := range p[place] {
				if !seen[parent] {
					seen[parent] = true
					above = append(above, parent)
				}
			}
		}
		level = above
	}
	return false
}

// below returns the ancestors and everything within any of them.
func (p places) below(ancestors []string) []string {
	if len(ancestors) == 0 {
		return nil
	}
	out := slices.Clone(ancestors)
	for id := range p {
		if slices.ContainsFunc(ancestors, func(a string) bool { return p.within(id, a) }) && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// Values lists the distinct values that a provider's events have, or everybody's if provider is empty, in the order of
// their bytes, those behind after, at most limit.
func (s *Store) Values(ctx context.Context, term hub.Term, provider hub.ProviderID, after string, limit int) ([]string, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT DISTINCT value FROM vocabulary WHERE kind = ? AND value > ? AND (? = '' OR provider = ?)
		ORDER BY value LIMIT ?`, term, after, string(provider), string(provider), limit)
	if err != nil {
		return nil, s.unavailable("list values", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, s.unavailable("list values", err)
		}
		out = append(out, s.dialect.Text(v))
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("list values", err)
	}
	return out, nil
}

// First reports whether the event at seq is the first in which its provider, or anybody if provider is empty, speaks of id.
func (s *Store) First(ctx context.Context, id string, provider hub.ProviderID, seq hub.Seq) (bool, error) {
	asked := Search{
		Conditions: []Condition{{Of: OfThings, Keys: []int64{hashKey(id)}}},
		From:       math.MinInt64, To: math.MaxInt64, Seqs: [2]int64{0, int64(seq)}, Order: hub.LogOrder,
	}
	if provider != "" {
		asked.Conditions = append(asked.Conditions, Condition{Of: OfFacets, Keys: []int64{hashKey(facetProvider, string(provider))}})
	}
	wk, err := s.index.Walk(ctx, asked)
	if err != nil {
		return false, s.classify("list identifiers", err)
	}
	for {
		spots, err := wk.Next(ctx, 1)
		if err != nil {
			return false, s.classify("list identifiers", err)
		}
		if len(spots) == 0 {
			return true, nil
		}
		e, err := s.EventAt(ctx, hub.Seq(spots[0].Seq))
		if err != nil {
			return false, err
		}
		speaks := slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return t.ID == id })
		if speaks && (provider == "" || e.Leaf.Provider == provider) {
			return false, nil
		}
	}
}
