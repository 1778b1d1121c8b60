package schemas

import (
	"net/url"
	"regexp"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// matchTimeout bounds one match of a brand's own pattern that needs a backtracking engine.
const matchTimeout = 100 * time.Millisecond

// strictEngine compiles patterns with Go's own engine, which is linear in time. Our schemas need no other.
func strictEngine(pattern string) (jsonschema.Regexp, error) {
	return regexp.Compile(pattern)
}

// lenientEngine compiles the patterns of brands, which may use what only ECMAScript has, such as (?!…).
func lenientEngine(pattern string) (jsonschema.Regexp, error) {
	if re, err := regexp.Compile(pattern); err == nil {
		return re, nil
	}
	re, err := regexp2.Compile(pattern, regexp2.ECMAScript)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = matchTimeout
	return backtracking{re}, nil
}

// backtracking adapts regexp2. A match that takes too long counts as none: the value is refused, the hub goes on.
type backtracking struct{ re *regexp2.Regexp }

// MatchString implements [jsonschema.Regexp].
func (b backtracking) MatchString(s string) bool {
	ok, err := b.re.MatchString(s)
	return err == nil && ok
}

// String implements [jsonschema.Regexp].
func (b backtracking) String() string { return b.re.String() }

func unescapePercent(s string) (string, error) { return url.PathUnescape(s) }
