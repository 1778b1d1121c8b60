package epcis

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// op is a comparison.
type op string

const (
	opEQ op = "EQ"
	opGT op = "GT"
	opGE op = "GE"
	opLT op = "LT"
	opLE op = "LE"
)

// holds reports whether a value that compares to the operand as c does satisfies op.
func (o op) holds(c int) bool {
	switch o {
	case opEQ:
		return c == 0
	case opGT:
		return c > 0
	case opGE:
		return c >= 0
	case opLT:
		return c < 0
	case opLE:
		return c <= 0
	}
	return false
}

func cutOp(name string) (op, string, bool) {
	head, rest, ok := strings.Cut(name, "_")
	switch o := op(head); o {
	case opEQ, opGT, opGE, opLT, opLE:
		return o, rest, ok && rest != ""
	}
	return "", "", false
}

// family takes the parameters whose names are made up of parts.
func (p *queryParser) family(name string, raw []string) (bool, error) {
	for _, prefix := range []string{"EQATTR_", "EQ_ATTR_"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return true, p.equalAttribute(rest, raw)
		}
	}
	if rest, ok := strings.CutPrefix(name, "HASATTR_"); ok {
		return true, p.hasAttribute(rest, raw)
	}
	if rest, ok := strings.CutPrefix(name, "EXISTS_"); ok {
		return p.existsExtension(rest, raw)
	}
	o, rest, ok := cutOp(name)
	if !ok {
		return false, nil
	}
	if o == opEQ {
		if known, err := p.pairs(rest, raw); known {
			return true, err
		}
	}
	if known, err := p.measured(o, rest, raw); known {
		return true, err
	}
	return p.extension(o, rest, raw)
}

// pairs takes EQ_bizTransaction_T, EQ_source_T and EQ_destination_T.
func (p *queryParser) pairs(rest string, raw []string) (bool, error) {
	for _, f := range []field{fieldBizTransactionList, fieldSourceList, fieldDestinationList} {
		s := shapes[f]
		typ, ok := strings.CutPrefix(rest, s.item+"_")
		if !ok || typ == "" {
			continue
		}
		var ids []string
		if err := p.ids(raw, &ids); err != nil {
			return true, err
		}
		typ = s.words.word(typ)
		p.add(func(e *Event) bool {
			for _, pair := range e.root.member(s.name).items() {
				if s.words.word(pair.str("type")) == typ && slices.Contains(ids, canonicalID(pair.str(s.item))) {
					return true
				}
			}
			return false
		})
		return true, nil
	}
	return false, nil
}

// measured takes the parameters that compare numbers: quantities, and what sensors measured, in a stated unit.
func (p *queryParser) measured(o op, rest string, raw []string) (bool, error) {
	name, uom, hasUOM := strings.Cut(rest, "_")
	switch name {
	case "quantity":
	case "percRank":
		if hasUOM {
			return false, nil
		}
	case "value", "minValue", "maxValue", "meanValue", "sDev", "percValue":
		if !hasUOM {
			return false, nil
		}
	default:
		return false, nil
	}
	if hasUOM && (len(uom) < 2 || len(uom) > 4) {
		return true, p.bad("unknown", "%q is no unit of UN/ECE Recommendation 20", "%q 不是 UN/ECE 第 20 号建议书的单位代码", uom)
	}
	numbers, err := p.numbers(o, raw)
	if err != nil {
		return true, err
	}
	test := func(part *node) bool { return measuredBy(part, name, uom, o, numbers) }
	p.add(func(e *Event) bool {
		if name != "quantity" {
			return anyPart(e, test, "sensorElementList", "sensorReport")
		}
		return slices.ContainsFunc([]string{
			"quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList",
		}, func(list string) bool { return anyPart(e, test, list) })
	})
	return true, nil
}

func anyPart(e *Event, test func(*node) bool, path ...string) bool {
	return slices.ContainsFunc(e.Lookup(path...), func(v Value) bool { return test(v.n) })
}

// measuredBy reports whether the number name of a quantity element or sensor report, in the unit asked for, compares to
// one of the numbers as it should.
func measuredBy(part *node, name, uom string, o op, numbers []float64) bool {
	value, ok := parseFloat(leafText(part.member(name)))
	if !ok {
		return false
	}
	tolerance := 0.0
	if uom != "" {
		stated := part.str("uom")
		if value, ok = convertUnit(value, stated, uom, name == "sDev"); !ok {
			return false
		}
		if stated != uom {
			// Conversion rounds; what is equal in one unit is meant to be equal in the other.
			tolerance = 1e-9 * max(1, math.Abs(value))
		}
	}
	return slices.ContainsFunc(numbers, func(want float64) bool {
		if math.Abs(value-want) <= tolerance {
			return o.holds(0)
		}
		return o.holds(cmp.Compare(value, want))
	})
}

