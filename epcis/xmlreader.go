package epcis

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/suyuan-io/suyuan/hub"
)

// xmlName is an element's or attribute's name, with the prefix that was written.
type xmlName struct{ space, prefix, local string }

// xmlAttr is an attribute; those that declare namespaces are not among an element's attributes.
type xmlAttr struct {
	name  xmlName
	value string
}

// element is an XML element with everything in it.
type element struct {
	name  xmlName
	attrs []xmlAttr
	// text is the character data of the element itself, as written.
	text string
	kids []*element
	// scope is what prefixes mean here.
	scope *scope
	where hub.Where
}

// attr returns the value of an attribute without a namespace.
func (e *element) attr(local string) (string, bool) {
	for _, a := range e.attrs {
		if a.name.space == "" && a.name.local == local {
			return a.value, true
		}
	}
	return "", false
}

// trimmed returns the text without white space around it.
func (e *element) trimmed() string { return strings.Trim(e.text, xmlSpace) }

const (
	xmlSpace    = " \t\r\n"
	xmlnsSpace  = "http://www.w3.org/2000/xmlns/"
	xmlXMLSpace = "http://www.w3.org/XML/1998/namespace"
	xsiSpace    = "http://www.w3.org/2001/XMLSchema-instance"
	xsdSpace    = "http://www.w3.org/2001/XMLSchema"
)

// maxPrefixes bounds how many namespaces may be in scope, because every event takes account of all of them.
const maxPrefixes = 256

// scope is the namespaces that an element declares, and those around it.
type scope struct {
	outer    *scope
	bindings map[string]string
}

func (s *scope) find(prefix string) (string, bool) {
	switch prefix {
	case "xml":
		return xmlXMLSpace, true
	case "xmlns":
		return "", false
	}
	for ; s != nil; s = s.outer {
		if ns, ok := s.bindings[prefix]; ok {
			return ns, ns != "" || prefix == ""
		}
	}
	return "", prefix == ""
}

// xmlStream reads XML token by token and knows where it is. It refuses what namespaces and security forbid: undeclared
// prefixes, repeated attributes, document types with anything in them, elements that nest too deeply.
type xmlStream struct {
	src    *countingReader
	dec    *xml.Decoder
	limits Limits
	scope  *scope
	depth  int
	open   []xmlName
	// declared is how many prefixes are in scope.
	declared int
	// where is the place of the last token.
	where hub.Where
	// ended is true once the root is closed.
	ended bool
}

func newXMLStream(r *bufio.Reader, l Limits) (*xmlStream, error) {
	utf, err := toUTF8(r)
	if err != nil {
		return nil, err
	}
	src := &countingReader{r: utf, line: 1, column: 1}
	dec := xml.NewDecoder(src)
	dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	return &xmlStream{src: src, dec: dec, limits: l}, nil
}

// toUTF8 looks at the byte order mark and the XML declaration and converts other encodings.
func toUTF8(r *bufio.Reader) (*bufio.Reader, error) {
	head, _ := r.Peek(256)
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		_, _ = r.Discard(3)
		return r, nil
	case len(head) > 1 && (head[0] == 0xff || head[0] == 0xfe || head[0] == 0 || head[1] == 0):
		order := unicode.BigEndian
		if head[0] == 0xff || head[1] == 0 {
			order = unicode.LittleEndian
		}
		return bufio.NewReader(transform.NewReader(r, unicode.UTF16(order, unicode.UseBOM).NewDecoder())), nil
	}
	label := declaredEncoding(head)
	if label == "" || strings.EqualFold(label, "utf-8") {
		return r, nil
	}
	enc, err := htmlindex.Get(label)
	if err != nil {
		f := faultf(hub.Invalid, "epcis.xml.encoding", "the encoding %q is not known", "未知的编码 %q", label)
		return nil, hinted(f.At(hub.Where{Line: 1, Column: 1}), "use UTF-8", "请使用 UTF-8")
	}
	return bufio.NewReader(transform.NewReader(r, enc.NewDecoder())), nil
}

// declaredEncoding returns the encoding that the XML declaration states.
func declaredEncoding(head []byte) string {
	if !bytes.HasPrefix(head, []byte("<?xml")) {
		return ""
	}
	decl, _, ok := bytes.Cut(head, []byte("?>"))
	_, value, found := bytes.Cut(decl, []byte("encoding"))
	if !ok || !found {
		return ""
	}
	value = bytes.TrimLeft(value, " \t\r\n=")
	if len(value) == 0 || value[0] != '"' && value[0] != '\'' {
		return ""
	}
	label, _, _ := bytes.Cut(value[1:], value[:1])
	return string(label)
}

// countingReader counts lines and columns, and keeps bytes while it is told to.
type countingReader struct {
	r            *bufio.Reader
	offset       int64
	line, column int
	keep         bool
	kept         []byte
	max          int
	full         bool
}

