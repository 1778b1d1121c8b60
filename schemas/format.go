package schemas

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var (
	errNotURI      = errors.New("not a URI as RFC 3986 has it")
	errNotDateTime = errors.New("not a date-time as RFC 3339 has it")
	errNotFormat   = errors.New("not of this format")
)

// formats returns the formats whose meaning we fix ourselves, because verdicts hang on them.
func formats() []*jsonschema.Format {
	return []*jsonschema.Format{
		stringFormat("uri", errNotURI, isURI[string]),
		stringFormat("uri-reference", errNotURI, isURIReference[string]),
		stringFormat("iri", errNotURI, func(s string) bool { return isURI(encodeScripts(s)) }),
		stringFormat("iri-reference", errNotURI, func(s string) bool { return isURIReference(encodeScripts(s)) }),
		stringFormat("uri-template", errNotFormat, isURITemplate),
		stringFormat("date-time", errNotDateTime, isDateTime[string]),
		stringFormat("duration", errNotFormat, func(s string) bool { return s != "P" && duration.MatchString(s) }),
		stringFormat("ipv4", errNotFormat, isIPv4),
		stringFormat("hostname", errNotFormat, isHostname),
		stringFormat("idn-hostname", errNotFormat, isIDNHostname),
		stringFormat("email", errNotFormat, isEmail),
		stringFormat("idn-email", errNotFormat, isIDNEmail),
	}
}

// duration is a duration of RFC 3339, appendix A: no unit is left out between two others, and weeks stand alone.
var duration = regexp.MustCompile(`^P(?:\d+W|(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)?(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?)$`)

func stringFormat(name string, bad error, ok func(string) bool) *jsonschema.Format {
	return &jsonschema.Format{Name: name, Validate: func(v any) error {
		if s, isString := v.(string); isString && !ok(s) {
			return bad
		}
		return nil
	}}
}

// encodeScripts percent-encodes what an IRI may hold and a URI may not (RFC 3987, section 3.1); private characters may
// stand in its query only.
func encodeScripts(s string) string {
	var b strings.Builder
	inQuery := false
	for _, r := range s {
		inQuery = (inQuery || r == '?') && r != '#'
		if r < 0xA0 || r == utf8.RuneError || unicode.Is(unicode.Co, r) && !inQuery {
			b.WriteRune(r)
		} else {
			b.WriteString(percentEncode(r))
		}
	}
	return b.String()
}

// text is what the scanners below read: the same rules hold for decoded strings and for bytes in place.
type text interface{ ~string | ~[]byte }

// isURI reports whether s is a URI with a scheme (RFC 3986, section 3). A compact URI such as "example:id" is one.
func isURI[T text](s T) bool {
	i := schemeLength(s)
	return i > 0 && isHierPart(s[i:])
}

// isURIReference reports whether s is a URI or a relative reference (RFC 3986, section 4.1).
func isURIReference[T text](s T) bool {
	if i := schemeLength(s); i > 0 {
		return isHierPart(s[i:])
	}
	for i := range len(s) { // the first segment of a relative path has no colon
		if s[i] == '/' || s[i] == '?' || s[i] == '#' {
			break
		}
		if s[i] == ':' {
			return false
		}
	}
	return isHierPart(s)
}

// schemeLength returns the length of the scheme with its colon, or 0.
func schemeLength[T text](s T) int {
	for i := range len(s) {
		c := s[i]
		switch {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return i + 1
		default:
			return 0
		}
	}
	return 0
}

// isHierPart checks what follows the scheme: authority, path, query, fragment.
func isHierPart[T text](s T) bool {
	i := 0
	if len(s) >= 2 && s[0] == '/' && s[1] == '/' {
		end := 2
		for end < len(s) && s[end] != '/' && s[end] != '?' && s[end] != '#' {
			end++
		}
		if !isAuthority(s[2:end]) {
			return false
		}
		i = end
	}
	seen := byte(pathByte)
	for i < len(s) {
		c := s[i]
		switch {
		case c < 0x80 && uriBytes[c]&seen != 0:
		case c == '%':
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
			i += 2
		case c == '?' && seen == pathByte:
			seen = queryByte
		case c == '#' && seen != fragmentByte:
			seen = fragmentByte
		default:
			return false
		}
		i++
	}
	return true
}

