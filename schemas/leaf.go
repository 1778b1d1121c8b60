package schemas

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/suyuan-io/suyuan/hub"
)

// leaf reports one failed keyword of the schema raw.
func (x *explainer) leaf(e *jsonschema.ValidationError, raw map[string]any) {
	p := x.find(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			x.missing(e, p, name, "")
		}
	case *kind.DependentRequired:
		for _, name := range k.Missing {
			x.missing(e, p, name, k.Prop)
		}
	case *kind.Dependency:
		for _, name := range k.Missing {
			x.missing(e, p, name, k.Prop)
		}
	case *kind.AdditionalProperties:
		x.unknownFields(e, p, k.Properties)
	case *kind.FalseSchema:
		x.forbidden(e, p)
	case *kind.PropertyNames:
		x.badName(p, k.Property)
	case *kind.UniqueItems:
		x.repeated(p, k.Duplicates)
	default:
		f := valueFault(e.ErrorKind, p.node, raw)
		wordsOf(raw).advise(f, "")
		x.add(finding{offset: p.offset, fault: f, value: true}, p)
	}
}

// missing reports a required field that is not there.
func (x *explainer) missing(e *jsonschema.ValidationError, p place, name, because string) {
	f := &hub.Fault{
		Kind: hub.Invalid, Code: "schema.required",
		Message:   fmt.Sprintf("the field %q is missing", name),
		MessageZh: fmt.Sprintf("缺少字段 %q", name),
	}
	if because != "" {
		f.Message += fmt.Sprintf("; it is required beside %q", because)
		f.MessageZh += fmt.Sprintf("；有 %q 时必须提供", because)
	}
	f.Hint, f.HintZh = x.addField(e.SchemaURL, name)
	wordsOf(x.texts.at(e.SchemaURL)).advise(f, name)
	x.add(finding{offset: p.offset, fault: f, object: p.pointer, missing: name}, p)
}

// addField says how the missing field is written, from the schema of its value.
func (x *explainer) addField(schemaURL, name string) (hint, hintZh string) {
	properties, _ := x.texts.at(schemaURL)["properties"].(map[string]any)
	property, _ := properties[name].(map[string]any)
	_, property = x.texts.resolve(schemaURL, property)
	example := exampleFrom(property)
	if strings.HasPrefix(schemaURL, baseURL) {
		if usual := exampleOf(name); usual != "" {
			example = usual
		}
	}
	if example == "" {
		return fmt.Sprintf("add %q", name), fmt.Sprintf("请加上 %q", name)
	}
	return fmt.Sprintf("add it, for example %q: %s", name, example), fmt.Sprintf("请加上，例如 %q: %s", name, example)
}

// unknownFields reports the first of the fields that the object at p should not have.
func (x *explainer) unknownFields(e *jsonschema.ValidationError, p place, names []string) {
	unknown := make(map[string]bool, len(names))
	for _, name := range names {
		unknown[name] = true
	}
	reported := 0
	for _, m := range p.node.members {
		if unknown[m.name] && reported < maxFaults {
			x.unknownField(e, p, m)
			delete(unknown, m.name)
			reported++
		}
	}
}

// unknownField reports a field that the object does not have.
func (x *explainer) unknownField(e *jsonschema.ValidationError, p place, m member) {
	name, raw := m.name, x.texts.at(e.SchemaURL)
	known := slices.Compact(slices.Sorted(slices.Values(x.evaluated(e.SchemaURL, 0))))
	f := &hub.Fault{Kind: hub.Invalid, Code: "schema.unknown-field"}
	owner, ownerZh := ownerOf(p)
	f.Message = fmt.Sprintf("%q is not a field of %s", name, owner)
	f.MessageZh = fmt.Sprintf("%q 不是%s的字段", name, ownerZh)
	if len(known) > 0 && len(known) <= 8 {
		f.Message += ", which has " + quoteList(known)
		f.MessageZh += "，可用字段：" + quoteList(known)
	}
	meant := nearest(name, known, shareOfName)
	if p.node.get(meant) != nil {
		meant = "" // the known field is there beside it
	}
	open := isOpen(raw)
	switch {
	case meant != "":
		f.Hint, f.HintZh = fmt.Sprintf("did you mean %q?", meant), fmt.Sprintf("是否指 %q？", meant)
	case isNote(name):
		f.Hint, f.HintZh = noteHint(open)
	default:
		f.Hint, f.HintZh = x.elsewhere(e.SchemaURL, name, open)
		wordsOf(raw).advise(f, name)
	}
	at := p
	at.pointer += "/" + escapeToken(name)
	x.add(finding{offset: m.start, fault: f, object: p.pointer, meant: meant}, at)
}

