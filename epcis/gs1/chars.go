package gs1

import "strings"

// charset is a set of characters, as a bit of the class table.
type charset uint8

// The character sets of GS1 (General Specifications, section 7.11) and their parts that need no escape in an EPC URN or in
// the path of a Digital Link.
const (
	digit  charset = 1 << iota
	cset82         // 82 characters: serials, lots, extensions
	cset39         // 39 characters: component and part identifiers
	urn82          // of cset82, raw in an EPC URN
	urn39          // of cset39, raw in an EPC URN
	path82         // of cset82, raw in a Digital Link path
	path39         // of cset39, raw in a Digital Link path
)

const (
	digits   = "0123456789"
	upper    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower    = "abcdefghijklmnopqrstuvwxyz"
	alphanum = digits + upper + lower
)

//nolint:gochecknoglobals // read-only table
var classOf = classes()

// classes builds the table that says to which sets a byte belongs.
func classes() (table [256]charset) {
	add := func(set charset, members string) {
		for i := range len(members) {
			table[members[i]] |= set
		}
	}
	add(digit, digits)
	add(cset82, alphanum+`!"%&'()*+,-./:;<=>?_`)
	add(cset39, digits+upper+"#-/")
	add(urn82, alphanum+"!'()*+,-.:;=_")
	add(urn39, digits+upper+"-")
	add(path82, alphanum+`!"&'()*+,-.:;<=>_`)
	add(path39, digits+upper+"-")
	return table
}

// in reports whether c belongs to set.
func in(c byte, set charset) bool { return classOf[c]&set != 0 }

// allIn reports whether every byte of s belongs to set.
func allIn(s string, set charset) bool {
	for i := range len(s) {
		if classOf[s[i]]&set == 0 {
			return false
		}
	}
	return true
}

// isDigits reports whether s is n digits.
func isDigits(s string, n int) bool { return len(s) == n && allIn(s, digit) }

// nibble returns the value of a hexadecimal digit, or -1.
func nibble(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}

// escapeAt decodes the percent escape at s[i]; ok is false where there is none.
func escapeAt(s string, i int) (c byte, ok bool) {
	if s[i] != '%' || i+2 >= len(s) {
		return 0, false
	}
	hi, lo := nibble(s[i+1]), nibble(s[i+2])
	if hi < 0 || lo < 0 {
		return 0, false
	}
	return byte(hi<<4 | lo), true
}

// textLen counts the characters of s, an escape as one. Bytes must belong to raw, decoded escapes to full; ok is false at
// the first that does not. A percent sign that starts no escape of a member of full is a character like any other.
func textLen(s string, raw, full charset) (n int, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if c, esc := escapeAt(s, i); esc && in(c, full) {
				i += 2
				n++
				continue
			}
		}
		if !in(s[i], raw) {
			return n, false
		}
		n++
	}
	return n, true
}

// unescape decodes the percent escapes of s and leaves a lone percent sign as it is.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if c, esc := escapeAt(s, i); esc {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// appendEscaped appends s with every byte outside keep percent-encoded.
func appendEscaped(b []byte, s string, keep func(byte) bool) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; keep(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// urnSafe is the set of characters that an EPC URN holds raw; a canonical Digital Link escapes the same ones.
func urnSafe(c byte) bool { return in(c, urn82|urn39) }

// uriUnreserved is the set of RFC 3986, section 2.3.
func uriUnreserved(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}
