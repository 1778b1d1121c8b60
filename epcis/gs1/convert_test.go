package gs1_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		name, in string
		to       gs1.Form
		o        gs1.Options
		want     string // a value, or the code of a fault
	}{
		{"urn to link", "urn:epc:id:sgtin:4012345.012345.987", gs1.DigitalLink, gs1.Options{}, "https://id.gs1.org/01/04012345123456/21/987"},
		{"urn to element", "urn:epc:id:sgtin:4012345.012345.a%2Fb", gs1.ElementString, gs1.Options{}, "^010401234512345621a/b"},
		{"urn to bracketed", "urn:epc:id:sgln:4012345.00005.0", gs1.Bracketed, gs1.Options{}, "(414)4012345000054"},
		{"grai urn to bracketed", "urn:epc:id:grai:4012345.99999.1(2", gs1.Bracketed, gs1.Options{}, `(8003)040123459999901\(2`},
		{"urn that is raw in strict mode", "urn:epc:id:sgtin:4012345.012345.a/b", gs1.DigitalLink, gs1.Options{Strict: true}, "gs1.serial-characters"},
		{"link to urn without a length", "https://id.gs1.org/01/04012345123456/21/987", gs1.URN, gs1.Options{}, "gs1.prefix-unknown"},
		{"link to urn", "https://id.gs1.org/01/04012345123456/21/987", gs1.URN, gs1.Options{GCPLength: 7}, "urn:epc:id:sgtin:4012345.012345.987"},
		{"length out of range", "https://id.gs1.org/01/04012345123456/21/987", gs1.URN, gs1.Options{GCPLength: 5}, "gs1.prefix-length"},
		{"short gtin to urn", "https://id.gs1.org/01/4012345123456/21/987", gs1.URN, gs1.Options{GCPLength: 7}, "gs1.gtin-length"},
		{"wrong digit in strict mode", "https://id.gs1.org/01/04012345123457/21/987", gs1.URN, gs1.Options{GCPLength: 7, Strict: true}, "gs1.incorrect-check-digit"},
		{"the lot yields to the serial", "https://id.gs1.org/01/04012345123456/10/L/21/987", gs1.URN, gs1.Options{GCPLength: 7}, "urn:epc:id:sgtin:4012345.012345.987"},
		{"itip with lot has no urn", "https://id.gs1.org/8006/040123451234560102/10/L", gs1.URN, gs1.Options{GCPLength: 7}, "gs1.no-urn"},
		{"gmn has no urn", "https://id.gs1.org/8013/1987654Ad4X4bL5ttr2310c2K", gs1.URN, gs1.Options{GCPLength: 7}, "gs1.no-urn"},
		{"gmn as a link", "https://x.example/8013/1987654Ad4X4bL5ttr2310c2K", gs1.DigitalLink, gs1.Options{}, "https://id.gs1.org/8013/1987654Ad4X4bL5ttr2310c2K"},
		{"grai without its zero", "https://id.gs1.org/8003/14012345999990", gs1.URN, gs1.Options{GCPLength: 7}, "gs1.key"},
		{"bracketed to urn", "(01)04012345123456(10)L(21)a/b", gs1.URN, gs1.Options{GCPLength: 7}, "urn:epc:id:sgtin:4012345.012345.a%2Fb"},
		{"bracketed to link", "(01)04012345123456(17)211231(10)L", gs1.DigitalLink, gs1.Options{}, "https://id.gs1.org/01/04012345123456/10/L?17=211231"},
		{"group separators", "\x1d010401234512345610L\x1d17211231", gs1.Bracketed, gs1.Options{}, "(01)04012345123456(10)L(17)211231"},
		{"symbology identifier", "]d2010401234512345610L\x1d17211231", gs1.ElementString, gs1.Options{}, "^010401234512345610L^17211231"},
		{"no key among the elements", "(10)L", gs1.DigitalLink, gs1.Options{}, "gs1.key-missing"},
		{"elements that exclude each other", "(01)04012345123456(02)04012345123456(37)1", gs1.ElementString, gs1.Options{}, "gs1.ai-exclusive"},
		{"wrong check digit in an element", "(01)04012345123457", gs1.ElementString, gs1.Options{}, "gs1.incorrect-check-digit"},
		{"no such day", "(01)04012345123456(17)210230", gs1.ElementString, gs1.Options{}, "gs1.illegal-day"},
		{"compressed link", "https://dlnkd.example.org/ARHKVAdpQgqTpeA", gs1.URN, gs1.Options{GCPLength: 7}, "gs1.compressed"},
		{"no key in the path", "https://id.gs1.org/about/us", gs1.ElementString, gs1.Options{}, "gs1.key-missing"},
		{"a word", "hello", gs1.URN, gs1.Options{}, "gs1.not-an-identifier"},
		{"bare digits", "4012345123456", gs1.DigitalLink, gs1.Options{}, "gs1.not-an-identifier"},
		{"far too long", "https://id.gs1.org/" + strings.Repeat("a", 1<<20), gs1.URN, gs1.Options{}, "gs1.too-long"},
		{"ginc with the prefix alone", "https://id.gs1.org/401/401234512345", gs1.URN, gs1.Options{GCPLength: 12}, "urn:epc:id:ginc:401234512345."},
		{"prefix that is no number", "https://id.gs1.org/8010/401234A", gs1.URN, gs1.Options{GCPLength: 7}, "gs1.prefix-text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := gs1.Convert(c.in, c.to, c.o)
			if err != nil {
				f := hub.AsFault(err)
				got = f.Code
				if f.Message == "" || f.MessageZh == "" || len(f.Error()) > 600 {
					t.Errorf("fault is not complete: %#v", f)
				}
			}
			if got != c.want {
				t.Errorf("Convert(%.80q, %v) = %q, %v; want %q", c.in, c.to, got, err, c.want)
			}
		})
	}
}

