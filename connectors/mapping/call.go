package mapping

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// function is one row of the function library.
type function struct {
	// usage is the call as documentation shows it, doc one line about it.
	usage, doc string
	params     []param
	// min is how many arguments must be given; more than len(params) may be given when the last repeats.
	min     int
	repeats bool
	result  kind
	// call applies the function. The arguments are converted to the kinds of params and are valid only during the call.
	call func(s *scope, args []any) (any, *trouble)
	// prepare, when set, specialises call for arguments that are constant.
	prepare func(c *exprCompiler, args []*expr) (func(*scope, []any) (any, *trouble), *trouble)
	// effect is true for a function that must not be tried when the mapping is loaded.
	effect bool
	// lazy, when set, replaces call: it runs its arguments itself.
	lazy func(s *scope, e *expr, args []*expr) (any, error)
}

// param is one parameter.
type param struct {
	name string
	kind kind
	// blank is true where nothing and "" are welcome; elsewhere they are a missing value.
	blank bool
}

func (f *function) param(i int) param {
	if i >= len(f.params) {
		return f.params[len(f.params)-1]
	}
	return f.params[i]
}

func (c *exprCompiler) functionNames() []string { return slices.Sorted(maps.Keys(c.functions)) }

// call compiles a function call.
func (c *exprCompiler) call(n *ast.CallNode) *expr {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.failNode(n, problem("mapping.unknown-function", "values have no methods", "值没有方法").
			hint("write function(value) instead of value.function()", "请写 函数(值)，而不是 值.函数()"))
	}
	args := make([]*expr, len(n.Arguments))
	for i, a := range n.Arguments {
		args[i] = c.node(a)
	}
	f, ok := c.functions[id.Value]
	if !ok {
		t := problem("mapping.unknown-function", "there is no function %q", "没有函数 %q", id.Value)
		if known := familiar(id.Value); known != "" {
			return c.failNode(n, t.hint("here it is written %s", "此处写作 %s", known))
		}
		return c.failNode(n, t.suggest(id.Value, append(c.functionNames(), predicateNames()...)))
	}
	e := &expr{kind: f.result, site: c.siteOf(n), reads: args}
	if !c.checkCall(n, id.Value, f, args) {
		return e
	}
	if f.lazy != nil {
		e.run = func(s *scope) (any, error) { return f.lazy(s, e, args) }
		c.lazyKind(id.Value, e, args)
		if f.effect {
			return e
		}
		return c.fold(n, e)
	}
	for i, a := range args {
		if a.optional && !f.param(i).blank {
			e.optional = true
		}
	}
	apply := f.call
	if f.prepare != nil {
		var t *trouble
		if apply, t = f.prepare(c, args); t != nil {
			at := ast.Node(n)
			if t.arg >= 0 && t.arg < len(n.Arguments) {
				at = n.Arguments[t.arg]
			}
			return c.failNode(at, t)
		}
	}
	site := &callSite{f: f, apply: apply, e: e, args: args}
	e.run = site.run
	return c.fold(n, e)
}

// familiar says how a function that people know from SQL, spreadsheets and programming languages is written here, or "".
func familiar(name string) string {
	switch strings.ToLower(strings.NewReplacer("_", "", ".", "").Replace(name)) {
	case "todate", "totimestamp", "todatetime", "parsedate", "parsetime", "parsedatetime", "strptime", "strtotime", "dateparse", "datetime", "timestamp", "time":
		return "ts(time, layout)"
	case "concat", "strcat":
		return "a + b, or join(list, separator)"
	case "substr", "substring", "slice", "mid", "left", "right":
		return "row.code[0:4]"
	case "coalesce", "ifnull", "nvl", "isnull", "orelse", "ifempty":
		return "default(value, otherwise)"
	case "int", "float", "tonumber", "parseint", "parsefloat", "todouble", "tointeger", "cast":
		return "number(text)"
	case "str", "string", "tostring", "tochar":
		return "text(value)"
	case "toupper", "uppercase", "ucase", "strtoupper":
		return "upper(text)"
	case "tolower", "lowercase", "lcase", "strtolower":
		return "lower(text)"
	case "strip", "ltrim", "rtrim":
		return "trim(text)"
	case "length", "size", "strlen":
		return "len(value)"
	case "lpad", "padstart", "padleft", "zfill":
		return "pad(text, width)"
	case "round", "tofixed", "format":
		return "decimal(number, places)"
	case "exists", "isset", "has", "notnull":
		return "present(value)"
	case "iif", "if", "case", "switch", "decode":
		return "condition ? a : b, or lookup('table', key)"
	case "vlookup", "dict":
		return "lookup('table', key)"
	case "regexp", "match", "regexextract", "regexpextract":
		return "regex(text, 'pattern')"
	}
	return ""
}

