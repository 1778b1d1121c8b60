package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Pick implements [Picker]. It reads the record once, without a token for each value; whatever is not plain sailing is left
// to Decode, which explains it.
func (d *jsonDecoder) Pick(preamble, body []byte, names *Names) (Tree, error) {
	if len(body) <= d.maxRecord && d.cs.enc == nil && utf8.Valid(body) {
		p, _ := pickers.Get().(*jsonPicker)
		p.b, p.i, p.maxDepth = bytes.TrimPrefix(body, []byte(bomUTF8)), 0, d.maxDepth
		value, ok := p.record(names)
		clear(p.names[:cap(p.names)])
		p.b, p.names = nil, p.names[:0]
		pickers.Put(p)
		if ok {
			return Tree{Value: value, names: names}, nil
		}
	}
	return d.Decode(preamble, body)
}

//nolint:gochecknoglobals // a pool of scratch space
var pickers = sync.Pool{New: func() any { return &jsonPicker{names: make([][]byte, 0, 64)} }}

// maxPicked is how many members of one object are held against one another; an object with more is left to Decode.
const maxPicked = 512

// jsonPicker reads one JSON text (RFC 8259). Its methods return false where the text is not JSON, or not simple enough.
type jsonPicker struct {
	b        []byte
	i        int
	maxDepth int
	// names are those of the members of all open objects, of which one object's may not repeat.
	names [][]byte
	// texts are strings that were read lately, each where its bytes say: most values of a record are those of the one before.
	texts [256]any
}

// longestText is the longest string that is remembered, in bytes.
const longestText = 64

// text returns b as a string, the one that was made before if it is still there.
func (p *jsonPicker) text(b []byte) any {
	if len(b) > longestText {
		return string(b)
	}
	at := &p.texts[mix(b)>>56]
	if s, ok := (*at).(string); !ok || s != string(b) {
		*at = string(b)
	}
	return *at
}

// record reads an object of which only some members are wanted, and the end of the text.
func (p *jsonPicker) record(wanted *Names) (map[string]any, bool) {
	if p.space() != '{' {
		return nil, false
	}
	picked := wanted.tree()
	ok := p.members(0, func(name []byte) bool {
		key, want := find(wanted, name)
		if !want {
			return p.skip(1)
		}
		v, ok := p.value(1)
		picked[key] = v
		return ok
	})
	return picked, ok && p.space() == 0 && p.i == len(p.b)
}

// space passes white space and returns the byte that follows, 0 at the end. A NUL is refused by whoever gets it.
func (p *jsonPicker) space() byte {
	for p.i < len(p.b) {
		switch c := p.b[p.i]; c {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return c
		}
	}
	return 0
}

// members reads an object at depth and calls yield behind each name's colon; yield reads the value.
func (p *jsonPicker) members(depth int, yield func(name []byte) bool) bool {
	if depth > p.maxDepth {
		return false
	}
	p.i++ // the brace
	base := len(p.names)
	var seen repeats
	for c := p.space(); c != '}'; c = p.space() {
		if len(p.names) > base {
			if c != ',' {
				return false
			}
			p.i++
			c = p.space()
		}
		name, ok := p.name(c)
		if !ok || seen.mayHave(name) && p.repeats(base, name) || len(p.names)-base == maxPicked {
			return false
		}
		p.names = append(p.names, name)
		if !yield(name) {
			return false
		}
	}
	p.i++
	p.names = p.names[:base]
	return true
}

// name reads a name and its colon; c is what stands here.
func (p *jsonPicker) name(c byte) ([]byte, bool) {
	if c != '"' {
		return nil, false
	}
	raw, escaped, ok := p.str()
	if !ok || p.space() != ':' {
		return nil, false
	}
	p.i++
	if !escaped {
		return raw[1 : len(raw)-1], true
	}
	name, err := jsontext.AppendUnquote(nil, raw)
	return name, err == nil
}

// repeats reports whether an open object has the name already.
func (p *jsonPicker) repeats(base int, name []byte) bool {
	for _, n := range p.names[base:] {
		if bytes.Equal(n, name) {
			return true
		}
	}
	return false
}

// repeats tells most names from those before them without looking at these.
type repeats [4]uint64

// mix is a hash of which the highest bits are the best. How texts begin and end tells most of them apart.
func mix(b []byte) uint64 {
	h := uint64(len(b))
	if n := len(b); n >= 8 {
		h ^= binary.LittleEndian.Uint64(b) ^ binary.LittleEndian.Uint64(b[n-8:])<<1
	} else {
		for _, c := range b {
			h = h<<8 | uint64(c)
		}
	}
	return h * 0x9e3779b97f4a7c15
}

