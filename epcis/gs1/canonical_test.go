package gs1_test

import (
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		class          bool
	}{
		{"sgtin", "urn:epc:id:sgtin:0614141.712345.32a%2Fb", "https://id.gs1.org/01/70614141123451/21/32a%2Fb", false},
		{"sgtin with a dot in the serial", "urn:epc:id:sgtin:0614141.712345.1.2", "https://id.gs1.org/01/70614141123451/21/1.2", false},
		{"sgtin with a prefix of 12", "urn:epc:id:sgtin:415056789012.0.9", "https://id.gs1.org/01/04150567890128/21/9", false},
		{"grai with a prefix of 12", "urn:epc:id:grai:123456789012..X1", "https://id.gs1.org/8003/01234567890128X1", false},
		{"grai class with a prefix of 12", "urn:epc:idpat:grai:123456789012..*", "https://id.gs1.org/8003/01234567890128", true},
		{"sgln without extension", "urn:epc:id:sgln:4012345.00005.0", "https://id.gs1.org/414/4012345000054", false},
		{"lgtin", "urn:epc:class:lgtin:4012345.012345.A*!", "https://id.gs1.org/01/04012345123456/10/A*!", true},
		{"pattern of a gtin", "urn:epc:idpat:sgtin:4012345.012345.*", "https://id.gs1.org/01/04012345123456", true},
		{"literal reserved characters stay", "urn:epc:id:sgtin:4012345.012345.!()*+,:;='", "https://id.gs1.org/01/04012345123456/21/!()*+,:;='", false},
		{"the lot yields to the serial", "https://a.example/x/01/09780345418913/22/v/10/L/21/S?17=211231#f", "https://id.gs1.org/01/09780345418913/21/S", false},
		{"gtin with lot", "https://a.example/gtin/9780345418913/lot/L", "https://id.gs1.org/01/09780345418913/10/L", true},
		{"gtin-12", "http://a.example/01/614141123452", "https://id.gs1.org/01/00614141123452", true},
		{"key within the stem", "https://a.example/00/faux/00/006141411234567890", "https://id.gs1.org/00/006141411234567890", false},
		{"wrong check digit of a link stays", "https://id.gs1.org/00/340123453111111110", "https://id.gs1.org/00/340123453111111110", false},
		{"itip with lot", "https://id.gs1.org/8006/040123451234560102/10/XYZ", "https://id.gs1.org/8006/040123451234560102/10/XYZ", true},
		{"cpi", "https://id.gs1.org/cpid/0614141123ABC/cpsn/12", "https://id.gs1.org/8010/0614141123ABC/8011/12", false},
		{"cpi class", "https://id.gs1.org/8010/0614141123ABC", "https://id.gs1.org/8010/0614141123ABC", true},
		{"gdti with serial", "https://id.gs1.org/253/4602443000331XYZ", "https://id.gs1.org/253/4602443000331XYZ", false},
		{"giai", "urn:epc:id:giai:4012345.ABC%2F", "https://id.gs1.org/8004/4012345ABC%2F", false},
	} {
		id, class, ok := gs1.CanonicalClass(c.in)
		if id != c.want || class != c.class || !ok {
			t.Errorf("%s: CanonicalClass(%q) = %q, %v, %v; want %q, %v", c.name, c.in, id, class, ok, c.want, c.class)
		}
	}
}

func TestCanonicalLeavesAlone(t *testing.T) {
	for _, in := range []string{
		"", "42", "urn:epc:id:", "urn:epc:id:sgtin:", "urn:uuid:0e2c-11", "https://example.com/", "https://a/01/97803",
		"urn:epc:id:sgtin:40123.01234567.1",                     // prefix too short
		"urn:epc:id:sgtin:4012345.01234.1",                      // reference too short
		"urn:epc:id:sgtin:4012345.0123456.1",                    // reference too long
		"urn:epc:id:sgtin:4012345.012345.",                      // no serial
		"urn:epc:id:sgtin:4012345.012345.123456789012345678901", // serial too long
		"urn:epc:id:sgtin:4012345.012345.a/b",                   // raw reserved character
		"urn:epc:id:sgtin:4012345.012345.a%20b",                 // escape outside the set
		"urn:epc:id:sgcn:4012345.00000.1%30",                    // an escaped digit
		"urn:epc:id:lgtin:4012345.012345.1",                     // a class scheme as an identity
		"urn:epc:class:sgtin:4012345.012345.1",                  // an identity scheme as a class
		"urn:epc:idpat:sgtin:4012345.*.*",                       // a pattern that is no class
		"urn:epc:id:cpi:0614141.abc.1",                          // lower case in a part
		"https://id.gs1.org/01/09780345418913/21/S/10/L",        // wrong order
		"https://id.gs1.org/01/09780345418913/235/T/10/L",
		"https://id.gs1.org/414/4280000000002/10/L",
		"https://id.gs1.org/415/4280000000002/8020/R",
		"https://id.gs1.org/01/0978034541891A", "https://id.gs1.org/01/09780345418913/",
		"urn:epcglobal:cbv:bt:4012345000009:1", strings.Repeat("https://a/01/09780345418913/", 1000),
	} {
		if id, ok := gs1.Canonical(in); ok || id != in {
			t.Errorf("Canonical(%q) = %q, %v; want it unchanged", in, id, ok)
		}
	}
}

func TestCanonicalAllocatesAtMostOnce(t *testing.T) {
	for in, most := range map[string]float64{
		"urn:epc:id:sgtin:4012345.012345.987654":                1,
		"https://a.example/gtin/9780345418913/ser/765tz?x=1":    1,
		"https://id.gs1.org/01/09780345418913/21/765tz":         0,
		"https://example.com/some/where/else":                   0,
		"urn:uuid:6b0c1d3e-6f3c-4a3e-9d57-54f0f4b1a8d1":         0,
		"urn:epcglobal:cbv:bt:4012345000009:PO-2020-11-11-0001": 0,
	} {
		if n := testing.AllocsPerRun(200, func() { gs1.Canonical(in) }); n > most {
			t.Errorf("Canonical(%q) allocates %v times, want at most %v", in, n, most)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	for name, in := range map[string]string{
		"urn":       "urn:epc:id:sgtin:4012345.012345.987654",
		"link":      "https://example.com/gtin/9780345418913/ser/765tz?x=1",
		"canonical": "https://id.gs1.org/01/09780345418913/21/765tz",
		"other":     "https://example.com/some/where/else",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				gs1.Canonical(in)
			}
		})
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{
		"urn:epc:id:sgtin:4012345.012345.%2Fa", "urn:epc:idpat:itip:4012345.012345.01.02.*", "urn:epc:id:cpi:4012345.A%23.1",
		"https://a/gtin/9780345418913/cpv/1/lot/2/ser/3?x#y", "https://id.gs1.org/8003/04012345999990A%41", "https://a/414/4012345000054/254/0",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		id, class, ok := gs1.CanonicalClass(in)
		if !ok {
			if id != in || class {
				t.Fatalf("%q came back as %q", in, id)
			}
			return
		}
		again, class2, ok2 := gs1.CanonicalClass(id)
		if !ok2 || again != id || class2 != class {
			t.Fatalf("%q → %q → %q (%v %v)", in, id, again, ok2, class2)
		}
	})
}
