package decode

import (
	"bytes"
	"strings"

	"github.com/suyuan-io/suyuan/connectors"
)

// jsonCutter finds the records of one item without building anything: it looks at brackets and strings only, and leaves
// the rest of the grammar to Decode.
type jsonCutter struct {
	d     *jsonDecoder
	w     *window
	at    place
	yield func(connectors.Piece) error
	found bool
	// counted is up to where at has come in an item that is in memory. Its places are counted when somebody asks for one: a
	// webhook's one record begins where the body does, and nobody asks where it ends.
	counted int
}

// lines yields the lines that are not blank.
func (c *jsonCutter) lines() error {
	for {
		b := c.w.bytes()
		i := bytes.IndexByte(b, '\n')
		switch {
		case i >= 0:
			if err := c.line(b[:i], 1); err != nil {
				return err
			}
		case c.w.ended():
			return c.line(b, 0)
		case len(b) > c.d.maxRecord:
			return c.tooLarge()
		case !c.w.more() && c.failed() != nil:
			return c.failed()
		}
	}
}

// line yields one line and skips it with what ends it, in one step: behind a line break no column need be counted. RFC 7464's
// record separator may stand before it.
func (c *jsonCutter) line(b []byte, end int) error {
	n, before := len(b), 0
	for before < n && (blank(b[before]) || b[before] == '\x1e') {
		before++
	}
	c.skip(before)
	body := b[before:]
	for len(body) > 0 && blank(body[len(body)-1]) {
		body = body[:len(body)-1]
	}
	if len(body) > c.d.maxRecord {
		return c.tooLarge()
	}
	if len(body) > 0 {
		at := c.here()
		if err := c.yield(connectors.Piece{Body: c.w.keep(body), Line: at.line, Column: at.col}); err != nil {
			return err
		}
	}
	c.skip(n - before + end)
	return nil
}

// blank reports whether c is white space within a line.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// document yields the records of one JSON text.
func (c *jsonCutter) document() error {
	first, ok, err := c.peek()
	if err != nil || !ok {
		return err
	}
	switch {
	case c.d.whole || len(c.d.path) == 0 && first != '[':
		err = c.record()
	default:
		err = c.walk(c.d.path, "")
	}
	if err != nil {
		return err
	}
	if _, ok, err := c.peek(); err != nil || ok {
		if err == nil {
			err = c.refuse("syntax", "", say("more follows after the value", "值之后还有多余内容").
				hint("for one value a line use the format ndjson", "每行一个值时请使用 ndjson 格式"))
		}
		return err
	}
	if !c.found && len(c.d.path) > 0 {
		return c.refuse("split", "", say("there is nothing at /%s", "/%s 处没有内容", strings.Join(c.d.path, "/")).
			hint("split: is the JSON pointer of the array of records", "split: 应为记录数组的 JSON 指针"))
	}
	return nil
}

// walk goes down the path and yields the elements of the array at its end.
func (c *jsonCutter) walk(path []string, pointer string) error {
	open, ok, err := c.peek()
	if err != nil {
		return err
	}
	switch {
	case !ok:
		return c.truncated(pointer)
	case len(path) == 0 && open != '[':
		c.found = true
		return c.record()
	case open != '[' && open != '{':
		return c.pass(pointer)
	}
	c.skip(1)
	if len(path) == 0 {
		c.found = true
	}
	for n := 0; ; n++ {
		char, err := c.must(pointer)
		if err != nil {
			return err
		}
		if char == open+2 { // the closing bracket of either kind
			c.skip(1)
			return nil
		}
		if n > 0 {
			if char != ',' {
				return c.refuse("syntax", pointer, say("want a comma or a closing bracket", "此处应为逗号或右括号"))
			}
			c.skip(1)
		}
		if err := c.element(open, n, path, pointer); err != nil {
			return err
		}
	}
}

// element passes one element or member by, goes down into it, or yields it.
func (c *jsonCutter) element(open byte, n int, path []string, pointer string) error {
	token := itoa(n)
	if open == '{' {
		name, err := c.name(pointer)
		if err != nil {
			return err
		}
		token = name
	}
	switch {
	case len(path) == 0:
		return c.record()
	case path[0] == "*" || path[0] == token:
		return c.walk(path[1:], pointerTo(pointer, token))
	}
	return c.pass(pointerTo(pointer, token))
}

// name reads a member's name and its colon.
func (c *jsonCutter) name(pointer string) (string, error) {
	char, err := c.must(pointer)
	if err != nil {
		return "", err
	}
	if char != '"' {
		return "", c.refuse("syntax", pointer, say("want a name in quotes", "此处应为带引号的名称"))
	}
	raw, err := c.value(pointer)
	if err != nil {
		return "", err
	}
	name := unquoteJSON(raw)
	c.skip(len(raw))
	if char, err = c.must(pointer); err != nil {
		return "", err
	}
	if char != ':' {
		return "", c.refuse("syntax", pointer, say("want a colon after the name", "名称之后应为冒号"))
	}
	c.skip(1)
	return name, nil
}

// record yields the value that comes next.
func (c *jsonCutter) record() error {
	if _, err := c.must(""); err != nil {
		return err
	}
	raw, err := c.value("")
	if err != nil {
		return err
	}
	at := c.here()
	if err := c.yield(connectors.Piece{Body: c.w.keep(raw), Line: at.line, Column: at.col}); err != nil {
		return err
	}
	c.skip(len(raw))
	return nil
}

