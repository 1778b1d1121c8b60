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
	lib     Library
	start   string
	found   map[hub.Seq]Step
	visited map[string][]span
	cache   map[string][]hub.Event
	// known are the events that were read, each kept once however many things it speaks of.
	known map[hub.Seq]hub.Event
	// room is how many bytes of events may still be read, patience how many things may still be looked at.
	room, patience int
	truncated      bool
}

// What one walk may cost: anybody may ask for a page, and one event may name thousands of things.
const (
	walkBytes  = 32 << 20
	walkThings = 10_000_000
	// eventCost is what an event costs beside its body.
	eventCost = 1 << 10
)

func newWalk(lib Library, id string) *walk {
	return &walk{
		lib: lib, start: id, found: map[hub.Seq]Step{}, visited: map[string][]span{}, cache: map[string][]hub.Event{},
		known: map[hub.Seq]hub.Event{}, room: walkBytes, patience: walkThings,
	}
}

// spend notes that the things of an event are looked at.
func (w *walk) spend(e hub.Event) { w.patience -= 1 + len(e.Facets.Things) }

// spent reports whether the walk has cost what it may. What it has not seen then is left out, and the trace says so.
func (w *walk) spent() bool {
	over := w.patience <= 0 || w.room <= 0 || len(w.found) >= maxEvents
	w.truncated = w.truncated || over
	return over
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
	if w.spent() {
		return nil, nil
	}
	es, more, err := w.lib.EventsAbout(ctx, []string{id}, perLookup)
	if err != nil {
		return nil, err
	}
	w.truncated = w.truncated || more
	w.cache[id] = w.keep(es)
	return es, nil
}

// keep lets events that are known already share what they hold, and pays for having read them.
func (w *walk) keep(es []hub.Event) []hub.Event {
	w.room -= eventCost
	for i := range es {
		w.room -= eventCost + len(es[i].Body)
		if e, ok := w.known[es[i].Seq]; ok {
			es[i] = e
			continue
		}
		w.known[es[i].Seq] = es[i]
	}
	return es
}

// ahead reads the events of many things with few look-ups. An event that speaks of all of them is read once for each look-up,
// not once for each thing. Where there are more events than one look-up gives, each thing is left to its own.
func (w *walk) ahead(ctx context.Context, ids []string) error {
	ids = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(ids))), func(id string) bool { return w.cache[id] != nil })
	for chunk := range slices.Chunk(ids, perBatch) {
		if w.spent() {
			return nil
		}
		es, more, err := w.lib.EventsAbout(ctx, chunk, perLookup)
		if err != nil {
			return err
		}
		if es = w.keep(es); more {
			continue
		}
		w.file(chunk, es)
	}
	return nil
}

// file puts events under each of ids, which are sorted, that they speak of.
func (w *walk) file(ids []string, es []hub.Event) {
	for _, id := range ids {
		w.cache[id] = []hub.Event{}
	}
	for _, e := range es {
		w.spend(e)
		for _, t := range e.Facets.Things {
			if _, asked := slices.BinarySearch(ids, t.ID); !asked {
				continue
			}
			if of := w.cache[t.ID]; len(of) == 0 || of[len(of)-1].Seq != e.Seq {
				w.cache[t.ID] = append(of, e)
				w.room -= eventCost
			}
		}
	}
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
	w.patience -= len(w.visited[id])
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
	if w.spent() || !w.enter(id, s) {
		return nil
	}
	events, err := w.events(ctx, id)
	if err != nil {
		return err
	}
	for _, e := range events {
		w.spend(e)
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
	var in []hub.Event
	var parents []string
	for _, e := range events {
		parent := parentOf(e)
		if parent == "" || parent == id || e.Facets.Action == "DELETE" || !isChild(e, id) {
			continue
		}
		in, parents = append(in, e), append(parents, parent)
	}
	if err := w.ahead(ctx, parents); err != nil {
		return nil, err
	}
	var out []stay
	for i, e := range in {
		if w.spent() {
			break
		}
		parent := parents[i]
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
		w.spend(e)
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
		var inputs []string
		for _, t := range e.Facets.Things {
			if t.Role == hub.RoleInput && t.ID != id {
				inputs = append(inputs, t.ID)
			}
		}
		if err := w.ahead(ctx, inputs); err != nil {
			return err
		}
		for _, input := range inputs {
			before := span{until: e.Facets.EventTime}
			if err := w.item(ctx, input, before, Ingredient, append(slices.Clone(via), input)); err != nil {
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
	if len(via) > maxDepth {
		w.truncated = true
		return nil
	}
	if w.spent() || !w.enter(id, s) {
		return nil
	}
	events, err := w.events(ctx, id)
	if err != nil {
		return err
	}
	for _, e := range events {
		w.spend(e)
		if !s.holds(e.Facets.EventTime) {
			continue
		}
		w.add(e, rel, via)
		hops := onwardFrom(e, id)
		ids := make([]string, len(hops))
		for i, next := range hops {
			ids[i] = next.id
		}
		if err := w.ahead(ctx, ids); err != nil {
			return err
		}
		for _, next := range hops {
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
