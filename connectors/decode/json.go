package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// defaultDepth is how deep JSON and XML may nest where the settings do not say.
const defaultDepth = 128

// jsonSettings are the settings under "json:" and "ndjson:".
type jsonSettings struct {
	// Split is the JSON pointer of the array whose elements are the records; "*" stands for every element or member on
	// the way. "", the default, is the root: each element where it is an array, otherwise the whole. "whole" never splits.
	Split string `yaml:"split"`
	// Encoding is utf-8 by default.
	Encoding  string `yaml:"encoding"`
	MaxDepth  int    `yaml:"maxDepth"`
	MaxRecord size   `yaml:"maxRecord"`
}

// jsonDecoder reads RFC 8259 JSON, one text an item or one a line.
type jsonDecoder struct {
	format    string
	lines     bool
	whole     bool
	path      []string
	cs        charset
	maxDepth  int
	maxRecord int
}

func jsonFormat() Format {
	return Format{
		Name:    "json",
		Summary: "one JSON document: whole, or the elements of an array in it",
		Detect:  detectJSON,
		New:     func(b []byte) (Decoder, error) { return newJSON("json", b) },
	}
}

func ndjsonFormat() Format {
	return Format{
		Name:    "ndjson",
		Summary: "one JSON value a line",
		Detect:  detectNDJSON,
		New:     func(b []byte) (Decoder, error) { return newJSON("ndjson", b) },
	}
}

func newJSON(format string, b []byte) (Decoder, error) {
	var s jsonSettings
	if err := readSettings(format, b, &s); err != nil {
		return nil, err
	}
	cs, err := charsetSetting(format, s.Encoding)
	if err != nil {
		return nil, err
	}
	if cs.wide {
		return nil, setting(format, "encoding", say("JSON in UTF-16 is not read", "不支持 UTF-16 的 JSON"))
	}
	if cs.name == "" {
		cs = utf8Charset()
	}
	d := &jsonDecoder{
		format: format, lines: format == "ndjson", whole: s.Split == "whole", path: pointerTokens(s.Split), cs: cs,
		maxDepth: s.MaxDepth, maxRecord: s.MaxRecord.or(defaultMaxRecord),
	}
	if d.maxDepth <= 0 {
		d.maxDepth = defaultDepth
	}
	if s.Split != "" && !d.whole && s.Split[0] != '/' {
		return nil, setting(format, "split", say("%q is not a JSON pointer", "%q 不是 JSON 指针", s.Split).
			hint("write it as /data/events", "应写作 /data/events 的形式"))
	}
	if d.lines && s.Split != "" {
		return nil, setting(format, "split", say("ndjson is split by lines", "ndjson 按行拆分"))
	}
	return d, nil
}

// Split implements connectors.Splitter: a record is a JSON value; the preamble is empty.
func (d *jsonDecoder) Split(r io.Reader, yield func(connectors.Piece) error) error {
	c := &jsonCutter{d: d, w: newWindow(r), at: newPlace(), yield: yield}
	c.w.more()
	if _, bom := charsetOfBOM(c.w.bytes()); bom == len(bomUTF8) {
		c.w.skip(bom)
		c.counted = bom // it is no column
	}
	if d.lines {
		return c.lines()
	}
	return c.document()
}

// Decode implements Decoder. Numbers are json.Number as written, repeated names are refused.
func (d *jsonDecoder) Decode(_, body []byte) (Tree, error) {
	text, err := d.utf8(body)
	if err != nil {
		return Tree{}, err
	}
	b := jsonBuilder{d: d, body: text, dec: jsontext.NewDecoder(bytes.NewReader(text))}
	value, err := b.value(0)
	if err == nil {
		_, err = b.dec.ReadToken()
		if errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = b.refuse(d.format+".syntax", say("more follows after the value", "值之后还有多余内容"))
		}
	}
	if err != nil {
		return Tree{}, b.fault(err)
	}
	return Tree{Value: value, Locate: func(pointer string) hub.Where { return locateJSON(text, pointer) }}, nil
}

// utf8 returns the body as UTF-8 without a byte order mark.
func (d *jsonDecoder) utf8(body []byte) ([]byte, error) {
	if len(body) > d.maxRecord {
		return nil, tooLarge(d.format, newPlace().where(""), d.maxRecord)
	}
	body = bytes.TrimPrefix(body, []byte(bomUTF8))
	text, bad := d.cs.text(body)
	if bad >= 0 {
		return nil, badBytes(d.format, d.cs.placeIn(body, bad).where(""), d.cs)
	}
	return []byte(text), nil
}

