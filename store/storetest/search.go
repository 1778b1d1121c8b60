package storetest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// Searcher is what a store offers to queries.
type Searcher interface {
	Recorder
	Finder
	Find(ctx context.Context, q *epcis.Query, w hub.Window) (hub.Page, error)
	Index
}

// Index is what a store tells of its events besides the events.
type Index interface {
	FirstSince(ctx context.Context, t time.Time) (hub.Seq, error)
	Values(ctx context.Context, t hub.Term, provider hub.ProviderID, after string, limit int) ([]string, error)
	First(ctx context.Context, id string, provider hub.ProviderID, seq hub.Seq) (bool, error)
	Contents(ctx context.Context, ids []string) (map[hub.EventKey]hub.Content, error)
}

// RunSearch runs the suite of searches. open is as in [Run].
func RunSearch(t *testing.T, open func(t *testing.T) func() Searcher) {
	for name, test := range map[string]func(t *testing.T, s Searcher){
		"every query finds what its reference semantics say": searchesAgree,
		"pages are whole while other events arrive":          stablePages,
		"a search that runs out of its budget goes on":       budget,
		"values are those that a provider's events have":     values,
		"the first event that speaks of an item":             firstOf,
		"record times bound the log":                         recordTimes,
		"what is recorded under an id":                       contents,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)()) })
	}
}

// providers whose events the suite mixes.
var providers = []hub.ProviderID{"brand", "customs", "wms"}

// place is the n-th place of the suite: place n lies within place n/3.
func place(n int) string { return fmt.Sprintf("urn:example:place:%d", n) }

func within(id, ancestor string) bool {
	var n, a int
	if _, err := fmt.Sscanf(id+" "+ancestor, "urn:example:place:%d urn:example:place:%d", &n, &a); err != nil {
		return id == ancestor
	}
	for ; n > 0; n /= 3 {
		if n == a {
			return true
		}
	}
	return n == a
}

// random makes the n-th random event.
func random(r *rand.Rand, n int) string {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	item := func() string {
		return pick(fmt.Sprintf("urn:epc:id:sgtin:061414%d.%06d.%d", r.IntN(2), r.IntN(6), r.IntN(9)),
			fmt.Sprintf("https://id.gs1.org/01/00614141%05d8/21/%d", r.IntN(4), r.IntN(9)),
			fmt.Sprintf("urn:epc:id:sscc:0614141.%010d", r.IntN(9)), fmt.Sprintf("urn:example:thing:%d", r.IntN(9)))
	}
	what := ""
	switch kind := pick("ObjectEvent", "ObjectEvent", "AggregationEvent", "TransformationEvent"); kind {
	case "AggregationEvent":
		what = fmt.Sprintf(`"type":%q,"action":%q,"parentID":%q,"childEPCs":[%q]`, kind, pick("ADD", "DELETE", "OBSERVE"), item(), item())
	case "TransformationEvent":
		what = fmt.Sprintf(`"type":%q,"transformationID":"urn:example:t:%d","inputEPCList":[%q],"outputEPCList":[%q]`, kind, r.IntN(5), item(), item())
	default:
		what = fmt.Sprintf(`"type":%q,"action":%q,"epcList":[%q,%q],"quantityList":[{"epcClass":"urn:epc:class:lgtin:0614141.%06d.L%d","quantity":%d}]`,
			kind, pick("ADD", "DELETE", "OBSERVE"), item(), item(), r.IntN(4), r.IntN(3), r.IntN(20))
	}
	for _, f := range []string{
		fmt.Sprintf(`,"bizStep":%q`, pick("shipping", "receiving", "packing", "urn:example:own-step")),
		fmt.Sprintf(`,"disposition":%q`, pick("in_transit", "active", "recalled")),
		fmt.Sprintf(`,"readPoint":{"id":%q}`, place(r.IntN(20))), fmt.Sprintf(`,"bizLocation":{"id":%q}`, place(r.IntN(20))),
		fmt.Sprintf(`,"http://ns.example.com/grade":%d`, r.IntN(5)),
	} {
		if r.IntN(3) > 0 {
			what += f
		}
	}
	return fmt.Sprintf(`{"eventID":"urn:example:event:%d","eventTime":"2024-01-01T00:%02d:%02d.000Z","eventTimeZoneOffset":"+00:00",%s}`,
		n, r.IntN(10), r.IntN(60), what)
}

