package mapping

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// maxExpr is the longest expression in bytes, and the most parts that one may have.
const (
	maxExpr      = 4 << 10
	maxExprNodes = 1_000
)

// kind is what is known of an expression's value when the mapping is loaded.
type kind uint8

const (
	anyKind kind = iota
	nilKind
	textKind
	numberKind
	boolKind
	listKind
	objectKind
)

// words names the kind in a message.
func (k kind) words() bilingual {
	switch k {
	case nilKind:
		return bilingual{"nothing", "空值"}
	case textKind:
		return bilingual{"text", "文本"}
	case numberKind:
		return bilingual{"a number", "数字"}
	case boolKind:
		return bilingual{"true or false", "布尔值"}
	case listKind:
		return bilingual{"a list", "列表"}
	case objectKind:
		return bilingual{"an object", "对象"}
	case anyKind:
	}
	return bilingual{"any value", "任意值"}
}

// kindOf is the kind of a value.
func kindOf(v any) kind {
	switch v.(type) {
	case nil:
		return nilKind
	case string:
		return textKind
	case json.Number, int:
		return numberKind
	case bool:
		return boolKind
	case []any:
		return listKind
	case map[string]any:
		return objectKind
	}
	return anyKind
}

// expr is a compiled expression. The grammar is expr-lang's, read by its parser; the evaluation is ours: closures over
// the plain trees of decode, with decimal numbers that keep their text, a fault for a field that is not there, and the
// way back from every value to its place in the record.
type expr struct {
	run  func(*scope) (any, error)
	kind kind
	// optional is true when the author said that the value may be nothing: with "?." or default(…, nil).
	optional bool
	// constant is true when value is the value of every run.
	constant bool
	value    any
	// path returns the JSON pointer of a plain path such as row.lines[0].qty.
	path func(*scope) (string, bool)
	// reads are the expressions within this one.
	reads []*expr
	site  *site
}

func constant(v any, at *site) *expr {
	return &expr{run: func(*scope) (any, error) { return v, nil }, kind: kindOf(v), constant: true, value: v, site: at}
}

// exprCompiler compiles the expressions of one mapping.
type exprCompiler struct {
	m *Mapping
	// fail records a fault at a place in the mapping.
	fail func(hub.Where, *trouble)
	// names are the lets and "as" names in reach, by slot.
	names map[string]nameInScope
	// inEach is true where item and index are known, inPredicate where "#" is.
	inEach, inPredicate bool
	slots               int
	// usesItem is set when an expression looks at the item of an each.
	usesItem  bool
	text      exprText
	functions map[string]*function
	target    string
	failed    bool
}

// nameInScope is a value that expressions know by name.
type nameInScope struct {
	slot     int
	kind     kind
	optional bool
	from     *expr
	// item is true for an "as" name.
	item bool
}

// exprText is an expression's text and where it begins.
type exprText struct {
	text string
	// place returns line and column of a rune offset.
	place func(offset int) hub.Where
}

// parserConfig switches off every built-in of expr-lang except its predicates: the names are ours.
func parserConfig() *conf.Config {
	c := conf.CreateNew()
	c.MaxNodes = maxExprNodes
	for _, f := range builtin.Builtins {
		c.Disabled[f.Name] = true
	}
	return c
}

// compile returns the compiled expression, or nil after it has recorded what is wrong with it.
func (c *exprCompiler) compile(t exprText, target string) *expr {
	outerText, outerTarget, outerFailed := c.text, c.target, c.failed
	defer func() { c.text, c.target, c.failed = outerText, outerTarget, outerFailed }()
	c.text, c.target, c.failed = t, target, false
	if strings.TrimSpace(t.text) == "" {
		c.fail(t.place(0), problem("mapping.expression", "nothing follows the =", "= 之后没有内容").
			hint("write an expression such as \"= row.name\", or remove the field", "请写表达式，例如 \"= row.name\"，或删除该字段"))
		return nil
	}
	if len(t.text) > maxExpr {
		c.fail(t.place(0), problem("mapping.size", "the expression has %d bytes; %d is the most", "表达式有 %d 字节，上限为 %d", len(t.text), maxExpr).
			hint("move parts of it to let:", "请把一部分移到 let: 中"))
		return nil
	}
	tree, err := parser.ParseWithConfig(t.text, c.m.parser)
	if err != nil {
		c.syntax(err)
		return nil
	}
	e := c.node(tree.Node)
	if c.failed {
		return nil
	}
	return e
}

