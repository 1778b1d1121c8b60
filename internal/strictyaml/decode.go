package strictyaml

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/suyuan-io/suyuan/hub"
)

// Limits on a file. They are far above any real configuration and keep the parser's work and stack bounded.
const (
	maxBytes = 256 << 10
	maxDepth = 40
)

// Options are the parts of decoding that its caller decides.
type Options struct {
	// Lookup resolves the references of [Secret] fields. Nil leaves them unresolved: enough for an offline check.
	Lookup Lookup
}

// Checker is implemented by a struct that has rules beyond the types of its fields. Check is called after the struct
// was decoded; a field whose value was refused holds its default, and what Check says of its place is dropped. At gives
// the place of one of the fields.
type Checker interface {
	Check(at Locator) hub.Faults
}

// Locator returns the place of a field of the struct that it was made for, such as "ready.minAge" or "paths[1]", or the
// place of the nearest enclosing key that stands in the file. The path "" is the struct itself.
type Locator func(path string) hub.Where

// Decode reads data, the content of file, into the struct that into points to, and returns every fault in the order of
// their places, or nil. The values that stood in the struct are the defaults.
func Decode(file string, data []byte, into any, o Options) hub.Faults {
	body, fault := parse(file, data)
	if fault != nil {
		return hub.Faults{fault}
	}
	d := &decoder{file: file, data: data, lookup: o.Lookup}
	return d.run(body, into, hub.Where{File: file, Line: 1, Column: 1})
}

// decoder walks one file's tree.
type decoder struct {
	file   string
	data   []byte
	lookup Lookup
	faults hub.Faults
}

// run decodes body, which stands at parent.
func (d *decoder) run(body ast.Node, into any, parent hub.Where) hub.Faults {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return hub.Faults{hub.Faultf(hub.Internal, "yaml.target", "decode %s: %T is no pointer to a struct", d.file, into)}
	}
	if isNull(body) {
		body = nil
	}
	d.structure(body, v.Elem(), parent)
	slices.SortStableFunc(d.faults, func(a, b *hub.Fault) int {
		if a.Where.Line != b.Where.Line {
			return a.Where.Line - b.Where.Line
		}
		return a.Where.Column - b.Where.Column
	})
	return d.faults
}

func (d *decoder) report(f *hub.Fault) { d.faults = append(d.faults, f) }

func (d *decoder) where(n ast.Node) hub.Where {
	p := start(n)
	return hub.Where{File: d.file, Line: p.Line, Column: p.Column}
}

// parse returns the root of the only document, nil for an empty one. It refuses whatever has no place in a strict file.
func parse(file string, data []byte) (root ast.Node, fault *hub.Fault) {
	at := hub.Where{File: file, Line: 1, Column: 1}
	if len(data) > maxBytes {
		return nil, bilingual(hub.TooLarge, "yaml.too-large",
			fmt.Sprintf("the file has %d bytes, at most %d are allowed", len(data), maxBytes),
			fmt.Sprintf("文件有 %d 字节，最多允许 %d 字节", len(data), maxBytes)).At(at)
	}
	if f := checkText(file, data); f != nil {
		return nil, f
	}
	// The parser is third-party code on unchecked input: a panic in it is a syntax error to us.
	defer func() {
		if p := recover(); p != nil {
			root, fault = nil, syntaxFault(at, fmt.Sprint(p))
		}
	}()
	text := strings.TrimPrefix(maskReferences(string(data)), "\ufeff")
	tree, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, fromSyntaxError(at, err)
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			p := start(doc.Body)
			return nil, bilingual(hub.Invalid, "yaml.documents", "a second document begins here, one is allowed",
				"此处开始了第二个文档，只允许一个").At(hub.Where{File: file, Line: p.Line, Column: p.Column}).
				WithHint("put it into its own file")
		}
		body = doc.Body
	}
	return body, nil
}

