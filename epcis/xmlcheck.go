package epcis

import (
	"bufio"
	"encoding/xml"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// maxFaults is how many faults one check reports.
const maxFaults = 20

// CheckXML checks an XML document of any size against the XML Schema of its version, EPCIS 1.2 or 2.0: the order of
// elements, what must be there, unknown elements and attributes, simple types, and, within extensions, the types that
// xsi:type states. It returns nil, one fault for what is no XML or no EPCIS document at all, or [hub.Faults] with the
// XPath, line and column of each, at most 20. The rules that no XML Schema can state are left to schemas.
func CheckXML(r io.Reader, l Limits) error {
	s, err := newXMLStream(bufio.NewReaderSize(r, 64<<10), l.withDefaults())
	if err != nil {
		return err
	}
	c := &xmlChecker{xmlStream: s}
	if err := c.run(); err != nil {
		return err
	}
	return c.faults.Err()
}

// xmlChecker walks a document along the content models.
type xmlChecker struct {
	*xmlStream

	models map[string]*model
	// query is the namespace of the query schema of the document's version.
	query  string
	frames []frame
	faults hub.Faults
}

// frame is an open element.
type frame struct {
	name xmlName
	// model is nil where anything may stand.
	model *model
	// at is the particle that was matched last, count how often; for a choice count is how many were matched at all.
	at, count int
	// broken is set after the first fault among the children, which says nothing of the others.
	broken bool
	text   []byte
	simple string
	// declared is the type that the schema gives the element, "" where anything may stand.
	declared string
	// exact forbids white space around the text, nil lets there be none.
	exact, nil bool
	where      hub.Where
}

func (c *xmlChecker) run() error {
	for {
		c.mark(c.limits.Header)
		t, err := c.next()
		if err != nil || t == nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			err = c.start(t)
		case xml.EndElement:
			c.end()
			err = c.pop(t)
		case xml.CharData:
			c.chars(t)
		}
		if err != nil {
			return err
		}
		if len(c.faults) >= maxFaults {
			return nil
		}
	}
}

// report notes a fault at a place and returns it.
func (c *xmlChecker) report(at hub.Where, en, zh string, args ...any) *hub.Fault {
	f := faultf(hub.Invalid, "epcis.xml.schema", en, zh, args...).At(at)
	c.faults = append(c.faults, f)
	return f
}

func (c *xmlChecker) start(t xml.StartElement) error {
	e, err := c.push(t)
	if err != nil {
		return err
	}
	f := frame{name: e.name, where: hub.Where{Line: e.where.Line, Column: e.where.Column, Pointer: c.path()}}
	if len(c.frames) == 0 {
		typ := c.root(e.name)
		if typ == "" {
			return notADocument(e.name).At(f.where)
		}
		c.resolveType(&f, typ)
	} else {
		c.resolveType(&f, c.child(&c.frames[len(c.frames)-1], e.name, f.where))
	}
	c.attributes(&f, e)
	c.frames = append(c.frames, f)
	return nil
}

// root returns the type of a document's element, "" when it is none.
func (c *xmlChecker) root(n xmlName) string {
	version := n.space[strings.LastIndexByte(n.space, ':')+1:]
	switch version {
	case "2":
		c.models = schema20()
	case "1":
		c.models = schema12()
	default:
		return ""
	}
	c.query = "urn:epcglobal:epcis-query:xsd:" + version
	switch n.space + " " + n.local {
	case "urn:epcglobal:epcis:xsd:" + version + " EPCISDocument":
		return "Document"
	case c.query + " EPCISQueryDocument":
		return "QueryDocument"
	case "urn:epcglobal:epcis:xsd:2 EPCISCaptureJob":
		return "CaptureJob"
	case "urn:epcglobal:epcis:xsd:2 EPCISException":
		return "Problem"
	}
	messages := c.models["QueryBody"].particles
	i := slices.IndexFunc(messages, func(p particle) bool { return n.space == c.query && n.local == p.name })
	if i < 0 {
		return ""
	}
	return messages[i].typ
}

// resolveType gives a frame its complex model or simple type.
func (c *xmlChecker) resolveType(f *frame, typ string) {
	switch {
	case typ == "":
		return
	case typ[0] >= 'a' && typ[0] <= 'z':
		f.model, f.simple = simpleModel(), typ
	default:
		f.model = c.models[typ]
		f.simple = f.model.text
		if f.simple == "any" {
			f.simple = ""
		}
	}
	f.declared = typ
}

