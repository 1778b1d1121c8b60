package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"
)

// maxText is the longest text that a function makes.
const maxText = 1 << 20

// str is argument i, or "" when it was left out.
func str(a []any, i int) string {
	if i >= len(a) {
		return ""
	}
	v, _ := a[i].(string)
	return v
}

func trimmed(a []any, i int) string { return strings.TrimSpace(str(a, i)) }

// textFunctions work on text.
func textFunctions() map[string]*function {
	blank := func(name string) param { return param{name: name, kind: textKind, blank: true} }
	plain := func(usage, doc string, f func(string) string) *function {
		return &function{usage: usage, doc: doc, params: []param{blank("text")}, min: 1, result: textKind,
			call: func(s *scope, a []any) (any, *trouble) { return f(str(a, 0)), charge(s, len(str(a, 0))) }}
	}
	return map[string]*function{
		"trim":   plain("trim(text)", "without blanks at both ends, ideographic ones too", strings.TrimSpace),
		"upper":  plain("upper(text)", "in upper case", strings.ToUpper),
		"lower":  plain("lower(text)", "in lower case", strings.ToLower),
		"escape": plain("escape(text)", "percent-encoded, to stand in a URI", url.PathEscape),
		"text":   plain("text(value)", "a number as text", func(s string) string { return s }),
		"replace": {usage: "replace(text, old, new)", doc: "every old replaced by new", params: []param{blank("text"), {name: "old", kind: textKind}, blank("new")}, min: 3, result: textKind,
			call: replaceText},
		"split": {usage: "split(text, separator)", doc: "the list of the parts, trimmed, without empty ones", params: []param{blank("text"), {name: "separator", kind: textKind}}, min: 2, result: listKind, call: splitText},
		"join":  {usage: "join(list, separator)", doc: "one text of a list's texts and numbers", params: []param{{name: "list", kind: listKind, blank: true}, blank("separator")}, min: 2, result: textKind, call: joinText},
		"regex": {usage: "regex(text, 'pattern')", doc: "the first group of the pattern, or the whole match, RE2 syntax; no match is a missing value",
			params: []param{blank("text"), {name: "pattern", kind: textKind}}, min: 2, result: textKind, prepare: prepareRegex},
		"pad":     {usage: "pad(text, width, fill)", doc: "filled on the left to width; fill is '0' unless given", params: []param{{name: "text", kind: textKind}, {name: "width", kind: numberKind}, {name: "fill", kind: textKind}}, min: 2, result: textKind, call: padText},
		"number":  {usage: "number(text, decimalMark)", doc: "the number that a text states, digit for digit; blanks and the other of , and . part thousands", params: []param{{name: "text", kind: textKind}, {name: "decimalMark", kind: textKind}}, min: 1, result: numberKind, call: numberText},
		"decimal": {usage: "decimal(number, places)", doc: "rounded half up to places, and written with that many", params: []param{{name: "number", kind: textKind}, {name: "places", kind: numberKind}}, min: 2, result: numberKind, call: decimalText},
		"hash":    {usage: "hash(value, …)", doc: "SHA-256 of the values in hexadecimal, the same for the same values", params: []param{blank("value")}, min: 1, repeats: true, result: textKind, call: hashText},
		"uuid5":   {usage: "uuid5(space, name)", doc: "the UUID of a name: 'dns', 'url', 'oid', 'x500' or a UUID as space", params: []param{{name: "space", kind: textKind}, {name: "name", kind: textKind}}, min: 2, result: textKind, call: uuid5},
	}
}

// charge spends the steps that n bytes of text cost.
func charge(s *scope, n int) *trouble {
	if n > maxText*64 {
		return tooLong()
	}
	if s.steps -= n / 64; s.steps < 0 {
		return tooManySteps()
	}
	return nil
}

func tooLong() *trouble {
	return problem("map.limit", "a text of more than %d bytes would be made", "将产生超过 %d 字节的文本", maxText)
}

func replaceText(s *scope, a []any) (any, *trouble) {
	text, old, with := str(a, 0), str(a, 1), str(a, 2)
	n := len(text) + strings.Count(text, old)*len(with)
	if n > maxText {
		return nil, tooLong()
	}
	if t := charge(s, n); t != nil {
		return nil, t
	}
	return strings.ReplaceAll(text, old, with), nil
}

