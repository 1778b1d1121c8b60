package mapping

import (
	"errors"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// wantBool records a fault when e can never be true or false.
func (c *exprCompiler) wantBool(n ast.Node, e *expr) {
	if e.kind != boolKind && e.kind != anyKind {
		c.failNode(n, problem("mapping.type", "a condition must be true or false, and this is %s", "条件必须为真或假，此处是%s", e.kind.words()).
			hint("compare it, for example … != ''; or ask whether it is there with present(…)", "请写成比较，例如 … != ''；或用 present(…) 判断是否存在"))
	}
}

// truth runs a condition.
func truth(s *scope, e *expr) (bool, error) {
	v, err := e.run(s)
	if err != nil {
		return false, err
	}
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return false, s.raise(e.site, e, typeProblem("a condition must be true or false, and this is %s: %s", "条件必须为真或假，此处是%s：%s", describe(v), show(v)).
		hint("compare it, for example … == 'Y'; or ask whether it is there with present(…)", "请写成比较，例如 … == 'Y'；或用 present(…) 判断是否存在"))
}

func (c *exprCompiler) unary(n *ast.UnaryNode) *expr {
	sub := c.node(n.Node)
	e := &expr{site: c.siteOf(n), reads: []*expr{sub}}
	switch n.Operator {
	case "not", "!":
		c.wantBool(n.Node, sub)
		e.kind = boolKind
		e.run = func(s *scope) (any, error) {
			ok, err := truth(s, sub)
			return !ok, err
		}
	default:
		e.kind = numberKind
		c.wantNumber(n.Node, sub)
		negative := n.Operator == "-"
		e.run = func(s *scope) (any, error) {
			v, err := sub.run(s)
			if err != nil {
				return nil, err
			}
			a, b := any(0), v
			if !negative {
				a, b = v, 0
			}
			out, t := compute("-", a, b)
			if t != nil {
				return nil, s.raise(e.site, sub, t)
			}
			return out, nil
		}
	}
	return c.fold(n, e)
}

func (c *exprCompiler) wantNumber(n ast.Node, e *expr) {
	if e.kind == numberKind || e.kind == anyKind {
		return
	}
	p := problem("mapping.type", "a number is needed here, and this is %s", "此处需要数字，而这是%s", e.kind.words())
	if e.kind == textKind {
		p.hint("text becomes a number with number(…)", "文本可用 number(…) 转成数字")
	}
	c.failNode(n, p)
}

func (c *exprCompiler) binary(n *ast.BinaryNode) *expr {
	switch n.Operator {
	case "and", "&&", "or", "||":
		return c.logic(n)
	case "??":
		return c.coalesce(n)
	case "matches":
		return c.matches(n)
	}
	a, b := c.node(n.Left), c.node(n.Right)
	e := &expr{kind: boolKind, site: c.siteOf(n), reads: []*expr{a, b}}
	var apply func(x, y any) (any, *trouble)
	switch n.Operator {
	case "+":
		e.kind = c.plusKind(a, b)
		apply = plus
	case "-", "*", "/", "%":
		e.kind = numberKind
		c.wantNumber(n.Left, a)
		c.wantNumber(n.Right, b)
		apply = func(x, y any) (any, *trouble) { return compute(n.Operator, x, y) }
	case "==", "!=":
		return c.fold(n, c.equality(n, e, a, b))
	case "<", "<=", ">", ">=":
		apply = func(x, y any) (any, *trouble) { return order(n.Operator, x, y) }
	case "in":
		apply = within
	case "contains", "startsWith", "endsWith":
		apply = func(x, y any) (any, *trouble) { return part(n.Operator, x, y) }
	case "..":
		e.kind = listKind
		apply = span
	default:
		return c.failNode(n, problem("mapping.expression", "the operator %s is not offered", "不支持运算符 %s", n.Operator))
	}
	e.run = func(s *scope) (any, error) {
		x, err := a.run(s)
		if err != nil {
			return nil, err
		}
		y, err := b.run(s)
		if err != nil {
			return nil, err
		}
		out, t := apply(x, y)
		if t != nil {
			return nil, s.raise(e.site, e, t)
		}
		return out, s.spend(cost(out))
	}
	return c.fold(n, e)
}

// cost charges what is made: one step a value, one for each 64 bytes of text.
func cost(v any) int {
	switch v := v.(type) {
	case string:
		return 1 + len(v)/64
	case []any:
		return 1 + len(v)
	}
	return 1
}

func (c *exprCompiler) plusKind(a, b *expr) kind {
	if a.kind == textKind || b.kind == textKind {
		return textKind
	}
	if a.kind == numberKind && b.kind == numberKind {
		return numberKind
	}
	return anyKind
}

// plus adds numbers, and joins text with text or numbers.
func plus(x, y any) (any, *trouble) {
	kx, ky := kindOf(x), kindOf(y)
	if kx == textKind || ky == textKind {
		a, okA := text(x)
		b, okB := text(y)
		if okA && okB && len(a)+len(b) > maxText {
			return nil, tooLong()
		}
		if okA && okB {
			return a + b, nil
		}
		return nil, typeProblem("%s and %s cannot be joined", "%s与%s不能拼接", describe(x), describe(y))
	}
	if kx == listKind && ky == listKind {
		a, _ := x.([]any)
		b, _ := y.([]any)
		return append(append(make([]any, 0, len(a)+len(b)), a...), b...), nil
	}
	return compute("+", x, y)
}

func order(op string, x, y any) (any, *trouble) {
	n, t := compare(x, y)
	if t != nil {
		return nil, t
	}
	switch op {
	case "<":
		return n < 0, nil
	case "<=":
		return n <= 0, nil
	case ">":
		return n > 0, nil
	}
	return n >= 0, nil
}

// within is "x in list" and "key in object".
func within(x, y any) (any, *trouble) {
	switch y := y.(type) {
	case []any:
		for _, v := range y {
			if ok, t := equal(x, v); ok || t != nil {
				return ok, t
			}
		}
		return false, nil
	case map[string]any:
		key, _ := text(x)
		_, ok := y[key]
		return ok, nil
	case nil:
		return false, nil
	}
	return nil, typeProblem("in needs a list on its right, and this is %s", "in 右侧应为列表，此处是%s", describe(y))
}

func part(op string, x, y any) (any, *trouble) {
	a, okA := text(x)
	b, okB := text(y)
	if !okA && x != nil || !okB {
		return nil, typeProblem("%s needs text on both sides, and here are %s and %s", "%s 两侧应为文本，此处是%s和%s", op, describe(x), describe(y))
	}
	switch op {
	case "contains":
		return strings.Contains(a, b), nil
	case "startsWith":
		return strings.HasPrefix(a, b), nil
	}
	return strings.HasSuffix(a, b), nil
}

// span is from..to, both included.
func span(x, y any) (any, *trouble) {
	from, okF := integer(x)
	to, okT := integer(y)
	if !okF || !okT {
		return nil, typeProblem("from..to needs whole numbers", "from..to 需要整数")
	}
	if to-from > 100_000 {
		return nil, typeProblem("from..to has more than 100000 numbers", "from..to 超过 100000 个数")
	}
	out := []any{}
	for i := from; i <= to; i++ {
		out = append(out, i)
	}
	return out, nil
}

func (c *exprCompiler) equality(n *ast.BinaryNode, e, a, b *expr) *expr {
	want := n.Operator == "=="
	if textAndNumber(a.kind, b.kind) {
		return c.failNode(n, problem("mapping.type", "%s is compared with %s, which is never equal", "%s与%s比较，永远不会相等", a.kind.words(), b.kind.words()).
			hint("text becomes a number with number(…), a number becomes text in quotes", "文本可用 number(…) 转成数字；数字加引号即为文本"))
	}
	// Whether something is there may be asked of what is not: row.x == nil.
	forgive := a.constant && a.value == nil || b.constant && b.value == nil
	if word, ok := b.value.(string); ok && b.constant && word != "" {
		e.run = equalsWord(e, a, word, want)
		return e
	}
	e.run = func(s *scope) (any, error) {
		x, err := runForgiving(s, a, forgive)
		if err != nil {
			return nil, err
		}
		y, err := runForgiving(s, b, forgive)
		if err != nil {
			return nil, err
		}
		ok, t := equal(x, y)
		if t != nil {
			return nil, s.raise(e.site, e, t)
		}
		return ok == want, nil
	}
	return e
}

// equalsWord is the common case: row.kind == 'OUT'.
func equalsWord(e, a *expr, word string, want bool) func(*scope) (any, error) {
	return func(s *scope) (any, error) {
		v, err := a.run(s)
		if err != nil {
			return nil, err
		}
		if str, ok := v.(string); ok {
			return (str == word) == want, nil
		}
		ok, t := equal(v, word)
		if t != nil {
			return nil, s.raise(e.site, a, t)
		}
		return ok == want, nil
	}
}

func textAndNumber(a, b kind) bool {
	return a == textKind && b == numberKind || a == numberKind && b == textKind
}

// runForgiving runs e; where forgive is true a missing value is nil.
func runForgiving(s *scope, e *expr, forgive bool) (any, error) {
	if !forgive {
		return e.run(s)
	}
	s.quiet++
	v, err := e.run(s)
	s.quiet--
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	return v, err
}

func (c *exprCompiler) logic(n *ast.BinaryNode) *expr {
	a, b := c.node(n.Left), c.node(n.Right)
	c.wantBool(n.Left, a)
	c.wantBool(n.Right, b)
	and := n.Operator == "and" || n.Operator == "&&"
	if a.constant && !c.failed && a.value == !and {
		return c.failNode(n.Right, problem("mapping.unreachable", "this is never looked at: what stands before %s is always %v", "此处永远不会执行：%s 之前的条件总是 %v", n.Operator, a.value))
	}
	e := &expr{kind: boolKind, site: c.siteOf(n), reads: []*expr{a, b}}
	e.run = func(s *scope) (any, error) {
		ok, err := truth(s, a)
		if err != nil || ok != and {
			return ok, err
		}
		ok, err = truth(s, b)
		return ok, err
	}
	return c.fold(n, e)
}

// coalesce is a ?? b: b when a is nothing or is not there.
func (c *exprCompiler) coalesce(n *ast.BinaryNode) *expr {
	a, b := c.node(n.Left), c.node(n.Right)
	e := &expr{optional: b.optional, site: c.siteOf(n), reads: []*expr{a, b}}
	if a.kind == b.kind {
		e.kind = a.kind
	}
	e.run = func(s *scope) (any, error) {
		v, err := runForgiving(s, a, true)
		if err != nil || v != nil {
			return v, err
		}
		return b.run(s)
	}
	return c.fold(n, e)
}

// matches is "text matches 'pattern'"; the pattern is constant, so that it is compiled once.
func (c *exprCompiler) matches(n *ast.BinaryNode) *expr {
	a, b := c.node(n.Left), c.node(n.Right)
	e := &expr{kind: boolKind, site: c.siteOf(n), reads: []*expr{a, b}}
	re, p := pattern(b)
	if p != nil {
		return c.failNode(n.Right, p)
	}
	e.run = func(s *scope) (any, error) {
		v, err := a.run(s)
		if err != nil {
			return nil, err
		}
		str, ok := text(v)
		if !ok && v != nil {
			return nil, s.raise(e.site, a, typeProblem("matches needs text, and this is %s", "matches 需要文本，此处是%s", describe(v)))
		}
		return re.MatchString(str), s.spend(1 + len(str)/64)
	}
	return c.fold(n, e)
}

// pattern compiles the constant regular expression e (RE2 syntax).
func pattern(e *expr) (*regexp.Regexp, *trouble) {
	src, ok := e.value.(string)
	if !e.constant || !ok {
		return nil, problem("mapping.type", "a pattern is a text in quotes, not calculated", "正则表达式必须是引号中的文本，不能由计算得出")
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, problem("mapping.expression", "the pattern cannot be read: %s", "无法解析正则表达式：%s", strings.TrimPrefix(err.Error(), "error parsing regexp: ")).
			hint("the syntax is RE2, without look-around and back-references", "语法为 RE2，不支持环视和反向引用")
	}
	return re, nil
}
