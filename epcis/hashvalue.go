package epcis

import (
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/epcis/gs1"
)

// value appends the canonical form of a value: a word of a vocabulary as its web URI, a number without ornament, a GS1
// identifier as its Digital Link, everything else as it is.
func (h *hasher) value(text string, words *vocabulary) {
	if words != nil && words.words[text] {
		h.write(words.web)
		h.write(text)
		return
	}
	if c := text[0]; c == '+' || c == '-' || c == '.' || c-'0' < 10 {
		if out, ok := appendDecimal(h.out, text); ok {
			h.out = out
			return
		}
	}
	prefix, rest, ok := strings.Cut(text, ":")
	if !ok {
		h.write(text)
		return
	}
	switch prefix {
	case "gs1", "cbv", "epcis":
		h.write(standardPrefix(prefix))
		h.write(rest)
	case "urn", "http", "https", "URN", "HTTP", "HTTPS":
		h.uri(text)
	default:
		h.write(text)
	}
}

// uri appends the canonical form of a URN or web address.
func (h *hasher) uri(text string) {
	if strings.HasPrefix(text, "urn:epcglobal:cbv:") {
		for _, v := range []*vocabulary{bizSteps, dispositions, transactionTypes, partyTypes, errorReasons} {
			if w, ok := strings.CutPrefix(text, v.urn); ok {
				h.write(v.web)
				h.write(w)
				return
			}
		}
	}
	if text != h.before { // as most places are: a bizLocation is the readPoint
		h.before, h.canonical = text, gs1.AppendCanonical(h.canonical[:0], text)
	}
	h.out = append(h.out, h.canonical...)
}

// appendMillis appends a time in UTC with three decimals, rounded half up on the fourth.
func appendMillis(b []byte, c clock) []byte {
	ms := (c.nano + 500_000) / 1_000_000
	c.nano = 0
	t := c.utc().Add(time.Duration(ms) * time.Millisecond)
	y, m, d := t.Date()
	hour, minute, second := t.Clock()
	b = appendTwo(append(appendYear(b, y), '-'), int(m))
	b = appendTwo(append(b, '-'), d)
	b = appendTwo(append(b, 'T'), hour)
	b = appendTwo(append(b, ':'), minute)
	b = appendTwo(append(b, ':'), second)
	ms %= 1000
	b = append(b, '.', byte('0'+ms/100))
	return append(appendTwo(b, ms%100), 'Z')
}

// appendYear appends a year as xsd:dateTime has it: the zone of a time can bring it out of the four digits.
func appendYear(b []byte, y int) []byte {
	switch {
	case y > 9999:
		return strconv.AppendInt(b, int64(y), 10)
	case y < 0:
		b, y = append(b, '-'), -y
	}
	return appendTwo(appendTwo(b, y/100), y%100)
}

// appendTwo appends a number below 100 as two digits.
func appendTwo(b []byte, v int) []byte { return append(b, byte('0'+v/10), byte('0'+v%10)) }

// maxExponent bounds what an exponent may blow a number up to; beyond it the text is left alone.
const maxExponent = 400

// appendDecimal appends a number as plain decimal: no plus sign, no zeros that say nothing, no exponent, no minus zero.
// Its text may be that of xsd:decimal or xsd:double. Nothing is rounded.
func appendDecimal(b []byte, text string) ([]byte, bool) {
	negative := text[0] == '-'
	if text[0] == '-' || text[0] == '+' {
		text = text[1:]
	}
	whole := text[:digits(text)]
	rest := text[len(whole):]
	fraction := ""
	if strings.HasPrefix(rest, ".") {
		fraction = rest[1 : 1+digits(rest[1:])]
		rest = rest[1+len(fraction):]
	}
	if whole == "" && fraction == "" {
		return b, false
	}
	if rest != "" {
		exponent, ok := parseExponent(rest)
		if !ok {
			return b, false
		}
		whole, fraction = shift(whole, fraction, exponent)
	}
	whole = strings.TrimLeft(whole, "0")
	fraction = strings.TrimRight(fraction, "0")
	if whole == "" {
		if fraction == "" {
			return append(b, '0'), true
		}
		whole = "0"
	}
	if negative {
		b = append(b, '-')
	}
	b = append(b, whole...)
	if fraction != "" {
		b = append(append(b, '.'), fraction...)
	}
	return b, true
}

// parseExponent reads e[+-]digits to the end of s.
func parseExponent(s string) (int, bool) {
	if s[0]|0x20 != 'e' {
		return 0, false
	}
	s = s[1:]
	sign := 1
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	if s == "" || digits(s) != len(s) {
		return 0, false
	}
	v := 0
	for i := range len(s) {
		if v = v*10 + int(s[i]-'0'); v > maxExponent {
			return 0, false
		}
	}
	return sign * v, true
}

// shift moves the decimal point.
func shift(whole, fraction string, by int) (string, string) {
	if by >= 0 {
		if pad := by - len(fraction); pad > 0 {
			fraction += strings.Repeat("0", pad)
		}
		return whole + fraction[:by], fraction[by:]
	}
	if pad := -by - len(whole); pad > 0 {
		whole = strings.Repeat("0", pad) + whole
	}
	at := len(whole) + by
	return whole[:at], whole[at:] + fraction
}
