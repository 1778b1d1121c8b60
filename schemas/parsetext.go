package schemas

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// string consumes a string and returns its value. A lone surrogate becomes U+FFFD.
func (p *parser) string() string {
	open := p.pos
	p.pos++
	start := p.pos
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			text := string(p.data[start:p.pos])
			p.pos++
			return text
		case c == '\\':
			return p.escaped(open, append([]byte(nil), p.data[start:p.pos]...))
		case c < 0x20:
			p.fail(p.pos, syntaxControl)
			return ""
		case c < utf8.RuneSelf:
			p.pos++
		default:
			if !p.rune() {
				return ""
			}
		}
	}
	p.fail(open, syntaxUnclosedString)
	return ""
}

// rune steps over one multi-byte character.
func (p *parser) rune() bool {
	r, size := utf8.DecodeRune(p.data[p.pos:])
	if r == utf8.RuneError && size == 1 {
		p.fail(p.pos, notUTF8)
		return false
	}
	p.pos += size
	return true
}

// escaped goes on with a string from its first escape; out is what came before.
func (p *parser) escaped(open int, out []byte) string {
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			return string(out)
		case c == '\\':
			r, ok := p.escape()
			if !ok {
				return ""
			}
			out = utf8.AppendRune(out, r)
		case c < 0x20:
			p.fail(p.pos, syntaxControl)
			return ""
		default:
			from := p.pos
			if !p.rune() {
				return ""
			}
			out = append(out, p.data[from:p.pos]...)
		}
	}
	p.fail(open, syntaxUnclosedString)
	return ""
}

// escape consumes one escape sequence, a surrogate pair as one.
func (p *parser) escape() (rune, bool) {
	at := p.pos
	if at+1 >= len(p.data) {
		p.fail(at, syntaxEscape)
		return 0, false
	}
	p.pos += 2
	switch c := p.data[at+1]; c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return p.unicodeEscape(at)
	}
	p.fail(at, syntaxEscape)
	return 0, false
}

func (p *parser) unicodeEscape(at int) (rune, bool) {
	r, ok := p.hex4()
	if !ok {
		p.fail(at, syntaxEscape)
		return 0, false
	}
	if !utf16.IsSurrogate(r) {
		return r, true
	}
	if p.pos+1 < len(p.data) && p.data[p.pos] == '\\' && p.data[p.pos+1] == 'u' {
		back := p.pos
		p.pos += 2
		if low, ok := p.hex4(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, true
			}
		}
		p.pos = back
	}
	return utf8.RuneError, true
}

func (p *parser) hex4() (rune, bool) {
	if p.pos+4 > len(p.data) {
		return 0, false
	}
	v, err := strconv.ParseUint(string(p.data[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		return 0, false
	}
	p.pos += 4
	return rune(v), true
}
