package epcis

import (
	"math/bits"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// maxDepth is how deep arrays and objects may nest in one event.
const maxDepth = 64

// parser reads one JSON text (RFC 8259) in one pass. It is stricter than the grammar in that every string is valid
// Unicode, as RFC 7493 (I-JSON) wants, because canonical bytes need that.
type parser struct {
	src   string
	pos   int
	depth int
	// open holds the children of the containers that are not closed yet; the last is the value being parsed.
	open []node
	// slab is where the children of closed containers live, so that an event costs few allocations; pooled says that it may
	// come from the pool.
	slab   slab
	pooled bool
	// declares is true when a member declares an XML namespace.
	declares bool
}

//nolint:gochecknoglobals // a pool of scratch space
var scratch = sync.Pool{New: func() any { s := make([]node, 0, 64); return &s }}

// parseJSON parses a whole JSON text. It keeps no reference to data.
func parseJSON(data []byte) (node, error) {
	p := parser{src: string(data)}
	return p.parse()
}

func (p *parser) parse() (node, error) {
	if i := invalidUTF8(p.src); i >= 0 {
		p.pos = i
		return node{}, p.fault("utf8", "the text is not valid UTF-8", "文本不是有效的 UTF-8")
	}
	buf, _ := scratch.Get().(*[]node)
	p.open = (*buf)[:0]
	defer func() {
		*buf = p.open[:0]
		scratch.Put(buf)
	}()
	// Every node but the root follows an opening bracket or a comma.
	p.slab.open(strings.Count(p.src, ",")+strings.Count(p.src, "{")+strings.Count(p.src, "["), p.pooled)
	p.space()
	p.open = append(p.open, node{})
	if err := p.value(); err != nil {
		return node{}, err
	}
	root := p.open[0]
	p.space()
	if p.pos < len(p.src) {
		return node{}, p.fault("trailing", "there is more text after the JSON value", "JSON 值之后还有其他内容")
	}
	return root, nil
}

func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return 0
}

// fault returns a fault at the current position.
func (p *parser) fault(code, en, zh string, args ...any) error {
	line, column := lineColumn(p.src, p.pos)
	return faultf(hub.Invalid, "epcis.json."+code, en, zh, args...).At(hub.Where{Line: line, Column: column})
}

// lineColumn returns the place of a byte offset, both counted from 1, the column in code points.
func lineColumn(s string, offset int) (line, column int) {
	before := s[:min(offset, len(s))]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

func (p *parser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// value parses the value that begins at the current position into the last of the open nodes, which has its name.
func (p *parser) value() error {
	if p.pos >= len(p.src) {
		return p.fault("end", "the JSON text ends where a value is expected", "JSON 文本在应有值的位置结束")
	}
	switch c := p.src[p.pos]; c {
	case '{':
		return p.object()
	case '[':
		return p.array()
	case '"':
		text, plain, err := p.text()
		n := p.last()
		n.kind, n.text, n.plainText = kindString, text, plain
		return err
	case 't':
		return p.word("true", kindTrue)
	case 'f':
		return p.word("false", kindFalse)
	case 'n':
		return p.word("null", kindNull)
	default:
		if c == '-' || c-'0' < 10 {
			return p.number()
		}
		return p.fault("syntax", "%s cannot begin a JSON value", "JSON 值不能以 %s 开头", quoteAt(p.src, p.pos))
	}
}

// last returns the last of the open nodes.
func (p *parser) last() *node { return &p.open[len(p.open)-1] }

func quoteAt(s string, i int) string {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return strconv.QuoteRune(r)
}

func (p *parser) word(w string, k kind) error {
	if !strings.HasPrefix(p.src[p.pos:], w) {
		return p.fault("syntax", "a JSON value cannot begin like this; did you mean %s?", "无效的 JSON 值；是否应为 %s？", w)
	}
	p.pos += len(w)
	p.last().kind = k
	return nil
}

// enter counts a container in.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		line, column := lineColumn(p.src, p.pos)
		return tooDeep(maxDepth).At(hub.Where{Line: line, Column: column})
	}
	p.pos++
	p.space()
	return nil
}

// leave moves the children that were opened since mark into the slab and counts the container out.
func (p *parser) leave(mark int) []node {
	p.depth--
	p.pos++
	kids := p.slab.take(len(p.open) - mark)
	copy(kids, p.open[mark:])
	p.open = p.open[:mark]
	return kids
}

// next reads what stands after an element: it reports whether another follows, at which the position then is.
func (p *parser) next(closer byte) (bool, error) {
	p.space()
	if p.pos < len(p.src) {
		switch p.src[p.pos] {
		case closer:
			return false, nil
		case ',':
			p.pos++
			p.space()
			return true, nil
		}
		return false, p.fault("syntax", "expected ',' or '%c', found %s", "应为 ',' 或 '%c'，却出现 %s", closer,
			quoteAt(p.src, p.pos))
	}
	return false, p.fault("end", "the JSON text ends before '%c'", "JSON 文本在 '%c' 之前结束", closer)
}

func (p *parser) array() error {
	if err := p.enter(); err != nil {
		return err
	}
	mark := len(p.open)
	more := p.pos >= len(p.src) || p.src[p.pos] != ']'
	for more {
		p.open = append(p.open, node{})
		err := p.value()
		if err == nil {
			more, err = p.next(']')
		}
		if err != nil {
			return err
		}
	}
	kids := p.leave(mark)
	n := p.last()
	n.kind, n.kids = kindArray, kids
	return nil
}