// numbers takes numeric values: one, or for EQ several.
func (p *queryParser) numbers(o op, raw []string) ([]float64, error) {
	list, err := p.list(raw, wordSeparators)
	if err != nil {
		return nil, err
	}
	if o != opEQ && len(list) > 1 {
		return nil, p.bad("value", "%s takes exactly one value", "参数 %s 只能有一个值", p.name)
	}
	numbers := make([]float64, len(list))
	for i, item := range list {
		f, ok := parseFloat(item)
		if !ok {
			return nil, p.bad("value", "%s is %q, which is no number", "参数 %s 的值 %q 不是数字", p.name, item)
		}
		numbers[i] = f
	}
	return numbers, nil
}

// parseFloat parses a finite number.
func parseFloat(s string) (float64, bool) {
	if s == "" || !strings.ContainsAny(s[:1], "+-.0123456789") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0) && !strings.ContainsAny(s, "xX_pP")
}

// extensionScope says where an extension parameter looks.
type extensionScope struct {
	// paths lead to the objects whose members are the extensions.
	paths [][]string
	// inner looks at every depth below those members, and not at them.
	inner bool
	// name is the expanded name, raw as it was written.
	name, raw string
}

// parseExtension reads [INNER_][SCOPE_]name.
func (p *queryParser) parseExtension(rest string) (extensionScope, bool) {
	s := extensionScope{paths: [][]string{{}}}
	rest, s.inner = strings.CutPrefix(rest, "INNER_")
	for scope, path := range map[string][]string{
		"ILMD_":              {"ilmd"},
		"ERROR_DECLARATION_": {"errorDeclaration"},
		"SENSORELEMENT_":     {"sensorElementList"},
		"SENSORMETADATA_":    {"sensorElementList", "sensorMetadata"},
		"SENSORREPORT_":      {"sensorElementList", "sensorReport"},
		"readPoint_":         {"readPoint"},
		"bizLocation_":       {"bizLocation"},
	} {
		if name, ok := strings.CutPrefix(rest, scope); ok {
			rest, s.paths = name, [][]string{path}
			break
		}
	}
	s.raw = rest
	ns, local := p.expandParameter(rest)
	s.name = ns + local
	return s, strings.Contains(rest, ":") && local != ""
}

// expandParameter expands the name of an extension field, which may also be written namespace#local as in EPCIS 1.x.
func (p *queryParser) expandParameter(name string) (ns, local string) {
	if ns, local, ok := strings.Cut(name, "#"); ok && strings.Contains(ns, ":") {
		return ns, local
	}
	if strings.HasPrefix(name, "{") {
		if ns, local, ok := strings.Cut(name[1:], "}"); ok {
			return ns, local
		}
	}
	return p.ctx.Expand(name)
}

// names reports whether a member is the one that the parameter names. Where the query does not say what its prefix
// means, the same prefix in the event is taken to be it.
func (s extensionScope) names(ctx *Context, member string) bool {
	if member == s.raw {
		return true
	}
	ns, local := ctx.Expand(member)
	return ns != "" && (ns+local == s.name || ns+"#"+local == s.raw)
}

// find calls yield for every value that the parameter names until it returns true.
func (s extensionScope) find(e *Event, yield func(*node) bool) bool {
	for _, path := range s.paths {
		for _, v := range e.Lookup(path...) {
			if v.n.kind == kindObject && s.within(e.ctx, v.n, 0, yield) {
				return true
			}
		}
	}
	return false
}

// within looks through an object at the given depth below the scope's own, or through the arrays of one.
func (s extensionScope) within(ctx *Context, n *node, depth int, yield func(*node) bool) bool {
	ofEvent := depth == 0 && len(s.paths[0]) == 0
	for i := range n.kids {
		kid := &n.kids[i]
		below := depth
		if n.kind == kindObject {
			if ofEvent && fieldOf(kid.name) != fieldExtension {
				continue // an event's own fields are no extensions
			}
			if (depth > 0) == s.inner && s.names(ctx, kid.name) && slices.ContainsFunc(kid.items(), func(item node) bool {
				return yield(&item)
			}) {
				return true
			}
			below++
		}
		if s.inner && !kid.scalar() && s.within(ctx, kid, below, yield) {
			return true
		}
	}
	return false
}