// syntax records a syntax error of the expression parser in words that a newcomer understands.
func (c *exprCompiler) syntax(err error) {
	offset, msg := 0, firstLine(err.Error())
	if fe, ok := errors.AsType[*file.Error](err); ok {
		offset, msg = fe.From, fe.Message
	}
	p := problem("mapping.expression", "the expression cannot be read: %s", "无法解析表达式：%s", msg)
	if _, token, ok := strings.Cut(msg, `("`); ok && strings.HasPrefix(msg, "unexpected token") {
		p = problem("mapping.expression", "%q is not expected here", "此处不应出现 %q", strings.TrimSuffix(token, `")`))
	}
	switch {
	case strings.Contains(msg, "EOF"):
		p = problem("mapping.expression", "the expression ends too early", "表达式不完整").
			hint("a closing ) ] or quote, or the right side of an operator, is missing", "缺少右括号、引号，或运算符右侧的内容")
	case strings.Contains(msg, `Operator("=")`):
		p.hint("compare with ==", "比较请用 ==")
	case strings.Contains(msg, "literal not terminated"):
		p = problem("mapping.expression", "a text in the expression has no closing quote", "表达式中的文本缺少右引号")
	case strings.Contains(msg, "unexpected token Identifier"), strings.Contains(msg, "unexpected token Number"), strings.Contains(msg, "unexpected token String"):
		p.hint("an operator or a comma is missing before it; a field whose name holds spaces is written row['order no']",
			"此前缺少运算符或逗号；名称含空格的字段写作 row['order no']")
	}
	c.failAt(offset, p)
}

func (c *exprCompiler) failAt(offset int, p *trouble) {
	c.failed = true
	c.fail(c.text.place(offset), p)
}

// failNode records p at n and returns a stand-in, so that the rest of the expression is checked too.
func (c *exprCompiler) failNode(n ast.Node, p *trouble) *expr {
	c.failAt(n.Location().From, p)
	return &expr{run: func(*scope) (any, error) { return nil, errAbsent }, site: c.siteOf(n)}
}

func (c *exprCompiler) siteOf(n ast.Node) *site {
	return &site{where: c.text.place(n.Location().From), target: c.target}
}

