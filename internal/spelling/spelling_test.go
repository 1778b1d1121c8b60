package spelling_test

import (
	"testing"

	"github.com/suyuan-io/suyuan/internal/spelling"
)

func TestNearestFindsMisspellingsOnly(t *testing.T) {
	typed := []string{"shipping", "receiving", "in_transit", "retail_selling", "ADD", "minAge", "长度"}
	coded := []string{"bizStep", "readPoint", "epcList", "eventTimeZoneOffset", "quantityList", "action"}
	for _, c := range []struct {
		got   string
		known []string
		share int
		want  string
	}{
		{"Shipping", typed, spelling.Typed, "shipping"},
		{"shipppng", typed, spelling.Typed, "shipping"},
		{"shipipng", typed, spelling.Typed, "shipping"}, // neighbours swapped: one slip
		{"IN TRANSIT", typed, spelling.Typed, "in_transit"},
		{"retail-selling", typed, spelling.Typed, "retail_selling"},
		{"recieivng", typed, spelling.Typed, "receiving"},
		{"add", typed, spelling.Typed, "ADD"},
		{"ad", typed, spelling.Typed, "ADD"}, // one slip is allowed however short the word
		{"min_age", typed, spelling.Typed, "minAge"},
		{"长广", typed, spelling.Typed, "长度"}, // a slip is a character, not a byte
		{"brewing", typed, spelling.Typed, ""},
		{"x", typed, spelling.Typed, ""},
		{"", typed, spelling.Typed, ""},
		{"--", typed, spelling.Typed, ""},
		{"bizstep", coded, spelling.Coded, "bizStep"},
		{"readpiont", coded, spelling.Coded, "readPoint"},
		{"quantityLists", coded, spelling.Coded, "quantityList"},
		{"eventTimezoneOffset", coded, spelling.Coded, "eventTimeZoneOffset"},
		{"acts", coded, spelling.Coded, ""},
		{"biz", []string{"bit"}, spelling.Coded, ""},
		{"tame", []string{"time", "tale"}, spelling.Typed, "tale"}, // equally near: what begins alike
		{"tame", []string{"name", "game"}, spelling.Typed, "name"}, // and then the first
		{"shipping", nil, spelling.Typed, ""},
	} {
		if got := spelling.Nearest(c.got, c.known, c.share); got != c.want {
			t.Errorf("%q: %q, want %q", c.got, got, c.want)
		}
	}
}

func TestAlikeAndSameLookPastCaseAndSeparators(t *testing.T) {
	if n := spelling.Alike("Biz_Step", "bizLocation"); n != 3 {
		t.Errorf("%d characters in common, want 3", n)
	}
	if !spelling.Same("retail-selling", "Retail Selling") || spelling.Same("retail", "retails") {
		t.Error("Same is wrong")
	}
}

// Whatever the words, a guess is one of those that are known.
func FuzzNearest(f *testing.F) {
	f.Add("shipping", "shipipng")
	f.Add("", "a")
	f.Add("\xff长", "长\xff")
	f.Fuzz(func(t *testing.T, a, b string) {
		there, back := spelling.Nearest(a, []string{b}, spelling.Typed), spelling.Nearest(b, []string{a}, spelling.Typed)
		if there != "" && there != b || back != "" && back != a {
			t.Fatalf("%q, %q: neither of them is %q, %q", a, b, there, back)
		}
		if spelling.Same(a, b) != spelling.Same(b, a) {
			t.Fatalf("%q and %q are the same one way only", a, b)
		}
	})
}
