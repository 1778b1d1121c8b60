package epcis_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// stated is an event around one extension value, so that JSON can be tested through the public API.
func stated(value string) string { return `{"type":"ObjectEvent","x:v":` + value + `}` }

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in, code     string
		line, column int
	}{
		"nothing":                {"", "epcis.json.end", 1, 1},
		"a bare comma":           {`{"type":"ObjectEvent",}`, "epcis.json.syntax", 1, 23},
		"a missing comma":        {"{\"type\":\"ObjectEvent\"\n \"a\":1}", "epcis.json.syntax", 2, 2},
		"a missing colon":        {`{"type" "ObjectEvent"}`, "epcis.json.syntax", 1, 9},
		"single quotes":          {`{'type':1}`, "epcis.json.syntax", 1, 2},
		"a leading zero":         {stated("01"), "epcis.json.number", 1, 29},
		"a bare point":           {stated("1."), "epcis.json.number", 1, 29},
		"a plus sign":            {stated("+1"), "epcis.json.syntax", 1, 29},
		"NaN":                    {stated("NaN"), "epcis.json.syntax", 1, 29},
		"a word cut short":       {stated("tru"), "epcis.json.syntax", 1, 29},
		"a control character":    {stated("\"\x01\""), "epcis.json.control", 1, 30},
		"an unknown escape":      {stated(`"\q"`), "epcis.json.escape", 1, 30},
		"a lone surrogate":       {stated(`"\ud800"`), "epcis.json.escape", 1, 30},
		"a wrong pair":           {stated(`"\ud800A"`), "epcis.json.escape", 1, 30},
		"broken UTF-8":           {stated("\"\xff\""), "epcis.json.utf8", 1, 30},
		"text behind":            {stated("1") + "x", "epcis.json.trailing", 1, 31},
		"an open string":         {`{"type":"Obj`, "epcis.json.end", 1, 13},
		"an open object":         {`{"type":"ObjectEvent"`, "epcis.json.end", 1, 22},
		"columns in code points": {"{\"type\":\"ObjectEvent\",\"名称\":错}", "epcis.json.syntax", 1, 28},
		"too deep":               {stated(strings.Repeat("[", 100) + strings.Repeat("]", 100)), "epcis.json.depth", 1, 92},
		"no object":              {`["ObjectEvent"]`, "epcis.event.object", 0, 0},
		"no type":                {`{"action":"ADD"}`, "epcis.event.type", 0, 0},
		"a type that is no text": {`{"type":1}`, "epcis.event.type", 0, 0},
		"a context that is none": {`{"@context":[1],"type":"ObjectEvent"}`, "epcis.context", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := epcis.ParseEvent([]byte(c.in), nil)
			if err == nil {
				t.Fatal("taken")
			}
			f := hub.AsFault(err)
			if f.Kind != hub.Invalid || f.Code != c.code || f.Where.Line != c.line || f.Where.Column != c.column {
				t.Errorf("got %s %s at %d:%d, want %s at %d:%d", f.Kind, f.Code, f.Where.Line, f.Where.Column, c.code, c.line,
					c.column)
			}
			if f.MessageZh == "" {
				t.Error("the message has no Chinese")
			}
		})
	}
}

func canonical(t *testing.T, e *epcis.Event) string {
	t.Helper()
	b, err := e.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Numbers and strings of RFC 8785, appendix B and section 3.2.3.
func TestCanonicalValues(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "-0.0": "0", "0.0": "0", "1.0": "1", "10": "10", "1e2": "100", "1E+2": "100", "0.10": "0.1",
		"0.000001": "0.000001", "0.0000001": "1e-7", "1e21": "1e+21", "1e20": "100000000000000000000",
		"333333333.33333329": "333333333.3333333", "1e30": "1e+30", "4.50": "4.5", "2e-3": "0.002",
		"0.000000000000000000000000001": "1e-27", "5e-324": "5e-324", "9007199254740993": "9007199254740992",
		"1.7976931348623157e308": "1.7976931348623157e+308", "123456789012345678901234567890": "1.2345678901234568e+29",
		"12.05": "12.05", "0.05": "0.05", "-12.5": "-12.5", "123456789012345": "123456789012345",
		`"\u20ac$\u000f\nA'B\"\\\\\"\/"`: `"€$\u000f\nA'B\"\\\\\"/"`,
		`"\ud83d\ude00"`:                 `"😀"`, `"\u007f"`: "\"\u007f\"", "null": "null", "true": "true", "[]": "[]", "{}": "{}",
		`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew","1":"One","\ud83d\ude00":"Smiley","\u0080":"Control","\u00f6":"Latin"}`: "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin\",\"€\":\"Euro Sign\",\"😀\":\"Smiley\",\"\ufb33\":\"Hebrew\"}",
		`{"b":1,"a":2,"b":3}`: `{"a":2,"b":3}`,
	} {
		got := canonical(t, parse(t, stated(in)))
		want = `{"@context":"` + epcis.ContextURL + `","type":"ObjectEvent","x:v":` + want + `}`
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", in, got, want)
		}
	}
	if _, err := parse(t, stated("1e400")).Canonical(); err == nil {
		t.Error("a number beyond a double has canonical bytes")
	}
}

