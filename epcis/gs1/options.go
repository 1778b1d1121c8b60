package gs1

import (
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Form is one way of writing a GS1 identifier.
type Form int

// The forms. The zero Form is DigitalLink, the form that Suyuan stores.
const (
	// DigitalLink is the canonical GS1 Digital Link under https://id.gs1.org; see [Canonical].
	DigitalLink Form = iota
	// URN is the EPC URN: urn:epc:id:, urn:epc:class:, or urn:epc:idpat:.
	URN
	// ElementString is the element string as a symbol encodes it, FNC1 written as ^.
	ElementString
	// Bracketed is the element string as people read it, with the AIs in brackets.
	Bracketed
)

// String returns the name that [ParseForm] reads.
func (f Form) String() string {
	switch f {
	case DigitalLink:
		return "dl"
	case URN:
		return "urn"
	case ElementString:
		return "element"
	case Bracketed:
		return "bracketed"
	}
	return "unknown"
}

// ParseForm returns the form of that name: dl, urn, element, or bracketed. It fails with gs1.form.
func ParseForm(name string) (Form, error) {
	for _, f := range [...]Form{DigitalLink, URN, ElementString, Bracketed} {
		if f.String() == name {
			return f, nil
		}
	}
	return 0, fault(hub.Invalid, "gs1.form", args{shorten(name)},
		"the form is dl, urn, element, or bracketed, got %q", "形式应为 dl、urn、element 或 bracketed，得到 %q")
}

// Options say how to read identifiers. The zero Options are lenient and know no company prefix.
type Options struct {
	// Table gives the length of company prefixes. What it does not know falls back to GCPLength.
	Table *PrefixTable
	// GCPLength is the length of every company prefix, 6 to 12. 0 means unknown: then a Digital Link converts to a URN
	// only with the help of Table.
	GCPLength int
	// Strict applies the GS1 Barcode Syntax Dictionary in full: reserved characters escaped, check digits right, content
	// of every AI checked, the AIs of one message complete.
	Strict bool
	// CheckDigits verifies the check digits of Digital Links in lenient reading too.
	CheckDigits bool
	// GTIN14 refuses GTINs with 8, 12, or 13 digits in Digital Links where they are converted. Without it they are padded.
	GTIN14 bool
}

// reading is how exactly o reads identifiers.
func (o Options) reading() reading {
	if o.Strict {
		return exact
	}
	return lenient
}

// assigned is the table that content checks ask whether a company prefix is assigned. Only strict reading asks: GTIN-8s and
// restricted circulation numbers have none.
func (o Options) assigned() *PrefixTable {
	if o.Strict {
		return o.Table
	}
	return nil
}

// prefixLength returns how many digits of key, which begins with a company prefix, that prefix has.
func (o Options) prefixLength(key string) (int, error) {
	n := o.Table.Length(key)
	if n == 0 {
		n = o.GCPLength
	}
	switch {
	case n == 0 && o.Table == nil:
		return 0, hinted(fault(hub.Invalid, "gs1.prefix-unknown", args{shorten(key)},
			"the length of the company prefix at the start of %q is not known", "不知道 %q 开头的厂商识别代码的长度"),
			"give its length, or a table of company prefixes", "请给出其长度，或提供厂商识别代码表")
	case n == 0:
		return 0, hinted(fault(hub.Invalid, "gs1.prefix-unassigned", args{shorten(key)},
			"no company prefix at the start of %q is assigned", "%q 的开头没有已分配的厂商识别代码"),
			"check the key, or give the length of the prefix", "请检查主键，或给出前缀长度")
	case n < minPrefix || n > maxPrefix:
		return 0, fault(hub.Invalid, "gs1.prefix-length", args{n},
			"a company prefix in an EPC has 6 to 12 digits, not %d", "EPC 中的厂商识别代码应为 6 到 12 位，而不是 %d 位")
	}
	return n, nil
}

// written says in which form a value is written.
func written(value string) (f Form, ok bool) {
	switch {
	case strings.HasPrefix(value, "urn:"):
		return URN, true
	case strings.HasPrefix(value, "("):
		return Bracketed, true
	}
	if _, link := afterScheme(value); link {
		return DigitalLink, true
	}
	if _, raw := cutStart(value); raw {
		return ElementString, true
	}
	return 0, false
}