// jsonBuilder turns tokens into a tree.
type jsonBuilder struct {
	d    *jsonDecoder
	body []byte
	dec  *jsontext.Decoder
}

func (b *jsonBuilder) value(depth int) (any, error) {
	if depth > b.d.maxDepth {
		return nil, b.refuse(b.d.format+".depth", say("the value nests deeper than %d levels",
			"嵌套超过 %d 层", b.d.maxDepth))
	}
	tok, err := b.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return b.object(depth)
	case '[':
		return b.array(depth)
	case '"':
		return tok.String(), nil
	case '0':
		return json.Number(tok.String()), nil
	case 't', 'f':
		return tok.Bool(), nil
	default:
		return nil, nil //nolint:nilnil // JSON null
	}
}

func (b *jsonBuilder) object(depth int) (any, error) {
	object := map[string]any{}
	for b.dec.PeekKind() != '}' {
		name, err := b.dec.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if object[key], err = b.value(depth + 1); err != nil {
			return nil, err
		}
	}
	_, err := b.dec.ReadToken()
	return object, err
}

func (b *jsonBuilder) array(depth int) (any, error) {
	array := []any{}
	for b.dec.PeekKind() != ']' {
		v, err := b.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	_, err := b.dec.ReadToken()
	return array, err
}

// refuse makes a fault at the token that was read last.
func (b *jsonBuilder) refuse(code string, said text) error {
	at := placeIn(b.body, int(b.dec.InputOffset()), countRunes)
	return refuse(code, at.where(string(b.dec.StackPointer())), said)
}

// fault places what the tokenizer found.
func (b *jsonBuilder) fault(err error) error {
	if f, ok := errors.AsType[*hub.Fault](err); ok {
		return f
	}
	offset, pointer := int(b.dec.InputOffset()), string(b.dec.StackPointer())
	syntactic, placed := errors.AsType[*jsontext.SyntacticError](err)
	if placed {
		offset, pointer = int(syntactic.ByteOffset), string(syntactic.JSONPointer)
	}
	at := placeIn(b.body, offset, countRunes).where(pointer)
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return refuse(b.d.format+".duplicate", at, say("the object has this name twice", "对象中该名称重复出现"))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		at = placeIn(b.body, len(b.body), countRunes).where(pointer)
		return refuse(b.d.format+".truncated", at, say("the value ends too early", "JSON 未结束就中断了").
			hint("have it sent again", "请重新发送"))
	}
	said := say("not JSON", "不是有效的 JSON")
	if syntactic != nil {
		said = say("not JSON: %v", "不是有效的 JSON：%v", syntactic.Err)
	}
	return refuse(b.d.format+".syntax", at, said)
}

// locateJSON finds the value that a pointer names, or as much of the way as there is.
func locateJSON(text []byte, pointer string) hub.Where {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	best, bestLen := 0, -1
	for {
		before := int(dec.InputOffset())
		tok, err := dec.ReadToken()
		if err != nil {
			return placeIn(text, best, countRunes).where(pointer)
		}
		if k := tok.Kind(); k == '}' || k == ']' {
			continue
		}
		at := string(dec.StackPointer())
		if len(at) > bestLen && isPointerPrefix(at, pointer) {
			best, bestLen = before+leading(text[before:]), len(at)
		} else if at == pointer { // the value that follows the name
			return placeIn(text, before+leading(text[before:]), countRunes).where(pointer)
		}
	}
}

func isPointerPrefix(at, pointer string) bool {
	return at == pointer || len(at) < len(pointer) && pointer[:len(at)] == at && pointer[len(at)] == '/'
}

// leading counts the white space and punctuation before a token.
func leading(b []byte) int { return len(b) - len(bytes.TrimLeft(b, " \t\r\n,:")) }

func detectJSON(head []byte) int {
	text := textHead(head)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return 0
	}
	next := bytes.TrimLeft(text[1:], " \t\r\n")
	follows := `"}`
	if text[0] == '[' {
		follows = `"{}[]-0123456789tfn`
	}
	if len(next) == 0 || strings.IndexByte(follows, next[0]) >= 0 {
		return 80
	}
	return 0
}

func detectNDJSON(head []byte) int {
	if detectJSON(head) == 0 {
		return 0
	}
	first, rest, ok := bytes.Cut(textHead(head), []byte{'\n'})
	rest = bytes.TrimLeft(rest, " \t\r\n")
	if ok && len(rest) > 0 && (rest[0] == '{' || rest[0] == '[') && jsontext.Value(first).IsValid() {
		return 90
	}
	return 0
}