// simpleModel is the model of an element of simple type: no children, no attributes.
func simpleModel() *model { return &model{text: "simple"} }

// child finds the place of a child in its parent's model and returns its type, "" for one that may be anything.
func (c *xmlChecker) child(parent *frame, n xmlName, at hub.Where) string {
	m := parent.model
	switch {
	case m == nil || m.text == "any" || parent.broken:
		return ""
	case m.text != "":
		parent.broken = true
		advise(c.report(at, "<%s> cannot hold elements, found <%s>", "<%s> 中不能有子元素，却出现了 <%s>", parent.name.local, n.local),
			"write the value alone", "请只写值本身")
		return ""
	case m.choice:
		for i := range m.particles {
			if c.fits(m, &m.particles[i], n) && (m.repeats || parent.count == 0) {
				parent.count++
				return m.particles[i].typ
			}
		}
	default:
		if typ, ok := c.sequence(parent, n); ok {
			return typ
		}
	}
	parent.broken = true
	c.unexpected(parent, n, at)
	return ""
}

// sequence advances through a sequence to the particle that n fits.
func (c *xmlChecker) sequence(parent *frame, n xmlName) (string, bool) {
	particles := parent.model.particles
	at, count := parent.at, parent.count
	for ; at < len(particles); at, count = at+1, 0 {
		p := &particles[at]
		if p.follows && (at == 0 || parent.at < at-1 || parent.at == at-1 && parent.count == 0) {
			continue
		}
		if c.fits(parent.model, p, n) && (count == 0 || p.many) {
			parent.at, parent.count = at, count+1
			return p.typ, true
		}
		if count < p.min {
			return "", false
		}
	}
	return "", false
}

func (c *xmlChecker) fits(m *model, p *particle, n xmlName) bool {
	switch p.wildcard {
	case "other":
		own := strings.Replace(c.query, "-query", "", 1)
		if m.ofQuery {
			own = c.query
		}
		return n.space != "" && n.space != own
	case "local":
		return n.space == ""
	}
	return n.local == p.name && n.space == c.spaceOf(p)
}

// maxExpected is how many names a message lists.
const maxExpected = 14

// expected names what may stand where a fault is, "-" for nothing.
func (c *xmlChecker) expected(f *frame) string {
	var names []string
	if f.model.choice {
		for _, p := range f.model.particles {
			names = append(names, p.name)
		}
	} else {
		count := f.count
		for i := f.at; i < len(f.model.particles); i, count = i+1, 0 {
			p := f.model.particles[i]
			if count == 0 || p.many {
				if p.wildcard == "other" {
					names = append(names, "…:…")
				} else {
					names = append(names, p.name)
				}
			}
			if count < p.min {
				break
			}
		}
	}
	if len(names) == 0 {
		return "-"
	}
	if len(names) > maxExpected {
		names = append(names[:maxExpected], "…")
	}
	return strings.Join(names, ", ")
}

// attributes checks an element's attributes, first those that may say what the others are.
func (c *xmlChecker) attributes(f *frame, e *element) {
	for _, a := range e.attrs {
		if a.name.space == xsiSpace {
			c.instanceAttribute(f, e, a)
		}
	}
	if f.model == nil {
		return
	}
	for _, a := range e.attrs {
		if a.name.space == xsiSpace {
			continue
		}
		use, known := f.model.attributes[a.name.local]
		switch {
		case known && a.name.space == "":
			c.simple(f.where, "@"+a.name.local, use.typ, a.value)
		case !f.model.anyAttribute:
			f := c.report(f.where, "the attribute %q is not known on <%s>", "<%[2]s> 上没有属性 %[1]q", a.name.local, e.name.local)
			advise(f, "remove it", "请删除")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.model.attributes)) {
		if _, ok := e.attr(name); f.model.attributes[name].required && !ok {
			c.lacking(f, e, name)
		}
	}
}

// instanceAttribute checks the attributes of XML Schema itself.
func (c *xmlChecker) instanceAttribute(f *frame, e *element, a xmlAttr) {
	value := strings.Trim(a.value, xmlSpace)
	switch a.name.local {
	case "nil":
		f.nil = value == "true" || value == "1"
		switch f.declared {
		case "":
		case nillable:
			c.simple(f.where, "@xsi:nil", "boolean", value)
		default:
			advise(c.report(f.where, "<%s> cannot be nil", "<%s> 不能使用 xsi:nil", e.name.local),
				"remove xsi:nil, or the element", "请删除 xsi:nil 或该元素")
		}
	case "type":
		c.statedType(f, e, value)
	}
}

