package mapping

// ediFunctions find their way in the generic tree of an EDI message:
// {"segments": [{"tag": "LIN", "elements": [["1"], [], ["4012345678901", "EN"]]}]}.
func ediFunctions() map[string]*function {
	message := param{name: "message", kind: anyKind}
	tag := param{name: "tag", kind: textKind}
	qualifier := param{name: "qualifier", kind: textKind, blank: true}
	return map[string]*function{
		"seg": {usage: "seg(message, tag, qualifier)", doc: "the first segment of a message or group with the tag, and with the qualifier as its first component when one is given", params: []param{message, tag, qualifier}, min: 2, result: objectKind,
			call: firstSegment},
		"segs": {usage: "segs(message, tag, qualifier)", doc: "all such segments", params: []param{message, tag, qualifier}, min: 2, result: listKind,
			call: func(s *scope, a []any) (any, *trouble) {
				out := []any{}
				t := eachSegment(s, a, func(seg any) bool { out = append(out, seg); return true })
				return out, t
			}},
		"el":     {usage: "el(segment, element, component)", doc: "a component of a segment, both counted from 1; component is 1 unless given", params: []param{{name: "segment", kind: objectKind}, {name: "element", kind: numberKind}, {name: "component", kind: numberKind}}, min: 2, result: textKind, call: component},
		"groups": {usage: "groups(message, tag, …)", doc: "the message cut into groups that each begin at a segment with the first tag; further tags end a group", params: []param{message, tag}, min: 2, repeats: true, result: listKind, call: groups},
		"dtm":    {usage: "dtm(message, qualifier, zone)", doc: "the time of the DTM segment with the qualifier, read as its own format code says (EDIFACT)", params: []param{message, {name: "qualifier", kind: textKind}, {name: "zone", kind: textKind, blank: true}}, min: 2, result: textKind, call: segmentTime},
	}
}

func segmentsOf(v any) ([]any, *trouble) {
	if m, ok := v.(map[string]any); ok {
		if list, ok := m["segments"].([]any); ok {
			return list, nil
		}
	}
	return nil, typeProblem("an EDI message or group is needed, and this is %s without segments", "此处需要 EDI 报文或段组，而这是没有 segments 的%s", describe(v)).at(0).
		hint("write row for the whole message, or item inside each: \"= groups(row, 'LIN')\"", "整个报文写 row；在 each: \"= groups(row, 'LIN')\" 内写 item")
}

// tagOf returns the tag of a segment.
func tagOf(seg any) string {
	m, _ := seg.(map[string]any)
	tag, _ := m["tag"].(string)
	return tag
}

// componentOf returns component c of element e of a segment, both from 0, or "".
func componentOf(seg any, e, c int) string {
	m, _ := seg.(map[string]any)
	elements, _ := m["elements"].([]any)
	if e < 0 || e >= len(elements) {
		return ""
	}
	parts, isList := elements[e].([]any)
	if !isList {
		if c > 0 {
			return ""
		}
		out, _ := text(elements[e])
		return out
	}
	if c < 0 || c >= len(parts) {
		return ""
	}
	out, _ := text(parts[c])
	return out
}

func eachSegment(s *scope, a []any, yield func(seg any) bool) *trouble {
	list, t := segmentsOf(a[0])
	if t != nil {
		return t
	}
	tag, qualifier := str(a, 1), str(a, 2)
	for _, seg := range list {
		if tagOf(seg) == tag && (qualifier == "" || componentOf(seg, 0, 0) == qualifier) && !yield(seg) {
			break
		}
	}
	return charge(s, 64*len(list))
}

func firstSegment(s *scope, a []any) (any, *trouble) {
	var found any
	if t := eachSegment(s, a, func(seg any) bool { found = seg; return false }); t != nil {
		return nil, t
	}
	if found == nil {
		t := problem("map.missing", "there is no segment %s here", "此处没有段 %s", str(a, 1)).at(0)
		if q := str(a, 2); q != "" {
			t = problem("map.missing", "there is no segment %s+%s here", "此处没有段 %s+%s", str(a, 1), q).at(0)
		}
		t.absent = true
		return nil, t.hint("if it may be absent use default(seg(…), nil) or present(seg(…))", "若可以缺省，请使用 default(seg(…), nil) 或 present(seg(…))")
	}
	return found, nil
}

func component(_ *scope, a []any) (any, *trouble) {
	e, okE := integer(a[1])
	c := 1
	okC := true
	if len(a) > 2 {
		c, okC = integer(a[2])
	}
	if !okE || !okC || e < 1 || c < 1 {
		return nil, typeProblem("elements and components are counted from 1", "数据元和成分从 1 开始计数").at(1)
	}
	out := componentOf(a[0], e-1, c-1)
	if out == "" {
		t := problem("map.missing", "segment %s has nothing in element %d, component %d", "段 %s 的第 %d 个数据元第 %d 个成分为空", tagOf(a[0]), e, c).at(0)
		t.absent = true
		return nil, t.hint("if it may be empty use default(el(…), '')", "若可以为空，请使用 default(el(…), '')")
	}
	return out, nil
}

func groups(s *scope, a []any) (any, *trouble) {
	list, t := segmentsOf(a[0])
	if t != nil {
		return nil, t
	}
	out := []any{}
	start := -1
	end := func(i int) {
		if start >= 0 {
			out = append(out, map[string]any{"tag": tagOf(list[start]), "segments": list[start:i:i]})
			start = -1
		}
	}
	for i, seg := range list {
		tag := tagOf(seg)
		for j := 1; j < len(a); j++ {
			if tag == str(a, j) {
				end(i)
				if j == 1 {
					start = i
				}
				break
			}
		}
	}
	end(len(list))
	return out, charge(s, 64*len(list)*len(a))
}

// segmentTime reads DTM+137:20191107:102.
func segmentTime(s *scope, a []any) (any, *trouble) {
	seg, t := firstSegment(s, []any{a[0], "DTM", a[1]})
	if t != nil {
		return nil, t
	}
	code := componentOf(seg, 0, 2)
	if code == "" {
		code = "auto"
	}
	l, t := parseLayout(code)
	if t != nil {
		return nil, problem("map.time", "the format code %q of segment DTM+%s is not known", "段 DTM+%[2]s 的格式代码 %[1]q 未知", code, str(a, 1)).at(0)
	}
	z := s.m.zone
	if len(a) > 2 {
		if z, t = parseZone(str(a, 2)); t != nil {
			return nil, t.at(2)
		}
	}
	c, t := readTime(l, componentOf(seg, 0, 1), z)
	if t != nil {
		return nil, t.at(0)
	}
	return c.write(), nil
}
