package gs1_test

import (
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

func TestMatch(t *testing.T) {
	const item = "https://id.gs1.org/01/04012345123456/21/987"
	for _, c := range []struct {
		pattern, id string
		want        bool
	}{
		{"urn:epc:idpat:sgtin:4012345.012345.*", "urn:epc:id:sgtin:4012345.012345.987", true},
		{"urn:epc:idpat:sgtin:4012345.012345.*", item, true},
		{"urn:epc:idpat:sgtin:4012345.012345.*", "https://example.com/gtin/4012345123456/ser/987?x=1", true},
		{"urn:epc:idpat:sgtin:4012345.012345.*", "urn:epc:idpat:sgtin:4012345.012345.*", true},
		{"urn:epc:idpat:sgtin:4012345.012345.*", "https://id.gs1.org/01/04012345123456", true},
		{"urn:epc:idpat:sgtin:4012345.012345.*", "https://id.gs1.org/01/04012345123456/10/L", false},
		{"urn:epc:idpat:sgtin:4012345.012345.987", item, true},
		{"urn:epc:idpat:sgtin:4012345.012345.98", item, false},
		{"urn:epc:idpat:sgtin:4012345.112345.*", item, false},
		{"urn:epc:idpat:sgtin:4012345.*.*", item, true},
		{"urn:epc:idpat:sgtin:4012345.*.*", "https://id.gs1.org/01/94012345123459/21/1", true},
		{"urn:epc:idpat:sgtin:401234.*.*", item, true},
		{"urn:epc:idpat:sgtin:4012346.*.*", item, false},
		{"urn:epc:idpat:sgtin:*.*.*", item, true},
		{"urn:epc:idpat:sgtin:*.*.*", "https://id.gs1.org/01/04012345123456/10/L", false},
		{"urn:epc:idpat:sgtin:*.012345.*", item, false},
		{"urn:epc:idpat:sgtin:4012345.*.987", item, false},
		{"urn:epc:class:lgtin:4012345.012345.*", "https://id.gs1.org/01/04012345123456/10/L", true},
		{"urn:epc:class:lgtin:4012345.012345.L", "https://id.gs1.org/01/04012345123456/10/L", true},
		{"urn:epc:idpat:lgtin:4012345.012345.*", "https://id.gs1.org/01/04012345123456/10/L", true},
		{"urn:epc:class:lgtin:4012345.*.*", "https://id.gs1.org/01/04012345123456/10/L", true},
		{"urn:epc:class:lgtin:4012345.012345.*", item, false},
		{"urn:epc:idpat:sscc:4012345.*", "urn:epc:id:sscc:4012345.3111111111", true},
		{"urn:epc:idpat:sscc:4012345.*", "https://id.gs1.org/00/040123460000000115", false},
		{"urn:epc:idpat:sgln:4012345.00005.*", "urn:epc:id:sgln:4012345.00005.0", true},
		{"urn:epc:idpat:sgln:4012345.*.*", "https://id.gs1.org/414/4012345000054/254/12", true},
		{"urn:epc:idpat:giai:4012345.*", "https://id.gs1.org/8004/4012345ABC345", true},
		{"urn:epc:idpat:grai:4012345.99999.*", "https://id.gs1.org/8003/040123459999901", true},
		{"urn:epc:idpat:grai:4012345.99999.1", "https://id.gs1.org/8003/040123459999901", true},
		{"urn:epc:idpat:cpi:4012345.AB12.*", "https://id.gs1.org/8010/4012345AB12/8011/1", true},
		{"urn:epc:idpat:cpi:4012345.*.*", "https://id.gs1.org/8010/4012345AB12/8011/1", true},
		{"urn:epc:idpat:itip:4012345.012345.01.02.*", "urn:epc:id:itip:4012345.012345.01.02.9", true},
		{"urn:epc:idpat:itip:4012345.012345.*.*.*", "urn:epc:id:itip:4012345.012345.01.02.9", true},
		{"urn:epc:idpat:itip:4012345.012345.02.02.*", "urn:epc:id:itip:4012345.012345.01.02.9", false},
		{"urn:epc:idpat:upui:4012345.012345.*", "https://id.gs1.org/01/04012345123456/235/T", true},
		{"urn:epc:idpat:pgln:4012345.*", "urn:epc:id:pgln:4012345.00005", true},
		{"https://id.gs1.org/01/04012345123456/21/*", "urn:epc:id:sgtin:4012345.012345.987", true},
		{"https://id.gs1.org/01/04012345123456/21/*", "https://id.gs1.org/01/04012345123456", false},
		{"urn:epc:id:sgtin:4012345.012345.987", item, true},
		{item, "urn:epc:id:sgtin:4012345.012345.987", true},
		{"urn:epc:idpat:gid:951.12.*", "urn:epc:id:gid:951.12.400", true},
		{"urn:epc:idpat:gid:951.12.*", "urn:epc:idpat:gid:951.12.*", true},
		{"urn:epc:idpat:gid:951.12.*", "urn:epc:id:gid:951.123.400", false},
		{"urn:epc:idpat:gid:951.*.*", "urn:epc:id:gid:951.123.400", true},
		{"urn:epc:idpat:gid:*.*.*", "urn:epc:id:gid:951.123.400", true},
		{"urn:epc:idpat:gid:951.*.400", "urn:epc:id:gid:951.123.400", false},
		{"urn:epc:idpat:adi:W81X9C.3KL984PX1.*", "urn:epc:id:adi:W81X9C.3KL984PX1.2WMA52", true},
		{"urn:epc:id:bic:CSQU3054383", "urn:epc:id:bic:CSQU3054383", true},
		{"urn:uuid:1", "urn:uuid:1", true},
		{"urn:uuid:1", "urn:uuid:2", false},
		{"urn:epc:idpat:", item, false},
		{"urn:epc:idpat:sgtin:4012345", item, false},
	} {
		if want, alone := gs1.Exact(c.pattern); alone {
			if canonical, _ := gs1.Canonical(c.id); (canonical == want) != c.want {
				t.Errorf("%s alone matches %s, and %s is %v", c.pattern, want, c.id, c.want)
			}
		}
		if got := gs1.Match(c.pattern, c.id); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.id, got)
		}
		if c.want && !inRanges(t, c.pattern, c.id) {
			t.Errorf("%q matches %q but lies outside the ranges", c.pattern, c.id)
		}
	}
}

