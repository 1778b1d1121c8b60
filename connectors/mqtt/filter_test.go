package mqtt

import "testing"

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true}, {"a/b", "a", false}, {"a", "a/b", false}, {"a/b", "a/c", false},
		{"+", "a", true}, {"+", "a/b", false}, {"a/+", "a/b", true}, {"a/+", "a", false}, {"a/+", "a/", true}, {"+/b", "/b", true},
		{"#", "a/b/c", true}, {"a/#", "a", true}, {"a/#", "a/b/c", true}, {"a/#", "ab", false}, {"+/+/c", "a/b/c", true},
		{"#", "$SYS/x", false}, {"+/x", "$SYS/x", false}, {"$SYS/#", "$SYS/x", true},
		{"$share/g/a/+", "a/b", true}, {"$share/g/a/+", "b/b", false},
	} {
		if got := matches(c.filter, c.topic); got != c.want {
			t.Errorf("%q matches %q: %v", c.filter, c.topic, got)
		}
	}
}

func TestValidFilter(t *testing.T) {
	for filter, want := range map[string]bool{
		"a/+/#": true, "#": true, "+": true, "/": true, "$share/group/a/#": true,
		"": false, "a#": false, "#/a": false, "a/b+": false, "$share/group": false, "$share//a": false, "$share/+/a": false, "a\x00": false,
	} {
		if got := validFilter(filter); got != want {
			t.Errorf("%q: %v", filter, got)
		}
	}
}
