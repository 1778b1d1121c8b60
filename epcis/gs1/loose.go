package gs1

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// named is what a Digital Link names: the value of a key, appended serial included, and its finest qualifier.
type named struct {
	scheme *scheme
	value  string
	serial string
	// beyondEPC is true where the path says more than an EPC can.
	beyondEPC bool
}

// readLink finds what a Digital Link names, as exactly as o says.
func (o Options) readLink(uri string) (named, error) {
	if len(uri) > maxURI {
		return named{}, tooLong(len(uri))
	}
	if o.Strict {
		return o.readLinkExactly(uri)
	}
	if strings.ContainsAny(uri, "?#") && !hasParameters(uri) {
		if n, ok := looseLink(uri); ok {
			return n, nil
		}
	}
	base := cutQuery(uri)
	l, ok := parseLink(base)
	if ok {
		n, why := l.named(lenient)
		if why == fine {
			return n, nil
		}
		if n, ok := looseLink(base); ok && why != badOrder {
			return n, nil
		}
		return named{}, why.linkFault(uri, &l)
	}
	if n, ok := looseLink(base); ok {
		return n, nil
	}
	return named{}, noKey(uri)
}

// readLinkExactly is readLink for a link that keeps every rule.
func (o Options) readLinkExactly(uri string) (named, error) {
	m, err := readStrict(uri, true)
	if err == nil {
		err = lintAll(m.elements, o.assigned())
	}
	if err != nil {
		return named{}, err
	}
	l, _ := parseLink(uri)
	n, why := l.named(exact)
	if why != fine {
		return named{}, why.linkFault(uri, &l)
	}
	return n, nil
}

// hasParameters reports whether what follows the first question mark is the query of a URI rather than a part of a serial:
// name=value somewhere in it.
func hasParameters(uri string) bool {
	_, query, _ := strings.Cut(uri, "?")
	for param := range strings.SplitSeq(query, "&") {
		name, _, ok := strings.Cut(param, "=")
		if ok && name != "" && strings.Trim(name, alphanum+"-._~") == "" {
			return true
		}
	}
	return false
}

// named finds what l names.
func (l *link) named(r reading) (named, problem) {
	ext := l.finestLoosely()
	s := schemeOf(l.key, ext.ai)
	if s == nil {
		return named{}, badScheme
	}
	if l.key == "01" && len(l.value) != 14 || !s.linkKeyFits(l.value, path82, r) || !s.startsWithPrefix(l.value) {
		return named{}, badKey
	}
	for i, q := range l.qualifiers() {
		if q.value == "" {
			return named{}, noSerial
		}
		if slices.ContainsFunc(l.qualifiers()[:i], func(other qualifier) bool { return other.ai == q.ai }) {
			return named{}, badOrder
		}
	}
	if ext.ai != "" {
		if why := s.checkSerial(ext.value, path82, r); why != fine {
			return named{}, why
		}
	}
	return named{s, l.value, ext.value, l.n > 1 || l.n == 1 && ext.ai == ""}, fine
}

// finestLoosely returns the qualifier that identifies most finely, in whichever order they stand.
func (l *link) finestLoosely() (ext qualifier) {
	for _, q := range l.qualifiers() {
		switch q.ai {
		case "21", "235", "254", "8011":
			return q
		case "22":
		default:
			ext = q
		}
	}
	return ext
}

// linkFault says in words why l names nothing.
func (p problem) linkFault(uri string, l *link) error {
	switch {
	case p == badScheme:
		return fault(hub.Invalid, "gs1.no-urn", args{shorten(uri)},
			"%q names something that EPC has no URN for", "%q 标识的对象没有对应的 EPC URN")
	case p == badKey && l.key == "01" && allIn(l.value, digit):
		return hinted(fault(hub.Invalid, "gs1.gtin-length", args{len(l.value), shorten(uri)},
			"a GTIN in a Digital Link has 14 digits, not %d: %q", "数字链接中的 GTIN 应为 14 位，而不是 %d 位：%q"),
			"pad it with leading zeros", "请用前导零补足")
	}
	return p.fault(uri)
}

