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

// hinted adds a hint in both languages.
func hinted(f *hub.Fault, en, zh string) *hub.Fault {
	f.Hint, f.HintZh = en, zh
	return f
}
