package mapping

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/suyuan-io/suyuan/hub"
)

// The limits of a mapping file. They keep the worst input under a second; a mapping of 600 lines is a large one.
const (
	maxFile     = 128 << 10
	maxLines    = 5_000 // the YAML parser is quadratic in the keys of one object
	maxLine     = 8 << 10
	maxBrackets = 64
	maxNodes    = 20_000
	maxDepth    = 64
)

// shape is the kind of a YAML node.
type shape uint8

const (
	nullShape shape = iota + 1
	textShape
	numberShape
	boolShape
	listShape
	objectShape
)

// node is a YAML node with its place. Aliases are resolved, merge keys are applied.
type node struct {
	shape  shape
	text   string // the scalar's value; for numbers and booleans as written
	quoted bool   // text was in quotes
	block  bool   // text was a block scalar (| or >)
	pairs  []pair
	items  []*node
	line   int
	column int
}

// pair is one key of an object, in the file's order.
type pair struct {
	key    string
	value  *node
	line   int
	column int
}

// get returns the value of key, or nil.
func (n *node) get(key string) *node {
	for i := range n.pairs {
		if n.pairs[i].key == key {
			return n.pairs[i].value
		}
	}
	return nil
}

// yamlReader turns a parsed YAML document into nodes and collects what is wrong with it.
type yamlReader struct {
	path    string
	anchors map[string]*node
	count   int
	faults  hub.Faults
}

// readYAML parses one YAML document. The faults are complete for duplicate keys; a syntax error ends the reading.
func readYAML(path string, src []byte) (*node, hub.Faults) {
	if f := checkYAMLSize(path, src); f != nil {
		return nil, hub.Faults{f}
	}
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, hub.Faults{yamlFault(path, err)}
	}
	r := &yamlReader{path: path, anchors: map[string]*node{}}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			pos := doc.Body.GetToken().Position
			r.fail(pos.Line, pos.Column, problem("mapping.documents", "a file holds one mapping, and here a second YAML document begins",
				"一个文件只能有一个映射，此处开始了第二个 YAML 文档").hint("remove the line \"---\" or move what follows into its own file", "删除 \"---\" 行，或把后面的内容移到单独的文件"))
			break
		}
		root = r.node(doc.Body, 0)
	}
	if root == nil {
		r.fail(1, 1, problem("mapping.empty", "the file is empty", "文件是空的"))
	}
	return root, r.faults
}

// checkYAMLSize refuses what would make the YAML parser slow: it is quadratic in the depth of nesting.
func checkYAMLSize(path string, src []byte) *hub.Fault {
	tooLarge := func(line int, p *trouble) *hub.Fault {
		f := p.fault(hub.TooLarge)
		f.Where = hub.Where{File: path, Line: line, Column: 1}
		return f
	}
	if len(src) > maxFile {
		return tooLarge(0, problem("mapping.size", "the file has %d bytes; %d is the most", "文件有 %d 字节，上限为 %d", len(src), maxFile))
	}
	if !utf8.Valid(src) {
		return tooLarge(0, problem("mapping.encoding", "the file is not UTF-8 text", "文件不是 UTF-8 文本").
			hint("save it as UTF-8", "请另存为 UTF-8 编码"))
	}
	line, length, depth, anchors, dashes := 1, 0, 0, 0, 0
	for _, c := range src {
		length++
		switch c {
		case '\n':
			line, length, dashes = line+1, 0, 0
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(0, depth-1)
		case '&', '*', '!', '?':
			anchors++
		case '-':
			dashes++
		}
		if line > maxLines {
			return tooLarge(line, problem("mapping.size", "the file has more than %d lines", "文件超过 %d 行", maxLines).
				hint("put long tables into CSV files under lookup:", "较长的对照表请放入 lookup: 的 CSV 文件"))
		}
		if length > maxLine || depth > maxBrackets || anchors > maxNodes || dashes > maxLine/16 {
			return tooLarge(line, problem("mapping.size", "this line is too long or too deeply nested", "此行过长或嵌套过深").
				hint("at most %d bytes a line and %d open brackets", "每行最多 %d 字节，最多 %d 层括号", maxLine, maxBrackets))
		}
	}
	return nil
}

// yamlFault translates a syntax error of the YAML parser.
func yamlFault(path string, err error) *hub.Fault {
	p := problem("mapping.yaml", "the YAML cannot be read: %s", "无法解析 YAML：%s", firstLine(err.Error()))
	w := hub.Where{File: path, Line: 1, Column: 1}
	if syntax, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		p = problem("mapping.yaml", "the YAML cannot be read: %s", "无法解析 YAML：%s", syntax.Message)
		if syntax.Token != nil && syntax.Token.Position != nil {
			w.Line, w.Column = syntax.Token.Position.Line, syntax.Token.Position.Column
			if strings.HasPrefix(syntax.Token.Value, "=") {
				p.hint(`put the whole expression in double quotes: "%s …"`, `请把整个表达式放进双引号："%s …"`, strings.TrimSpace(firstLine(syntax.Token.Value)))
			}
		}
		switch {
		case strings.Contains(syntax.Message, "character '\t'"):
			p = problem("mapping.yaml", "the line is indented with a tab", "该行用制表符缩进").hint("indent with blanks", "请用空格缩进")
		case strings.Contains(syntax.Message, "cannot start any token"):
			p.hint("quote text that begins with @, ` or %%", "以 @、` 或 %% 开头的文本要加引号")
		case strings.Contains(syntax.Message, "reserved character"):
			p.hint("put the text in double quotes", "请给文本加双引号")
		case p.en.hint == "" && strings.Contains(syntax.Message, "not allowed in this context"):
			p.hint("a text that holds \": \" or begins with a special character needs double quotes", "含有 \": \" 或以特殊字符开头的文本需要加双引号")
		}
	}
	f := p.fault(hub.Invalid)
	f.Where = w
	return f
}

