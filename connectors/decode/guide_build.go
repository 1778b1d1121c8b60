package decode

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// guideNote is told, for every value of a guided tree, by what JSON pointer it is reached and where it came from.
type guideNote func(pointer string, segment int, at ediAddress)

// guideGroup is a group that is open while a message is read.
type guideGroup struct {
	nodes   []*guideNode
	value   map[string]any
	pointer string
	// keys counts how often a key of a node came.
	keys map[string]int
}

// guideBuilder reads one message by a guide.
type guideBuilder struct {
	open []guideGroup
	note guideNote
}

// build returns the message as the guide names it, without its header and trailer.
func (g *guide) build(m *ediMessage, note guideNote) map[string]any {
	b := guideBuilder{open: []guideGroup{{nodes: g.Body, value: map[string]any{}, pointer: "/body"}}, note: note}
	if b.note == nil {
		b.note = func(string, int, ediAddress) {}
	}
	root := b.open[0].value
	for i, s := range m.segments {
		if i == 0 || s.tag == m.d.std.message.trailer {
			continue
		}
		b.segment(i, s)
	}
	return root
}

// segment puts a segment into the innermost open group that expects it.
func (b *guideBuilder) segment(i int, s ediSegment) {
	for depth, group := range slices.Backward(b.open) {
		for _, n := range group.nodes {
			if n.Segment == s.tag && n.free(group.value) {
				b.open = b.open[:depth+1]
				b.place(n, i, s)
				return
			}
		}
	}
	inner := b.open[len(b.open)-1]
	others, _ := inner.value["others"].([]any)
	b.note(inner.pointer+"/others/"+itoa(len(others)), i, ediAddress{element: -1})
	inner.value["others"] = append(others, map[string]any{"tag": s.tag, "elements": listOfLists(s.elements)})
}

// free reports whether a group can take one more of the node.
func (n *guideNode) free(in map[string]any) bool {
	_, taken := in[n.As]
	return n.Repeat || n.By != nil || !taken
}

// place adds a segment to the innermost open group, and opens its own where it has one.
func (b *guideBuilder) place(n *guideNode, i int, s ediSegment) {
	into := &b.open[len(b.open)-1]
	value := make(map[string]any, len(n.Fields))
	pointer := pointerTo(into.pointer, n.As)
	switch {
	case n.By != nil:
		keyed, ok := into.value[n.As].(map[string]any)
		if !ok {
			keyed = map[string]any{}
			into.value[n.As] = keyed
		}
		key := into.key(n, s.get(n.By.element, n.By.component))
		keyed[key] = value
		pointer = pointerTo(pointer, key)
	case n.Repeat:
		list, _ := into.value[n.As].([]any)
		into.value[n.As] = append(list, value)
		pointer += "/" + itoa(len(list))
	default:
		into.value[n.As] = value
	}
	b.note(pointer, i, ediAddress{element: -1})
	for name, at := range n.Fields {
		if v := at.of(s); v != nil {
			value[name] = v
			b.note(pointerTo(pointer, name), i, at)
		}
	}
	if len(n.Body) > 0 {
		b.open = append(b.open, guideGroup{nodes: n.Body, value: value, pointer: pointer})
	}
}

// key returns the key of one more entry of a node: as it stands the first time, with "#2", "#3" and so on after that.
func (g *guideGroup) key(n *guideNode, key string) string {
	if g.keys == nil {
		g.keys = map[string]int{}
	}
	g.keys[n.As+"/"+key]++
	if times := g.keys[n.As+"/"+key]; times > 1 {
		return key + "#" + itoa(times)
	}
	return key
}

// locateGuided finds where a pointer into a guided body came from.
func (m *ediMessage) locateGuided(g *guide, pointer string) hub.Where {
	best, segment, address := -1, 0, ediAddress{element: -1}
	g.build(m, func(at string, i int, a ediAddress) {
		if (at == pointer || strings.HasPrefix(pointer, at+"/")) && len(at) > best {
			best, segment, address = len(at), i, a
		}
	})
	if best < 0 {
		return m.where(0, strings.TrimPrefix(pointer, "/"))
	}
	component := address.component
	if address.all || address.rest {
		component = -1
	}
	return m.placeOf(segment, address.element, component)
}
