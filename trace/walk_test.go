package trace_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
)

// What happens to a container concerns what is inside of it, while it is inside.
func TestAnItemInheritsWhatHappensToItsContainersOnlyWhileInside(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(s *shelf)
		want string
	}{
		"case and pallet": {func(s *shelf) {
			s.object(hour(1), "commissioning ADD epc="+tin)
			s.aggregation(hour(2), "packing ADD parent="+carton+" child="+tin+","+tin2)
			s.aggregation(hour(3), "packing ADD parent="+pallet+" child="+carton)
			s.object(hour(4), "departing OBSERVE epc="+pallet)
		}, "commissioning packing packing:inside departing:inside"},
		"before it was packed": {func(s *shelf) {
			s.object(hour(1), "inspecting OBSERVE epc="+carton)
			s.aggregation(hour(2), "packing ADD parent="+carton+" child="+tin)
		}, "packing"},
		"after it was taken out": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin+","+tin2)
			s.aggregation(hour(2), "picking DELETE parent="+carton+" child="+tin)
			s.object(hour(3), "storing OBSERVE epc="+carton)
		}, "packing picking"},
		"what is taken out beside it": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin+","+tin2)
			s.aggregation(hour(2), "picking DELETE parent="+carton+" child="+tin2)
			s.object(hour(3), "storing OBSERVE epc="+carton)
		}, "packing storing:inside"},
		"an emptied pallet": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+pallet+" child="+carton)
			s.aggregation(hour(2), "unpacking DELETE parent="+pallet)
			s.object(hour(3), "destroying OBSERVE epc="+pallet)
			s.aggregation(hour(0), "packing ADD parent="+carton+" child="+tin)
		}, "packing packing:inside unpacking:inside"},
		"packed again": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin)
			s.aggregation(hour(2), "unpacking DELETE parent="+carton+" child="+tin)
			s.object(hour(3), "departing OBSERVE epc="+carton)
			s.aggregation(hour(4), "packing ADD parent="+carton+" child="+tin)
			s.object(hour(5), "arriving OBSERVE epc="+carton)
		}, "packing unpacking packing arriving:inside"},
		"a case that leaves the pallet": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin)
			s.aggregation(hour(2), "packing ADD parent="+pallet+" child="+carton)
			s.aggregation(hour(3), "unpacking DELETE parent="+pallet+" child="+carton)
			s.object(hour(4), "departing OBSERVE epc="+pallet)
			s.object(hour(5), "storing OBSERVE epc="+carton)
		}, "packing packing:inside unpacking:inside storing:inside"},
		"a container within itself": {func(s *shelf) {
			s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin)
			s.aggregation(hour(2), "packing ADD parent="+carton+" child="+carton)
			s.aggregation(hour(3), "packing ADD parent="+pallet+" child="+carton)
			s.aggregation(hour(4), "packing ADD parent="+carton+" child="+pallet)
			s.object(hour(5), "departing OBSERVE epc="+pallet)
		}, "packing packing:inside packing:inside packing:inside departing:inside"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			c.tell(s)
			if got := journey(s.trace(t, tin)); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestTheChainOfContainersSaysHowAnEventConcernsTheItem(t *testing.T) {
	s := &shelf{}
	s.aggregation(hour(1), "packing ADD parent="+carton+" child="+tin)
	s.aggregation(hour(2), "packing ADD parent="+pallet+" child="+carton)
	s.object(hour(3), "departing OBSERVE epc="+pallet)
	last := s.trace(t, tin).Steps[2]
	if !slices.Equal(last.Via, []string{carton, pallet}) {
		t.Errorf("via %v", last.Via)
	}
}

