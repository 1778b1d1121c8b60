package schemas

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/suyuan-io/suyuan/hub"
)

// Limits of what is read. A deeper or longer value is refused, never cut.
const (
	maxDepth  = 128
	maxNumber = 1000 // bytes of one number
)

// document is parsed JSON that remembers where everything stood.
type document struct {
	data []byte
	root *node
}

// node is one JSON value. start is the offset of its first byte.
type node struct {
	kind    shape
	start   int
	text    string // of a string: unescaped; of a number: as written
	members []member
	items   []*node
}

type member struct {
	name  string
	start int // of the name's opening quote
	value *node
}

type shape uint8

const (
	nullKind shape = iota
	falseKind
	trueKind
	numberKind
	stringKind
	arrayKind
	objectKind
)

// get returns the member called name, the last one where the name is repeated (as ECMAScript has it), or nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range slices.Backward(n.members) {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// str returns the text of a string, or "".
func (n *node) str() string {
	if n == nil || n.kind != stringKind {
		return ""
	}
	return n.text
}

// value returns n as the types of encoding/json, numbers as json.Number where their exact digits can matter.
func (n *node) value() any {
	switch n.kind {
	case falseKind, trueKind:
		return n.kind == trueKind
	case numberKind:
		if len(n.text) > 400 || hasExponent(n.text) { // exact arithmetic over huge exponents would never end
			f, _ := strconv.ParseFloat(n.text, 64) // the parser checked it
			return f
		}
		return json.Number(n.text)
	case stringKind:
		return n.text
	case arrayKind:
		list := make([]any, len(n.items))
		for i, item := range n.items {
			list[i] = item.value()
		}
		return list
	case objectKind:
		obj := make(map[string]any, len(n.members))
		for _, m := range n.members {
			obj[m.name] = m.value.value()
		}
		return obj
	case nullKind:
	}
	return nil
}

func hasExponent(number string) bool {
	for i := range len(number) {
		if number[i]|0x20 == 'e' {
			return true
		}
	}
	return false
}

// parse reads one JSON text (RFC 8259) in UTF-8, with or without a byte order mark.
func parse(data []byte) (*document, *hub.Fault) {
	p := parser{data: data, pos: skipBOM(data)}
	root := p.value(0)
	p.space()
	if p.fault == nil && p.pos < len(data) {
		p.fail(p.pos, syntaxAfterEnd)
	}
	if p.fault != nil {
		return nil, p.fault
	}
	return &document{data: data, root: root}, nil
}

func skipBOM(data []byte) int {
	if len(data) >= 3 && data[0] == 0xEF && data[1] == 0xBB && data[2] == 0xBF {
		return 3
	}
	return 0
}

// parser is a recursive descent over data. After the first fault every method returns at once.
type parser struct {
	data  []byte
	pos   int
	fault *hub.Fault
}

func (p *parser) space() {
	for p.pos < len(p.data) {
		switch p.data[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is not white space, or 0 at the end.
func (p *parser) peek() byte {
	p.space()
	if p.pos < len(p.data) {
		return p.data[p.pos]
	}
	return 0
}

func (p *parser) value(depth int) *node {
	c := p.peek()
	n := &node{start: p.pos}
	switch {
	case depth > maxDepth:
		p.fail(p.pos, tooDeep)
	case c == '{':
		n.kind = objectKind
		p.object(n, depth)
	case c == '[':
		n.kind = arrayKind
		p.array(n, depth)
	case c == '"':
		n.kind = stringKind
		n.text = p.string()
	case c == '-' || c >= '0' && c <= '9':
		n.kind = numberKind
		n.text = p.number()
	case p.word("true"):
		n.kind = trueKind
	case p.word("false"):
		n.kind = falseKind
	case p.word("null"):
	default:
		p.fail(p.pos, p.unexpected(c))
	}
	return n
}

// word consumes the literal w.
func (p *parser) word(w string) bool {
	end := p.pos + len(w)
	if end > len(p.data) || string(p.data[p.pos:end]) != w {
		return false
	}
	if end < len(p.data) && isWordByte(p.data[end]) {
		return false
	}
	p.pos = end
	return true
}

func isWordByte(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_'
}

func (p *parser) object(n *node, depth int) {
	p.pos++
	if p.peek() == '}' {
		p.pos++
		return
	}
	for p.fault == nil {
		if c := p.peek(); c != '"' {
			p.fail(p.pos, p.notAName(c))
			return
		}
		m := member{start: p.pos}
		m.name = p.string()
		if p.fault == nil && p.peek() != ':' {
			p.fail(p.pos, syntaxColon)
		}
		if p.fault != nil {
			return
		}
		p.pos++
		m.value = p.value(depth + 1)
		n.members = append(n.members, m)
		if !p.more('}') {
			return
		}
	}
}

func (p *parser) array(n *node, depth int) {
	p.pos++
	if p.peek() == ']' {
		p.pos++
		return
	}
	for p.fault == nil {
		n.items = append(n.items, p.value(depth+1))
		if !p.more(']') {
			return
		}
	}
}

// more consumes the comma before another element and returns true, or the closing bracket and returns false.
func (p *parser) more(closing byte) bool {
	if p.fault != nil {
		return false
	}
	c := p.peek()
	if c == closing {
		p.pos++
		return false
	}
	if c != ',' {
		p.fail(p.pos, p.notAComma(c, closing))
		return false
	}
	comma := p.pos
	p.pos++
	if next := p.peek(); next == closing {
		p.fail(comma, syntaxTrailingComma)
		return false
	}
	return true
}

func (p *parser) number() string {
	start := p.pos
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		if !isWordByte(c) && c != '-' && c != '+' && c != '.' {
			break
		}
		p.pos++
	}
	text := string(p.data[start:p.pos])
	if len(text) > maxNumber {
		p.fail(start, numberTooLong)
		return ""
	}
	if !validNumber(text) {
		p.fail(start, syntaxNumber)
		return ""
	}
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		p.fail(start, numberTooLarge)
	}
	return text
}

// validNumber reports whether s is a number of RFC 8259, section 6.
func validNumber[T text](s T) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	whole := i
	if !digits() || s[whole] == '0' && i > whole+1 {
		return false
	}
	if i < len(s) && s[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(s)
}
