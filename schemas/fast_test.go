package schemas_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/schemas"
)

// events returns the valid events that we wrote ourselves, by file name.
func events(tb testing.TB) map[string][]byte {
	tb.Helper()
	paths, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no events: %v", err)
	}
	found := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		found[filepath.Base(path)] = data
	}
	return found
}

func TestEventsOfEveryTypeAreValid(t *testing.T) {
	reg := open(t)
	for name, data := range events(t) {
		if err := reg.ValidateEvent(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Types of one's own and escaped URIs are rare: the fast path leaves them to the schema.
		if fast, want := reg.FastEvent(data), name != "extended.json" && name != "php.json"; fast != want {
			t.Errorf("%s: the fast path accepts it: %v, want %v", name, fast, want)
		}
	}
}

// The fast path never accepts what the schema refuses, and where it accepts and asks for no closer look, no rule is
// broken either.
func checkFast(t *testing.T, reg *schemas.Registry, data []byte) {
	t.Helper()
	checkFastEvent(t, reg, data)
	checkFastDocument(t, reg, data)
}

func checkFastEvent(t *testing.T, reg *schemas.Registry, data []byte) {
	t.Helper()
	schema := reg.SchemaEvent(data)
	if reg.FastEvent(data) && !schema {
		t.Fatalf("the fast path accepts what the schema refuses: %v\n%s", reg.ValidateEvent(data), data)
	}
	if err := reg.ValidateEvent(data); (err == nil) != schema {
		t.Fatalf("ValidateEvent says %v, the schema %v\n%s", err, schema, data)
	}
	if reg.FastNeedsNoRules(data) {
		if err := reg.RulesOfEvent(data); err != nil {
			t.Fatalf("the fast path sees no need for rules, but: %v\n%s", err, data)
		}
	}
}

func checkFastDocument(t *testing.T, reg *schemas.Registry, data []byte) {
	t.Helper()
	if document := reg.SchemaDocument(data); reg.FastDocument(data) && !document {
		t.Fatalf("the fast path accepts a document that the schema refuses\n%s", data)
	} else if err := reg.ValidateDocument(data); (err == nil) != document {
		t.Fatalf("ValidateDocument says %v, the schema %v\n%s", err, document, data)
	}
}

func TestFastEqualsSchemaOnMutations(t *testing.T) {
	reg := open(t)
	accepted := 0
	for name, data := range events(t) {
		for round := range 240 {
			mutated := mutate(t, data, rand.New(rand.NewPCG(uint64(len(name)), uint64(round))))
			checkFastEvent(t, reg, mutated)
			if round%8 == 0 { // most events are no documents
				checkFastDocument(t, reg, mutated)
			}
			if reg.FastEvent(mutated) {
				accepted++
			}
		}
	}
	if accepted < 90 {
		t.Errorf("only %d mutations were accepted: they prove little", accepted)
	}
}

func FuzzFastEqualsSchema(f *testing.F) {
	for _, data := range events(f) {
		f.Add(data, uint64(0))
		f.Add(data, uint64(7))
		f.Add(document(data, data), uint64(0))
	}
	const context = `{"@context":[{"a":"b"},%s],"type":"ObjectEvent","eventTime":"2019-05-01T14:20:00Z","eventTimeZoneOffset":"+00:00",` +
		`"action":"OBSERVE","epcList":["urn:a:b"]}`
	for _, object := range []string{`{}`, `{"c":"d"}`, `{,"c":"d"}`, `{"c":"d",}`, `{"c":"d" "e":"f"}`, `{"c":"d";"e":"f"}`, `{"c":"d"`, `{"c":"d","c":"d"}`, `{"a":"b"}`, `{"c":1}`} {
		f.Add(fmt.Appendf(nil, context, object), uint64(0))
	}
	for _, text := range []string{"", "{", "[]", "\xef\xbb\xbf{}", `{"type":"ObjectEvent","type":"x"}`, "{\"a\":\"\xff\"}", `{"a":1e999}`} {
		f.Add([]byte(text), uint64(0))
	}
	reg := open(f)
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		if seed != 0 {
			data = mutate(t, data, rand.New(rand.NewPCG(seed, 1)))
		}
		checkFast(t, reg, data)
	})
}