// inRanges reports whether the canonical form of id lies in a range of pattern.
func inRanges(t *testing.T, pattern, id string) bool {
	t.Helper()
	ranges, ok := gs1.PatternRanges(pattern)
	if !ok {
		return false
	}
	canonical, _ := gs1.Canonical(id)
	for _, r := range ranges {
		if r.From <= canonical && canonical < r.To {
			return true
		}
	}
	return false
}

func TestPatternRangesAreNarrow(t *testing.T) {
	if ranges, ok := gs1.PatternRanges("urn:epc:idpat:sgtin:4012345.*.*"); !ok || len(ranges) != 10 ||
		ranges[3] != (gs1.Range{From: "https://id.gs1.org/01/34012345", To: "https://id.gs1.org/01/34012346"}) {
		t.Errorf("ranges = %v, %v", ranges, ok)
	}
	if _, ok := gs1.PatternRanges("urn:epc:idpat:nothing:1.2"); ok {
		t.Error("a pattern of no scheme has ranges")
	}
	if gs1.IsPattern("urn:epc:id:sgtin:4012345.012345.*1") || !gs1.IsPattern("urn:epc:idpat:sscc:*.*") {
		t.Error("IsPattern is wrong")
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("urn:epc:idpat:sgtin:4012345.*.*", "https://id.gs1.org/01/04012345123456/21/987")
	f.Add("urn:epc:idpat:cpi:4012345.A.B.*", "https://id.gs1.org/8010/4012345A.B/8011/1")
	f.Add("urn:epc:class:lgtin:4012345.012345.*", "urn:epc:class:lgtin:4012345.012345.X")
	f.Fuzz(func(t *testing.T, pattern, id string) {
		if gs1.Match(pattern, id) && !inRanges(t, pattern, id) {
			t.Fatalf("%q matches %q but lies outside the ranges", pattern, id)
		}
	})
}