// conditions makes random parameters of a query.
func conditions(r *rand.Rand) url.Values {
	v := url.Values{}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	for _, p := range []struct{ name, value string }{
		{"eventType", pick("ObjectEvent", "AggregationEvent|TransformationEvent")}, {"EQ_action", pick("ADD", "DELETE,OBSERVE")},
		{"EQ_bizStep", pick("shipping", "receiving|packing", "urn:example:own-step", "https://ref.gs1.org/cbv/BizStep-packing", "void_shipping")},
		{"EQ_disposition", pick("recalled", "in_transit,active")},
		{"EQ_readPoint", place(r.IntN(20))}, {"WD_readPoint", place(r.IntN(8))}, {"EQ_bizLocation", place(r.IntN(20)) + "|" + place(r.IntN(20))},
		{"WD_bizLocation", place(r.IntN(8)) + "|" + place(r.IntN(8))}, {"EQ_transformationID", fmt.Sprintf("urn:example:t:%d", r.IntN(5))},
		{"GE_eventTime", fmt.Sprintf("2024-01-01T00:%02d:00.000Z", r.IntN(10))}, {"LT_eventTime", fmt.Sprintf("2024-01-01T00:%02d:30Z", r.IntN(10))},
		{"MATCH_epc", pick("urn:epc:idpat:sgtin:0614141.000002.*", "urn:epc:id:sgtin:0614141.000003.4", "urn:epc:idpat:sscc:0614141.*", "urn:example:thing:3")},
		{"MATCH_anyEPC", pick("urn:epc:idpat:sgtin:0614140.*.*", "urn:epc:idpat:sgtin:*.*.*", "https://id.gs1.org/01/00614141000018/21/*",
			"urn:example:thing:1|urn:epc:id:sscc:0614141.0000000003", "urn:epc:id:sgtin:0614141.000001.1|urn:epc:idpat:sgtin:0614141.000002.*")},
		{"MATCH_parentID", pick("urn:epc:idpat:sscc:0614141.*", "urn:example:thing:2")}, {"MATCH_inputEPC", "urn:epc:idpat:sgtin:0614141.*.*"},
		{"MATCH_anyEPCClass", pick("urn:epc:class:lgtin:0614141.000001.L1", "urn:epc:class:lgtin:0614141.000002.*")},
		{"EQ_eventID", fmt.Sprintf("urn:example:event:%d|urn:example:event:%d", r.IntN(700), r.IntN(700))}, {"GE_http://ns.example.com/grade", "3"},
	} {
		if r.IntN(9) == 0 {
			v.Set(p.name, p.value)
		}
	}
	return v
}

// orders are the orders of a window.
var orders = []hub.Order{hub.NewestFirst, hub.OldestFirst, hub.LogOrder, hub.LogReversed}

