package gs1

import (
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// element is one application identifier and its data, unescaped.
type element struct {
	app  *application
	data string
}

// Limits on one message; a symbol holds far less.
const (
	maxElements = 64
	maxMessage  = 8192
)

// The separator of element strings (FNC1) as scanners transmit it, and as it is written where people read it.
const (
	groupSeparator = '\x1d'
	caret          = '^'
)

// parseBracketed reads "(01)…(10)…". A bracket in data is written \( .
func parseBracketed(text string) ([]element, error) {
	if len(text) > maxMessage {
		return nil, tooLong(len(text))
	}
	var found []element
	for rest := text; rest != ""; {
		if rest[0] != '(' {
			return nil, bracketFault(text, len(text)-len(rest))
		}
		ai, after, closed := strings.Cut(rest[1:], ")")
		if !closed || after == "" {
			return nil, bracketFault(text, len(text)-len(rest))
		}
		app := applicationOf(ai)
		if app == nil {
			return nil, unknownAI(ai)
		}
		data, tail := cutBracketed(after)
		e := element{app, data}
		if err := e.checkLength(); err != nil {
			return nil, err
		}
		if found = append(found, e); len(found) > maxElements {
			return nil, tooMany()
		}
		rest = tail
	}
	if found == nil {
		return nil, bracketFault(text, 0)
	}
	return found, nil
}

// cutBracketed parts data from the next AI, undoing the escapes of brackets.
func cutBracketed(text string) (data, rest string) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '(')
		if i < 0 {
			b.WriteString(text)
			return b.String(), ""
		}
		if i == 0 || text[i-1] != '\\' {
			b.WriteString(text[:i])
			return b.String(), text[i:]
		}
		b.WriteString(text[:i-1])
		b.WriteByte('(')
		text = text[i+1:]
	}
}

// parseRaw reads what a scanner transmits: fields that run into one another where their length is fixed, parted by FNC1
// where it is not. FNC1 is ^ or ASCII 29 and comes first, or an AIM symbology identifier (]C1, ]d2, ]Q3, ]e0, ]J1) does. A
// scanner that transmits neither is understood where the data begins with a GTIN or SSCC whose check digit is right.
func parseRaw(text string) ([]element, error) {
	if len(text) > maxMessage {
		return nil, tooLong(len(text))
	}
	rest, ok := cutStart(text)
	if !ok {
		return nil, hinted(fault(hub.Invalid, "gs1.fnc1-missing", args{shorten(text)},
			"%q does not begin with FNC1", "%q 没有以 FNC1 开头"),
			"write FNC1 as ^ or ASCII 29", "请用 ^ 或 ASCII 29 表示 FNC1")
	}
	rest = strings.ReplaceAll(rest, string(groupSeparator), string(caret))
	var found []element
	for rest != "" {
		app := applicationAt(rest)
		if app == nil {
			return nil, unknownAI(shorten(rest[:min(4, len(rest))]))
		}
		field, tail, _ := strings.Cut(rest[len(app.ai):], string(caret))
		if n := app.longest(); !app.ends && len(field) > n {
			field, tail = rest[len(app.ai):len(app.ai)+n], rest[len(app.ai)+n:]
		}
		e := element{app, field}
		if err := e.checkLength(); err != nil {
			return nil, err
		}
		if found = append(found, e); len(found) > maxElements {
			return nil, tooMany()
		}
		rest = tail
	}
	if found == nil {
		return nil, fault(hub.Invalid, "gs1.empty", nil, "there is no data after FNC1", "FNC1 之后没有数据")
	}
	return found, nil
}

// cutStart removes what stands for FNC1 in the first position.
func cutStart(text string) (rest string, ok bool) {
	for _, start := range [...]string{"^", "\x1d", "]C1", "]d2", "]Q3", "]e0", "]J1"} {
		if rest, ok = strings.CutPrefix(text, start); ok {
			return rest, true
		}
	}
	return text, beginsWithKey(text)
}

