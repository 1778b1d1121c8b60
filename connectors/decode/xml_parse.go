package decode

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// xmlParser builds the tree of one record.
type xmlParser struct {
	d    *xmlDecoder
	text string
	b    []byte
	at   int
	// path holds the names of the open elements, ancestors in the preamble included.
	path []string
	// scopes are the namespace declarations in force, innermost last; only kept where prefixes need them.
	scopes []xmlNamespace
}

type xmlNamespace struct{ prefix, uri string }

// xmlAttr is an attribute as written, its value unescaped.
type xmlAttr struct{ name, value string }

// open reads the start tags of a preamble.
func (p *xmlParser) open(outer string) error {
	p.reset(outer)
	for p.at < len(p.b) {
		tok, err := p.next()
		if err != nil {
			return err
		}
		if tok.kind == xmlStart && !tok.closed {
			attrs, err := p.attributes(tok)
			if err != nil {
				return err
			}
			p.enter(string(tok.name), attrs)
		}
	}
	return nil
}

func (p *xmlParser) reset(text string) { p.text, p.b, p.at = text, []byte(text), 0 }

// document reads the one element of a record and refuses anything else beside comments.
func (p *xmlParser) document(text string) (any, error) {
	p.reset(text)
	if i := strings.IndexFunc(text, isNoXMLChar); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return nil, p.refuse("char", i, say("the character U+%04X is not allowed in XML", "XML 中不允许出现字符 U+%04X", r))
	}
	var root any
	for p.at < len(p.b) {
		tok, err := p.next()
		if err != nil {
			return nil, err
		}
		switch tok.kind {
		case xmlStart:
			if root != nil {
				return nil, p.refuse("syntax", tok.at, say("a second element follows the root", "根元素之后又出现了一个元素").
					hint("if the file holds several documents, split it with split: //NAME", "若文件含多个文档，请用 split: //名称 拆分"))
			}
			name, value, err := p.element(tok, len(p.path))
			if err != nil {
				return nil, err
			}
			root = map[string]any{name: value}
		case xmlEnd:
			return nil, p.refuse("syntax", tok.at, say("</%s> closes nothing", "</%s> 没有对应的开始标签", tok.name))
		case xmlText, xmlCDATA:
			if len(strings.TrimSpace(string(tok.rest))) > 0 {
				return nil, p.refuse("syntax", tok.at, say("there is text outside the root element", "根元素之外有文字"))
			}
		case xmlSkip:
		}
	}
	if root == nil {
		return nil, p.refuse("truncated", p.at, say("there is no element", "没有任何元素"))
	}
	return root, nil
}

// xmlElement is what an element has held so far.
type xmlElement struct {
	object map[string]any
	text   string
	parts  []string
}

// element reads an element from its start tag to its end.
func (p *xmlParser) element(start xmlToken, depth int) (string, any, error) {
	if depth >= p.d.maxDepth {
		return "", nil, p.refuse("depth", start.at, say("the elements nest deeper than %d levels", "元素嵌套超过 %d 层", p.d.maxDepth))
	}
	attrs, err := p.attributes(start)
	if err != nil {
		return "", nil, err
	}
	written, scope := string(start.name), len(p.scopes)
	p.enter(written, attrs)
	defer func() { p.path, p.scopes = p.path[:len(p.path)-1], p.scopes[:scope] }()
	var e xmlElement
	p.keepAttributes(&e, attrs)
	name := p.nameOf(written, true)
	if start.closed {
		return name, p.valueOf(&e), nil
	}
	for p.at < len(p.b) {
		tok, err := p.next()
		if err != nil {
			return "", nil, err
		}
		switch tok.kind {
		case xmlStart:
			child, value, err := p.element(tok, depth+1)
			if err != nil {
				return "", nil, err
			}
			p.add(&e, string(tok.name), child, value)
		case xmlEnd:
			if string(tok.name) != written {
				return "", nil, p.refuse("syntax", tok.at, say("</%s> where </%s> is due", "此处应为 </%[2]s>，而不是 </%[1]s>", tok.name, written))
			}
			return name, p.valueOf(&e), nil
		case xmlText:
			if err := p.addText(&e, tok); err != nil {
				return "", nil, err
			}
		case xmlCDATA:
			e.addText(strings.ReplaceAll(p.text[tok.at+9:tok.end-3], "\r\n", "\n"))
		case xmlSkip:
		}
	}
	return "", nil, p.refuse("truncated", len(p.b), say("the document ends inside <%s>", "文档在 <%s> 内中断", written).
		hint("have it sent again", "请重新发送"))
}

