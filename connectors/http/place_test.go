package http_test

import (
	"encoding/json"
	"testing"

	connhttp "github.com/suyuan-io/suyuan/connectors/http"
	"github.com/suyuan-io/suyuan/hub"
)

func TestPointer(t *testing.T) {
	const doc = ` {"a":{"b/c":[1,{"~":"x"}],"":{"d":null}}, "n": 1.50 } `
	for path, want := range map[string]string{
		"/a/b~1c/0": "1", "/a/b~1c/1/~0": `"x"`, "/a//d": "null", "/n": "1.50", "/a/": `{"d":null}`,
		"/x": "", "/a/b~1c/2": "", "/a/b~1c/-": "", "/n/x": "",
	} {
		got, err := connhttp.Pointer([]byte(doc), path)
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v", path, got, err)
		}
	}
}

func TestLink(t *testing.T) {
	for value, want := range map[string]string{
		`<https://a.test/p?x=1,2>; rel="next"`:            "https://a.test/p?x=1,2",
		`</1>; rel=prev, </2>; title="a,b"; rel="x next"`: "/2",
		`</1>;REL=Next`:  "/1",
		`</1>; rel=prev`: "", `next`: "", `</1`: "", ``: "",
	} {
		if got := connhttp.Link(value, "next"); got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
}

func FuzzPointer(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":2}]}`), "/a/1/b")
	f.Add([]byte(`[[[[`), "/0/0/0")
	f.Add([]byte(`{"":{"~/":1}}`), "//~0~1")
	f.Fuzz(func(t *testing.T, body []byte, path string) {
		if path != "" && path[0] != '/' {
			return // refused in the file
		}
		got, err := connhttp.Pointer(body, path)
		if err == nil && path != "/" && path != "" && !json.Valid(got) {
			t.Errorf("%q at %q is no JSON", got, path)
		}
	})
}

func FuzzLink(f *testing.F) {
	f.Add(`<https://a.test/?page=2>; rel="next", <x>; rel=last`)
	f.Add(`<,">;";<`)
	f.Fuzz(func(_ *testing.T, value string) { connhttp.Link(value, "next") })
}

// FuzzPosition holds that a position that an operator set, or another version stored, is refused or stays what it is.
func FuzzPosition(f *testing.F) {
	f.Add(`{"since":"2026-01-01T00:00:00Z"}`)
	f.Add(`{"high":"7","page":{"url":"/a?b","pages":-1,"records":3},"known":["a","b"]}`)
	f.Fuzz(func(t *testing.T, text string) {
		once, err := connhttp.Again(hub.Position(text))
		if err != nil {
			if hub.AsFault(err).Code != "http.position" {
				t.Fatal(err)
			}
			return
		}
		if twice, err := connhttp.Again(once); err != nil || twice != once {
			t.Fatalf("%s becomes %s, %v", once, twice, err)
		}
	})
}
