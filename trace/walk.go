package trace

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// span is a time during which an identity's events concern the item. A zero until is open.
type span struct{ from, until time.Time }

func (s span) holds(t time.Time) bool {
	return !t.Before(s.from) && (s.until.IsZero() || !t.After(s.until))
}

// walk gathers the steps of one journey.
type walk struct {
	lib       Library
	start     string
	found     map[hub.Seq]Step
	visited   map[string][]span
	cache     map[string][]hub.Event
	truncated bool
}

func newWalk(lib Library, id string) *walk {
	return &walk{lib: lib, start: id, found: map[hub.Seq]Step{}, visited: map[string][]span{}, cache: map[string][]hub.Event{}}
}

// steps returns what was found in the order of event time, then of the log.
func (w *walk) steps() []Step {
	out := make([]Step, 0, len(w.found))
	for _, s := range w.found {
		s.View = ViewOf(s.Event)
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Step) int {
		return cmp.Or(a.Event.Facets.EventTime.Compare(b.Event.Facets.EventTime), cmp.Compare(a.Event.Seq, b.Event.Seq))
	})
	return out
}

func (w *walk) events(ctx context.Context, id string) ([]hub.Event, error) {
	if es, ok := w.cache[id]; ok {
		return es, nil
	}
	es, more, err := w.lib.EventsAbout(ctx, []string{id}, perLookup)
	if err != nil {
		return nil, err
	}
	w.truncated = w.truncated || more
	w.cache[id] = es
	return es, nil
}

// add notes an event; the nearest relation to the item wins.
func (w *walk) add(e hub.Event, rel Relation, via []string) {
	if old, ok := w.found[e.Seq]; ok && len(old.Via) <= len(via) {
		return
	}
	if len(w.found) >= maxEvents {
		w.truncated = true
		return
	}
	w.found[e.Seq] = Step{Event: e, Relation: rel, Via: slices.Clone(via)}
}

// enter reports whether id was not yet walked during the whole of s, and notes that it is now.
func (w *walk) enter(id string, s span) bool {
	for _, v := range w.visited[id] {
		if !s.from.Before(v.from) && (v.until.IsZero() || (!s.until.IsZero() && !s.until.After(v.until))) {
			return false
		}
	}
	w.visited[id] = append(w.visited[id], s)
	return true
}

func (w *walk) backwards(ctx context.Context) error {
	if err := w.item(ctx, w.start, span{}, Direct, nil); err != nil {
		return err
	}
	if lot := lotID(w.start, lotOf(w.steps())); lot != "" {
		return w.item(ctx, lot, span{}, Lot, []string{lot})
	}
	return nil
}

// item walks what concerns id during s: its own events, then everything that it was inside of, while it was, then what
// it was made of, before that.
func (w *walk) item(ctx context.Context, id string, s span, rel Relation, via []string) error {
	if len(via) > maxDepth {
		w.truncated = true
		return nil
	}
	if !w.enter(id, s) {
		return nil
	}
	events, err := w.events(ctx, id)
	if err != nil {
		return err
	}
	for _, e := range events {
		if s.holds(e.Facets.EventTime) && concerns(e, id, rel) {
			w.add(e, rel, via)
		}
	}
	stays, err := w.stays(ctx, id, events)
	if err != nil {
		return err
	}
	for _, st := range stays {
		in, ok := intersect(s, st.span)
		if !ok {
			continue
		}
		if err := w.item(ctx, st.parent, in, within(rel), append(slices.Clone(via), st.parent)); err != nil {
			return err
		}
	}
	return w.ingredients(ctx, id, s, via, events)
}

// within is the relation of what holds the thing: what an ingredient was inside of is still about the ingredient.
func within(rel Relation) Relation {
	if rel == Ingredient || rel == Lot {
		return rel
	}
	return Inside
}

// concerns reports whether an event about id belongs to the journey. What a container's own events say of other contents
// (packing a sibling) does not.
func concerns(e hub.Event, id string, rel Relation) bool {
	if rel == Direct {
		return true
	}
	for _, t := range e.Facets.Things {
		if t.ID == id && t.Role != hub.RoleParent {
			return true
		}
	}
	return empties(e) // and so it concerns everything inside
}

// empties reports whether an event takes everything out of its parent: a removal that names no child (EPCIS 2.0, 7.4.3).
func empties(e hub.Event) bool {
	return e.Facets.Action == "DELETE" && parentOf(e) != "" && !hasRole(e, hub.RoleChild) && !hasClass(e)
}

func hasRole(e hub.Event, r hub.Role) bool {
	return slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return t.Role == r && !t.Class })
}

// stay is a time inside a parent.
type stay struct {
	parent string
	span   span
}

// stays finds when id was inside of what. An aggregation or association adds it; the matching removal, or one that
// empties the parent, ends the stay.
func (w *walk) stays(ctx context.Context, id string, events []hub.Event) ([]stay, error) {
	var out []stay
	for _, e := range events {
		parent := parentOf(e)
		if parent == "" || parent == id || e.Facets.Action == "DELETE" || !isChild(e, id) {
			continue
		}
		until, err := w.leaves(ctx, id, parent, e.Facets.EventTime)
		if err != nil {
			return nil, err
		}
		out = append(out, stay{parent: parent, span: span{from: e.Facets.EventTime, until: until}})
	}
	return out, nil
}

