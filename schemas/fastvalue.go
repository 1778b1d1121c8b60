package schemas

import (
	"bytes"
	"hash/maphash"
)

// The functions below consume one value of one kind each, and return false for "ask the schema".

func isURIValue(s *scanner) bool {
	text, ok := s.plain()
	return ok && isURI(text)
}

// isIdentifier consumes the URI of a thing or a place, which the scanner's hook judges.
func isIdentifier(s *scanner) bool {
	text, ok := s.plain()
	return ok && isURI(text) && (s.hook == nil || s.hook(string(text)) == nil)
}

func isTimeValue(s *scanner) bool {
	text, ok := s.plain()
	return ok && isDateTime(text)
}

// isStringValue consumes any string, with escapes or not.
func isStringValue(s *scanner) bool {
	if _, ok := s.plain(); ok {
		return true
	}
	if s.next() != '"' {
		return false
	}
	p := parser{data: s.data, pos: s.pos}
	p.string()
	s.pos = p.pos
	return p.fault == nil
}

func isBooleanValue(s *scanner) bool {
	c := s.next()
	return c == 't' && s.word("true") || c == 'f' && s.word("false")
}

// isNumberValue consumes a number of ordinary size: no exponent, at most 32 bytes.
func isNumberValue(s *scanner) bool {
	s.next()
	start := s.pos
	for s.pos < len(s.data) && (isWordByte(s.data[s.pos]) || s.data[s.pos] == '-' || s.data[s.pos] == '+' || s.data[s.pos] == '.') {
		s.pos++
	}
	text := s.data[start:s.pos]
	return len(text) <= 32 && validNumber(text) && bytes.IndexByte(text, 'e') < 0 && bytes.IndexByte(text, 'E') < 0
}

func isHexValue(s *scanner) bool {
	text, ok := s.plain()
	for _, c := range text {
		ok = ok && isHex(c)
	}
	return ok && len(text) > 0
}

// isUnit consumes a UN/ECE Recommendation 20 code.
func isUnit(s *scanner) bool {
	text, ok := s.plain()
	for _, c := range text {
		ok = ok && (c >= 'A' && c <= 'Z' || c >= '0' && c <= '9')
	}
	return ok && (len(text) == 2 || len(text) == 3)
}

// isOffset consumes an offset from UTC, -13:59 to +14:00.
func isOffset(s *scanner) bool {
	text, ok := s.plain()
	if !ok || len(text) != 6 {
		return false
	}
	minutes, ok := zoneMinutes(text)
	return ok && minutes > -14*60 && minutes < 14*60 || string(text[1:]) == "14:00"
}

// isVersion consumes numbers with dots between them.
func isVersion(s *scanner) bool {
	text, ok := s.plain()
	if !ok || len(text) == 0 {
		return false
	}
	before := byte('.')
	for _, c := range text {
		if c != '.' && (c < '0' || c > '9') || c == '.' && before == '.' {
			return false
		}
		before = c
	}
	return before != '.'
}

// isAttribute consumes the value of a master data attribute: text, number or object.
func isAttribute(s *scanner) bool {
	switch s.next() {
	case '[', 't', 'f', 'n':
		return false
	}
	return s.any()
}

// eventType consumes the name of an event type of EPCIS and notes it.
func (s *scanner) eventType() bool {
	text, ok := s.plain()
	switch string(text) {
	case "ObjectEvent":
		s.facts.eventType = objectEvent
	case "AggregationEvent":
		s.facts.eventType = aggregationEvent
	case "TransactionEvent":
		s.facts.eventType = transactionEvent
	case "TransformationEvent":
		s.facts.eventType = transformationEvent
	case "AssociationEvent":
		s.facts.eventType = associationEvent
	default:
		return false
	}
	return ok
}

// action consumes an action and notes it.
func (s *scanner) action() bool {
	text, ok := s.plain()
	switch string(text) {
	case "ADD":
		s.facts.action = actionAdd
	case "OBSERVE":
		s.facts.action = actionObserve
	case "DELETE":
		s.facts.action = actionDelete
	default:
		return false
	}
	return ok
}

// documentType consumes the type of a document and notes it.
func (s *scanner) documentType() bool {
	text, ok := s.plain()
	switch string(text) {
	case "EPCISDocument":
		s.document = captureDocument
	case "EPCISQueryDocument":
		s.document = queryDocument
	default:
		return false
	}
	return ok
}

// vocabularyOf returns what consumes a value of the vocabulary called name in the schema of the CBV: one of its words, or
// a URI that is not of the vocabulary itself.
func vocabularyOf(cbv map[string]any, name string) func(*scanner) bool {
	defs, _ := cbv["$defs"].(map[string]any)
	vocabulary, _ := defs[name].(map[string]any)
	bare, _ := vocabulary["else"].(map[string]any)
	then, _ := vocabulary["then"].(map[string]any)
	words := map[string]bool{}
	for _, word := range stringsOf(bare["enum"]) {
		words[word] = true
	}
	own := isCBV
	if then["$ref"] == "#/$defs/foreignMeasurementUri" {
		own = isWebVocabulary
	}
	return func(s *scanner) bool {
		text, ok := s.plain()
		if !ok || words[string(text)] {
			return ok
		}
		return isURI(text) && !own(text)
	}
}