func searchesAgree(t *testing.T, s Searcher) {
	const total, rounds = 700, 400
	r := rand.New(rand.NewPCG(7, 7))
	all := fill(t, s, r, total)
	read := readAll(t, all)
	for range rounds {
		v := conditions(r)
		for _, bound := range []string{"GE_recordTime", "LT_recordTime"} {
			if r.IntN(5) == 0 {
				v.Set(bound, all[r.IntN(total)].RecordedAt.Format(time.RFC3339Nano))
			}
		}
		q, err := epcis.ParseQuery(v, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := hub.Window{Order: orders[r.IntN(4)], Limit: 1 + r.IntN(50), Until: hub.Seq(r.IntN(total + 1)), From: hub.Seq(r.IntN(100))}
		if r.IntN(2) == 0 {
			w.Provider = providers[r.IntN(3)]
		}
		want := expect(read, &q, w)
		got := seqsOf(walk(t, s, &q, w))
		if !slices.Equal(got, want) {
			t.Fatalf("%v in %+v:\nfound %v\nwant  %v", v, w, got, want)
		}
	}
}

// fill appends total random events, some together and some alone, and the hierarchy of places, and returns them as recorded.
func fill(t *testing.T, s Searcher, r *rand.Rand, total int) []hub.Event {
	t.Helper()
	var batch []hub.Outcome
	for n := range total {
		o := OutcomeOf(t, fmt.Sprintf("r%d", n), random(r, n))
		o.Provider = providers[r.IntN(3)]
		o.Events[0].Leaf.Provider = o.Provider
		if n < 20 && n > 0 {
			o.Master = []hub.Statement{{
				Kind: hub.AboutPlace, ID: place(n), Provider: o.Provider, StatedAt: o.ReceivedAt, Attributes: map[string]string{"parent": place(n / 3)},
			}}
		}
		if batch = append(batch, o); n < total-1 && r.IntN(20) > 0 && n%300 > 50 {
			continue
		}
		if v, err := s.Append(t.Context(), batch); err != nil || slices.ContainsFunc(v, func(v hub.Verdict) bool { return v != hub.Recorded }) {
			t.Fatal(v, err)
		}
		batch = nil
	}
	all := make([]hub.Event, total)
	for i := range all {
		var err error
		if all[i], err = s.EventAt(t.Context(), hub.Seq(i)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// readEvent is a recorded event with what its body says.
type readEvent struct {
	hub.Event
	said *epcis.Event
}

func readAll(t *testing.T, all []hub.Event) []readEvent {
	t.Helper()
	out := make([]readEvent, len(all))
	for i, e := range all {
		said, err := epcis.ParseEvent(e.Body, nil)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = readEvent{e, said}
	}
	return out
}

// expect is the result of a search by the reference semantics alone.
func expect(all []readEvent, q *epcis.Query, w hub.Window) []hub.Seq {
	var out []hub.Event
	for _, e := range all {
		if e.Seq >= w.From && e.Seq < w.Until && (w.Provider == "" || w.Provider == e.Leaf.Provider) &&
			q.Matches(e.said, epcis.Setting{RecordedAt: e.RecordedAt, Within: within}) {
			out = append(out, e.Event)
		}
	}
	slices.SortFunc(out, func(a, b hub.Event) int {
		c := cmp.Compare(a.Seq, b.Seq)
		if !w.Order.ByLog() {
			c = cmp.Or(a.Facets.EventTime.Compare(b.Facets.EventTime), c)
		}
		if w.Order.Descending() {
			return -c
		}
		return c
	})
	return seqsOf(out)
}

func seqsOf(events []hub.Event) []hub.Seq {
	out := make([]hub.Seq, len(events))
	for i, e := range events {
		out[i] = e.Seq
	}
	return out
}

// walk follows a search from page to page.
func walk(t *testing.T, s Searcher, q *epcis.Query, w hub.Window) []hub.Event {
	t.Helper()
	var out []hub.Event
	for range 10_000 {
		page, err := s.Find(t.Context(), q, w)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Events) > w.Limit {
			t.Fatalf("a page of %d has %d events", w.Limit, len(page.Events))
		}
		if out = append(out, page.Events...); page.Next == nil {
			return out
		}
		w.After = page.Next
	}
	t.Fatal("the pages do not end")
	return nil
}

func stablePages(t *testing.T, s Searcher) {
	r := rand.New(rand.NewPCG(1, 1))
	fill(t, s, r, 60)
	q := &epcis.Query{}
	w := hub.Window{Until: 60, Limit: 7}
	want := seqsOf(walk(t, s, q, hub.Window{Until: 60, Limit: 1000}))
	var got []hub.Seq
	for n := 60; ; n++ {
		page, err := s.Find(t.Context(), q, w)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, seqsOf(page.Events)...)
		if page.Next == nil {
			break
		}
		w.After = page.Next
		mustRecord(t, s, OutcomeOf(t, fmt.Sprintf("late%d", n), random(r, n)))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("pages hold %v, want %v", got, want)
	}
}

func mustRecord(t *testing.T, s Searcher, o hub.Outcome) {
	t.Helper()
	if v, err := s.Append(t.Context(), []hub.Outcome{o}); err != nil || v[0] != hub.Recorded {
		t.Fatal(v, err)
	}
}

func budget(t *testing.T, s Searcher) {
	all := fill(t, s, rand.New(rand.NewPCG(2, 2)), 300)
	q, err := epcis.ParseQuery(url.Values{"EQ_http://ns.example.com/grade": {"2"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := hub.Window{Until: 300, Limit: 1000, Budget: time.Nanosecond}
	page, err := s.Find(t.Context(), &q, w)
	if err != nil || page.Next == nil {
		t.Fatalf("a nanosecond was enough: %d events, %v", len(page.Events), err)
	}
	if got, want := seqsOf(walk(t, s, &q, w)), expect(readAll(t, all), &q, w); !slices.Equal(got, want) {
		t.Fatalf("found %v, want %v", got, want)
	}
}

func values(t *testing.T, s Searcher) {
	all := fill(t, s, rand.New(rand.NewPCG(3, 3)), 80)
	for _, p := range append(providers, "") {
		want := map[string]bool{}
		for _, e := range all {
			if (p == "" || e.Leaf.Provider == p) && e.Facets.ReadPoint != "" {
				want[e.Facets.ReadPoint] = true
			}
		}
		var got []string
		for after := ""; ; {
			page, err := s.Values(t.Context(), hub.TermReadPoint, p, after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, page...); len(page) < 3 {
				break
			}
			after = page[2]
		}
		if len(got) != len(want) || !slices.IsSorted(got) || slices.ContainsFunc(got, func(v string) bool { return !want[v] }) {
			t.Errorf("%q has %v, want %v", p, got, want)
		}
	}
}

func firstOf(t *testing.T, s Searcher) {
	one, two := Outcome(t, 1, "A"), Outcome(t, 2, "A")
	two.Provider, two.Events[0].Leaf.Provider = "other", "other"
	mustRecord(t, s, one)
	mustRecord(t, s, two)
	for _, c := range []struct {
		provider hub.ProviderID
		seq      hub.Seq
		want     bool
	}{{"", 0, true}, {"", 1, false}, {"other", 1, true}, {one.Provider, 0, true}, {one.Provider, 1, false}} {
		got, err := s.First(t.Context(), "https://id.gs1.org/01/07613035982949/21/A", c.provider, c.seq)
		if err != nil || got != c.want {
			t.Errorf("first of %q at %d: %v, %v", c.provider, c.seq, got, err)
		}
	}
}

func recordTimes(t *testing.T, s Searcher) {
	all := fill(t, s, rand.New(rand.NewPCG(4, 4)), 30)
	for i := 1; i < len(all); i++ {
		if all[i].RecordedAt.Before(all[i-1].RecordedAt) {
			t.Fatalf("event %d was recorded before the one before it", i)
		}
	}
	for _, e := range all {
		got, err := s.FirstSince(t.Context(), e.RecordedAt)
		if err != nil || got > e.Seq || !all[got].RecordedAt.Equal(e.RecordedAt) {
			t.Fatalf("first since %s is %d, %v", e.RecordedAt, got, err)
		}
	}
	if got, err := s.FirstSince(t.Context(), time.Now().Add(time.Hour)); err != nil || got != 30 {
		t.Fatalf("first in an hour is %d, %v", got, err)
	}
}

func contents(t *testing.T, s Searcher) {
	o := Outcome(t, 1, "A")
	mustRecord(t, s, o)
	e := o.Events[0]
	got, err := s.Contents(t.Context(), []string{e.Key.ID, "urn:example:none"})
	want := hub.Content{Body: e.Leaf.Event, Hash: e.Hash}
	if err != nil || len(got) != 1 || got[e.Key] != want {
		t.Fatalf("contents %v, %v", got, err)
	}
	again := OutcomeOf(t, "in another form", `{"type":"ObjectEvent","eventID":"urn:example:form","eventTime":"2019-11-08T08:11:04Z",
		"eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["urn:epc:id:sgtin:7613035.098294.42"]}`)
	mustRecord(t, s, again)
	link := OutcomeOf(t, "as a link", `{"type":"ObjectEvent","eventID":"urn:example:form","eventTime":"2019-11-08T08:11:04Z",
		"eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["https://id.gs1.org/01/07613035982949/21/42"]}`)
	if v, err := s.Append(t.Context(), []hub.Outcome{link}); err != nil || v[0] != hub.Repeated {
		t.Fatalf("an event in its other form is %v, %v", v, err)
	}
}
