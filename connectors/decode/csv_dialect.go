package decode

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// csvDialect is how the rows of one item are written. Its zero charset and separator are still to be resolved.
type csvDialect struct {
	cs charset
	// guessed is true for a charset that nobody stated, sure when the header row alone already decided it.
	guessed, sure bool
	separator     byte
	quote         byte // 0: none
	lazy          bool
	trim          bool
}

// csvField is one field and where it begins in the row's text.
type csvField struct {
	value string
	at    int
}

func newCSVDialect(s csvSettings) (csvDialect, error) {
	d := csvDialect{quote: '"', lazy: s.LazyQuotes, trim: s.Trim}
	var err error
	if d.cs, err = charsetSetting("csv", s.Encoding); err != nil {
		return d, err
	}
	switch {
	case s.Separator == "" || s.Separator == "auto":
		if !s.Header.inFile {
			d.separator = ','
		}
	case s.Separator == "tab":
		d.separator = '\t'
	case len(s.Separator) == 1 && s.Separator[0] < utf8.RuneSelf && !strings.Contains("\r\n\"", s.Separator):
		d.separator = s.Separator[0]
	default:
		return d, setting("csv", "separator", say("want one ASCII character, tab or auto, not %q",
			"应为一个 ASCII 字符、tab 或 auto，而不是 %q", s.Separator))
	}
	switch {
	case s.Quote == "":
	case s.Quote == "none":
		d.quote = 0
	case len(s.Quote) == 1 && s.Quote[0] < utf8.RuneSelf && s.Quote[0] != d.separator && s.Quote != "\n" && s.Quote != "\r":
		d.quote = s.Quote[0]
	default:
		return d, setting("csv", "quote", say("want one ASCII character or none, not %q",
			"应为一个 ASCII 字符或 none，而不是 %q", s.Quote))
	}
	return d, nil
}

// resolve settles what the settings left open, from the header row and one row.
func (d csvDialect) resolve(preamble, body []byte) csvDialect {
	if cs, n := charsetOfBOM(preamble); n > 0 {
		d.cs = cs
	}
	if d.cs.name == "" {
		d.cs, d.guessed, d.sure = guessCharset(preamble, body), true, !validUTF8Prefix(preamble)
	}
	row, stated := headRow(preamble)
	if d.separator == 0 {
		d.separator = stated
	}
	if d.separator == 0 {
		d.separator = ','
		if head, bad := d.cs.text(row); bad < 0 {
			if found, n := commonSeparator([]byte(head)); n > 0 {
				d.separator = found
			}
		}
	}
	return d
}

// separatorLine reads the line before the header by which spreadsheets are told the separator, such as "sep=;". It
// returns 0 for any other line.
func separatorLine(raw []byte) byte {
	if len(raw) != 5 || !strings.EqualFold(string(raw[:4]), "sep=") || raw[4] == '"' || raw[4] >= utf8.RuneSelf {
		return 0
	}
	return raw[4]
}

// headRow is a preamble's header row, and the separator that a line before it states, or 0.
func headRow(preamble []byte) (row []byte, separator byte) {
	_, bom := charsetOfBOM(preamble)
	row = preamble[bom:]
	if line, rest, ok := bytes.Cut(row, []byte{'\n'}); ok {
		if separator = separatorLine(line); separator != 0 {
			return rest, separator
		}
	}
	return row, 0
}

// fits reports whether a dialect that was resolved with another row also serves this one.
func (d csvDialect) fits(body []byte) bool {
	return !d.guessed || d.sure || utf8.Valid(body) == (d.cs.enc == nil)
}

