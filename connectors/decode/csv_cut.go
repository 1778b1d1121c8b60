package decode

import (
	"bytes"

	"github.com/suyuan-io/suyuan/connectors"
)

// csvCutter cuts one item into rows.
type csvCutter struct {
	d        *csvDecoder
	w        *window
	at       place
	dialect  csvDialect
	preamble []byte
	names    []string
	// format is whose rows they are in faults.
	format string
}

func (c *csvCutter) run(yield func(connectors.Piece) error) error {
	c.w.more()
	if err := c.begin(); err != nil {
		return err
	}
	for {
		raw, start, err := c.next()
		if err != nil || raw == nil {
			return err
		}
		if c.passOver(raw) {
			continue
		}
		piece := connectors.Piece{Preamble: c.preamble, Body: c.w.keep(raw), Line: start.line, Column: start.col}
		if err := yield(piece); err != nil {
			return err
		}
	}
}

// begin settles the charset, passes over the lines before the table, and reads the header row.
func (c *csvCutter) begin() error {
	c.dialect = c.d.dialect
	head := c.w.bytes()
	cs, bom := charsetOfBOM(head)
	if bom > 0 {
		c.dialect.cs = cs
		c.preamble = bytes.Clone(head[:bom])
		c.w.skip(bom)
	}
	if c.dialect.cs.name == "" {
		c.dialect.cs = guessCharset(head)
	}
	for range c.d.skipLines {
		if raw, _, err := c.line(c.lineEnd); err != nil || raw == nil {
			return err
		}
	}
	if c.d.header.names != nil {
		c.names = c.d.header.names
	}
	if !c.d.header.inFile {
		return nil
	}
	raw, start, err := c.next()
	if separator := separatorLine(raw); separator != 0 && err == nil {
		c.preamble = append(append(c.preamble, raw...), '\n')
		if c.dialect.separator == 0 {
			c.dialect.separator = separator
		}
		raw, start, err = c.next()
	}
	if err != nil || raw == nil {
		return err
	}
	c.preamble = append(c.preamble, raw...)
	c.dialect = c.dialect.resolve(c.preamble, nil)
	h := c.d.headerOf(c.preamble, nil)
	if h.err != nil {
		return movedTo(h.err, start)
	}
	c.names = h.names
	for i, r := range c.d.rules {
		if r.Column != "" && columnIndex(h.names, r.Column) < 0 {
			return unknownColumn("csv", "skipRows/"+itoa(i), r.Column, h.names)
		}
	}
	return nil
}

// passOver reports whether a rule names the row. A row that cannot be read is not passed over: Decode says why.
func (c *csvCutter) passOver(raw []byte) bool {
	if len(c.d.rules) == 0 {
		return false
	}
	fields, err := c.dialect.resolve(c.preamble, raw).fields(raw, c.d.maxRecord)
	if err != nil {
		return false
	}
	row := make([]string, len(fields))
	for i, f := range fields {
		row[i] = f.value
	}
	return skipped(c.d.rules, c.names, row)
}

// next returns the next row that is not blank, and where it begins; nil at the end of the item.
func (c *csvCutter) next() ([]byte, place, error) {
	for {
		raw, start, err := c.line(c.rowEnd)
		if err != nil || raw == nil {
			return nil, start, err
		}
		if !c.blank(raw) {
			return raw, start, nil
		}
	}
}

// line takes one line or row, as end finds its end, and returns it without its line end; nil at the end of the item.
// The slice is valid until the next call.
func (c *csvCutter) line(end func(b []byte, last bool) (content, total int)) ([]byte, place, error) {
	start := c.at
	for {
		b := c.w.bytes()
		if len(b) == 0 && c.w.ended() {
			return nil, start, nil
		}
		if content, total := end(b, c.w.ended()); total > 0 {
			if content > c.d.maxRecord {
				return nil, start, tooLarge(c.format, start.where(""), c.d.maxRecord)
			}
			c.dialect.cs.advance(&c.at, b[:total])
			c.w.skip(total)
			return b[:content], start, nil
		}
		if len(b) > c.d.maxRecord {
			return nil, start, tooLarge(c.format, start.where(""), c.d.maxRecord)
		}
		if !c.w.more() && c.w.failed(start) != nil {
			return nil, start, c.w.failed(start)
		}
	}
}

