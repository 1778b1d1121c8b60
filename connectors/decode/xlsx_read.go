package decode

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/suyuan-io/suyuan/hub"
)

// xlsxReader reads the rows of one sheet.
type xlsxReader struct {
	book     *excelize.File
	sheet    string
	rows     *excelize.Rows
	shown    bool
	date1904 bool
	row      int
	// formats caches what the number format of a style shows.
	formats map[int]dateParts
}

// dateParts says which parts of a point in time a number format shows; the zero value is a plain number.
type dateParts struct{ date, clock bool }

func newXLSXReader(book *excelize.File, sheet string, shown bool) (_ *xlsxReader, err error) {
	defer unpanicked(sheet, 0, &err)
	props, err := book.GetWorkbookProps()
	if err == nil {
		var rows *excelize.Rows
		if rows, err = book.Rows(sheet); err == nil {
			return &xlsxReader{
				book: book, sheet: sheet, rows: rows, shown: shown, formats: map[int]dateParts{},
				date1904: props.Date1904 != nil && *props.Date1904,
			}, nil
		}
	}
	return nil, corruptSheet(sheet, 0, err)
}

func corruptSheet(sheet string, row int, err error) error {
	return refuse("xlsx.corrupt", hub.Where{Line: row, Pointer: sheet}, say("the sheet cannot be read", "无法读取该工作表").
		hint("have it saved and sent again", "请重新保存并发送")).Because(err)
}

// next returns the next row; false after the last.
func (r *xlsxReader) next() (_ xlsxRow, _ bool, err error) {
	defer unpanicked(r.sheet, r.row, &err)
	if !r.rows.Next() {
		if err := r.rows.Error(); err != nil {
			return xlsxRow{}, false, corruptSheet(r.sheet, r.row, err)
		}
		return xlsxRow{}, false, nil
	}
	r.row++
	cells, err := r.rows.Columns(excelize.Options{RawCellValue: !r.shown})
	if err != nil {
		return xlsxRow{}, false, corruptSheet(r.sheet, r.row, err)
	}
	if !r.shown {
		for i, c := range cells {
			if cells[i], err = r.plain(i, c); err != nil {
				return xlsxRow{}, false, corruptSheet(r.sheet, r.row, err)
			}
		}
	}
	if cells == nil {
		cells = []string{}
	}
	return xlsxRow{Row: r.row, Cells: cells}, true, nil
}

// plain turns a cell as stored into its value: a date, a number in full, or text.
func (r *xlsxReader) plain(column int, raw string) (string, error) {
	v, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return raw, nil
	}
	cell := cellName(r.row, column)
	kind, err := r.book.GetCellType(r.sheet, cell)
	if err != nil {
		return "", err
	}
	switch kind {
	case excelize.CellTypeUnset, excelize.CellTypeNumber, excelize.CellTypeFormula:
	case excelize.CellTypeBool:
		return strings.ToUpper(strconv.FormatBool(v != 0)), nil
	case excelize.CellTypeDate, excelize.CellTypeError, excelize.CellTypeInlineString, excelize.CellTypeSharedString:
		return raw, nil
	}
	style, err := r.book.GetCellStyle(r.sheet, cell)
	if err != nil {
		return "", err
	}
	parts, ok := r.formats[style]
	if !ok {
		if parts, err = r.format(style); err != nil {
			return "", err
		}
		r.formats[style] = parts
	}
	if !parts.date && !parts.clock || v < 0 {
		return fullNumber(v), nil
	}
	t, err := excelize.ExcelDateToTime(v, r.date1904)
	if err != nil {
		return fullNumber(v), nil //nolint:nilerr // beyond the calendar it is a number
	}
	return isoTime(t.Round(time.Second), parts, v < 1 && !r.date1904), nil
}

func (r *xlsxReader) format(style int) (dateParts, error) {
	s, err := r.book.GetStyle(style)
	if err != nil {
		return dateParts{}, err
	}
	if s.CustomNumFmt != nil {
		return partsOf(*s.CustomNumFmt), nil
	}
	switch n := s.NumFmt; { // ECMA-376 part 1, 18.8.30
	case n >= 14 && n <= 17, n >= 27 && n <= 31, n == 36, n >= 50 && n <= 54, n == 57, n == 58:
		return dateParts{date: true}, nil
	case n >= 18 && n <= 21, n >= 32 && n <= 35, n == 45, n == 55, n == 56:
		return dateParts{clock: true}, nil
	case n == 22:
		return dateParts{date: true, clock: true}, nil
	}
	return dateParts{}, nil
}

// partsOf reads a number format code: letters outside quotes, escapes and brackets.
func partsOf(code string) dateParts {
	var p dateParts
	code, _, _ = strings.Cut(code, ";")
	for i := 0; i < len(code); i++ {
		switch code[i] {
		case '"', '[':
			end := byte('"')
			if code[i] == '[' {
				end = ']'
			}
			n := strings.IndexByte(code[i+1:], end)
			if n < 0 {
				return p
			}
			if elapsed := code[i+1 : i+1+n]; end == ']' && elapsed != "" && strings.Trim(elapsed, "hHmMsS") == "" {
				return dateParts{} // a span of time is a number
			}
			i += n + 1
		case '\\', '_', '*':
			i++
		case 'y', 'Y', 'd', 'D':
			p.date = true
		case 'h', 'H', 's', 'S':
			p.clock = true
		case 'G', 'g':
			if strings.HasPrefix(strings.ToLower(code[i:]), "general") {
				i += len("general") - 1
			}
		case 'm', 'M':
			p.date = p.date || !p.clock && !strings.ContainsAny(code, "hHsS")
		}
	}
	return p
}

// isoTime writes a point in time as ISO 8601 without an offset, which spreadsheets do not know.
func isoTime(t time.Time, parts dateParts, clockOnly bool) string {
	midnight := t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0
	switch {
	case !parts.date && clockOnly:
		return t.Format("15:04:05")
	case parts.date && !parts.clock && midnight:
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02T15:04:05")
}

// spreadsheetDigits is how many significant digits a spreadsheet keeps of a number.
const spreadsheetDigits = 15

// fullNumber writes a number without an exponent, to the digits that a spreadsheet keeps.
func fullNumber(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', spreadsheetDigits-1, 64), 64)
	if err != nil {
		rounded = v
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
