package mapping

import (
	"encoding/json"
)

// clash refuses at load what could never fit the field.
func clash(sp *spec, k kind) *trouble {
	bad := false
	switch sp.want {
	case wantText, wantURI, wantTime:
		bad = k == listKind || k == objectKind || k == boolKind
	case wantNumber:
		bad = k == listKind || k == objectKind || k == boolKind
	case wantBool:
		bad = k != boolKind && k != anyKind && k != textKind
	case wantList:
		bad = k != listKind && k != anyKind
	case wantObject:
		bad = k != objectKind && k != anyKind
	case wantAny:
	}
	if !bad || k == nilKind {
		return nil
	}
	return wrongShape("mapping.type", sp, k.words())
}

func wrongShape(code string, sp *spec, got bilingual) *trouble {
	t := problem(code, "this field takes %s, and this is %s", "该字段应为%s，此处是%s", sp.want.words(), got)
	if sp.want == wantList {
		t.hint("one value becomes a list of one with list(…), or write it as a list: - \"= …\"", "单个值可用 list(…) 变成列表，或写成列表形式：- \"= …\"")
	}
	if _, ok := sp.fields["id"]; ok && sp.want == wantObject {
		t.hint("write it as  { id: \"= …\" }", "请写成  { id: \"= …\" }")
	}
	return t
}

func (w want) words() bilingual {
	switch w {
	case wantText:
		return bilingual{"text", "文本"}
	case wantURI:
		return bilingual{"an identifier", "标识符"}
	case wantTime:
		return bilingual{"a time", "时间"}
	case wantNumber:
		return bilingual{"a number", "数字"}
	case wantBool:
		return bilingual{"true or false", "布尔值"}
	case wantObject:
		return bilingual{"an object", "对象"}
	case wantList:
		return bilingual{"a list", "列表"}
	case wantAny:
	}
	return bilingual{"any value", "任意值"}
}

// coerce brings a value into the form that the field takes, or says why it cannot.
func coerce(sp *spec, v any) (any, *trouble) {
	switch sp.want {
	case wantText, wantURI:
		if s, ok := text(v); ok {
			if _, same := v.(string); same {
				return v, nil
			}
			return s, nil
		}
	case wantTime:
		if s, ok := v.(string); ok {
			return v, checkTime(s)
		}
	case wantNumber:
		if s, ok := text(v); ok {
			return coerceNumber(s)
		}
	case wantBool:
		if b, ok := truthOf(v); ok {
			return b, nil
		}
	case wantList:
		if list, ok := v.([]any); ok {
			return coerceList(sp, list)
		}
	case wantObject:
		if _, ok := v.(map[string]any); ok {
			return plain(v)
		}
	case wantAny:
		return plain(v)
	}
	if empty(v) {
		return nil, nil
	}
	return nil, wrongShape("map.type", sp, describe(v))
}

func checkTime(s string) *trouble {
	if _, stated := offsetOf(s); stated {
		return nil
	}
	return problem("map.time", "%q is no time with an offset, as 2019-11-07T18:13:43+08:00 is", "%q 不是带时区偏移的时间（如 2019-11-07T18:13:43+08:00）", clip(s)).
		hint("write \"= ts(…)\"", "请写 \"= ts(…)\"")
}

func coerceNumber(s string) (any, *trouble) {
	if n, ok := jsonNumber(s); ok {
		return n, nil
	}
	return nil, typeProblem("this field takes a number, and this is %q", "该字段应为数字，此处是 %q", clip(s)).
		hint("number(…) removes thousands marks and reads a decimal comma", "number(…) 可去除千位分隔符并识别小数逗号")
}

// truthOf reads true and false as systems write them.
func truthOf(v any) (b, ok bool) {
	switch v {
	case true, "true", "1":
		return true, true
	case false, "false", "0":
		return false, true
	}
	return false, false
}

func coerceList(sp *spec, list []any) (any, *trouble) {
	out := make([]any, 0, len(list))
	for _, v := range list {
		if empty(v) {
			continue
		}
		v, t := coerce(sp.elem, v)
		if t != nil {
			return nil, t
		}
		out = append(out, v)
	}
	return out, nil
}

// maxValues is the most values that one expression may put into an event.
const maxValues = 200_000

// plain turns the machine integers of an expression into JSON numbers; nothing else changes.
func plain(v any) (any, *trouble) {
	switch v := v.(type) {
	case int:
		s, _ := text(v)
		return json.Number(s), nil
	case []any, map[string]any:
		left := maxValues
		out := plainTree(v, &left)
		if left < 0 {
			return nil, problem("map.limit", "the value has more than %d parts", "该值超过 %d 个部分", maxValues)
		}
		return out, nil
	}
	return v, nil
}

func plainTree(v any, left *int) any {
	if *left--; *left < 0 {
		return nil
	}
	switch v := v.(type) {
	case int:
		s, _ := text(v)
		return json.Number(s)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plainTree(v[i], left)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = plainTree(v[k], left)
		}
		return out
	}
	return v
}
