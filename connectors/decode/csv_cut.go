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
		skip, err := c.passOver(raw)
		if err != nil {
			return err
		}
		if skip {
			continue
		}
		piece := connectors.Piece{Preamble: c.preamble, Body: bytes.Clone(raw), Line: start.line, Column: start.col}
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
func (c *csvCutter) passOver(raw []byte) (bool, error) {
	if len(c.d.rules) == 0 {
		return false, nil
	}
	fields, err := c.dialect.resolve(c.preamble, raw).fields(raw, c.d.maxRecord)
	if err != nil {
		return false, nil //nolint:nilerr // see above
	}
	row := make([]string, len(fields))
	for i, f := range fields {
		row[i] = f.value
	}
	return skipped(c.d.rules, c.names, row), nil
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

func (c *csvCutter) blank(raw []byte) bool {
	if !c.dialect.cs.wide {
		return len(raw) == 0 || len(bytes.TrimSpace(raw)) == 0 && c.dialect.separator != '\t'
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
			if end < 0 || end+1 == len(b) && !last {
				if last {
					return len(b), len(b)
				}
				return 0, 0
			}
			i, begins = end, false
		case char == '\n':
			return i, i + 1
		case char == '\r':
			switch {
			case i+1 == len(b) && !last:
				return 0, 0
			case i+1 < len(b) && b[i+1] == '\n':
				return i, i + 2
			}
			return i, i + 1
		default:
			begins = separator != 0 && char == separator
		}
	}
	if last {
		return len(b), len(b)
	}
	return 0, 0
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
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	if len(b) > chunk {
		b = b[:chunk]
	}
	separator, _ := commonSeparator(b)
	return separator
}

// endOf finds the first line end outside quotes. A quote opens only where a field begins. It returns the length of the
// row and of the row with its line end; 0, 0 when there is no end yet and more may come.
func endOf(b []byte, last bool, cs charset, quote, separator byte) (content, total int) {
	quoted, begins := false, true
	for i := 0; i < len(b); {
		char, n := cs.ascii(b[i:])
		switch {
		case quoted:
			quoted = char != quote // a doubled quote closes and opens again
			if !quoted {
				begins = false
				if next := i + n; next < len(b) {
					if c, m := cs.ascii(b[next:]); c == quote {
						quoted, n = true, n+m
					}
				} else if !last {
					return 0, 0
				}
			}
		case char == '\n':
			return i, i + n
		case char == '\r':
			if i+n == len(b) && !last {
				return 0, 0
			}
			if i+n < len(b) {
				if c, m := cs.ascii(b[i+n:]); c == '\n' {
					return i, i + n + m
				}
			}
			return i, i + n
		case quote != 0 && char == quote && begins:
			quoted, begins = true, false
		default:
			begins = separator != 0 && char == separator
		}
		i += n
	}
	if last {
		return len(b), len(b)
	}
	return 0, 0
}