// An ingredient brings its own journey, until it went in.
func TestAnItemInheritsItsIngredientsUntilTheyWentIn(t *testing.T) {
	s := &shelf{}
	s.object(hour(1), "commissioning ADD epc="+milk)
	s.object(hour(2), "inspecting OBSERVE epc="+milk)
	s.transformation(hour(3), "creating_class_instance input="+milk+" output="+tin+","+tin2)
	s.object(hour(4), "destroying DELETE epc="+milk)
	s.object(hour(5), "shipping OBSERVE epc="+tin)
	want := "commissioning:ingredient inspecting:ingredient creating_class_instance shipping"
	if got := journey(s.trace(t, tin)); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// The events of an item's lot as a class are of its lot.
func TestWhatIsStatedOfTheLotConcernsItsItems(t *testing.T) {
	s := &shelf{}
	e := s.object(hour(1), "commissioning ADD epc="+tin)
	e.Body = []byte(`{"ilmd":{"cbvmda:lotNumber":"A"}}`)
	s.object(hour(2), "inspecting OBSERVE epc="+lotA)
	if got, want := journey(s.trace(t, tin)), "commissioning inspecting:lot"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// Forwards, a lot of milk leads to every tin that was made of it, and a pallet to all that it held.
func TestForwardsFollowsWhatBecameOfAThing(t *testing.T) {
	s := &shelf{}
	s.object(hour(1), "commissioning ADD epc="+milk)
	s.transformation(hour(2), "creating_class_instance input="+milk+" output="+tin+","+tin2)
	s.object(hour(3), "shipping OBSERVE epc="+tin)
	s.object(hour(4), "accepting OBSERVE epc="+tin2)
	s.object(hour(1), "inspecting OBSERVE epc="+tin2) // before it was made: not of this milk
	for code, want := range map[string]string{
		milk: "commissioning creating_class_instance shipping:product accepting:product",
	} {
		tr, err := s.tracer().Forward(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		if got := journey(tr); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
	s.aggregation(hour(5), "packing ADD parent="+pallet+" child="+tin+","+tin2)
	s.object(hour(6), "retail_selling OBSERVE epc="+tin)
	tr, err := s.tracer().Forward(t.Context(), pallet)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := journey(tr), "packing retail_selling:content"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// A transformation that makes a thing of itself, and two that make each other, end.
func TestCyclesOfIngredientsEnd(t *testing.T) {
	s := &shelf{}
	s.transformation(hour(1), "repackaging input="+tin+" output="+tin)
	s.transformation(hour(2), "repackaging input="+tin2+" output="+tin)
	s.transformation(hour(3), "repackaging input="+tin+" output="+tin2)
	for _, code := range []string{tin, tin2} {
		if tr := s.trace(t, code); len(tr.Steps) == 0 || tr.Truncated {
			t.Errorf("%s: %s", code, journey(tr))
		}
		if _, err := s.tracer().Forward(t.Context(), code); err != nil {
			t.Error(err)
		}
	}
}

// A journey beyond the bounds is cut, and says so.
func TestAJourneyBeyondTheBoundsSaysThatItIsCut(t *testing.T) {
	long := &shelf{}
	for i := range 1001 {
		long.object(hour(1).Add(time.Duration(i)*time.Minute), "storing OBSERVE epc="+tin)
	}
	if tr := long.trace(t, tin); !tr.Truncated || len(tr.Steps) != 1000 {
		t.Errorf("%d steps, truncated %v", len(tr.Steps), tr.Truncated)
	}
	wide := &shelf{}
	for n := range 3 {
		in := fmt.Sprintf("https://id.gs1.org/01/05391520850011/10/N%d", n)
		wide.transformation(hour(20), "creating_class_instance input="+in+" output="+tin)
		for i := range 900 {
			wide.object(hour(1).Add(time.Duration(i)*time.Second), "storing OBSERVE epc="+in)
		}
	}
	if tr := wide.trace(t, tin); !tr.Truncated || len(tr.Steps) != 2000 {
		t.Errorf("%d steps, truncated %v", len(tr.Steps), tr.Truncated)
	}
	deep := &shelf{}
	for n := range 40 {
		deep.aggregation(hour(1).Add(time.Duration(n)*time.Minute), fmt.Sprintf("packing ADD parent=urn:x:%d child=urn:x:%d", n+1, n))
	}
	if tr := deep.trace(t, "urn:x:0"); !tr.Truncated || len(tr.Steps) > 20 {
		t.Errorf("%d steps, truncated %v", len(tr.Steps), tr.Truncated)
	}
}

// meter counts what a walk asks for.
type meter struct {
	*shelf

	lookups, bytes int
}

func (m *meter) EventsAbout(ctx context.Context, ids []string, limit int) ([]hub.Event, bool, error) {
	out, more, err := m.shelf.EventsAbout(ctx, ids, limit)
	m.lookups++
	for i := range out {
		m.bytes += len(out[i].Body)
	}
	return out, more, err
}

func (m *meter) both(t *testing.T, code string) *trace.Trace {
	t.Helper()
	tracer := trace.New(m, func(code string) []string { return []string{code} })
	tr, err := tracer.Trace(t.Context(), code, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tracer.Forward(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	return tr
}

// An event that names a thousand things is not read a thousand times: anybody may ask for the page, and its cost grew with the
// square of the event.
func TestOneEventOfManyThingsIsNotReadOnceForEach(t *testing.T) {
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("https://id.gs1.org/01/05391520850011/21/%d", i)
	}
	many := strings.Join(ids, ",")
	m := &meter{shelf: &shelf{}}
	m.transformation(hour(2), "creating_class_instance input="+many+" output="+tin).Body = []byte(`{"x:y":"` + many + `"}`)
	m.object(hour(1), "storing OBSERVE epc="+ids[999])
	m.aggregation(hour(3), "packing ADD parent="+carton+" child="+tin+","+many)
	m.transformation(hour(4), "repackaging input="+tin+" output="+many)
	tr := m.both(t, tin)
	if got := journey(tr); tr.Truncated || got != "storing:ingredient creating_class_instance packing repackaging" {
		t.Errorf("truncated %v: %s", tr.Truncated, got)
	}
	if m.lookups > 60 || m.bytes > 60*len(many) {
		t.Errorf("%d look-ups of %d bytes", m.lookups, m.bytes)
	}
}

// A journey of few events can lead to many things, and to few things on many ways. Its walk ends, and says so.
func TestAWalkOnManyWaysEnds(t *testing.T) {
	large := &meter{shelf: &shelf{}}
	for n := range 200 {
		e := large.transformation(hour(n), fmt.Sprintf("creating_class_instance input=urn:x:%d output=urn:x:%d", n+1, n/8))
		e.Body = []byte(`{"x:y":"` + strings.Repeat("x", 1<<20) + `"}`)
	}
	if tr := large.both(t, "urn:x:0"); !tr.Truncated || large.bytes > 128<<20 {
		t.Errorf("events of 1 MiB: truncated %v, %d bytes read", tr.Truncated, large.bytes)
	}
	ways := &meter{shelf: &shelf{}} // each thing of a floor is inside of each of the next, at overlapping times
	for floor := range 12 {
		for n := range 48 {
			for _, action := range []string{"ADD", "DELETE"} {
				at := hour(0).Add(time.Duration(n) * time.Minute)
				if action == "DELETE" {
					at = at.Add(40 * time.Minute)
				}
				ways.aggregation(at, fmt.Sprintf("packing %s parent=urn:x:%d.%d child=urn:x:%d.%d,urn:x:%d.%d", action, floor+1, n%8, floor, n/8, floor, n%8))
			}
		}
	}
	if tr := ways.both(t, "urn:x:0.0"); len(tr.Steps) == 0 {
		t.Error("nothing found")
	}
}

func TestAnUnknownCodeIsNotFoundAndABrokenLibraryIsNot(t *testing.T) {
	s := &shelf{}
	if _, err := s.tracer().Trace(t.Context(), "nothing", time.Now()); hub.KindOf(err) != hub.NotFound {
		t.Errorf("unknown code: %v", err)
	}
	if _, err := s.tracer().Forward(t.Context(), "nothing"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("unknown code forwards: %v", err)
	}
	s.broken = errors.New("disk")
	if _, err := s.tracer().Trace(t.Context(), "nothing", time.Now()); !errors.Is(err, s.broken) {
		t.Errorf("broken library: %v", err)
	}
}

// A code that two parties claim for different items resolves to the older claim, and says so.
func TestAnAmbiguousAliasResolvesToTheOlderClaimAndSaysSo(t *testing.T) {
	s := &shelf{}
	s.object(hour(1), "commissioning ADD epc="+tin)
	claim := func(at time.Time, provider hub.ProviderID, id string) {
		s.statements = append(s.statements, hub.Statement{
			Kind: hub.AboutAlias, ID: "0213", Provider: provider, StatedAt: at, Attributes: map[string]string{"id": id},
		})
	}
	claim(hour(2), "brand", tin)
	if tr := s.trace(t, "0213"); tr.ID != tin || len(tr.Contradictions) != 0 {
		t.Errorf("one claim: %s %+v", tr.ID, tr.Contradictions)
	}
	claim(hour(3), "reseller", tin)
	if tr := s.trace(t, "0213"); len(tr.Contradictions) != 0 {
		t.Errorf("two equal claims: %+v", tr.Contradictions)
	}
	claim(hour(4), "forger", tin2)
	tr := s.trace(t, "0213")
	if tr.ID != tin || len(tr.Contradictions) != 1 || tr.Contradictions[0].Code != "alias.ambiguous" ||
		!slices.Contains(tr.Contradictions[0].Providers, "forger") {
		t.Errorf("contrary claims: %s %+v", tr.ID, tr.Contradictions)
	}
}

// Every opening with a time counts, a look without one does not.
func TestOnlyOpeningsWithATimeAreCounted(t *testing.T) {
	s := &shelf{}
	s.object(hour(1), "commissioning ADD epc="+tin)
	for i, at := range []time.Time{hour(5), {}, hour(6)} {
		if _, err := s.tracer().Trace(t.Context(), tin, at); err != nil {
			t.Fatal(i, err)
		}
	}
	if got := s.scans[tin]; got != (hub.Scans{Count: 2, FirstAt: hour(5), LastAt: hour(6)}) {
		t.Errorf("scans %+v", got)
	}
}

// Master data comes with who stated it, the older first, from the class, the lot and the item.
func TestMasterDataIsGatheredWithWhoStatedIt(t *testing.T) {
	s := &shelf{}
	e := s.object(hour(1), "commissioning ADD epc="+tin)
	e.Facets.ReadPoint = "https://id.gs1.org/414/5391520850004"
	e.Body = []byte(`{"ilmd":{"cbvmda:lotNumber":"A"}}`)
	for i, st := range []hub.Statement{
		{Kind: hub.AboutProduct, ID: "https://id.gs1.org/01/07613035982949", Provider: "brand", Attributes: map[string]string{"name": "milk powder"}},
		{Kind: hub.AboutProduct, ID: "https://id.gs1.org/01/07613035982949", Provider: "shop", Attributes: map[string]string{"name": "MILK!"}},
		{Kind: hub.AboutProduct, ID: lotA, Provider: "lab", Attributes: map[string]string{"protein": "12 %"}},
		{Kind: hub.AboutPlace, ID: "https://id.gs1.org/414/5391520850004", Provider: "brand", Attributes: map[string]string{"name": "plant"}},
		{Kind: hub.AboutParty, ID: "p", Provider: "p", Attributes: map[string]string{"name": "The brand"}},
	} {
		st.StatedAt = hour(i)
		s.statements = append(s.statements, st)
	}
	tr := s.trace(t, tin)
	for what, got := range map[string]trace.Stated{
		"milk powder": tr.Product.First("name"), "12 %": tr.Product.First("protein"),
		"plant": tr.Places["https://id.gs1.org/414/5391520850004"].First("name"), "The brand": tr.Parties["p"].First("name"),
	} {
		if got.Value != what {
			t.Errorf("got %+v, want %q", got, what)
		}
	}
	if len(tr.Product["name"]) != 2 || tr.Product["name"][1].Provider != "shop" {
		t.Errorf("names %+v", tr.Product["name"])
	}
}

// A party is called what it calls itself: another one does not put its words under what the first vouches for, however early it comes.
func TestAPartyIsCalledWhatItCallsItself(t *testing.T) {
	s := &shelf{}
	s.object(hour(1), "commissioning ADD epc="+tin)
	rival := hub.Statement{Kind: hub.AboutParty, ID: "p", Provider: "rival", StatedAt: hour(0), Attributes: map[string]string{"name": "Counterfeits Ltd", "note": "x"}}
	s.statements = append(s.statements, rival)
	if a := s.trace(t, tin).Parties["p"]; len(a) != 0 {
		t.Errorf("a party that says nothing of itself is %v", a)
	}
	s.statements = append(s.statements, hub.Statement{Kind: hub.AboutParty, ID: "p", Provider: "p", StatedAt: hour(2), Attributes: map[string]string{"name": "The brand"}})
	if got := s.trace(t, tin).Parties["p"].First("name"); got != (trace.Stated{Value: "The brand", Provider: "p", At: hour(2)}) {
		t.Errorf("it is called %v", got)
	}
}
