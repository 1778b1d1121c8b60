package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// trouble is what is wrong, in English and Chinese, before it is known where.
type trouble struct {
	code   string
	en, zh words
	// arg is the number of the argument that a function refuses, from 0; -1 when it is none in particular.
	arg int
	// absent is true when the cause is a value that is not there, which "?" and default() forgive.
	absent bool
}

type words struct{ message, hint string }

// problem says what was found and what is allowed. English and Chinese take the same arguments.
func problem(code, en, zh string, args ...any) *trouble {
	return &trouble{code: code, arg: -1, en: words{message: fmt.Sprintf(en, args...)}, zh: words{message: fmt.Sprintf(zh, chinese(args)...)}}
}

// bilingual is an argument of a message that reads differently in Chinese. It prints as English.
type bilingual struct{ en, zh string }

func (b bilingual) String() string { return b.en }

// chinese replaces each bilingual argument by its Chinese reading.
func chinese(args []any) []any {
	out := args
	for i, a := range args {
		if b, ok := a.(bilingual); ok {
			if &out[0] == &args[0] {
				out = slices.Clone(args)
			}
			out[i] = b.zh
		}
	}
	return out
}

// hint says what to do next.
func (t *trouble) hint(en, zh string, args ...any) *trouble {
	t.en.hint, t.zh.hint = fmt.Sprintf(en, args...), fmt.Sprintf(zh, chinese(args)...)
	return t
}

// at names the argument that is refused.
func (t *trouble) at(arg int) *trouble { t.arg = arg; return t }

// suggest hints at the known name that is nearest to got, or lists what is known when none is near.
func (t *trouble) suggest(got string, known []string) *trouble {
	if n := spelling.Nearest(got, known, spelling.Typed); n != "" {
		return t.hint("did you mean %q?", "您是不是想写 %q？", n)
	}
	if len(known) == 0 {
		return t
	}
	list := slices.Clone(known)
	slices.Sort(list)
	more := ""
	if len(list) > 100 { // all functions fit: a newcomer does not know what to look for
		list, more = list[:100], ", …"
	}
	return t.hint("known: %s", "可用的有：%s", strings.Join(list, ", ")+more)
}

func (t *trouble) fault(kind hub.Kind) *hub.Fault {
	return &hub.Fault{Kind: kind, Code: t.code, Message: t.en.message, MessageZh: t.zh.message, Hint: t.en.hint, HintZh: t.zh.hint}
}