// commonSeparator returns the most frequent of , ; tab | outside quotes in a row, and how often it stands there.
func commonSeparator(row []byte) (byte, int) {
	var count [utf8.RuneSelf]int
	quoted := false
	for _, c := range row {
		if c == '"' {
			quoted = !quoted
		}
		if !quoted && c < utf8.RuneSelf {
			count[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t', '|'} {
		if count[c] > count[best] {
			best = c
		}
	}
	return best, count[best]
}

// fields reads one row.
func (d csvDialect) fields(raw []byte, limit int) ([]csvField, error) {
	if len(raw) > limit {
		return nil, tooLarge("csv", newPlace().where(""), limit)
	}
	row, bad := d.cs.text(raw)
	if bad >= 0 {
		return nil, badBytes("csv", d.cs.placeIn(raw, bad).where(""), d.cs)
	}
	if strings.IndexByte(row, 0) >= 0 {
		at := placeIn([]byte(row), strings.IndexByte(row, 0), countRunes)
		return nil, refuse("csv.binary", at.where(""), say("there is a NUL character", "此处有 NUL 字符").
			hint("if this is UTF-16, set encoding: utf-16le", "若为 UTF-16，请设置 encoding: utf-16le"))
	}
	p := csvParser{csvDialect: d, row: row, fields: make([]csvField, 0, min(maxColumns, 1+strings.Count(row, string(rune(d.separator)))))}
	return p.parse()
}

// rawOffset turns an offset in the row's text into one in its bytes.
func (d csvDialect) rawOffset(raw []byte, at int) int {
	if d.cs.enc == nil {
		return at
	}
	row, bad := d.cs.text(raw)
	if bad >= 0 || at > len(row) {
		return 0
	}
	offset := 0
	for range utf8.RuneCountInString(row[:at]) {
		if offset >= len(raw) {
			break
		}
		offset += d.cs.step(raw[offset:])
	}
	return offset
}

// maxColumns is the most fields of a row, as many as a spreadsheet has.
const maxColumns = 16_384

// csvParser reads the fields of one row.
type csvParser struct {
	csvDialect
	row    string
	at     int
	fields []csvField
}

func (p *csvParser) parse() ([]csvField, error) {
	for {
		start := p.at
		value, err := p.field()
		if err != nil {
			return nil, err
		}
		if p.trim {
			value = strings.TrimSpace(value)
		}
		p.fields = append(p.fields, csvField{value: value, at: start})
		if p.at >= len(p.row) {
			return p.fields, nil
		}
		p.at++ // the separator
		if len(p.fields) >= maxColumns {
			return nil, refuse("csv.size", newPlace().where(""), say("the row has more than %d fields", "该行的字段超过 %d 个", maxColumns))
		}
	}
}

// field reads one field and stops at the separator or the end.
func (p *csvParser) field() (string, error) {
	if p.quote != 0 && p.at < len(p.row) && p.row[p.at] == p.quote {
		return p.quoted()
	}
	rest := p.row[p.at:]
	if i := strings.IndexByte(rest, p.separator); i >= 0 {
		rest = rest[:i]
	}
	if p.quote != 0 && !p.lazy {
		if i := strings.IndexByte(rest, p.quote); i >= 0 {
			return "", p.badQuote(p.at+i, say("there is a quote inside an unquoted field", "未加引号的字段中出现了引号"))
		}
	}
	p.at += len(rest)
	return rest, nil
}

// quoted reads a quoted field; doubled quotes stand for one.
func (p *csvParser) quoted() (string, error) {
	open := p.at
	p.at++
	var b strings.Builder
	for {
		i := strings.IndexByte(p.row[p.at:], p.quote)
		if i < 0 {
			if p.lazy {
				b.WriteString(p.row[p.at:])
				p.at = len(p.row)
				return b.String(), nil
			}
			return "", p.badQuote(open, say("the quote that opens here is never closed", "此处开始的引号没有闭合"))
		}
		b.WriteString(p.row[p.at : p.at+i])
		p.at += i + 1
		switch {
		case p.at == len(p.row) || p.row[p.at] == p.separator:
			return b.String(), nil
		case p.row[p.at] == p.quote:
			b.WriteByte(p.quote)
			p.at++
		case p.lazy:
			b.WriteByte(p.quote)
		default:
			return "", p.badQuote(p.at, say("there is text after a closing quote", "引号闭合之后还有文字"))
		}
	}
}

func (p *csvParser) badQuote(at int, said text) error {
	pointer := ""
	if n := len(p.fields); n >= 0 {
		pointer = fieldName(n)
	}
	return refuse("csv.quote", placeIn([]byte(p.row), at, countRunes).where(pointer),
		said.hint("a quote inside a quoted field is written twice; lazyQuotes: true takes quotes as they stand",
			"带引号字段中的引号须写两次；lazyQuotes: true 按原样接受引号"))
}
