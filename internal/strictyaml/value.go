package strictyaml

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/suyuan-io/suyuan/hub"
)

// field is one field of a target struct.
type field struct {
	name     string
	required bool
	index    []int
	tag      reflect.StructTag
}

// fieldsOf lists the fields of a struct that have a yaml name, with those of the structs that it embeds inline.
func fieldsOf(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case rest == "inline" && f.Anonymous:
			for _, inner := range fieldsOf(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
		case name != "" && name != "-":
			out = append(out, field{name: name, required: rest == "required", index: f.Index, tag: f.Tag})
		}
	}
	return out
}

// structure decodes a mapping into a struct; n is nil when the mapping is absent or empty and stands at parent.
func (d *decoder) structure(n ast.Node, v reflect.Value, parent hub.Where) {
	if n != nil && !isMapping(n) {
		d.wrongType(n, "a mapping of keys", "键值映射")
		return
	}
	fields := fieldsOf(v.Type())
	names := make([]string, len(fields))
	byName := make(map[string]field, len(fields))
	for i, f := range fields {
		names[i], byName[f.name] = f.name, f
	}
	given := map[string]bool{}
	if n != nil {
		for _, e := range d.entries(n) {
			f, known := byName[e.name]
			if !known {
				d.report(unknownKey(e.name, names).At(d.where(e.key)))
				continue
			}
			given[e.name] = true
			d.value(e, v.FieldByIndex(f.index), f.tag)
		}
	}
	for _, f := range fields {
		if f.required && !given[f.name] {
			d.report(missingKey(f.name, v.FieldByIndex(f.index)).At(parent))
		}
	}
	if c, ok := reflect.TypeAssert[Checker](v.Addr()); ok {
		d.check(c, d.locator(n, parent))
	}
}

// check adds what a struct's own rules find, except where a value was refused already: what the rule saw there is the
// default in its place.
func (d *decoder) check(c Checker, at Locator) {
	refused := map[hub.Where]bool{}
	for _, f := range d.faults {
		refused[f.Where] = true
	}
	for _, f := range c.Check(at) {
		if !refused[f.Where] {
			d.report(f)
		}
	}
}

// value decodes one entry into a field. An empty value leaves the default, except where a key alone means something.
func (d *decoder) value(e entry, v reflect.Value, tag reflect.StructTag) {
	if isNull(e.value) {
		switch v.Kind() {
		case reflect.Struct:
			if _, isChoice := reflect.TypeAssert[Choice](v); !isChoice && !isLeaf(v) {
				d.structure(nil, v, d.where(e.key))
				return
			}
		case reflect.Pointer:
			if v.Type().Elem().Kind() == reflect.Struct && !isLeaf(v) {
				d.pointer(nil, v, d.where(e.key), tag)
				return
			}
		default:
		}
		d.report(bilingual(hub.Invalid, "yaml.empty", fmt.Sprintf("key %q has no value", e.name),
			fmt.Sprintf("键 %q 没有值", e.name)).At(d.where(e.key)).WithHint("give a value or remove the key"))
		return
	}
	d.node(e.value, v, d.where(e.key), tag)
}

func isLeaf(v reflect.Value) bool {
	switch v.Interface().(type) {
	case Secret, Text, Rate, *time.Location:
		return true
	}
	_, text := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	return text
}

// node decodes a present, non-null node.
func (d *decoder) node(n ast.Node, v reflect.Value, parent hub.Where, tag reflect.StructTag) {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.report(bilingual(hub.Invalid, "yaml.not-allowed", "anchors, aliases and tags are not allowed",
			"不允许使用锚点、别名和标签").At(d.where(n)).WithHint("write the value out"))
		return
	}
	if c, ok := reflect.TypeAssert[*Choice](v.Addr()); ok {
		d.choice(n, c)
		return
	}
	if isLeaf(v) {
		d.leaf(n, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, parent)
	case reflect.Pointer:
		d.pointer(n, v, parent, tag)
	case reflect.Slice:
		d.list(n, v, tag)
	case reflect.Map:
		d.dictionary(n, v, tag)
	default:
		d.scalar(n, v, tag)
	}
}

func (d *decoder) pointer(n ast.Node, v reflect.Value, parent hub.Where, tag reflect.StructTag) {
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	if n == nil {
		d.structure(nil, v.Elem(), parent)
		return
	}
	d.node(n, v.Elem(), parent, tag)
}

// list decodes a list; a single value stands for a list of one.
func (d *decoder) list(n ast.Node, v reflect.Value, tag reflect.StructTag) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		one := reflect.New(v.Type().Elem()).Elem()
		d.node(n, one, d.where(n), tag)
		v.Set(reflect.Append(reflect.MakeSlice(v.Type(), 0, 1), one))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
	for i, item := range seq.Values {
		if isNull(item) {
			d.report(bilingual(hub.Invalid, "yaml.empty", "an element of the list is empty", "列表中有空元素").
				At(d.where(seq)))
			continue
		}
		d.node(item, out.Index(i), d.where(item), tag)
	}
	v.Set(out)
}

