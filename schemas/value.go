package schemas

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

const (
	codeCBV = "schema.cbv-urn-in-json"

	// maxQuoted bounds how much of a sender's value a message repeats.
	maxQuoted = 80
)

// typeFault says that n is of the wrong type, and how it would be written.
func typeFault(n *node, want []string) *hub.Fault {
	want = slices.Compact(slices.Sorted(slices.Values(want)))
	names, namesZh := make([]string, len(want)), make([]string, len(want))
	for i, w := range want {
		names[i], namesZh[i] = typeName(w)
	}
	f := &hub.Fault{
		Kind: hub.Invalid, Code: "schema.type",
		Message:   fmt.Sprintf("found %s, expected %s", describe(n), strings.Join(names, " or ")),
		MessageZh: fmt.Sprintf("当前为%s，应为%s", describeZh(n), strings.Join(namesZh, "或")),
	}
	f.Hint, f.HintZh = typeAdvice(n, want)
	return f
}

func typeAdvice(n *node, want []string) (hint, hintZh string) {
	is := func(t string) bool { return slices.Contains(want, t) }
	switch {
	case n.kind == nullKind:
		return "give a value, or leave the field out when it is optional", "请给出值；字段可选时也可以不写"
	case n.kind == stringKind && (is("number") || is("integer")) && validNumber(strings.TrimSpace(n.text)):
		return "write it without quotes: " + strings.TrimSpace(n.text), "请去掉引号：" + strings.TrimSpace(n.text)
	case n.kind == stringKind && (is("number") || is("integer")) && plainNumber(n.text) != "":
		number := plainNumber(n.text)
		return "write the number alone, without quotes: " + number, "只写数字，不带引号：" + number
	case n.kind == stringKind && (is("number") || is("integer")):
		return "write digits without quotes, unit or thousands separator: 1200.5", "请写不带引号、单位和千分位的数字：1200.5"
	case n.kind == stringKind && is("boolean"):
		return "write true or false without quotes", "请写不带引号的 true 或 false"
	case n.kind == numberKind && is("integer"):
		return "write a whole number", "请写整数"
	case (n.kind == numberKind || n.kind == trueKind || n.kind == falseKind) && is("string"):
		return fmt.Sprintf("write it in quotes: %q", scalar(n)), fmt.Sprintf("请加引号：%q", scalar(n))
	case is("array") && n.kind != arrayKind:
		return "put it in a list: [ … ]", "请写成列表：[ … ]"
	case n.kind == arrayKind && len(n.items) == 1:
		return "write the one item without the list", "只有一项时请去掉列表的方括号"
	}
	return "", ""
}

// Looks of numbers as people write them: with separators of thousands, with a decimal comma, with a unit.
var (
	thousands    = regexp.MustCompile(`^-?\d{1,3}(,\d{3})+(\.\d+)?$`)
	decimalComma = regexp.MustCompile(`^-?\d+,\d+$`)
	withUnit     = regexp.MustCompile(`^(-?\d+(?:\.\d+)?)\s*[^\d\s.,-][^\d]*$`)
)

// plainNumber returns the JSON number that a text most likely means, or "".
func plainNumber(s string) string {
	s = strings.TrimSpace(s)
	switch m := withUnit.FindStringSubmatch(s); {
	case thousands.MatchString(s):
		s = strings.ReplaceAll(s, ",", "")
	case decimalComma.MatchString(s):
		s = strings.Replace(s, ",", ".", 1)
	case m != nil:
		s = m[1]
	}
	if !validNumber(s) {
		return ""
	}
	return s
}

// enumFault says that n is none of the allowed values.
func enumFault(n *node, want []any, w words) *hub.Fault {
	allowed := stringsOf(want)
	f := &hub.Fault{Kind: hub.Invalid, Code: "schema.enum"}
	found := quote(n)
	switch {
	case len(want) == 1:
		f.Message = fmt.Sprintf("found %s, expected %s", found, marshal(want[0]))
		f.MessageZh = fmt.Sprintf("当前为 %s，应为 %s", found, marshal(want[0]))
	case w.noun != "":
		f.Message = fmt.Sprintf("%s is not %s", found, w.noun)
		f.MessageZh = fmt.Sprintf("%s 不是有效的%s", found, w.nounZh)
	default:
		f.Message = fmt.Sprintf("found %s, expected one of %s", found, listValues(want))
		f.MessageZh = fmt.Sprintf("当前为 %s，应为以下之一：%s", found, listValues(want))
	}
	near := spelling.Nearest(n.str(), allowed, spelling.Typed)
	switch {
	case len(want) == 1:
	case near != "":
		f.Hint, f.HintZh = fmt.Sprintf("did you mean %q?", near), fmt.Sprintf("是否指 %q？", near)
	case w.noun != "":
		f.Hint, f.HintZh = "use one of "+listValues(want), "可用值："+listValues(want)
	}
	if w.open && (near == "" || !spelling.Same(near, n.str())) {
		f.Hint += ownValue(f.Hint, "a value of your own must be a URI, such as \"example:"+wordForm(n.str())+"\"", "; ")
		f.HintZh += ownValue(f.HintZh, "自定义的值必须是 URI，例如 \"example:"+wordForm(n.str())+"\"", "；")
	}
	return f
}

func ownValue(before, advice, separator string) string {
	switch {
	case before == "":
		return advice
	case strings.HasSuffix(before, "?") || strings.HasSuffix(before, "？"):
		return " " + advice
	}
	return separator + advice
}

