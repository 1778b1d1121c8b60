package epcis

import (
	"fmt"

	"github.com/suyuan-io/suyuan/hub"
)

// faultf returns a fault with its message in English and Chinese, both with the same arguments.
func faultf(kind hub.Kind, code, en, zh string, args ...any) *hub.Fault {
	f := hub.Faultf(kind, code, en, args...)
	f.MessageZh = fmt.Sprintf(zh, args...)
	return f
}

// readFault explains that the input could not be read.
func readFault(err error) *hub.Fault {
	return faultf(hub.Unavailable, "epcis.document.read", "cannot read the document", "无法读取文档").Because(err)
}

// tooDeep is the fault of nesting beyond a limit.
func tooDeep(limit int) *hub.Fault {
	return faultf(hub.Invalid, "epcis.json.depth", "arrays and objects nest deeper than %d levels",
		"数组和对象的嵌套超过 %d 层", limit)
}

const (
	splitHint   = "split the event, or raise the limit"
	splitHintZh = "请拆分事件，或提高上限"
)

// hinted adds a hint in both languages.
func hinted(f *hub.Fault, en, zh string) *hub.Fault {
	f.Hint, f.HintZh = en, zh
	return f
}
