package decode

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// defaultMaxRecord is the largest record in bytes where the settings state none.
const defaultMaxRecord = 16 << 20

// size is a number of bytes; settings may write "1MiB", "64KiB" or a plain number. 0 is the default.
type size int

// UnmarshalYAML implements goccy/go-yaml's NodeUnmarshaler.
func (s *size) UnmarshalYAML(n ast.Node) error {
	written := n.GetToken().Value
	digits, unit := written, 1
	for suffix, factor := range map[string]int{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(written, suffix); ok {
			digits, unit = strings.TrimSpace(rest), factor
		}
	}
	count, err := strconv.Atoi(digits)
	if err != nil || count < 0 || count > (1<<40)/unit {
		return badNode(n, "want a number of bytes such as 65536, 64KiB or 1MiB")
	}
	*s = size(count * unit)
	return nil
}

// badNode refuses a value at its place.
func badNode(n ast.Node, message string) error {
	return &yaml.SyntaxError{Message: message, Token: n.GetToken()}
}

// or returns s, or the default where s is 0.
func (s size) or(n int) int {
	if s > 0 {
		return int(s)
	}
	return n
}

// readSettings reads one format's settings over the defaults in into, a pointer to a struct. Unknown keys are refused
// with their place and the nearest key that exists.
func readSettings(format string, b []byte, into any) error {
	if len(bytes.TrimSpace(b)) == 0 { // an empty document would clear the defaults
		return nil
	}
	err := unmarshal(b, into)
	if err == nil {
		return nil
	}
	at := hub.Where{}
	said := say("settings of %s: %s", "%s 的设置有误：%s", format, err.Error())
	if placed, ok := errors.AsType[yaml.Error](err); ok {
		if tok := placed.GetToken(); tok != nil && tok.Position != nil {
			at = hub.Where{Line: tok.Position.Line, Column: tok.Position.Column}
		}
		said = say("settings of %s: %s", "%s 的设置有误：%s", format, placed.GetMessage())
	}
	if unknown, ok := errors.AsType[*yaml.UnknownFieldError](err); ok {
		said = unknownKey(format, unknown, into)
	}
	return refuse("decode.settings", at, said)
}

func unknownKey(format string, e *yaml.UnknownFieldError, into any) text {
	key := ""
	if e.Token != nil {
		key = e.Token.Value
	}
	said := say("settings of %s have no key %q", "%s 没有名为 %q 的设置项", format, key)
	keys := settingKeys(reflect.TypeOf(into), nil)
	if near := spelling.Nearest(key, keys, spelling.Typed); near != "" {
		return said.hint("did you mean "+near+"?", "是否想写 "+near+"？")
	}
	return said.hint("the keys are "+strings.Join(keys, ", "), "可用的设置项："+strings.Join(keys, "、"))
}

// settingKeys lists the YAML keys of a settings struct and of what it holds.
func settingKeys(t reflect.Type, keys []string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || len(keys) > 200 {
		return keys
	}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			keys = append(keys, name)
		}
		if f.Type == reflect.TypeFor[guides]() {
			keys = settingKeys(reflect.TypeFor[guideNode](), settingKeys(reflect.TypeFor[guide](), keys))
		}
		if options == "inline" || name != "" && f.Type != t && f.Type.Kind() != reflect.Func {
			if elem := f.Type; !refersTo(elem, t) {
				keys = settingKeys(elem, keys)
			}
		}
	}
	return keys
}

// refersTo reports whether t is made of self, as a tree's nodes are.
func refersTo(t, self reflect.Type) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t == self
}

// setting refuses the value of one setting.
func setting(format, key string, said text) *hub.Fault {
	return refuse("decode.settings", hub.Where{Pointer: "/" + key},
		text{
			en: format + ": " + key + ": " + said.en, zh: format + "：" + key + "：" + said.zh,
			hintEn: said.hintEn, hintZh: said.hintZh,
		})
}

// charsetSetting resolves an encoding setting; "" and "auto" give the zero charset.
func charsetSetting(format, name string) (charset, error) {
	if name == "" || name == "auto" {
		return charset{}, nil
	}
	cs, ok := charsetNamed(name)
	if !ok {
		return charset{}, setting(format, "encoding", say("%q is not a known encoding", "不认识编码 %q", name).
			hint("use utf-8, gb18030, utf-16, latin1, big5 or another WHATWG name", "可用 utf-8、gb18030、utf-16、latin1、big5 等"))
	}
	return cs, nil
}

// unmarshal decodes b strictly. The decoder is third-party code on unchecked input, and fails on some tags: a panic in it is a
// value that cannot be read.
func unmarshal(b []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errUnreadable
		}
	}()
	return yaml.UnmarshalWithOptions(b, into, yaml.Strict())
}

var errUnreadable = errors.New("a value cannot be read: it is of another kind than its key wants, or has a tag (!name)")
