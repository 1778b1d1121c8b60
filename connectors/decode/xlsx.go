package decode

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/xuri/excelize/v2"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// xlsxSettings are the settings under "xlsx:".
type xlsxSettings struct {
	// Sheet is the sheet's name, or its number from 1; the first one by default.
	Sheet string `yaml:"sheet"`
	// Header is as for csv; HeaderRow is the row it stands in, by default the first that is not empty.
	Header    header `yaml:"header"`
	HeaderRow int    `yaml:"headerRow"`
	// Values is "iso" (the default: dates as 2006-01-02 or 2006-01-02T15:04:05, numbers in full) or "shown" (as the
	// spreadsheet displays them).
	Values string `yaml:"values"`
	// SkipRows are rules for rows that are no records, such as totals.
	SkipRows []rowRule `yaml:"skipRows"`
	// MaxItem is the largest workbook in bytes, packed; it is held in memory.
	MaxItem size `yaml:"maxItem"`
}

// What a workbook may be where the settings do not say, and what it may unpack to.
const (
	defaultMaxWorkbook = 64 << 20
	maxUnpacked        = 1 << 30
)

// oleMagic begins .xls files of before 2007, and encrypted workbooks.
const oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// xlsxDecoder reads Office Open XML workbooks.
type xlsxDecoder struct {
	s       xlsxSettings
	maxItem int
}

// xlsxRow is a record's body: a row of the sheet, its cells from column A on. xlsxTable is the preamble.
type xlsxRow struct {
	Row   int      `json:"row"`
	Cells []string `json:"cells"`
}

type xlsxTable struct {
	Sheet   string   `json:"sheet"`
	Columns []string `json:"columns"`
}

func xlsxFormat() Format {
	return Format{
		Name:    "xlsx",
		Summary: "Excel workbooks (.xlsx): the rows of one sheet, dates as ISO 8601",
		Detect:  detectXLSX,
		New: func(b []byte) (Decoder, error) {
			s := xlsxSettings{Header: header{inFile: true}}
			if err := readSettings("xlsx", b, &s); err != nil {
				return nil, err
			}
			if err := oneOf("xlsx", "values", s.Values, "iso", "shown"); err != nil {
				return nil, err
			}
			if s.HeaderRow < 0 {
				return nil, setting("xlsx", "headerRow", say("want a row from 1", "行号应从 1 开始"))
			}
			if err := checkNames("xlsx", s.Header.names, inSettings); err != nil {
				return nil, err
			}
			d := &xlsxDecoder{s: s, maxItem: s.MaxItem.or(defaultMaxWorkbook)}
			return d, compileRules("xlsx", d.s.SkipRows, s.Header.names)
		},
	}
}

func detectXLSX(head []byte) int {
	switch {
	case bytes.HasPrefix(head, []byte(oleMagic)):
		return 50 // to be refused with a reason
	case isWorkbook(head):
		return 100
	}
	return 0
}

