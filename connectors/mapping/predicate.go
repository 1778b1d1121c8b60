package mapping

import (
	"errors"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// errStop ends a walk over a list early.
var errStop = errors.New("stop")

// predicateNames are the functions that take a condition or expression for each element ("#" or ".field").
func predicateNames() []string {
	return []string{"all", "any", "count", "filter", "find", "findLast", "map", "none", "one", "sortBy", "sum"}
}

// predicate compiles filter(list, condition) and its kin.
func (c *exprCompiler) predicate(n *ast.BuiltinNode) *expr {
	if !slices.Contains(predicateNames(), n.Name) {
		return c.failNode(n, problem("mapping.unknown-function", "there is no function %q", "没有函数 %q", n.Name).
			suggest(n.Name, append(c.functionNames(), predicateNames()...)))
	}
	list := c.node(n.Arguments[0])
	if list.kind != listKind && list.kind != anyKind {
		return c.failNode(n.Arguments[0], problem("mapping.type", "%s goes over a list, and this is %s", "%s 需要列表，此处是%s", n.Name, list.kind.words()))
	}
	e := &expr{site: c.siteOf(n), reads: []*expr{list}, optional: list.optional}
	var body *expr
	if len(n.Arguments) > 1 {
		if p, ok := n.Arguments[1].(*ast.PredicateNode); ok {
			outer := c.inPredicate
			c.inPredicate = true
			body = c.node(p.Node)
			c.inPredicate = outer
			e.reads = append(e.reads, body)
			if n.Name != "map" && n.Name != "sortBy" && n.Name != "sum" {
				c.wantBool(p.Node, body)
			}
		}
	}
	switch n.Name {
	case "map", "filter", "sortBy":
		e.kind = listKind
	case "count", "sum":
		e.kind, e.optional = numberKind, false
	case "all", "any", "none", "one":
		e.kind, e.optional = boolKind, false
	}
	w := &walker{list: list, body: body, e: e}
	e.run = w.of(n.Name)
	if n.Name == "sortBy" && len(n.Arguments) > 2 {
		return c.failNode(n.Arguments[2], problem("mapping.type", "sortBy takes a list and what to sort by", "sortBy 只接受列表和排序依据"))
	}
	return e
}

// walker goes over a list with "#" set to each element.
type walker struct{ list, body, e *expr }

// each calls yield with each element and what body makes of it; yield ends the walk with errStop.
func (w *walker) each(s *scope, yield func(v, made any) error) error {
	v, err := w.list.run(s)
	if err != nil {
		return err
	}
	items, ok := v.([]any)
	if !ok && v != nil {
		return s.raise(w.e.site, w.list, typeProblem("a list is needed, and this is %s", "此处需要列表，而这是%s", describe(v)).
			hint("one value becomes a list of one with list(…)", "单个值可用 list(…) 变成列表"))
	}
	elem, index := s.elem, s.elemIndex
	defer func() { s.elem, s.elemIndex = elem, index }()
	for i, it := range items {
		if err := s.spend(1); err != nil {
			return err
		}
		made := it
		if w.body != nil {
			s.elem, s.elemIndex = it, i
			if made, err = w.body.run(s); err != nil {
				return err
			}
			s.elem, s.elemIndex = elem, index
		}
		if err := yield(it, made); err != nil {
			if err == errStop { //nolint:errorlint // a private signal, never wrapped
				return nil
			}
			return err
		}
	}
	return nil
}

// yes calls then for each element for which body is true.
func (w *walker) yes(s *scope, then func(v any) error) error {
	return w.each(s, func(v, made any) error {
		ok, isBool := made.(bool)
		if w.body == nil {
			return then(v)
		}
		if !isBool {
			return s.raise(w.body.site, w.body, typeProblem("a condition must be true or false, and this is %s", "条件必须为真或假，此处是%s", describe(made)))
		}
		if !ok {
			return nil
		}
		return then(v)
	})
}

func (w *walker) of(name string) func(*scope) (any, error) {
	switch name {
	case "map":
		return w.mapped
	case "filter":
		return w.filtered
	case "sortBy":
		return w.sorted
	case "sum":
		return w.sum
	case "find", "findLast":
		return func(s *scope) (any, error) { return w.found(s, name == "findLast") }
	}
	return func(s *scope) (any, error) {
		hits, all := 0, 0
		err := w.each(s, func(any, any) error { all++; return nil })
		if err == nil {
			err = w.yes(s, func(any) error { hits++; return nil })
		}
		switch name {
		case "all":
			return hits == all, err
		case "any":
			return hits > 0, err
		case "none":
			return hits == 0, err
		case "one":
			return hits == 1, err
		}
		return hits, err
	}
}

func (w *walker) mapped(s *scope) (any, error) {
	out := []any{}
	err := w.each(s, func(_, made any) error { out = append(out, made); return nil })
	return out, err
}

func (w *walker) filtered(s *scope) (any, error) {
	out := []any{}
	err := w.yes(s, func(v any) error { out = append(out, v); return nil })
	return out, err
}

func (w *walker) found(s *scope, last bool) (any, error) {
	var out any
	seen := false
	err := w.yes(s, func(v any) error {
		out, seen = v, true
		if last {
			return nil
		}
		return errStop
	})
	if err == nil && !seen {
		t := problem("map.missing", "no element of the list meets the condition", "列表中没有符合条件的元素")
		t.absent = true
		return nil, s.raise(w.e.site, w.list, t.hint("if it may be absent write default(find(…), …)", "若可以缺省，请写 default(find(…), …)"))
	}
	return out, err
}

func (w *walker) sum(s *scope) (any, error) {
	var total any = 0
	err := w.each(s, func(_, made any) error {
		var t *trouble
		if total, t = compute("+", total, made); t != nil {
			return s.raise(w.e.site, w.e, t)
		}
		return nil
	})
	return total, err
}

func (w *walker) sorted(s *scope) (any, error) {
	type keyed struct{ v, by any }
	var all []keyed
	if err := w.each(s, func(v, made any) error { all = append(all, keyed{v, made}); return nil }); err != nil {
		return nil, err
	}
	var wrong *trouble
	slices.SortStableFunc(all, func(a, b keyed) int {
		n, t := compare(a.by, b.by)
		if t != nil {
			wrong = t
		}
		return n
	})
	if wrong != nil {
		return nil, s.raise(w.e.site, w.list, wrong)
	}
	out := make([]any, len(all))
	for i, k := range all {
		out[i] = k.v
	}
	return out, nil
}