// document wraps events in an EPCISDocument.
func document(events ...[]byte) []byte {
	var list []string
	for _, e := range events {
		list = append(list, string(e))
	}
	return fmt.Appendf(nil, `{
  "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", {"example": "https://example.com/ns/"},
    {"cbvmda": "urn:epcglobal:cbv:mda:"}],
  "type": "EPCISDocument",
  "schemaVersion": "2.0",
  "creationDate": "2019-05-01T14:20:00Z",
  "epcisHeader": {"epcisMasterData": {"vocabularyList": [{"type": "urn:epcglobal:epcis:vtype:Location",
    "vocabularyElementList": [{"id": "urn:epc:id:sgln:7613035.00001.0", "attributes": [{"id": "urn:epcglobal:cbv:mda#name", "attribute": "Askeaton"}]}]}]}},
  "epcisBody": {"eventList": [%s]}
}`, strings.Join(list, ",\n"))
}

func TestHostileInputIsRefusedQuickly(t *testing.T) {
	reg := open(t)
	deep := strings.Repeat(`{"a":`, 100_000)
	wide := `{"type":"ObjectEvent","epcList":[` + strings.Repeat(`"urn:a:b",`, 50_000) + `"urn:a:b"]}`
	names := `{` + strings.Repeat(`"example:a":1,`, 50_000) + `"type":"ObjectEvent"}`
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, `,"field%d":1,"example:%d b":1`, i, i)
	}
	var quantities []string
	for i := range 10_000 {
		quantities = append(quantities, fmt.Sprintf(`{"epcClass":"x%d","weight":1}`, i))
	}
	for name, input := range map[string]string{
		"deep objects": deep, "deep lists": strings.Repeat("[", 1_000_000), "the same item": wide, "the same name": names,
		"long number": `{"type":` + strings.Repeat("9", 1_000_000) + `}`, "exponent": `{"type":"a:b","x":1e-999999999}`,
		"context of exponents": `{"@context":[{"a":1e-999999999},{"a":2e-999999999}],"type":"a:b"}`,
		"many unknown fields":  `{"type":"ObjectEvent"` + many.String() + `}`,
		"many bad items":       `{"type":"ObjectEvent","quantityList":[` + strings.Join(quantities, ",") + `]}`,
		"cut behind a name":    `{"type":"ObjectEvent","quantityList":[{"epcClass":"a:b","quantity":`,
		"unfinished":           `{"type":"ObjectEvent`, "lone surrogate": `{"type":"\ud800"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if reg.ValidateEvent([]byte(input)) == nil {
				t.Error("accepted")
			}
			if reg.ValidateDocument([]byte(input)) == nil {
				t.Error("accepted as a document")
			}
		})
	}
}

func TestFastPathFindsRepeatedItemsInLongLists(t *testing.T) {
	reg := open(t)
	event := func(n int, last string) []byte {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("%q", fmt.Sprintf("urn:epc:id:sgtin:7613035.098294.%d", i)))
		}
		list = append(list, last)
		return fmt.Appendf(nil, `{"type":"ObjectEvent","eventTime":"2019-05-01T14:20:00Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":[%s]}`, strings.Join(list, ","))
	}
	for _, n := range []int{1, 12, 13, 5000} {
		if data := event(n, `"urn:epc:id:sgtin:7613035.098294.x"`); !reg.FastEvent(data) {
			t.Errorf("%d different items were not accepted at once", n)
		}
		data := event(n, `"urn:epc:id:sgtin:7613035.098294.0"`)
		if reg.FastEvent(data) || reg.ValidateEvent(data) == nil {
			t.Errorf("a repeated item after %d was accepted", n)
		}
	}
}
