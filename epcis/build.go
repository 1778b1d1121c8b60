package epcis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Member is one member of an object.
type Member struct {
	Name  string
	Value any
}

// Members are the members of an object in the order of [CompareNames], each name once: what a map costs to make, to search and to
// bring into order, they do not.
type Members []Member

// CompareNames orders the names of an object's members as RFC 8785 section 3.2.3 does.
func CompareNames(a, b string) int { return compareNames(a, b) }

// Get returns the value of a member, nil when there is none.
func (m Members) Get(name string) any {
	for i := range m {
		if m[i].Name == name {
			return m[i].Value
		}
	}
	return nil
}

// With returns m with one more member, whose name it does not have. It may use the memory of m.
func (m Members) With(name string, value any) Members {
	at := len(m)
	for at > 0 && compareNames(m[at-1].Name, name) > 0 {
		at--
	}
	return slices.Insert(m, at, Member{name, value})
}

// Tree returns m as plain Go data, as [FromTree] takes it.
func (m Members) Tree() map[string]any {
	out := make(map[string]any, len(m))
	for i := range m {
		out[m[i].Name] = Plain(m[i].Value)
	}
	return out
}

// Plain returns a value with no Members in it.
func Plain(v any) any {
	switch v := v.(type) {
	case Members:
		return v.Tree()
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = Plain(v[i])
		}
		return out
	}
	return v
}

// FromTree builds an event from plain Go data: map[string]any, [Members], []any and []string, string, json.Number, the integer and
// floating types, bool, nil, and time.Time, which is written as RFC 3339 with its own offset.
func FromTree(tree map[string]any, inherited *Context) (*Event, error) {
	return build(inherited, func(b *builder, root *node) error { return b.object(root, tree, 0, 1) })
}

// FromMembers is [FromTree] for a mapping's output.
func FromMembers(m Members, inherited *Context) (*Event, error) {
	return build(inherited, func(b *builder, root *node) error { return b.members(root, m, 0, 1) })
}

// build makes an event of the object that fill makes.
func build(inherited *Context, fill func(b *builder, root *node) error) (*Event, error) {
	e := &Event{size: 768}
	e.slab.open(64, true)
	if err := fill((*builder)(&e.slab), &e.root); err != nil {
		return nil, err
	}
	if err := e.begin(inherited); err != nil {
		return nil, err
	}
	return e, nil
}

// builder turns plain Go data into nodes of a slab. Its methods fill in a node whose name is set and whose other fields are zero.
type builder slab

func (b *builder) value(n *node, v any, depth int) error {
	switch v := v.(type) {
	case nil:
	case string:
		n.kind, n.text = kindString, v
	case bool:
		n.kind = kindFalse
		if v {
			n.kind = kindTrue
		}
	case time.Time:
		n.kind, n.text = kindString, v.Format(time.RFC3339Nano)
	case Members:
		return b.members(n, v, depth, 0)
	case map[string]any:
		return b.object(n, v, depth, 0)
	case []any:
		return array(b, n, v, depth)
	case []string:
		return array(b, n, v, depth)
	case []map[string]any:
		return array(b, n, v, depth)
	default:
		return number(n, v)
	}
	return nil
}

// kids takes n nodes of which all but their names is zero, with room for more.
func (b *builder) kids(n, more, depth int) ([]node, error) {
	if depth >= maxDepth {
		return nil, tooDeep(maxDepth)
	}
	kids := (*slab)(b).take(n + more)[:n]
	clear(kids)
	return kids, nil
}

// members makes an object that has room for more members than m has.
func (b *builder) members(n *node, m Members, depth, more int) error {
	kids, err := b.kids(len(m), more, depth)
	for i := range kids {
		kids[i].name = m[i].Name
		if err = b.value(&kids[i], m[i].Value, depth+1); err != nil {
			break
		}
	}
	n.kind, n.kids = kindObject, sortMembers(kids) // they are in order already
	return err
}

// object is members for a map.
func (b *builder) object(n *node, m map[string]any, depth, more int) error {
	kids, err := b.kids(len(m), more, depth)
	if err != nil {
		return err
	}
	kids = kids[:0]
	for name := range m {
		kids = append(kids, node{name: name})
	}
	kids = sortMembers(kids)
	for i := range kids {
		if err := b.value(&kids[i], m[kids[i].name], depth+1); err != nil {
			return err
		}
	}
	n.kind, n.kids = kindObject, kids
	return nil
}

func array[T any](b *builder, n *node, s []T, depth int) error {
	kids, err := b.kids(len(s), 0, depth)
	for i := range kids {
		if err = b.value(&kids[i], s[i], depth+1); err != nil {
			break
		}
	}
	n.kind, n.kids = kindArray, kids
	return err
}

func number(n *node, v any) error {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		text = fmt.Sprint(v)
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case float32:
		text = strconv.FormatFloat(float64(v), 'g', -1, 32)
	default:
		return faultf(hub.Invalid, "epcis.tree.type", "an event cannot hold a value of type %T", "事件中不能有类型为 %T 的值", v)
	}
	if numberLength(text) != len(text) || text == "" {
		return faultf(hub.Invalid, "epcis.json.number", "%q is not a JSON number", "%q 不是 JSON 数字", text)
	}
	n.kind, n.text = kindNumber, text
	return nil
}
