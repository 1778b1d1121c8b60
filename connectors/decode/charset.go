package decode

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// charset is a character encoding by the name that settings, prologs and faults use. The zero value is no charset.
type charset struct {
	name string
	// enc is nil for UTF-8, which is checked and passed through.
	enc encoding.Encoding
	// wide is true for UTF-16, the only one whose ASCII characters are not single bytes.
	wide, bigEndian bool
	// lead is true where a byte of 0x81 and above may be followed by one that looks like ASCII.
	lead bool
}

// The byte order marks.
const (
	bomUTF8    = "\xef\xbb\xbf"
	bomUTF16LE = "\xff\xfe"
	bomUTF16BE = "\xfe\xff"
	bomGB18030 = "\x84\x31\x95\x33"
)

func utf8Charset() charset { return charset{name: "utf-8"} }

func gb18030Charset() charset {
	return charset{name: "gb18030", enc: simplifiedchinese.GB18030, lead: true}
}

func utf16Charset(bigEndian bool) charset {
	if bigEndian {
		return charset{name: "utf-16be", enc: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), wide: true, bigEndian: true}
	}
	return charset{name: "utf-16le", enc: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), wide: true}
}

// charsetNamed finds a charset by any of its usual names, as in the WHATWG Encoding Standard, except that all names of
// the GB family mean GB18030, their superset. "utf-16" without a byte order mark is little-endian.
func charsetNamed(name string) (charset, bool) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "utf-8", "utf8":
		return utf8Charset(), true
	case "gb18030", "gbk", "gb2312", "gb-2312", "cp936", "hz-gb-2312", "euc-cn":
		return gb18030Charset(), true
	case "utf-16", "utf16", "utf-16le", "utf16le", "unicode":
		return utf16Charset(false), true
	case "utf-16be", "utf16be":
		return utf16Charset(true), true
	}
	enc, err := htmlindex.Get(name)
	if err != nil {
		return charset{}, false
	}
	canonical, err := htmlindex.Name(enc)
	if err != nil || canonical == "replacement" || canonical == "x-user-defined" {
		return charset{}, false
	}
	switch canonical {
	case "big5", "shift_jis", "euc-kr", "euc-jp":
		return charset{name: canonical, enc: enc, lead: true}, true
	}
	return charset{name: canonical, enc: enc}, true
}

// charsetOfBOM reads a byte order mark and its length.
func charsetOfBOM(b []byte) (charset, int) {
	switch {
	case bytes.HasPrefix(b, []byte(bomUTF8)):
		return utf8Charset(), len(bomUTF8)
	case bytes.HasPrefix(b, []byte(bomUTF16LE)):
		return utf16Charset(false), len(bomUTF16LE)
	case bytes.HasPrefix(b, []byte(bomUTF16BE)):
		return utf16Charset(true), len(bomUTF16BE)
	case bytes.HasPrefix(b, []byte(bomGB18030)):
		return gb18030Charset(), len(bomGB18030)
	}
	return charset{}, 0
}

// guessCharset tells UTF-8 from what Chinese systems wrote before it. A sample that was cut inside a character counts
// as whole.
func guessCharset(samples ...[]byte) charset {
	for _, b := range samples {
		if !validUTF8Prefix(b) {
			return gb18030Charset()
		}
	}
	return utf8Charset()
}

// validUTF8Prefix reports whether b is UTF-8 up to a character that the end of b may have cut.
func validUTF8Prefix(b []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(b); cut++ {
		if utf8.Valid(b[:len(b)-cut]) {
			return cut == 0 || !utf8.FullRune(b[len(b)-cut:])
		}
	}
	return false
}

// text returns b as UTF-8 text; bad is the offset of the first byte that is no text in the charset, or -1.
func (c charset) text(b []byte) (s string, bad int) {
	if c.enc == nil {
		if utf8.Valid(b) {
			return string(b), -1
		}
		return "", invalidUTF8(b)
	}
	if !c.wide && isASCII(b) {
		return string(b), -1
	}
	if c.wide && len(b)%2 != 0 {
		return "", len(b) - 1
	}
	out, err := c.enc.NewDecoder().Bytes(b)
	if err != nil || bytes.Contains(out, []byte("\uFFFD")) {
		if at := c.firstBad(b); at >= 0 {
			return "", at
		}
	}
	return string(out), -1
}

// firstBad finds the first byte that does not decode, or -1 where every U+FFFD was really written.
func (c charset) firstBad(b []byte) int {
	widest := 1
	if c.lead || c.wide {
		widest = 4
	}
next:
	for at := 0; at < len(b); {
		for n := 1; n <= widest && at+n <= len(b); n++ {
			if c.wide && n%2 != 0 {
				continue
			}
			out, err := c.enc.NewDecoder().Bytes(b[at : at+n])
			if err == nil && (string(out) != "\uFFFD" || c.writesReplacement(b[at:at+n])) && utf8.RuneCount(out) == 1 {
				at += n
				continue next
			}
		}
		return at
	}
	return -1
}

// writesReplacement reports whether b is the charset's own code for U+FFFD.
func (c charset) writesReplacement(b []byte) bool {
	own, err := c.enc.NewEncoder().Bytes([]byte("\uFFFD"))
	return err == nil && bytes.Equal(own, b) && len(own) > 1
}

// columns counts the characters of b.
func (c charset) columns(b []byte) int {
	switch {
	case c.enc == nil:
		return utf8.RuneCount(b)
	case !c.lead:
		return len(b)
	}
	n := 0
	for i := 0; i < len(b); n++ {
		i += c.step(b[i:])
	}
	return n
}

// advance moves a place over b.
func (c charset) advance(p *place, b []byte) {
	if c.enc == nil {
		p.advance(b, countRunes)
		return
	}
	c.advanceIn(p, b)
}

// advanceIn is advance in another encoding than UTF-8; by itself, because its method value takes c to the heap.
func (c charset) advanceIn(p *place, b []byte) {
	if !c.wide {
		p.advance(b, c.columns)
		return
	}
	narrow := make([]byte, 0, len(b)/2)
	for len(b) > 1 {
		char, n := c.ascii(b)
		narrow = append(narrow, char)
		b = b[n:]
	}
	p.advance(narrow, countBytes)
}

// placeIn returns the place of the byte offset in b.
func (c charset) placeIn(b []byte, offset int) place {
	p := newPlace()
	c.advance(&p, b[:min(max(offset, 0), len(b))])
	return p
}

// step returns how many bytes the character at the start of b takes; b is not empty.
func (c charset) step(b []byte) int {
	switch {
	case c.wide:
		return min(2, len(b))
	case !c.lead || b[0] < 0x81 || len(b) == 1:
		return 1
	case b[1] >= '0' && b[1] <= '9' && c.name == "gb18030":
		return min(4, len(b))
	}
	return 2
}

// ascii returns the ASCII character at the start of b and the bytes it takes, or 0 and the bytes of what is there.
func (c charset) ascii(b []byte) (byte, int) {
	if !c.wide {
		if b[0] < utf8.RuneSelf {
			return b[0], 1
		}
		return 0, c.step(b)
	}
	if len(b) < 2 {
		return 0, len(b)
	}
	lo, hi := b[0], b[1]
	if c.bigEndian {
		lo, hi = hi, lo
	}
	if hi != 0 || lo >= utf8.RuneSelf {
		return 0, 2
	}
	return lo, 2
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}
