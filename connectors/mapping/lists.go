package mapping

import (
	"maps"
	"slices"
	"strconv"
)

// listPiece compiles a list whose elements are values, or repeated or conditional ones: an object with each: or when:.
func (l *loader) listPiece(n *node, sp *spec, target string) *piece {
	if sp.want != wantList && sp.want != wantAny {
		l.fail(n, wrongShape("mapping.type", sp, bilingual{"a list", "列表"}))
		return nil
	}
	elem := sp.elem
	if elem == nil {
		elem = &spec{}
	}
	parts := make([]*listItem, 0, len(n.items))
	all, fine := []any{}, true
	for i, item := range n.items {
		p := l.element(item, elem, target+"["+strconv.Itoa(i)+"]")
		if p == nil {
			fine = false
			continue
		}
		parts = append(parts, p)
		if p.loop == nil && p.constant && all != nil {
			all = append(all, p.value)
		} else {
			all = nil
		}
	}
	if !fine {
		return nil
	}
	if all != nil {
		return fixed(slices.DeleteFunc(all, empty))
	}
	return &piece{build: func(s *scope) (any, error) {
		out := make([]any, 0, len(parts))
		for _, p := range parts {
			var err error
			if out, err = p.append(s, out); err != nil {
				return nil, err
			}
		}
		return out, nil
	}}
}

// listItem is one element of a list's template, or the template of many.
type listItem struct {
	*piece
	loop *loop
}

func (p *listItem) append(s *scope, out []any) ([]any, error) {
	if p.loop == nil {
		v, err := p.build(s)
		if err == nil && !empty(v) {
			out = append(out, v)
		}
		return out, err
	}
	err := p.loop.run(s, func() error {
		v, err := p.build(s)
		if err == nil && !empty(v) {
			out = append(out, v)
		}
		return err
	})
	return out, err
}

// element compiles one element. With each: or when: the element is the value: beside it, or the object of the other keys.
func (l *loader) element(n *node, sp *spec, target string) *listItem {
	if n.shape != objectShape || n.get("each") == nil && n.get("when") == nil {
		if p := l.value(n, sp, target); p != nil {
			return &listItem{piece: p}
		}
		return nil
	}
	if n.get("each") == nil && n.get("value") == nil {
		if p := l.objectPiece(n, sp, target); p != nil {
			return &listItem{piece: p}
		}
		return nil
	}
	lp, leave := l.loop(n, target)
	defer leave()
	var p *piece
	if only(n, "each", "when", "as", "value") && n.get("value") != nil {
		p = l.value(n.get("value"), sp, target)
	} else if members, fine := l.members(n, sp, target, "each", "when", "as"); fine {
		o := &objectBuilder{members: members}
		p = &piece{build: o.build}
		if sp.want != wantObject && sp.want != wantAny {
			l.fail(n, problem("mapping.shape", "what each: makes is written under value:", "each: 产生的值应写在 value: 之下").
				hint("for example  - each: \"= row.lines\"  and below it  value: \"= sgtin(item.gtin, item.serial)\"", "例如  - each: \"= row.lines\"，下一行  value: \"= sgtin(item.gtin, item.serial)\""))
			return nil
		}
	}
	if p == nil || lp == nil {
		return nil
	}
	return &listItem{piece: p, loop: lp}
}

func only(n *node, keys ...string) bool {
	return !slices.ContainsFunc(n.pairs, func(p pair) bool { return !slices.Contains(keys, p.key) })
}

// loop is each: and when: around something.
type loop struct {
	each *expr
	// before is a condition that does not look at the item, after one that does.
	before, after *expr
	as            int
	eachID        int
	whenID        int
	target        string
}

// loop compiles each:, as: and when: of n; the names that they bring are known until leave is called. It returns nil
// after a fault.
func (l *loader) loop(n *node, target string) (lp *loop, leave func()) {
	lp = &loop{as: -1, target: target}
	inEach, names := l.c.inEach, l.c.names
	leave = func() { l.c.inEach, l.c.names = inEach, names }
	each, cond := n.get("each"), n.get("when")
	fine := true
	if each != nil {
		lp.each = l.mustExpression(each, "each", target+".each")
		fine = lp.each != nil
		if fine && lp.each.kind != listKind && lp.each.kind != anyKind {
			l.fail(each, problem("mapping.type", "each: goes over a list, and this is %s", "each: 需要列表，此处是%s", lp.each.kind.words()).
				hint("one value becomes a list of one with list(…)", "单个值可用 list(…) 变成列表"))
		}
		lp.eachID = l.branch(each, "each", target)
		l.c.inEach = true
		if as := n.get("as"); as != nil {
			lp.as = l.bind(as)
		}
	} else if as := n.get("as"); as != nil {
		l.fail(as, problem("mapping.shape", "as: names the item of an each:, and there is none", "as: 用于命名 each: 的元素，但这里没有 each:"))
	}
	if cond == nil {
		if !fine {
			return nil, leave
		}
		return lp, leave
	}
	l.c.usesItem = false
	w := l.when(cond, target)
	lp.whenID = l.branch(cond, "when", target)
	if lp.each != nil && l.c.usesItem {
		lp.after = w
	} else {
		lp.before = w
	}
	if !fine || w == nil {
		return nil, leave
	}
	return lp, leave
}

// bind makes the "as" name known.
func (l *loader) bind(as *node) int {
	if t := l.checkName(as.text); t != nil {
		l.fail(as, t)
	}
	slot := l.slot()
	inner := maps.Clone(l.c.names)
	inner[as.text] = nameInScope{slot: slot, item: true}
	l.c.names = inner
	return slot
}

// run calls body for each item, or once where there is no each.
func (lp *loop) run(s *scope, body func() error) error {
	if lp.before != nil {
		if ok, err := truth(s, lp.before); err != nil || !ok {
			return err
		}
		s.hit(lp.whenID)
	}
	if lp.each == nil {
		return body()
	}
	v, err := lp.each.run(s)
	if err != nil {
		return err
	}
	items, ok := v.([]any)
	if !ok && !empty(v) {
		return s.raise(lp.each.site, lp.each, typeProblem("each: goes over a list, and this is %s", "each: 需要列表，此处是%s", describe(v)).
			hint("one value becomes a list of one with list(…)", "单个值可用 list(…) 变成列表"))
	}
	outer := s.frame
	defer func() { s.frame = outer }()
	s.frame = frame{list: lp.each, outer: &outer}
	for i, item := range items {
		if err := lp.once(s, i, item, body); err != nil {
			return err
		}
	}
	return nil
}

// once calls body for one item, if the condition lets it.
func (lp *loop) once(s *scope, i int, item any, body func() error) error {
	if err := s.spend(1); err != nil {
		return err
	}
	s.item, s.index = item, i
	if lp.as >= 0 {
		s.vars[lp.as] = slot{value: item}
	}
	if lp.after != nil {
		if ok, err := truth(s, lp.after); err != nil || !ok {
			return err
		}
		s.hit(lp.whenID)
	}
	s.hit(lp.eachID)
	return body()
}
