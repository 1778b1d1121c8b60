package strictyaml

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Unknown returns a fault that says that got is no such thing and which of allowed is meant, or nil if it is one of
// them. Thing is a word such as "kind", "format" or "key".
func Unknown(thing, got string, allowed []string) *hub.Fault {
	if slices.Contains(allowed, got) {
		return nil
	}
	code := "yaml.unknown-" + strings.ReplaceAll(thing, " ", "-")
	f := bilingual(hub.Invalid, code, fmt.Sprintf("unknown %s %q", thing, got), fmt.Sprintf("未知的 %s %q", thing, got))
	if near := Nearest(got, allowed); near != "" {
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

// Nearest returns the allowed word that got is probably a misspelling of, or "".
func Nearest(got string, allowed []string) string {
	best, bestDistance := "", max(1, len([]rune(got))/3)+1
	for _, a := range allowed {
		if d := distance(fold(got), fold(a)); d < bestDistance {
			best, bestDistance = a, d
		}
	}
	return best
}

// fold removes what people mix up between naming styles: min_age, min-age and minAge are one.
func fold(s string) []rune {
	return []rune(strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s)))
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal
// string alignment). Words longer than any key are as far as can be.
func distance(a, b []rune) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b))
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
