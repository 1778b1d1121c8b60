package gs1

import "strings"

// Canonical returns the one form that stands for an identity however it was written: the constrained canonical Digital
// Link of the CBV 2.0 event hash (CBV 2.0, EPCIS event hash identifiers), which is https://id.gs1.org, the primary key, and its finest
// qualifier: 00; 01; 01/21; 01/10; 01/235; 253; 255; 401; 402; 414; 414/254; 417; 8003; 8004; 8006; 8006/21; 8006/10;
// 8010; 8010/8011; 8017; 8018. GTINs have 14 digits, an SGLN extension 0 is left out, escapes stay as they are. The check
// digit of an EPC URN is computed, that of a Digital Link is not verified. Whatever is neither comes back unchanged with
// ok false.
func Canonical(uri string) (id string, ok bool) {
	id, _, ok = CanonicalClass(uri)
	return id, ok
}

// CanonicalClass is [Canonical] that also reports whether the identity is a class of things: a GTIN or ITIP alone or with
// a lot, a GRAI, GDTI, or GCN without serial, a CPI without serial.
func CanonicalClass(uri string) (id string, class, ok bool) {
	var room [192]byte
	b, class, ok := appendCanonical(room[:0], uri)
	if !ok || string(b) == uri {
		return uri, class, ok
	}
	return string(b), class, true
}

// AppendCanonical appends what [Canonical] returns.
func AppendCanonical(b []byte, uri string) []byte {
	out, _, ok := appendCanonical(b, uri)
	if !ok {
		return append(b, uri...)
	}
	return out
}

// appendCanonical appends the canonical form of uri, or nothing where it is no identity.
func appendCanonical(b []byte, uri string) (out []byte, class, ok bool) {
	if len(uri) < len("http://a/00/1") || len(uri) > maxURI {
		return b, false, false
	}
	switch uri[0] {
	case 'u':
		if p, why := parseURN(uri, exact); why == fine {
			return p.appendLink(b), p.isClass(), true
		}
	case 'h', 'H':
		if l, found := parseLink(uri); found {
			return l.appendCanonical(b)
		}
	}
	return b, false, false
}

// maxURI bounds the work on one value; no identifier comes near it.
const maxURI = 8192

// cutQuery drops query and fragment.
func cutQuery(uri string) string {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		return uri[:i]
	}
	return uri
}

// appendCanonical appends the constrained canonical form of l.
func (l *link) appendCanonical(b []byte) (out []byte, class, ok bool) {
	ext, ok := l.finest()
	if !ok {
		return b, false, false
	}
	s := schemeOf(l.key, ext.ai)
	if s == nil {
		if l.key != "8006" || ext.ai != "10" {
			return b, false, false
		}
		s = schemeOf(l.key, "") // an ITIP with a lot has no EPC scheme but a canonical form
	}
	if len(l.value) < 5 || !allIn(l.value[:4], digit) || !s.linkKeyFits(l.value, path82, exact) {
		return b, false, false
	}
	b = append(b, canonicalStem...)
	b = append(b, '/')
	b = append(b, l.key...)
	b = append(b, '/')
	if l.key == "01" {
		b = append(b, "000000"[:14-len(l.value)]...)
	}
	b = append(b, l.value...)
	class = s.serial > 0 && (ext.ai == "" || ext.ai == "10") && l.key != "414" &&
		(!s.appended() || len(l.value) == s.keyDigits())
	if ext.ai == "" {
		return b, class, true
	}
	if s.checkSerial(ext.value, path82, exact) != fine {
		return b, false, false
	}
	b = append(b, '/')
	b = append(b, ext.ai...)
	b = append(b, '/')
	return append(b, ext.value...), class, true
}

// finest returns the qualifier that identifies most finely, if the qualifiers are those of the key and in their order.
func (l *link) finest() (ext qualifier, ok bool) {
	allowed := ""
	switch l.key {
	case "01":
		allowed = "22 10 21"
		if l.n == 1 && l.quals[0].ai == "235" {
			return l.quals[0], true
		}
	case "8006":
		allowed = "22 10 21"
	case "414":
		allowed = "254"
	case "8010":
		allowed = "8011"
	}
	for _, q := range l.qualifiers() {
		i := strings.Index(allowed, q.ai)
		if i < 0 {
			return ext, false
		}
		allowed = allowed[i+len(q.ai):]
		if q.ai == "22" {
			if n, fits := textLen(q.value, path82, cset82); !fits || n == 0 || n > 20 {
				return ext, false
			}
			continue
		}
		ext = q
	}
	return ext, true
}

// linkKeyFits reports whether value is a key of s as a Digital Link writes it, the appended serial included. GTINs may
// have 8, 12, 13, or 14 digits.
func (s *scheme) linkKeyFits(value string, raw charset, r reading) bool {
	if s.text {
		if s.set == cset39 {
			raw = path39
		}
		if r == lenient {
			raw = s.set
		}
		n, ok := textLen(value, raw, s.set)
		return ok && n <= s.width
	}
	if s.key == "01" && (len(value) == 8 || len(value) == 12 || len(value) == 13) {
		return allIn(value, digit)
	}
	n := s.keyDigits()
	if len(value) < n || !allIn(value[:n], digit) {
		return false
	}
	if len(value) == n {
		return true
	}
	return s.appended() && s.checkSerial(value[n:], raw, r) == fine
}
