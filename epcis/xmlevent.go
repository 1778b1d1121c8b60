package epcis

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// epcisSpace reports whether ns is one of the namespaces of EPCIS itself, whose own elements have no namespace but are
// sometimes written with one.
func epcisSpace(ns string) bool {
	return strings.HasPrefix(ns, "urn:epcglobal:epcis:xsd:") || strings.HasPrefix(ns, "urn:epcglobal:epcis-query:xsd:") ||
		strings.HasPrefix(ns, "urn:epcglobal:epcis-masterdata:xsd:")
}

// namer gives the names of XML the compact form that JSON has, and collects what prefixes they need.
type namer struct {
	// prefixes are those in use by namespace, spaces the reverse.
	prefixes, spaces map[string]string
	// remote are the JSON-LD contexts that stand for a namespace.
	remote map[string]bool
	// numbered is the last number that was given to a prefix which had to be made up.
	numbered map[string]int
}

// newNamer knows the prefixes in scope of an event, so that compact values keep their meaning.
func newNamer(s *scope) *namer {
	n := &namer{
		prefixes: map[string]string{}, spaces: map[string]string{}, remote: map[string]bool{}, numbered: map[string]int{},
	}
	for ; s != nil; s = s.outer {
		for prefix, ns := range s.bindings {
			if _, taken := n.spaces[prefix]; prefix != "" && !taken && !hidden(ns) && !remoteContext(ns) && standardPrefix(prefix) == "" {
				n.bind(prefix, ns)
			}
		}
	}
	return n
}

// hidden reports whether a namespace belongs to the document and says nothing in JSON.
func hidden(ns string) bool {
	return ns == "" || epcisSpace(ns) || ns == xsiSpace || ns == xmlXMLSpace
}

func (n *namer) bind(prefix, ns string) {
	n.spaces[prefix] = ns
	// Of several prefixes the least is used, so that the outcome does not depend on the order of a map.
	if old, ok := n.prefixes[ns]; !ok || prefix < old {
		n.prefixes[ns] = prefix
	}
}

// name returns the compact name for an element or attribute.
func (n *namer) name(x xmlName) string {
	if x.space == "" || epcisSpace(x.space) {
		return x.local
	}
	if remoteContext(x.space) && x.prefix != "" {
		n.remote[x.space] = true
		return x.prefix + ":" + x.local
	}
	if n.spaces[x.prefix] == x.space && x.prefix != "" || x.prefix != "" && standardPrefix(x.prefix) == x.space {
		return x.prefix + ":" + x.local
	}
	if prefix, ok := n.prefixes[x.space]; ok {
		return prefix + ":" + x.local
	}
	base, prefix := x.prefix, x.prefix
	if base == "" {
		base, prefix = "ns", "ns1"
	}
	for n.spaces[prefix] != "" || standardPrefix(prefix) != "" {
		n.numbered[base]++
		prefix = base + strconv.Itoa(n.numbered[base])
	}
	n.bind(prefix, x.space)
	return prefix + ":" + x.local
}

func (n *namer) context() *Context {
	if len(n.spaces) == 0 && len(n.remote) == 0 {
		return nil
	}
	c := NewContext(n.spaces)
	c.remote = slices.Sorted(maps.Keys(n.remote))
	return c
}

// xmlEvent turns the element of an event into its JSON form.
type xmlEvent struct{ *namer }

// eventFromXML returns the event that an element states. Wrappers of old versions are dissolved, CBV URNs become the
// words of JSON, a QuantityEvent, which EPCIS 1.1 replaced, becomes the ObjectEvent that the standard names instead.
func eventFromXML(e *element) (*Event, error) {
	x := &xmlEvent{namer: newNamer(e.scope)}
	root := node{kind: kindObject}
	members := x.members(&root, e)
	typ := x.name(e.name)
	if typ == "QuantityEvent" {
		typ = "ObjectEvent"
		members = quantityEvent(&root, members)
	}
	root.kids = append(root.kids, stringNode("type", typ))
	for _, kid := range members {
		root.kids = append(root.kids, x.field(kid))
	}
	root.kids = sortMembers(join(root.kids))
	if root.depth() > maxDepth {
		return nil, tooDeep(maxDepth).At(e.where)
	}
	return &Event{root: root, ctx: x.context()}, nil
}

