package mapping

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// piece is a compiled part of a template: a constant, or a way to build it. An empty value drops the field.
type piece struct {
	constant bool
	value    any
	build    func(*scope) (any, error)
	// from is the expression of a leaf, which knows what part of the record it reads.
	from *expr
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
	return &piece{from: e, build: func(s *scope) (any, error) {
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

// member is one field of an object's template, and its place among them in the order of an object's members.
type member struct {
	key string
	*piece
	place int
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
			out = append(out, member{key: k.key, piece: p})
		}
	}
	return placed(out), fine
}

// placed numbers members in the order of their names.
func placed(members []member) []member {
	for i := range members {
		members[i].place = 0
		for j := range members {
			if epcis.CompareNames(members[j].key, members[i].key) < 0 {
				members[i].place++
			}
		}
	}
	return members
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
	case prefixed && sp.open && !plainName(rest):
		return nil, problem("mapping.name", "the name %q cannot stand in a web address", "名称 %q 不能用于网址", rest).
			hint("write Latin letters, digits, _ and -, and keep the other name as a value or in the documentation", "请使用拉丁字母、数字、_ 和 -，原名称可放在值或文档中")
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
	if near := spelling.Nearest(key, sp.names(), spelling.Typed); sp.open && (near == "" || spelling.Alike(near, key) == 0) { // a guess at best
		t.ownField(key, near)
	}
	return nil, t
}

// ownField says how a field is written that is not of EPCIS, after the standard's own that it may have been meant to be.
func (t *trouble) ownField(key, near string) {
	t.hint("a field of your own is written with a prefix, for example  example:%s", "自定义字段需加前缀，例如  example:%s", key)
	if near != "" {
		t.en.hint = fmt.Sprintf("did you mean %q? If not: ", near) + t.en.hint
		t.zh.hint = fmt.Sprintf("您是不是想写 %q？若不是：", near) + t.zh.hint
	}
}

// plainName reports whether s is a name as JSON-LD terms are written, which become addresses.
func plainName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.~", r)
	})
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
	out := make(epcis.Members, len(o.members))
	for _, m := range o.members {
		out[m.place] = epcis.Member{Name: m.key, Value: m.value}
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
func (o *objectBuilder) fill(s *scope, more int) (epcis.Members, error) {
	out := s.room.take(len(o.members), more)
	gaps := false
	for i := range o.members {
		m := &o.members[i]
		v := m.value
		if !m.constant {
			var err error
			if v, err = m.build(s); err != nil {
				return nil, err
			}
			if empty(v) {
				gaps = true
				continue
			}
		}
		out[m.place] = epcis.Member{Name: m.key, Value: v}
	}
	if gaps {
		out = slices.DeleteFunc(out, func(m epcis.Member) bool { return m.Value == nil })
	}
	return out, nil
}
