package epcis

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// xmlDocument reads the XML forms of a document.
type xmlDocument struct {
	*xmlStream

	visit  func(Item) error
	header *Header
	// events counts the events by name, for their XPath.
	events map[string]int
	// tags are the start tags that are open around the events, which is what one event needs to be read alone.
	tags []string
}

func readXML(r *bufio.Reader, l Limits, visit func(Item) error) (*Header, error) {
	s, err := newXMLStream(r, l)
	if err != nil {
		return nil, err
	}
	d := &xmlDocument{xmlStream: s, visit: visit, header: &Header{Format: "xml"}, events: map[string]int{}}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d.header, nil
}

// read reads the document's element, which is a document of some kind or a bare event.
func (d *xmlDocument) read() error {
	for {
		d.mark(d.limits.Event)
		t, err := d.next()
		if err != nil || t == nil {
			return err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		e, err := d.push(start)
		if err != nil {
			return err
		}
		d.header.Type = e.name.local
		switch e.name.local {
		case "EPCISDocument", "EPCISQueryDocument", "EPCISMasterDataDocument":
			d.unmark()
			err = d.document(e)
		default:
			if !plain(e) || !strings.HasSuffix(e.name.local, "Event") {
				return d.fault("epcis.document.form", "<%s> is no EPCIS document", "<%s> 不是 EPCIS 文档", e.name.local)
			}
			err = d.event(e, "/"+qualified(e.name))
		}
		if err != nil {
			return err
		}
	}
}

func qualified(n xmlName) string {
	if n.prefix == "" {
		return n.local
	}
	return n.prefix + ":" + n.local
}

func (d *xmlDocument) document(root *element) error {
	h := d.header
	h.SchemaVersion, _ = root.attr("schemaVersion")
	h.CreationDate, _ = root.attr("creationDate")
	h.Context = newNamer(root.scope).context()
	return d.within(root)
}

// within reads the rest of an element that leads to events.
func (d *xmlDocument) within(parent *element) error {
	d.tags = append(d.tags, startTag(parent))
	outer := d.header.Preamble
	d.header.Preamble = []byte(strings.Join(d.tags, ""))
	defer func() { d.tags, d.header.Preamble = d.tags[:len(d.tags)-1], outer }()
	inList := parent.name.local == "EventList" || parent.name.local == "extension"
	for {
		if inList {
			d.mark(d.limits.Event)
		} else {
			d.mark(d.limits.Header)
		}
		t, err := d.next()
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case nil:
			return d.fault("epcis.xml.end", "the document ends too early", "文档提前结束")
		case xml.EndElement:
			d.unmark()
			return d.pop(t)
		case xml.StartElement:
			e, err := d.push(t)
			if err != nil {
				return err
			}
			if err := d.child(e, inList); err != nil {
				return err
			}
		}
	}
}

// child reads one element of the document's frame.
func (d *xmlDocument) child(e *element, inList bool) error {
	name := e.name.local
	switch {
	case inList && name == "extension" && plain(e):
		return d.within(e)
	case inList:
		d.events[name]++
		return d.event(e, d.eventPath(e.name))
	case !plain(e):
		_, err := d.bounded(e)
		return err
	}
	switch name {
	case "EPCISBody", "QueryResults", "resultsBody", "EventList":
		return d.within(e)
	}
	_, err := d.bounded(e)
	if err != nil {
		return err
	}
	switch name {
	case "EPCISHeader":
		d.headerElement(e)
	case "VocabularyList":
		d.master(e)
	case "queryName":
		d.header.QueryName = e.trimmed()
	case "subscriptionID":
		d.header.SubscriptionID = e.trimmed()
	}
	return nil
}

// bounded reads the rest of an element of the header's kind.
func (d *xmlDocument) bounded(e *element) ([]byte, error) {
	d.mark(d.limits.Header)
	return d.cut(e, d.limits.Header)
}

// eventPath returns the XPath of the event whose start tag was read, with its place among those of its name.
func (d *xmlDocument) eventPath(n xmlName) string {
	return d.path() + "[" + strconv.Itoa(d.events[n.local]) + "]"
}