func splitText(s *scope, a []any) (any, *trouble) {
	out := []any{}
	for part := range strings.SplitSeq(str(a, 0), str(a, 1)) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out, charge(s, 64*len(out)+len(str(a, 0)))
}

func joinText(s *scope, a []any) (any, *trouble) {
	list, _ := a[0].([]any)
	parts := make([]string, 0, len(list))
	total := 0
	for i, v := range list {
		part, ok := text(v)
		if !ok && v != nil {
			return nil, typeProblem("element %d of the list is %s, not text", "列表第 %d 个元素是%s，而不是文本", i+1, describe(v)).at(0)
		}
		if part != "" {
			parts = append(parts, part)
			total += len(part) + len(str(a, 1))
		}
	}
	if total > maxText {
		return nil, tooLong()
	}
	if t := charge(s, total); t != nil {
		return nil, t
	}
	return strings.Join(parts, str(a, 1)), nil
}

func prepareRegex(_ *exprCompiler, args []*expr) (func(*scope, []any) (any, *trouble), *trouble) {
	re, t := pattern(args[1])
	if t != nil {
		return nil, t.at(1)
	}
	return func(s *scope, a []any) (any, *trouble) {
		m := re.FindStringSubmatch(str(a, 0))
		if m == nil {
			t := problem("map.missing", "%q does not match the pattern %s", "%q 与正则表达式 %s 不匹配", clip(str(a, 0)), re).at(0)
			t.absent = true
			return nil, t.hint("if it may not match use default(regex(…), …)", "若可能不匹配，请使用 default(regex(…), …)")
		}
		if len(m) > 1 {
			return m[1], charge(s, len(str(a, 0)))
		}
		return m[0], charge(s, len(str(a, 0)))
	}, nil
}

func padText(s *scope, a []any) (any, *trouble) {
	width, ok := integer(a[1])
	if !ok || width < 0 || width > 1000 {
		return nil, typeProblem("the width is a whole number up to 1000, not %s", "宽度应为不超过 1000 的整数，而不是 %s", show(a[1])).at(1)
	}
	fill := "0"
	if len(a) > 2 {
		fill = str(a, 2)
	}
	lack := width - utf8.RuneCountInString(str(a, 0))
	if lack <= 0 {
		return a[0], nil
	}
	return strings.Repeat(fill, lack) + str(a, 0), charge(s, lack*len(fill))
}

func numberText(_ *scope, a []any) (any, *trouble) {
	src := trimmed(a, 0)
	mark := "."
	if len(a) > 1 {
		mark = str(a, 1)
	}
	if mark != "." && mark != "," {
		return nil, typeProblem("the decimal mark is '.' or ',', not %q", "小数点应为 '.' 或 ','，而不是 %q", clip(mark)).at(1)
	}
	thousands := ","
	if mark == "," {
		thousands = "."
	}
	clean := strings.NewReplacer(thousands, "", " ", "", "\u00a0", "", "'", "", mark, ".").Replace(src)
	if n, ok := jsonNumber(clean); ok {
		return n, nil
	}
	return nil, typeProblem("%q is no number", "%q 不是数字", clip(src)).at(0)
}

func decimalText(_ *scope, a []any) (any, *trouble) {
	d, ok := parseDecimal(trimmed(a, 0))
	if !ok {
		return nil, typeProblem("%q is no number", "%q 不是数字", clip(str(a, 0))).at(0).hint("thousands marks are removed by number(…)", "千位分隔符请用 number(…) 去除")
	}
	places, ok := integer(a[1])
	if !ok || places < 0 || places > 18 {
		return nil, typeProblem("places is a whole number from 0 to 18, not %s", "小数位数应为 0 到 18 的整数，而不是 %s", show(a[1])).at(1)
	}
	c := arithmetic()
	c.Rounding = apd.RoundHalfUp
	var out apd.Decimal
	if _, err := c.Quantize(&out, d, -int32(places)); err != nil || out.Form != apd.Finite {
		return nil, typeProblem("%q is too large", "%q 过大", clip(str(a, 0))).at(0)
	}
	return numberOf(&out), nil
}

func hashText(s *scope, a []any) (any, *trouble) {
	h := sha256.New()
	for i := range a {
		part := str(a, i)
		if t := charge(s, len(part)); t != nil {
			return nil, t
		}
		h.Write([]byte(part))
		h.Write([]byte{0x1f}) // ("ab", "c") and ("a", "bc") are not the same values
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
