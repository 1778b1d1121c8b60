package decode

import (
	"bytes"
	"io"
	"strings"
	"sync/atomic"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// csvSettings are the settings under "csv:".
type csvSettings struct {
	// Encoding is any WHATWG name; "auto", the default, reads a byte order mark and otherwise tells UTF-8 from GB18030.
	Encoding string `yaml:"encoding"`
	// Separator is one ASCII character; "auto", the default, takes what a line "sep=;" before the header states, else the
	// most frequent of , ; tab | in the header row.
	Separator string `yaml:"separator"`
	// Quote is one ASCII character, '"' by default, or "none".
	Quote string `yaml:"quote"`
	// LazyQuotes takes a quote inside an unquoted field, or after a closing quote, as it stands.
	LazyQuotes bool `yaml:"lazyQuotes"`
	// Header is true (the default: the first row names the columns), false (they are c1, c2, …), or the list of names.
	Header header `yaml:"header"`
	// SkipLines is how many lines stand before the header or the first row.
	SkipLines int `yaml:"skipLines"`
	// SkipRows are rules for rows that are no records, such as totals.
	SkipRows []rowRule `yaml:"skipRows"`
	// Width is "strict" (the default: every row has as many fields as the header) or "pad" (missing fields are empty,
	// and empty ones beyond the header are dropped).
	Width string `yaml:"width"`
	// Trim drops white space around fields.
	Trim      bool `yaml:"trim"`
	MaxRecord size `yaml:"maxRecord"`
}

// csvDecoder reads RFC 4180 and what spreadsheets and ten-year-old exports make of it.
type csvDecoder struct {
	dialect   csvDialect
	header    header
	skipLines int
	rules     []rowRule
	pad       bool
	maxRecord int
	// names caches the header row that was read last: all rows of one item share it.
	names atomic.Pointer[csvHeader]
}

// csvHeader is a header row as read.
type csvHeader struct {
	preamble []byte
	dialect  csvDialect
	names    []string
	err      error
}

func csvFormat() Format {
	return Format{
		Name:    "csv",
		Summary: "comma-separated values: any encoding and separator, quoting, totals rows",
		Detect:  detectCSV,
		New: func(b []byte) (Decoder, error) {
			s := csvSettings{Header: header{inFile: true}}
			if err := readSettings("csv", b, &s); err != nil {
				return nil, err
			}
			return newCSV(s)
		},
	}
}

func newCSV(s csvSettings) (*csvDecoder, error) {
	d := &csvDecoder{header: s.Header, skipLines: s.SkipLines, rules: s.SkipRows, maxRecord: s.MaxRecord.or(defaultMaxRecord)}
	var err error
	if d.dialect, err = newCSVDialect(s); err != nil {
		return nil, err
	}
	switch s.Width {
	case "", "strict":
	case "pad":
		d.pad = true
	default:
		return nil, setting("csv", "width", say("want strict or pad, not %q", "应为 strict 或 pad，而不是 %q", s.Width))
	}
	if s.SkipLines < 0 {
		return nil, setting("csv", "skipLines", say("want 0 or more", "应不小于 0"))
	}
	if err := checkNames("csv", s.Header.names, inSettings); err != nil {
		return nil, err
	}
	return d, compileRules("csv", d.rules, s.Header.names)
}

// Split implements connectors.Splitter: a record is a row without its line end, the preamble is the header row, with
// the byte order mark. Blank rows and those that a rule names are passed over.
func (d *csvDecoder) Split(r io.Reader, yield func(connectors.Piece) error) error {
	c := csvCutter{d: d, w: newWindow(r), at: newPlace(), format: "csv"}
	return c.run(yield)
}

// Decode implements Decoder. The tree is an object of strings by column name.
func (d *csvDecoder) Decode(preamble, body []byte) (Tree, error) {
	if d.header.inFile && len(preamble) == 0 {
		return Tree{}, d.undivided(body)
	}
	h := d.headerOf(preamble, body)
	if h.err != nil {
		return Tree{}, h.err
	}
	row, err := d.row(h, body)
	if err != nil {
		return Tree{}, err
	}
	value := make(map[string]any, len(h.names))
	for i, name := range h.names {
		value[name] = row[i].value
	}
	return Tree{Value: value, Locate: func(pointer string) hub.Where { return d.locate(h, body, pointer) }}, nil
}

// Pick implements [Picker].
func (d *csvDecoder) Pick(preamble, body []byte, names *Names) (Tree, error) {
	h := d.names.Load()
	if h == nil || !d.header.inFile || h.err != nil || !bytes.Equal(h.preamble, preamble) || !h.dialect.fits(body) {
		return d.Decode(preamble, body) // which reads the header for all of its rows
	}
	row, err := d.row(h, body)
	if err != nil {
		return Tree{}, err
	}
	value := names.tree()
	for i, name := range h.names {
		if _, wanted := find(names, name); wanted {
			value[name] = row[i].value
		}
	}
	return Tree{Value: value, names: names}, nil
}

// undivided says why a body that came without its header could not be cut into rows.
func (d *csvDecoder) undivided(body []byte) error {
	err := d.Split(bytes.NewReader(body), func(connectors.Piece) error { return nil })
	if err != nil {
		return err
	}
	return refuse("csv.header", newPlace().where(""), say("a record is one row with its header, not a whole file",
		"一条记录应是带表头的一行，而不是整个文件"))
}

// headerOf reads the names of the columns.
func (d *csvDecoder) headerOf(preamble, body []byte) *csvHeader {
	if h := d.names.Load(); h != nil && d.header.inFile && bytes.Equal(h.preamble, preamble) && h.dialect.fits(body) {
		return h
	}
	h := &csvHeader{preamble: bytes.Clone(preamble), dialect: d.dialect.resolve(preamble, body)}
	switch {
	case d.header.names != nil:
		h.names = d.header.names
	case d.header.inFile:
		h.names, h.err = d.namesIn(h.dialect, preamble)
		d.names.Store(h)
	default:
		fields, err := h.dialect.fields(body, d.maxRecord)
		h.names, h.err = numbered(len(fields)), err
	}
	return h
}

// namesIn reads the header row.
func (d *csvDecoder) namesIn(dialect csvDialect, preamble []byte) ([]string, error) {
	row, _ := headRow(preamble)
	fields, err := dialect.fields(row, d.maxRecord)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = strings.TrimSpace(f.value)
	}
	return names, checkNames("csv", names, func(i int) hub.Where {
		return dialect.cs.placeIn(row, dialect.rawOffset(row, fields[i].at)).where(fieldName(i))
	})
}

