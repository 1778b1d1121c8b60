package epcis

import (
	"fmt"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Key returns what makes the event the same event. The declaration time is zero when there is no error declaration, or
// none whose time can be read, which [Event.Facets] refuses.
func (e *Event) Key() hub.EventKey {
	k := hub.EventKey{ID: e.ID()}
	if d := e.root.member("errorDeclaration"); d != nil {
		if t, err := ParseTime(d.str("declarationTime")); err == nil {
			k.DeclaredAt = t.UTC()
		}
	}
	return k
}

// EventTime returns the eventTime in UTC.
func (e *Event) EventTime() (time.Time, error) { return eventTime(e.root.str("eventTime")) }

func eventTime(text string) (time.Time, error) {
	if c, ok := scanClock(text); ok {
		return c.utc(), nil
	}
	_, err := ParseTime(text)
	return time.Time{}, hub.AsFault(err).At(hub.Where{Pointer: "/eventTime"})
}

// Facets returns the parts by which stores find the event, every identifier in its canonical form, each thing once for
// each role that it has.
func (e *Event) Facets() (hub.Facets, error) {
	var found [fieldCount]*node // in one pass: there are more fields to ask for than an event has
	for i := range e.root.kids {
		kid := &e.root.kids[i]
		found[fieldOf(kid.name)] = kid
	}
	f := hub.Facets{
		Type:             e.Type(),
		Action:           found[fieldAction].string(),
		BizStep:          bizSteps.word(found[fieldBizStep].string()),
		Disposition:      dispositions.word(found[fieldDisposition].string()),
		TransformationID: canonicalID(found[fieldTransformationID].string()),
	}
	point, location := found[fieldReadPoint].str("id"), found[fieldBizLocation].str("id")
	f.ReadPoint = canonicalID(point)
	if f.BizLocation = f.ReadPoint; location != point {
		f.BizLocation = canonicalID(location)
	}
	var err error
	if f.EventTime, err = eventTime(found[fieldEventTime].string()); err != nil {
		return f, err
	}
	if d := e.root.member("errorDeclaration"); d != nil {
		if _, err := ParseTime(d.str("declarationTime")); err != nil {
			return f, hub.AsFault(err).At(hub.Where{Pointer: "/errorDeclaration/declarationTime"})
		}
	}
	f.Things, err = things(&found)
	return f, err
}

// thingFields says where identifiers of things stand, and in which role.
//
//nolint:gochecknoglobals // read-only table
var thingFields = []struct {
	field field
	role  hub.Role
	class bool
}{
	{fieldEPCList, hub.RoleEPC, false},
	{fieldQuantityList, hub.RoleEPC, true},
	{fieldParentID, hub.RoleParent, false},
	{fieldChildEPCs, hub.RoleChild, false},
	{fieldChildQuantityList, hub.RoleChild, true},
	{fieldInputEPCList, hub.RoleInput, false},
	{fieldInputQuantityList, hub.RoleInput, true},
	{fieldOutputEPCList, hub.RoleOutput, false},
	{fieldOutputQuantityList, hub.RoleOutput, true},
}

func things(found *[fieldCount]*node) ([]hub.Thing, error) {
	var list thingList
	for _, f := range thingFields {
		items := found[f.field].items()
		list.things = slices.Grow(list.things, len(items))
		for i := range items {
			item := &items[i]
			uri := item.text
			if f.class {
				uri = item.str("epcClass")
			} else if item.kind != kindString {
				uri = ""
			}
			if uri == "" {
				return nil, faultf(hub.Invalid, "epcis.thing", "an identifier is missing or no text", "标识缺失或不是文本").
					At(hub.Where{Pointer: fmt.Sprintf("/%s/%d", f.field, i)})
			}
			list.add(hub.Thing{Role: f.role, ID: canonicalID(uri), Class: f.class})
		}
	}
	return list.things, nil
}

// thingList holds each thing once.
type thingList struct {
	things []hub.Thing
	// seen is nil as long as there are so few that comparing them is cheaper.
	seen map[hub.Thing]bool
}

// few is how many of anything are compared one by one.
const few = 16

func (l *thingList) add(t hub.Thing) {
	if l.seen == nil && len(l.things) == few {
		l.seen = make(map[hub.Thing]bool, 4*few)
		for _, known := range l.things {
			l.seen[known] = true
		}
	}
	switch {
	case l.seen == nil:
		if slices.Contains(l.things, t) {
			return
		}
	case l.seen[t]:
		return
	default:
		l.seen[t] = true
	}
	l.things = append(l.things, t)
}