func TestCheckStrictness(t *testing.T) {
	for _, c := range []struct {
		name, in string
		o        gs1.Options
		code     string
	}{
		{"lenient leaves check digits", "https://id.gs1.org/01/04012345123457/21/9", gs1.Options{}, ""},
		{"digits on request", "https://id.gs1.org/01/04012345123457/21/9", gs1.Options{CheckDigits: true}, "gs1.check-digit"},
		{"strict verifies", "https://id.gs1.org/01/04012345123457/21/9", gs1.Options{Strict: true}, "gs1.incorrect-check-digit"},
		{"attributes make it verify", "https://id.gs1.org/01/04012345123457?17=211231", gs1.Options{}, "gs1.check-digit"},
		{"attributes are checked", "https://id.gs1.org/01/04012345123456?17=211331", gs1.Options{}, "gs1.illegal-month"},
		{"other parameters are not", "https://id.gs1.org/01/04012345123457/21/9?linkType=all", gs1.Options{}, ""},
		{"lot belongs into the path", "https://id.gs1.org/01/04012345123456?10=L", gs1.Options{Strict: true}, "gs1.ai-in-query"},
		{"raw is one carrier's message", "^10L", gs1.Options{}, ""},
		{"raw in strict mode is complete", "^10L", gs1.Options{Strict: true}, "gs1.ai-missing"},
		{"bracketed is complete", "(10)L", gs1.Options{}, "gs1.ai-missing"},
		{"strict urn", `urn:epc:id:sgtin:4012345.012345."`, gs1.Options{Strict: true}, "gs1.serial-characters"},
		{"lenient urn", `urn:epc:id:sgtin:4012345.012345."`, gs1.Options{}, ""},
		{"other keys follow every rule", "https://id.gs1.org/415/4280000000002", gs1.Options{}, "gs1.ai-missing"},
		{"a qualifier without value", "https://id.gs1.org/01/04012345123456/22/", gs1.Options{}, "gs1.serial-missing"},
		{"attributes that contradict one another", "https://id.gs1.org/01/04012345123456?17=211231&17=221231", gs1.Options{}, "gs1.ai-repeated"},
		{"an attribute that the key excludes", "https://id.gs1.org/01/04012345123456?37=5", gs1.Options{}, "gs1.ai-exclusive"},
		{"a key behind the path", "https://id.gs1.org/x?/01/04012345123456", gs1.Options{}, "gs1.key-missing"},
		{"a qualifier that EPC does not know", "https://id.gs1.org/8018/042321376678516496/8019/12", gs1.Options{}, ""},
		{"a check digit before one", "https://id.gs1.org/8018/042321376678516492/8019/12", gs1.Options{}, "gs1.incorrect-check-digit"},
		{"a qualifier of another key", "https://id.gs1.org/414/4012345000009/21/1", gs1.Options{}, "gs1.key-order"},
		{"a company prefix of four digits", "https://id.gs1.org/8004/4012AB", gs1.Options{}, ""},
		{"one of three", "https://id.gs1.org/8004/401AB2", gs1.Options{}, "gs1.key"},
		{"a qualifier twice", "https://id.gs1.org/01/04012345123456/10/L1/10/L2", gs1.Options{}, "gs1.key-order"},
		{"a slash that is not escaped", "https://id.gs1.org/01/04012345123457/10/L1/L2", gs1.Options{}, ""},
		{"payment slip", "https://id.gs1.org/415/4280000000002/8020/REF1", gs1.Options{}, ""},
	} {
		err := gs1.Check(c.in, c.o)
		if code := codeOf(err); code != c.code {
			t.Errorf("%s: Check(%q) = %v; want %q", c.name, c.in, err, c.code)
		}
	}
}

