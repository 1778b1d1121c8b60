package epcis

import (
	"math"
	"strconv"

	"github.com/suyuan-io/suyuan/hub"
)

// appendCanonical appends n as RFC 8785 (JCS) bytes.
func appendCanonical(b []byte, n *node) ([]byte, error) {
	var err error
	switch n.kind {
	case kindNull:
		return append(b, "null"...), nil
	case kindFalse:
		return append(b, "false"...), nil
	case kindTrue:
		return append(b, "true"...), nil
	case kindString:
		return appendText(b, n.text, n.plainText), nil
	case kindNumber:
		return appendNumber(b, n.text)
	case kindArray:
		b = append(b, '[')
		for i := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendCanonical(b, &n.kids[i]); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case kindObject:
		b = append(b, '{')
		for i := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, n.kids[i].name, n.kids[i].plainName), ':')
			if b, err = appendCanonical(b, &n.kids[i]); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	}
	return b, nil
}

const hexDigits = "0123456789abcdef"

// appendText appends s quoted; plain says that nothing in it needs an escape.
func appendText(b []byte, s string, plain bool) []byte {
	if plain {
		b = append(append(b, '"'), s...)
		return append(b, '"')
	}
	return appendString(b, s)
}

// appendString appends s quoted as RFC 8785 section 3.2.2.2 wants it.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		n := unescaped(s)
		b = append(b, s[:n]...)
		if n == len(s) {
			return append(b, '"')
		}
		c := s[n]
		s = s[n+1:]
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
}

// appendNumber appends a number as RFC 8785 section 3.2.2.3 wants it: the shortest text of the IEEE 754 double.
func appendNumber(b []byte, text string) ([]byte, error) {
	if shortest(text) {
		return append(b, text...), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, faultf(hub.Invalid, "epcis.json.range", "the number %s is beyond what a JSON number may be", "数字 %s 超出 JSON 数字的范围", text)
	}
	if f == 0 {
		return append(b, '0'), nil
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64), nil
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	// ECMAScript writes e-7 where Go writes e-07.
	if n := len(b); b[n-2] == '0' && (b[n-3] == '-' || b[n-3] == '+') {
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b, nil
}

// shortest reports whether text is certainly the canonical text of a number already: at most 15 significant digits, no
// exponent, no trailing zero in a fraction, no zero that is written otherwise.
func shortest(text string) bool {
	i, point := 0, -1
	if text[0] == '-' {
		i = 1
	}
	if len(text)-i > 16 || text[i] == '0' && (len(text) == i+1 && i == 1 || len(text) > i+2 && text[i+2] == '0') {
		return false
	}
	for j := i; j < len(text); j++ {
		switch c := text[j]; {
		case c == '.':
			point = j
		case c-'0' >= 10:
			return false
		}
	}
	if point < 0 {
		return len(text)-i <= 15
	}
	return text[len(text)-1] != '0'
}
