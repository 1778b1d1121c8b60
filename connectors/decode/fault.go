package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// text is what a fault says, in both languages.
type text struct{ en, zh, hintEn, hintZh string }

// say formats one finding in both languages; the verbs of both take the same arguments in the same order.
func say(en, zh string, args ...any) text {
	if len(args) == 0 {
		return text{en: en, zh: zh}
	}
	return text{en: fmt.Sprintf(en, args...), zh: fmt.Sprintf(zh, args...)}
}

// hint adds what to do next.
func (t text) hint(en, zh string) text {
	t.hintEn, t.hintZh = en, zh
	return t
}

// refuse makes the fault of one finding. Codes that end in ".size" are of kind TooLarge, all others Invalid.
func refuse(code string, at hub.Where, said text) *hub.Fault {
	kind := hub.Invalid
	if strings.HasSuffix(code, ".size") {
		kind = hub.TooLarge
	}
	return &hub.Fault{
		Kind: kind, Code: code, Where: at,
		Message: said.en, MessageZh: said.zh, Hint: said.hintEn, HintZh: said.hintZh,
	}
}

// tooLarge is the fault of a record over the limit, in any format.
func tooLarge(format string, at hub.Where, limit int) *hub.Fault {
	return refuse(format+".size", at, say("the record is over the limit of %d bytes", "该条记录超过 %d 字节的上限", limit).
		hint("a quote, tag or bracket that is never closed makes a record endless; otherwise raise maxRecord",
			"未闭合的引号、标签或括号会使记录没有结尾；否则请调大 maxRecord"))
}

// badBytes is the fault of bytes that the stated or guessed encoding does not know.
func badBytes(format string, at hub.Where, cs charset) *hub.Fault {
	others := slices.DeleteFunc([]string{"utf-8", "gb18030", "windows-1252"}, func(name string) bool { return name == cs.name })
	return refuse(format+".encoding", at, say("the bytes here are not %s", "此处的字节不是 %s 编码", cs.name).
		hint("set encoding: to what the sender writes, such as "+strings.Join(others, " or "),
			"请用 encoding: 写明发送方的编码，例如 "+strings.Join(others, " 或 ")))
}

// place is a position in an item: the line and column, from 1, of the next byte.
type place struct {
	line, col int
	afterCR   bool
}

func newPlace() place { return place{line: 1, col: 1} }

// advance moves the place over b; columns counts the columns of a piece of one line. LF, CR LF and a lone CR each end
// a line, also where b ends between CR and LF.
func (p *place) advance(b []byte, columns func([]byte) int) {
	if len(b) == 0 {
		return
	}
	if p.afterCR && b[0] == '\n' {
		b = b[1:]
	}
	p.afterCR = len(b) > 0 && b[len(b)-1] == '\r'
	if bytes.IndexByte(b, '\r') < 0 {
		if lines := bytes.Count(b, []byte{'\n'}); lines > 0 {
			p.line += lines
			p.col, b = 1, b[bytes.LastIndexByte(b, '\n')+1:]
		}
		p.col += columns(b)
		return
	}
	start := 0
	for i := 0; i < len(b); i++ {
		if b[i] == '\n' || b[i] == '\r' && (i+1 == len(b) || b[i+1] != '\n') {
			p.line, p.col, start = p.line+1, 1, i+1
		}
	}
	p.col += columns(b[start:])
}

// where returns the place as hub.Where.
func (p place) where(pointer string) hub.Where {
	return hub.Where{Line: p.line, Column: p.col, Pointer: pointer}
}

// placeIn returns the place of the byte offset in b.
func placeIn(b []byte, offset int, columns func([]byte) int) place {
	p := newPlace()
	p.advance(b[:min(max(offset, 0), len(b))], columns)
	return p
}

// countRunes counts columns as hub.Where does in text: code points, as utf8.RuneCount does, but eight at a time where they are
// ASCII. A batch is often one long line, of which every record asks where it begins.
func countRunes(b []byte) (n int) {
	const highs = 0x8080808080808080
	for i := 0; i < len(b); {
		if i+8 <= len(b) && binary.LittleEndian.Uint64(b[i:])&highs == 0 {
			i, n = i+8, n+8
			continue
		}
		_, size := utf8.DecodeRune(b[i:])
		i, n = i+size, n+1
	}
	return n
}

// countBytes counts columns as hub.Where does in EDI: bytes.
func countBytes(b []byte) int { return len(b) }

// movedTo moves the place of a fault in what begins at start.
func movedTo(err error, start place) error {
	var f *hub.Fault
	if !errors.As(err, &f) {
		return err
	}
	moved := *f
	moved.Where = Shift(f.Where, connectors.Piece{Line: start.line, Column: start.col})
	return &moved
}

// faultTree is a fault as part of a tree.
func faultTree(f *hub.Fault) map[string]any {
	tree := map[string]any{"code": f.Code, "message": f.Message, "messageZh": f.MessageZh, "pointer": f.Where.Pointer}
	placeTree(tree, f.Where)
	return tree
}

// placeTree sets the line and column of a fault in a tree.
func placeTree(v any, w hub.Where) {
	if tree, ok := v.(map[string]any); ok {
		tree["line"], tree["column"] = json.Number(itoa(w.Line)), json.Number(itoa(w.Column))
	}
}

// faultOfTree reads a fault back from a tree.
func faultOfTree(v any) (*hub.Fault, bool) {
	tree, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	text := func(key string) string { s, _ := tree[key].(string); return s }
	number := func(key string) int { n, _ := tree[key].(json.Number); return index(n.String()) }
	return &hub.Fault{
		Kind: hub.Invalid, Code: text("code"), Message: text("message"), MessageZh: text("messageZh"),
		Where: hub.Where{Line: number("line"), Column: number("column"), Pointer: text("pointer")},
	}, true
}
