package decode

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// fixedSettings are the settings under "fixed:".
type fixedSettings struct {
	Columns []fixedColumn `yaml:"columns"`
	// Unit is what start and width count: "bytes" (the default, as hosts do: a Chinese character in GB18030 takes two) or
	// "characters".
	Unit string `yaml:"unit"`
	// Encoding is as for csv.
	Encoding string `yaml:"encoding"`
	// Length is the record's length in bytes where no line ends part the records; 0 means lines.
	Length int `yaml:"length"`
	// SkipLines is how many lines stand before the first record.
	SkipLines int `yaml:"skipLines"`
	// SkipRows are rules for lines that are no records, such as totals.
	SkipRows []rowRule `yaml:"skipRows"`
	// Width is "strict" (the default: a line reaches into its last column and not beyond) or "pad" (columns that are missing
	// are empty, and what stands beyond the last is dropped).
	Width     string `yaml:"width"`
	MaxRecord size   `yaml:"maxRecord"`
}

// fixedColumn is one column.
type fixedColumn struct {
	Name string `yaml:"name"`
	// Start counts from 1; 0 means right after the column before.
	Start int `yaml:"start"`
	Width int `yaml:"width"`
	// Trim is the side from which blanks are cut: "both" (the default), "left", "right" or "none".
	Trim string `yaml:"trim"`
}

// fixedDecoder reads records of columns of fixed width.
type fixedDecoder struct {
	s         fixedSettings
	names     []string
	cs        charset
	maxRecord int
}

func fixedFormat() Format {
	return Format{
		Name:    "fixed",
		Summary: "columns of fixed width, in bytes or characters, by declaration",
		Detect:  func([]byte) int { return 0 },
		New:     newFixed,
	}
}

func newFixed(b []byte) (Decoder, error) {
	d := &fixedDecoder{}
	s := &d.s
	if err := readSettings("fixed", b, s); err != nil {
		return nil, err
	}
	d.maxRecord = s.MaxRecord.or(defaultMaxRecord)
	if len(s.Columns) == 0 {
		return nil, setting("fixed", "columns", say("no columns are declared", "没有声明任何列").
			hint("columns: [{name: order, width: 12}, …]", "columns: [{name: order, width: 12}, …]"))
	}
	next := 1
	for i := range s.Columns {
		c := &s.Columns[i]
		if c.Start == 0 {
			c.Start = next
		}
		if c.Start < 1 || c.Width < 1 || c.Width > defaultMaxRecord || c.Start > defaultMaxRecord {
			return nil, setting("fixed", "columns/"+itoa(i), say("start and width count from 1", "start 与 width 应从 1 开始"))
		}
		if err := oneOf("fixed", "columns/"+itoa(i)+"/trim", c.Trim, "both", "left", "right", "none"); err != nil {
			return nil, err
		}
		next = c.Start + c.Width
		d.names = append(d.names, c.Name)
	}
	var err error
	if d.cs, err = charsetSetting("fixed", s.Encoding); err != nil {
		return nil, err
	}
	if d.cs.wide && s.Unit != "characters" {
		return nil, setting("fixed", "unit", say("UTF-16 is counted in characters", "UTF-16 应按 characters 计数"))
	}
	if s.Length < 0 || s.SkipLines < 0 {
		return nil, setting("fixed", "length", say("want 0 or more", "应不小于 0"))
	}
	if err := oneOf("fixed", "unit", s.Unit, "bytes", "characters"); err != nil {
		return nil, err
	}
	if err := oneOf("fixed", "width", s.Width, "strict", "pad"); err != nil {
		return nil, err
	}
	if err := checkNames("fixed", d.names, inSettings); err != nil {
		return nil, err
	}
	return d, compileRules("fixed", s.SkipRows, d.names)
}

// Split implements connectors.Splitter: a record is a line without its end, or Length bytes; the preamble is a byte
// order mark, if there is one.
func (d *fixedDecoder) Split(r io.Reader, yield func(connectors.Piece) error) error {
	lines := &csvDecoder{
		dialect: csvDialect{cs: d.cs}, skipLines: d.s.SkipLines, maxRecord: d.maxRecord,
	}
	c := csvCutter{d: lines, w: newWindow(r), at: newPlace(), format: "fixed"}
	c.w.more()
	if err := c.begin(); err != nil {
		return err
	}
	for {
		take := c.next
		if d.s.Length > 0 {
			take = func() ([]byte, place, error) { return d.block(&c) }
		}
		raw, start, err := take()
		if err != nil || raw == nil {
			return err
		}
		if d.passOver(c.preamble, raw) {
			continue
		}
		if err := yield(connectors.Piece{Preamble: c.preamble, Body: c.w.keep(raw), Line: start.line, Column: start.col}); err != nil {
			return err
		}
	}
}

