package mapping

import (
	"errors"
	"strconv"
	"time"

	"github.com/expr-lang/expr/ast"
)

// errShort ends an optional chain: what "?." stands before is not there.
var errShort = errors.New("chain ends")

func typeProblem(en, zh string, args ...any) *trouble {
	return problem("map.type", en, zh, args...)
}

// missing says that the object v has no field key.
func missing(v any, key string) *trouble {
	t := problem("map.missing", "there is no field %q", "没有字段 %q", key)
	t.absent = true
	if m, ok := v.(map[string]any); ok {
		known := make([]string, 0, len(m))
		for k := range m {
			if len(known) < 256 {
				known = append(known, k)
			}
		}
		t.suggest(key, known)
		if t.en.hint != "" {
			t.en.hint += "; "
			t.zh.hint += "；"
		}
		t.en.hint += "if it may be absent write ?." + key + " or default(…)"
		t.zh.hint += "若可以缺省，请写 ?." + key + " 或 default(…)"
		return t
	}
	what := describe(v)
	t.en.message = "there is no field " + strconv.Quote(key) + " in " + what.en
	t.zh.message = what.zh + "中没有字段 " + strconv.Quote(key)
	return t
}

func (c *exprCompiler) chain(n *ast.ChainNode) *expr {
	inner := c.node(n.Node)
	run := inner.run
	out := *inner
	out.optional = true
	out.run = func(s *scope) (any, error) {
		v, err := run(s)
		if err == errShort { //nolint:errorlint // a private signal, never wrapped
			return nil, nil
		}
		return v, err
	}
	return &out
}

// member compiles base.key, base['key'] and base[0].
func (c *exprCompiler) member(n *ast.MemberNode) *expr {
	if id, ok := n.Node.(*ast.IdentifierNode); ok && id.Value == "meta" {
		return c.meta(n)
	}
	all := c.m.readsRow
	base, property := c.node(n.Node), c.node(n.Property)
	if id, ok := n.Node.(*ast.IdentifierNode); ok && id.Value == "row" && property.constant && property.kind == textKind {
		c.m.readsRow = all
		c.m.reads[property.value.(string)] = true //nolint:forcetypeassert // its kind says so
	}
	if base.kind == textKind || base.kind == numberKind || base.kind == boolKind {
		return c.failNode(n, problem("mapping.type", "%s has no fields", "%s没有字段", base.kind.words()))
	}
	var e *expr
	if key, ok := property.value.(string); ok && property.constant {
		e = c.field(n, base, key)
	} else {
		e = c.index(n, base, property)
	}
	e.optional = n.Optional || base.optional
	if !n.Optional {
		return e
	}
	strict := e.run
	e.run = func(s *scope) (any, error) {
		s.quiet++
		v, err := strict(s)
		s.quiet--
		if err == errAbsent || v == nil && err == nil { //nolint:errorlint // a private signal, never wrapped
			return nil, errShort
		}
		return v, err
	}
	return e
}

func (c *exprCompiler) field(n *ast.MemberNode, base *expr, key string) *expr {
	e := &expr{site: c.siteOf(n), reads: []*expr{base}}
	at := e.site
	if base.path != nil {
		suffix := "/" + escape(key)
		e.path = func(s *scope) (string, bool) {
			p, ok := base.path(s)
			return p + suffix, ok
		}
	}
	if _, isRow := n.Node.(*ast.IdentifierNode); isRow && base.path != nil && !c.isName(n.Node) {
		e.run = direct(n.Node, key, base, at)
		return e
	}
	e.run = func(s *scope) (any, error) {
		v, err := base.run(s)
		if err != nil {
			return nil, err
		}
		if m, ok := v.(map[string]any); ok {
			if v, ok := m[key]; ok {
				return v, nil
			}
		}
		return nil, s.raise(at, base, missing(v, key))
	}
	return e
}

func (c *exprCompiler) isName(n ast.Node) bool {
	id, ok := n.(*ast.IdentifierNode)
	return !ok || id.Value != "row" && id.Value != "item"
}

// direct reads a field of row or item without a detour: nearly every expression does it.
func direct(n ast.Node, key string, base *expr, at *site) func(*scope) (any, error) {
	if id, ok := n.(*ast.IdentifierNode); ok && id.Value == "item" {
		return func(s *scope) (any, error) {
			if m, ok := s.item.(map[string]any); ok {
				if v, ok := m[key]; ok {
					return v, nil
				}
			}
			return nil, s.raise(at, base, missing(s.item, key))
		}
	}
	return func(s *scope) (any, error) {
		if m, ok := s.in.Row.(map[string]any); ok {
			if v, ok := m[key]; ok {
				return v, nil
			}
		}
		return nil, s.raise(at, base, missing(s.in.Row, key))
	}
}

// index compiles base[expression]: a list by number (from the end when negative) or an object by text.
func (c *exprCompiler) index(n *ast.MemberNode, base, property *expr) *expr {
	e := &expr{site: c.siteOf(n), reads: []*expr{base, property}}
	e.run = func(s *scope) (any, error) {
		v, err := base.run(s)
		if err != nil {
			return nil, err
		}
		p, err := property.run(s)
		if err != nil {
			return nil, err
		}
		out, t := at(v, p)
		if t != nil {
			return nil, s.raise(e.site, base, t)
		}
		return out, nil
	}
	if base.path != nil {
		e.path = func(s *scope) (string, bool) { return indexPath(s, base, property) }
	}
	return c.foldMember(n, e)
}