// members returns the child elements of a standard element without their wrappers, and puts the element's attributes,
// which can only be extensions, into n.
func (x *xmlEvent) members(n *node, e *element) []*element {
	for _, a := range e.attrs {
		if !hidden(a.name.space) {
			n.kids = append(n.kids, stringNode(x.name(a.name), a.value))
		}
	}
	var kids []*element
	for _, kid := range e.kids {
		if plain(kid) && (kid.name.local == "extension" || kid.name.local == "baseExtension") {
			kids = append(kids, x.members(n, kid)...)
		} else {
			kids = append(kids, kid)
		}
	}
	return kids
}

// plain reports whether an element is of EPCIS and not of an extension.
func plain(e *element) bool { return e.name.space == "" || epcisSpace(e.name.space) }

// quantityEvent rewrites the fields of a QuantityEvent and returns the others.
func quantityEvent(root *node, members []*element) []*element {
	quantity := node{kind: kindObject}
	rest := slices.DeleteFunc(slices.Clone(members), func(e *element) bool {
		switch {
		case !plain(e):
			return false
		case e.name.local == "epcClass":
			quantity.kids = append(quantity.kids, stringNode("epcClass", e.trimmed()))
		case e.name.local == "quantity":
			quantity.kids = append(quantity.kids, numberNode("quantity", e.trimmed()))
		default:
			return false
		}
		return true
	})
	quantity.kids = sortMembers(quantity.kids)
	root.kids = append(root.kids, stringNode("action", "OBSERVE"),
		node{name: "quantityList", kind: kindArray, kids: []node{quantity}})
	return rest
}

// join makes one array of members that repeat a name, as XML writes lists.
func join(members []node) []node {
	at := map[string]int{}
	joined := members[:0:0]
	for _, m := range members {
		i, seen := at[m.name]
		if !seen {
			at[m.name] = len(joined)
			joined = append(joined, m)
			continue
		}
		first := &joined[i]
		if first.kind != kindArray {
			single := *first
			single.name = ""
			*first = node{name: m.name, kind: kindArray, kids: []node{single}}
		}
		if m.kind == kindArray {
			first.kids = append(first.kids, m.kids...)
			continue
		}
		m.name = ""
		first.kids = append(first.kids, m)
	}
	return joined
}

// field turns a member of an event into its JSON form.
func (x *xmlEvent) field(e *element) node {
	name := e.name.local
	if !plain(e) {
		return x.extension(e)
	}
	switch name {
	case "ilmd":
		n := node{name: name, kind: kindObject}
		return x.open(n, x.members(&n, e))
	case "errorDeclaration":
		return x.errorDeclaration(e)
	case "eventID", "recordTime", "certificationInfo":
		return stringNode(name, e.trimmed())
	}
	f := fieldOf(name)
	s := shapes[f]
	n := node{name: name, kind: kindArray}
	switch s.form {
	case formLeaf, formTime:
		return wordNode(name, e.trimmed(), s.words)
	case formEPCs:
		for _, kid := range e.kids {
			n.kids = append(n.kids, stringNode("", kid.trimmed()))
		}
	case formQuantities:
		for _, kid := range e.kids {
			n.kids = append(n.kids, x.quantity(kid))
		}
	case formPairs:
		for _, kid := range e.kids {
			n.kids = append(n.kids, x.pair(kid, s))
		}
	case formPersistent:
		return x.persistent(e)
	case formPlace:
		n.kind = kindObject
		return x.open(n, x.members(&n, e))
	case formSensors:
		for _, kid := range x.members(&n, e) {
			n.kids = append(n.kids, x.sensor(kid))
		}
	default:
		return x.extension(e)
	}
	return n
}