func (c *exprCompiler) lazyKind(name string, e *expr, args []*expr) {
	if name != "default" && name != "required" {
		return
	}
	last := args[len(args)-1]
	e.optional = name == "default" && last.optional
	if name == "required" {
		e.kind = args[0].kind
	} else if args[0].kind == last.kind {
		e.kind = last.kind
	}
}

// checkCall checks the number and the known kinds of the arguments.
func (c *exprCompiler) checkCall(n *ast.CallNode, called string, f *function, args []*expr) bool {
	if len(args) < f.min || len(args) > len(f.params) && !f.repeats {
		c.failNode(n, problem("mapping.type", "the number of arguments of %s cannot be %d", "%s 的参数个数不能是 %d", called, len(args)).
			hint("write %s", "写法：%s", f.usage))
		return false
	}
	fine := true
	for i, a := range args {
		p := f.param(i)
		if p.kind == anyKind || a.kind == anyKind || a.kind == p.kind || a.kind == numberKind && p.kind == textKind || a.kind == nilKind && p.blank {
			continue
		}
		t := problem("mapping.type", "%s of %s is %s, and this is %s", "%[2]s 的参数 %[1]s 应为%[3]s，此处是%[4]s", p.name, called, p.kind.words(), a.kind.words())
		if p.kind == numberKind && a.kind == textKind {
			if _, ok := a.value.(string); ok || !a.constant {
				t.hint("text becomes a number with number(…)", "文本可用 number(…) 转成数字")
			}
		} else {
			t.hint("write %s", "写法：%s", f.usage)
		}
		c.failNode(n.Arguments[i], t)
		fine = false
	}
	return fine
}

// callSite is one call of a function.
type callSite struct {
	f     *function
	apply func(*scope, []any) (any, *trouble)
	e     *expr
	args  []*expr
}

// run runs the arguments, converts them and applies the function. The arguments stay on the scope's stack, so that a
// call allocates nothing of its own.
func (cs *callSite) run(s *scope) (any, error) {
	if err := s.spend(1); err != nil {
		return nil, err
	}
	base := len(s.stack)
	for i, a := range cs.args {
		v, err := a.run(s)
		if err == nil {
			v, err = cs.accept(s, i, v)
		}
		if err != nil {
			s.stack = s.stack[:base]
			if err == errShort { //nolint:errorlint // a private signal, never wrapped
				return nil, nil
			}
			return nil, err
		}
		s.stack = append(s.stack, v)
	}
	out, t := cs.apply(s, s.stack[base:])
	clear(s.stack[base:])
	s.stack = s.stack[:base]
	if t != nil {
		blame := cs.e
		if t.arg >= 0 && t.arg < len(cs.args) {
			blame = cs.args[t.arg]
		}
		return nil, s.raise(cs.e.site, blame, t)
	}
	return out, nil
}

// accept converts v to the kind of parameter i. errShort means that the author allowed the value to be absent, so that
// the whole call is.
func (cs *callSite) accept(s *scope, i int, v any) (any, error) {
	p, arg := cs.f.param(i), cs.args[i]
	switch v {
	case nil, "":
		if p.blank {
			if p.kind == textKind {
				return "", nil
			}
			return v, nil
		}
		if arg.optional {
			return nil, errShort
		}
		t := problem("map.missing", "%s is empty", "%s 为空", p.name)
		t.absent = true
		return nil, s.raise(cs.e.site, arg, t.hint("if it may be empty write the field as \"=? …\" or use default(…)", "若可以为空，请把字段写成 \"=? …\"，或使用 default(…)"))
	}
	switch p.kind {
	case textKind:
		if _, ok := v.(string); ok {
			return v, nil
		}
		if str, ok := text(v); ok {
			return str, nil
		}
	case anyKind:
		return v, nil
	default:
		if kindOf(v) == p.kind {
			return v, nil
		}
	}
	t := typeProblem("%s is %s, not %s: %s", "%s 应为%[3]s，而不是%[2]s：%[4]s", p.name, describe(v), p.kind.words(), show(v))
	if p.kind == listKind {
		t.hint("one value becomes a list of one with list(…)", "单个值可用 list(…) 变成列表")
	}
	return nil, s.raise(cs.e.site, arg, t)
}

// runQuiet runs e where a missing value is nothing.
func runQuiet(s *scope, e *expr) (any, error) {
	s.quiet++
	v, err := e.run(s)
	s.quiet--
	if errors.Is(err, errAbsent) || errors.Is(err, errShort) {
		return nil, nil
	}
	return v, err
}
