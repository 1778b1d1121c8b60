package epcis

import (
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Event is one EPCIS event with the context that it stands in. It is not safe to change one while others read it.
type Event struct {
	// root is the event's object without @context, which is ctx.
	root node
	ctx  *Context
	// size is how long the event was when it was read, which is about what it is when it is written.
	size int
	// slab is the memory that root and ctx live in; see [Event.Release].
	slab slab
}

// ParseEvent parses the JSON object of one event. inherited is the context of the document around it, nil for a bare
// event; an @context of the event's own adds to it. Nothing but the syntax and the type is checked: validation is the
// work of schemas.
func ParseEvent(data []byte, inherited *Context) (*Event, error) {
	p := parser{src: string(data), pooled: true}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	return p.event(root, inherited)
}

// event makes an event of the object that p has parsed.
func (p *parser) event(root node, inherited *Context) (*Event, error) {
	e, err := newEvent(root, inherited)
	if err != nil {
		return nil, err
	}
	e.size, e.slab = len(p.src), p.slab
	if inherited != nil {
		e.size += 128 // for the part of its context that it makes use of
	}
	if p.declares {
		e.ctx = e.ctx.declared(&e.root)
	}
	return e, nil
}

func newEvent(root node, inherited *Context) (*Event, error) {
	e := &Event{root: root}
	if err := e.begin(inherited); err != nil {
		return nil, err
	}
	return e, nil
}

// begin takes the context out of the event's object, and sees that it is one.
func (e *Event) begin(inherited *Context) error {
	root := &e.root
	if root.kind != kindObject {
		return faultf(hub.Invalid, "epcis.event.object", "an event is a JSON object", "事件必须是 JSON 对象")
	}
	e.ctx = inherited
	if own := root.member("@context"); own != nil {
		ctx, err := inherited.extend(own)
		if err != nil {
			return err
		}
		e.ctx = ctx
		root.remove("@context")
	}
	if t := root.member("type"); t == nil || t.kind != kindString || t.text == "" {
		f := faultf(hub.Invalid, "epcis.event.type", "the event has no type", "事件没有 type").At(hub.Where{Pointer: "/type"})
		return hinted(f, `state "type", such as "ObjectEvent"`, `请写明 "type"，例如 "ObjectEvent"`)
	}
	return nil
}

// Release gives the memory of an event back, for the next to use. After it neither e nor its [Context] nor any
// [Value] of it may be used; strings and bytes that they returned stay as they are. Without it the collector does the same
// work.
func (e *Event) Release() {
	e.slab.release()
	*e = Event{}
}

// Type returns the event type, such as "ObjectEvent", or the compact or whole URI of an extended type.
func (e *Event) Type() string { return e.root.str("type") }

// ID returns the eventID, or "".
func (e *Event) ID() string { return e.root.str("eventID") }

// SetID states the eventID.
func (e *Event) SetID(id string) {
	n := stringNode("eventID", id)
	if at := e.root.placeOf(n.name); cap(e.root.kids) > len(e.root.kids) && e.root.member(n.name) == nil {
		e.root.kids = slices.Insert(e.root.kids, at, n) // FromTree and FromMembers leave room for it
		return
	}
	e.root.set(n)
}

// Context returns the context that the event stands in.
func (e *Event) Context() *Context { return e.ctx }

// Canonical returns the canonical bytes of the event: RFC 8785 (JCS) of its object, with the minimal @context that it
// needs, and without recordTime, which is no part of what was stated.
func (e *Event) Canonical() ([]byte, error) { return e.json(nil, "") }

// AppendCanonical appends the canonical bytes to b.
func (e *Event) AppendCanonical(b []byte) ([]byte, error) { return e.json(b, "") }

// JSON returns the event as an answer shows it: as [Event.Canonical], with recordTime when it is not zero.
func (e *Event) JSON(recordedAt time.Time) ([]byte, error) {
	return e.json(nil, recordTime(recordedAt))
}

// Bare returns the event as it stands within a document whose @context is stated around it: as [Event.JSON], without
// an @context. [Event.ContextJSON] says what that document has to state.
func (e *Event) Bare(recordedAt time.Time) ([]byte, error) {
	return e.bare(recordTime(recordedAt))
}

// json and bare are JSON, behind b, and Bare with a recordTime that stands as it is; "" is none.
func (e *Event) json(b []byte, recordTime string) ([]byte, error) {
	kids := e.root.kids
	contextAt, recordAt := e.root.placeOf("@context"), -1
	if recordTime != "" {
		recordAt = e.root.placeOf("recordTime")
	}
	b = append(slices.Grow(b, max(e.size, 128)), '{')
	var err error
	for i := 0; i <= len(kids); i++ {
		if i == contextAt {
			if b, err = e.ctx.appendMinimal(appendName(b, "@context", true), &e.root); err != nil {
				return nil, err
			}
		}
		if i == recordAt {
			b = appendString(appendName(b, "recordTime", true), recordTime)
		}
		if i == len(kids) || kids[i].name == "recordTime" {
			continue
		}
		if b, err = appendCanonical(appendName(b, kids[i].name, kids[i].plainName), &kids[i]); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// appendName appends the name of a member and what parts it from the one before.
func appendName(b []byte, name string, plain bool) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(appendText(b, name, plain), ':')
}

func (e *Event) bare(recordTime string) ([]byte, error) {
	root := e.root
	root.remove("recordTime")
	if recordTime != "" {
		root.set(stringNode("recordTime", recordTime))
	}
	return appendCanonical(nil, &root)
}

// ContextJSON returns the minimal @context that the event needs.
func (e *Event) ContextJSON() ([]byte, error) {
	return e.ctx.appendMinimal(nil, &e.root)
}

// recordTime returns the text of a record time, "" for the zero time.
func recordTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return hub.Instant(t).String()
}