func (p *parser) object() error {
	if err := p.enter(); err != nil {
		return err
	}
	mark := len(p.open)
	more := p.pos >= len(p.src) || p.src[p.pos] != '}'
	for more {
		err := p.pair()
		if err == nil {
			more, err = p.next('}')
		}
		if err != nil {
			return err
		}
	}
	kids := sortMembers(p.leave(mark))
	n := p.last()
	n.kind, n.kids = kindObject, kids
	return nil
}

// pair parses "name": value.
func (p *parser) pair() error {
	if p.pos >= len(p.src) || p.src[p.pos] != '"' {
		return p.fault("syntax", "expected a member name in double quotes", "应为双引号中的成员名")
	}
	name, plain, err := p.text()
	if err != nil {
		return err
	}
	p.space()
	if p.pos >= len(p.src) || p.src[p.pos] != ':' {
		return p.fault("syntax", "expected ':' after the member name %q", "成员名 %q 之后应为 ':'", name)
	}
	p.pos++
	p.space()
	if name != "" && name[0] == '@' && strings.HasPrefix(name, xmlnsMember) {
		p.declares = true
	}
	p.open = append(p.open, node{name: name, plainName: plain})
	return p.value()
}

// text parses a string. One without escapes is plain and shares the bytes of the source.
func (p *parser) text() (s string, plain bool, err error) {
	start := p.pos + 1
	i := start + unescaped(p.src[start:])
	if i == len(p.src) {
		p.pos = i
		return "", false, p.fault("end", "the JSON text ends within a string", "JSON 文本在字符串中结束")
	}
	switch p.src[i] {
	case '"':
		p.pos = i + 1
		return p.src[start:i], true, nil
	case '\\':
		s, err = p.escaped(start, i)
		return s, false, err
	}
	p.pos = i
	return "", false, p.fault("control", "a control character stands unescaped in a string", "字符串中有未转义的控制字符")
}

// unescaped returns how many bytes at the beginning of s stand in a JSON string as they are: the place of the first
// quote, backslash or control character, or the length of s. It looks at eight bytes at a time.
func unescaped(s string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		// Of each byte the highest bit is set in the difference from a smaller one. The lowest byte that is found this way is
		// always right; a borrow can only spoil those above it.
		quote, slash := w^ones*'"', w^ones*'\\'
		found := ((w - ones*0x20) &^ w) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)
		if found &= highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			break
		}
	}
	return i
}

// escaped continues text at the first backslash.
func (p *parser) escaped(start, i int) (string, error) {
	var b strings.Builder
	b.WriteString(p.src[start:i])
	for i < len(p.src) {
		c := p.src[i]
		p.pos = i
		switch {
		case c == '"':
			p.pos = i + 1
			return b.String(), nil
		case c < 0x20:
			return "", p.fault("control", "a control character stands unescaped in a string", "字符串中有未转义的控制字符")
		case c != '\\':
			b.WriteByte(c)
			i++
		default:
			r, size, ok := unescape(p.src[i:])
			if !ok {
				return "", p.fault("escape", "an escape in a string is not valid or not Unicode", "字符串中的转义无效或不是 Unicode")
			}
			b.WriteRune(r)
			i += size
		}
	}
	p.pos = len(p.src)
	return "", p.fault("end", "the JSON text ends within a string", "JSON 文本在字符串中结束")
}

// unescape decodes the escape at the beginning of s and returns its length. Lone surrogates are refused.
func unescape(s string) (r rune, size int, ok bool) {
	if len(s) < 2 {
		return 0, 0, false
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2, true
	case 'b':
		return '\b', 2, true
	case 'f':
		return '\f', 2, true
	case 'n':
		return '\n', 2, true
	case 'r':
		return '\r', 2, true
	case 't':
		return '\t', 2, true
	case 'u':
		return unescapeUnicode(s)
	}
	return 0, 0, false
}

func unescapeUnicode(s string) (r rune, size int, ok bool) {
	hex := func(s string) (rune, bool) {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return 0, false
		}
		v, err := strconv.ParseUint(s[2:6], 16, 16)
		return rune(v), err == nil
	}
	hi, ok := hex(s)
	if !ok || hi&0xfc00 == 0xdc00 {
		return 0, 0, false
	}
	if hi&0xfc00 != 0xd800 {
		return hi, 6, true
	}
	lo, ok := hex(s[6:])
	if !ok || lo&0xfc00 != 0xdc00 {
		return 0, 0, false
	}
	return (hi-0xd800)<<10 + (lo - 0xdc00) + 0x10000, 12, true
}

// number parses a number and keeps its text.
func (p *parser) number() error {
	size := numberLength(p.src[p.pos:])
	if size == 0 {
		return p.fault("number", "a number is not written as JSON wants it", "数字不符合 JSON 写法")
	}
	n := p.last()
	n.kind, n.text = kindNumber, p.src[p.pos:p.pos+size]
	p.pos += size
	return nil
}

// numberLength returns the length of the JSON number at the beginning of s, 0 when there is none.
func numberLength(s string) int {
	i := 0
	if i < len(s) && s[i] == '-' {
		i++
	}
	whole := digits(s[i:])
	if whole == 0 || whole > 1 && s[i] == '0' {
		return 0
	}
	i += whole
	if i < len(s) && s[i] == '.' {
		f := digits(s[i+1:])
		if f == 0 {
			return 0
		}
		i += 1 + f
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		e := digits(s[i:])
		if e == 0 {
			return 0
		}
		i += e
	}
	return i
}

// digits counts the decimal digits at the beginning of s.
func digits(s string) int {
	i := 0
	for i < len(s) && s[i]-'0' < 10 {
		i++
	}
	return i
}