// beginsWithKey reports whether text begins with AI 01 or 00 and a key with a right check digit.
func beginsWithKey(text string) bool {
	for _, k := range [...]struct {
		ai     string
		digits int
	}{{"01", 14}, {"00", 18}} {
		key, ok := strings.CutPrefix(text, k.ai)
		if ok && len(key) >= k.digits && isDigits(key[:k.digits], k.digits) && checked(key[:k.digits]) {
			return true
		}
	}
	return false
}

// checkLength refuses data of the wrong length, before its content is looked at.
func (e element) checkLength() error {
	n := len(e.data)
	switch {
	case n == 0:
		return fault(hub.Invalid, "gs1.ai-empty", args{e.app.ai}, "AI (%s) has no data", "AI (%s) 没有数据")
	case n < e.app.shortest():
		return fault(hub.Invalid, "gs1.ai-short", args{e.app.ai, e.app.shortest(), n},
			"AI (%s) has at least %d characters, got %d", "AI (%s) 至少 %d 个字符，得到 %d 个")
	case n > e.app.longest():
		return fault(hub.Invalid, "gs1.ai-long", args{e.app.ai, e.app.longest(), n},
			"AI (%s) has at most %d characters, got %d", "AI (%s) 最多 %d 个字符，得到 %d 个")
	case strings.IndexByte(e.data, caret) >= 0:
		return fault(hub.Invalid, "gs1.ai-separator", args{e.app.ai},
			"the data of AI (%s) holds a separator", "AI (%s) 的数据中含有分隔符")
	}
	return nil
}

// lint checks the content of the data, component by component.
func (e element) lint(table *PrefixTable) error {
	at := 0
	for _, c := range e.app.components {
		part := e.data[at:]
		if len(part) > c.max {
			part = part[:c.max]
		}
		if c.optional && part == "" {
			continue
		}
		if len(part) < c.min {
			return fault(hub.Invalid, "gs1.ai-length", args{e.app.ai, at + len(part)},
				"AI (%s) ends within a field, after %d characters", "AI (%s) 在第 %d 个字符之后中断")
		}
		if f := c.lint(part, table); f.Code != "" {
			return e.flawFault(f.shifted(at))
		}
		at += len(part)
	}
	if at < len(e.data) {
		return fault(hub.Invalid, "gs1.ai-long", args{e.app.ai, at, len(e.data)},
			"AI (%s) has at most %d characters, got %d", "AI (%s) 最多 %d 个字符，得到 %d 个")
	}
	return nil
}

// lint runs the checks of one component over its part of the data.
func (c component) lint(part string, table *PrefixTable) Flaw {
	var f Flaw
	switch c.set {
	case 'N':
		f = lintDigits(part)
	case 'X':
		f = lintSet(part, cset82, "invalid-cset82-character")
	case 'Y':
		f = lintSet(part, cset39, "invalid-cset39-character")
	case 'Z':
		f = lintBase64(part)
	}
	for _, check := range c.checks {
		if f.Code != "" {
			return f
		}
		f = lintNamed(check)(part, table)
	}
	return f
}

// flawFault says which data of which AI is flawed.
func (e element) flawFault(f Flaw) error {
	marked := e.data[:f.At] + "*" + e.data[f.At:f.At+f.Len] + "*" + e.data[f.At+f.Len:]
	words := strings.ReplaceAll(f.Code, "-", " ")
	return fault(hub.Invalid, "gs1."+f.Code, args{e.app.ai, words, marked},
		"AI (%s): %s at *…* in %q", "AI (%s)：%s，见 %q 中 *…* 处")
}

// lintAll checks the content of every element.
func lintAll(elements []element, table *PrefixTable) error {
	for _, e := range elements {
		if err := e.lint(table); err != nil {
			return err
		}
	}
	return nil
}

// formatRaw writes elements as they are encoded, with ^ for FNC1.
func formatRaw(elements []element) string {
	b := []byte{caret}
	for i, e := range elements {
		b = append(b, e.app.ai...)
		b = append(b, e.data...)
		if e.app.ends && i < len(elements)-1 {
			b = append(b, caret)
		}
	}
	return string(b)
}