// isCBV reports whether uri names a value of the CBV.
func isCBV(uri []byte) bool {
	return bytes.HasPrefix(uri, []byte("urn:epcglobal:cbv")) ||
		bytes.HasPrefix(uri, []byte("https://ns.gs1.org/cbv/")) || bytes.HasPrefix(uri, []byte("http://ns.gs1.org/cbv/"))
}

// isWebVocabulary reports whether uri names a term of the GS1 Web Vocabulary.
func isWebVocabulary(uri []byte) bool {
	rest, ok := bytes.CutPrefix(uri, []byte("http"))
	if !ok {
		return false
	}
	rest = bytes.TrimPrefix(rest, []byte("s"))
	rest, ok = bytes.CutPrefix(rest, []byte("://"))
	rest = bytes.TrimPrefix(rest, []byte("www."))
	return ok && bytes.HasPrefix(rest, []byte("gs1.org/voc/"))
}

// list consumes a list of items.
func list(item func(*scanner) bool) func(*scanner) bool {
	return func(s *scanner) bool { return s.elements(item) }
}

// either consumes a list by items, anything else by single.
func either(single, items func(*scanner) bool) func(*scanner) bool {
	return func(s *scanner) bool {
		if s.next() == '[' {
			return items(s)
		}
		return single(s)
	}
}

// distinct consumes a list of plain strings, none of them twice.
func distinct(item func(*scanner) bool) func(*scanner) bool {
	noted := func(s *scanner) bool {
		s.next()
		start := s.pos
		ok := item(s)
		s.items = append(s.items, s.data[start:s.pos])
		return ok
	}
	return func(s *scanner) bool {
		outer := len(s.items)
		ok := s.elements(noted) && s.allDistinct(s.items[outer:])
		s.items = s.items[:outer]
		return ok
	}
}

// atLeastOneOf consumes a list by items that is not empty.
func atLeastOneOf(items func(*scanner) bool) func(*scanner) bool {
	return func(s *scanner) bool { return s.startsFilledList() && items(s) }
}

// filling consumes a list by items and notes when it is not empty.
func filling(set fieldSet, items func(*scanner) bool) func(*scanner) bool {
	return func(s *scanner) bool {
		if s.startsFilledList() {
			s.facts.filled |= set
		}
		return items(s)
	}
}

// startsFilledList reports whether a list begins here that has an item.
func (s *scanner) startsFilledList() bool {
	if s.next() != '[' {
		return false
	}
	start := s.pos
	s.pos++
	c := s.next()
	s.pos = start
	return c != ']'
}

// usualContext is the context that most events state, a URI.
const usualContext = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"

// isContext consumes a JSON-LD context: a URI, an object, or a list of both without repetition.
func isContext(s *scanner) bool {
	switch s.next() {
	case '"':
		text, ok := s.plain()
		return ok && (string(text) == usualContext || isURI(text))
	case '{':
		return anyObject.value(s)
	}
	outer, prints, n, allFlat := len(s.items), [16]uint64{}, 0, true
	entry := func(s *scanner) bool {
		if s.next() != '{' {
			text, ok := s.plain()
			s.items = append(s.items, text)
			return ok && isURI(text)
		}
		print, flat, ok := s.fingerprint()
		if n == len(prints) {
			return false
		}
		for _, other := range prints[:n] {
			ok = ok && print != other
		}
		prints[n] = print
		n++
		allFlat = allFlat && flat
		return ok
	}
	ok := s.elements(entry) && (allFlat || n == 1) && s.allDistinct(s.items[outer:])
	s.items = s.items[:outer]
	return ok
}

// fingerprint consumes an object. Two flat ones, of nothing but plain strings, are not equal if their prints differ.
func (s *scanner) fingerprint() (sum uint64, flat, ok bool) {
	start, outer := s.pos, len(s.names)
	sum, flat = s.flatMembers()
	flat = flat && s.allDistinct(s.names[outer:])
	s.names = s.names[:outer]
	if flat {
		return sum, true, true
	}
	s.pos = start
	return 0, false, anyObject.value(s)
}

// flatMembers consumes an object of plain strings, notes its names, and returns its print. Of any other object it consumes
// some part.
func (s *scanner) flatMembers() (sum uint64, flat bool) {
	s.pos++
	if s.next() == '}' {
		s.pos++
		return 0, true
	}
	for {
		name, ok := s.plain()
		if !ok || s.next() != ':' {
			return 0, false
		}
		s.pos++
		value, ok := s.plain()
		if !ok {
			return 0, false
		}
		s.names = append(s.names, name)
		sum += maphash.Bytes(hashSeed, name)*31 ^ maphash.Bytes(hashSeed, value)
		c := s.next()
		s.pos++
		if c == '}' {
			return sum, true
		}
		if c != ',' {
			return 0, false
		}
	}
}
