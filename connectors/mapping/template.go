package mapping

import (
	"encoding/json"
	"slices"
	"strings"
)

// piece is a compiled part of a template: a constant, or a way to build it. An empty value drops the field.
type piece struct {
	constant bool
	value    any
	build    func(*scope) (any, error)
}

func fixed(v any) *piece {
	return &piece{constant: true, value: v, build: func(*scope) (any, error) { return v, nil }}
}

// value compiles a part of a template. It returns nil after a fault.
func (l *loader) value(n *node, sp *spec, target string) *piece {
	switch n.shape {
	case objectShape:
		return l.objectPiece(n, sp, target)
	case listShape:
		return l.listPiece(n, sp, target)
	case nullShape:
		return fixed(nil)
	case textShape, numberShape, boolShape:
	}
	if _, _, ok := cutExpression(n); ok {
		return l.leaf(n, sp, target)
	}
	return l.constantPiece(n, sp, target)
}

// constantPiece is a scalar that stands for itself. Text that begins with = is written with a backslash before it.
func (l *loader) constantPiece(n *node, sp *spec, target string) *piece {
	var v any = strings.TrimPrefix(n.text, `\`)
	switch n.shape {
	case objectShape, listShape:
		return l.value(n, sp, target)
	case nullShape:
		return fixed(nil)
	case boolShape:
		v = n.text == "true"
	case numberShape:
		if plainNumber(n.text) && sp.want != wantText && sp.want != wantURI { // 007 and 0x10 are codes, not quantities
			v = json.Number(n.text)
		}
	case textShape:
		if forgotten(n) {
			l.fail(n, problem("mapping.expression", "this is the text %q, not a value of the record", "这是文本 %q，而不是记录中的值", n.text).
				hint("an expression begins with =: write \"= %s\"", "表达式以 = 开头：请写 \"= %s\"", n.text))
			return nil
		}
	}
	if t := checkWords(sp, v); t != nil {
		l.fail(n, t)
		return nil
	}
	out, t := coerce(sp, v)
	if t != nil {
		t.code = "mapping." + strings.TrimPrefix(t.code, "map.")
		l.fail(n, t)
		return nil
	}
	return fixed(out)
}

// forgotten reports whether a text looks like an expression that lacks its =.
func forgotten(n *node) bool {
	if n.quoted && strings.Contains(n.text, " ") {
		return false
	}
	for _, root := range []string{"row.", "item.", "meta.", "row[", "item["} {
		if strings.HasPrefix(n.text, root) {
			return true
		}
	}
	return false
}

// checkWords refuses a word that is nearly, but not, one of the standard's.
func checkWords(sp *spec, v any) *trouble {
	word, ok := v.(string)
	if !ok || len(sp.words) == 0 || word == "" || slices.Contains(sp.words, word) {
		return nil
	}
	if sp.want == wantURI && strings.Contains(word, ":") {
		return nil
	}
	return problem("mapping.word", "%q is none of the standard's values for this field", "%q 不是该字段的标准取值", word).suggest(word, sp.words)
}

// leaf compiles a scalar expression.
func (l *loader) leaf(n *node, sp *spec, target string) *piece {
	e := l.expression(n, target)
	if e == nil {
		return nil
	}
	if e.constant {
		v, t := coerce(sp, e.value)
		if t == nil {
			t = checkWords(sp, v)
		}
		if t != nil {
			t.code = "mapping." + strings.TrimPrefix(t.code, "map.")
			l.fail(n, t)
			return nil
		}
		return fixed(v)
	}
	if t := clash(sp, e.kind); t != nil {
		l.fail(n, t)
		return nil
	}
	id := l.branch(n, "leaf", target)
	at := l.site(n, target)
	return &piece{build: func(s *scope) (any, error) {
		v, err := e.run(s)
		if err != nil || empty(v) {
			return nil, err
		}
		if s.hits != nil {
			s.hit(id)
		}
		out, t := coerce(sp, v)
		if t != nil {
			return nil, s.raise(at, e, t)
		}
		return out, nil
	}}
}

// clash refuses at load what could never fit the field.
func clash(sp *spec, k kind) *trouble {
	bad := false
	switch sp.want {
	case wantText, wantURI, wantTime:
		bad = k == listKind || k == objectKind || k == boolKind
	case wantNumber:
		bad = k == listKind || k == objectKind || k == boolKind
	case wantBool:
		bad = k != boolKind && k != anyKind && k != textKind
	case wantList:
		bad = k != listKind && k != anyKind
	case wantObject:
		bad = k != objectKind && k != anyKind
	case wantAny:
	}
	if !bad || k == nilKind {
		return nil
	}
	return wrongShape("mapping.type", sp, k.words())
}

func wrongShape(code string, sp *spec, got bilingual) *trouble {
	t := problem(code, "this field takes %s, and this is %s", "该字段应为%s，此处是%s", sp.want.words(), got)
	if sp.want == wantList {
		t.hint("one value becomes a list of one with list(…), or write it as a list: - \"= …\"", "单个值可用 list(…) 变成列表，或写成列表形式：- \"= …\"")
	}
	if _, ok := sp.fields["id"]; ok && sp.want == wantObject {
		t.hint("write it as  { id: \"= …\" }", "请写成  { id: \"= …\" }")
	}
	return t
}

func (w want) words() bilingual {
	switch w {
	case wantText:
		return bilingual{"text", "文本"}
	case wantURI:
		return bilingual{"an identifier", "标识符"}
	case wantTime:
		return bilingual{"a time", "时间"}
	case wantNumber:
		return bilingual{"a number", "数字"}
	case wantBool:
		return bilingual{"true or false", "布尔值"}
	case wantObject:
		return bilingual{"an object", "对象"}
	case wantList:
		return bilingual{"a list", "列表"}
	case wantAny:
	}
	return bilingual{"any value", "任意值"}
}

// coerce brings a value into the form that the field takes, or says why it cannot.
func coerce(sp *spec, v any) (any, *trouble) {
	switch sp.want {
	case wantText, wantURI:
		if s, ok := text(v); ok {
			if _, same := v.(string); same {
				return v, nil
			}
			return s, nil
		}
	case wantTime:
		if s, ok := v.(string); ok {
			return coerceTime(s)
		}
	case wantNumber:
		if s, ok := text(v); ok {
			return coerceNumber(s)
		}
	case wantBool:
		if b, ok := truthOf(v); ok {
			return b, nil
		}
	case wantList:
		if list, ok := v.([]any); ok {
			return coerceList(sp, list)
		}
	case wantObject:
		if _, ok := v.(map[string]any); ok {
			return plain(v)
		}
	case wantAny:
		return plain(v)
	}
	if empty(v) {
		return nil, nil
	}
	return nil, wrongShape("map.type", sp, describe(v))
}

func coerceTime(s string) (any, *trouble) {
	if _, stated := offsetOf(s); stated {
		return s, nil
	}
	return nil, problem("map.time", "%q is no time with an offset, as 2019-11-07T18:13:43+08:00 is", "%q 不是带时区偏移的时间（如 2019-11-07T18:13:43+08:00）", clip(s)).
		hint("write \"= ts(…)\"", "请写 \"= ts(…)\"")
}

func coerceNumber(s string) (any, *trouble) {
	if n, ok := jsonNumber(s); ok {
		return n, nil
	}
	return nil, typeProblem("this field takes a number, and this is %q", "该字段应为数字，此处是 %q", clip(s)).
		hint("number(…) removes thousands marks and reads a decimal comma", "number(…) 可去除千位分隔符并识别小数逗号")
}

// truthOf reads true and false as systems write them.
func truthOf(v any) (b, ok bool) {
	switch v {
	case true, "true", "1":
		return true, true
	case false, "false", "0":
		return false, true
	}
	return false, false
}

func coerceList(sp *spec, list []any) (any, *trouble) {
	out := make([]any, 0, len(list))
	for _, v := range list {
		if empty(v) {
			continue
		}
		v, t := coerce(sp.elem, v)
		if t != nil {
			return nil, t
		}
		out = append(out, v)
	}
	return out, nil
}

// maxValues is the most values that one expression may put into an event.
const maxValues = 200_000

// plain turns the machine integers of an expression into JSON numbers; nothing else changes.
func plain(v any) (any, *trouble) {
	switch v := v.(type) {
	case int:
		s, _ := text(v)
		return json.Number(s), nil
	case []any, map[string]any:
		left := maxValues
		out := plainTree(v, &left)
		if left < 0 {
			return nil, problem("map.limit", "the value has more than %d parts", "该值超过 %d 个部分", maxValues)
		}
		return out, nil
	}
	return v, nil
}

func plainTree(v any, left *int) any {
	if *left--; *left < 0 {
		return nil
	}
	switch v := v.(type) {
	case int:
		s, _ := text(v)
		return json.Number(s)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainTree(v[i], left)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plainTree(v[k], left)
		}
		return out
	}
	return v
}

// member is one field of an object's template.
type member struct {
	key string
	*piece
}

// objectPiece compiles an object. A when: among its keys drops it where the condition is false.
func (l *loader) objectPiece(n *node, sp *spec, target string) *piece {
	if sp.want != wantObject && sp.want != wantAny {
		l.fail(n, wrongShape("mapping.type", sp, bilingual{"an object", "对象"}))
		return nil
	}
	cond := l.when(n.get("when"), target)
	members, fine := l.members(n, sp, target, "when")
	if !fine {
		return nil
	}
	o := &objectBuilder{members: members, cond: cond}
	if cond == nil {
		if v, ok := o.fixed(); ok {
			return fixed(v)
		}
		return &piece{build: o.build}
	}
	o.id = l.branch(n.get("when"), "when", target)
	return &piece{build: o.build}
}

// members compiles the fields of an object, but for the keys that are not its own.
func (l *loader) members(n *node, sp *spec, target string, not ...string) ([]member, bool) {
	var out []member
	fine := true
	for i := range n.pairs {
		k := &n.pairs[i]
		if slices.Contains(not, k.key) {
			continue
		}
		field, t := l.fieldSpec(sp, k.key)
		if t != nil {
			l.failKey(k, t)
			field = &spec{}
			fine = false
		}
		if p := l.value(k.value, field, join(target, k.key)); p == nil {
			fine = false
		} else if !p.constant || !empty(p.value) {
			out = append(out, member{k.key, p})
		}
	}
	return out, fine
}

func join(target, key string) string {
	if target == "" {
		return key
	}
	return target + "." + key
}

// fieldSpec returns what is known of a member, or why it cannot be one.
func (l *loader) fieldSpec(sp *spec, key string) (*spec, *trouble) {
	if f, ok := sp.fields[key]; ok {
		return f, nil
	}
	if len(sp.fields) == 0 && !sp.open || sp.want == wantAny {
		return &spec{}, nil
	}
	switch key {
	case "@context":
		return nil, problem("mapping.unknown-field", "prefixes are declared once, at the top of the mapping", "前缀在映射顶部统一声明").
			hint("write  context: { example: https://ns.example.com/ }  there", "请在顶部写  context: { example: https://ns.example.com/ }")
	case "recordTime":
		return nil, problem("mapping.unknown-field", "recordTime is when the hub recorded the event, which only the hub can say", "recordTime 是系统记录事件的时间，只能由系统写入").
			hint("leave it out", "请删除")
	}
	prefix, rest, prefixed := strings.Cut(key, ":")
	switch {
	case prefixed && sp.open && strings.HasPrefix(rest, "//"):
		return &spec{}, nil
	case prefixed && sp.open && slices.Contains(standardPrefixes(), prefix):
		return &spec{}, nil
	case prefixed && sp.open && l.m.context[prefix] != "":
		l.prefixes[prefix] = true
		return &spec{}, nil
	case prefixed && sp.open:
		return nil, problem("mapping.prefix", "the prefix %q is not declared", "前缀 %q 未声明", prefix).
			hint("add it at the top:  context: { %s: https://ns.example.com/ }", "请在文件顶部添加：context: { %s: https://ns.example.com/ }", prefix)
	}
	t := problem("mapping.unknown-field", "%q is no EPCIS field here", "%q 不是此处的 EPCIS 字段", key).suggest(key, sp.names())
	if sp.open && nearest(key, sp.names()) == "" {
		t.hint("a field of your own is written with a prefix, for example  example:%s", "自定义字段需加前缀，例如  example:%s", key)
	}
	return nil, t
}

// objectBuilder builds one object.
type objectBuilder struct {
	members []member
	cond    *expr
	id      int
}

// fixed returns the object when all of it is constant.
func (o *objectBuilder) fixed() (any, bool) {
	for _, m := range o.members {
		if !m.constant {
			return nil, false
		}
	}
	out := make(map[string]any, len(o.members))
	for _, m := range o.members {
		out[m.key] = m.value
	}
	return out, true
}

func (o *objectBuilder) build(s *scope) (any, error) {
	if o.cond != nil {
		if ok, err := truth(s, o.cond); err != nil || !ok {
			return nil, err
		}
		s.hit(o.id)
	}
	out, err := o.fill(s, 0)
	if len(out) == 0 {
		return nil, err
	}
	return out, err
}

// fill builds the object with room for more members.
func (o *objectBuilder) fill(s *scope, more int) (map[string]any, error) {
	out := make(map[string]any, len(o.members)+more)
	for i := range o.members {
		m := &o.members[i]
		if m.constant {
			out[m.key] = m.value
			continue
		}
		v, err := m.build(s)
		if err != nil {
			return nil, err
		}
		if !empty(v) {
			out[m.key] = v
		}
	}
	return out, nil
}
