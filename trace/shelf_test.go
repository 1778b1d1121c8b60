package trace_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
)

// shelf is a library in memory.
type shelf struct {
	events     []hub.Event
	statements []hub.Statement
	scans      map[string]hub.Scans
	// broken fails every read.
	broken error
}

// EventsAbout implements trace.Library.
func (s *shelf) EventsAbout(_ context.Context, ids []string, limit int) ([]hub.Event, bool, error) {
	var out []hub.Event
	for _, e := range s.events {
		if slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return slices.Contains(ids, t.ID) }) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b hub.Event) int { return a.Facets.EventTime.Compare(b.Facets.EventTime) })
	return out[:min(len(out), limit)], len(out) > limit, s.broken
}

// Statements implements trace.Library.
func (s *shelf) Statements(_ context.Context, kind hub.StatementKind, ids ...string) ([]hub.Statement, error) {
	var out []hub.Statement
	for _, st := range s.statements {
		if st.Kind == kind && slices.Contains(ids, st.ID) {
			out = append(out, st)
		}
	}
	slices.SortStableFunc(out, func(a, b hub.Statement) int { return a.StatedAt.Compare(b.StatedAt) })
	return out, s.broken
}

// CountScan implements trace.Library.
func (s *shelf) CountScan(_ context.Context, id string, at time.Time) (hub.Scans, error) {
	if s.scans == nil {
		s.scans = map[string]hub.Scans{}
	}
	n := s.scans[id]
	if !at.IsZero() {
		n.Count++
		n.LastAt = at
		if n.FirstAt.IsZero() {
			n.FirstAt = at
		}
	}
	s.scans[id] = n
	return n, s.broken
}

// The identities of the tests.
const (
	tin    = "https://id.gs1.org/01/07613035982949/21/T1"
	tin2   = "https://id.gs1.org/01/07613035982949/21/T2"
	carton = "https://id.gs1.org/00/053915208500000011"
	pallet = "https://id.gs1.org/00/053915208500009007"
	parcel = "https://id.gs1.org/00/069341234000001014"
	milk   = "https://id.gs1.org/01/05391520850011/10/M1"
	lotA   = "https://id.gs1.org/01/07613035982949/10/A"
)

// hour is a time of the tests' day.
func hour(h int) time.Time { return time.Date(2026, 5, 1, h, 0, 0, 0, time.UTC) }

// fact writes an event: "packing ADD parent=P child=A,B". The words before the first "=" are business step and action.
func (s *shelf) fact(at time.Time, kind, text string) *hub.Event {
	roles := map[string]hub.Role{"epc": hub.RoleEPC, "parent": hub.RoleParent, "child": hub.RoleChild, "input": hub.RoleInput, "output": hub.RoleOutput}
	e := hub.Event{
		Seq: hub.Seq(len(s.events)), RecordedAt: at.Add(time.Hour), Body: []byte(`{"eventTimeZoneOffset":"+08:00"}`),
		Facets: hub.Facets{Type: kind, EventTime: at}, Leaf: hub.LeafRecord{Provider: "p"},
	}
	e.Key.ID = fmt.Sprintf("urn:uuid:%d", e.Seq)
	for i, word := range strings.Fields(text) {
		name, list, isList := strings.Cut(word, "=")
		switch {
		case isList:
			for id := range strings.SplitSeq(list, ",") {
				e.Facets.Things = append(e.Facets.Things, hub.Thing{Role: roles[name], ID: id, Class: strings.Contains(id, "/10/")})
			}
		case i == 0:
			e.Facets.BizStep = word
		default:
			e.Facets.Action = word
		}
	}
	s.events = append(s.events, e)
	return &s.events[len(s.events)-1]
}

// object, aggregation and transformation write events of these types.
func (s *shelf) object(at time.Time, text string) *hub.Event { return s.fact(at, "ObjectEvent", text) }

func (s *shelf) aggregation(at time.Time, text string) *hub.Event {
	return s.fact(at, "AggregationEvent", text)
}

func (s *shelf) transformation(at time.Time, text string) *hub.Event {
	return s.fact(at, "TransformationEvent", text)
}

// tracer takes codes for identities as they stand.
func (s *shelf) tracer() *trace.Tracer {
	return trace.New(s, func(code string) []string { return []string{code} })
}

// journey renders a trace: a line a step, with its relation unless that is direct.
func journey(tr *trace.Trace) string {
	var out []string
	for _, st := range tr.Steps {
		line := cmp.Or(st.Event.Facets.BizStep, st.Event.Facets.Type)
		if st.Relation != trace.Direct {
			line += ":" + string(st.Relation)
		}
		out = append(out, line)
	}
	return strings.Join(out, " ")
}

func (s *shelf) trace(t *testing.T, code string) *trace.Trace {
	t.Helper()
	tr, err := s.tracer().Trace(t.Context(), code, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