// at returns the element or field p of v.
func at(v, p any) (any, *trouble) {
	switch v := v.(type) {
	case []any:
		i, ok := integer(p)
		if !ok {
			return nil, typeProblem("the place in a list is a whole number, not %s", "列表下标应为整数，而不是 %s", show(p))
		}
		if i < 0 {
			i += len(v)
		}
		if i >= 0 && i < len(v) {
			return v[i], nil
		}
		t := problem("map.missing", "the list has %d elements, none at [%s]", "列表有 %d 个元素，没有 [%s]", len(v), show(p))
		t.absent = true
		return nil, t.hint("if it may be absent write ?.[…] or default(…)", "若可以缺省，请写 ?.[…] 或 default(…)")
	case map[string]any:
		key, ok := text(p)
		if !ok {
			return nil, typeProblem("the name of a field is text, not %s", "字段名应为文本，而不是 %s", show(p))
		}
		if v, ok := v[key]; ok {
			return v, nil
		}
		return nil, missing(v, key)
	}
	return nil, missing(v, show(p))
}

func (c *exprCompiler) foldMember(n ast.Node, e *expr) *expr {
	if len(e.reads) > 0 && e.reads[0].constant {
		return c.fold(n, e)
	}
	return e
}

func indexPath(s *scope, base, property *expr) (string, bool) {
	p, ok := base.path(s)
	if !ok {
		return "", false
	}
	v, err := base.run(s)
	if err != nil {
		return "", false
	}
	k, err := property.run(s)
	if err != nil {
		return "", false
	}
	if list, isList := v.([]any); isList {
		i, ok := integer(k)
		if i < 0 {
			i += len(list)
		}
		return p + "/" + strconv.Itoa(i), ok
	}
	key, ok := text(k)
	return p + "/" + escape(key), ok
}

// slice compiles base[from:to] of a text (in characters) or a list; limits beyond the end are the end.
func (c *exprCompiler) slice(n *ast.SliceNode) *expr {
	e := &expr{site: c.siteOf(n)}
	base := c.node(n.Node)
	e.kind, e.optional, e.reads = base.kind, base.optional, []*expr{base}
	bound := func(sub ast.Node) *expr {
		if sub == nil {
			return nil
		}
		b := c.node(sub)
		e.reads = append(e.reads, b)
		return b
	}
	from, to := bound(n.From), bound(n.To)
	e.run = func(s *scope) (any, error) {
		v, err := base.run(s)
		if err != nil || v == nil && base.optional {
			return nil, err
		}
		if list, ok := v.([]any); ok {
			lo, hi, err := bounds(s, e, from, to, len(list))
			return list[lo:hi], err
		}
		str, ok := text(v)
		if !ok {
			return nil, s.raise(e.site, base, typeProblem("a part is taken of text or a list, not of %s", "只能截取文本或列表，而不是%s", describe(v)))
		}
		runes := []rune(str)
		lo, hi, err := bounds(s, e, from, to, len(runes))
		return string(runes[lo:hi]), err
	}
	return c.fold(n, e)
}

func bounds(s *scope, e, from, to *expr, n int) (lo, hi int, err error) {
	hi = n
	read := func(b *expr, into *int) {
		if b == nil || err != nil {
			return
		}
		v, fault := b.run(s)
		i, ok := integer(v)
		switch {
		case fault != nil:
			err = fault
		case !ok:
			err = s.raise(e.site, b, typeProblem("the place is a whole number, not %s", "位置应为整数，而不是 %s", show(v)))
		case i < 0:
			*into = max(0, i+n)
		default:
			*into = min(i, n)
		}
	}
	read(from, &lo)
	read(to, &hi)
	if err != nil || lo > hi {
		return 0, 0, err
	}
	return lo, hi, s.spend(hi - lo)
}

// meta compiles meta.NAME.
func (c *exprCompiler) meta(n *ast.MemberNode) *expr {
	key, ok := n.Property.(*ast.StringNode)
	if !ok {
		return c.failNode(n, problem("mapping.unknown-name", "meta is used with one of its fields", "meta 必须带字段使用"))
	}
	e := &expr{kind: textKind, site: c.siteOf(n)}
	switch key.Value {
	case "provider":
		e.run = func(s *scope) (any, error) { return string(s.in.Provider), nil }
	case "connector":
		e.run = func(s *scope) (any, error) { return string(s.in.Connector), nil }
	case "recordID":
		e.run = func(s *scope) (any, error) { return string(s.in.RecordID), nil }
	case "origin":
		e.run = func(s *scope) (any, error) { return s.in.Origin, nil }
	case "receivedAt":
		e.run = func(s *scope) (any, error) { return s.in.ReceivedAt.UTC().Format(time.RFC3339Nano), nil }
	default:
		return c.failNode(n, problem("mapping.unknown-name", "meta has no field %q", "meta 没有字段 %q", key.Value).
			suggest(key.Value, []string{"provider", "connector", "recordID", "origin", "receivedAt"}))
	}
	return e
}