func (r *yamlReader) fail(line, column int, p *trouble) {
	f := p.fault(hub.Invalid)
	f.Where = hub.Where{File: r.path, Line: line, Column: column}
	r.faults = append(r.faults, f)
}

func (r *yamlReader) node(n ast.Node, depth int) *node {
	pos := n.GetToken().Position
	out := &node{shape: nullShape, line: pos.Line, column: pos.Column}
	r.count++
	if r.count > maxNodes || depth > maxDepth {
		if r.count != maxNodes+2 { // say it once
			r.count = maxNodes + 1
			r.fail(pos.Line, pos.Column, problem("mapping.size", "the file has too many or too deeply nested values", "文件的值过多或嵌套过深"))
		}
		r.count++
		return out
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.BoolNode:
		out.shape, out.text = boolShape, strings.ToLower(n.GetToken().Value)
	case *ast.IntegerNode:
		out.shape, out.text = numberShape, n.GetToken().Value
	case *ast.FloatNode:
		out.shape, out.text = numberShape, n.GetToken().Value
	case *ast.StringNode:
		out.shape, out.text = textShape, n.Value
		out.quoted = n.Token.Type == token.DoubleQuoteType || n.Token.Type == token.SingleQuoteType
	case *ast.LiteralNode:
		out.shape, out.text, out.block = textShape, n.Value.Value, true
	case *ast.InfinityNode, *ast.NanNode:
		out.shape, out.text = textShape, n.GetToken().Value
	case *ast.SequenceNode:
		out.shape = listShape
		for _, v := range n.Values {
			out.items = append(out.items, r.node(v, depth+1))
		}
	case *ast.MappingNode:
		r.object(out, n.Values, depth)
	case *ast.MappingValueNode:
		r.object(out, []*ast.MappingValueNode{n}, depth)
	case *ast.TagNode:
		out = r.tagged(n, depth)
	case *ast.AnchorNode:
		out = r.node(n.Value, depth+1)
		r.anchors[n.Name.GetToken().Value] = out
	case *ast.AliasNode:
		return r.alias(n, out)
	default:
		r.fail(pos.Line, pos.Column, problem("mapping.yaml", "this kind of YAML is not used in mappings", "映射文件不支持这种 YAML 写法"))
	}
	return out
}

func (r *yamlReader) tagged(n *ast.TagNode, depth int) *node {
	out := r.node(n.Value, depth+1)
	if n.Start.Value == "!!str" && len(out.pairs) == 0 && len(out.items) == 0 {
		out.shape = textShape
	}
	return out
}

func (r *yamlReader) alias(n *ast.AliasNode, out *node) *node {
	name := n.Value.GetToken().Value
	if target, ok := r.anchors[name]; ok {
		r.count += size(target) // an alias costs what it repeats, so that nested aliases cannot explode
		return target
	}
	r.fail(out.line, out.column, problem("mapping.yaml", "the alias *%s has no anchor &%[1]s above it", "别名 *%s 之前没有锚点 &%[1]s", name))
	return out
}

// size counts the nodes under n, up to the limit of a file.
func size(n *node) int {
	total := 1
	for _, it := range n.items {
		if total += size(it); total > maxNodes {
			return total
		}
	}
	for i := range n.pairs {
		if total += size(n.pairs[i].value); total > maxNodes {
			return total
		}
	}
	return total
}

func (r *yamlReader) object(out *node, values []*ast.MappingValueNode, depth int) {
	out.shape = objectShape
	seen := make(map[string]int, len(values))
	var merged []pair
	for i, v := range values {
		key := v.Key.GetToken()
		if i == 0 {
			out.line, out.column = key.Position.Line, key.Position.Column
		}
		if v.Key.IsMergeKey() {
			merged = append(merged, r.node(v.Value, depth+1).pairs...)
			continue
		}
		name := key.Value
		if first, twice := seen[name]; twice {
			r.fail(key.Position.Line, key.Position.Column, problem("mapping.duplicate-key", "the key %q is given twice; the first is on line %d",
				"键 %q 重复出现，第一次在第 %d 行", name, first).hint("remove one of them", "请删除其中一个"))
			continue
		}
		seen[name] = key.Position.Line
		out.pairs = append(out.pairs, pair{key: name, value: r.node(v.Value, depth+1), line: key.Position.Line, column: key.Position.Column})
	}
	for _, p := range merged {
		if _, own := seen[p.key]; !own {
			seen[p.key] = p.line
			out.pairs = append(out.pairs, p)
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