// wordForm turns what a sender wrote into the shape of a vocabulary word.
func wordForm(s string) string {
	word := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-':
			return r
		case r == ' ':
			return '_'
		}
		return -1
	}, s)
	if word == "" || len(word) > 64 {
		return "yourWord"
	}
	return word
}

// cbvFault says that a value of a GS1 vocabulary stands as URN or web URI where JSON has its bare word.
func cbvFault(found string, allowed []string) *hub.Fault {
	word := found[strings.LastIndexAny(found, ":/#-")+1:]
	f := newFault(codeCBV, "in JSON a value of the GS1 vocabulary is its bare word, found %s", "在 JSON 中，GS1 词汇的值只写词本身，当前为 %s", clip(found))
	switch near := spelling.Nearest(word, allowed, spelling.Typed); {
	case slices.Contains(allowed, word):
		f.Hint, f.HintZh = fmt.Sprintf("write %q", word), fmt.Sprintf("请写 %q", word)
	case near != "":
		f.Hint = fmt.Sprintf("write %q, if that is what is meant; the vocabulary has no %q", near, word)
		f.HintZh = fmt.Sprintf("如果是这个意思，请写 %q；词汇中没有 %q", near, word)
	default:
		f.Hint = fmt.Sprintf("the vocabulary has no %q; use one of %s, or a URI of your own vocabulary", word, quoteList(allowed))
		f.HintZh = fmt.Sprintf("词汇中没有 %q；可用值：%s，或用自己词汇的 URI", word, quoteList(allowed))
	}
	return f
}

// patternFault says that n does not have the form it should. Where the schema names the form, the pattern is left out.
func patternFault(n *node, pattern string, w words) *hub.Fault {
	if w.noun != "" {
		return &hub.Fault{
			Kind: hub.Invalid, Code: "schema.pattern",
			Message:   fmt.Sprintf("%s is not %s", quote(n), w.noun),
			MessageZh: fmt.Sprintf("%s 不是有效的%s", quote(n), w.nounZh),
		}
	}
	return newFault("schema.pattern", "%s does not have the form %s", "%s 不符合格式 %s", quote(n), pattern)
}

// formatFault says that the text n is not of the format.
func formatFault(n *node, format string) *hub.Fault {
	const code = "schema.format"
	switch format {
	case "uri":
		f := newFault(code, "%s is not a URI", "%s 不是 URI", quote(n))
		f.Hint, f.HintZh = uriAdvice(n.str())
		return f
	case "date-time":
		f := newFault(code, "%s is not a date and time with a zone", "%s 不是带时区的日期时间", quote(n))
		f.Hint, f.HintZh = timeAdvice(n.str())
		return f
	}
	if format == "date" {
		f := newFault(code, "%s is not a date", "%s 不是日期", quote(n))
		f.Hint, f.HintZh = "write a date that exists as \"2026-01-31\"", "请写成 \"2026-01-31\"，且日期必须存在"
		return f
	}
	return newFault(code, "%s is not of the format %q", "%s 不符合格式 %q", quote(n), format)
}

// quote renders a sender's value for a message, short and on one line.
func quote(n *node) string {
	switch n.kind {
	case stringKind:
		return clip(n.text)
	case arrayKind:
		return "[…]"
	case objectKind:
		return "{…}"
	case nullKind, falseKind, trueKind, numberKind:
	}
	return scalar(n)
}

// clip quotes s, cut to a readable length. Control characters are escaped, other scripts stay as they are.
func clip(s string) string {
	if utf8.RuneCountInString(s) > maxQuoted {
		s = string([]rune(s)[:maxQuoted]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

func scalar(n *node) string {
	switch n.kind {
	case falseKind:
		return "false"
	case trueKind:
		return "true"
	case numberKind:
		if len(n.text) > maxQuoted {
			return n.text[:maxQuoted] + "…"
		}
		return n.text
	case nullKind, stringKind, arrayKind, objectKind:
	}
	return "null"
}

// describe names the type of n, with the value where it is short.
func describe(n *node) string {
	switch n.kind {
	case nullKind:
		return "null"
	case falseKind, trueKind:
		return "the boolean " + scalar(n)
	case numberKind:
		return "the number " + scalar(n)
	case stringKind:
		return "the text " + clip(n.text)
	case arrayKind:
		return "a list"
	case objectKind:
	}
	return "an object"
}

func describeZh(n *node) string {
	switch n.kind {
	case nullKind:
		return " null"
	case falseKind, trueKind:
		return "布尔值 " + scalar(n)
	case numberKind:
		return "数字 " + scalar(n)
	case stringKind:
		return "文本 " + clip(n.text)
	case arrayKind:
		return "列表"
	case objectKind:
	}
	return "对象"
}

func typeName(t string) (en, zh string) {
	switch t {
	case "string":
		return "text", "文本"
	case "number":
		return "a number", "数字"
	case "integer":
		return "a whole number", "整数"
	case "boolean":
		return "true or false", " true 或 false"
	case "array":
		return "a list", "列表"
	case "object":
		return "an object", "对象"
	}
	return "null", " null"
}

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, ", ")
}

// listValues lists allowed values, cut to a readable number.
func listValues(values []any) string {
	const most = 48
	var parts []string
	for i, v := range values {
		if i == most {
			parts = append(parts, fmt.Sprintf("… (%d in all)", len(values)))
			break
		}
		if s, ok := v.(string); ok && len(values) > 3 {
			parts = append(parts, s)
			continue
		}
		parts = append(parts, marshal(v))
	}
	return strings.Join(parts, ", ")
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