// open fills an object that has extension points: plain text members and extensions.
func (x *xmlEvent) open(n node, members []*element) node {
	for _, kid := range members {
		if plain(kid) && len(kid.kids) == 0 && len(kid.attrs) == 0 {
			n.kids = append(n.kids, stringNode(kid.name.local, kid.trimmed()))
		} else {
			n.kids = append(n.kids, x.extension(kid))
		}
	}
	n.kids = sortMembers(join(n.kids))
	return n
}

func wordNode(name, text string, words *vocabulary) node {
	if words != nil {
		text = words.word(text)
	}
	return stringNode(name, text)
}

// numberNode returns a number, or the text when it is none.
func numberNode(name, text string) node {
	if text != "" && numberLength(text) == len(text) {
		return node{name: name, kind: kindNumber, text: text}
	}
	if text != "" {
		if b, ok := appendDecimal(nil, text); ok {
			return node{name: name, kind: kindNumber, text: string(b)}
		}
	}
	return stringNode(name, text)
}

func (x *xmlEvent) quantity(e *element) node {
	n := node{kind: kindObject}
	for _, kid := range e.kids {
		switch {
		case plain(kid) && kid.name.local == "quantity":
			if text := kid.trimmed(); text != "" {
				n.kids = append(n.kids, numberNode("quantity", text))
			}
		case plain(kid):
			n.kids = append(n.kids, stringNode(kid.name.local, kid.trimmed()))
		default:
			n.kids = append(n.kids, x.extension(kid))
		}
	}
	n.kids = sortMembers(join(n.kids))
	return n
}

func (x *xmlEvent) pair(e *element, s shape) node {
	n := node{kind: kindObject, kids: []node{stringNode(s.item, e.trimmed())}}
	if t, ok := e.attr("type"); ok {
		n.kids = append(n.kids, wordNode("type", strings.Trim(t, xmlSpace), s.words))
	}
	n.kids = sortMembers(n.kids)
	return n
}

func (x *xmlEvent) persistent(e *element) node {
	n := node{name: "persistentDisposition", kind: kindObject}
	for _, kid := range e.kids {
		item := wordNode("", kid.trimmed(), dispositions)
		n.kids = append(n.kids, node{name: kid.name.local, kind: kindArray, kids: []node{item}})
	}
	n.kids = sortMembers(join(n.kids))
	return n
}

func (x *xmlEvent) errorDeclaration(e *element) node {
	n := node{name: "errorDeclaration", kind: kindObject}
	for _, kid := range x.members(&n, e) {
		switch {
		case !plain(kid):
			n.kids = append(n.kids, x.extension(kid))
		case kid.name.local == "reason":
			n.kids = append(n.kids, wordNode("reason", kid.trimmed(), errorReasons))
		case kid.name.local == "correctiveEventIDs":
			ids := node{name: "correctiveEventIDs", kind: kindArray}
			for _, id := range kid.kids {
				ids.kids = append(ids.kids, stringNode("", id.trimmed()))
			}
			n.kids = append(n.kids, ids)
		default:
			n.kids = append(n.kids, stringNode(kid.name.local, kid.trimmed()))
		}
	}
	n.kids = sortMembers(join(n.kids))
	return n
}

// sensor turns a sensorElement into its JSON form.
func (x *xmlEvent) sensor(e *element) node {
	n := node{kind: kindObject}
	reports := node{name: "sensorReport", kind: kindArray}
	for _, kid := range x.members(&n, e) {
		switch {
		case plain(kid) && kid.name.local == "sensorMetadata":
			n.kids = append(n.kids, x.attributes("sensorMetadata", kid))
		case plain(kid) && kid.name.local == "sensorReport":
			reports.kids = append(reports.kids, x.attributes("", kid))
		default:
			n.kids = append(n.kids, x.extension(kid))
		}
	}
	if len(reports.kids) > 0 {
		n.kids = append(n.kids, reports)
	}
	n.kids = sortMembers(join(n.kids))
	return n
}