// add puts a child into its parent; one that is repeated or declared becomes an array.
func (p *xmlParser) add(e *xmlElement, written, name string, value any) {
	if e.object == nil {
		e.object = map[string]any{}
	}
	switch old := e.object[name].(type) {
	case nil:
		if p.isArray(written) {
			value = []any{value}
		}
		e.object[name] = value
	case []any:
		e.object[name] = append(old, value)
	default:
		e.object[name] = []any{old, value}
	}
}

// isArray reports whether a child of the innermost open element is declared as an array.
func (p *xmlParser) isArray(written string) bool {
	if len(p.d.arrays) == 0 {
		return false
	}
	path := append(p.path, written)
	for _, last := range [3]string{written, localName(written), "*"} {
		for _, a := range p.d.arrays[last] {
			if a.matches(path) {
				return true
			}
		}
	}
	return false
}

func (p *xmlParser) addText(e *xmlElement, tok xmlToken) error {
	written := p.text[tok.at:tok.end]
	if i := strings.Index(written, "]]>"); i >= 0 {
		return p.refuse("syntax", tok.at+i, say("]]> stands in text", "文字中出现了 ]]>").hint("write it as ]]&gt;", "应写作 ]]&gt;"))
	}
	s, err := p.unescape(written, tok.at)
	if err == nil {
		e.addText(s)
	}
	return err
}

func (e *xmlElement) addText(s string) {
	if e.text == "" && e.parts == nil {
		e.text = s
		return
	}
	if e.parts == nil {
		e.parts = []string{e.text}
	}
	e.parts = append(e.parts, s)
}

// valueOf is the element as a tree: a string for mere text, an object otherwise.
func (p *xmlParser) valueOf(e *xmlElement) any {
	text := e.text
	if e.parts != nil {
		text = strings.Join(e.parts, "")
	}
	if !p.d.keepSpace || e.object != nil && strings.TrimSpace(text) == "" {
		text = strings.TrimSpace(text)
	}
	if e.object == nil {
		if p.d.textObjects {
			return map[string]any{"#text": text}
		}
		return text
	}
	if text != "" {
		e.object["#text"] = text
	}
	return e.object
}

// keepAttributes puts attributes into the element as "@name". Where two have one local name, the second keeps its
// prefix.
func (p *xmlParser) keepAttributes(e *xmlElement, attrs []xmlAttr) {
	for _, a := range attrs {
		if !p.d.keepNames && (a.name == "xmlns" || strings.HasPrefix(a.name, "xmlns:")) {
			continue
		}
		if e.object == nil {
			e.object = map[string]any{}
		}
		key := "@" + p.nameOf(a.name, false)
		if _, taken := e.object[key]; taken {
			key = "@" + a.name
		}
		e.object[key] = a.value
	}
}

// enter opens an element.
func (p *xmlParser) enter(name string, attrs []xmlAttr) {
	p.path = append(p.path, name)
	if len(p.d.prefixes) == 0 {
		return
	}
	for _, a := range attrs {
		if a.name == "xmlns" {
			p.scopes = append(p.scopes, xmlNamespace{uri: a.value})
		} else if prefix, ok := strings.CutPrefix(a.name, "xmlns:"); ok {
			p.scopes = append(p.scopes, xmlNamespace{prefix: prefix, uri: a.value})
		}
	}
}

// nameOf is the name that the tree has for a name as written. Attributes without a prefix are in no namespace.
func (p *xmlParser) nameOf(written string, element bool) string {
	if p.d.keepNames {
		return written
	}
	prefix, local, ok := strings.Cut(written, ":")
	if !ok {
		prefix, local = "", written
	}
	if len(p.d.prefixes) == 0 || !ok && !element {
		return local
	}
	for _, scope := range slices.Backward(p.scopes) {
		if scope.prefix == prefix {
			if own := p.d.prefixes[scope.uri]; own != "" {
				return own + ":" + local
			}
			break
		}
	}
	return local
}

// attributes reads what a start tag holds.
func (p *xmlParser) attributes(tok xmlToken) ([]xmlAttr, error) {
	var attrs []xmlAttr
	for rest := strings.TrimSpace(string(tok.rest)); rest != ""; {
		attr, after, err := p.attribute(tok, rest)
		if err != nil {
			return nil, err
		}
		attrs, rest = append(attrs, attr), after
		if len(attrs) > maxAttributes {
			return nil, p.refuse("syntax", tok.at, say("<%s> has more than %d attributes", "<%s> 的属性超过 %d 个", tok.name, maxAttributes))
		}
	}
	return attrs, p.repeatedAttribute(tok, attrs)
}