// isWorkbook reports whether one of the archive's first files is a part that workbooks have.
func isWorkbook(head []byte) bool {
	if !bytes.HasPrefix(head, []byte(zipMagic)) {
		return false
	}
	for at := 0; at >= 0; {
		name := head[min(at+30, len(head)):]
		for _, part := range []string{"[Content_Types].xml", "xl/", "_rels/.rels", "docProps/"} {
			if bytes.HasPrefix(name, []byte(part)) {
				return true
			}
		}
		next := bytes.Index(head[at+1:], []byte(zipMagic))
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}

// Split implements connectors.Splitter: a record is a row, as JSON with its number and cells, since a workbook's own
// bytes cannot be cut; the preamble is JSON with the sheet and the header. Line is the row.
func (d *xlsxDecoder) Split(r io.Reader, yield func(connectors.Piece) error) error {
	b, err := io.ReadAll(io.LimitReader(r, int64(d.maxItem)+1))
	if err != nil {
		return torn("xlsx", "", err)
	}
	if len(b) > d.maxItem {
		return tooLarge("xlsx", hub.Where{}, d.maxItem)
	}
	if len(b) == 0 {
		return nil
	}
	book, err := openWorkbook(b)
	if err != nil {
		return err
	}
	defer book.Close()
	sheet, err := d.sheet(book)
	if err != nil {
		return err
	}
	reader, err := newXLSXReader(book, sheet, d.s.Values == "shown")
	if err != nil {
		return err
	}
	return d.rows(reader, yield)
}

func openWorkbook(b []byte) (book *excelize.File, err error) {
	defer unpanicked("", 0, &err)
	if bytes.HasPrefix(b, []byte(oleMagic)) {
		return nil, refuse("xlsx.format", hub.Where{}, say("this is an .xls file of before 2007, or an encrypted workbook",
			"这是 2007 年以前的 .xls 文件，或已加密的工作簿").
			hint("save it as .xlsx without a password", "请另存为不带密码的 .xlsx"))
	}
	book, err = excelize.OpenReader(bytes.NewReader(b), excelize.Options{UnzipSizeLimit: maxUnpacked, UnzipXMLSizeLimit: 64 << 20})
	if err != nil {
		return nil, refuse("xlsx.corrupt", hub.Where{}, say("the workbook cannot be read", "无法读取该工作簿").
			hint("have it saved and sent again", "请重新保存并发送")).Because(err)
	}
	if err := fewLooseRows(b); err != nil {
		return nil, errors.Join(err, book.Close())
	}
	return book, nil
}

// unpanicked makes a fault of what the library stumbles over: a file that nobody can read must not end the hub, which would find it
// again at its next start.
func unpanicked(sheet string, row int, err *error) {
	if p := recover(); p != nil {
		*err = corruptSheet(sheet, row, fmt.Errorf("%v", p))
	}
}

// maxLooseRows is how many rows a sheet may have that do not say which they are, or say the number of one before: the library puts each
// in its place by moving all behind it.
const maxLooseRows = 10_000

// fewLooseRows refuses a workbook with a sheet of too many loose rows.
func fewLooseRows(b []byte) error {
	pack, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil //nolint:nilerr // the library has opened it: it is an encrypted one, or says so itself
	}
	for _, f := range pack.File { // any of which may be a sheet
		part, err := f.Open()
		if err != nil {
			continue // the library says so
		}
		sheet, err := io.ReadAll(io.LimitReader(part, maxUnpacked)) // the library has bounded them all together
		_ = part.Close()
		if err == nil && looseRows(sheet) > maxLooseRows {
			return refuse("xlsx.size", hub.Where{}, say("a sheet has more than %d rows without a number of their own", "工作表中没有行号的行超过 %d 行", maxLooseRows).
				hint("open it and save it again: then each row has its number", "请打开后重新保存，使每一行都有行号"))
		}
	}
	return nil
}

// looseRows counts the rows of a sheet's XML that have no attribute r, or none that is greater than those before.
func looseRows(sheet []byte) (loose int) {
	last := 0
	for {
		at := bytes.Index(sheet, []byte("row"))
		if at < 0 {
			return loose
		}
		begins := at > 0 && (sheet[at-1] == '<' || sheet[at-1] == ':')
		sheet = sheet[at+len("row"):]
		if !begins || len(sheet) == 0 || strings.IndexByte(" \t\r\n/>", sheet[0]) < 0 {
			continue
		}
		tag := sheet[:max(bytes.IndexByte(sheet, '>'), 0)]
		n := 0
		if m := rowNumber.FindSubmatch(tag); m != nil {
			n, _ = strconv.Atoi(string(m[1])) // what is no number is none
		}
		if n <= last {
			loose++
		}
		last = max(last, n)
	}
}

var rowNumber = regexp.MustCompile(`\sr\s*=\s*["'](\d{1,9})["']`)

// sheet finds the sheet that the settings name.
func (d *xlsxDecoder) sheet(book *excelize.File) (string, error) {
	names := book.GetSheetList()
	if d.s.Sheet == "" && len(names) > 0 {
		return names[0], nil
	}
	for _, n := range names {
		if n == d.s.Sheet {
			return n, nil
		}
	}
	if i := index(d.s.Sheet); i > 0 && i <= len(names) {
		return names[i-1], nil
	}
	all := strings.Join(names, ", ")
	return "", refuse("xlsx.sheet", hub.Where{}, say("there is no sheet %q", "没有名为 %q 的工作表", d.s.Sheet).
		hint("the sheets are "+all, "工作表有："+all))
}

