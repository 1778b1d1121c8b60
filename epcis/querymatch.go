package epcis

import (
	"cmp"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// Matches reports whether an event belongs to the result of the query: the reference semantics, of which every store's
// own narrowing is only an anticipation. An event whose facets cannot be read matches nothing.
func (q *Query) Matches(e *Event, in Setting) bool {
	f, err := e.Facets()
	if err != nil || !q.matchesFacets(&f, e.ID(), in) {
		return false
	}
	return q.MatchesRest(e)
}

// MatchesRest tests only the conditions that are not in the exported fields, for a store that answered those itself.
func (q *Query) MatchesRest(e *Event) bool {
	return !slices.ContainsFunc(q.rest, func(c condition) bool { return !c.test(e) })
}

// HasRest reports whether there are conditions that only the event itself can answer.
func (q *Query) HasRest() bool { return len(q.rest) > 0 }

// oneOf reports whether value is in list, or list says nothing.
func oneOf(list []string, value string) bool {
	return len(list) == 0 || value != "" && slices.Contains(list, value)
}

func (q *Query) matchesFacets(f *hub.Facets, id string, in Setting) bool {
	return q.matchesType(f.Type) &&
		q.EventTime.contains(f.EventTime) &&
		(q.RecordTime.isZero() || !in.RecordedAt.IsZero() && q.RecordTime.contains(in.RecordedAt)) &&
		oneOf(q.Actions, f.Action) &&
		oneOf(q.BizSteps, f.BizStep) &&
		oneOf(q.Dispositions, f.Disposition) &&
		q.ReadPoint.matches(f.ReadPoint, in) &&
		q.BizLocation.matches(f.BizLocation, in) &&
		oneOf(q.TransformationIDs, f.TransformationID) &&
		oneOf(q.EventIDs, id) &&
		q.matchesThings(f.Things)
}

func (q *Query) matchesThings(things []hub.Thing) bool {
	for i := range q.Things {
		if len(q.things) != len(q.Things) { // made by hand
			m := q.Things[i].matcher()
			if !m.matches(things) {
				return false
			}
			continue
		}
		if !q.things[i].matches(things) {
			return false
		}
	}
	return true
}

// matchesType compares event types, extended ones by their whole URI.
func (q *Query) matchesType(t string) bool {
	return oneOf(q.EventTypes, t) || slices.ContainsFunc(q.EventTypes, func(want string) bool {
		return strings.TrimPrefix(want, "epcis:") == t || strings.TrimPrefix(want, "https://ref.gs1.org/epcis/") == t
	})
}

func (p PlaceQuery) matches(id string, in Setting) bool {
	if !oneOf(p.IDs, id) {
		return false
	}
	return oneOf(p.Within, id) || id != "" && in.Within != nil &&
		slices.ContainsFunc(p.Within, func(ancestor string) bool { return in.Within(id, ancestor) })
}

// thingMatcher is a ThingQuery whose patterns are looked up where they can be: thousands of them may stand in a query, and thousands of
// things in an event.
type thingMatcher struct {
	ThingQuery

	exact map[string]bool
	open  []string
}

func (t ThingQuery) matcher() thingMatcher {
	m := thingMatcher{ThingQuery: t, exact: make(map[string]bool, len(t.Patterns))}
	for _, pattern := range t.Patterns {
		if id, ok := gs1.Exact(pattern); ok {
			m.exact[id] = true
		} else {
			m.open = append(m.open, pattern)
		}
	}
	return m
}

func (m *thingMatcher) matches(things []hub.Thing) bool {
	return slices.ContainsFunc(things, func(thing hub.Thing) bool {
		if thing.Class != m.Class || !slices.Contains(m.Roles, thing.Role) {
			return false
		}
		if len(m.exact) > 0 {
			if canonical, _ := gs1.Canonical(thing.ID); m.exact[canonical] {
				return true
			}
		}
		return slices.ContainsFunc(m.open, func(pattern string) bool { return gs1.Match(pattern, thing.ID) })
	})
}

// Compare orders two matching events as orderBy and orderDirection ask. Events that lack the field come last, events that
// are alike compare as 0, so that a stable sort keeps the order of the log.
func (q *Query) Compare(a, b *Event, inA, inB Setting) int {
	if q.OrderBy == "recordTime" {
		return q.directed(inA.RecordedAt.Compare(inB.RecordedAt))
	}
	x, y := q.orderText(a), q.orderText(b)
	if x == "" || y == "" {
		return cmp.Compare(len(y), len(x)) // at least one is empty
	}
	return q.directed(compareOrder(x, y))
}

func (q *Query) directed(c int) int {
	if q.Ascending {
		return c
	}
	return -c
}

func (q *Query) orderText(e *Event) string {
	if q.OrderBy == "eventTime" || q.OrderBy == "" {
		return e.root.str("eventTime")
	}
	p := queryParser{Query: Query{ctx: q.ctx}}
	text := ""
	for _, prefix := range []string{"", "ILMD_"} {
		if s, ok := p.parseExtension(prefix + q.OrderBy); ok && s.find(e, func(n *node) bool {
			text = Value{n, e.ctx}.Text()
			return text != ""
		}) {
			break
		}
	}
	return text
}

// compareOrder compares two values as numbers, as times, or as texts.
func compareOrder(x, y string) int {
	if a, ok := parseFloat(x); ok {
		if b, ok := parseFloat(y); ok {
			return cmp.Compare(a, b)
		}
	}
	if a, err := ParseTime(x); err == nil {
		if b, err := ParseTime(y); err == nil {
			return a.Compare(b)
		}
	}
	return cmp.Compare(x, y)
}
