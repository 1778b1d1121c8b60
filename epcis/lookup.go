package epcis

import "strings"

// Value is one value within an event, or within its header's master data. The zero Value is absent.
type Value struct {
	n   *node
	ctx *Context
}

// Lookup returns every value at a path of member names, walking through arrays on the way and at its end. A name is as
// it is written in the event, or the whole URI of an extension, so that "http://ns.example.com/epcis/lot" finds
// "example:lot" and "ex:lot" alike.
//
//	e.Lookup("ilmd", "https://ref.gs1.org/cbv/mda#lotNumber")
//	e.Lookup("bizTransactionList")        // one value for each transaction
//	e.Lookup("sensorElementList", "sensorReport")
func (e *Event) Lookup(path ...string) []Value { return Value{&e.root, e.ctx}.Lookup(path...) }

// Lookup is [Event.Lookup] from v on.
func (v Value) Lookup(path ...string) []Value {
	if v.n == nil {
		return nil
	}
	if v.n.kind == kindArray {
		var all []Value
		for i := range v.n.kids {
			all = append(all, Value{&v.n.kids[i], v.ctx}.Lookup(path...)...)
		}
		return all
	}
	if len(path) == 0 {
		return []Value{v}
	}
	return Value{v.member(path[0]), v.ctx}.Lookup(path[1:]...)
}

// member finds a member by its name or its whole URI.
func (v Value) member(name string) *node {
	if m := v.n.member(name); m != nil || v.n.kind != kindObject {
		return m
	}
	if !strings.Contains(name, ":") {
		return nil
	}
	ns, local := v.ctx.Expand(name)
	for i := range v.n.kids {
		if a, b := v.ctx.Expand(v.n.kids[i].name); a+b == ns+local {
			return &v.n.kids[i]
		}
	}
	return nil
}

// Text returns a scalar as text, "" for an array, an object, null, or nothing. The text of an element with attributes,
// which JSON states as "#text", and the "@value" of
// JSON-LD are found as well.
func (v Value) Text() string {
	if v.n != nil && v.n.kind == kindObject {
		return leafText(v.n.content())
	}
	return leafText(v.n)
}

// Get returns the text of the first value at the path below v.
func (v Value) Get(path ...string) string {
	if found := v.Lookup(path...); len(found) > 0 {
		return found[0].Text()
	}
	return ""
}

// Members calls yield for each member of an object with its namespace ("" for a standard field) and local name.
func (v Value) Members(yield func(namespace, local string, value Value) bool) {
	if v.n == nil || v.n.kind != kindObject {
		return
	}
	for i := range v.n.kids {
		ns, local := v.ctx.Expand(v.n.kids[i].name)
		if !yield(ns, local, Value{&v.n.kids[i], v.ctx}) {
			return
		}
	}
}

// Any returns v as plain data: map[string]any, []any, string, json.Number, bool, or nil.
func (v Value) Any() any {
	if v.n == nil {
		return nil
	}
	return v.n.value()
}

// Get returns the text of the first value at a path of the event.
func (e *Event) Get(path ...string) string { return Value{&e.root, e.ctx}.Get(path...) }

// Extensions returns the event's own extensions: everything at its top that the standard does not
// define, under the names as written.
func (e *Event) Extensions() map[string]Value {
	m := map[string]Value{}
	for i := range e.root.kids {
		if name := e.root.kids[i].name; fieldOf(name) == fieldExtension {
			m[name] = Value{&e.root.kids[i], e.ctx}
		}
	}
	return m
}
