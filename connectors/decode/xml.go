package decode

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/transform"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// xmlSettings are the settings under "xml:".
type xmlSettings struct {
	// Split is the path of the repeated element that is a record, such as /Movements/Movement; "*" stands for any
	// element and a leading // for any depth. Without it the whole document is one record.
	Split string `yaml:"split"`
	// Arrays are the paths of elements that become arrays even where there is one; a path without a leading / counts
	// from any depth.
	Arrays []string `yaml:"arrays"`
	// Namespaces is "strip" (the default: local names) or "keep" (names and xmlns attributes as they stand).
	Namespaces string `yaml:"namespaces"`
	// Prefixes gives namespaces, by URI, the prefixes that names in the tree get whatever the document calls them.
	Prefixes map[string]string `yaml:"prefixes"`
	// Text is "auto" (the default: an element of mere text is a string) or "object" (it is always {"#text": …}).
	Text string `yaml:"text"`
	// Space is "trim" (the default) or "keep" for the white space around text.
	Space string `yaml:"space"`
	// Encoding overrides the one that the document declares.
	Encoding  string `yaml:"encoding"`
	MaxDepth  int    `yaml:"maxDepth"`
	MaxRecord size   `yaml:"maxRecord"`
}

// xmlDecoder reads XML 1.0 without document type definitions.
type xmlDecoder struct {
	split       xmlPath
	arrays      map[string][]xmlPath // by last name
	keepNames   bool
	prefixes    map[string]string // URI → prefix
	textObjects bool
	keepSpace   bool
	cs          charset
	maxDepth    int
	maxRecord   int
	neverSplit  bool
}

func xmlFormat() Format {
	return Format{
		Name:    "xml",
		Summary: "XML: whole, or one repeated element at a time; DTDs are refused",
		Detect:  detectXML,
		New:     newXML,
	}
}

func newXML(b []byte) (Decoder, error) {
	var s xmlSettings
	if err := readSettings("xml", b, &s); err != nil {
		return nil, err
	}
	d := &xmlDecoder{
		neverSplit: s.Split == "", arrays: map[string][]xmlPath{}, prefixes: map[string]string{},
		keepNames: s.Namespaces == "keep", textObjects: s.Text == "object", keepSpace: s.Space == "keep",
		maxDepth: s.MaxDepth, maxRecord: s.MaxRecord.or(defaultMaxRecord),
	}
	if d.maxDepth <= 0 {
		d.maxDepth = defaultDepth
	}
	var err error
	if d.cs, err = charsetSetting("xml", s.Encoding); err != nil {
		return nil, err
	}
	for prefix, uri := range s.Prefixes {
		d.prefixes[uri] = prefix
	}
	if err := oneOf("xml", "namespaces", s.Namespaces, "strip", "keep"); err != nil {
		return nil, err
	}
	if err := oneOf("xml", "text", s.Text, "auto", "object"); err != nil {
		return nil, err
	}
	if err := oneOf("xml", "space", s.Space, "trim", "keep"); err != nil {
		return nil, err
	}
	return d, d.paths(s)
}

func (d *xmlDecoder) paths(s xmlSettings) error {
	var ok bool
	if d.split, ok = parseXMLPath(s.Split); !ok && s.Split != "" || s.Split != "" && s.Split[0] != '/' {
		return setting("xml", "split", say("%q is not a path", "%q 不是路径", s.Split).
			hint("write it as /Movements/Movement or //Movement", "应写作 /Movements/Movement 或 //Movement"))
	}
	for _, a := range s.Arrays {
		p, ok := parseXMLPath(a)
		if !ok {
			return setting("xml", "arrays", say("%q is not a path", "%q 不是路径", a))
		}
		last := p.names[len(p.names)-1]
		d.arrays[last] = append(d.arrays[last], p)
	}
	return nil
}

// oneOf checks a setting against its values; "" is the first.
func oneOf(format, key, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == "" || value == a {
			return nil
		}
	}
	all := strings.Join(allowed, " | ")
	return setting(format, key, say("want %s, not %q", "应为 %s，而不是 %q", all, value))
}

// Split implements connectors.Splitter: a record is one element, the preamble the XML declaration and the start tags of
// its ancestors. UTF-16 is cut as UTF-8, since its bytes cannot stand beside start tags in another form.
func (d *xmlDecoder) Split(r io.Reader, yield func(connectors.Piece) error) error {
	c := &xmlCutter{d: d, w: newWindow(r), at: newPlace(), yield: yield}
	c.w.more()
	if d.neverSplit {
		return c.whole()
	}
	if cs := xmlWide(c.w.bytes()); cs.wide {
		plain := transform.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(c.w.bytes())), c.w.rest()), cs.enc.NewDecoder())
		c.w = newWindow(plain)
		c.w.more()
	}
	c.w.skip(bomLength(c.w.bytes()))
	return c.run()
}