// mayHave notes the name and reports whether it may have been noted before.
func (r *repeats) mayHave(name []byte) bool {
	h := mix(name)
	word, bit := &r[h>>62], uint64(1)<<(h>>56&63)
	had := *word&bit != 0
	*word |= bit
	return had
}

// value reads the value that follows at depth.
func (p *jsonPicker) value(depth int) (any, bool) {
	if depth > p.maxDepth {
		return nil, false
	}
	switch c := p.space(); c {
	case '{':
		object := map[string]any{}
		ok := p.members(depth, func(name []byte) bool {
			v, ok := p.value(depth + 1)
			object[string(name)] = v
			return ok
		})
		return object, ok
	case '[':
		array := []any{}
		ok := p.elements(depth, func() bool {
			v, ok := p.value(depth + 1)
			array = append(array, v)
			return ok
		})
		return array, ok
	case '"':
		raw, escaped, ok := p.str()
		if !ok || !escaped {
			return p.text(raw[min(1, len(raw)):max(0, len(raw)-1)]), ok
		}
		text, err := jsontext.AppendUnquote(nil, raw)
		return string(text), err == nil
	case 't':
		return true, p.literal("true")
	case 'f':
		return false, p.literal("false")
	case 'n':
		return nil, p.literal("null")
	default:
		start := p.i
		if !p.number(c) {
			return nil, false
		}
		return json.Number(p.b[start:p.i]), true
	}
}

// skip passes the value that follows at depth, and checks it as value does.
func (p *jsonPicker) skip(depth int) bool {
	if depth > p.maxDepth {
		return false
	}
	switch c := p.space(); c {
	case '{':
		return p.members(depth, func([]byte) bool { return p.skip(depth + 1) })
	case '[':
		return p.elements(depth, func() bool { return p.skip(depth + 1) })
	case '"':
		raw, escaped, ok := p.str()
		if ok && escaped {
			_, err := jsontext.AppendUnquote(nil, raw)
			return err == nil
		}
		return ok
	case 't':
		return p.literal("true")
	case 'f':
		return p.literal("false")
	case 'n':
		return p.literal("null")
	default:
		return p.number(c)
	}
}

// elements reads an array at depth; yield reads an element.
func (p *jsonPicker) elements(depth int, yield func() bool) bool {
	if depth > p.maxDepth {
		return false
	}
	p.i++ // the bracket
	first := true
	for c := p.space(); c != ']'; c = p.space() {
		if !first {
			if c != ',' {
				return false
			}
			p.i++
			p.space()
		}
		first = false
		if !yield() {
			return false
		}
	}
	p.i++
	return true
}

// str reads a string with its quotes. It does not check escapes.
func (p *jsonPicker) str() (raw []byte, escaped, ok bool) {
	start := p.i
	for i := start + 1; i < len(p.b); i++ {
		if i += unescaped(p.b[i:]); i >= len(p.b) {
			break
		}
		switch p.b[i] {
		case '"':
			p.i = i + 1
			return p.b[start:p.i], escaped, true
		case '\\':
			escaped = true
			i++
		default:
			return nil, false, false
		}
	}
	return nil, false, false
}

// unescaped returns how many bytes come before the first quote, backslash or control character. It looks at eight at a time.
func unescaped(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// Of each byte the highest bit is set in the difference from a smaller one; the lowest byte found is always right.
		quote, slash := w^ones*'"', w^ones*'\\'
		if found := (((w - ones*' ') &^ w) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= ' ' {
		i++
	}
	return i
}

func (p *jsonPicker) literal(word string) bool {
	if !bytes.HasPrefix(p.b[p.i:], []byte(word)) {
		return false
	}
	p.i += len(word)
	return true
}

// number passes a number whose first byte is c.
func (p *jsonPicker) number(c byte) bool {
	if c == '-' {
		p.i++
	}
	switch n := p.digits(); {
	case n == 0, n > 1 && p.b[p.i-n] == '0':
		return false
	}
	if p.at('.') {
		p.i++
		if p.digits() == 0 {
			return false
		}
	}
	if p.at('e') || p.at('E') {
		p.i++
		if p.at('+') || p.at('-') {
			p.i++
		}
		if p.digits() == 0 {
			return false
		}
	}
	return true
}

func (p *jsonPicker) at(c byte) bool { return p.i < len(p.b) && p.b[p.i] == c }

func (p *jsonPicker) digits() (n int) {
	for p.i < len(p.b) && p.b[p.i]-'0' < 10 {
		p.i++
		n++
	}
	return n
}