// block takes Length bytes; line ends between blocks are passed.
func (d *fixedDecoder) block(c *csvCutter) ([]byte, place, error) {
	for {
		b := c.w.bytes()
		n := len(b) - len(bytes.TrimLeft(b, "\r\n\x1a"))
		c.dialect.cs.advance(&c.at, b[:n])
		c.w.skip(n)
		b = c.w.bytes()
		if len(b) >= d.s.Length {
			start := c.at
			c.dialect.cs.advance(&c.at, b[:d.s.Length])
			c.w.skip(d.s.Length)
			return b[:d.s.Length], start, nil
		}
		if c.w.more() {
			continue
		}
		if err := c.w.failed(c.at); err != nil {
			return nil, c.at, err
		}
		if len(c.w.bytes()) == 0 {
			return nil, c.at, nil
		}
		return nil, c.at, refuse("fixed.truncated", c.at.where(""), say("the last record has %d of %d bytes",
			"最后一条记录只有 %d 字节，应为 %d 字节", len(b), d.s.Length).hint("have it sent again", "请重新发送"))
	}
}

func (d *fixedDecoder) passOver(preamble, raw []byte) bool {
	if len(d.s.SkipRows) == 0 {
		return false
	}
	cells, _, err := d.cells(preamble, raw, true)
	return err == nil && skipped(d.s.SkipRows, d.names, cells)
}

// Decode implements Decoder. The tree is an object of strings by column name.
func (d *fixedDecoder) Decode(preamble, body []byte) (Tree, error) {
	cells, offsets, err := d.cells(preamble, body, d.s.Width == "pad")
	if err != nil {
		return Tree{}, err
	}
	value := make(map[string]any, len(cells))
	for i, c := range cells {
		value[d.names[i]] = c
	}
	return Tree{Value: value, Locate: func(pointer string) hub.Where {
		tokens := pointerTokens(pointer)
		if len(tokens) > 0 {
			if i := columnIndex(d.names, tokens[0]); i >= 0 {
				return d.charset(preamble, body).placeIn(body, offsets[i]).where(tokens[0])
			}
		}
		return newPlace().where("")
	}}, nil
}

func (d *fixedDecoder) charset(preamble, body []byte) charset {
	if cs, n := charsetOfBOM(preamble); n > 0 {
		return cs
	}
	if d.cs.name != "" {
		return d.cs
	}
	return guessCharset(body)
}

// cells cuts a line into its columns; offsets are where they begin in the line's bytes.
func (d *fixedDecoder) cells(preamble, body []byte, pad bool) (cells []string, offsets []int, err error) {
	if len(body) > d.maxRecord {
		return nil, nil, tooLarge("fixed", newPlace().where(""), d.maxRecord)
	}
	cs := d.charset(preamble, body)
	starts := d.starts(cs, body)
	length := len(starts) - 1
	end := 0
	for i, c := range d.s.Columns {
		from, to := min(c.Start-1, length), min(c.Start-1+c.Width, length)
		end = max(end, c.Start-1+c.Width)
		if c.Start-1 >= length && !pad {
			return nil, nil, refuse("fixed.width", cs.placeIn(body, len(body)).where(c.Name), say(
				"the line ends at %d, before column %s, which starts at %d", "该行在 %d 处结束，而列 %s 从 %d 开始", length, c.Name, c.Start).
				hint("width: pad takes short lines", "width: pad 可接受较短的行"))
		}
		text, bad := cs.text(body[starts[from]:starts[to]])
		if bad >= 0 {
			return nil, nil, badBytes("fixed", cs.placeIn(body, starts[from]+bad).where(c.Name), cs)
		}
		cells, offsets = append(cells, d.s.Columns[i].trim(text)), append(offsets, starts[from])
	}
	if rest := body[starts[min(end, length)]:]; !pad && len(bytes.Trim(rest, " \t\x00")) > 0 {
		return nil, nil, refuse("fixed.width", cs.placeIn(body, starts[min(end, length)]).where(""), say(
			"the line is longer than its columns, which end at %d", "该行比所声明的列更长，列在 %d 处结束", end).
			hint("declare the rest, or set width: pad", "请声明其余的列，或设置 width: pad"))
	}
	return cells, offsets, nil
}

// starts returns the offset of every unit of the line, and its end.
func (d *fixedDecoder) starts(cs charset, body []byte) []int {
	starts := make([]int, 0, len(body)+1)
	for i := 0; i < len(body); {
		starts = append(starts, i)
		switch {
		case d.s.Unit != "characters":
			i++
		case cs.enc == nil:
			_, n := utf8.DecodeRune(body[i:])
			i += n
		default:
			i += cs.step(body[i:])
		}
	}
	return append(starts, len(body))
}

func (c fixedColumn) trim(s string) string {
	const blanks = " \t\u3000\x00"
	switch c.Trim {
	case "none":
		return s
	case "left":
		return strings.TrimLeft(s, blanks)
	case "right":
		return strings.TrimRight(s, blanks)
	}
	return strings.Trim(s, blanks)
}
