package schemas

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// JSON Schema patterns are ECMAScript's, which Go's engine nearly reads: the two differ in what \s and . match, in how
// characters are written by number, and in what else they understand. A pattern is translated for Go's engine, which is
// linear in time; only what that cannot do, such as (?!…), goes to a backtracking engine, with a limit on its time.

// matchTimeout bounds one match of a brand's own pattern that needs a backtracking engine.
const matchTimeout = 100 * time.Millisecond

// What ECMAScript's \s matches, as the inside of a class (ECMA-262, section 22.2.2.9), and everything else.
const (
	ecmaSpace    = `\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	ecmaNotSpace = `\x00-\x08\x0e-\x1f!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}` +
		`\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
	ecmaNotLineEnd = `[^\n\r\x{2028}\x{2029}]`
	ecmaAnything   = `\x00-\x{10ffff}`
)

var errNotECMAScript = errors.New("not a regular expression of ECMAScript")

// strictEngine compiles the patterns of our own schemas, which need no translation.
func strictEngine(pattern string) (jsonschema.Regexp, error) {
	return regexp.Compile(pattern)
}

// lenientEngine compiles the patterns of brands.
func lenientEngine(pattern string) (jsonschema.Regexp, error) {
	translated, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	if re, err := regexp.Compile(translated); err == nil {
		return linear{re, pattern}, nil
	}
	re, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = matchTimeout
	return backtracking{re}, nil
}

// linear is a translated pattern that shows its original.
type linear struct {
	*regexp.Regexp
	original string
}

// String implements [jsonschema.Regexp].
func (l linear) String() string { return l.original }

// backtracking adapts regexp2. A match that takes too long counts as none: the value is refused, the hub goes on.
type backtracking struct{ re *regexp2.Regexp }

// MatchString implements [jsonschema.Regexp].
func (b backtracking) MatchString(s string) bool {
	ok, err := b.re.MatchString(s)
	return err == nil && ok
}

// String implements [jsonschema.Regexp].
func (b backtracking) String() string { return b.re.String() }

// translate rewrites a pattern for Go's engine and refuses what is not ECMAScript.
func translate(pattern string) (string, error) {
	t := translator{in: pattern}
	for t.pos < len(t.in) {
		if err := t.step(); err != nil {
			return "", err
		}
	}
	return t.out.String(), nil
}

type translator struct {
	in      string
	pos     int
	out     strings.Builder
	inClass bool
}

// step translates the next token.
func (t *translator) step() error {
	rest := t.in[t.pos:]
	switch c := rest[0]; {
	case c == '\\':
		return t.escape(rest)
	case t.inClass && c == '[':
		t.emit(1, `\[`)
	case t.inClass && c == ']':
		t.inClass = false
		t.emit(1, "]")
	case t.inClass:
		t.emit(1, rest[:1])
	case strings.HasPrefix(rest, "[^]"):
		t.emit(3, "["+ecmaAnything+"]")
	case strings.HasPrefix(rest, "[]"):
		t.emit(2, "[^"+ecmaAnything+"]")
	case strings.HasPrefix(rest, "[^"):
		t.inClass = true
		t.emit(2, "[^")
	case c == '[':
		t.inClass = true
		t.emit(1, "[")
	case c == '.':
		t.emit(1, ecmaNotLineEnd)
	case strings.HasPrefix(rest, "(?"):
		return t.group(rest)
	default:
		t.emit(1, rest[:1])
	}
	return nil
}

func (t *translator) emit(consumed int, out string) {
	t.pos += consumed
	t.out.WriteString(out)
}

// group passes on the groups that ECMAScript has: (?: (?= (?! (?<= (?<! (?<name> and modifiers (?i: … ).
func (t *translator) group(rest string) error {
	inner := rest[2:]
	for _, known := range []string{":", "=", "!", "<"} {
		if strings.HasPrefix(inner, known) {
			t.emit(2, "(?")
			return nil
		}
	}
	flags, _, ok := strings.Cut(inner, ":")
	if !ok || flags == "" || strings.Trim(flags, "ims-") != "" {
		return fmt.Errorf("%w: group %q", errNotECMAScript, rest[:min(len(rest), 4)])
	}
	t.emit(2, "(?")
	return nil
}

// escape translates one escape sequence.
func (t *translator) escape(rest string) error {
	if len(rest) < 2 {
		return errNotECMAScript
	}
	switch c := rest[1]; {
	case c == 's':
		t.emit(2, t.class(ecmaSpace))
	case c == 'S':
		t.emit(2, t.class(ecmaNotSpace))
	case c == '/' || c == '-':
		t.emit(2, regexp.QuoteMeta(string(c)))
	case c == 'b' && t.inClass:
		t.emit(2, `\x08`)
	case strings.IndexByte("dDwWbBfnrtvpP^$\\.*+?()[]{}|", c) >= 0:
		t.emit(2, rest[:2])
	case c == 'c' && len(rest) > 2 && rest[2]|0x20 >= 'a' && rest[2]|0x20 <= 'z':
		t.emit(3, fmt.Sprintf(`\x%02x`, rest[2]&0x1F))
	case c == '0' && (len(rest) < 3 || !isDigits(rest[2:3])):
		t.emit(2, `\x00`)
	case c == 'x' && len(rest) >= 4 && isHex(rest[2]) && isHex(rest[3]):
		t.emit(4, rest[:4])
	case c == 'u':
		return t.unicode(rest)
	case c >= '1' && c <= '9' || c == 'k':
		t.emit(2, rest[:2]) // a back reference, which Go's engine refuses and the other one knows
	default:
		return fmt.Errorf(`%w: escape \%c`, errNotECMAScript, c)
	}
	return nil
}

// class wraps the inside of a class where no class is open.
func (t *translator) class(inside string) string {
	if t.inClass {
		return inside
	}
	return "[" + inside + "]"
}

// unicode translates \uHHHH and \u{H…}.
func (t *translator) unicode(rest string) error {
	digits, length := "", 6
	if strings.HasPrefix(rest, `\u{`) {
		if end := strings.IndexByte(rest, '}'); end > 3 {
			digits, length = rest[3:end], end+1
		}
	} else if len(rest) >= 6 {
		digits = rest[2:6]
	}
	if digits == "" || strings.Trim(digits, "0123456789abcdefABCDEF") != "" {
		return fmt.Errorf(`%w: escape \u`, errNotECMAScript)
	}
	t.emit(length, `\x{`+digits+`}`)
	return nil
}