func (c *exprCompiler) node(n ast.Node) *expr {
	switch n := n.(type) {
	case *ast.NilNode:
		e := constant(nil, c.siteOf(n))
		e.optional = true
		return e
	case *ast.BoolNode:
		return constant(n.Value, c.siteOf(n))
	case *ast.StringNode:
		return constant(n.Value, c.siteOf(n))
	case *ast.IntegerNode:
		return constant(n.Value, c.siteOf(n))
	case *ast.FloatNode:
		return constant(json.Number(strconv.FormatFloat(n.Value, 'f', -1, 64)), c.siteOf(n))
	case *ast.IdentifierNode:
		return c.identifier(n)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.ChainNode:
		return c.chain(n)
	case *ast.SliceNode:
		return c.slice(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.CallNode:
		return c.call(n)
	case *ast.BuiltinNode:
		return c.predicate(n)
	case *ast.PointerNode:
		return c.elem(n)
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.MapNode:
		return c.object(n)
	case *ast.VariableDeclaratorNode:
		return c.declare(n)
	}
	return c.failNode(n, problem("mapping.expression", "this form of expression is not offered", "不支持这种表达式"))
}

// fold evaluates an expression whose parts are all constant, once, when the mapping is loaded.
func (c *exprCompiler) fold(n ast.Node, e *expr) *expr {
	if c.failed {
		return e
	}
	for _, r := range e.reads {
		if !r.constant {
			return e
		}
	}
	s := &scope{m: c.m, steps: maxSteps / 10}
	v, err := e.run(s)
	if err != nil {
		f := hub.AsFault(err)
		t := problem("mapping."+strings.TrimPrefix(f.Code, "map."), "%s", "%s", f.Message)
		t.zh.message, t.en.hint, t.zh.hint = f.MessageZh, f.Hint, f.HintZh
		return c.failNode(n, t)
	}
	out := constant(v, e.site)
	out.optional = e.optional
	return out
}

func (c *exprCompiler) identifier(n *ast.IdentifierNode) *expr {
	at := c.siteOf(n)
	switch n.Value {
	case "row":
		c.m.readsRow = true
		return &expr{run: func(s *scope) (any, error) { return s.in.Row, nil }, site: at,
			path: func(*scope) (string, bool) { return "", true }}
	case "item", "index":
		return c.item(n, at)
	case "meta":
		return c.failNode(n, problem("mapping.type", "meta is used with one of its fields", "meta 必须带字段使用").
			hint("write meta.provider, meta.connector, meta.recordID, meta.origin or meta.receivedAt", "请写 meta.provider、meta.connector、meta.recordID、meta.origin 或 meta.receivedAt"))
	}
	if v, ok := c.names[n.Value]; ok {
		return c.named(v, at)
	}
	p := problem("mapping.unknown-name", "nothing is called %q here", "这里没有名为 %q 的值", n.Value)
	known := []string{"row", "meta"}
	if c.inEach {
		known = append(known, "item", "index")
	}
	for k := range c.names {
		known = append(known, k)
	}
	if _, isFunction := c.functions[n.Value]; isFunction {
		return c.failNode(n, p.hint("to call the function write %s(…)", "调用函数请写 %s(…)", n.Value))
	}
	if near := spelling.Nearest(n.Value, known, spelling.Typed); near != "" && len(n.Value) > 1 {
		return c.failNode(n, p.hint("did you mean %s? A field of the record is written row.%s; text needs quotes: '%[2]s'", "您是不是想写 %s？记录的字段写作 row.%s；文本要加引号：'%[2]s'", near, n.Value))
	}
	return c.failNode(n, p.hint("a field of the record is written row.%s; text needs quotes: '%[1]s'", "记录的字段写作 row.%s；文本要加引号：'%[1]s'", n.Value))
}

func (c *exprCompiler) item(n *ast.IdentifierNode, at *site) *expr {
	if !c.inEach {
		return c.failNode(n, problem("mapping.unknown-name", "%s is known only where an each: is around it", "%s 只能在 each: 之内使用", n.Value).
			hint("add each: \"= row.LIST\" above it, or read from row", "请在其上加 each: \"= row.列表\"，或直接读取 row"))
	}
	c.usesItem = true
	if n.Value == "index" {
		return &expr{run: func(s *scope) (any, error) { return s.index, nil }, kind: numberKind, site: at}
	}
	return &expr{run: func(s *scope) (any, error) { return s.item, nil }, site: at, path: itemPath}
}

// itemPath finds where in the record the item of the innermost each stands.
func itemPath(s *scope) (string, bool) {
	if p, ok := find(s.in.Row, s.item); ok {
		return p, true
	}
	if s.list == nil || s.outer == nil {
		return "", false
	}
	inner := s.frame
	s.frame = *inner.outer
	p, ok := inner.list.pointer(s)
	s.frame = inner
	if ok && inner.list.path != nil {
		p += "/" + strconv.Itoa(inner.index)
	}
	return p, ok
}

// named reads a let or an "as" name.
func (c *exprCompiler) named(v nameInScope, at *site) *expr {
	e := &expr{kind: v.kind, optional: v.optional, site: at}
	c.usesItem = c.usesItem || v.item
	if v.from == nil {
		e.run = func(s *scope) (any, error) { return s.vars[v.slot].value, nil }
		e.path = func(s *scope) (string, bool) { return find(s.in.Row, s.vars[v.slot].value) }
		return e
	}
	from := v.from
	e.path = from.path
	if e.path == nil {
		e.path = from.pointer
	}
	e.run = func(s *scope) (any, error) {
		slot := &s.vars[v.slot]
		if !slot.done {
			quiet, outer := s.quiet, s.frame
			s.frame = frame{}
			slot.value, slot.err = from.run(s)
			s.quiet, s.frame = quiet, outer
			// An absent value that was forgiven here may be asked for in earnest elsewhere.
			slot.done = !errors.Is(slot.err, errAbsent)
		}
		return slot.value, slot.err
	}
	return e
}

func (c *exprCompiler) elem(n *ast.PointerNode) *expr {
	at := c.siteOf(n)
	switch n.Name {
	case "":
		return &expr{run: func(s *scope) (any, error) { return s.elem, nil }, site: at,
			path: func(s *scope) (string, bool) { return find(s.in.Row, s.elem) }}
	case "index":
		return &expr{run: func(s *scope) (any, error) { return s.elemIndex, nil }, kind: numberKind, site: at}
	}
	return c.failNode(n, problem("mapping.unknown-name", "#%s is not offered", "不支持 #%s", n.Name).hint("use # or #index", "请用 # 或 #index"))
}

func (c *exprCompiler) array(n *ast.ArrayNode) *expr {
	parts := make([]*expr, len(n.Nodes))
	for i, sub := range n.Nodes {
		parts[i] = c.node(sub)
	}
	return c.fold(n, &expr{kind: listKind, reads: parts, site: c.siteOf(n), run: func(s *scope) (any, error) {
		out := make([]any, len(parts))
		for i, p := range parts {
			v, err := p.run(s)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, s.spend(len(parts))
	}})
}

func (c *exprCompiler) object(n *ast.MapNode) *expr {
	type field struct{ key, value *expr }
	fields := make([]field, 0, len(n.Pairs))
	e := &expr{kind: objectKind, site: c.siteOf(n)}
	for _, p := range n.Pairs {
		p, ok := p.(*ast.PairNode)
		if !ok {
			continue
		}
		f := field{c.node(p.Key), c.node(p.Value)}
		fields = append(fields, f)
		e.reads = append(e.reads, f.key, f.value)
	}
	e.run = func(s *scope) (any, error) {
		out := make(map[string]any, len(fields))
		for _, f := range fields {
			k, err := f.key.run(s)
			if err != nil {
				return nil, err
			}
			name, ok := text(k)
			if !ok {
				return nil, s.raise(e.site, f.key, typeProblem("a key is text, not %s", "键应为文本，而不是%s", describe(k)))
			}
			if out[name], err = f.value.run(s); err != nil {
				return nil, err
			}
		}
		return out, s.spend(len(fields))
	}
	return c.fold(n, e)
}

// declare compiles expr-lang's own "let x = …; …".
func (c *exprCompiler) declare(n *ast.VariableDeclaratorNode) *expr {
	value := c.node(n.Value)
	slot := c.slots
	c.slots++
	old, shadowed := c.names[n.Name]
	c.names[n.Name] = nameInScope{slot: slot, kind: value.kind, optional: value.optional}
	body := c.node(n.Expr)
	delete(c.names, n.Name)
	if shadowed {
		c.names[n.Name] = old
	}
	return &expr{kind: body.kind, optional: body.optional, site: body.site, reads: []*expr{value, body}, run: func(s *scope) (any, error) {
		v, err := value.run(s)
		if err != nil {
			return nil, err
		}
		s.vars[slot].value = v
		return body.run(s)
	}}
}

func (c *exprCompiler) conditional(n *ast.ConditionalNode) *expr {
	cond, yes, no := c.node(n.Cond), c.node(n.Exp1), c.node(n.Exp2)
	c.wantBool(n.Cond, cond)
	if cond.constant && !c.failed {
		dead := n.Exp2
		if cond.value == false {
			dead = n.Exp1
		}
		return c.failNode(dead, problem("mapping.unreachable", "this branch is never taken: the condition is always %v", "此分支永远不会执行：条件总是 %v", cond.value).
			hint("remove the condition", "请删除该条件"))
	}
	e := &expr{optional: yes.optional || no.optional, site: cond.site, reads: []*expr{cond, yes, no}}
	if yes.kind == no.kind {
		e.kind = yes.kind
	}
	e.run = func(s *scope) (any, error) {
		ok, err := truth(s, cond)
		if err != nil {
			return nil, err
		}
		if ok {
			return yes.run(s)
		}
		return no.run(s)
	}
	return e
}
