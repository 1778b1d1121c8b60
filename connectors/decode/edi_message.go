package decode

import (
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// ediMessage is one record as read.
type ediMessage struct {
	d      *ediDecoder
	body   []byte
	syntax ediSyntax
	cs     charset
	// headers are those of interchange, group and message; nil where there is none.
	headers                     [3]*ediSegment
	interchange, group, message map[string]any
	segments                    []ediSegment
	// carried are the segments of a message that the preamble carries along.
	carried []ediSegment
	faults  hub.Faults
}

// maxSegments is the most segments of one message.
const maxSegments = 1_000_000

// readPreamble reads the service characters and the headers.
func (m *ediMessage) readPreamble(preamble []byte) error {
	std := m.d.std
	head := preamble
	if len(head) == 0 {
		head = m.body
	}
	s, advice, ok := std.syntax(head)
	if !ok {
		return refuse("edi.header", newPlace().where(""), say("the interchange header is cut off", "交换头段不完整"))
	}
	if len(preamble) == 0 {
		advice = 0
	}
	s.lead = m.d.cs.lead
	m.syntax = s
	var raws []ediRaw
	for at := advice; ; {
		raw, state := m.syntax.next(preamble, at)
		if state != ediSegmentThere {
			break
		}
		raws, at = append(raws, raw), raw.end
	}
	header := ediSegment{}
	if len(raws) > 0 {
		header, _ = m.syntax.parse(preamble, raws[0], latin1Charset())
	}
	if std.name == "edifact" && m.syntax.repeat == 0 && advice == 0 && header.get(0, 1) >= "4" {
		m.syntax.repeat = '*'
	}
	m.cs = m.d.cs
	if m.cs.name == "" {
		m.cs = std.charset(header, m.body)
	}
	return m.readHeaders(preamble, raws)
}

func (m *ediMessage) readHeaders(preamble []byte, raws []ediRaw) error {
	std := m.d.std
	for _, raw := range raws {
		cs := m.cs
		if b := preamble[raw.at:raw.stop]; m.d.cs.name == "" && !isASCII(b) {
			cs = std.charset(ediSegment{}, b)
		}
		g, err := m.syntax.parse(preamble, raw, cs)
		if err != nil {
			return err
		}
		switch {
		case g.tag == std.interchange.header:
			m.headers[0] = &g
		case g.tag == std.group.header:
			m.headers[1] = &g
		case g.tag == std.message.header || len(m.carried) > 0:
			m.carried = append(m.carried, g)
		}
	}
	return nil
}

// readBody reads the segments of the message.
func (m *ediMessage) readBody() error {
	text := ""
	if m.cs.enc == nil && utf8.Valid(m.body) {
		text = string(m.body)
	}
	for at := 0; ; {
		raw, state := m.syntax.next(m.body, at)
		if state == ediNothingThere {
			break
		}
		if line, ok := m.syntax.endOfLine(m.body, raw); ok && state == ediCut {
			raw, state = line, ediSegmentThere
		}
		if state == ediCut {
			return refuse("edi.truncated", m.where(raw.at, raw.tag), say("the message ends inside the segment that begins here",
				"报文在此处开始的段内中断").hint("have it sent again", "请重新发送"))
		}
		g, err := m.syntax.parseText(m.body, text, raw, m.cs)
		if err != nil {
			return err
		}
		if m.segments = append(m.segments, g); len(m.segments) > maxSegments {
			return refuse("edi.size", m.where(raw.at, raw.tag), say("the message has more than %d segments", "报文超过 %d 段", maxSegments))
		}
		at = raw.end
	}
	m.headers[2] = &m.segments[0]
	m.interchange, m.group, m.message = m.d.std.describe(m.syntax, m.headers)
	return nil
}

// check holds the message against its trailer.
func (m *ediMessage) check() hub.Faults {
	level := m.d.std.message
	trailer := m.segments[len(m.segments)-1]
	if trailer.tag != level.trailer {
		return hub.Faults{refuse("edi.trailer", m.where(trailer.at, trailer.tag), say("the message ends without %s",
			"报文结束时缺少 %s", level.trailer).hint("have it sent again", "请重新发送"))}
	}
	segments, _, _ := ediUnits()
	return level.mismatch(m.segments[0], trailer, len(m.segments), segments, func(pointer string) hub.Where {
		return m.where(trailer.at, pointer)
	})
}

func (m *ediMessage) where(offset int, pointer string) hub.Where {
	return ediPlace(m.body, offset, pointer)
}

// tree is the message without a guide.
func (m *ediMessage) tree() map[string]any {
	segments, tags := segmentTrees(m.segments)
	value := map[string]any{
		"interchange": orNull(m.interchange), "group": orNull(m.group), "message": m.message, "segments": segments, "tags": tags,
	}
	if len(m.carried) > 0 {
		carried, carriedTags := segmentTrees(m.carried)
		value["header"] = map[string]any{"segments": carried, "tags": carriedTags}
	}
	if len(m.faults) > 0 {
		faults := make([]any, len(m.faults))
		for i, f := range m.faults {
			faults[i] = faultTree(f)
		}
		value["faults"] = faults
	}
	return value
}

func orNull(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

func segmentTrees(in []ediSegment) ([]any, map[string]any) {
	segments, tags := make([]any, len(in)), map[string]any{}
	for i, g := range in {
		elements := listOfLists(g.elements)
		tree := map[string]any{"tag": g.tag, "elements": elements}
		if len(g.repeats) > 0 {
			repeats := make(map[string]any, len(g.repeats))
			for n, r := range g.repeats {
				repeats[itoa(n+1)] = listOfLists(r)
			}
			tree["repeats"] = repeats
		}
		segments[i] = tree
		list, _ := tags[g.tag].([]any)
		tags[g.tag] = append(list, elements)
	}
	return segments, tags
}

// listOfLists makes the lists parts of one.
func listOfLists(in [][]string) []any {
	values := 0
	for _, components := range in {
		values += len(components)
	}
	out := make([]any, len(in)+values)
	all := out[len(in):]
	for i, components := range in {
		list := all[:len(components):len(components)]
		all = all[len(components):]
		for j, v := range components {
			list[j] = v
		}
		out[i] = list
	}
	return out[:len(in):len(in)]
}

// locate turns a JSON pointer into the tree into a segment path such as "RFF[2]/1.2": the second RFF of the message, its
// first element's second component.
func (m *ediMessage) locate(pointer string) hub.Where {
	t := pointerTokens(pointer)
	segment, rest := -1, []string(nil)
	switch {
	case len(t) > 1 && t[0] == "segments":
		segment, rest = index(t[1]), t[2:]
		if len(rest) > 0 && rest[0] == "elements" {
			rest = rest[1:]
		}
	case len(t) > 2 && t[0] == "tags":
		segment, rest = m.nth(t[1], index(t[2])), t[3:]
	case len(t) > 0 && t[0] == "message":
		segment = 0
	case len(t) > 1 && t[0] == "body":
		if g := m.d.guideFor(m); g != nil {
			return m.locateGuided(g, pointer)
		}
	}
	if segment < 0 || segment >= len(m.segments) {
		return m.where(0, strings.TrimPrefix(pointer, "/"))
	}
	element, component := -1, -1
	if len(rest) > 0 {
		element = index(rest[0])
	}
	if len(rest) > 1 {
		component = index(rest[1])
	}
	return m.placeOf(segment, element, component)
}

// nth returns the index of the n-th segment with a tag, or -1.
func (m *ediMessage) nth(tag string, n int) int {
	for i, g := range m.segments {
		if g.tag == tag {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

// placeOf is the place of a component; -1 leaves element or component open.
func (m *ediMessage) placeOf(segment, element, component int) hub.Where {
	g := m.segments[segment]
	nth := 1
	for _, before := range m.segments[:segment] {
		if before.tag == g.tag {
			nth++
		}
	}
	path := g.tag + "[" + itoa(nth) + "]"
	if element < 0 {
		return m.where(g.at, path)
	}
	path += "/" + itoa(element+1)
	if component >= 0 {
		path += "." + itoa(component+1)
	}
	return m.where(m.syntax.offset(m.body, g, element, max(component, 0)), path)
}

// offset finds where a component begins in the body.
func (s ediSyntax) offset(b []byte, g ediSegment, element, component int) int {
	stop := s.stop(b, g.at)
	i := g.at + len(g.tag)
	for ; i < stop && b[i] != s.tagEnd; i++ {
	}
	i++
	for ; i < stop && (element > 0 || component > 0); i++ {
		switch c := b[i]; {
		case c == s.release && s.release != 0:
			i = s.released(b, i)
		case c == s.element && element == 0:
			return i // the component is not there: its element's end
		case c == s.element:
			element--
		case c == s.component && element == 0:
			component--
		}
	}
	return min(i, max(stop, 0))
}
