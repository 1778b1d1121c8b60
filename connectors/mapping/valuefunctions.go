package mapping

// valueFunctions choose, collect and look up values.
func valueFunctions() map[string]*function {
	any1 := func(name string) param { return param{name: name, kind: anyKind, blank: true} }
	list := []param{{name: "list", kind: listKind}}
	return map[string]*function{
		"default":  {usage: "default(value, otherwise, …)", doc: "the first value that is there and not empty", params: []param{any1("value")}, min: 2, repeats: true, lazy: firstThere},
		"present":  {usage: "present(value)", doc: "true when the value is there and not empty", params: []param{any1("value")}, min: 1, result: boolKind, lazy: isThere},
		"required": {usage: "required(value, message)", doc: "the value; when it is missing or empty the record is refused with the message", params: []param{any1("value"), {name: "message", kind: textKind}}, min: 2, lazy: requireThere},
		"fail": {usage: "fail(message)", doc: "refuses the record with the message", params: []param{{name: "message", kind: textKind}}, min: 1,
			effect: true, lazy: func(s *scope, e *expr, args []*expr) (any, error) { return refuse(s, e, e, args[0]) }},
		"lookup": {usage: "lookup('table', key, otherwise)", doc: "the entry of a table under lookup:; otherwise may be left out", params: []param{{name: "table", kind: textKind}, {name: "key", kind: textKind}, any1("otherwise")}, min: 2, prepare: prepareLookup},
		"list":   {usage: "list(value, …)", doc: "a list of the values; lists among them are joined, empty values left out", params: []param{any1("value")}, min: 1, repeats: true, result: listKind, call: makeList},
		"flat":   {usage: "flat(list)", doc: "a list of lists as one list", params: list, min: 1, result: listKind, call: flatten},
		"first":  {usage: "first(list)", doc: "the first element", params: list, min: 1, call: func(_ *scope, a []any) (any, *trouble) { return element(a, true) }},
		"last":   {usage: "last(list)", doc: "the last element", params: list, min: 1, call: func(_ *scope, a []any) (any, *trouble) { return element(a, false) }},
		"len":    {usage: "len(value)", doc: "the number of characters, elements or fields", params: []param{any1("value")}, min: 1, result: numberKind, call: length},
		"unique": {usage: "unique(list)", doc: "the list of texts and numbers without repetitions", params: list, min: 1, result: listKind, call: unique},
		"bizTransaction": {usage: "bizTransaction(type, id)", doc: "one entry of bizTransactionList", params: []param{{name: "type", kind: textKind}, {name: "id", kind: textKind}}, min: 2, result: objectKind,
			call: func(_ *scope, a []any) (any, *trouble) {
				return map[string]any{"type": a[0], "bizTransaction": a[1]}, nil
			}},
		"quantity": {usage: "quantity(class, quantity, uom)", doc: "one entry of quantityList; uom may be left out", params: []param{{name: "class", kind: textKind}, {name: "quantity", kind: textKind}, {name: "uom", kind: textKind, blank: true}}, min: 2, result: objectKind, call: quantity},
	}
}

func firstThere(s *scope, _ *expr, args []*expr) (any, error) {
	for _, a := range args[:len(args)-1] {
		v, err := runQuiet(s, a)
		if err != nil || !empty(v) {
			return v, err
		}
	}
	return args[len(args)-1].run(s)
}

func isThere(s *scope, _ *expr, args []*expr) (any, error) {
	v, err := runQuiet(s, args[0])
	return !empty(v), err
}

func requireThere(s *scope, e *expr, args []*expr) (any, error) {
	v, err := runQuiet(s, args[0])
	if err != nil || !empty(v) {
		return v, err
	}
	return refuse(s, e, args[0], args[1])
}

// refuse raises a fault in the mapping author's own words. default() does not forgive it.
func refuse(s *scope, e, blame, message *expr) (any, error) {
	v, err := message.run(s)
	if err != nil {
		return nil, err
	}
	words, _ := text(v)
	return nil, s.raise(e.site, blame, problem("map.refused", "%s", "%s", words))
}

func makeList(s *scope, a []any) (any, *trouble) {
	out := make([]any, 0, len(a))
	for _, v := range a {
		if inner, ok := v.([]any); ok {
			out = append(out, inner...)
		} else if !empty(v) {
			out = append(out, v)
		}
	}
	return out, charge(s, 64*len(out))
}

func flatten(s *scope, a []any) (any, *trouble) {
	outer, _ := a[0].([]any)
	return makeList(s, outer)
}

func element(a []any, first bool) (any, *trouble) {
	list, _ := a[0].([]any)
	if len(list) == 0 {
		t := problem("map.missing", "the list is empty", "列表为空").at(0)
		t.absent = true
		return nil, t
	}
	if first {
		return list[0], nil
	}
	return list[len(list)-1], nil
}

func length(_ *scope, a []any) (any, *trouble) {
	switch v := a[0].(type) {
	case nil:
		return 0, nil
	case []any:
		return len(v), nil
	case map[string]any:
		return len(v), nil
	}
	if t, ok := text(a[0]); ok {
		return len([]rune(t)), nil
	}
	return nil, typeProblem("%s has no length", "%s没有长度", describe(a[0])).at(0)
}

func unique(s *scope, a []any) (any, *trouble) {
	list, _ := a[0].([]any)
	out := make([]any, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, v := range list {
		key, ok := text(v)
		if !ok {
			return nil, typeProblem("unique needs texts or numbers, and here is %s", "unique 需要文本或数字，此处是%s", describe(v)).at(0)
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, v)
		}
	}
	return out, charge(s, 64*len(list))
}

func quantity(_ *scope, a []any) (any, *trouble) {
	n, ok := jsonNumber(str(a, 1))
	if !ok {
		return nil, typeProblem("the quantity %q is no number", "数量 %q 不是数字", clip(str(a, 1))).at(1).hint("thousands marks are removed by number(…)", "千位分隔符请用 number(…) 去除")
	}
	out := map[string]any{"epcClass": a[0], "quantity": n}
	if uom := str(a, 2); uom != "" {
		out["uom"] = uom
	}
	return out, nil
}