// isAuthority checks [userinfo "@"] host [":" port].
func isAuthority[T text](s T) bool {
	if allOf(s, hostByte) { // as most are: no user, no port, no address in brackets
		return true
	}
	host := 0
	for i := range len(s) {
		if s[i] == '@' {
			if !allOf(s[:i], userinfoByte) {
				return false
			}
			host = i + 1
			break
		}
	}
	rest := s[host:]
	if len(rest) > 0 && rest[0] == '[' {
		end := strings.IndexByte(string(rest), ']')
		if end < 0 || !isIPLiteral(string(rest[1:end])) {
			return false
		}
		rest = rest[end+1:]
		return len(rest) == 0 || rest[0] == ':' && isDigits(rest[1:])
	}
	for i := range len(rest) {
		if rest[i] == ':' {
			return allOf(rest[:i], hostByte) && isDigits(rest[i+1:])
		}
	}
	return allOf(rest, hostByte)
}

// isIPLiteral checks what stands between the brackets of a host: an IPv6 address without zone, or a future version.
func isIPLiteral(s string) bool {
	if s != "" && s[0]|0x20 == 'v' {
		version, rest, ok := strings.Cut(s[1:], ".")
		return ok && version != "" && rest != "" && strings.Trim(version, "0123456789abcdefABCDEF") == "" &&
			allOf(rest, userinfoByte) && !strings.Contains(rest, "%")
	}
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is6() && a.Zone() == ""
}

// allOf reports whether every character of s, percent-encoded ones included, is of the class.
func allOf[T text](s T, class byte) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				return false
			}
			i += 2
			continue
		}
		if c >= 0x80 || uriBytes[c]&class == 0 {
			return false
		}
	}
	return true
}

func isDigits[T text](s T) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

// Classes of characters in the parts of a URI (RFC 3986, appendix A).
const (
	pathByte = 1 << iota
	queryByte
	fragmentByte
	hostByte
	userinfoByte
)

//nolint:gochecknoglobals // read-only table
var uriBytes = func() (t [128]byte) {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	for _, c := range []byte(unreserved + "!$&'()*+,;=") {
		t[c] = pathByte | queryByte | fragmentByte | hostByte | userinfoByte
	}
	t[':'] = pathByte | queryByte | fragmentByte | userinfoByte
	t['@'] = pathByte | queryByte | fragmentByte
	t['/'] = pathByte | queryByte | fragmentByte
	t['?'] = queryByte | fragmentByte
	return t
}()

// isDateTime reports whether s is a date-time (RFC 3339, section 5.6), leap seconds included where UTC may have one.
func isDateTime[T text](s T) bool {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return false
	}
	year, month, day := digits(s[0:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, second := digits(s[11:13]), digits(s[14:16]), digits(s[17:19])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 {
		return false
	}
	zone := 19
	if s[19] == '.' {
		zone++
		for zone < len(s) && s[zone] >= '0' && s[zone] <= '9' {
			zone++
		}
		if zone == 20 {
			return false
		}
	}
	offset, ok := zoneMinutes(s[zone:])
	if !ok {
		return false
	}
	if second == 60 {
		const day = 24 * 60
		return (hour*60+minute-offset+2*day)%day == day-1
	}
	return true
}

// zoneMinutes reads "Z", "+hh:mm" or "-hh:mm".
func zoneMinutes[T text](s T) (minutes int, ok bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != 6 || s[3] != ':' || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, m := digits(s[1:3]), digits(s[4:6])
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, false
	}
	if s[0] == '-' {
		return -h*60 - m, true
	}
	return h*60 + m, true
}

// digits returns the number that s spells, or -1.
func digits[T text](s T) int {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return -1
		}
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