// attribute reads the first attribute of rest and returns what follows it.
func (p *xmlParser) attribute(tok xmlToken, rest string) (attr xmlAttr, after string, err error) {
	bad := func(said text) (xmlAttr, string, error) { return xmlAttr{}, "", p.refuse("syntax", tok.at, said) }
	n := 0
	for n < len(rest) && isNameByte(rest[n]) {
		n++
	}
	attr.name, rest = rest[:n], strings.TrimLeft(rest[n:], xmlSpace)
	if attr.name == "" || !isNameStart(attr.name[0]) || rest == "" || rest[0] != '=' {
		return bad(say("<%s> has an attribute that is not name=\"value\"", "<%s> 的属性不是 name=\"value\" 形式", tok.name))
	}
	rest = strings.TrimLeft(rest[1:], xmlSpace)
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return bad(say("the value of %s is not quoted", "属性 %s 的值没有加引号", attr.name))
	}
	value, after, ok := strings.Cut(rest[1:], rest[:1])
	if !ok || strings.Contains(value, "<") {
		return bad(say("the value of %s is not closed, or holds '<'", "属性 %s 的值没有闭合，或含有 '<'", attr.name))
	}
	if after != "" && strings.IndexByte(xmlSpace, after[0]) < 0 {
		return bad(say("there is no space after the value of %s", "属性 %s 的值之后缺少空格", attr.name))
	}
	if attr.value, err = p.unescape(value, tok.at); err != nil {
		return attr, "", err
	}
	if strings.ContainsAny(attr.value, "\n\t") {
		attr.value = strings.ReplaceAll(strings.ReplaceAll(attr.value, "\n", " "), "\t", " ")
	}
	return attr, strings.TrimLeft(after, xmlSpace), nil
}

// xmlSpace is white space as XML knows it.
const xmlSpace = " \t\r\n"

// maxAttributes is the most attributes of one element.
const maxAttributes = 1000

func (p *xmlParser) repeatedAttribute(tok xmlToken, attrs []xmlAttr) error {
	if len(attrs) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(attrs))
	for _, a := range attrs {
		if seen[a.name] {
			return p.refuse("syntax", tok.at, say("<%s> has the attribute %s twice", "<%s> 的属性 %s 重复出现", tok.name, a.name))
		}
		seen[a.name] = true
	}
	return nil
}

// unescape resolves the five predefined entities and character references, and CR LF.
func (p *xmlParser) unescape(s string, at int) (string, error) {
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	if strings.IndexByte(s, '&') < 0 {
		return s, nil
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "&")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, _, ok := strings.Cut(rest[:min(len(rest), 16)], ";")
		if !ok {
			return "", p.refuse("entity", at, say("an & begins no entity", "& 没有构成实体").
				hint("write & as &amp;", "& 应写作 &amp;"))
		}
		r, ok := xmlEntity(name)
		if !ok {
			return "", p.refuse("entity", at, say("&%s; is not known", "未知的实体 &%s;", name))
		}
		b.WriteRune(r)
		s = rest[len(name)+1:]
	}
}

func xmlEntity(name string) (rune, bool) {
	switch name {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	r := rune(n)
	if err != nil || n > utf8.MaxRune || !utf8.ValidRune(r) || isNoXMLChar(r) {
		return 0, false
	}
	return r, true
}

// isNoXMLChar reports what XML 1.0 section 2.2 excludes.
func isNoXMLChar(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// next reads one token and refuses what is none.
func (p *xmlParser) next() (xmlToken, error) {
	tok, err := nextXML(p.b, p.at)
	if err != nil {
		return tok, p.d.refuseToken(err, p.where(max(tok.at, p.at)))
	}
	p.at = tok.end
	return tok, nil
}

// refuseToken turns what the tokenizer says into a fault.
func (d *xmlDecoder) refuseToken(err error, at hub.Where) error {
	switch {
	case errors.Is(err, errXMLDTD):
		return refuse("xml.dtd", at, say("a document type declaration (DOCTYPE) is refused: it can read files and grow without bound",
			"拒绝文档类型声明（DOCTYPE）：它可能读取文件或无限膨胀").hint("have the sender leave it out", "请让发送方去掉该声明"))
	case errors.Is(err, errXMLMore):
		return refuse("xml.truncated", at, say("the document ends inside the markup that begins here", "文档在此处开始的标记内中断").
			hint("have it sent again", "请重新发送"))
	}
	return refuse("xml.syntax", at, say("not well-formed: %v", "XML 格式不正确：%v", err))
}

func (p *xmlParser) where(offset int) hub.Where {
	return placeIn(p.b, offset, countRunes).where("/" + strings.Join(p.path, "/"))
}

func (p *xmlParser) refuse(code string, offset int, said text) error {
	return refuse("xml."+code, p.where(offset), said)
}