// Another implementation of RFC 8785 agrees on random values.
func TestCanonicalAgreesWithAnotherImplementation(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		value := randomJSON(rnd, 4)
		want, err := jcs.Transform([]byte(`{"@context":"` + epcis.ContextURL + `",` + stated(value)[1:]))
		if err != nil {
			t.Fatal(err)
		}
		if got := canonical(t, parse(t, stated(value))); got != string(want) {
			t.Fatalf("%s:\ngot  %s\nwant %s", value, got, want)
		}
	}
}

func randomJSON(rnd *rand.Rand, depth int) string {
	switch n := rnd.IntN(8); {
	case n == 0 && depth > 0:
		parts := make([]string, rnd.IntN(20))
		for i := range parts {
			parts[i] = fmt.Sprintf("%s:%s", randomString(rnd, i), randomJSON(rnd, depth-1))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case n == 1 && depth > 0:
		parts := make([]string, rnd.IntN(4))
		for i := range parts {
			parts[i] = randomJSON(rnd, depth-1)
		}
		return "[" + strings.Join(parts, " , ") + "]"
	case n == 2:
		return []string{"true", "false", "null"}[rnd.IntN(3)]
	case n < 5:
		return randomString(rnd, -1)
	case n == 5:
		return fmt.Sprint(rnd.Int64())
	}
	for {
		if f := math.Float64frombits(rnd.Uint64()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return fmt.Sprintf([]string{"%g", "%e", "%.17g"}[rnd.IntN(3)], f)
		}
	}
}

// randomString returns a quoted string; a serial number keeps names apart.
func randomString(rnd *rand.Rand, serial int) string {
	alphabet := []rune("ab\"\\/\b\n\r\t\x00\x1f\x7f é€\u2028\ud7ff\ue000\ufb33\ufffd😀𝄞")
	var s []rune
	for range rnd.IntN(6) {
		s = append(s, alphabet[rnd.IntN(len(alphabet))])
	}
	if serial >= 0 {
		s = append(s, []rune(fmt.Sprint(serial))...)
	}
	b, _ := json.Marshal(string(s))
	return string(b)
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(queried))
	f.Add([]byte(stated(`{"a":[1,2.50,"x",null,{"b":"c"}]}`)))
	f.Add([]byte(`{"@context":{"p":"http://e/","q":{"@id":"p:x"}},"type":"p:E","q":1,"p:r":{"#text":"t","u":"v"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := epcis.ParseEvent(data, nil)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatal("took what is no JSON")
		}
		first, err := e.Canonical()
		if err != nil {
			return
		}
		again, err := epcis.ParseEvent(first, nil)
		if err != nil {
			t.Fatalf("cannot parse the canonical bytes %s: %v", first, err)
		}
		second, err := again.Canonical()
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("canonical bytes change: %s", cmp.Diff(string(first), string(second)))
		}
		for _, d := range []epcis.Dialect{epcis.CBV20, epcis.CBV21} {
			if d := cmp.Diff(must(t)(e.PreHash(d)), must(t)(again.PreHash(d))); d != "" {
				t.Fatalf("the canonical bytes %s have another hash: %s", first, d)
			}
		}
		_, _ = e.Facets()
		_ = e.Key()
		_, _ = e.XML(e.Key().DeclaredAt, epcis.AsURN)
	})
}