// attributes turns the attributes of a sensorMetadata or sensorReport into members of their JSON types.
func (x *xmlEvent) attributes(name string, e *element) node {
	n := node{name: name, kind: kindObject}
	for _, a := range e.attrs {
		if hidden(a.name.space) && a.name.space != "" {
			continue
		}
		text := strings.Trim(a.value, xmlSpace)
		shape := sensorFields[a.name.local]
		switch {
		case a.name.space != "":
			n.kids = append(n.kids, stringNode(x.name(a.name), a.value))
		case shape.form == formNumber:
			n.kids = append(n.kids, numberNode(a.name.local, text))
		case shape.form == formBool && (text == "true" || text == "1"):
			n.kids = append(n.kids, node{name: a.name.local, kind: kindTrue})
		case shape.form == formBool && (text == "false" || text == "0"):
			n.kids = append(n.kids, node{name: a.name.local, kind: kindFalse})
		case a.name.local == "stringValue":
			n.kids = append(n.kids, stringNode(a.name.local, a.value))
		default:
			n.kids = append(n.kids, wordNode(a.name.local, text, shape.words))
		}
	}
	for _, kid := range e.kids {
		n.kids = append(n.kids, x.extension(kid))
	}
	n.kids = sortMembers(join(n.kids))
	return n
}

// extension turns an element of the user's own into its JSON form: text alone is a string, children are members, and
// repeated ones an array. Attributes are members as well, beside which the text is the member "#text"; a text with
// nothing but a language is the language-tagged value of JSON-LD. The xsi:type of a number or boolean makes it one.
func (x *xmlEvent) extension(e *element) node {
	name := x.name(e.name)
	n := node{name: name, kind: kindObject}
	content := "#text"
	for _, a := range e.attrs {
		switch {
		case a.name.space == xmlXMLSpace && a.name.local == "lang":
			n.kids = append(n.kids, stringNode("@language", a.value))
		case a.name.space == "" || !hidden(a.name.space):
			n.kids = append(n.kids, stringNode(x.name(a.name), a.value))
		}
	}
	if len(n.kids) == 0 && len(e.kids) == 0 {
		return e.typedNode(name)
	}
	if len(n.kids) == 1 && n.kids[0].name == "@language" && len(e.kids) == 0 {
		content = "@value"
	}
	if text := e.trimmed(); text != "" || len(n.kids) > 0 {
		n.kids = append(n.kids, e.typedNode(content))
	}
	for _, kid := range e.kids {
		n.kids = append(n.kids, x.extension(kid))
	}
	n.kids = sortMembers(join(n.kids))
	return n
}

// typedNode returns the text of an element as what its xsi:type says it is, where that says the same: a number that a
// double holds, or a boolean that is written in letters.
func (e *element) typedNode(name string) node {
	text := e.trimmed()
	switch e.simpleType() {
	case "boolean":
		if text == "true" {
			return node{name: name, kind: kindTrue}
		}
		if text == "false" {
			return node{name: name, kind: kindFalse}
		}
	case "decimal", "integer", "long", "int", "short", "byte", "nonNegativeInteger", "positiveInteger", "nonPositiveInteger",
		"negativeInteger", "unsignedLong", "unsignedInt", "unsignedShort", "unsignedByte", "double", "float":
		if text != "" && exact(text) {
			return numberNode(name, text)
		}
	}
	return stringNode(name, text)
}

// simpleType returns the local name of an element's xsi:type when it is a type of XML Schema itself, or "".
func (e *element) simpleType() string {
	for _, a := range e.attrs {
		if a.name.space != xsiSpace || a.name.local != "type" {
			continue
		}
		prefix, local, compact := strings.Cut(strings.Trim(a.value, xmlSpace), ":")
		if !compact {
			prefix, local = "", prefix
		}
		if ns, ok := e.scope.find(prefix); ok && ns == xsdSpace {
			return local
		}
	}
	return ""
}