// codeOf returns the code of a fault, or "".
func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return hub.AsFault(err).Code
}

// randomURN makes a URN of a scheme with a company prefix of n digits.
func randomURN(r *rand.Rand, scheme string, n int) string {
	text := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	const digits = "0123456789"
	serial := func(most int) string {
		return strings.ReplaceAll(text("0123456789ABCabcz!()*+,-.:;=_'/", 1+r.IntN(most)), "/", "%2F")
	}
	gcp := text(digits, n)
	switch scheme {
	case "sgtin", "upui":
		return fmt.Sprintf("urn:epc:id:%s:%s.%s.%s", scheme, gcp, text(digits, 13-n), serial(20))
	case "lgtin":
		return fmt.Sprintf("urn:epc:class:lgtin:%s.%s.%s", gcp, text(digits, 13-n), serial(20))
	case "itip":
		return fmt.Sprintf("urn:epc:id:itip:%s.%s.01.02.%s", gcp, text(digits, 13-n), serial(20))
	case "sscc", "gsrn", "gsrnp":
		return fmt.Sprintf("urn:epc:id:%s:%s.%s", scheme, gcp, text(digits, 17-n))
	case "sgln":
		return fmt.Sprintf("urn:epc:id:sgln:%s.%s.%s", gcp, text(digits, 12-n), serial(20))
	case "pgln":
		return fmt.Sprintf("urn:epc:id:pgln:%s.%s", gcp, text(digits, 12-n))
	case "grai":
		return fmt.Sprintf("urn:epc:id:grai:%s.%s.%s", gcp, text(digits, 12-n), serial(16))
	case "gdti":
		return fmt.Sprintf("urn:epc:id:gdti:%s.%s.%s", gcp, text(digits, 12-n), serial(17))
	case "sgcn":
		return fmt.Sprintf("urn:epc:id:sgcn:%s.%s.%s", gcp, text(digits, 12-n), text(digits, 1+r.IntN(12)))
	case "gsin":
		return fmt.Sprintf("urn:epc:id:gsin:%s.%s", gcp, text(digits, 16-n))
	case "giai", "ginc":
		return fmt.Sprintf("urn:epc:id:%s:%s.%s", scheme, gcp, serial(30-n))
	case "cpi":
		return fmt.Sprintf("urn:epc:id:cpi:%s.%s.%s", gcp, text("0123456789ABZ-", 1+r.IntN(30-n)), text("123456789", 1+r.IntN(12)))
	case "pattern":
		return fmt.Sprintf("urn:epc:idpat:sgtin:%s.%s.*", gcp, text(digits, 13-n))
	}
	panic(scheme)
}

func TestRoundTrips(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, scheme := range []string{
		"sgtin", "upui", "lgtin", "itip", "sscc", "gsrn", "gsrnp", "sgln", "pgln", "grai", "gdti", "sgcn", "gsin", "giai",
		"ginc", "cpi", "pattern",
	} {
		for range 400 {
			n := 6 + r.IntN(7)
			urn := randomURN(r, scheme, n)
			if strings.HasPrefix(scheme, "sgln") && strings.HasSuffix(urn, ".0") {
				continue
			}
			roundTrip(t, urn, gs1.Options{GCPLength: n})
		}
	}
}