// Decode implements Decoder. The tree is an object with the element's name as its only key; attributes are "@name",
// text beside attributes or elements is "#text", repeated elements are arrays.
func (d *xmlDecoder) Decode(preamble, body []byte) (Tree, error) {
	if len(body) > d.maxRecord {
		return Tree{}, tooLarge("xml", newPlace().where(""), d.maxRecord)
	}
	outer, text, err := d.texts(preamble, body)
	if err != nil {
		return Tree{}, err
	}
	p := &xmlParser{d: d}
	if err := p.open(outer); err != nil {
		return Tree{}, err
	}
	ancestors := append([]string(nil), p.path...)
	value, err := p.document(text)
	if err != nil {
		return Tree{}, err
	}
	return Tree{Value: value, Locate: func(pointer string) hub.Where {
		return d.locate(ancestors, text, pointer)
	}}, nil
}

// texts returns preamble and body as UTF-8 without byte order marks.
func (d *xmlDecoder) texts(preamble, body []byte) (outer, text string, err error) {
	cs := d.charsetOf(preamble, body)
	if err := d.knowEncoding(preamble, body); err != nil {
		return "", "", err
	}
	preamble, body = preamble[bomLength(preamble):], body[bomLength(body):]
	outer, bad := cs.text(preamble)
	if bad >= 0 {
		return "", "", badBytes("xml", hub.Where{}, cs)
	}
	if text, bad = cs.text(body); bad >= 0 {
		return "", "", badBytes("xml", cs.placeIn(body, bad).where(""), cs)
	}
	return outer, text, nil
}

// knowEncoding refuses a document that declares an encoding which nobody knows, unless the settings state another.
func (d *xmlDecoder) knowEncoding(preamble, body []byte) error {
	head := preamble
	if len(head) == 0 {
		head = body
	}
	name := declaredEncoding(head)
	if name == "" || d.cs.name != "" {
		return nil
	}
	if _, ok := charsetNamed(name); ok {
		return nil
	}
	return refuse("xml.encoding", newPlace().where(""), say("the document declares the encoding %q, which is not known", "文档声明的编码 %q 无法识别", name).
		hint("set encoding: to what the sender really writes, such as utf-8 or gb18030", "请将 encoding 设为发送方实际使用的编码，如 utf-8 或 gb18030"))
}

// charsetOf finds the encoding as XML 1.0 appendix F does, after the settings' own.
func (d *xmlDecoder) charsetOf(preamble, body []byte) charset {
	head := preamble
	if len(head) == 0 {
		head = body
	}
	if cs := xmlWide(head); cs.wide {
		return cs
	}
	if _, n := charsetOfBOM(head); n > 0 {
		return utf8Charset()
	}
	if d.cs.name != "" {
		return d.cs
	}
	if cs, ok := charsetNamed(declaredEncoding(head)); ok && !cs.wide {
		return cs
	}
	return utf8Charset()
}

// declaredEncoding reads the encoding of an XML declaration, or "".
func declaredEncoding(b []byte) string {
	if !bytes.HasPrefix(b, []byte("<?xml")) {
		return ""
	}
	decl, _, ok := bytes.Cut(b[:min(len(b), 1024)], []byte("?>"))
	if !ok {
		return ""
	}
	_, rest, ok := bytes.Cut(decl, []byte("encoding"))
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if !ok || len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(name)
}

// xmlWide tells UTF-16 by its byte order mark or by the NUL beside the first '<'.
func xmlWide(b []byte) charset {
	if cs, n := charsetOfBOM(b); n > 0 {
		return cs
	}
	switch {
	case bytes.HasPrefix(b, []byte("<\x00")):
		return utf16Charset(false)
	case bytes.HasPrefix(b, []byte("\x00<")):
		return utf16Charset(true)
	}
	return charset{}
}

func bomLength(b []byte) int {
	_, n := charsetOfBOM(b)
	return n
}

func detectXML(head []byte) int {
	if cs := xmlWide(head); cs.wide {
		if s, bad := cs.text(head[bomLength(head) : len(head)-(len(head)-bomLength(head))%2]); bad < 0 {
			head = []byte(s)
		}
	}
	text := textHead(head)
	switch {
	case bytes.HasPrefix(text, []byte("<?xml")):
		return 100
	case len(text) > 1 && text[0] == '<' && (isNameStart(text[1]) || text[1] == '!'):
		return 80
	}
	return 0
}

// xmlPath names elements by their place.
type xmlPath struct {
	names    []string
	anywhere bool
}

func parseXMLPath(s string) (xmlPath, bool) {
	var p xmlPath
	rest, ok := strings.CutPrefix(s, "//")
	if !ok {
		rest, ok = strings.CutPrefix(s, "/")
		p.anywhere = !ok
	} else {
		p.anywhere = true
	}
	p.names = strings.Split(rest, "/")
	return p, !slices.Contains(p.names, "")
}

// matches reports whether the innermost of the open elements stands at the path.
func (p xmlPath) matches(open []string) bool {
	if len(p.names) == 0 || len(open) < len(p.names) || !p.anywhere && len(open) != len(p.names) {
		return false
	}
	for i, name := range open[len(open)-len(p.names):] {
		if want := p.names[i]; want != "*" && want != name && want != localName(name) {
			return false
		}
	}
	return true
}

func localName(name string) string {
	_, local, ok := strings.Cut(name, ":")
	if ok {
		return local
	}
	return name
}
