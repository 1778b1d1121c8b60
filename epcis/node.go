package epcis

import (
	"encoding/json"
	"slices"
	"unicode/utf16"
)

// kind is the JSON type of a node.
type kind uint8

const (
	kindNull kind = iota
	kindFalse
	kindTrue
	kindNumber
	kindString
	kindArray
	kindObject
)

// node is one JSON value. Members of an object stand in the order that RFC 8785 wants, so that a canonical writer only
// walks and a lookup is a binary search.
type node struct {
	// name is the member's name when the node is a member of an object.
	name string
	// text is a string's value, or a number as it was written.
	text string
	kids []node
	kind kind
	// plainName and plainText say that name, and the text of a string, are known to need no escape in JSON.
	plainName, plainText bool
}

// scalar reports whether n is neither an array nor an object.
func (n *node) scalar() bool { return n.kind < kindArray }

// member returns the member of an object by name, or nil.
func (n *node) member(name string) *node {
	if n == nil || n.kind != kindObject {
		return nil
	}
	if len(n.kids) <= few {
		for i := range n.kids {
			if n.kids[i].name == name {
				return &n.kids[i]
			}
		}
		return nil
	}
	if i, ok := slices.BinarySearchFunc(n.kids, name, func(k node, name string) int {
		return compareNames(k.name, name)
	}); ok {
		return &n.kids[i]
	}
	return nil
}

// placeOf returns where among the members of an object a name stands or would stand.
func (n *node) placeOf(name string) int {
	i := 0
	for i < len(n.kids) && compareNames(n.kids[i].name, name) < 0 {
		i++
	}
	return i
}

// str returns the text of a string member, or "".
func (n *node) str(name string) string { return n.member(name).string() }

// string returns the text of a string, "" for anything else.
func (n *node) string() string {
	if n != nil && n.kind == kindString {
		return n.text
	}
	return ""
}

// set puts a member into an object, replacing one of the same name. The object's other members are not shared with
// its former self.
func (n *node) set(m node) {
	i, found := slices.BinarySearchFunc(n.kids, m.name, func(k node, name string) int {
		return compareNames(k.name, name)
	})
	if found {
		n.kids = slices.Clone(n.kids)
		n.kids[i] = m
		return
	}
	n.kids = slices.Insert(slices.Clip(n.kids), i, m)
}

// remove takes a member out of an object.
func (n *node) remove(name string) {
	if len(n.kids) > 0 && n.kids[0].name == name {
		n.kids = n.kids[1:]
		return
	}
	n.kids = slices.DeleteFunc(slices.Clone(n.kids), func(k node) bool { return k.name == name })
}

// depth returns how deep arrays and objects nest in n.
func (n *node) depth() int {
	if n.scalar() {
		return 0
	}
	deepest := 0
	for i := range n.kids {
		deepest = max(deepest, n.kids[i].depth())
	}
	return 1 + deepest
}

// content returns the value of an object that stands for an element with attributes ("#text") or for a text in a
// language (JSON-LD's "@value"), nil for any other object.
func (n *node) content() *node {
	if m := n.member("#text"); m != nil {
		return m
	}
	return n.member("@value")
}

// items returns the values of an array, or the value itself as a list of one: JSON-LD lets a set of one stand bare.
func (n *node) items() []node {
	switch {
	case n == nil || n.kind == kindNull:
		return nil
	case n.kind == kindArray:
		return n.kids
	}
	return []node{*n}
}

// compareNames orders member names as RFC 8785 section 3.2.3 does, by UTF-16 code units. Only above U+D7FF does that
// differ from the order of the bytes.
func compareNames(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x >= 0xee && y >= 0xee {
			return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		}
		return int(x) - int(y)
	}
	return len(a) - len(b)
}

// sortMembers brings the members of an object into their order and returns them. Of a name that stands twice the last
// counts, as for ECMAScript and in the published EPCIS samples.
func sortMembers(kids []node) []node {
	sorted := true
	for i := 1; i < len(kids) && sorted; i++ {
		sorted = compareNames(kids[i-1].name, kids[i].name) < 0
	}
	if sorted {
		return kids
	}
	if len(kids) > few {
		slices.SortStableFunc(kids, func(a, b node) int { return compareNames(a.name, b.name) })
	} else {
		for i := 1; i < len(kids); i++ {
			k, j := kids[i], i
			for ; j > 0 && compareNames(kids[j-1].name, k.name) > 0; j-- {
				kids[j] = kids[j-1]
			}
			kids[j] = k
		}
	}
	unique := kids[:1]
	for _, k := range kids[1:] {
		if last := len(unique) - 1; unique[last].name == k.name {
			unique[last] = k
		} else {
			unique = append(unique, k)
		}
	}
	return unique
}

// value returns n as plain Go data: map[string]any, []any, string, json.Number, bool, nil.
func (n *node) value() any {
	switch n.kind {
	case kindObject:
		m := make(map[string]any, len(n.kids))
		for i := range n.kids {
			m[n.kids[i].name] = n.kids[i].value()
		}
		return m
	case kindArray:
		a := make([]any, len(n.kids))
		for i := range n.kids {
			a[i] = n.kids[i].value()
		}
		return a
	case kindString:
		return n.text
	case kindNumber:
		return json.Number(n.text)
	case kindTrue:
		return true
	case kindFalse:
		return false
	case kindNull:
	}
	return nil
}

// stringNode returns a string member.
func stringNode(name, text string) node { return node{name: name, kind: kindString, text: text} }