func (d *decoder) dictionary(n ast.Node, v reflect.Value, tag reflect.StructTag) {
	if !isMapping(n) {
		d.wrongType(n, "a mapping of keys", "键值映射")
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, e := range d.entries(n) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(e, item, tag)
		out.SetMapIndex(reflect.ValueOf(e.name).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, tag reflect.StructTag) {
	text, quoted, ok := scalarText(n)
	if !ok {
		en, zh := wanted(v)
		d.wrongType(n, en, zh)
		return
	}
	if _, isSize := reflect.TypeAssert[Size](v); isSize {
		d.set(n, v, text, parseSize)
		return
	}
	if _, isDuration := reflect.TypeAssert[time.Duration](v); isDuration {
		d.set(n, v, text, parseDuration)
		return
	}
	switch v.Kind() {
	case reflect.String:
		d.text(n, v, text, tag)
	case reflect.Bool:
		if quoted || text != "true" && text != "false" {
			d.wrongType(n, "true or false", "true 或 false")
			return
		}
		v.SetBool(text == "true")
	case reflect.Int, reflect.Int64, reflect.Int32:
		d.integer(n, v, text, tag)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || quoted || math.IsInf(f, 0) || math.IsNaN(f) {
			d.wrongType(n, "a number", "数字")
			return
		}
		v.SetFloat(f)
	default:
		d.report(hub.Faultf(hub.Internal, "yaml.target", "no decoding into %s", v.Type()).At(d.where(n)))
	}
}

func (d *decoder) text(n ast.Node, v reflect.Value, text string, tag reflect.StructTag) {
	text, fault := d.expand(text)
	if fault != nil {
		d.report(fault.At(d.where(n)))
		return
	}
	if enum := tag.Get("enum"); enum != "" {
		allowed := strings.Split(enum, ",")
		if f := Unknown("value", text, allowed); f != nil {
			d.report(f.At(d.where(n)))
			return
		}
	}
	v.SetString(text)
}

func (d *decoder) integer(n ast.Node, v reflect.Value, text string, tag reflect.StructTag) {
	i, err := strconv.ParseInt(text, 10, v.Type().Bits())
	if err != nil {
		d.wrongType(n, "a whole number", "整数")
		return
	}
	low, high := bound(tag, "min", math.MinInt64), bound(tag, "max", math.MaxInt64)
	if i < low || i > high {
		en, zh := fmt.Sprintf("%d is out of range, at least %d is allowed", i, low), fmt.Sprintf("%d 超出范围，至少为 %d", i, low)
		if i > high {
			en, zh = fmt.Sprintf("%d is out of range, at most %d is allowed", i, high), fmt.Sprintf("%d 超出范围，最多为 %d", i, high)
		}
		d.report(bilingual(hub.Invalid, "yaml.range", en, zh).At(d.where(n)))
		return
	}
	v.SetInt(i)
}

func bound(tag reflect.StructTag, name string, otherwise int64) int64 {
	if i, err := strconv.ParseInt(tag.Get(name), 10, 64); err == nil {
		return i
	}
	return otherwise
}

// set decodes a number with a unit.
func (d *decoder) set(n ast.Node, v reflect.Value, text string, parse func(string) (int64, error)) {
	i, err := parse(text)
	if err != nil {
		en, zh := wanted(v)
		d.wrongType(n, en, zh)
		return
	}
	v.SetInt(i)
}

// leaf decodes the scalar types that are structs in Go.
func (d *decoder) leaf(n ast.Node, v reflect.Value) {
	text, _, ok := scalarText(n)
	en, zh := wanted(v)
	if !ok {
		d.wrongType(n, en, zh)
		return
	}
	switch into := v.Addr().Interface().(type) {
	case *Secret:
		d.secret(n, into, text)
	case *Text:
		expanded, fault := d.expand(text)
		if fault != nil {
			d.report(fault.At(d.where(n)))
			return
		}
		*into = Text{expanded, d.where(n)}
	case **time.Location:
		loc, err := parseLocation(text)
		if err != nil {
			d.wrongType(n, en, zh)
			return
		}
		*into = loc
	case encoding.TextUnmarshaler:
		if err := into.UnmarshalText([]byte(text)); err != nil {
			d.report(bilingual(hub.Invalid, "yaml.value", err.Error(), err.Error()).At(d.where(n)))
		}
	}
}

func (d *decoder) wrongType(n ast.Node, want, wantZh string) {
	got, gotZh := describe(n)
	d.report(bilingual(hub.Invalid, "yaml.type", fmt.Sprintf("found %s where %s is expected", got, want),
		fmt.Sprintf("此处应为%s，实际是 %s", wantZh, gotZh)).At(d.where(n)))
}

// wanted says what a field takes, with an example.
func wanted(v reflect.Value) (en, zh string) {
	switch v.Interface().(type) {
	case time.Duration:
		return `a duration such as "30s", "5m" or "2h"`, `时长（如 "30s"、"5m"、"2h"）`
	case Size:
		return `a size such as "512KiB" or "1MiB"`, `大小（如 "512KiB"、"1MiB"）`
	case Rate:
		return `a rate such as "500/s" or "60/m"`, `速率（如 "500/s"、"60/m"）`
	case Secret:
		return "a reference ${env:NAME} or ${file:PATH}", "引用 ${env:名称} 或 ${file:路径}"
	case *time.Location:
		return `a time zone such as "Asia/Shanghai" or "+08:00"`, `时区（如 "Asia/Shanghai" 或 "+08:00"）`
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false", "true 或 false"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "a whole number", "整数"
	case reflect.Float64:
		return "a number", "数字"
	default:
		return "a text", "文本"
	}
}