// pass skips the value that comes next without holding it.
func (c *jsonCutter) pass(pointer string) error {
	if _, err := c.must(pointer); err != nil {
		return err
	}
	var s jsonScan
	for {
		b := c.w.bytes()
		n, done := s.scan(b, c.d.cs)
		if done || n == len(b) && c.w.ended() && s.depth == 0 && !s.inString {
			c.skip(n)
			return nil
		}
		c.skip(n)
		if !c.w.more() {
			if err := c.failed(); err != nil {
				return err
			}
			return c.truncated(pointer)
		}
	}
}

// value returns the raw bytes of the value that begins here, all of it in the window.
func (c *jsonCutter) value(pointer string) ([]byte, error) {
	for {
		b := c.w.bytes()
		var s jsonScan
		n, done := s.scan(b, c.d.cs)
		switch {
		case done && n == 0:
			return nil, c.refuse("syntax", pointer, say("want a value", "此处应为一个值"))
		case n > c.d.maxRecord:
			return nil, c.tooLarge()
		case done || c.w.ended() && s.depth == 0 && !s.inString:
			return b[:n], nil
		}
		if !c.w.more() {
			if err := c.failed(); err != nil {
				return nil, err
			}
			if c.w.ended() && s.depth == 0 && !s.inString {
				return b[:n], nil
			}
			return nil, c.truncated(pointer)
		}
	}
}

// peek passes white space and returns the next byte; false at the end.
func (c *jsonCutter) peek() (byte, bool, error) {
	for {
		b := c.w.bytes()
		c.skip(len(b) - len(bytes.TrimLeft(b, " \t\r\n")))
		if b = c.w.bytes(); len(b) > 0 {
			return b[0], true, nil
		}
		if !c.w.more() {
			return 0, false, c.failed()
		}
	}
}

// must is peek where the text may not end.
func (c *jsonCutter) must(pointer string) (byte, error) {
	char, ok, err := c.peek()
	if err == nil && !ok {
		err = c.truncated(pointer)
	}
	return char, err
}

func (c *jsonCutter) skip(n int) {
	if !c.later() {
		c.d.cs.advance(&c.at, c.w.bytes()[:n])
	}
	c.w.skip(n)
}

// failed returns what ended reading short of the item's end, if anything did.
func (c *jsonCutter) failed() error {
	if c.w.err == nil || c.w.ended() {
		return nil
	}
	return c.w.failed(c.here())
}

// later reports whether places can be counted later. In other encodings a broken character may take a bracket with it, or not,
// as it is cut.
func (c *jsonCutter) later() bool { return c.w.held && c.d.cs.enc == nil }

// here is the place of the next byte.
func (c *jsonCutter) here() place {
	if c.later() {
		c.d.cs.advance(&c.at, c.w.store[c.counted:c.w.start])
		c.counted = c.w.start
	}
	return c.at
}

func (c *jsonCutter) refuse(code, pointer string, said text) error {
	return refuse(c.d.format+"."+code, c.here().where(pointer), said)
}

func (c *jsonCutter) truncated(pointer string) error {
	return c.refuse("truncated", pointer, say("the document ends too early, in what begins here",
		"文档在此处开始的内容里中断").hint("have it sent again", "请重新发送"))
}

func (c *jsonCutter) tooLarge() error { return tooLarge(c.d.format, c.here().where(""), c.d.maxRecord) }

// jsonScan follows brackets and strings over the bytes of one value, which may come in several parts.
type jsonScan struct {
	depth           int
	inString        bool
	escaped, scalar bool
}

// scan returns how far the value reaches into b, and whether it ends there.
func (s *jsonScan) scan(b []byte, cs charset) (int, bool) {
	for i := 0; i < len(b); i++ {
		if s.inString {
			i += s.str(b[i:], cs)
			if !s.inString && s.depth == 0 {
				return min(i+1, len(b)), true
			}
			continue
		}
		switch s.char(b[i]) {
		case jsonEndsBefore:
			return i, true
		case jsonEndsAfter:
			return i + 1, true
		case jsonGoesOn:
		}
	}
	return len(b), false
}

// jsonStep says what a character outside strings means for the value.
type jsonStep uint8

const (
	jsonGoesOn jsonStep = iota
	jsonEndsBefore
	jsonEndsAfter
)

func (s *jsonScan) char(char byte) jsonStep {
	if s.scalar && strings.IndexByte("\"{[", char) >= 0 {
		return jsonEndsBefore
	}
	switch char {
	case '"':
		s.inString = true
	case '{', '[':
		s.depth++
	case '}', ']':
		if s.depth == 0 {
			return jsonEndsBefore
		}
		if s.depth--; s.depth == 0 {
			return jsonEndsAfter
		}
	case ',', ':', ' ', '\n', '\r', '\t':
		if s.depth == 0 {
			return jsonEndsBefore
		}
	default:
		s.scalar = s.depth == 0
	}
	return jsonGoesOn
}

// str follows a string and returns how many bytes beyond the first it took.
func (s *jsonScan) str(b []byte, cs charset) int {
	if end := unescaped(b); end < len(b) && b[end] == '"' && !s.escaped && !cs.lead {
		s.inString = false
		return end
	}
	for i := 0; i < len(b); i++ {
		switch {
		case s.escaped:
			s.escaped = false
		case b[i] == '\\':
			s.escaped = true
		case b[i] == '"':
			s.inString = false
			return i
		case cs.lead && b[i] >= 0x81 && i+1 < len(b) && b[i+1] >= 0x40:
			i++
		}
	}
	return len(b) - 1
}
