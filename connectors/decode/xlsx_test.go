package decode_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
)

// workbook writes a sheet of stock with a title, a header, a date, a time, a number that is a key, text that looks like
// a number, and a totals row.
func workbook(t testing.TB, date1904 bool) []byte {
	t.Helper()
	var must func(error)
	f := excelize.NewFile()
	defer func() { must(f.Close()) }()
	must = func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.SetSheetName("Sheet1", "库存"))
	if date1904 {
		must(f.SetWorkbookProps(&excelize.WorkbookPropsOptions{Date1904: &date1904}))
	}
	zh := `yyyy"年"m"月"d"日"`
	zhDate, err := f.NewStyle(&excelize.Style{CustomNumFmt: &zh})
	must(err)
	dateTime, err := f.NewStyle(&excelize.Style{NumFmt: 22})
	must(err)
	span := "[h]:mm"
	elapsed, err := f.NewStyle(&excelize.Style{CustomNumFmt: &span})
	must(err)
	rows := [][]any{
		{"库存日报"},
		{},
		{"GTIN", "批号", "生产日期", "入库时间", "数量", "周转", "冻结"},
		{7613035982949, "007", 43586, 43638.4271991, 1.1 * 3, 1.5, true},
		{"7613035982950", "2019E1", 43587, 43638, 120, 0.25, false},
		{"合计", nil, nil, nil, 123.3},
	}
	for i, r := range rows {
		cell, _ := excelize.CoordinatesToCellName(1, i+1)
		must(f.SetSheetRow("库存", cell, &r))
	}
	must(f.SetCellStyle("库存", "C4", "C5", zhDate))
	must(f.SetCellStyle("库存", "D4", "D5", dateTime))
	must(f.SetCellStyle("库存", "F4", "F5", elapsed))
	var b bytes.Buffer
	must(f.Write(&b))
	return b.Bytes()
}

const stockSettings = `{headerRow: 3, skipRows: [{starts: 合计}]}`