// formatBracketed writes elements for people.
func formatBracketed(elements []element) string {
	var b strings.Builder
	for _, e := range elements {
		b.WriteByte('(')
		b.WriteString(e.app.ai)
		b.WriteByte(')')
		b.WriteString(strings.ReplaceAll(e.data, "(", `\(`))
	}
	return b.String()
}

// associate checks that the elements go together: none excludes another, repeated ones agree, a digital signature goes
// with a serialised key, and, where complete says that no other carrier of the item adds to them, all that one needs is
// there (GS1 General Specifications, section 4.13).
func associate(elements []element, complete bool) error {
	for i, e := range elements {
		for _, other := range elements[i+1:] {
			if other.app == e.app && other.data != e.data {
				return fault(hub.Invalid, "gs1.ai-repeated", args{e.app.ai},
					"AI (%s) occurs twice with different data", "AI (%s) 出现两次且数据不同")
			}
		}
		for _, pattern := range e.app.excludes {
			if other := findAI(elements, pattern, e.app.ai); other != "" {
				return fault(hub.Invalid, "gs1.ai-exclusive", args{e.app.ai, other},
					"AI (%s) must not occur together with AI (%s)", "AI (%s) 不得与 AI (%s) 同时出现")
			}
		}
		if complete && !e.satisfied(elements) {
			return fault(hub.Invalid, "gs1.ai-missing", args{e.app.ai, e.app.needs()},
				"AI (%s) must come with %s", "AI (%s) 必须与 %s 同时出现")
		}
	}
	return signedKeys(elements)
}

// findAI returns an AI of that form other than self, or "".
func findAI(elements []element, pattern, self string) string {
	i := slices.IndexFunc(elements, func(e element) bool { return e.app.ai != self && matchesAI(pattern, e.app.ai) })
	if i < 0 {
		return ""
	}
	return elements[i].app.ai
}

// satisfied reports whether one group of what e needs is there.
func (e element) satisfied(elements []element) bool {
	return len(e.app.requires) == 0 || slices.ContainsFunc(e.app.requires, func(group []string) bool {
		return !slices.ContainsFunc(group, func(ai string) bool { return findAI(elements, ai, e.app.ai) == "" })
	})
}

// needs says what a must come with.
func (a *application) needs() string {
	groups := make([]string, len(a.requires))
	for i, group := range a.requires {
		groups[i] = "(" + strings.Join(group, ")+(") + ")"
	}
	return strings.Join(groups, " | ")
}

// signedKeys wants the serial of a key that comes with a digital signature.
func signedKeys(elements []element) error {
	if findAI(elements, "8030", "") == "" {
		return nil
	}
	for _, e := range elements {
		switch e.app.ai {
		case "253", "255", "8003":
			if len(e.data) == e.app.shortest() {
				return fault(hub.Invalid, "gs1.ai-serial", args{e.app.ai},
					"AI (%s) needs its serial where a digital signature (8030) is present",
					"存在数字签名 (8030) 时，AI (%s) 必须包含序列号")
			}
		}
	}
	return nil
}

// bracketFault says where a bracketed element string goes wrong.
func bracketFault(text string, at int) error {
	return hinted(fault(hub.Invalid, "gs1.brackets", args{shorten(text), at + 1},
		"%q is no bracketed element string: at character %d there should be (AI) and data",
		"%q 不是带括号的单元数据串：第 %d 个字符处应为 (AI) 和数据"),
		`write a bracket that belongs to data as \(`, `数据中的括号请写作 \(`)
}

// unknownAI says that there is no such AI.
func unknownAI(ai string) error {
	return fault(hub.Invalid, "gs1.ai-unknown", args{shorten(ai)},
		"no application identifier begins here: %q", "此处没有应用标识符：%q")
}

// tooMany refuses messages that no symbol holds.
func tooMany() error {
	return fault(hub.TooLarge, "gs1.too-many", args{maxElements},
		"there are more than %d application identifiers", "应用标识符超过 %d 个")
}

// tooLong refuses text that is no identifier for its length alone.
func tooLong(n int) error {
	return fault(hub.TooLarge, "gs1.too-long", args{n, maxMessage},
		"the value has %d bytes, at most %d are read", "该值有 %d 字节，最多读取 %d 字节")
}
