package strictyaml

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/suyuan-io/suyuan/hub"
)

// Choice is a mapping of exactly one key, which selects a kind, to the settings of that kind:
//
//	source: { file: { paths: [/in/*.csv] } }
//	decode: json            # short for: decode: { json: }
type Choice struct {
	// Key is the selected kind, "" when the field is absent.
	Key string
	// At is the place of the key.
	At hub.Where

	settings ast.Node
	d        *decoder
}

// Decode reads the settings into the struct that into points to, and returns every fault in them.
func (c Choice) Decode(into any) hub.Faults {
	if c.d == nil {
		return nil
	}
	sub := &decoder{file: c.d.file, data: c.d.data, lookup: c.d.lookup}
	return sub.run(c.settings, into, c.At)
}

// Source returns the settings as YAML text of their own, nil when there are none. It is padded with blank lines and
// columns, so that the places in it are the places in the file.
func (c Choice) Source() []byte {
	if c.settings == nil {
		return nil
	}
	return cutOut(c.d.data, c.settings)
}

func (d *decoder) choice(n ast.Node, into *Choice) {
	if text, _, ok := scalarText(n); ok && text != "" {
		*into = Choice{Key: text, At: d.where(n), d: d}
		return
	}
	if !isMapping(n) {
		d.wrongType(n, "one key that names a kind, with its settings below", "一个表示种类的键及其设置")
		return
	}
	es := d.entries(n)
	if len(es) != 1 {
		d.report(wrongChoice(es).At(d.where(n)))
		return
	}
	*into = Choice{Key: es[0].name, At: d.where(es[0].key), d: d}
	if !isNull(es[0].value) {
		into.settings = es[0].value
	}
}

// wrongChoice says that there is not one key but none or several, and which.
func wrongChoice(es []entry) *hub.Fault {
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = e.name
	}
	if len(es) == 0 {
		f := bilingual(hub.Invalid, "yaml.choice", "nothing is chosen here", "此处没有选择任何项")
		f.Hint, f.HintZh = "write one key, with its settings below it", "请写一个键，并在其下写设置"
		return f
	}
	list := strings.Join(names, ", ")
	f := bilingual(hub.Invalid, "yaml.choice", fmt.Sprintf("found %d keys (%s) where exactly one is expected", len(es), list),
		fmt.Sprintf("此处应恰有一个键，实际有 %d 个（%s）", len(es), list))
	f.Hint, f.HintZh = "keep one of them; the settings of that one are indented below it", "请保留其中一个；其设置应缩进写在它下面"
	return f
}

// cutOut returns the text of one node with everything before it replaced by blanks. A flow node ends at its bracket, a
// block node before the next line that is indented less.
func cutOut(data []byte, n ast.Node) []byte {
	from, end := start(n), flowEnd(n)
	var out bytes.Buffer
	for i, line := range bytes.SplitAfter(data, []byte("\n")) {
		number := i + 1
		if number < from.Line {
			out.WriteByte('\n')
			continue
		}
		if number > from.Line && end == nil && !belongs(line, from.Column) || end != nil && number > end.Line {
			break
		}
		runes := []rune(string(line))
		if end != nil && number == end.Line {
			runes = runes[:min(end.Column, len(runes))]
		}
		skip := 0
		if number == from.Line {
			skip = min(from.Column-1, len(runes))
		}
		out.WriteString(strings.Repeat(" ", skip))
		out.WriteString(string(runes[skip:]))
	}
	return out.Bytes()
}

// belongs reports whether a line continues a block that begins in the given column.
func belongs(line []byte, column int) bool {
	trimmed := bytes.TrimLeft(line, " ")
	blank := len(bytes.TrimSpace(trimmed)) == 0 || trimmed[0] == '#'
	return blank || len(line)-len(trimmed) >= column-1
}

// flowEnd returns where the closing bracket of a flow node stands, nil for a block node.
func flowEnd(n ast.Node) *token.Position {
	switch f := n.(type) {
	case *ast.MappingNode:
		if f.IsFlowStyle && f.End != nil {
			return f.End.Position
		}
	case *ast.SequenceNode:
		if f.IsFlowStyle && f.End != nil {
			return f.End.Position
		}
	}
	return nil
}