// event reads the rest of an event and visits it.
func (d *xmlDocument) event(e *element, path string) error {
	where := e.where
	raw, err := d.cut(e, d.limits.Event)
	if err != nil {
		f := *hub.AsFault(err)
		f.Where.Pointer = path
		return &f
	}
	event, err := eventFromXML(e)
	if err != nil {
		return err
	}
	return d.visit(Item{
		Raw: raw, Line: where.Line, Column: where.Column, Pointer: path, Header: d.header, parsed: event,
	})
}

// startTag writes an element's start tag with the namespaces that it declares and no more.
func startTag(e *element) string {
	var b strings.Builder
	b.WriteString("<" + qualified(e.name))
	var declarations []string
	for prefix, ns := range e.scope.bindings {
		name := "xmlns"
		if prefix != "" {
			name += ":" + prefix
		}
		declarations = append(declarations, fmt.Sprintf(` %s="%s"`, name, escapeXML(ns, true)))
	}
	slices.Sort(declarations)
	b.WriteString(strings.Join(declarations, ""))
	return b.String() + ">"
}

// headerElement takes what the hub knows of an EPCISHeader: the parties of the standard business document header, and
// master data.
func (d *xmlDocument) headerElement(e *element) {
	for _, kid := range e.kids {
		switch kid.name.local {
		case "StandardBusinessDocumentHeader":
			d.businessHeader(kid)
		case "extension":
			d.headerElement(kid)
		case "EPCISMasterData":
			for _, list := range kid.kids {
				if list.name.local == "VocabularyList" {
					d.master(list)
				}
			}
		}
	}
}

func (d *xmlDocument) businessHeader(e *element) {
	find := func(path ...string) string {
		at := e
		for _, name := range path {
			i := slices.IndexFunc(at.kids, func(k *element) bool { return k.name.local == name })
			if i < 0 {
				return ""
			}
			at = at.kids[i]
		}
		return at.trimmed()
	}
	d.header.Sender = find("Sender", "Identifier")
	d.header.Receiver = find("Receiver", "Identifier")
	d.header.InstanceIdentifier = find("DocumentIdentification", "InstanceIdentifier")
}

// master turns a VocabularyList into the JSON form of epcisMasterData.
func (d *xmlDocument) master(list *element) {
	x := &xmlEvent{namer: newNamer(list.scope)}
	vocabularies := node{name: "vocabularyList", kind: kindArray}
	for _, v := range list.kids {
		typ, _ := v.attr("type")
		elements := node{name: "vocabularyElementList", kind: kindArray}
		for _, l := range v.kids {
			for _, ve := range l.kids {
				elements.kids = append(elements.kids, x.vocabularyElement(ve))
			}
		}
		vocabularies.kids = append(vocabularies.kids, node{
			kind: kindObject, kids: sortMembers([]node{stringNode("type", typ), elements}),
		})
	}
	d.header.master = &node{kind: kindObject, kids: []node{vocabularies}}
}

func (x *xmlEvent) vocabularyElement(e *element) node {
	id, _ := e.attr("id")
	attributes := node{name: "attributes", kind: kindArray}
	children := node{name: "children", kind: kindArray}
	for _, kid := range e.kids {
		switch kid.name.local {
		case "attribute":
			id, _ := kid.attr("id")
			others := slices.DeleteFunc(slices.Clone(kid.attrs), func(a xmlAttr) bool { return a.name.local == "id" })
			value := x.extension(&element{attrs: others, text: kid.text, kids: kid.kids})
			value.name = "attribute"
			attributes.kids = append(attributes.kids, node{
				kind: kindObject, kids: sortMembers([]node{stringNode("id", id), value}),
			})
		case "children":
			for _, c := range kid.kids {
				children.kids = append(children.kids, stringNode("", c.trimmed()))
			}
		}
	}
	kids := []node{stringNode("id", id)}
	for _, list := range []node{attributes, children} {
		if len(list.kids) > 0 {
			kids = append(kids, list)
		}
	}
	return node{kind: kindObject, kids: sortMembers(kids)}
}
