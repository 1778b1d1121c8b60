package schemas_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/schemas"
)

// What is JSON to the standard library is JSON here, and means the same; what is not, is refused with a place.
func FuzzParseAgreesWithTheStandardLibrary(f *testing.F) {
	for _, s := range []string{
		`{}`, `[]`, `""`, `null`, `true`, `-0.5e+10`, `01`, `1.`, `.5`, `+1`, `[1,]`, `{"a":1,"a":2}`, `"\u00e9\ud83d\ude00\ud800"`,
		`"\x"`, "\"\t\"", "\"\xff\"", `{"a" 1}`, `[1 2]`, `tru`, `truee`, "\ufeff{}", `{'a':1}`, `// c`, ` {"b": [1, {"c": null}], "a": "/"} `,
		strings.Repeat("[", 200), `1e400`, `123456789012345678901234567890`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, fault := schemas.ParseJSON(data)
		var want any
		dec := json.NewDecoder(strings.NewReader(strings.TrimPrefix(string(data), "\ufeff")))
		dec.UseNumber()
		err := dec.Decode(&want)
		if err == nil && dec.More() || err == nil && !json.Valid([]byte(strings.TrimPrefix(string(data), "\ufeff"))) {
			err = hub.Faultf(hub.Invalid, "more", "more after the value")
		}
		if fault != nil {
			if fault.Where.Line < 1 || fault.Where.Column < 1 || fault.Message == "" || fault.MessageZh == "" {
				t.Fatalf("a fault without place or words: %+v", fault)
			}
			if err == nil && utf8.Valid(data) && strings.HasPrefix(fault.Code, "json.syntax") {
				t.Fatalf("%q is JSON, but: %v", data, fault)
			}
			return
		}
		if err != nil {
			t.Fatalf("%q is not JSON (%v) but was read", data, err)
		}
		if diff := cmp.Diff(plain(want), plain(got)); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", data, diff)
		}
	})
}

// plain brings numbers to one form.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	}
	return v
}

func TestColumnsCountCharacters(t *testing.T) {
	reg := open(t)
	data := []byte("\ufeff{\r\n\t\"example:名称\": \"启赋😀\", \"type\": 3}\r\n")
	err := reg.ValidateDocument(data)
	want := hub.Where{Line: 2, Column: 31, Pointer: "/type"}
	var got hub.Where
	for _, place := range placesOf(err) {
		if place.Pointer == "/type" {
			got = place
		}
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPointersAreEscaped(t *testing.T) {
	err := open(t).ValidateEvent([]byte(`{"type":"a:b","eventTime":"2019-05-01T14:20:00Z","eventTimeZoneOffset":"+00:00","errorDeclaration":{"a/b~c":1,"declarationTime":"2019-05-01T14:20:00Z"}}`))
	if diff := cmp.Diff([]string{"schema.unknown-field /errorDeclaration/a~1b~0c"}, places(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestURIsAreThoseOfRFC3986(t *testing.T) {
	for uri, want := range map[string]bool{
		"urn:epc:id:sgtin:0614141.107346.2018": true, "https://id.gs1.org/01/09521321000013/21/9": true, "example:foo": true,
		"cbvmda:lotNumber": true, "mailto:a@b": true, "a:": true, "a:/b//c": true, "a:?q#f": true, "http://[::1]:8080/": true,
		"http://[fe80::1%25eth0]/": false, "http://h:80:80/": false, "http://a b/": false, "http://é/": false, "a:%2": false,
		"a:#b#c": false, "1a:b": false, ":a": false, "a": false, "": false, "a:<b>": false, `a:\b`: false, "//h/p": false,
		"http://u:p@h:1/p;x=1?y=[z]": false, "http://u:p@h:1/p;x=1?y=z": true, "_:b0": false,
	} {
		if got := schemas.IsURI(uri); got != want {
			t.Errorf("%q: %v, want %v", uri, got, want)
		}
	}
}

func TestTimesAreThoseOfRFC3339(t *testing.T) {
	for s, want := range map[string]bool{
		"2019-05-01T14:20:00Z": true, "2019-05-01t14:20:00.1+08:00": true, "2020-02-29T00:00:00-23:59": true,
		"2016-12-31T23:59:60Z": true, "2017-01-01T00:59:60.5+01:00": true, "2016-12-31T22:59:60Z": false,
		"1900-02-29T00:00:00Z": false, "2019-05-01 14:20:00Z": false, "2019-05-01T14:20:00+0800": false,
		"2019-05-01T14:20:00": false, "2019-05-01T14:20Z": false, "2019-05-01T24:00:00Z": false, "2019-5-1T14:20:00Z": false,
		"2019-05-01T14:20:00.Z": false, "2019-05-01T14:20:00+24:00": false, "19-05-01T14:20:00Z": false, "": false,
	} {
		if got := schemas.IsDateTime(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