// blank reports whether a row holds nothing, or only the mark that ends files of DOS.
func (c *csvCutter) blank(raw []byte) bool {
	if !c.dialect.cs.wide {
		return len(raw) == 0 || len(raw) == 1 && raw[0] == 0x1a || len(bytes.TrimSpace(raw)) == 0 && c.dialect.separator != '\t'
	}
	return len(bytes.Trim(raw, " \t\x00")) == 0
}

// lineEnd finds the end of a line whatever it holds.
func (c *csvCutter) lineEnd(b []byte, last bool) (content, total int) {
	return endOf(b, last, c.dialect.cs, 0, 0)
}

// rowEnd finds the end of a row: a line end outside quotes.
func (c *csvCutter) rowEnd(b []byte, last bool) (content, total int) {
	if !c.dialect.cs.wide {
		if i := bytes.IndexByte(b, '\n'); i >= 0 && bytes.IndexByte(b[:i], '\r') < 0 &&
			(c.dialect.quote == 0 || bytes.IndexByte(b[:i], c.dialect.quote) < 0) {
			return i, i + 1
		}
	}
	separator := c.dialect.separator
	if separator == 0 {
		separator = c.headSeparator(b)
	}
	if !c.dialect.cs.wide && !c.dialect.cs.lead && c.dialect.quote != 0 {
		return endOfNarrow(b, last, c.dialect.quote, separator)
	}
	return endOf(b, last, c.dialect.cs, c.dialect.quote, separator)
}

// endOfNarrow is endOf for charsets in which an ASCII byte is always that character: it jumps where endOf walks.
func endOfNarrow(b []byte, last bool, quote, separator byte) (content, total int) {
	begins := true
	for i := 0; i < len(b); i++ {
		switch char := b[i]; {
		case char == quote && begins:
			end := closingQuote(b, i+1, quote)
			if end < 0 || end+1 == len(b) {
				return restOf(b, last)
			}
			i, begins = end, false
		case char == '\n':
			return i, i + 1
		case char == '\r':
			return carriageReturn(b, i, 1, last, charset{})
		default:
			begins = separator != 0 && char == separator
		}
	}
	return restOf(b, last)
}

// closingQuote finds the quote that is not doubled, or -1.
func closingQuote(b []byte, from int, quote byte) int {
	for {
		n := bytes.IndexByte(b[from:], quote)
		if n < 0 {
			return -1
		}
		if from += n; from+1 == len(b) || b[from+1] != quote {
			return from
		}
		from += 2
	}
}

// headSeparator guesses the separator before the header row is known to end.
func (c *csvCutter) headSeparator(b []byte) byte {
	b = b[:min(len(b), chunk)]
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	separator, _ := commonSeparator(b)
	return separator
}

// endOf finds the first line end outside quotes. A quote opens only where a field begins. It returns the length of the
// row and of the row with its line end; 0, 0 when there is no end yet and more may come.
func endOf(b []byte, last bool, cs charset, quote, separator byte) (content, total int) {
	begins := true
	for i := 0; i < len(b); {
		char, n := cs.ascii(b[i:])
		switch {
		case char == '\n':
			return i, i + n
		case char == '\r':
			return carriageReturn(b, i, n, last, cs)
		case quote != 0 && char == quote && begins:
			begins = false
			if n = afterQuote(b[i:], n, cs, quote); i+n >= len(b) {
				return restOf(b, last)
			}
		default:
			begins = separator != 0 && char == separator
		}
		i += n
	}
	return restOf(b, last)
}

// afterQuote returns the length of a quoted text whose first character takes n bytes; one that is not closed reaches to
// the end of b.
func afterQuote(b []byte, n int, cs charset, quote byte) int {
	for i := n; i < len(b); {
		char, width := cs.ascii(b[i:])
		i += width
		if char != quote {
			continue
		}
		if i >= len(b) {
			return i
		}
		char, width = cs.ascii(b[i:])
		if char != quote {
			return i
		}
		i += width
	}
	return len(b)
}

// carriageReturn ends a row at a CR of n bytes, alone or before an LF.
func carriageReturn(b []byte, i, n int, last bool, cs charset) (content, total int) {
	if i+n >= len(b) {
		if last {
			return i, len(b)
		}
		return 0, 0
	}
	if char, width := cs.ascii(b[i+n:]); char == '\n' {
		n += width
	}
	return i, i + n
}

// restOf is a row without a line end.
func restOf(b []byte, last bool) (content, total int) {
	if last {
		return len(b), len(b)
	}
	return 0, 0
}