// row reads one row and holds it against the header.
func (d *csvDecoder) row(h *csvHeader, body []byte) ([]csvField, error) {
	row, err := h.dialect.fields(body, d.maxRecord)
	if err != nil {
		return nil, err
	}
	if len(row) == len(h.names) {
		return row, nil
	}
	if d.pad {
		for len(row) > len(h.names) && row[len(row)-1].value == "" {
			row = row[:len(row)-1]
		}
		for len(row) < len(h.names) {
			row = append(row, csvField{at: len(body)})
		}
		if len(row) == len(h.names) {
			return row, nil
		}
	}
	at := newPlace()
	pointer := ""
	if len(row) > len(h.names) {
		at = h.dialect.cs.placeIn(body, h.dialect.rawOffset(body, row[len(h.names)].at))
	} else {
		h.dialect.cs.advance(&at, body)
		pointer = h.names[len(row)]
	}
	return nil, refuse("csv.width", at.where(pointer), say("the row has %d fields, the header has %d",
		"该行有 %d 个字段，而表头有 %d 个", len(row), len(h.names)).
		hint("a separator inside a field must be quoted; width: pad takes rows with fields missing at the end",
			"字段内的分隔符必须加引号；width: pad 可接受行尾缺少字段"))
}

// locate finds a column's field in the row.
func (d *csvDecoder) locate(h *csvHeader, body []byte, pointer string) hub.Where {
	tokens := pointerTokens(pointer)
	if len(tokens) == 0 {
		return newPlace().where("")
	}
	row, err := d.row(h, body)
	for i, name := range h.names {
		if err == nil && name == tokens[0] {
			return h.dialect.cs.placeIn(body, h.dialect.rawOffset(body, row[i].at)).where(name)
		}
	}
	return newPlace().where(tokens[0])
}

// detectCSV counts separators in the first two rows.
func detectCSV(head []byte) int {
	text := textHead(head)
	if len(text) == 0 || bytes.IndexByte(text, 0) >= 0 || bytes.IndexByte([]byte("<{["), text[0]) >= 0 {
		return 0
	}
	lines := bytes.SplitN(text, []byte{'\n'}, 3)
	separator, n := commonSeparator(lines[0])
	switch {
	case n == 0:
		return 0
	case len(lines) > 1 && bytes.Count(lines[1], []byte{separator}) == n:
		return 60
	}
	return 20
}
