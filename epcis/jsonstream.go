package epcis

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/suyuan-io/suyuan/hub"
)

// jsonStream reads JSON from a stream token by token, knows where it is, and cuts out whole values byte for byte. It
// checks only what finding the ends of values takes: parsing what was cut out checks the rest.
type jsonStream struct {
	r      *bufio.Reader
	limits Limits
	// line and column are those of the next byte.
	line, column int
	// raw collects the bytes of the value that is being cut out, up to max.
	raw     []byte
	max     int
	cutting bool
	depth   int
}

func newJSONStream(r *bufio.Reader, l Limits) *jsonStream {
	return &jsonStream{r: r, limits: l, line: 1, column: 1}
}

func (s *jsonStream) where() hub.Where { return hub.Where{Line: s.line, Column: s.column} }

func (s *jsonStream) fault(kind hub.Kind, code, en, zh string, args ...any) *hub.Fault {
	return faultf(kind, code, en, zh, args...).At(s.where())
}

// peek returns the next byte, 0 at the end.
func (s *jsonStream) peek() (byte, error) {
	b, err := s.r.Peek(1)
	switch {
	case err == nil:
		return b[0], nil
	case errors.Is(err, io.EOF):
		return 0, nil
	}
	return 0, readFault(err).At(s.where())
}

// next takes the next byte; the end of the text is a fault.
func (s *jsonStream) next() error {
	c, err := s.r.ReadByte()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return s.fault(hub.Invalid, "epcis.json.end", "the JSON text ends too early", "JSON 文本提前结束")
		}
		return readFault(err).At(s.where())
	}
	return s.take([]byte{c})
}

// space skips white space and returns the byte behind it without taking it, 0 at the end.
func (s *jsonStream) space() (byte, error) {
	for {
		c, err := s.peek()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
		if err := s.next(); err != nil {
			return 0, err
		}
	}
}

// expect skips white space and takes the byte want.
func (s *jsonStream) expect(want byte) error {
	c, err := s.space()
	if err != nil {
		return err
	}
	if c != want {
		return s.fault(hub.Invalid, "epcis.json.syntax", "expected '%c'", "应为 '%c'", want)
	}
	return s.next()
}

// cut cuts out the next value.
func (s *jsonStream) cut(limit int) ([]byte, error) {
	if _, err := s.space(); err != nil {
		return nil, err
	}
	s.raw, s.max, s.cutting = s.raw[:0], limit, true
	err := s.skip()
	s.cutting = false
	return s.raw, err
}

// skip reads over the next value. Within objects and arrays it only follows strings and brackets.
func (s *jsonStream) skip() error {
	c, err := s.space()
	if err != nil {
		return err
	}
	switch c {
	case '{', '[', '"':
		return s.skipLong()
	}
	start := s.where()
	for n := 0; ; n++ {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c <= ' ' || c == ',' || c == ']' || c == '}' || c == '{' || c == '[' || c == '"' || c == ':' {
			if n == 0 {
				return faultf(hub.Invalid, "epcis.json.syntax", "expected a JSON value", "应为 JSON 值").At(start)
			}
			return nil
		}
		if err := s.next(); err != nil {
			return err
		}
	}
}

// nesting follows where a value ends.
type nesting struct {
	depth             int
	inString, escaped bool
}

// scan returns how many bytes of b belong to the value, and whether it ends there.
func (n *nesting) scan(b []byte) (used int, ended bool) {
	for i, c := range b {
		switch {
		case n.escaped:
			n.escaped = false
		case n.inString:
			n.escaped = c == '\\'
			n.inString = c != '"'
			ended = !n.inString && n.depth == 0
		case c == '"':
			n.inString = true
		case c == '{' || c == '[':
			if n.depth++; n.depth > 2*maxDepth {
				return i, true
			}
		case c == '}' || c == ']':
			n.depth--
			ended = n.depth == 0
		}
		if ended {
			return i + 1, true
		}
	}
	return len(b), false
}

// skipLong reads over a string, an object, or an array, a buffer at a time.
func (s *jsonStream) skipLong() error {
	var n nesting
	for {
		if c, err := s.peek(); err != nil {
			return err
		} else if c == 0 && s.r.Buffered() == 0 {
			return s.fault(hub.Invalid, "epcis.json.end", "the JSON text ends too early", "JSON 文本提前结束")
		}
		chunk, _ := s.r.Peek(s.r.Buffered())
		used, ended := n.scan(chunk)
		if err := s.take(chunk[:used]); err != nil {
			return err
		}
		if _, err := s.r.Discard(used); err != nil {
			return readFault(err).At(s.where())
		}
		switch {
		case n.depth > 2*maxDepth:
			return tooDeep(2 * maxDepth).At(s.where())
		case ended:
			return nil
		}
	}
}

// take counts bytes that were read and keeps them if a value is being cut out.
func (s *jsonStream) take(b []byte) error {
	if s.cutting {
		if len(s.raw)+len(b) > s.max {
			f := s.fault(hub.TooLarge, "epcis.event.size", "one value is larger than %d bytes", "一个值超过 %d 字节", s.max)
			return hinted(f, splitHint, splitHintZh)
		}
		s.raw = append(s.raw, b...)
	}
	if lines := bytes.Count(b, []byte{'\n'}); lines > 0 {
		s.line += lines
		s.column = 1
		b = b[bytes.LastIndexByte(b, '\n')+1:]
	}
	for _, c := range b {
		if c&0xc0 != 0x80 {
			s.column++
		}
	}
	return nil
}

// members reads an object: visit is called behind each name and must read the value.
func (s *jsonStream) members(visit func(name string) error) error {
	return s.container('{', '}', func(int) error {
		name, err := s.name()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return visit(name)
	})
}

// elements reads an array: visit must read the value.
func (s *jsonStream) elements(visit func(i int) error) error { return s.container('[', ']', visit) }

func (s *jsonStream) container(opener, closer byte, visit func(i int) error) error {
	if err := s.expect(opener); err != nil {
		return err
	}
	if s.depth++; s.depth > 2*maxDepth {
		return tooDeep(2 * maxDepth).At(s.where())
	}
	defer func() { s.depth-- }()
	c, err := s.space()
	if err != nil {
		return err
	}
	for i := 0; c != closer; i++ {
		if i > 0 {
			if c != ',' {
				return s.fault(hub.Invalid, "epcis.json.syntax", "expected ',' or '%c'", "应为 ',' 或 '%c'", closer)
			}
			if err := s.next(); err != nil {
				return err
			}
		}
		if err := visit(i); err != nil {
			return err
		}
		if c, err = s.space(); err != nil {
			return err
		}
	}
	return s.next()
}

// maxName bounds the length of a member name.
const maxName = 4096

// name reads a member name.
func (s *jsonStream) name() (string, error) {
	c, err := s.space()
	if err != nil {
		return "", err
	}
	if c != '"' {
		return "", s.fault(hub.Invalid, "epcis.json.syntax", "expected a member name in double quotes", "应为双引号中的成员名")
	}
	start := s.where()
	var quoted []byte
	if s.cutting {
		mark := len(s.raw)
		err = s.skipLong()
		quoted = s.raw[mark:]
	} else {
		quoted, err = s.cut(maxName)
	}
	if err != nil {
		return "", err
	}
	n, err := parseJSON(quoted)
	if err != nil {
		return "", hub.AsFault(err).At(start)
	}
	return n.text, nil
}
