package schemas

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"unicode/utf8"
)

// maxFastDepth is how deep the fast path follows extension fields; deeper values are the schema's.
const maxFastDepth = 32

// scanner reads one JSON text. Its methods consume one value each and return false for "ask the schema".
type scanner struct {
	data  []byte
	pos   int
	depth int
	// hook judges identifiers, or is nil.
	hook func(string) error
	// look says that a rule could refuse what the schema accepts.
	look bool

	// counts says that the quantity read last is a positive whole number.
	counts bool

	facts    facts
	document documentKind
	body     documentKind

	names  [][]byte // stack of the extension names of the objects being read
	items  [][]byte // stack of the items of the lists being read that must be distinct
	hashes []uint64
}

func (s *scanner) reset(data []byte, start int, hook func(string) error) {
	s.data, s.pos, s.depth, s.hook, s.look = data, start, 0, hook, false
	s.facts, s.document, s.body = facts{}, otherDocument, otherDocument
	s.names, s.items = s.names[:0], s.items[:0]
}

// atEnd reports whether only white space is left.
func (s *scanner) atEnd() bool { return s.next() == 0 && s.pos >= len(s.data) }

// next steps over white space and returns the byte after it without consuming it, or 0 at the end.
func (s *scanner) next() byte {
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if c > ' ' {
			return c
		}
		if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return 0
		}
		s.pos++
	}
	return 0
}

// plain consumes a string without escapes and returns what is between its quotes. It looks at eight bytes at a time.
func (s *scanner) plain() ([]byte, bool) {
	if s.next() != '"' {
		return nil, false
	}
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	start := s.pos + 1
	i, beyondASCII := start, uint64(0)
	for i+8 <= len(s.data) {
		w := binary.LittleEndian.Uint64(s.data[i:])
		// Of each byte the highest bit is set in the difference from a smaller one; the lowest byte found is always right.
		quote, slash := w^ones*'"', w^ones*'\\'
		found := (((w - ones*' ') &^ w) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)) & highs
		if found != 0 {
			n := bits.TrailingZeros64(found) / 8
			beyondASCII |= w & highs & (1<<(8*n) - 1)
			i += n
			break
		}
		beyondASCII |= w & highs
		i += 8
	}
	for i < len(s.data) && s.data[i] != '"' && s.data[i] != '\\' && s.data[i] >= ' ' {
		beyondASCII |= uint64(s.data[i] & utf8.RuneSelf)
		i++
	}
	if i == len(s.data) || s.data[i] != '"' {
		return nil, false
	}
	s.pos = i + 1
	text := s.data[start:i]
	return text, beyondASCII == 0 || utf8.Valid(text)
}

// any consumes a value of any kind whose objects repeat no name.
func (s *scanner) any() bool {
	switch c := s.next(); c {
	case '{':
		return anyObject.value(s)
	case '[':
		return anyList(s)
	case '"':
		return isStringValue(s)
	case 't', 'f':
		return isBooleanValue(s)
	case 'n':
		return s.word("null")
	default:
		return isNumberValue(s)
	}
}

func (s *scanner) word(w string) bool {
	if s.pos+len(w) > len(s.data) || string(s.data[s.pos:s.pos+len(w)]) != w {
		return false
	}
	s.pos += len(w)
	return s.pos == len(s.data) || !isWordByte(s.data[s.pos])
}

// elements consumes a list, each of its elements by item.
func (s *scanner) elements(item func(*scanner) bool) bool {
	if s.next() != '[' || s.depth >= maxFastDepth {
		return false
	}
	s.depth++
	s.pos++
	if s.next() == ']' {
		s.pos++
		s.depth--
		return true
	}
	for {
		if !item(s) {
			return false
		}
		c := s.next()
		s.pos++
		if c == ']' {
			s.depth--
			return true
		}
		if c != ',' {
			return false
		}
	}
}

//nolint:gochecknoglobals // read-only
var hashSeed = maphash.MakeSeed()

// allDistinct reports whether no two of texts are equal. For many texts, equal hashes count as equal.
func (s *scanner) allDistinct(texts [][]byte) bool {
	if len(texts) <= 12 {
		for i, t := range texts {
			for _, u := range texts[:i] {
				if bytes.Equal(t, u) {
					return false
				}
			}
		}
		return true
	}
	size := 1 << bits.Len(uint(2*len(texts)))
	if cap(s.hashes) < size {
		s.hashes = make([]uint64, size)
	}
	table := s.hashes[:size]
	clear(table)
	for _, t := range texts {
		h := maphash.Bytes(hashSeed, t) | 1
		i := h >> 7 & uint64(size-1)
		for ; table[i] != 0; i = (i + 1) & uint64(size-1) {
			if table[i] == h {
				return false
			}
		}
		table[i] = h
	}
	return true
}

// openness says which fields an object takes beyond those of its table.
type openness uint8

const (
	closed openness = iota // none
	open                   // extension fields, whose names are URIs
	free                   // any
)

// fastField is one field of an object: its name and what reads its value.
type fastField struct {
	name     string
	read     func(*scanner) bool
	required bool
}

func field(name string, read func(*scanner) bool) fastField { return fastField{name: name, read: read} }

func required(name string, read func(*scanner) bool) fastField {
	return fastField{name: name, read: read, required: true}
}

// fastObject reads objects of one kind.
type fastObject struct {
	fields   []fastField
	index    nameTable
	required fieldSet
	others   openness
	min, max int // of known fields
}

func object(others openness, fields ...fastField) *fastObject {
	o := &fastObject{fields: fields, others: others, max: len(fields)}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
		if f.required {
			o.required |= 1 << i
		}
	}
	o.index = newNameTable(names)
	return o
}

func (o *fastObject) atLeast(n int) *fastObject { o.min = n; return o }

func (o *fastObject) exactly(n int) *fastObject { o.min, o.max = n, n; return o }

// value consumes an object of this kind.
func (o *fastObject) value(s *scanner) bool {
	_, ok := o.check(s)
	return ok
}

// check consumes an object of this kind and returns which of its fields it has. A repeated name is the schema's.
func (o *fastObject) check(s *scanner) (seen fieldSet, ok bool) {
	if s.next() != '{' || s.depth >= maxFastDepth {
		return 0, false
	}
	s.depth++
	s.pos++
	outer := len(s.names)
	if s.next() == '}' {
		s.pos++
	} else if seen, ok = o.members(s); !ok {
		return 0, false
	}
	ok = s.allDistinct(s.names[outer:])
	s.names = s.names[:outer]
	s.depth--
	n := bits.OnesCount64(uint64(seen))
	return seen, ok && seen&o.required == o.required && n >= o.min && n <= o.max
}

// members consumes name, colon, value and comma until the closing brace.
func (o *fastObject) members(s *scanner) (seen fieldSet, ok bool) {
	for {
		name, ok := s.plain()
		if !ok || s.next() != ':' {
			return 0, false
		}
		s.pos++
		if i := o.index.find(name); i >= 0 {
			if seen&(1<<i) != 0 {
				return 0, false
			}
			seen |= 1 << i
			ok = o.fields[i].read(s)
		} else {
			s.names = append(s.names, name)
			ok = (o.others == free || o.others == open && isURI(name)) && s.any()
		}
		if !ok {
			return 0, false
		}
		c := s.next()
		s.pos++
		if c == '}' {
			return seen, true
		}
		if c != ',' {
			return 0, false
		}
	}
}

//nolint:gochecknoglobals // read-only
var anyObject = object(free)

func anyList(s *scanner) bool {
	return s.elements((*scanner).any)
}