// ReadByte implements io.ByteReader, which keeps the decoder from reading ahead.
func (c *countingReader) ReadByte() (byte, error) {
	b, err := c.r.ReadByte()
	if err != nil {
		return b, err
	}
	c.offset++
	switch {
	case b == '\n':
		c.line++
		c.column = 1
	case b&0xc0 != 0x80:
		c.column++
	}
	if c.keep {
		if len(c.kept) >= c.max {
			c.full = true
			return 0, errTooLarge
		}
		c.kept = append(c.kept, b)
	}
	return b, nil
}

// Read implements io.Reader; the decoder does not call it.
func (c *countingReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := c.ReadByte()
	if err != nil {
		return 0, err
	}
	p[0] = b
	return 1, nil
}

var errTooLarge = errors.New("too large")

// ahead is how many bytes the decoder has read beyond its position: none, or the '<' behind character data.
func (s *xmlStream) ahead() int { return int(s.src.offset - s.dec.InputOffset()) }

func (s *xmlStream) fault(code, en, zh string, args ...any) *hub.Fault {
	return faultf(hub.Invalid, code, en, zh, args...).At(s.where)
}

// next returns the next token; the end of the document is nil. The token is only valid until the following call.
func (s *xmlStream) next() (xml.Token, error) {
	s.where = hub.Where{Line: s.src.line, Column: s.src.column - s.ahead(), Pointer: s.path()}
	t, err := s.dec.RawToken()
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		if len(s.open) > 0 {
			return nil, s.fault("epcis.xml.end", "the document ends before </%s>", "文档在 </%s> 之前结束", s.open[len(s.open)-1].local)
		}
		if !s.ended {
			return nil, s.fault("epcis.xml.empty", "the document has no element", "文档没有任何元素")
		}
		return nil, nil //nolint:nilnil // the documented end
	default:
		return nil, s.refused(err)
	}
	switch t := t.(type) {
	case xml.Directive:
		return t, s.directive(t)
	case xml.CharData:
		if len(s.open) == 0 && len(bytes.Trim(t, xmlSpace)) > 0 {
			return nil, s.fault("epcis.xml.text", "text stands outside the document's element", "文本出现在文档元素之外")
		}
	}
	return t, nil
}

// refused explains an error of the decoder.
func (s *xmlStream) refused(err error) error {
	at := hub.Where{Line: s.src.line, Column: s.src.column, Pointer: s.path()}
	if s.src.full {
		f := faultf(hub.TooLarge, "epcis.event.size", "one element is larger than %d bytes", "一个元素超过 %d 字节", s.src.max)
		return hinted(f.At(at), splitHint, splitHintZh)
	}
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return faultf(hub.Invalid, "epcis.xml.syntax", "not well-formed XML: %s", "不是格式良好的 XML：%s", syntax.Msg).At(at)
	}
	return readFault(err).At(at)
}

// directive lets a bare document type pass, which says nothing, and refuses every other.
func (s *xmlStream) directive(d xml.Directive) error {
	words := strings.Fields(string(d))
	if len(words) == 2 && words[0] == "DOCTYPE" && !strings.ContainsAny(words[1], `["'<`) && s.depth == 0 {
		return nil
	}
	f := s.fault("epcis.xml.dtd", "document type definitions and entities are not accepted", "不接受文档类型定义和实体")
	return hinted(f, "remove the <!DOCTYPE …> declaration", "请删除 <!DOCTYPE …> 声明")
}

// path returns the XPath of the element that is open.
func (s *xmlStream) path() string {
	var b strings.Builder
	for _, n := range s.open {
		b.WriteByte('/')
		if n.prefix != "" {
			b.WriteString(n.prefix + ":")
		}
		b.WriteString(n.local)
	}
	return b.String()
}

// push opens the element of a start tag.
func (s *xmlStream) push(t xml.StartElement) (*element, error) {
	if s.ended && s.depth == 0 {
		return nil, s.fault("epcis.xml.root", "the document has more than one element", "文档有多个根元素")
	}
	if s.depth++; s.depth > 2*maxDepth {
		return nil, s.fault("epcis.xml.depth", "elements nest deeper than %d levels", "元素嵌套超过 %d 层", 2*maxDepth)
	}
	if err := s.declare(t.Attr); err != nil {
		return nil, err
	}
	name, err := s.resolve(t.Name, true)
	if err != nil {
		return nil, err
	}
	e := &element{name: name, scope: s.scope, where: s.where}
	if e.attrs, err = s.attributes(t.Attr); err != nil {
		return nil, err
	}
	s.open = append(s.open, name)
	return e, nil
}