func TestWorkbook(t *testing.T) {
	d := newDecoder(t, "xlsx", stockSettings)
	got, pieces, err := lines(d, bytes.NewReader(workbook(t, false)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"GTIN":"7613035982949","入库时间":"2019-06-22T10:15:10","冻结":"TRUE","周转":"1.5","批号":"007","数量":"3.3","生产日期":"2019-05-01"}` + "\n",
		`{"GTIN":"7613035982950","入库时间":"2019-06-22T00:00:00","冻结":"FALSE","周转":"0.25","批号":"2019E1","数量":"120","生产日期":"2019-05-02"}` + "\n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if pieces[1].Line != 5 {
		t.Errorf("the second record is said to be row %d", pieces[1].Line)
	}
	tree, err := d.Decode(pieces[1].Preamble, pieces[1].Body)
	if err != nil {
		t.Fatal(err)
	}
	if at := tree.Locate("/批号"); at.Pointer != "库存!B5" || at.Column != 2 {
		t.Errorf("located at %+v", at)
	}
}

func TestWorkbookIsDetected(t *testing.T) {
	for _, n := range []int{120, 1000, 100_000} {
		book := workbook(t, false)
		if got, ok := decode.Detect(book[:min(n, len(book))]); !ok || got != "xlsx" {
			t.Errorf("the first %d bytes are taken for %q", n, got)
		}
	}
}

func TestWorkbookOf1904(t *testing.T) {
	got, _, err := lines(newDecoder(t, "xlsx", stockSettings), bytes.NewReader(workbook(t, true)))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 43586).Format("2006-01-02")
	if !bytes.Contains([]byte(got[0]), []byte(`"生产日期":"`+day+`"`)) {
		t.Errorf("want %s in %s", day, got[0])
	}
}

func TestWorkbookAsShown(t *testing.T) {
	got, _, err := lines(newDecoder(t, "xlsx", `{headerRow: 3, values: shown, sheet: 库存}`), bytes.NewReader(workbook(t, false)))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || !bytes.Contains([]byte(got[0]), []byte("2019年5月1日")) {
		t.Errorf("got %q", got)
	}
}

func TestWorkbookFaults(t *testing.T) {
	book := workbook(t, false)
	for _, c := range []struct {
		name, settings string
		item           []byte
		want           string
	}{
		{"the title taken for the header", ``, book, "xlsx.width 1:2 库存!B3"},
		{"another sheet", `{sheet: 出库}`, book, "xlsx.sheet 0:0"},
		{"a rule for another column", `{headerRow: 3, skipRows: [{column: 批次, empty: true}]}`, book, "decode.settings 0:0 /skipRows/0"},
		{"torn", ``, book[:len(book)/2], "xlsx.corrupt 0:0"},
		{"of before 2007", ``, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and so on"), "xlsx.format 0:0"},
		{"over the limit", `{maxItem: 1KiB}`, book, "xlsx.size 0:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := lines(newDecoder(t, "xlsx", c.settings), bytes.NewReader(c.item))
			if got := faultLine(err); got != c.want {
				t.Errorf("got %s: %v, want %s", got, err, c.want)
			}
		})
	}
}

// withSheet is a workbook whose first sheet has these rows.
func withSheet(t *testing.T, rows string) []byte {
	t.Helper()
	book := workbook(t, false)
	from, err := zip.NewReader(bytes.NewReader(book), int64(len(book)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	to := zip.NewWriter(&b)
	for _, f := range from.File {
		if f.Name != "xl/worksheets/sheet1.xml" {
			if err := to.Copy(f); err != nil {
				t.Fatal(err)
			}
			continue
		}
		w, err := to.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`+
			`<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row>`+rows+`</sheetData></worksheet>`)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A workbook of a few kilobytes neither ends the hub nor holds it up: one whose text has the number -1 panicked in the library, one
// whose row has the number two thousand million was two thousand million rows, and rows without numbers cost the square of theirs.
func TestHostileWorkbooksAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ rows, want string }{
		"a text that is not there": {`<row r="2"><c r="A2" t="s"><v>-1</v></c></row>`, ""}, // it stays what it says
		"a row that is none":       {`<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>`, "xlsx.corrupt 1:0 库存"},
		"rows without numbers":     {strings.Repeat(`<row><c><v>1</v></c></row>`, 20_000), "xlsx.size 0:0"},
		"rows of one number":       {strings.Repeat(`<x:row spans="1:1" r = '2'/>`, 20_000), "xlsx.size 0:0"},
		"rows backwards": {func() string {
			var b strings.Builder
			for n := 20_000; n > 1; n-- {
				fmt.Fprintf(&b, `<row r="%d"/>`, n)
			}
			return b.String()
		}(), "xlsx.size 0:0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := lines(newDecoder(t, "xlsx", ``), bytes.NewReader(withSheet(t, c.rows)))
			if got := faultLine(err); got != c.want {
				t.Errorf("got %s: %v, want %s", got, err, c.want)
			}
		})
	}
	got, _, err := lines(newDecoder(t, "xlsx", ``), bytes.NewReader(withSheet(t, strings.Repeat(`<row><c><v>1</v></c></row>`, 500))))
	if err != nil || len(got) != 500 {
		t.Errorf("500 rows without numbers: %d, %v", len(got), err)
	}
}

// TestUndividedItems holds that a record that is a whole item, since splitting failed, is refused with the reason.
func TestUndividedItems(t *testing.T) {
	book := workbook(t, false)
	for _, c := range []struct {
		format string
		body   []byte
		want   string
	}{
		{"xlsx", book[:len(book)/2], "xlsx.corrupt 0:0"},
		{"xlsx", book, "xlsx.rows 0:0"},
		{"csv", []byte("a,a\n1,2\n"), "csv.header 1:3 c2"},
		{"csv", []byte("a,b\n1,2\n"), "csv.header 1:1"},
		{"edifact", []byte(unb + "UNH+1+X:D:96A:UN'BGM"), "edi.truncated 1:47 UNH[1]/BGM"},
		{"edifact", []byte(unb + "UNH+1+X:D:96A:UN'UNT+2+1'UNZ+1+7'"), "edi.message 1:1"},
		{"x12", []byte("hello"), "edi.truncated 1:1 hello"},
	} {
		d := newDecoder(t, c.format, "")
		_, err := d.Decode(nil, c.body)
		if got := faultLine(err); got != c.want {
			t.Errorf("%s: got %s: %v, want %s", c.format, got, err, c.want)
		}
	}
	var _ connectors.Splitter = newDecoder(t, "csv", "")
}
