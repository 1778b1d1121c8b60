package strictyaml

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// Unknown returns a fault that says that got is no such thing and which of allowed is meant, or nil if it is one of
// them. Thing is a word such as "kind", "format" or "key".
func Unknown(thing, got string, allowed []string) *hub.Fault {
	if slices.Contains(allowed, got) {
		return nil
	}
	code := "yaml.unknown-" + strings.ReplaceAll(thing, " ", "-")
	f := bilingual(hub.Invalid, code, fmt.Sprintf("unknown %s %q", thing, got), fmt.Sprintf("未知的 %s %q", thing, got))
	if near := spelling.Nearest(got, allowed, spelling.Typed); near != "" {
		f.Hint, f.HintZh = fmt.Sprintf("did you mean %q?", near), fmt.Sprintf("是否想写 %q？", near)
		return f
	}
	list := strings.Join(allowed, ", ")
	f.Hint, f.HintZh = "allowed: "+list, "可用："+list
	return f
}

func unknownKey(got string, allowed []string) *hub.Fault { return Unknown("key", got, allowed) }

// missingKey says what the key that is missing takes.
func missingKey(name string, into reflect.Value) *hub.Fault {
	f := bilingual(hub.Invalid, "yaml.missing-key", fmt.Sprintf("key %q is missing", name), fmt.Sprintf("缺少键 %q", name))
	var en, zh string
	switch _, choice := reflect.TypeAssert[Choice](into); {
	case choice:
		en, zh = "one key below it that names a kind", "其下一个表示种类的键"
	case into.Kind() == reflect.Slice:
		en, zh = wanted(reflect.Zero(into.Type().Elem()))
		en, zh = "a list, each element "+en, "列表，每项为"+zh
	case into.Kind() == reflect.Struct && into.Type() != reflect.TypeFor[Secret]() && into.Type() != reflect.TypeFor[Text]():
		en, zh = "its settings below it", "其下的设置"
	default:
		en, zh = wanted(into)
	}
	f.Hint, f.HintZh = fmt.Sprintf("add  %s:  with %s", name, en), fmt.Sprintf("请添加  %s:  ，值为%s", name, zh)
	return f
}
