package schemas

import (
	"fmt"
	"math/big"
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
		if k, ok := k.(*kind.Format); ok && k.Want == "uri" && isEPCIS(e.SchemaURL) {
			adviseIdentifier(f, p)
		}
		wordsOf(raw).advise(f, "")
		x.add(finding{offset: p.offset, fault: f, value: true}, p)
	}
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
	case *kind.ContentEncoding:
		return newFault("schema.content", "%s is not encoded in %s", "%s 不是 %s 编码", quote(n), k.Want)
	case *kind.ContentMediaType:
		return newFault("schema.content", "%s does not hold %s", "%s 的内容不是 %s", quote(n), k.Want)
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
