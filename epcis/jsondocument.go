package epcis

import (
	"bytes"
	"strconv"

	"github.com/suyuan-io/suyuan/hub"
)

// jsonDocument reads the JSON forms of a document.
type jsonDocument struct {
	*jsonStream

	visit  func(Item) error
	header *Header
	// isDocument is true once the value is known to be a document and not a bare event.
	isDocument, hasContext, hasBody bool
	// held are events that stand before the document's @context, and heldSize what they take.
	held     []Item
	heldSize int
}

// read reads the values of the stream, one after the other.
func (d *jsonDocument) read() error {
	if head, _ := d.r.Peek(3); bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		_, _ = d.r.Discard(3)
	}
	for n := 0; ; n++ {
		c, err := d.space()
		switch {
		case err != nil:
			return err
		case c == 0 && n > 0 && d.r.Buffered() == 0:
			return nil
		case c == '{':
			err = d.object()
		case c == '[':
			d.hasContext = true
			err = d.elements(func(i int) error { return d.event("/" + strconv.Itoa(i)) })
		default:
			err = d.fault(hub.Invalid, "epcis.document.form", "an EPCIS document is a JSON object, or XML", "EPCIS 文档必须是 JSON 对象或 XML")
		}
		if err != nil {
			return err
		}
	}
}

// object reads an object of which only its members tell whether it is a document or a bare event, so it is cut out
// until that is known.
func (d *jsonDocument) object() error {
	d.isDocument, d.hasContext, d.hasBody = false, false, false
	start := d.where()
	whole := make([]byte, 0, 4096)
	d.raw, d.max, d.cutting = whole, d.limits.Event, true
	defer func() { d.cutting = false }()
	err := d.members(func(name string) error {
		if d.isDocument || documentMember(name) {
			d.isDocument, d.cutting = true, false
			return d.member(name)
		}
		if name != "type" && name != "@context" {
			return d.skip()
		}
		return d.undecided(name)
	})
	if err != nil {
		return err
	}
	d.cutting = false
	if d.isDocument {
		if !d.hasBody {
			return d.fault(hub.Invalid, "epcis.document.body", "the document has no epcisBody", "文档没有 epcisBody")
		}
		return d.flush()
	}
	e, err := ParseEvent(d.raw, nil)
	it := Item{Raw: d.raw, Line: start.Line, Column: start.Column, Header: d.header}
	if err != nil {
		return it.Locate(err)
	}
	d.header.Type, d.header.Context, d.header.Preamble = e.Type(), nil, nil
	return d.visit(it)
}

// documentMember reports whether a member of that name stands only in documents.
func documentMember(name string) bool {
	switch name {
	case "epcisBody", "epcisHeader", "schemaVersion", "creationDate":
		return true
	}
	return false
}

// undecided reads a member that documents and events have.
func (d *jsonDocument) undecided(name string) error {
	if _, err := d.space(); err != nil {
		return err
	}
	mark := len(d.raw)
	if err := d.skip(); err != nil {
		return err
	}
	value := d.raw[mark:]
	if name == "type" {
		switch string(value) {
		case `"EPCISDocument"`, `"EPCISQueryDocument"`:
			d.isDocument, d.cutting = true, false
			d.header.Type = string(value[1 : len(value)-1])
		}
		return nil
	}
	// It may be the document's; if this turns out to be an event, parsing the event reads it again.
	d.hasContext = true
	return d.context(value)
}

// member reads a member of a document.
func (d *jsonDocument) member(name string) error {
	if name == "epcisBody" {
		d.hasBody = true
		return d.body("/epcisBody")
	}
	value, err := d.cut(d.limits.Header)
	if err != nil {
		return err
	}
	switch name {
	case "@context":
		d.hasContext = true
		return d.context(value)
	case "epcisHeader":
		n, err := parseJSON(value)
		if err != nil {
			return hub.AsFault(err).At(hub.Where{Line: d.line, Pointer: "/epcisHeader"})
		}
		d.header.master = n.member("epcisMasterData")
		return nil
	}
	return d.headerText(name, value)
}

// ignored reads a member that says nothing to the hub, but must be JSON.
func (d *jsonDocument) ignored() error {
	value, err := d.cut(d.limits.Header)
	if err != nil {
		return err
	}
	return d.headerText("", value)
}

// headerText parses a member and keeps it if it is a text of the header.
func (d *jsonDocument) headerText(name string, value []byte) error {
	n, err := parseJSON(value)
	if err != nil {
		return hub.AsFault(err).At(d.where())
	}
	h := d.header
	fields := map[string]*string{
		"type": &h.Type, "schemaVersion": &h.SchemaVersion, "creationDate": &h.CreationDate, "id": &h.ID,
		"sender": &h.Sender, "receiver": &h.Receiver, "instanceIdentifier": &h.InstanceIdentifier,
		"queryName": &h.QueryName, "subscriptionID": &h.SubscriptionID,
	}
	if at := fields[name]; at != nil && n.kind == kindString {
		*at = n.text
	}
	return nil
}

// context takes the document's @context.
func (d *jsonDocument) context(value []byte) error {
	n, err := parseJSON(value)
	if err == nil {
		d.header.Context, err = (*Context)(nil).extend(&n)
	}
	if err != nil {
		return hub.AsFault(err).At(hub.Where{Line: d.line, Pointer: "/@context"})
	}
	d.header.Preamble = append(append([]byte(`{"@context":`), value...), '}')
	return nil
}

// body reads epcisBody and what is within it, down to the events.
func (d *jsonDocument) body(pointer string) error {
	return d.members(func(name string) error {
		at := pointer + "/" + name
		switch name {
		case "eventList":
			return d.eventList(at)
		case "event":
			return d.event(at)
		case "queryResults", "resultsBody":
			return d.body(at)
		case "queryName", "subscriptionID":
			value, err := d.cut(d.limits.Header)
			if err != nil {
				return err
			}
			return d.headerText(name, value)
		}
		return d.ignored()
	})
}

func (d *jsonDocument) eventList(pointer string) error {
	c, err := d.space()
	if err != nil {
		return err
	}
	if c != '[' {
		return d.event(pointer)
	}
	return d.elements(func(i int) error { return d.event(pointer + "/" + strconv.Itoa(i)) })
}

// event cuts out one event and visits it, or holds it until the document's @context is known.
func (d *jsonDocument) event(pointer string) error {
	if _, err := d.space(); err != nil {
		return err
	}
	it := Item{Line: d.line, Column: d.column, Pointer: pointer, Header: d.header}
	raw, err := d.cut(d.limits.Event)
	if err != nil {
		f := *hub.AsFault(err)
		f.Where.Pointer = pointer
		return &f
	}
	it.Raw = raw
	if d.hasContext {
		return d.visit(it)
	}
	if d.heldSize += len(raw); d.heldSize > d.limits.Header {
		f := d.fault(hub.TooLarge, "epcis.document.context-late", "@context stands behind too many events",
			"@context 出现在过多事件之后")
		return hinted(f, "write @context before epcisBody", "请把 @context 写在 epcisBody 之前")
	}
	it.Raw = bytes.Clone(raw)
	d.held = append(d.held, it)
	return nil
}

// flush visits what was held.
func (d *jsonDocument) flush() error {
	for _, it := range d.held {
		if err := d.visit(it); err != nil {
			return err
		}
	}
	d.held, d.heldSize = nil, 0
	return nil
}
