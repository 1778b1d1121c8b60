package gs1

import "strings"

// Range is the half-open range of canonical identifiers [From, To) in byte order.
type Range struct{ From, To string }

// pattern is an EPC pure identity pattern taken apart. A field that is "*" stands for anything.
type pattern struct {
	scheme        *scheme
	prefix, ref   string
	pieces        string
	serial        string
	anyRef        bool
	anySerial     bool
	anyPieceTotal bool
}

// Match reports whether an identity, written as URN or Digital Link, is what pattern says. A pattern is urn:epc:idpat: with
// * for whole fields from the right (EPC Tag Data Standard, section 8), urn:epc:class:lgtin: with * for the lot, a Digital
// Link with * for its last value, or an identity, which matches itself however it is written.
//
// A pattern that leaves only the serial open also matches the class itself: urn:epc:idpat:sgtin:4012345.012345.* names both
// the GTIN and its items.
func Match(pattern, id string) bool {
	canonical, known := Canonical(id)
	if p, ok := parsePattern(pattern); ok {
		return known && p.matches(canonical)
	}
	if prefix, ok := industryPrefix(pattern); ok {
		return strings.HasPrefix(id, prefix) || id == pattern
	}
	want, _ := Canonical(pattern)
	if prefix, open := openLink(want); open {
		return known && strings.HasPrefix(canonical, prefix) && len(canonical) > len(prefix)
	}
	return want == canonical
}

// Exact returns the canonical identity that alone matches a pattern, false where there may be several. Who asks [Match] of many
// identities compares with it what leaves nothing open.
func Exact(pattern string) (canonical string, ok bool) {
	if _, open := parsePattern(pattern); open {
		return "", false
	}
	if _, open := industryPrefix(pattern); open {
		return "", false
	}
	canonical, _ = Canonical(pattern)
	_, open := openLink(canonical)
	return canonical, !open
}

// PatternRanges returns where, in the byte order of canonical identifiers, everything lies that matches pattern, so that a
// store can seek before it asks [Match] of each candidate. An identity gives one range that holds only itself. ok is
// false for a pattern that is not understood: then nothing matches.
func PatternRanges(pattern string) (ranges []Range, ok bool) {
	if p, isPattern := parsePattern(pattern); isPattern {
		for _, prefix := range p.prefixes() {
			ranges = append(ranges, Range{prefix, successor(prefix)})
		}
		return ranges, true
	}
	if prefix, ok := industryPrefix(pattern); ok {
		return []Range{{prefix, successor(prefix)}, {pattern, pattern + "\x00"}}, true
	}
	if strings.HasPrefix(pattern, urnPattern) {
		return nil, false
	}
	want, _ := Canonical(pattern)
	if prefix, open := openLink(want); open {
		return []Range{{prefix, successor(prefix)}}, true
	}
	return []Range{{want, want + "\x00"}}, true
}

// IsPattern reports whether pattern leaves something open, so that it is not simply equal to what it matches.
func IsPattern(pattern string) bool {
	if _, ok := parsePattern(pattern); ok {
		return true
	}
	if _, ok := industryPrefix(pattern); ok {
		return true
	}
	want, known := Canonical(pattern)
	_, open := openLink(want)
	return known && open
}

// openLink returns what precedes the star of a Digital Link that ends in /*.
func openLink(canonical string) (prefix string, open bool) {
	if !strings.HasPrefix(canonical, canonicalStem) || !strings.HasSuffix(canonical, "/*") {
		return "", false
	}
	return canonical[:len(canonical)-1], true
}

// successor is the first string after all that begin with prefix, which ends in an ASCII character.
func successor(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string(prefix[last]+1)
}

// parsePattern takes a URN pattern apart.
func parsePattern(text string) (p pattern, ok bool) {
	rest, class := "", false
	if rest, ok = strings.CutPrefix(text, urnPattern); !ok {
		if rest, class = strings.CutPrefix(text, urnClass); !class || !strings.HasSuffix(rest, ".*") {
			return p, false
		}
	}
	name, rest, _ := strings.Cut(rest, ":")
	p.scheme = schemeNamed(name)
	if len(text) > maxURI || p.scheme == nil || class && !p.scheme.class {
		return p, false
	}
	if !p.readFields(rest) {
		return p, false
	}
	return p, p.valid()
}