// statedType checks xsi:type. Where anything may stand, it decides what does.
func (c *xmlChecker) statedType(f *frame, e *element, value string) {
	prefix, local, ok := strings.Cut(value, ":")
	if !ok {
		prefix, local = "", value
	}
	space, declared := e.scope.find(prefix)
	switch {
	case !declared:
		f := c.report(f.where, "xsi:type %q has a prefix that is not declared", "xsi:type %q 的前缀没有声明", value)
		declaration := "xmlns:" + prefix + `="` + xsdSpace + `"`
		advise(f, "declare it: "+declaration, "请声明："+declaration)
	case epcisSpace(space):
		switch {
		case f.model != nil:
		case local == "DateTimeStamp":
			f.model, f.simple = simpleModel(), "stamp"
		case local == "ArrayOfString":
			f.model = c.models[local]
		case local == "VoidHolder":
			f.model = c.models["Empty"]
		}
	case space != xsdSpace || !knownSimple(local):
		advise(c.report(f.where, "xsi:type %q is no type of XML Schema", "xsi:type %q 不是 XML Schema 的类型", value),
			"name one of its types, such as xsd:string, xsd:decimal or xsd:dateTime, or leave xsi:type out",
			"请使用其中的类型，例如 xsd:string、xsd:decimal、xsd:dateTime，或去掉 xsi:type")
	case f.declared != "" && !derives(local, f.declared):
		advise(c.report(f.where, "xsi:type %q is not derived from the type that <%s> has", "xsi:type %q 不是 <%s> 的类型的派生类型",
			value, e.name.local), "leave xsi:type out", "请去掉 xsi:type")
	case f.declared != "":
		f.simple = local
	case f.model == nil && local != "anyType":
		f.model, f.simple = simpleModel(), local
		// The standard collapses white space here, but libxml2, by which the field checks its documents, does not, but for
		// what follows a dateTime.
		f.exact = strings.HasPrefix(local, "date") || local == "time"
	}
}

// chars collects text, or refuses it where only elements may stand.
func (c *xmlChecker) chars(t xml.CharData) {
	if len(c.frames) == 0 {
		return
	}
	f := &c.frames[len(c.frames)-1]
	switch {
	case f.simple != "" && len(f.text)+len(t) > c.limits.Event:
		f.broken = true
	case f.simple != "":
		f.text = append(f.text, t...)
	case f.model != nil && f.model.text == "" && !f.broken && (f.model.empty() || len(strings.Trim(string(t), xmlSpace)) > 0):
		f.broken = true
		advise(c.report(hub.Where{Line: c.where.Line, Column: c.where.Column, Pointer: f.where.Pointer},
			"text cannot stand in <%s>", "<%s> 中不能有文本", f.name.local), "remove the text, or put it into an element", "请删除文本，或放入子元素")
	}
}

// end checks what an element had to hold.
func (c *xmlChecker) end() {
	if len(c.frames) == 0 {
		return
	}
	f := c.frames[len(c.frames)-1]
	c.frames = c.frames[:len(c.frames)-1]
	switch {
	case f.model == nil || f.broken:
	case f.simple != "":
		switch text := string(f.text); {
		case f.exact && text != strings.Trim(text, xmlSpace) && (f.simple != "dateTime" || text != strings.TrimLeft(text, xmlSpace)):
			advise(c.report(f.where, "<%s> has white space around its %s", "<%s> 的 %s 值前后有空白", f.name.local, f.simple),
				"remove the white space around the value", "请去掉值前后的空白")
		case !f.nil || f.declared != nillable:
			c.simple(f.where, "<"+f.name.local+">", f.simple, text)
		}
	case f.model.text != "":
	case f.model.choice:
		if f.count == 0 && !f.model.repeats {
			advise(c.report(f.where, "<%s> is empty; expected %s", "<%s> 为空；应有 %s", f.name.local, c.expected(&f)),
				"add one of them", "请加上其中之一")
		}
	default:
		count := f.count
		for i := f.at; i < len(f.model.particles); i, count = i+1, 0 {
			if count < f.model.particles[i].min {
				c.incomplete(&f)
				return
			}
		}
	}
}

// simple checks a value of a simple type.
func (c *xmlChecker) simple(at hub.Where, what, typ, value string) {
	if !validSimple(typ, value) {
		form, formZh := describeSimple(typ)
		f := c.report(at, "%s is %q; it has to be "+form, "%s 的值为 %q；应为"+formZh, what, clip(value))
		adviseSimple(f, typ, value)
	}
}

// clip shortens a value for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