// rows yields the rows of a sheet.
func (d *xlsxDecoder) rows(r *xlsxReader, yield func(connectors.Piece) error) error {
	table := xlsxTable{Sheet: r.sheet, Columns: d.s.Header.names}
	var preamble []byte
	for {
		row, ok, err := r.next()
		if err != nil || !ok {
			return err
		}
		switch {
		case row.Row < d.s.HeaderRow || emptyCells(row.Cells):
			continue
		case d.s.Header.inFile && table.Columns == nil:
			if table.Columns, err = d.columns(r.sheet, row); err != nil {
				return err
			}
			continue
		}
		if preamble == nil {
			preamble = mustJSON(table)
		}
		if skipped(d.s.SkipRows, table.Columns, row.Cells) {
			continue
		}
		if err := yield(connectors.Piece{Preamble: preamble, Body: mustJSON(row), Line: row.Row, Column: 1}); err != nil {
			return err
		}
	}
}

// columns reads the header row. A column without a name is allowed as long as nothing stands in it.
func (d *xlsxDecoder) columns(sheet string, row xlsxRow) ([]string, error) {
	columns := make([]string, len(row.Cells))
	seen := map[string]int{}
	for i, c := range row.Cells {
		columns[i] = strings.TrimSpace(c)
		first, twice := seen[columns[i]]
		if twice && columns[i] != "" {
			return nil, refuse("xlsx.header", cellWhere(sheet, row.Row, i), say("%s and %s both are headed %q",
				"%s 与 %s 的列名都是 %q", cellName(row.Row, first), cellName(row.Row, i), columns[i]).
				hint("rename one, or give the names: header: [a, b, …]", "请改名，或用 header: [a, b, …] 给出列名"))
		}
		seen[columns[i]] = i
	}
	for i, r := range d.s.SkipRows {
		if r.Column != "" && columnIndex(columns, r.Column) < 0 {
			return nil, unknownColumn("xlsx", "skipRows/"+itoa(i), r.Column, columns)
		}
	}
	return columns, nil
}

// Decode implements Decoder. The tree is an object of strings by column name; empty cells are "".
func (d *xlsxDecoder) Decode(preamble, body []byte) (Tree, error) {
	if bytes.HasPrefix(body, []byte(zipMagic)) || bytes.HasPrefix(body, []byte(oleMagic)) {
		err := d.Split(bytes.NewReader(body), func(connectors.Piece) error { return nil })
		if err == nil {
			err = refuse("xlsx.rows", hub.Where{}, say("a record is one row, not a workbook", "一条记录应是一行，而不是整个工作簿"))
		}
		return Tree{}, err
	}
	var table xlsxTable
	var row xlsxRow
	if json.Unmarshal(body, &row) != nil || len(preamble) > 0 && json.Unmarshal(preamble, &table) != nil {
		return Tree{}, refuse("xlsx.rows", newPlace().where(""), say("the record is not a row that was cut from a workbook",
			"该记录不是从工作簿中取出的行"))
	}
	if table.Columns == nil {
		table.Columns = numbered(len(row.Cells))
	}
	value := make(map[string]any, len(table.Columns))
	for _, name := range table.Columns {
		if name != "" {
			value[name] = ""
		}
	}
	for i, cell := range row.Cells {
		switch {
		case i < len(table.Columns) && table.Columns[i] != "":
			value[table.Columns[i]] = cell
		case cell != "":
			return Tree{}, refuse("xlsx.width", table.where(row, i), say("%s stands in a column without a header", "%s 所在的列没有列名",
				cellName(row.Row, i)).hint("name the column, or give the names: header: [a, b, …]", "请命名该列，或用 header: [a, b, …] 给出列名"))
		}
	}
	return Tree{Value: value, Locate: func(pointer string) hub.Where {
		if t := pointerTokens(pointer); len(t) > 0 {
			if i := columnIndex(table.Columns, t[0]); i >= 0 {
				return table.where(row, i)
			}
		}
		return hub.Where{Line: 1, Column: 1}
	}}, nil
}

// where is the place of a cell in a record, which is one line.
func (t xlsxTable) where(row xlsxRow, column int) hub.Where {
	at := cellWhere(t.Sheet, row.Row, column)
	at.Line = 1
	return at
}

func emptyCells(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}

// cellName is the name of a cell by row and column index: "C5".
func cellName(row, column int) string {
	name, err := excelize.CoordinatesToCellName(column+1, max(row, 1))
	if err != nil {
		return ""
	}
	return name
}

func cellWhere(sheet string, row, column int) hub.Where {
	return hub.Where{Line: row, Column: column + 1, Pointer: sheet + "!" + cellName(row, column)}
}

// mustJSON marshals strings and numbers, which cannot fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("decode: marshal row: " + err.Error())
	}
	return b
}