// declare opens the scope of an element. Every element has one, so that pop needs no bookkeeping.
func (s *xmlStream) declare(attrs []xml.Attr) error {
	s.scope = &scope{outer: s.scope}
	for _, a := range attrs {
		prefix := a.Name.Local
		switch {
		case a.Name.Space == "" && prefix == "xmlns":
			prefix = ""
		case a.Name.Space != "xmlns":
			continue
		case a.Value == "" || prefix == "xmlns" || prefix == "xml" && a.Value != xmlXMLSpace:
			return s.fault("epcis.xml.namespace", "the prefix %q cannot be declared like this", "前缀 %q 不能这样声明", prefix)
		}
		if s.scope.bindings == nil {
			s.scope.bindings = map[string]string{}
		}
		if _, twice := s.scope.bindings[prefix]; twice {
			return s.fault("epcis.xml.attribute", "the prefix %q is declared twice", "前缀 %q 声明了两次", prefix)
		}
		s.scope.bindings[prefix] = a.Value
		if s.declared++; s.declared > maxPrefixes {
			return s.fault("epcis.xml.namespace", "more than %d namespaces are declared", "声明的命名空间超过 %d 个", maxPrefixes)
		}
	}
	return nil
}

func (s *xmlStream) resolve(n xml.Name, isElement bool) (xmlName, error) {
	name := xmlName{prefix: n.Space, local: n.Local}
	if name.prefix == "" && !isElement {
		return name, nil
	}
	var ok bool
	if name.space, ok = s.scope.find(name.prefix); !ok {
		declaration := "xmlns:" + name.prefix + `="…"`
		f := s.fault("epcis.xml.prefix", "the prefix %q is not declared", "前缀 %q 没有声明", name.prefix)
		return name, hinted(f, "declare it: "+declaration, "请声明："+declaration)
	}
	if name.local == "" || strings.Contains(name.local, ":") {
		return name, s.fault("epcis.xml.name", "%q is no name", "%q 不是名称", n.Space+":"+n.Local)
	}
	return name, nil
}

// attributes resolves the attributes that declare no namespace.
func (s *xmlStream) attributes(raw []xml.Attr) ([]xmlAttr, error) {
	var attrs []xmlAttr
	seen := map[xmlName]bool{}
	for _, a := range raw {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		name, err := s.resolve(a.Name, false)
		if err != nil {
			return nil, err
		}
		key := xmlName{space: name.space, local: name.local}
		if seen[key] {
			return nil, s.fault("epcis.xml.attribute", "the attribute %q stands twice", "属性 %q 出现了两次", name.local)
		}
		seen[key] = true
		attrs = append(attrs, xmlAttr{name, a.Value})
	}
	return attrs, nil
}

// pop closes the element of an end tag.
func (s *xmlStream) pop(t xml.EndElement) error {
	if len(s.open) == 0 {
		return s.fault("epcis.xml.syntax", "</%s> closes nothing", "</%s> 没有对应的开始标签", t.Name.Local)
	}
	top := s.open[len(s.open)-1]
	if top.prefix != t.Name.Space || top.local != t.Name.Local {
		return s.fault("epcis.xml.syntax", "</%s> stands where </%s> is expected", "此处应为 </%[2]s>，却出现 </%[1]s>", t.Name.Local, top.local)
	}
	s.open = s.open[:len(s.open)-1]
	s.declared -= len(s.scope.bindings)
	s.scope = s.scope.outer
	s.depth--
	s.ended = s.depth == 0
	return nil
}

// tree reads the rest of an element whose start tag was read, with everything in it.
func (s *xmlStream) tree(root *element) error {
	stack := []*element{root}
	texts := [][]byte{nil}
	for len(stack) > 0 {
		t, err := s.next()
		if err != nil {
			return err
		}
		top := len(stack) - 1
		switch t := t.(type) {
		case xml.StartElement:
			e, err := s.push(t)
			if err != nil {
				return err
			}
			stack[top].kids = append(stack[top].kids, e)
			stack = append(stack, e)
			texts = append(texts, nil)
		case xml.EndElement:
			if err := s.pop(t); err != nil {
				return err
			}
			stack[top].text = string(texts[top])
			stack, texts = stack[:top], texts[:top]
		case xml.CharData:
			texts[top] = append(texts[top], t...)
		}
	}
	return nil
}

// cut reads the rest of an element and keeps its bytes, of which the start tag is given.
func (s *xmlStream) cut(root *element, limit int) ([]byte, error) {
	s.src.max = limit
	if err := s.tree(root); err != nil {
		return nil, err
	}
	s.src.keep = false
	return s.src.kept[:len(s.src.kept)-s.ahead()], nil
}

// mark begins to keep bytes at the token that comes next.
func (s *xmlStream) mark(limit int) {
	s.src.kept, s.src.keep, s.src.max = s.src.kept[:0], true, limit
	if s.ahead() > 0 {
		s.src.kept = append(s.src.kept, '<')
	}
}

// unmark stops keeping bytes.
func (s *xmlStream) unmark() { s.src.keep = false }
