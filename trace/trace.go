package trace

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Relation says why an event is part of an item's journey.
type Relation string

// The relations.
const (
	// Direct: the event speaks of the item itself.
	Direct Relation = "direct"
	// Inside: the event speaks of something that the item was inside of, or attached to, at that time.
	Inside Relation = "inside"
	// Ingredient: the event speaks of something that was transformed into the item, before that.
	Ingredient Relation = "ingredient"
	// Lot: the event speaks of the item's lot as a class.
	Lot Relation = "lot"
	// Product: what was made of the item, when tracing forwards.
	Product Relation = "product"
	// Content: what was inside the item, when tracing forwards.
	Content Relation = "content"
)

// Step is one event of a journey.
type Step struct {
	Event hub.Event
	View  View
	// Relation and Via say how the event concerns the item: Via is the chain of identities from the item to the one that
	// the event speaks of, empty for Direct.
	Relation Relation
	Via      []string
}

// Stated is one value and who stated it when.
type Stated struct {
	Value    string
	Provider hub.ProviderID
	At       time.Time
}

// Attributes is master data by attribute name: one entry a provider that states it, oldest first.
type Attributes map[string][]Stated

// First returns the oldest statement of an attribute, or the zero value.
func (a Attributes) First(name string) Stated {
	if s := a[name]; len(s) > 0 {
		return s[0]
	}
	return Stated{}
}

// Trace is the journey of one item.
type Trace struct {
	// Code is what was asked for, ID the identity that it stands for.
	Code string
	ID   string
	// Product describes the item's class, and the lot or the item itself where a party does.
	Product Attributes
	// Places and Parties describe what the steps mention, by canonical id or provider id. Of a party stands there what it says of
	// itself.
	Places  map[string]Attributes
	Parties map[string]Attributes
	// Steps are in the order of event time.
	Steps          []Step
	Contradictions []Contradiction
	Scans          hub.Scans
	// Truncated is true when the journey has more events than a trace reads.
	Truncated bool
}

// Tracer traces items over a library. It is safe for concurrent use.
type Tracer struct {
	lib   Library
	names func(code string) []string
}

// The bounds of one walk: a journey beyond them is cut and says so.
const (
	maxDepth  = 16
	maxEvents = 2000
	perLookup = 1000
	perBatch  = 100 // things of one look-up
)

// New returns a tracer. candidates turns a code into the canonical identities that its form alone may stand for (a GS1
// URI, an element string, a bare GTIN), most likely first.
func New(lib Library, candidates func(code string) []string) *Tracer {
	return &Tracer{lib: lib, names: candidates}
}

// resolve begins the walk of the identity that a code stands for: what a party declared it to stand for, else what its form
// says. It is a fault of kind NotFound when neither is known.
func (t *Tracer) resolve(ctx context.Context, code string) (w *walk, ambiguous []Stated, err error) {
	aliases, err := t.lib.Statements(ctx, hub.AboutAlias, code)
	if err != nil {
		return nil, nil, err
	}
	var stated []Stated
	for _, a := range aliases {
		if v := a.Attributes["id"]; v != "" {
			stated = append(stated, Stated{Value: v, Provider: a.Provider, At: a.StatedAt})
		}
	}
	if len(stated) > 0 {
		if slices.ContainsFunc(stated, func(s Stated) bool { return s.Value != stated[0].Value }) {
			ambiguous = stated
		}
		return newWalk(t.lib, stated[0].Value), ambiguous, nil
	}
	for _, id := range t.names(code) {
		w := newWalk(t.lib, id)
		events, err := w.events(ctx, id) // which the walk begins with
		if err != nil {
			return nil, nil, err
		}
		if len(events) > 0 {
			return w, nil, nil
		}
	}
	f := hub.Faultf(hub.NotFound, "trace.unknown-code", "nothing is recorded about the code %q", code).
		WithHint("check the code; a new item becomes visible moments after its first event is accepted")
	f.MessageZh = "没有找到该追溯码的任何记录：" + code
	f.HintZh = "请核对编码；新商品的首个事件被接收后片刻即可查询"
	return nil, nil, f
}

// Trace tells the journey that led to the item, from its ingredients and through everything that it was inside of. A
// non-zero scannedAt counts as one opening of its page.
func (t *Tracer) Trace(ctx context.Context, code string, scannedAt time.Time) (*Trace, error) {
	w, ambiguous, err := t.resolve(ctx, code)
	if err != nil {
		return nil, err
	}
	if err := w.backwards(ctx); err != nil {
		return nil, err
	}
	tr := &Trace{Code: code, ID: w.start, Steps: w.steps(), Truncated: w.truncated}
	if err := t.describe(ctx, tr); err != nil {
		return nil, err
	}
	if tr.Scans, err = t.lib.CountScan(ctx, w.start, scannedAt); err != nil {
		return nil, err
	}
	tr.Contradictions = contradictions(tr, ambiguous)
	return tr, nil
}

// Forward tells what became of an item or lot: what it was packed into, what was made of it, and what was inside it.
func (t *Tracer) Forward(ctx context.Context, code string) (*Trace, error) {
	w, _, err := t.resolve(ctx, code)
	if err != nil {
		return nil, err
	}
	if err := w.forwards(ctx); err != nil {
		return nil, err
	}
	tr := &Trace{Code: code, ID: w.start, Steps: w.steps(), Truncated: w.truncated}
	return tr, t.describe(ctx, tr)
}

// describe gathers the master data of everything that the trace mentions.
func (t *Tracer) describe(ctx context.Context, tr *Trace) error {
	tr.Product, tr.Places, tr.Parties = Attributes{}, map[string]Attributes{}, map[string]Attributes{}
	products := map[string]Attributes{}
	about := describing(tr.ID, lotOf(tr.Steps))
	for _, id := range about {
		products[id] = Attributes{}
	}
	for _, s := range tr.Steps {
		for _, place := range []string{s.Event.Facets.ReadPoint, s.Event.Facets.BizLocation} {
			if place != "" {
				tr.Places[place] = Attributes{}
			}
		}
		if party := string(s.Event.Leaf.Provider); party != "" {
			tr.Parties[party] = Attributes{}
		}
	}
	if err := t.gather(ctx, products, hub.AboutProduct); err != nil {
		return err
	}
	for _, id := range about {
		for name, values := range products[id] {
			tr.Product[name] = append(tr.Product[name], values...)
		}
	}
	if err := t.gather(ctx, tr.Places, hub.AboutPlace); err != nil {
		return err
	}
	if err := t.gather(ctx, tr.Parties, hub.AboutParty); err != nil {
		return err
	}
	ownWords(tr.Parties)
	return nil
}

// ownWords leaves of parties what each says of itself: what others call it would stand where it vouches for something.
func ownWords(parties map[string]Attributes) {
	for id, a := range parties {
		for name, values := range a {
			if a[name] = slices.DeleteFunc(values, func(s Stated) bool { return string(s.Provider) != id }); len(a[name]) == 0 {
				delete(a, name)
			}
		}
	}
}

// gather fills in what is stated about the ids in a map.
func (t *Tracer) gather(ctx context.Context, into map[string]Attributes, kind hub.StatementKind) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(into)), perLookup) {
		statements, err := t.lib.Statements(ctx, kind, ids...)
		if err != nil {
			return err
		}
		for _, st := range statements {
			for name, value := range st.Attributes {
				into[st.ID][name] = append(into[st.ID][name], Stated{Value: value, Provider: st.Provider, At: st.StatedAt})
			}
		}
	}
	return nil
}
