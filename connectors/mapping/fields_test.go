package mapping

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/epcis"
)

// TestFieldsAgreeWithEPCIS holds the kinds of fields known here against the names that epcis knows.
func TestFieldsAgreeWithEPCIS(t *testing.T) {
	var walk func(eventType string, sp *spec, path []string)
	walk = func(eventType string, sp *spec, path []string) {
		if sp.want == wantList {
			sp = sp.elem
		}
		if sp.want != wantObject {
			return
		}
		want, open := epcis.Fields(eventType, path...)
		if len(path) == 0 { // these are not for a mapping to say
			want = slices.DeleteFunc(want, func(s string) bool { return s == "@context" || s == "recordTime" })
		}
		if d := cmp.Diff(want, sp.names()); d != "" && len(want)+len(sp.names()) > 0 {
			t.Errorf("%s %v: %s", eventType, path, d)
		}
		if open != sp.open {
			t.Errorf("%s %v: open is %v, want %v", eventType, path, sp.open, open)
		}
		for name, sub := range sp.fields {
			walk(eventType, sub, append(slices.Clone(path), name))
		}
	}
	for _, eventType := range epcis.EventTypes() {
		walk(eventType, eventSpec(eventType), nil)
	}
}
