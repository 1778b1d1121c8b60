package mapping

import "github.com/google/uuid"

// timeFunctions read the times of legacy systems.
func timeFunctions() map[string]*function {
	params := []param{{name: "time", kind: textKind}, {name: "layout", kind: textKind, blank: true}, {name: "zone", kind: textKind, blank: true}}
	return map[string]*function{
		"ts": {usage: "ts(time, layout, zone)", doc: "a time as EPCIS writes it; layout and zone may be left out", params: params, min: 1, result: textKind,
			prepare: prepareTime(func(c civil) any { return c.write() }, true)},
		"offset": {usage: "offset(time, layout, zone)", doc: "the offset of a time, such as +08:00", params: params, min: 1, result: textKind,
			prepare: prepareTime(func(c civil) any { return string(appendOffset(nil, c.offset)) }, true)},
		"date": {usage: "date(time, layout)", doc: "the date of a time, such as 2019-05-01", params: params[:2], min: 1, result: textKind,
			prepare: prepareTime(func(c civil) any { return c.write()[:10] }, false)},
	}
}

// prepareTime compiles layout and zone when they are constant, as they nearly always are.
func prepareTime(write func(civil) any, needsZone bool) func(*exprCompiler, []*expr) (func(*scope, []any) (any, *trouble), *trouble) {
	return func(c *exprCompiler, args []*expr) (func(*scope, []any) (any, *trouble), *trouble) {
		l, z, t := constantTime(c.m, args)
		if t != nil {
			return nil, t
		}
		if needsZone && z == nil && l != nil && l.special != "auto" && l.special != "iso" && !l.zoned && len(args) < 3 {
			return nil, problem("mapping.timezone", "the layout %q states no time zone, and the mapping names none", "格式 %q 不含时区，映射也未指定时区", l.source).
				hint("add timezone: \"+08:00\" at the top of the mapping, or the zone as third argument", "请在映射顶部添加 timezone: \"+08:00\"，或作为第三个参数").at(1)
		}
		call := timeCall{layout: l, zone: z, needsZone: needsZone, write: write}
		return call.run, nil
	}
}

// timeCall is a call of ts, offset or date.
type timeCall struct {
	// layout and zone are nil when the record gives them.
	layout    *layout
	zone      *zone
	needsZone bool
	write     func(civil) any
}

func (tc *timeCall) run(s *scope, a []any) (any, *trouble) {
	l, z, t := tc.layout, tc.zone, (*trouble)(nil)
	if l == nil {
		if l, t = parseLayout(str(a, 1)); t != nil {
			return nil, t
		}
	}
	if len(a) > 2 && z == nil && str(a, 2) != "" {
		if z, t = parseZone(str(a, 2)); t != nil {
			return nil, t.at(2)
		}
	}
	if z == nil {
		z = s.m.zone
	}
	if !tc.needsZone && z == nil {
		z = &zone{}
	}
	c, t := readTime(l, str(a, 0), z)
	if t != nil {
		return nil, t.at(0)
	}
	return tc.write(c), nil
}

// constantTime returns the layout and the zone as far as they are known at load.
func constantTime(m *Mapping, args []*expr) (l *layout, z *zone, t *trouble) {
	z = m.zone
	if len(args) < 2 {
		l = &layout{special: "auto"}
	} else if src, ok := args[1].value.(string); ok && args[1].constant {
		if l, t = parseLayout(src); t != nil {
			return nil, nil, t
		}
	}
	if len(args) > 2 {
		z = nil
		if src, ok := args[2].value.(string); ok && args[2].constant {
			if z, t = parseZone(src); t != nil {
				return nil, nil, t.at(2)
			}
		}
	}
	return l, z, nil
}

// uuid5 is the name-based UUID of RFC 9562, section 5.5.
func uuid5(_ *scope, a []any) (any, *trouble) {
	spaces := map[string]uuid.UUID{"dns": uuid.NameSpaceDNS, "url": uuid.NameSpaceURL, "oid": uuid.NameSpaceOID, "x500": uuid.NameSpaceX500}
	space, ok := spaces[str(a, 0)]
	if !ok {
		var err error
		if space, err = uuid.Parse(str(a, 0)); err != nil {
			return nil, typeProblem("the name space is 'dns', 'url', 'oid', 'x500' or a UUID, not %q", "命名空间应为 'dns'、'url'、'oid'、'x500' 或 UUID，而不是 %q", clip(str(a, 0))).at(0)
		}
	}
	return uuid.NewSHA1(space, []byte(str(a, 1))).String(), nil
}
