package epcis

import (
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// CBVFormat says how XML states the values of CBV vocabularies, as the header GS1-CBV-XML-Format asks for.
type CBVFormat uint8

// The formats. AsURN is what every version of EPCIS understands.
const (
	// AsURN writes urn:epcglobal:cbv:bizstep:shipping.
	AsURN CBVFormat = iota
	// AsWebURI writes https://ref.gs1.org/cbv/BizStep-shipping.
	AsWebURI
)

// fieldOrder returns the fields of an event type in the order in which the XML Schema of EPCIS 2.0 wants them.
func fieldOrder(eventType string) []string {
	head := "eventTime recordTime eventTimeZoneOffset eventID errorDeclaration certificationInfo "
	where := "action bizStep disposition readPoint bizLocation "
	tail := "sourceList destinationList sensorElementList persistentDisposition ilmd"
	order := ""
	switch eventType {
	case "ObjectEvent":
		order = "epcList " + where + "bizTransactionList quantityList "
	case "AggregationEvent":
		order = "parentID childEPCs " + where + "bizTransactionList childQuantityList "
	case "TransactionEvent":
		order = "bizTransactionList parentID epcList " + where + "quantityList "
	case "TransformationEvent":
		order = "inputEPCList inputQuantityList outputEPCList outputQuantityList transformationID bizStep disposition " +
			"readPoint bizLocation bizTransactionList "
	case "AssociationEvent":
		order = "parentID childEPCs childQuantityList " + where + "bizTransactionList "
	default:
		order = "parentID epcList childEPCs inputEPCList inputQuantityList outputEPCList outputQuantityList " +
			"transformationID " + where + "bizTransactionList quantityList childQuantityList "
	}
	return strings.Fields(head + order + tail)
}

// XML returns the event as an element of EPCIS 2.0 XML that declares every namespace it needs, with recordTime when
// recordedAt is not zero. It fails where XML cannot hold what JSON can: a prefix that only a remote context explains, a
// name or a character that XML does not have.
func (e *Event) XML(recordedAt time.Time, f CBVFormat) ([]byte, error) {
	return e.xml(recordTime(recordedAt), f)
}

// xml is XML with a recordTime that stands as it is; "" is none.
func (e *Event) xml(recordTime string, f CBVFormat) ([]byte, error) {
	w := newXMLWriter(e.ctx, f)
	w.event(&e.root, recordTime)
	if w.err != nil {
		return nil, w.err
	}
	name := w.eventName(e.Type())
	if w.err != nil {
		return nil, w.err
	}
	maps.Copy(w.prefixes, w.used(&e.root))
	var b strings.Builder
	b.WriteString("<" + name)
	for _, prefix := range slices.Sorted(maps.Keys(w.prefixes)) {
		b.WriteString(` xmlns:` + prefix + `="` + escapeXML(w.prefixes[prefix], true) + `"`)
	}
	b.WriteString(">" + w.out.String() + "</" + name + ">")
	return []byte(b.String()), nil
}

// xmlWriter writes one event. It keeps the first error and writes on, so that the code reads like the format.
type xmlWriter struct {
	out    strings.Builder
	ctx    *Context
	format CBVFormat
	// prefixes are those that the event's element has to declare, made the ones that had to be made up, by namespace.
	prefixes, made map[string]string
	// serial is the number of the last one.
	serial int
	err    error
}

func newXMLWriter(c *Context, f CBVFormat) *xmlWriter {
	return &xmlWriter{ctx: c, format: f, prefixes: map[string]string{}, made: map[string]string{}}
}

func (w *xmlWriter) fail(code, en, zh string, args ...any) {
	if w.err == nil {
		w.err = faultf(hub.Unsupported, "epcis.xml."+code, en, zh, args...)
	}
}

// used returns the inline prefixes that names and compact values make use of.
func (w *xmlWriter) used(root *node) map[string]string {
	m := map[string]string{}
	for i, is := range w.ctx.usedBy(root, nil) {
		if !is {
			continue
		}
		prefix := w.ctx.terms[i].name
		if ns, ok := w.ctx.Namespace(prefix); ok && ns != "" && isNCName(prefix) {
			m[prefix] = ns
		}
	}
	return m
}

// eventName returns the element's name of an event type; an extended one stands in its own namespace.
func (w *xmlWriter) eventName(t string) string {
	if slices.Contains(EventTypes(), t) {
		return t
	}
	return w.name(t)
}

// name returns the qualified name of an extension.
func (w *xmlWriter) name(member string) string {
	if member == "comment" {
		member = "rdfs:comment"
	}
	ns, local := w.ctx.Expand(member)
	prefix, rest, compact := strings.Cut(member, ":")
	if ns == "" && compact && isNCName(prefix) && isNCName(rest) && w.ctx.unresolved() != "" {
		return w.declare(prefix, w.ctx.unresolved()) + ":" + rest
	}
	switch {
	case ns == "" && strings.Contains(member, ":"):
		w.fail("prefix", "%q has a prefix that no inline @context explains, so XML cannot name it",
			"%q 的前缀没有在内联 @context 中声明，无法写成 XML", member)
		return ""
	case !isNCName(local):
		w.fail("name", "%q is no name that XML can have", "%q 不能作为 XML 名称", member)
		return ""
	case ns == "":
		return local
	}
	if known, ok := w.ctx.Namespace(prefix); compact && ok && known == ns && isNCName(prefix) {
		return w.declare(prefix, ns) + ":" + local
	}
	return w.free("", ns) + ":" + local
}

// free returns a declared prefix of ns that the context gives no other meaning: the wanted one if it can be.
func (w *xmlWriter) free(want, ns string) string {
	prefix, known := w.made[ns]
	for !known {
		if prefix, want = want, ""; prefix == "" {
			w.serial++
			prefix = "ns" + strconv.Itoa(w.serial)
		}
		_, stated := w.ctx.Namespace(prefix)
		_, taken := w.prefixes[prefix]
		known = !stated && !taken
	}
	w.made[ns] = prefix
	return w.declare(prefix, ns)
}

func (w *xmlWriter) declare(prefix, ns string) string {
	if other, ok := w.prefixes[prefix]; ok && other != ns {
		w.fail("prefix", "%q would stand for %q and for %q", "前缀 %q 会同时表示 %q 和 %q", prefix, other, ns)
	}
	if strings.ContainsFunc(ns, func(r rune) bool { return r < ' ' || r == 0xfffe || r == 0xffff || r == utf8.RuneError }) {
		w.fail("name", "%q is no namespace that XML can have", "%q 不能作为 XML 命名空间", ns)
	}
	w.prefixes[prefix] = ns
	return prefix
}

// isNCName reports whether s is a name without a colon (XML Namespaces, section 3) that readers take: of the letters beyond
// ASCII the editions of XML 1.0 allow different ones, and encoding/xml those of the fourth.
func isNCName(s string) bool {
	ascii := true
	for i, r := range s {
		switch {
		case r >= utf8.RuneSelf:
			ascii = false
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_':
		case i > 0 && ('0' <= r && r <= '9' || r == '-' || r == '.'):
		default:
			return false
		}
	}
	if ascii {
		return s != ""
	}
	token, err := xml.NewDecoder(strings.NewReader("<" + s + "/>")).RawToken()
	start, ok := token.(xml.StartElement)
	return err == nil && ok && start.Name.Local == s
}

// text writes escaped text.
func (w *xmlWriter) text(s string, attribute bool) {
	for _, r := range s {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff || r == utf8.RuneError {
			w.fail("character", "the character %U cannot stand in XML", "字符 %U 不能出现在 XML 中", r)
			return
		}
	}
	w.out.WriteString(escapeXML(s, attribute))
}

// leaf writes <name>text</name>.
func (w *xmlWriter) leaf(name, text string) {
	w.out.WriteString("<" + name + ">")
	w.text(text, false)
	w.out.WriteString("</" + name + ">")
}

// wrap writes <name>…</name> around what body writes.
func (w *xmlWriter) wrap(name string, body func()) {
	w.out.WriteString("<" + name + ">")
	body()
	w.out.WriteString("</" + name + ">")
}

func (w *xmlWriter) attribute(name, text string) {
	w.out.WriteString(" " + name + `="`)
	w.text(text, true)
	w.out.WriteString(`"`)
}

// term returns a vocabulary value as XML states it.
func (w *xmlWriter) term(value string, words *vocabulary) string {
	if words == nil {
		return value
	}
	word := words.word(value)
	switch {
	case !words.words[word]:
		return value
	case words.web == gs1Vocabulary:
		return w.declare("gs1", gs1Vocabulary) + ":" + word
	case words.urn == "":
		return w.declare("cbv", standardPrefix("cbv")) + ":" + strings.TrimPrefix(words.web, standardPrefix("cbv")) + word
	case w.format == AsWebURI:
		return words.web + word
	}
	return words.urn + word
}

// event writes everything within the event's element.
func (w *xmlWriter) event(root *node, recordTime string) {
	written := map[string]bool{"type": true, "@context": true, "recordTime": true}
	for _, name := range fieldOrder(root.str("type")) {
		if name == "recordTime" {
			if recordTime != "" {
				w.leaf(name, recordTime)
			}
			continue
		}
		if n := root.member(name); n != nil {
			w.field(name, n)
			written[name] = true
		}
	}
	for i := range root.kids {
		if name := root.kids[i].name; !written[name] {
			w.extension(name, &root.kids[i])
		}
	}
}

// field writes one standard field.
func (w *xmlWriter) field(name string, n *node) {
	switch name {
	case "eventID":
		w.leaf(name, leafText(n))
		return
	case "certificationInfo":
		for _, item := range n.items() {
			w.leaf(name, leafText(&item))
		}
		return
	case "errorDeclaration":
		w.wrap(name, func() { w.errorDeclaration(n) })
		return
	case "ilmd":
		w.wrap(name, func() { w.extensions(n, nil) })
		return
	}
	s := shapes[fieldOf(name)]
	switch s.form {
	case formLeaf, formTime:
		w.leaf(name, w.term(leafText(n), s.words))
	case formPersistent:
		w.wrap(name, func() {
			for _, part := range []string{"unset", "set"} {
				for _, item := range n.member(part).items() {
					w.leaf(part, w.term(leafText(&item), s.words))
				}
			}
		})
	case formPlace:
		w.wrap(name, func() {
			w.leaf("id", n.str("id"))
			w.extensions(n, []string{"id"})
		})
	default:
		w.list(name, n, s)
	}
}

// list writes a list of identifiers, quantities, pairs or sensor elements. One without items is only written where the
// schema lets it stand.
func (w *xmlWriter) list(name string, n *node, s shape) {
	items := n.items()
	if len(items) == 0 && s.form != formEPCs && s.form != formQuantities {
		return
	}
	w.wrap(name, func() {
		for i := range items {
			item := &items[i]
			switch s.form {
			case formEPCs:
				w.leaf(s.item, leafText(item))
			case formQuantities:
				w.wrap(s.item, func() { w.quantity(item) })
			case formPairs:
				w.out.WriteString("<" + s.item)
				if t := item.str("type"); t != "" {
					w.attribute("type", w.term(t, s.words))
				}
				w.out.WriteString(">")
				w.text(item.str(s.item), false)
				w.out.WriteString("</" + s.item + ">")
			default: // formSensors
				w.wrap(s.item, func() { w.sensor(item) })
			}
		}
	})
}

func (w *xmlWriter) quantity(n *node) {
	for _, part := range []string{"epcClass", "quantity", "uom"} {
		if m := n.member(part); m != nil {
			w.leaf(part, plainDecimal(m))
		}
	}
	w.extensions(n, []string{"epcClass", "quantity", "uom"})
}

// plainDecimal returns a number without an exponent, which xsd:decimal does not have, and any other text as it is.
func plainDecimal(n *node) string {
	if n.kind == kindNumber && strings.ContainsAny(n.text, "eE") {
		if b, ok := appendDecimal(nil, n.text); ok {
			return string(b)
		}
	}
	return leafText(n)
}

func (w *xmlWriter) errorDeclaration(n *node) {
	if t := n.str("declarationTime"); t != "" {
		w.leaf("declarationTime", t)
	}
	if r := n.str("reason"); r != "" {
		w.leaf("reason", w.term(r, errorReasons))
	}
	if ids := n.member("correctiveEventIDs").items(); len(ids) > 0 {
		w.wrap("correctiveEventIDs", func() {
			for i := range ids {
				w.leaf("correctiveEventID", leafText(&ids[i]))
			}
		})
	}
	w.extensions(n, []string{"declarationTime", "reason", "correctiveEventIDs"})
}

func (w *xmlWriter) sensor(n *node) {
	if m := n.member("sensorMetadata"); m != nil {
		w.attributes("sensorMetadata", m)
	}
	for _, report := range n.member("sensorReport").items() {
		w.attributes("sensorReport", &report)
	}
	w.extensions(n, []string{"sensorMetadata", "sensorReport"})
}

// attributes writes a sensorMetadata or sensorReport: scalars are attributes. What no attribute can hold becomes a child
// element, which the schema does not know but which loses nothing.
func (w *xmlWriter) attributes(name string, n *node) {
	w.out.WriteString("<" + name)
	var rest []*node
	for i := range n.kids {
		m := &n.kids[i]
		switch {
		case m.kind == kindNull:
		case !m.scalar():
			rest = append(rest, m)
		case sensorFields[m.name].form != formNone:
			w.attribute(m.name, w.term(m.scalarText(), sensorFields[m.name].words))
		default:
			w.attribute(w.name(m.name), m.scalarText())
		}
	}
	if len(rest) == 0 {
		w.out.WriteString("/>")
		return
	}
	w.out.WriteString(">")
	for _, m := range rest {
		w.extension(m.name, m)
	}
	w.out.WriteString("</" + name + ">")
}

// scalarText returns the text of a scalar without trimming it.
func (n *node) scalarText() string {
	if n.kind == kindString {
		return n.text
	}
	return leafText(n)
}

// extensions writes the members of an object other than the standard ones.
func (w *xmlWriter) extensions(n *node, standard []string) {
	for i := range n.kids {
		if !slices.Contains(standard, n.kids[i].name) {
			w.extension(n.kids[i].name, &n.kids[i])
		}
	}
}

// extension writes an extension member: an array as repeated elements, beside "#text" plain scalars as attributes.
func (w *xmlWriter) extension(member string, n *node) {
	switch {
	case n.kind == kindNull || w.err != nil || strings.HasPrefix(member, xmlnsMember) || member == "@context":
		return
	case n.kind == kindArray:
		for i := range n.kids {
			w.extension(member, &n.kids[i])
		}
		return
	}
	name := w.name(member)
	w.out.WriteString("<" + name)
	if n.scalar() {
		w.typed(n)
		w.out.WriteString(">")
		w.text(n.valueText(), false)
	} else {
		w.object(n)
	}
	w.out.WriteString("</" + name + ">")
}

// typed writes the xsi:type of a number or boolean, which is text like any other without. The event hash ignores it.
func (w *xmlWriter) typed(n *node) {
	local := ""
	switch {
	case n.kind == kindTrue || n.kind == kindFalse:
		local = "boolean"
	case n.kind == kindNumber && strings.ContainsAny(n.valueText(), "eE"):
		local = "double"
	case n.kind == kindNumber:
		local = "decimal"
	default:
		return
	}
	w.attribute(w.free("xsi", xsiSpace)+":type", w.free("xs", xsdSpace)+":"+local)
}

// valueText is scalarText for a value of the user's own: a number that no double holds is written as the double that it
// is read as, so that its hash is the same in both syntaxes.
func (n *node) valueText() string {
	if n.kind == kindNumber && !exact(n.text) {
		return hashText(n)
	}
	return n.scalarText()
}

// exact reports whether a number has the value of the double nearest to it.
func exact(number string) bool {
	own, ok := appendDecimal(nil, number)
	double, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil {
		return false
	}
	canonical, _ := appendDecimal(nil, strconv.FormatFloat(double, 'f', -1, 64))
	return string(own) == string(canonical)
}

// object writes what stands between "<name" and the end tag.
func (w *xmlWriter) object(n *node) {
	text := n.content()
	typed := text != nil && text.name == "@value"
	isAttribute := func(m *node) bool {
		return text != nil && m.scalar() && !strings.Contains(m.name, ":") && m.kind != kindNull
	}
	bare := text != nil // simple types of XML Schema have no attributes
	for i := range n.kids {
		switch m := &n.kids[i]; {
		case m == text || !isAttribute(m) || typed && m.name == "@type":
			continue
		case m.name == "@language":
			w.attribute("xml:lang", m.scalarText())
		default:
			w.attribute(w.name(m.name), m.scalarText())
		}
		bare = false
	}
	if bare {
		w.typed(text)
	}
	w.out.WriteString(">")
	if text != nil {
		w.text(text.valueText(), false)
	}
	for i := range n.kids {
		if m := &n.kids[i]; m != text && !isAttribute(m) {
			w.extension(m.name, m)
		}
	}
}
