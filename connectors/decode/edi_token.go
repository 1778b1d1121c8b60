package decode

import (
	"bytes"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// ediSyntax are the service characters of one interchange; 0 is none.
type ediSyntax struct {
	component, element, release, repeat, terminator byte
	// tagEnd stands between a segment's tag and its elements.
	tagEnd byte
	// decimal is the decimal mark that the interchange states; numbers stay as written.
	decimal byte
	// lead is true where a byte of 0x81 and above may be followed by one that looks like a service character.
	lead bool
}

// breaks reports whether c is a line break that wraps text: never one that is a service character.
func (s ediSyntax) breaks(c byte) bool {
	return (c == '\n' || c == '\r') && c != s.terminator && c != s.element && c != s.component
}

// between reports whether c may stand between segments: line breaks, indentation, and what transports pad with.
func (s ediSyntax) between(c byte) bool {
	switch c {
	case '\n', '\r', ' ', '\t', 0, 0x1a:
		return c != s.element
	}
	return false
}

// ediRaw is one segment in a buffer: b[at:end] with its terminator, b[at:stop] without.
type ediRaw struct {
	tag           string
	at, stop, end int
}

// ediState says what stands at a place.
type ediState uint8

const (
	ediSegmentThere ediState = iota + 1
	ediNothingThere          // nothing but what may stand between segments
	ediCut                   // a segment without its terminator
)

// next finds the segment at or after an offset of b.
func (s ediSyntax) next(b []byte, from int) (ediRaw, ediState) {
	at := from
	for at < len(b) && s.between(b[at]) {
		at++
	}
	if at == len(b) {
		return ediRaw{at: at}, ediNothingThere
	}
	stop := s.stop(b, at)
	if stop < 0 {
		return ediRaw{at: at, tag: s.tag(b[at:])}, ediCut
	}
	return ediRaw{tag: s.tag(b[at:stop]), at: at, stop: stop, end: stop + 1}, ediSegmentThere
}

// endOfLine makes a segment of the last line of b, which need not end in a line break where line breaks end segments.
func (s ediSyntax) endOfLine(b []byte, raw ediRaw) (ediRaw, bool) {
	raw.stop, raw.end = len(b), len(b)
	return raw, s.terminator == '\n' && raw.tag != ""
}

// stop finds the terminator that is not released, or -1.
func (s ediSyntax) stop(b []byte, from int) int {
	if s.release == 0 && !s.lead {
		if n := bytes.IndexByte(b[from:], s.terminator); n >= 0 {
			return from + n
		}
		return -1
	}
	for i := from; i < len(b); i++ {
		switch c := b[i]; {
		case c == s.terminator:
			return i
		case c == s.release && s.release != 0:
			i = s.released(b, i)
		case s.lead && c >= 0x81 && i+1 < len(b) && b[i+1] >= 0x40:
			i++
		}
	}
	return -1
}

// released returns the offset of the character that the release character at i protects. Line wraps between the two do
// not count.
func (s ediSyntax) released(b []byte, i int) int {
	for i++; i < len(b) && s.breaks(b[i]); i++ {
	}
	return i
}

// tag reads a segment's tag: letters and digits up to the first separator. What is no tag is "".
func (s ediSyntax) tag(segment []byte) string {
	n := 0
	for n < len(segment) && n <= maxTag && isTagByte(segment[n]) {
		n++
	}
	if n > maxTag || n < len(segment) && segment[n] != s.tagEnd && (segment[n] != s.component || s.component == 0) && !s.breaks(segment[n]) {
		return ""
	}
	return string(segment[:n])
}

// maxTag is the longest tag; standards have 2 to 3 characters, in-house messages some more.
const maxTag = 8

func isTagByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z'
}

// ediSegment is one segment as read.
type ediSegment struct {
	tag string
	// elements holds the components of each element, of its first repetition.
	elements [][]string
	// repeats holds all repetitions of those elements that have more than one, by index.
	repeats map[int][][]string
	// at is its offset in the body.
	at int
}

// get returns a component by element and component index, or "".
func (g ediSegment) get(element, component int) string {
	if element < 0 || element >= len(g.elements) || component >= len(g.elements[element]) {
		return ""
	}
	return strings.Trim(g.elements[element][component], " \u00a0")
}

// parse reads the elements of a segment. cs is the charset of the text.
func (s ediSyntax) parse(b []byte, raw ediRaw, cs charset) (ediSegment, error) {
	return s.parseText(b, "", raw, cs)
}