// elsewhere says where a field that is unknown here could stand.
func (x *explainer) elsewhere(schemaURL, name string, open bool) (hint, hintZh string) {
	if owners := x.eventsWith(schemaURL, name); len(owners) > 0 {
		list := strings.Join(owners, ", ")
		return fmt.Sprintf("%q is a field of %s; check the event's type, or remove the field", name, list),
			fmt.Sprintf("%q 是 %s 的字段；请检查事件的 type，或删除该字段", name, list)
	}
	if open {
		return fmt.Sprintf("remove it, or keep it under a namespace prefix that @context defines: \"example:%s\"", name),
			fmt.Sprintf("请删除，或加上 @context 中定义的命名空间前缀：\"example:%s\"", name)
	}
	return "remove it; this object takes no fields of your own", "请删除；这个对象不能带自定义字段"
}

// eventsWith returns the event types of EPCIS that have a field called name, when schemaURL is one of EPCIS.
func (x *explainer) eventsWith(schemaURL, name string) []string {
	const prefix = baseURL + "epcis/"
	if !strings.HasPrefix(schemaURL, prefix) || !strings.Contains(schemaURL, "-event.json#") {
		return nil
	}
	var owners []string
	for _, t := range eventTypes() {
		raw := x.texts.at(baseURL + "epcis/" + Version + "/" + t.file + "#")
		if slices.Contains(fieldsOf(raw), name) {
			owners = append(owners, t.name)
		}
	}
	return owners
}

// forbidden reports a value where the schema allows none: an unevaluated field, or one ruled out by name.
func (x *explainer) forbidden(e *jsonschema.ValidationError, p place) {
	n := len(e.InstanceLocation)
	if n == 0 || x.find(e.InstanceLocation[:n-1]).node.kind != objectKind {
		f := newFault("schema.refused", "%s is not allowed here", "此处不允许 %s", quote(p.node))
		x.add(finding{offset: p.offset, fault: f, value: true}, p)
		return
	}
	up, name := x.find(e.InstanceLocation[:n-1]), e.InstanceLocation[n-1]
	if owner, ok := strings.CutSuffix(e.SchemaURL, "/unevaluatedProperties"); ok {
		if slices.Contains(x.evaluated(owner, 0), name) {
			return // it is known; what failed is elsewhere, and reported there
		}
		of := *e
		of.SchemaURL = owner
		x.unknownFields(&of, up, []string{name})
		return
	}
	f := newFault("schema.unknown-field", "the field %q is not allowed here", "此处不允许字段 %q", name)
	f.Hint, f.HintZh = "remove it", "请删除"
	x.add(finding{offset: nameOffset(up.node, name), fault: f}, p)
}

// evaluated returns the fields that the schema at url defines, itself or by what it is put together from.
func (x *explainer) evaluated(url string, depth int) []string {
	raw := x.texts.at(url)
	fields := fieldsOf(raw)
	if depth > 8 {
		return fields
	}
	if _, ok := raw["$ref"]; ok {
		target, _ := x.texts.resolve(url, raw)
		fields = append(fields, x.evaluated(target, depth+1)...)
	}
	for _, part := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := raw[part].([]any)
		for i := range list {
			fields = append(fields, x.evaluated(url+"/"+part+"/"+strconv.Itoa(i), depth+1)...)
		}
	}
	for _, part := range []string{"then", "else"} {
		if _, ok := raw[part]; ok {
			fields = append(fields, x.evaluated(url+"/"+part, depth+1)...)
		}
	}
	return fields
}

// badName reports a field name that is none.
func (x *explainer) badName(p place, name string) {
	f := &hub.Fault{
		Kind: hub.Invalid, Code: "schema.field-name",
		Message:   fmt.Sprintf("the field name %s cannot be used", clip(name)),
		MessageZh: fmt.Sprintf("字段名 %s 不能使用", clip(name)),
	}
	if strings.Contains(name, ":") {
		f.Hint, f.HintZh = uriAdvice(name)
	}
	at := p
	at.pointer += "/" + escapeToken(name)
	x.add(finding{offset: nameOffset(p.node, name), fault: f}, at)
}