// checkText refuses what is no UTF-8 text and nesting that would exhaust the parser's stack.
func checkText(file string, data []byte) *hub.Fault {
	line, column, depth, dashes := 1, 0, 0, 0
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		column++
		where := hub.Where{File: file, Line: line, Column: column}
		switch {
		case r == utf8.RuneError && n == 1, r < ' ' && r != '\n' && r != '\r' && r != '\t':
			f := bilingual(hub.Invalid, "yaml.not-text", fmt.Sprintf("byte 0x%02x is no UTF-8 text", data[i]),
				fmt.Sprintf("字节 0x%02x 不是 UTF-8 文本", data[i])).At(where)
			f.Hint, f.HintZh = "save the file as UTF-8", "请将文件保存为 UTF-8 编码"
			return f
		case r == '\n':
			line, column, dashes = line+1, 0, 0
		case r == '[' || r == '{':
			depth++
		case (r == ']' || r == '}') && depth > 0:
			depth--
		case r == '-' || r == '?' || r == ':':
			dashes++
		case r != ' ' && r != '\t':
			dashes = 0
		}
		// A quoted bracket or a ruler of dashes counts too: no real file comes near either bound.
		if depth > maxDepth || dashes > 10*maxDepth || r == '\t' && column > 10*maxDepth {
			return bilingual(hub.TooLarge, "yaml.too-deep", fmt.Sprintf("nested deeper than %d levels", maxDepth),
				fmt.Sprintf("嵌套超过 %d 层", maxDepth)).At(where)
		}
		i += n
	}
	return nil
}

// fromSyntaxError keeps the parser's place and its sentence, not its drawing of the source.
func fromSyntaxError(at hub.Where, err error) *hub.Fault {
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return syntaxFault(at, err.Error())
	}
	if t := syntax.GetToken(); t != nil && t.Position != nil {
		at.Line, at.Column = t.Position.Line, t.Position.Column
	}
	return syntaxFault(at, strings.ReplaceAll(unmask(syntax.GetMessage()), "\t", `\t`))
}

func syntaxFault(at hub.Where, message string) *hub.Fault {
	f := bilingual(hub.Invalid, "yaml.syntax", "not valid YAML: "+message, "不是有效的 YAML："+message).At(at)
	for _, known := range syntaxHints() {
		if strings.Contains(message, known.part) {
			f.Hint, f.HintZh = known.en, known.zh
			break
		}
	}
	return f
}

// syntaxHints says what people mostly did where the parser's own words say little.
func syntaxHints() []struct{ part, en, zh string } {
	return []struct{ part, en, zh string }{
		{`'\t'`, "indent with spaces: a tab may not stand here", "请用空格缩进：此处不能使用制表符"},
		{"cannot start any token", "put the value in double quotes", "请将该值放入双引号"},
		{"mapping value is not allowed", `put a value that holds ": " in double quotes; if it is a key, give it a line and the indentation of its neighbours`,
			`含有 ": " 的值请放入双引号；若是键，请另起一行并与相邻的键对齐`},
		{"could not find end character", "close the quote that begins here", "请闭合此处开始的引号"},
		{"not terminated", "close the bracket that begins here", "请闭合此处开始的括号"},
		{"was used as mapping key", "write one key a line, then a colon and a space", "每行一个键，其后为冒号和空格"},
	}
}

// References are masked before parsing, so that ${file:/run/key} may stand unquoted inside { } although YAML would end
// the value at its brace. The masks are noncharacters of the same width, which keeps every column.
var referenceRE = regexp.MustCompile(`\$\{[a-z]+:[^{}\r\n]*\}`)

const (
	plainMarks  = "{},[]"
	maskedMarks = "\ufdd0\ufdd1\ufdd2\ufdd3\ufdd4"
)

func maskReferences(text string) string {
	return referenceRE.ReplaceAllStringFunc(text, func(ref string) string { return translate(ref, plainMarks, maskedMarks) })
}

func unmask(text string) string { return translate(text, maskedMarks, plainMarks) }

// translate replaces each character of text that stands in from by the one at the same place in to.
func translate(text, from, to string) string {
	source, target := []rune(from), []rune(to)
	return strings.Map(func(r rune) rune {
		if i := slices.Index(source, r); i >= 0 {
			return target[i]
		}
		return r
	}, text)
}