// leaves returns when id was taken out of parent after t, or zero.
func (w *walk) leaves(ctx context.Context, id, parent string, t time.Time) (time.Time, error) {
	events, err := w.events(ctx, parent)
	if err != nil {
		return time.Time{}, err
	}
	for _, e := range events {
		if e.Facets.Action != "DELETE" || parentOf(e) != parent || e.Facets.EventTime.Before(t) {
			continue
		}
		if isChild(e, id) || empties(e) {
			return e.Facets.EventTime, nil
		}
	}
	return time.Time{}, nil
}

func hasClass(e hub.Event) bool {
	return slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return t.Class })
}

func parentOf(e hub.Event) string {
	if e.Facets.Type != "AggregationEvent" && e.Facets.Type != "AssociationEvent" {
		return ""
	}
	for _, t := range e.Facets.Things {
		if t.Role == hub.RoleParent {
			return t.ID
		}
	}
	return ""
}

func isChild(e hub.Event, id string) bool {
	return slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return t.Role == hub.RoleChild && t.ID == id })
}

// ingredients walks the inputs of the transformations that made id.
func (w *walk) ingredients(ctx context.Context, id string, s span, via []string, events []hub.Event) error {
	for _, e := range events {
		if e.Facets.Type != "TransformationEvent" || !is(e, id, hub.RoleOutput) || !s.holds(e.Facets.EventTime) {
			continue
		}
		for _, t := range e.Facets.Things {
			if t.Role != hub.RoleInput || t.ID == id {
				continue
			}
			before := span{until: e.Facets.EventTime}
			if err := w.item(ctx, t.ID, before, Ingredient, append(slices.Clone(via), t.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

func is(e hub.Event, id string, r hub.Role) bool {
	return slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return t.Role == r && t.ID == id })
}

// forwards walks what became of the start: its own events, what it contained, and what was made of it.
func (w *walk) forwards(ctx context.Context) error {
	return w.onward(ctx, w.start, span{}, Direct, nil)
}

func (w *walk) onward(ctx context.Context, id string, s span, rel Relation, via []string) error {
	if len(via) > maxDepth || len(w.found) >= maxEvents {
		w.truncated = true
		return nil
	}
	if !w.enter(id, s) {
		return nil
	}
	events, err := w.events(ctx, id)
	if err != nil {
		return err
	}
	for _, e := range events {
		if !s.holds(e.Facets.EventTime) {
			continue
		}
		w.add(e, rel, via)
		for _, next := range onwardFrom(e, id) {
			after := span{from: e.Facets.EventTime}
			if err := w.onward(ctx, next.id, after, next.rel, append(slices.Clone(via), next.id)); err != nil {
				return err
			}
		}
	}
	return nil
}

type hop struct {
	id  string
	rel Relation
}

// onwardFrom lists where an event carries id: into the outputs of a transformation, or into the contents that a
// container hands on. What it is packed into is not walked: its events would bring in all the siblings.
func onwardFrom(e hub.Event, id string) []hop {
	var out []hop
	switch {
	case e.Facets.Type == "TransformationEvent" && is(e, id, hub.RoleInput):
		for _, t := range e.Facets.Things {
			if t.Role == hub.RoleOutput {
				out = append(out, hop{t.ID, Product})
			}
		}
	case parentOf(e) == id:
		for _, t := range e.Facets.Things {
			if t.Role == hub.RoleChild {
				out = append(out, hop{t.ID, Content})
			}
		}
	}
	return out
}

// intersect returns the time that a and b share.
func intersect(a, b span) (span, bool) {
	out := span{from: a.from, until: a.until}
	if b.from.After(out.from) {
		out.from = b.from
	}
	if out.until.IsZero() || (!b.until.IsZero() && b.until.Before(out.until)) {
		out.until = b.until
	}
	return out, out.until.IsZero() || !out.until.Before(out.from)
}

// idRoot is where canonical GS1 identities live.
const idRoot = "https://id.gs1.org/01/"

// gtinOf returns the class identity of a canonical item or lot identity, or "".
func gtinOf(id string) string {
	rest, ok := strings.CutPrefix(id, idRoot)
	if !ok || len(rest) < 14 {
		return ""
	}
	return idRoot + rest[:14]
}

// lotID returns the identity of the lot of an item, or "" when the item is one itself.
func lotID(id, lot string) string {
	gtin := gtinOf(id)
	if gtin == "" || lot == "" {
		return ""
	}
	if full := gtin + "/10/" + lot; full != id {
		return full
	}
	return ""
}

// describing lists the identities whose master data describes an item, from the class to the item.
func describing(id, lot string) []string {
	var out []string
	for _, d := range []string{gtinOf(id), lotID(id, lot), id} {
		if d != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// lotOf returns the lot number that a commissioning of the item states, or "".
func lotOf(steps []Step) string {
	for _, s := range steps {
		if s.Relation != Direct {
			continue
		}
		if lot := s.View.Master["lotNumber"]; lot != "" {
			return lot
		}
	}
	return ""
}