// looseLink finds a key in a Digital Link whose serial holds raw characters that should have been escaped, such as slashes
// and question marks: the rest of the URI after key and qualifier is the serial.
func looseLink(uri string) (named, bool) {
	rest, ok := afterScheme(uri)
	if !ok {
		return named{}, false
	}
	start := strings.IndexByte(rest, '/')
	if start <= 0 {
		return named{}, false
	}
	path := rest[start:]
	for k := len(cutQuery(path)); k > 0; {
		k = strings.LastIndexByte(path[:k], '/')
		if k < 0 {
			break
		}
		seg, value, found := strings.Cut(path[k+1:], "/")
		if ai, role := linkAI(seg); found && role == keyRole {
			if n, ok := looseKey(ai, value); ok {
				return n, true
			}
		}
	}
	return named{}, false
}

// looseKey parts the value of a key from the qualifier and serial behind it.
func looseKey(ai, value string) (named, bool) {
	s := schemeOf(ai, "")
	if s == nil || len(value) > 4*maxSerialText {
		return named{}, false
	}
	if s.text {
		return s.looseText(value)
	}
	n := s.keyDigits()
	if len(value) < n || !allIn(value[:n], digit) {
		return named{}, false
	}
	key, rest := value[:n], value[n:]
	if rest == "" {
		return named{scheme: s, value: key}, true
	}
	if rest[0] != '/' {
		return named{scheme: s, value: value}, s.appended() && s.checkSerial(rest, cset82, lenient) == fine
	}
	seg, serial, _ := strings.Cut(rest[1:], "/")
	ext, role := linkAI(seg)
	if role != qualifierRole {
		return named{}, false
	}
	s = schemeOf(ai, ext)
	if s == nil || s.ext == "" || s.checkSerial(serial, cset82, lenient) != fine {
		return named{}, false
	}
	return named{scheme: s, value: key, serial: serial}, true
}

// maxSerialText bounds the serial and key that loose reading looks at, escapes included.
const maxSerialText = 3 * 30

// looseText is looseKey for alphanumeric keys.
func (s *scheme) looseText(value string) (named, bool) {
	n := named{scheme: s, value: value}
	if s.ext != "" {
		for _, mark := range [...]string{"/8011/", "/cpsn/"} {
			if i := strings.LastIndex(value, mark); i >= 0 {
				n.value, n.serial = value[:i], value[i+len(mark):]
				if s.checkSerial(n.serial, digit, lenient) != fine {
					return named{}, false
				}
				break
			}
		}
	}
	return n, s.startsWithPrefix(n.value) && s.linkKeyFits(n.value, s.set, lenient)
}

// startsWithPrefix reports whether an alphanumeric key begins with as many digits as the shortest company prefix.
func (s *scheme) startsWithPrefix(key string) bool {
	return !s.text || len(key) >= minPrefixDigits && allIn(key[:minPrefixDigits], digit)
}

// parts takes a key apart with the length of its company prefix.
func (n named) parts(o Options) (parts, error) {
	s := n.scheme
	p := parts{scheme: s, serial: n.serial}
	value := n.value
	if s.pad && value[0] != '0' {
		return p, fault(hub.Invalid, "gs1.key", args{shorten(value)},
			"the key %q does not begin with 0", "主键 %q 没有以 0 开头")
	}
	size, err := o.prefixLength(value[s.prefixAt():])
	if err != nil {
		return p, err
	}
	if s.text {
		return p, p.splitText(value, size)
	}
	key, rest := value[:s.keyDigits()], value[s.keyDigits():]
	if s.appended() {
		p.serial = rest
	}
	if s.pieces {
		p.piece, p.total, key = key[14:16], key[16:18], key[:14]
	}
	body := key[s.prefixAt() : len(key)-1]
	p.prefix, p.ref = body[:size], body[size:]
	if s.leads {
		p.ref = key[:1] + p.ref
	}
	return p, nil
}

// splitText parts the company prefix from the reference of an alphanumeric key.
func (p *parts) splitText(value string, size int) error {
	if len(value) < size || !allIn(value[:size], digit) {
		return fault(hub.Invalid, "gs1.prefix-text", args{shorten(value), size},
			"%q does not begin with a company prefix of %d digits", "%q 没有以 %d 位数字的厂商识别代码开头")
	}
	p.prefix, p.ref = value[:size], value[size:]
	if p.ref == "" && !p.mayLackReference(p.serial == "" && p.scheme.serial > 0, lenient) {
		return badReference.fault(value)
	}
	return nil
}