// extension takes the comparison of an extension field.
func (p *queryParser) extension(o op, rest string, raw []string) (bool, error) {
	s, ok := p.parseExtension(rest)
	if !ok {
		return false, nil
	}
	list, err := p.list(raw, uriSeparators)
	if err != nil {
		return true, err
	}
	if o != opEQ {
		_, isNumber := parseFloat(list[0])
		_, err := ParseTime(list[0])
		if len(list) > 1 || !isNumber && err != nil {
			return true, p.bad("value", "%s takes one number or one time", "参数 %s 只能有一个数字或时间", p.name)
		}
	}
	p.add(func(e *Event) bool {
		return s.find(e, func(n *node) bool {
			text := Value{n, e.ctx}.Text()
			return slices.ContainsFunc(list, func(want string) bool { return compareTexts(text, want, o) })
		})
	})
	return true, nil
}

// compareTexts compares a value of a type that nobody declared: as numbers when both are, as times when both are, else,
// for equality, as identifiers or texts.
func compareTexts(text, want string, o op) bool {
	if a, ok := parseFloat(text); ok {
		if b, ok := parseFloat(want); ok {
			return o.holds(cmp.Compare(a, b))
		}
	}
	if a, err := ParseTime(text); err == nil {
		if b, err := ParseTime(want); err == nil {
			return o.holds(a.Compare(b))
		}
	}
	return o == opEQ && (text == want || canonicalID(text) == canonicalID(want))
}

// existsExtension takes EXISTS_ of an extension field.
func (p *queryParser) existsExtension(rest string, raw []string) (bool, error) {
	s, ok := p.parseExtension(rest)
	if !ok {
		return false, nil
	}
	switch strings.ToLower(strings.Join(raw, "")) {
	case "false", "0":
		return true, nil
	case "true", "1", "", "null":
		p.add(func(e *Event) bool { return s.find(e, func(*node) bool { return true }) })
		return true, nil
	}
	return true, p.bad("value", "%s is true or false", "参数 %s 只能为 true 或 false", p.name)
}

// named returns a scope that only knows a name.
func (p *queryParser) named(name string) extensionScope {
	ns, local := p.expandParameter(name)
	return extensionScope{raw: name, name: ns + local}
}

// attributes reports whether yield is true for a value of an attribute of a field, at any depth of the event. In the
// JSON form attributes are members.
func (p *queryParser) attributes(e *Event, fieldName, attribute string, yield func(string) bool) bool {
	f, a := p.named(fieldName), p.named(attribute)
	ofItem := func(item node) bool {
		return slices.ContainsFunc(item.kids, func(m node) bool { return a.names(e.ctx, m.name) && yield(leafText(&m)) })
	}
	var walk func(n node) bool
	walk = func(n node) bool {
		return slices.ContainsFunc(n.kids, func(kid node) bool {
			isField := n.kind == kindObject && f.names(e.ctx, kid.name)
			return isField && slices.ContainsFunc(kid.items(), ofItem) || walk(kid)
		})
	}
	return walk(e.root)
}

func (p *queryParser) hasAttribute(fieldName string, raw []string) error {
	list, err := p.list(raw, wordSeparators)
	ctx := &queryParser{Query: Query{ctx: p.ctx}}
	p.add(func(e *Event) bool {
		return slices.ContainsFunc(list, func(attribute string) bool {
			return ctx.attributes(e, fieldName, attribute, func(string) bool { return true })
		})
	})
	return err
}

// equalAttribute takes EQATTR_field_attribute. Both parts may hold '_', so every way to cut is tried.
func (p *queryParser) equalAttribute(rest string, raw []string) error {
	list, err := p.list(raw, uriSeparators)
	if err != nil {
		return err
	}
	if strings.Count(rest, "_") == 0 || strings.Count(rest, "_") > 8 {
		return p.bad("unknown", "%s names no field and attribute", "参数 %s 没有给出字段和属性", p.name)
	}
	ctx := &queryParser{Query: Query{ctx: p.ctx}}
	p.add(func(e *Event) bool {
		for i := range len(rest) {
			if rest[i] == '_' && ctx.attributes(e, rest[:i], rest[i+1:], func(v string) bool {
				return slices.ContainsFunc(list, func(want string) bool { return compareTexts(v, want, opEQ) })
			}) {
				return true
			}
		}
		return false
	})
	return nil
}