// parseText is parse where the whole of b is known as text too: values are cut from it. An empty text is not known.
func (s ediSyntax) parseText(b []byte, text string, raw ediRaw, cs charset) (ediSegment, error) {
	out := ediSegment{tag: raw.tag, at: raw.at}
	if raw.tag == "ISA" { // its elements state the separators
		s.component, s.repeat = 0, 0
	}
	if raw.tag == "" {
		return out, refuse("edi.segment", ediPlace(b, raw.at, ""), say("%q begins no segment",
			"%q 不是合法的段标识", string(b[raw.at:min(raw.at+8, raw.stop)])).
			hint("a terminator inside the data before it must be released", "其前数据中的段结束符须用释放字符转义"))
	}
	at := raw.at + len(raw.tag)
	for at < raw.stop && s.breaks(b[at]) {
		at++
	}
	if at < raw.stop && b[at] == s.component && s.component != 0 && s.component != s.tagEnd { // explicit nesting, ISO 9735 section 9.1
		for at < raw.stop && b[at] != s.tagEnd {
			at++
		}
	}
	if at >= raw.stop {
		return out, nil
	}
	r := ediReader{ediSyntax: s, b: b, text: text, at: at + 1, stop: raw.stop, cs: cs, segment: &out}
	r.makeRoom()
	return out, r.run()
}

// ediReader reads the elements of one segment.
type ediReader struct {
	ediSyntax
	b        []byte
	text     string
	at, stop int
	cs       charset
	segment  *ediSegment
	// values holds the components of the whole segment, which its elements are parts of.
	values []string
}

// makeRoom makes room for all values at once: there are no more than separators, and one.
func (r *ediReader) makeRoom() {
	elements, values := 1, 1
	for _, c := range r.b[r.at:r.stop] {
		switch {
		case c == r.element:
			elements++
			values++
		case c != 0 && (c == r.ediSyntax.component || c == r.repeat):
			values++
		}
	}
	r.segment.elements, r.values = make([][]string, 0, elements), make([]string, 0, values)
}

func (r *ediReader) run() error {
	var repetitions [][]string // of an element that has more than one
	first := 0
	for {
		value, err := r.component()
		if err != nil {
			return err
		}
		r.values = append(r.values, value)
		end := byte(0)
		if r.at < r.stop {
			end = r.b[r.at]
		}
		if end == 0 || end != r.ediSyntax.component {
			components := r.values[first:len(r.values):len(r.values)]
			first = len(r.values)
			again := end != 0 && end == r.repeat
			if again || repetitions != nil {
				repetitions = append(repetitions, components)
			}
			switch {
			case again:
			case repetitions != nil:
				r.repeated(repetitions)
				repetitions = nil
			default:
				r.segment.elements = append(r.segment.elements, components)
			}
		}
		if r.at >= r.stop {
			return nil
		}
		r.at++
	}
}

// repeated adds an element that has several repetitions.
func (r *ediReader) repeated(repetitions [][]string) {
	g := r.segment
	if g.repeats == nil {
		g.repeats = map[int][][]string{}
	}
	g.repeats[len(g.elements)] = repetitions
	g.elements = append(g.elements, repetitions[0])
}

// component reads up to the next separator, releases what is released and drops line wraps.
func (r *ediReader) component() (string, error) {
	start, plain := r.at, true
	i := r.at
scan:
	for ; i < r.stop; i++ {
		switch c := r.b[i]; {
		case c == r.element || c == r.ediSyntax.component && c != 0 || c == r.repeat && c != 0:
			break scan
		case c == r.release && r.release != 0:
			plain = false
			if i = r.released(r.b, i); i >= r.stop {
				return "", refuse("edi.release", ediPlace(r.b, r.stop-1, r.segment.tag),
					say("the release character releases nothing", "释放字符之后没有字符"))
			}
		case r.breaks(c):
			plain = false
		case r.lead && c >= 0x81 && i+1 < r.stop && r.b[i+1] >= 0x40:
			i++
		}
	}
	r.at = min(i, r.stop)
	if plain && r.text != "" {
		return r.text[start:r.at], nil
	}
	raw := r.b[start:r.at]
	if !plain {
		raw = r.unescape(raw)
	}
	value, bad := r.cs.text(raw)
	if bad >= 0 {
		return "", badBytes("edi", ediPlace(r.b, start+bad, r.segment.tag), r.cs)
	}
	return value, nil
}

func (r *ediReader) unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case r.breaks(c):
			continue
		case c == r.release && r.release != 0:
			if i = r.released(raw, i); i < len(raw) {
				out = append(out, raw[i])
			}
		case r.lead && c >= 0x81 && i+1 < len(raw):
			out = append(out, c, raw[i+1])
			i++
		default:
			out = append(out, c)
		}
	}
	return out
}

// ediPlace is the place of an offset in b; EDI counts bytes.
func ediPlace(b []byte, offset int, pointer string) hub.Where {
	return placeIn(b, offset, countBytes).where(pointer)
}