// roundTrip sends a URN through all forms and back.
func roundTrip(t *testing.T, urn string, o gs1.Options) {
	t.Helper()
	link, err := gs1.Convert(urn, gs1.DigitalLink, o)
	if err != nil {
		t.Fatalf("%q: %v", urn, err)
	}
	if canonical, ok := gs1.Canonical(urn); !ok || canonical != link {
		t.Fatalf("%q: link %q, canonical %q", urn, link, canonical)
	}
	if back, err := gs1.ToURN(link, o); err != nil || back != urn {
		t.Fatalf("%q → %q → %q, %v", urn, link, back, err)
	}
	elements, err := gs1.Convert(urn, gs1.Bracketed, o)
	if err != nil {
		t.Fatalf("%q to elements: %v", urn, err)
	}
	if back, err := gs1.Convert(elements, gs1.URN, o); err != nil || back != urn {
		t.Fatalf("%q → %q → %q, %v", urn, elements, back, err)
	}
	raw, err := gs1.Convert(elements, gs1.ElementString, o)
	if err != nil {
		t.Fatalf("%q to raw: %v", elements, err)
	}
	if back, err := gs1.Convert(raw, gs1.Bracketed, o); err != nil || back != elements {
		t.Fatalf("%q → %q → %q, %v", elements, raw, back, err)
	}
}

func TestElementsAndLinksRoundTrip(t *testing.T) {
	for _, bracketed := range []string{
		"(01)09520123456788(22)2A(10)ABC(21)a+b/c%d(17)211231(3103)000195(3922)0299",
		"(00)006141411234567890(02)09520123456788(37)25(10)LOT",
		"(414)9520123456788(254)32a/b",
		"(8010)9520123#A-B/1(8011)12",
		"(253)9526064000028000001(90)x\\(y",
		"(8006)095201234567880102(21)S",
	} {
		link, err := gs1.LinkFromElements(bracketed, "https://id.gs1.org/", gs1.Options{})
		if err != nil {
			t.Errorf("%q: %v", bracketed, err)
			continue
		}
		raw, err := gs1.Convert(link, gs1.ElementString, gs1.Options{GTIN14: true})
		if err != nil {
			t.Errorf("%q: %v", link, err)
			continue
		}
		if again, err := gs1.LinkFromElements(raw, "https://id.gs1.org", gs1.Options{}); err != nil || again != link {
			t.Errorf("%q → %q → %q → %q, %v", bracketed, link, raw, again, err)
		}
	}
}

func TestShortNames(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/x/gtin/09506000164908/ser/1?exp=230101#lot=2": "https://a.example/x/01/09506000164908/21/1?17=230101#lot=2",
		"https://a.example?gtin=09506000164908&lot=A/B":                  "https://a.example?01=09506000164908&10=A/B",
		"https://a.example?gtin&x=lot":                                   "https://a.example?gtin&x=lot",
		"https://lot.example#gtin/1":                                     "https://lot.example#gtin/1",
		"https://a.example/gtin":                                         "https://a.example/gtin",
		"urn:x:gtin":                                                     "urn:x:gtin",
	} {
		if got := gs1.ExpandNames(in); got != want {
			t.Errorf("ExpandNames(%q) = %q; want %q", in, got, want)
		}
	}
}

func FuzzConvert(f *testing.F) {
	for _, s := range []string{
		"urn:epc:id:sgtin:4012345.012345.%2Fa", "urn:epc:idpat:cpi:4012345..*", "^010952012345678810L\x1d17211231",
		"(01)09520123456788(10)a\\(b(3922)0299", "https://a/01/09520123456788/10/L?17=211231&98=x+y#f",
		"https://id.gs1.org/01/12345678901231/21//19:;<=>?AZ_az", "https://a/8010/4748374/23748#94//8011/94304",
		"(8110)106141416543213150110120", "https://a/8004/9520614141234567?01=02345673", "]C100006141411234567890",
	} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, in string, gcp int) {
		o := gs1.Options{GCPLength: gcp}
		for _, strict := range []bool{false, true} {
			o.Strict = strict
			_ = gs1.Check(in, o)
			for _, to := range []gs1.Form{gs1.DigitalLink, gs1.URN, gs1.ElementString, gs1.Bracketed} {
				out, err := gs1.Convert(in, to, o)
				if err != nil {
					continue
				}
				if to != gs1.ElementString && to != gs1.Bracketed {
					continue
				}
				again, err := gs1.Convert(out, to, o)
				if err != nil || again != out {
					t.Fatalf("%q → %q → %q, %v", in, out, again, err)
				}
			}
		}
		_ = gs1.ExpandNames(in)
	})
}
