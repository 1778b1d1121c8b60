package body

import (
	"bytes"
	"testing"
)

// FuzzIDAt holds that an id is found where it stands first, and nowhere else.
func FuzzIDAt(f *testing.F) {
	for _, body := range []string{
		`{"eventID":"urn:uuid:1","type":"ObjectEvent"}`, `{"a":"\"eventID\":\"x","parentID":"x","eventID":"x"}`,
		`"eventID":"eventID":"x"`, `ID":"x"`, `{"eventID":"x`,
	} {
		f.Add([]byte(body), "x")
		f.Add([]byte(body), "urn:uuid:1")
	}
	f.Fuzz(func(t *testing.T, body []byte, id string) {
		want := -1
		if at := bytes.Index(body, []byte(`"eventID":"`+id+`"`)); at >= 0 && id != "" {
			want = at + len(`"eventID":"`)
		}
		if got := idAt(body, id); got != want {
			t.Fatalf("%q stands at %d of %q, want %d", id, got, body, want)
		}
	})
}
