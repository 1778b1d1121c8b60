package gs1

import "strings"

// problem says why text is no identifier. It costs nothing to make, so that the many values of an event that are no
// identifiers cost nothing to refuse; see problem.fault for the words.
type problem uint8

const (
	fine problem = iota
	notGS1
	badScheme
	badPrefix
	badReference
	badPieces
	badSerial
	longSerial
	noSerial
	badPattern
	badKey
	badOrder
)

// reading says how exactly text is read.
type reading uint8

const (
	// exact takes what the standards define and nothing else.
	exact reading = iota
	// lenient also takes reserved characters that should have been escaped.
	lenient
)

// parts is an identifier taken apart. Its strings are pieces of the input, escapes included.
type parts struct {
	scheme *scheme
	// prefix and ref are the company prefix and the reference, in the order of the EPC URN.
	prefix, ref string
	// piece and total belong to an ITIP.
	piece, total string
	// serial is empty at class level.
	serial string
}

const (
	urnID      = "urn:epc:id:"
	urnClass   = "urn:epc:class:"
	urnPattern = "urn:epc:idpat:"
)

// parseURN takes an EPC URN apart.
func parseURN(uri string, r reading) (p parts, why problem) {
	rest, pattern, class := "", false, false
	switch {
	case strings.HasPrefix(uri, urnID):
		rest = uri[len(urnID):]
	case strings.HasPrefix(uri, urnClass):
		rest, class = uri[len(urnClass):], true
	case strings.HasPrefix(uri, urnPattern):
		rest, pattern = uri[len(urnPattern):], true
	default:
		return p, notGS1
	}
	name, rest, _ := strings.Cut(rest, ":")
	s := schemeNamed(name)
	if s == nil || class != s.class || pattern && !s.pattern {
		return p, badScheme
	}
	p.scheme = s
	prefix, rest, found := strings.Cut(rest, ".")
	if !found || len(prefix) < minPrefix || len(prefix) > maxPrefix || !allIn(prefix, digit) {
		return p, badPrefix
	}
	p.prefix = prefix
	if s.text {
		return p.parseText(rest, pattern, r)
	}
	return p.parseNumeric(rest, pattern, r)
}

// The lengths that a company prefix can have in an EPC (EPC Tag Data Standard, section 6.3).
const (
	minPrefix = 6
	maxPrefix = 12
)

// parseNumeric takes the fields after the company prefix of a key with digits and check digit.
func (p parts) parseNumeric(rest string, pattern bool, r reading) (parts, problem) {
	s := p.scheme
	n := s.width - len(p.prefix)
	if len(rest) < n || !allIn(rest[:n], digit) {
		return p, badReference
	}
	p.ref, rest = rest[:n], rest[n:]
	if s.pieces {
		if len(rest) < 6 || rest[0] != '.' || !isDigits(rest[1:3], 2) || rest[3] != '.' || !isDigits(rest[4:6], 2) {
			return p, badPieces
		}
		p.piece, p.total, rest = rest[1:3], rest[4:6], rest[6:]
	}
	if s.serial == 0 {
		if rest != "" {
			return p, badReference
		}
		return p, fine
	}
	if rest == "" || rest[0] != '.' {
		if rest != "" && in(rest[0], digit) {
			return p, badReference
		}
		return p, noSerial
	}
	rest = rest[1:]
	if pattern {
		if rest != "*" {
			return p, badPattern
		}
		return p, fine
	}
	p.serial = rest
	return p, s.checkSerial(rest, urn82, r)
}

// parseText takes the fields after the company prefix of a key with an alphanumeric reference.
func (p parts) parseText(rest string, pattern bool, r reading) (parts, problem) {
	s := p.scheme
	p.ref = rest
	if s.serial > 0 {
		dot := strings.LastIndexByte(rest, '.')
		if dot < 0 {
			return p, noSerial
		}
		p.ref, p.serial = rest[:dot], rest[dot+1:]
		if pattern {
			if p.serial != "*" {
				return p, badPattern
			}
			p.serial = ""
		} else if why := s.checkSerial(p.serial, urn82, r); why != fine {
			return p, why
		}
	}
	raw := urn82
	if s.set == cset39 {
		raw = urn39
	}
	if r == lenient {
		raw = s.set
	}
	if n, ok := textLen(p.ref, raw, s.set); !ok || n+len(p.prefix) > s.width || n == 0 && !p.mayLackReference(pattern, r) {
		return p, badReference
	}
	return p, fine
}

// mayLackReference reports whether an empty reference passes: lenient reading takes a prefix alone as the class of all
// parts of a company, and as a consignment number.
func (p parts) mayLackReference(pattern bool, r reading) bool {
	return r == lenient && (pattern || p.scheme.name == "ginc")
}

// checkSerial says what is wrong with a serial; raw is the set that the syntax around it lets through unescaped.
func (s *scheme) checkSerial(serial string, raw charset, r reading) problem {
	if serial == "" {
		return noSerial
	}
	if s.numeric && !allIn(serial, digit) {
		return badSerial
	}
	if r == lenient {
		raw = cset82
	}
	n, ok := textLen(serial, raw, cset82)
	if !ok {
		return badSerial
	}
	if n > s.serial {
		return longSerial
	}
	return fine
}

// isClass reports whether p names a class of things rather than one thing.
func (p parts) isClass() bool {
	return p.scheme.class || p.serial == "" && p.scheme.serial > 0 && p.scheme.name != "sgln"
}

// appendURN appends p as an EPC URN.
func (p parts) appendURN(b []byte) []byte {
	s := p.scheme
	serial := p.serial
	switch {
	case s.class:
		b = append(b, urnClass...)
	case p.isClass():
		b = append(b, urnPattern...)
		serial = "*"
	default:
		b = append(b, urnID...)
		if s.name == "sgln" && serial == "" {
			serial = "0"
		}
	}
	b = append(b, s.name...)
	b = append(b, ':')
	b = append(b, p.prefix...)
	b = append(b, '.')
	b = append(b, p.ref...)
	if s.pieces {
		b = append(b, '.')
		b = append(b, p.piece...)
		b = append(b, '.')
		b = append(b, p.total...)
	}
	if s.serial > 0 {
		b = append(b, '.')
		b = append(b, serial...)
	}
	return b
}

// appendLink appends p as a canonical Digital Link. The check digit is computed.
func (p parts) appendLink(b []byte) []byte {
	s := p.scheme
	b = append(b, canonicalStem...)
	b = append(b, '/')
	b = append(b, s.key...)
	b = append(b, '/')
	switch {
	case s.text:
		b = append(b, p.prefix...)
		b = append(b, p.ref...)
	case s.leads:
		b = append(b, p.ref[0])
		b = append(b, p.prefix...)
		b = append(b, p.ref[1:]...)
		b = append(b, checkDigit(p.ref[:1], p.prefix, p.ref[1:]))
	default:
		if s.pad {
			b = append(b, '0')
		}
		b = append(b, p.prefix...)
		b = append(b, p.ref...)
		b = append(b, checkDigit(p.prefix, p.ref)) // a leading zero changes no sum
	}
	b = append(b, p.piece...)
	b = append(b, p.total...)
	if p.serial == "" || s.name == "sgln" && p.serial == "0" {
		return b
	}
	if s.ext != "" {
		b = append(b, '/')
		b = append(b, s.ext...)
		b = append(b, '/')
	}
	return append(b, p.serial...)
}