// readFields parts the fields of a pattern.
func (p *pattern) readFields(rest string) (ok bool) {
	s := p.scheme
	if p.prefix, rest, ok = strings.Cut(rest, "."); !ok {
		return false
	}
	switch {
	case s.text && s.serial > 0:
		dot := strings.LastIndexByte(rest, '.')
		if dot < 0 {
			return false
		}
		p.ref, p.serial = rest[:dot], rest[dot+1:]
	case s.serial > 0:
		if p.ref, rest, ok = strings.Cut(rest, "."); !ok {
			return false
		}
		p.serial = rest
	default:
		p.ref = rest
	}
	if s.pieces {
		piece, rest, _ := strings.Cut(p.serial, ".")
		total, serial, found := strings.Cut(rest, ".")
		if !found {
			return false
		}
		p.pieces, p.serial = piece+total, serial
		p.anyPieceTotal = piece == "*" && total == "*"
	}
	return true
}

// valid checks the fields and notes which are open.
func (p *pattern) valid() bool {
	s := p.scheme
	p.anyRef, p.anySerial = p.ref == "*", p.serial == "*"
	if p.prefix == "*" {
		p.prefix = ""
		if !p.anyRef {
			return false
		}
	} else if len(p.prefix) < minPrefix || len(p.prefix) > maxPrefix || !allIn(p.prefix, digit) {
		return false
	}
	if p.anyRef && s.serial > 0 && !p.anySerial || s.pieces && p.anyRef && !p.anyPieceTotal {
		return false
	}
	if s.pieces && !p.anyPieceTotal && !isDigits(p.pieces, 4) {
		return false
	}
	if s.serial > 0 && !p.anySerial && s.checkSerial(p.serial, urn82, lenient) != fine {
		return false
	}
	if p.anyRef {
		return true
	}
	if s.text {
		n, ok := textLen(p.ref, s.set, s.set)
		return ok && n+len(p.prefix) <= s.width
	}
	return isDigits(p.ref, s.width-len(p.prefix))
}

// matches reports whether a canonical identifier is what p says.
func (p *pattern) matches(canonical string) bool {
	l, ok := parseLink(canonical)
	if !ok || l.key != p.scheme.key {
		return false
	}
	n, why := l.named(exact)
	if why != fine {
		return false
	}
	s := p.scheme
	key := n.value
	if s.appended() {
		key, n.serial = key[:s.keyDigits()], key[s.keyDigits():]
	}
	if l.n == 0 && n.serial == "" && s.serial > 0 && !s.class && s.name != "sgln" {
		n.scheme = s // the class of all that the pattern speaks of
		if !p.anySerial || p.anyRef || !s.pattern || s.name == "upui" {
			return false
		}
	}
	if s.name == "sgln" && n.serial == "" {
		n.serial = "0"
	}
	if n.scheme != s || !p.anySerial && p.serial != n.serial {
		return false
	}
	return p.matchesKey(key)
}

// matchesKey compares company prefix, reference, and pieces.
func (p *pattern) matchesKey(key string) bool {
	s := p.scheme
	if s.pieces {
		if !p.anyPieceTotal && key[14:] != p.pieces {
			return false
		}
		key = key[:14]
	}
	body := key[s.prefixAt():]
	if !strings.HasPrefix(body, p.prefix) {
		return false
	}
	if p.anyRef {
		return true
	}
	body = body[len(p.prefix):]
	if s.text {
		return body == p.ref
	}
	body = body[:len(body)-1]
	if s.leads {
		return key[0] == p.ref[0] && body == p.ref[1:]
	}
	return body == p.ref
}

// prefixes are what canonical identifiers that match p begin with.
func (p *pattern) prefixes() []string {
	s := p.scheme
	base := canonicalStem + "/" + s.key + "/"
	switch {
	case p.prefix == "":
		return []string{base}
	case !p.anyRef && s.text:
		return []string{base + p.prefix + p.ref}
	case !p.anyRef:
		q := parts{scheme: s, prefix: p.prefix, ref: p.ref}
		if !p.anyPieceTotal {
			q.piece = p.pieces
		}
		return []string{string(q.appendLink(nil))}
	case s.leads:
		all := make([]string, 0, 10)
		for d := byte('0'); d <= '9'; d++ {
			all = append(all, base+string(d)+p.prefix)
		}
		return all
	case s.pad:
		return []string{base + "0" + p.prefix}
	}
	return []string{base + p.prefix}
}
