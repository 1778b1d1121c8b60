package schemas

import (
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// words is the annotation "x-fault" of a schema: what to tell the sender of a value that fails it. Brands may use it in
// schemas of their own. With a code or a message, the schema's failure is reported as one fault in these words, whatever
// failed inside; with a hint or a noun alone, they are added to what the failed keyword says.
type words struct {
	code, message, messageZh, hint, hintZh string
	// noun is what a value is called, with its article: "a business step".
	noun, nounZh string
	// open says that others may add to an enumeration, by URIs of their own.
	open bool
}

func wordsOf(raw map[string]any) words {
	w, _ := raw["x-fault"].(map[string]any)
	s := func(key string) string { v, _ := w[key].(string); return v }
	open, _ := w["open"].(bool)
	return words{
		code: s("code"), message: s("message"), messageZh: s("messageZh"), hint: s("hint"), hintZh: s("hintZh"),
		noun: s("noun"), nounZh: s("nounZh"),
		open: open,
	}
}

// speaks reports whether w speaks for the whole schema.
func (w words) speaks() bool { return w.code != "" || w.message != "" }

// fault returns the fault of value n in the words of w. "{value}" stands for the value found.
func (w words) fault(n *node) *hub.Fault {
	f := &hub.Fault{Kind: hub.Invalid, Code: w.code, Message: w.message, MessageZh: w.messageZh, Hint: w.hint, HintZh: w.hintZh}
	if f.Code == "" {
		f.Code = "schema.refused"
	}
	if f.Message == "" {
		f.Message, f.MessageZh = "the value is not allowed here", "此处不允许这个值"
	}
	found := quote(n)
	f.Message = strings.ReplaceAll(f.Message, "{value}", found)
	f.MessageZh = strings.ReplaceAll(f.MessageZh, "{value}", found)
	return f
}

// advise adds the hint of w to f where f has none of its own; "{field}" stands for the field's name.
func (w words) advise(f *hub.Fault, field string) {
	if w.hint != "" {
		f.Hint = strings.ReplaceAll(w.hint, "{field}", field)
	}
	if w.hintZh != "" {
		f.HintZh = strings.ReplaceAll(w.hintZh, "{field}", field)
	}
}

func stringsOf(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
