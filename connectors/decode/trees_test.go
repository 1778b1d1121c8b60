package decode_test

import (
	"bytes"
	"encoding/json"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

// TestDESADVAgreesWithAnotherParser compares, segment by segment and in order, all data of a message with the tree that
// another project's parser makes of it. The two name things differently, so that values are compared.
func TestDESADVAgreesWithAnotherParser(t *testing.T) {
	item, err := os.ReadFile(vectors.Path(t, "legacy", "php-edifact", "D96ADESADV.edi"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(vectors.Path(t, "legacy", "php-edifact", "D96ADESADV.json"))
	if err != nil {
		t.Fatal(err)
	}
	var theirs any
	if err := json.Unmarshal(other, &theirs); err != nil {
		t.Fatal(err)
	}
	want := map[int][]string{}
	collectSegments(theirs, want)
	got := map[int][]string{}
	n := 0
	err = decode.All(newDecoder(t, "edifact", ""), bytes.NewReader(item), func(_ connectors.Piece, tree decode.Tree) error {
		n++
		segments := at(t, tree.Value, "segments").([]any)
		for i, s := range segments {
			values := []string{at(t, s, "tag").(string)}
			leaves(at(t, s, "elements"), func(v string) { values = append(values, v) })
			sort.Strings(values)
			got[i] = values
		}
		return nil
	})
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if len(want) != 21 {
		t.Fatalf("the other tree has %d segments", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-theirs +ours:\n%s", diff)
	}
}

// collectSegments gathers the values of each segment of the other tree by its index.
func collectSegments(v any, into map[int][]string) {
	switch v := v.(type) {
	case []any:
		for _, child := range v {
			collectSegments(child, into)
		}
	case map[string]any:
		i, ok := v["segmentIdx"].(float64)
		if !ok {
			for _, child := range v {
				collectSegments(child, into)
			}
			return
		}
		values := []string{v["segmentCode"].(string)}
		for k, child := range v {
			if !strings.HasPrefix(k, "segment") {
				leaves(child, func(s string) { values = append(values, s) })
			}
		}
		sort.Strings(values)
		into[int(i)] = values
	}
}

// leaves visits the strings of a tree that are not empty.
func leaves(v any, visit func(string)) {
	switch v := v.(type) {
	case []any:
		for _, child := range v {
			leaves(child, visit)
		}
	case map[string]any:
		for _, child := range v {
			leaves(child, visit)
		}
	case string:
		if v != "" {
			visit(v)
		}
	}
}

// at follows a pointer of names and indexes.
func at(t testing.TB, v any, path ...string) any {
	t.Helper()
	for _, p := range path {
		switch tree := v.(type) {
		case map[string]any:
			v = tree[p]
		case []any:
			v = tree[int(p[0]-'0')]
		default:
			t.Fatalf("nothing at %v", path)
		}
	}
	return v
}

// TestWrappedAndPlainAgree holds that line breaks at 80 columns, and other service characters, change nothing of the
// content.
func TestWrappedAndPlainAgree(t *testing.T) {
	read := func(file string) []any {
		var all []any
		b := sample{file: file}.read(t)
		err := decode.All(newDecoder(t, "edifact", ""), bytes.NewReader(b), func(_ connectors.Piece, tree decode.Tree) error {
			all = append(all, at(t, tree.Value, "segments"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	plain := read("desadv.edi")
	if diff := cmp.Diff(plain, read("desadv-wrapped80.edi")); diff != "" {
		t.Errorf("wrapped: %s", diff)
	}
	if diff := cmp.Diff(plain[:1], read("desadv-una.edi")); diff != "" {
		t.Errorf("other service characters: %s", diff)
	}
}

// TestPlacesLeadIntoTheItem takes places that trees give and looks there in the sender's own bytes.
func TestPlacesLeadIntoTheItem(t *testing.T) {
	for _, c := range []struct {
		file, format, settings string
		record                 int
		pointer, path, text    string
	}{
		{"wms-outbound.gb18030.csv", "csv", ``, 2, "/批号", "批号", "L2209A"},
		{"receipts.utf8bom.csv", "csv", ``, 1, "/Item", "Item", `"Wyeth illuma; organic 3"`},
		{"tracking.json", "json", `{split: /data/parcels}`, 0, "/events/0/at", "/events/0/at", `"2019-11-08 13:46:53"`},
		{"movements.xml", "xml", `{split: /Movements/Movement}`, 1, "/Movement/Goods/Item/1/#text",
			"/mv:Movements/Movement/Goods/Item[2]/text()", `<mv:Item seq="2">Cartons`},
		{"movements.xml", "xml", `{split: /Movements/Movement}`, 0, "/Movement/@kind", "/mv:Movements/Movement/@kind", `<mv:Movement kind="EAL">`},
		{"desadv.edi", "edifact", `{guide: DESADV}`, 0, "/body/packages/1/lines/0/quantities/12/value", "QTY[1]/1.2", "6'"},
		{"desadv.edi", "edifact", `{guide: DESADV}`, 0, "/body/parties/DP/city", "NAD[2]/6.1", "SHANGHAI+"},
		{"desadv.edi", "edifact", ``, 1, "/segments/2/elements/0/1", "DTM[1]/1.2", "20190508:102'"},
		{"desadv.edi", "edifact", ``, 0, "/tags/NAD/1/1/0", "NAD[2]/2.1", "6901234000016::9"},
		{"856.x12", "x12", `{guide: "856"}`, 0, "/body/levels/2/marks/0/number", "MAN[1]/2.1", "00376130350000000018~"},
	} {
		t.Run(c.file+c.pointer, func(t *testing.T) {
			item := sample{file: c.file}.read(t)
			n := -1
			err := decode.All(newDecoder(t, c.format, c.settings), bytes.NewReader(item), func(p connectors.Piece, tree decode.Tree) error {
				if n++; n != c.record {
					return nil
				}
				within := tree.Locate(c.pointer)
				if within.Pointer != c.path {
					t.Errorf("path is %s, want %s", within.Pointer, c.path)
				}
				w := decode.Shift(within, p)
				all := strings.Split(string(item), "\n")
				line := strings.TrimPrefix(all[w.Line-1], "\xef\xbb\xbf")
				if c.format == "edifact" || c.format == "x12" {
					line = line[w.Column-1:]
				} else if !strings.Contains(c.file, "gb18030") {
					line = string([]rune(line)[w.Column-1:])
				}
				if !strings.HasPrefix(line, c.text) && !strings.Contains(c.file, "gb18030") || !strings.Contains(line, c.text) {
					t.Errorf("at %s stands %q, want %q", w, line, c.text)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestGuideKeepsWhatItDoesNotExpect holds that nothing of a message is lost: every value is in the guided body.
func TestGuideKeepsWhatItDoesNotExpect(t *testing.T) {
	const guide = `{guide: {message: ORDERS, body: [
	  {segment: BGM, as: document, fields: {number: 2}},
	  {segment: LIN, as: lines, repeat: true, fields: {number: 1, ids: 3...}, body: [{segment: QTY, as: quantity, fields: {value: 1.2}}]}]}}`
	item := unb + "UNH+1+ORDERS:D:96A:UN'BGM+220+PO1+9'DTM+137:20190508:102'LIN+1++761:EN'QTY+21:6'QTY+59:1'ALC+A'LIN+2'UNT+9+1'UNZ+1+7'"
	var body any
	err := decode.All(newDecoder(t, "edifact", guide), strings.NewReader(item), func(_ connectors.Piece, tree decode.Tree) error {
		body = at(t, tree.Value, "body")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"document":{"number":"PO1"},"lines":[{"ids":["761","EN"],"number":"1","others":[{"elements":[["59","1"]],"tag":"QTY"},` +
		`{"elements":[["A"]],"tag":"ALC"}],"quantity":{"value":"6"}},{"number":"2"}],"others":[{"elements":[["137","20190508","102"]],"tag":"DTM"}]}`
	if got := compact(body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBuiltInGuidesRead(t *testing.T) {
	for _, name := range decode.BuiltInGuides() {
		ok := 0
		for _, format := range []string{"edifact", "x12"} {
			if _, err := decode.New(format, []byte(`guide: "`+name+`"`)); err == nil {
				ok++
			}
		}
		if ok != 1 {
			t.Errorf("%s is read by %d standards", name, ok)
		}
	}
}

func TestSettingsAreRefusedWithTheirPlace(t *testing.T) {
	for _, c := range []struct{ format, settings, want, says string }{
		{"csv", "encoding: utf-8\nseparater: ;\n", "decode.settings 2:1", "did you mean separator?"},
		{"csv", "encoding: gb1803", "decode.settings 0:0 /encoding", "gb1803"},
		{"csv", "header: 7", "decode.settings 1:9", "list of column names"},
		{"csv", "header: [a, b, a]", "csv.header 0:0 /header/2", `both named "a"`},
		{"csv", "maxRecord: much", "decode.settings 1:12", "64KiB"},
		{"csv", "skipRows: [{column: a}]", "decode.settings 0:0 /skipRows/0", "equals"},
		{"csv", "skipRows: [{matches: '('}]", "decode.settings 0:0 /skipRows/0/matches", "regular expression"},
		{"csv", "separator: ab", "decode.settings 0:0 /separator", "one ASCII character"},
		{"csv", "width: loose", "decode.settings 0:0 /width", "strict"},
		{"xml", "split: Movements/Movement", "decode.settings 0:0 /split", "/Movements/Movement"},
		{"xml", "namespaces: drop", "decode.settings 0:0 /namespaces", "strip | keep"},
		{"json", "split: data", "decode.settings 0:0 /split", "JSON pointer"},
		{"edifact", "guide: DESDAV", "decode.settings 0:0 /guide", "DESADV"},
		{"edifact", `guide: "856"`, "decode.settings 0:0 /guide", "x12"},
		{"edifact", "guide: {message: X, body: [{segment: BGM}]}", "decode.settings 0:0 /guide/body/0", "as:"},
		{"edifact", "guide:\n  message: X\n  body:\n    - {segmnt: BGM}\n", "decode.settings 4:8", "did you mean segment?"},
		{"edifact", "envelope: lax", "decode.settings 0:0 /envelope", "strict | report | ignore"},
		{"fixed", "", "decode.settings 0:0 /columns", "columns"},
		{"fixed", "columns: [{name: a, width: 0}]", "decode.settings 0:0 /columns/0", "from 1"},
		{"xlsx", "values: raw", "decode.settings 0:0 /values", "iso | shown"},
		{"edfact", "", "decode.format 0:0", "did you mean edifact?"},
	} {
		_, err := decode.New(c.format, []byte(c.settings))
		if got := faultLine(err); got != c.want || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %q: got %s: %v\nwant %s … %s", c.format, c.settings, got, err, c.want, c.says)
		}
	}
}