// repeated reports the second of two equal items of a list.
func (x *explainer) repeated(p place, pair [2]int) {
	first, second := pair[0], pair[1]
	at := find(p.node, []string{strconv.Itoa(second)})
	f := &hub.Fault{
		Kind: hub.Invalid, Code: "schema.repeated-item",
		Message:   fmt.Sprintf("%s stands in the list twice, at positions %d and %d", quote(at.node), first+1, second+1),
		MessageZh: fmt.Sprintf("%s 在列表中出现两次，位置为第 %d 和第 %d 项", quote(at.node), first+1, second+1),
		Hint:      "state each item once", HintZh: "每一项只写一次",
	}
	at.pointer = p.pointer + at.pointer
	x.add(finding{offset: at.offset, fault: f, value: true}, at)
}

// valueFault says what is wrong with the value n itself.
func valueFault(k jsonschema.ErrorKind, n *node, raw map[string]any) *hub.Fault {
	switch k := k.(type) {
	case *kind.Type:
		return typeFault(n, k.Want)
	case *kind.Enum:
		return enumFault(n, k.Want, wordsOf(raw))
	case *kind.Const:
		return enumFault(n, []any{k.Want}, wordsOf(raw))
	case *kind.Format:
		return formatFault(n, k.Want)
	case *kind.Pattern:
		return patternFault(n, k.Want, wordsOf(raw))
	case *kind.Not:
		return newFault("schema.refused", "%s is not allowed here", "此处不允许 %s", quote(n))
	case *kind.AnyOf, *kind.OneOf:
		return newFault("schema.no-alternative", "%s has none of the forms that are allowed here", "%s 不符合此处允许的任何一种形式", quote(n))
	case *kind.MinItems:
		if k.Got == 0 {
			return newFault("schema.too-few", "the list is empty; it needs at least %d", "列表为空；至少要有 %d 项", k.Want)
		}
		return newFault("schema.too-few", "the list has %d items; it needs at least %d", "列表有 %d 项；至少要有 %d 项", k.Got, k.Want)
	case *kind.MaxItems:
		return newFault("schema.too-many", "the list has %d items; at most %d are allowed", "列表有 %d 项；最多允许 %d 项", k.Got, k.Want)
	case *kind.MinProperties:
		return newFault("schema.too-few", "the object has %d fields; it needs at least %d", "对象有 %d 个字段；至少要有 %d 个", k.Got, k.Want)
	case *kind.MaxProperties:
		return newFault("schema.too-many", "the object has %d fields; at most %d are allowed", "对象有 %d 个字段；最多允许 %d 个", k.Got, k.Want)
	}
	return measureFault(k, n)
}

// measureFault says what is wrong with the length or size of n, or what an unusual keyword found.
func measureFault(k jsonschema.ErrorKind, n *node) *hub.Fault {
	const code = "schema.range"
	switch k := k.(type) {
	case *kind.MinLength:
		return newFault("schema.length", "%s is too short: %d characters long, at least %d are needed", "%s 太短：%d 个字符，至少要有 %d 个", quote(n), k.Got, k.Want)
	case *kind.MaxLength:
		return newFault("schema.length", "%s is too long: %d characters, at most %d are allowed", "%s 太长：%d 个字符，最多允许 %d 个", quote(n), k.Got, k.Want)
	case *kind.Minimum:
		return newFault(code, "found %s, allowed is %s or more", "当前为 %s，应不小于 %s", quote(n), decimal(k.Want))
	case *kind.Maximum:
		return newFault(code, "found %s, allowed is %s or less", "当前为 %s，应不大于 %s", quote(n), decimal(k.Want))
	case *kind.ExclusiveMinimum:
		return newFault(code, "found %s, allowed is more than %s", "当前为 %s，应大于 %s", quote(n), decimal(k.Want))
	case *kind.ExclusiveMaximum:
		return newFault(code, "found %s, allowed is less than %s", "当前为 %s，应小于 %s", quote(n), decimal(k.Want))
	case *kind.MultipleOf:
		return newFault(code, "found %s, allowed are multiples of %s", "当前为 %s，应为 %s 的倍数", quote(n), decimal(k.Want))
	}
	return &hub.Fault{
		Kind: hub.Invalid, Code: "schema.refused",
		Message:   k.LocalizedString(message.NewPrinter(language.English)),
		MessageZh: "该值不符合模式：" + strings.Join(k.KeywordPath(), "/"),
	}
}

func decimal(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(12), "0")
}

// newFault returns an Invalid fault whose two messages take the same arguments.
func newFault(code, en, zh string, args ...any) *hub.Fault {
	return &hub.Fault{Kind: hub.Invalid, Code: code, Message: fmt.Sprintf(en, args...), MessageZh: fmt.Sprintf(zh, args...)}
}
