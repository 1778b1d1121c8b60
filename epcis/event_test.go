package epcis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

func TestTheMinimalContextHasWhatIsUsed(t *testing.T) {
	standard := `"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"`
	for name, c := range map[string]struct{ context, members, want string }{
		"nothing": {`"https://gs1.github.io/EPCIS/epcis-context.jsonld"`, `"action":"ADD"`, standard},
		"an unused prefix": {
			`["https://ref.gs1.org/standards/epcis/epcis-context.jsonld",{"a":"http://a/"}]`, `"action":"a"`, standard,
		},
		"a name": {`{"b":"http://b/","a":"http://a/"}`, `"ilmd":{"a:x":{"b:y":1}}`, `[` + standard + `,{"a":"http://a/","b":"http://b/"}]`},
		"a value": {`{"a":"http://a/","http":"http://b/"}`, `"bizStep":"a:x","disposition":"http://c"`,
			`[` + standard + `,{"a":"http://a/"}]`},
		"a term that needs a prefix": {`{"a":"http://a/","t":{"@id":"a:t"}}`, `"t":1`,
			`[` + standard + `,{"a":"http://a/","t":{"@id":"a:t"}}]`},
		"a remote context": {`["https://r.example/c.jsonld",{"a":"http://a/"}]`, `"r:x":1`,
			`[` + standard + `,"https://r.example/c.jsonld"]`},
	} {
		t.Run(name, func(t *testing.T) {
			got := canonical(t, parse(t, `{"@context":`+c.context+`,"type":"T",`+c.members+`}`))
			if !strings.Contains(got, `"@context":`+c.want+`,`) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAnEventAddsToTheContextAroundIt(t *testing.T) {
	outer, err := epcis.ParseContext([]byte(`{"a":"http://outer/","b":"http://b/"}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := epcis.ParseEvent([]byte(`{"@context":{"a":"http://own/"},"type":"T","a:x":1,"b:x":2}`), outer)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := must(t)(e.PreHash(epcis.CBV20)), "eventType=T{http://b/}x=2{http://own/}x=1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if ns, _ := outer.Namespace("a"); ns != "http://outer/" {
		t.Errorf("the outer context changed to %s", ns)
	}
}

func TestCanonicalLeavesOutTheRecordTime(t *testing.T) {
	e := parse(t, `{"type":"T","recordTime":"2024-01-01T00:00:00Z","action":"ADD"}`)
	if got := canonical(t, e); strings.Contains(got, "recordTime") {
		t.Error(got)
	}
	at := time.Date(2025, 2, 3, 4, 5, 6, 7_000_000, time.UTC)
	got, err := e.JSON(at)
	if err != nil || !strings.Contains(string(got), `"action":"ADD","recordTime":"2025-02-03T04:05:06.007Z","type":"T"`) {
		t.Error(string(got), err)
	}
	got, err = e.Bare(at)
	if err != nil || string(got) != `{"action":"ADD","recordTime":"2025-02-03T04:05:06.007Z","type":"T"}` {
		t.Error(string(got), err)
	}
}

func TestSetID(t *testing.T) {
	for _, in := range []string{`{"type":"T"}`, `{"eventID":"urn:uuid:0","type":"T"}`} {
		e := parse(t, in)
		e.SetID("urn:uuid:1")
		if e.ID() != "urn:uuid:1" || !strings.HasSuffix(canonical(t, e), `"eventID":"urn:uuid:1","type":"T"}`) {
			t.Error(canonical(t, e))
		}
	}
}

func TestFromTreeIsWhatParsingIs(t *testing.T) {
	at := time.Date(2024, 5, 1, 10, 0, 0, 0, time.FixedZone("", 7200))
	e, err := epcis.FromTree(map[string]any{
		"type": "ObjectEvent", "eventTime": at, "epcList": []string{"a:1"}, "ex:n": json.Number("1.50"), "ex:i": int64(7),
		"ex:f": 0.5, "ex:b": true, "ex:z": nil, "ex:l": []any{map[string]any{"ex:k": "v"}},
		"quantityList": []map[string]any{{"epcClass": "q:1", "quantity": 3}},
	}, epcis.NewContext(map[string]string{"ex": "https://ex.example/"}))
	if err != nil {
		t.Fatal(err)
	}
	want := parse(t, `{"@context":{"ex":"https://ex.example/"},"type":"ObjectEvent","eventTime":"2024-05-01T10:00:00+02:00",
		"epcList":["a:1"],"ex:n":1.50,"ex:i":7,"ex:f":0.5,"ex:b":true,"ex:z":null,"ex:l":[{"ex:k":"v"}],
		"quantityList":[{"epcClass":"q:1","quantity":3}]}`)
	if d := cmp.Diff(canonical(t, want), canonical(t, e)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(must(t)(want.PreHash(epcis.CBV20)), must(t)(e.PreHash(epcis.CBV20))); d != "" {
		t.Error(d)
	}
	for _, bad := range []any{make(chan int), json.Number("1x"), []any{struct{}{}}} {
		if _, err := epcis.FromTree(map[string]any{"type": "T", "x": bad}, nil); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%T: got %v", bad, err)
		}
	}
}

func TestFromMembersIsFromTree(t *testing.T) {
	none := epcis.Members(nil)
	members := none.With("type", "ObjectEvent").With("x:o", none.With("x:z", []any{none.With("x:k", nil), "v"}).With("x:a", "1")).
		With("epcList", []any{"a:1"}).With("x:p", true).With("eventID", "urn:uuid:1").
		With("@context", []any{none.With("x", "https://x.example/")})
	tree := members.Tree()
	if d := cmp.Diff(map[string]any{
		"type": "ObjectEvent", "eventID": "urn:uuid:1", "epcList": []any{"a:1"}, "x:p": true, "@context": []any{map[string]any{"x": "https://x.example/"}},
		"x:o": map[string]any{"x:a": "1", "x:z": []any{map[string]any{"x:k": nil}, "v"}},
	}, tree); d != "" {
		t.Error(d)
	}
	if members.Get("eventID") != "urn:uuid:1" || members.Get("eventId") != nil {
		t.Error("a member is not found, or one that is not there")
	}
	a, err := epcis.FromMembers(members, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := epcis.FromTree(tree, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(canonical(t, b), canonical(t, a)); d != "" {
		t.Error(d)
	}
	typed := none.With("type", "T")
	deep := typed
	for range 70 {
		deep = slices.Clip(typed).With("x", deep)
	}
	for _, bad := range []epcis.Members{deep, slices.Clip(typed).With("x", struct{}{}), none.With("x", "no type")} {
		if _, err := epcis.FromMembers(bad, nil); hub.KindOf(err) != hub.Invalid && hub.KindOf(err) != hub.TooLarge {
			t.Errorf("got %v", err)
		}
	}
}

func TestKeyTellsAnErrorDeclarationApart(t *testing.T) {
	original := parse(t, `{"type":"T","eventID":"urn:uuid:1"}`)
	declared := parse(t, `{"type":"T","eventID":"urn:uuid:1","errorDeclaration":{"declarationTime":"2024-01-01T01:00:00+01:00"}}`)
	if must(t)(original.Hash(epcis.CBV20)) != must(t)(declared.Hash(epcis.CBV20)) {
		t.Error("an error declaration changes the hash")
	}
	want := hub.EventKey{ID: "urn:uuid:1", DeclaredAt: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	if original.Key() == declared.Key() || declared.Key() != want {
		t.Errorf("got %v, want %v", declared.Key(), want)
	}
}

func TestFacets(t *testing.T) {
	got, err := parse(t, `{"type":"AggregationEvent","eventTime":"2024-05-01T10:00:00+02:00","action":"ADD",
		"bizStep":"https://ref.gs1.org/cbv/BizStep-packing","disposition":"urn:epcglobal:cbv:disp:in_progress",
		"readPoint":{"id":"urn:epc:id:sgln:4012345.00001.0"},"parentID":"urn:epc:id:sscc:0614141.1234567890",
		"childEPCs":["urn:epc:id:sgtin:0614141.107346.2017","https://id.gs1.org/01/10614141073464/21/2017"],
		"childQuantityList":[{"epcClass":"urn:epc:idpat:sgtin:4012345.098765.*"}]}`).Facets()
	if err != nil {
		t.Fatal(err)
	}
	want := hub.Facets{
		Type: "AggregationEvent", Action: "ADD", BizStep: "packing", Disposition: "in_progress",
		EventTime: time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC), ReadPoint: "https://id.gs1.org/414/4012345000016",
		Things: []hub.Thing{
			{Role: hub.RoleParent, ID: "https://id.gs1.org/00/106141412345678908"},
			{Role: hub.RoleChild, ID: "https://id.gs1.org/01/10614141073464/21/2017"},
			{Role: hub.RoleChild, ID: "https://id.gs1.org/01/04012345987652", Class: true},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for pointer, in := range map[string]string{
		"/eventTime":                        `{"type":"T","eventTime":"2024-05-01"}`,
		"/epcList/1":                        `{"type":"T","eventTime":"2024-05-01T00:00:00Z","epcList":["a:1",7]}`,
		"/quantityList/0":                   `{"type":"T","eventTime":"2024-05-01T00:00:00Z","quantityList":[{"quantity":1}]}`,
		"/errorDeclaration/declarationTime": `{"type":"T","eventTime":"2024-05-01T00:00:00Z","errorDeclaration":{}}`,
	} {
		_, err := parse(t, in).Facets()
		if f := hub.AsFault(err); err == nil || f.Kind != hub.Invalid || f.Where.Pointer != pointer {
			t.Errorf("%s: got %v", pointer, err)
		}
	}
}

func TestLookup(t *testing.T) {
	e := parse(t, queried)
	for _, c := range []struct {
		want string
		path []string
	}{
		{"L1", []string{"ilmd", "ex:lot"}},
		{"L1", []string{"ilmd", "https://example.org/epcis/lot"}},
		{"4", []string{"ilmd", "ex:w"}},
		{"KGM", []string{"ilmd", "ex:w", "unit"}},
		{"26,", []string{"sensorElementList", "sensorReport", "value"}},
		{"a,b", []string{"ex:tags"}},
		{"urn:epc:id:sgtin:0614141.107346.2017", []string{"epcList"}},
		{"", []string{"ilmd", "ex:none", "deeper"}},
		{"", []string{"action", "deeper"}},
	} {
		var got []string
		for _, v := range e.Lookup(c.path...) {
			got = append(got, v.Text())
		}
		if strings.Join(got, ",") != strings.TrimSuffix(c.want, ",") {
			t.Errorf("%v: got %q, want %q", c.path, got, c.want)
		}
	}
	var names []string
	for _, v := range e.Lookup("ilmd") {
		v.Members(func(ns, local string, _ epcis.Value) bool {
			names = append(names, ns+" "+local)
			return true
		})
	}
	if d := cmp.Diff([]string{
		"https://example.org/epcis/ lot", "https://example.org/epcis/ w", "https://example.org/epcis/ weights",
	}, names); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"type": "po", "bizTransaction": "urn:epc:id:gdti:0614141.00001.1618034"},
		e.Lookup("bizTransactionList")[0].Any()); d != "" {
		t.Error(d)
	}
	if got := len(e.Extensions()); got != 3 {
		t.Errorf("got %d extensions, want 3", got)
	}
}

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"2013-06-08T14:58:56.591Z":        "2013-06-08T14:58:56.591Z",
		"2013-06-08T14:58:56+02:00":       "2013-06-08T12:58:56Z",
		"2013-06-08t14:58:56z":            "2013-06-08T14:58:56Z",
		"2013-06-08T14:58:56.1234567891Z": "2013-06-08T14:58:56.123456789Z",
		"2016-12-31T23:59:60Z":            "2017-01-01T00:00:00Z",
		"2016-12-31T15:59:60-08:00":       "2017-01-01T00:00:00Z",
		"2013-06-08T24:00:00Z":            "2013-06-09T00:00:00Z",
		"2024-02-29T00:00:00-14:00":       "2024-02-29T14:00:00Z",
	} {
		got, err := epcis.ParseTime(in)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: got %v, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "2013-06-08", "2013-06-08T14:58:56", "2013-06-08T14:58Z", "2013-06-08 14:58:56Z", "2013-13-01T00:00:00Z",
		"2013-02-29T00:00:00Z", "2013-06-31T00:00:00Z", "2013-06-00T00:00:00Z", "2013-06-08T25:00:00Z", "2013-06-08T24:00:01Z",
		"2013-06-08T14:60:00Z", "2013-06-08T14:58:60Z", "2013-06-08T14:59:61Z", "2013-06-08T14:58:56.Z",
		"2013-06-08T14:58:56+2:00", "2013-06-08T14:58:56+14:30", "2013-06-08T14:58:56+02:60", "2013-06-08T14:58:56+0200",
		"13-06-08T14:58:56Z", "2013-06-08T14:58:56Zx", "２013-06-08T14:58:56Z",
	} {
		if got, err := epcis.ParseTime(in); err == nil {
			t.Errorf("%q was taken as %v", in, got)
		}
	}
}

func TestFields(t *testing.T) {
	for _, c := range []struct {
		path  string
		knows string
		open  bool
	}{
		{"ObjectEvent", "ilmd", true}, {"ObjectEvent/readPoint", "id", true},
		{"ObjectEvent/quantityList", "uom", false}, {"TransformationEvent/sensorElementList/sensorReport", "percRank", true},
		{"AggregationEvent/errorDeclaration", "reason", true}, {"ObjectEvent/ilmd", "", true},
		{"ObjectEvent/ilmd/ex:a/b", "", true}, {"ObjectEvent/parentID", "", false}, {"ObjectEvent/action/x", "", false},
		{"ex:OwnEvent", "parentID", true}, {"ObjectEvent/ex:a", "", true}, {"ObjectEvent/nonsense", "", false},
	} {
		path := strings.Split(c.path, "/")
		names, open := epcis.Fields(path[0], path[1:]...)
		if open != c.open || (c.knows == "") != (names == nil) || c.knows != "" && !slices.Contains(names, c.knows) ||
			!slices.IsSorted(names) {
			t.Errorf("%s: got %v, %v", c.path, names, open)
		}
	}
	names, _ := epcis.Fields("ObjectEvent")
	if slices.Contains(names, "childEPCs") {
		t.Error("an ObjectEvent has no childEPCs")
	}

}

// What a released event returned stays as it is when its memory is used again, and nothing of it shows in the next event.
func TestReleasedMemoryIsUsedAgain(t *testing.T) {
	tree := func(n int) map[string]any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{"epcClass": fmt.Sprintf("urn:epc:class:lgtin:4012345.012345.%d", i), "quantity": i + 1}
		}
		return map[string]any{"type": "ObjectEvent", "eventTime": "2024-01-01T00:00:00Z", "action": "ADD", "quantityList": list}
	}
	var events sync.WaitGroup
	for worker := range 4 {
		events.Go(func() {
			for n := range 25 {
				e, err := epcis.FromTree(tree(n*(worker+1)), nil)
				if err != nil {
					t.Error(err)
					return
				}
				e.SetID(fmt.Sprintf("urn:x:%d", n))
				body, err := e.Canonical()
				if err != nil {
					t.Error(err)
					return
				}
				f, err1 := e.Facets()
				hash, err2 := e.Hash(epcis.CBV20)
				id := e.ID()
				e.Release()
				again, err3 := epcis.ParseEvent(body, nil)
				if err := errors.Join(err1, err2, err3); err != nil {
					t.Error(err)
					return
				}
				body2, _ := again.Canonical()
				f2, _ := again.Facets()
				hash2, _ := again.Hash(epcis.CBV20)
				if !bytes.Equal(body, body2) || hash != hash2 || id != again.ID() || !cmp.Equal(f, f2) {
					t.Errorf("%d: got %s %s, want %s %s", n, body2, hash2, body, hash)
				}
				again.Release()
			}
		})
	}
	events.Wait()
}
