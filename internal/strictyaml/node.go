package strictyaml

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/suyuan-io/suyuan/hub"
)

// entry is one key of a mapping and its value.
type entry struct {
	name  string
	key   ast.Node
	value ast.Node
}

// entries returns the entries of a mapping in order. It reports duplicate keys, keys that are no plain strings, and
// merges, and leaves them out.
func (d *decoder) entries(n ast.Node) []entry {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	}
	seen := make(map[string]int, len(values))
	out := make([]entry, 0, len(values))
	for _, v := range values {
		name, ok := keyName(v.Key)
		if !ok {
			d.report(bilingual(hub.Invalid, "yaml.key", "a key must be a plain word", "键必须是普通单词").At(d.where(v.Key)))
			continue
		}
		if line, twice := seen[name]; twice {
			d.report(bilingual(hub.Invalid, "yaml.duplicate-key",
				fmt.Sprintf("key %q stands here again, first on line %d", name, line),
				fmt.Sprintf("键 %q 重复，首次出现在第 %d 行", name, line)).At(d.where(v.Key)))
			continue
		}
		seen[name] = start(v.Key).Line
		out = append(out, entry{name: name, key: v.Key, value: v.Value})
	}
	return out
}

func keyName(n ast.MapKeyNode) (string, bool) {
	switch k := n.(type) {
	case *ast.StringNode:
		return unmask(k.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func isNull(n ast.Node) bool {
	if n == nil {
		return true
	}
	_, null := n.(*ast.NullNode)
	return null
}

// start returns where a node begins. A block mapping's own token is its first colon, so its first key counts.
func start(n ast.Node) *token.Position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return start(m.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return start(m.Key)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position
	}
	return &token.Position{Line: 1, Column: 1}
}

// scalarText returns the text of a scalar as it was written, without quotes.
func scalarText(n ast.Node) (text string, quoted, ok bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		t := s.GetToken()
		q := t != nil && (t.Type == token.SingleQuoteType || t.Type == token.DoubleQuoteType)
		return unmask(s.Value), q, true
	case *ast.LiteralNode:
		return unmask(s.Value.Value), true, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, false, true
	}
	return "", false, false
}

// describe names what a node is, for a reader of messages.
func describe(n ast.Node) (en, zh string) {
	switch n := n.(type) {
	case nil, *ast.NullNode:
		return "nothing", "空值"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping", "映射"
	case *ast.SequenceNode:
		return "a list", "列表"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return "an anchor, alias or tag", "锚点、别名或标签"
	default:
		text, _, ok := scalarText(n)
		if !ok {
			return "something else", "其他内容"
		}
		if len(text) > 60 {
			text = text[:57] + "…"
		}
		return fmt.Sprintf("%q", text), fmt.Sprintf("%q", text)
	}
}

func bilingual(kind hub.Kind, code, en, zh string) *hub.Fault {
	return &hub.Fault{Kind: kind, Code: code, Message: en, MessageZh: zh}
}
