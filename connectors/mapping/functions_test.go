package mapping_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
)

// evaluate runs one expression over a row and returns its value.
func evaluate(t *testing.T, expression, row string) (any, error) {
	t.Helper()
	quoted, err := json.Marshal("= " + expression)
	if err != nil {
		t.Fatal(err)
	}
	m, err := load(t, fmt.Sprintf(`version: 1
timezone: "+08:00"
context: { x: https://x.example/ }
lookup:
  status: { table: { A: active, B: 2 }, default: unknown }
  sites: { csv: sites.csv, key: code }
  names: { csv: sites.csv, key: code, value: name, delimiter: "," }
events:
  - event: { type: ObjectEvent, eventTime: 2019-11-07T00:00:00Z, action: OBSERVE, "x:v": %s }
`, quoted), "sites.csv", "\ufeffcode,name,gln\nSH,上海,7613035000001\n")
	if err != nil {
		return nil, err
	}
	out, err := m.Map(input(t, row), nil)
	if err != nil {
		return nil, err
	}
	return out.Events[0].Tree()["x:v"], nil
}

const edi = `{"segments":[{"tag":"BGM","elements":[["351"],["D1"]]},{"tag":"DTM","elements":[["137","201911072118","203"]]},
	{"tag":"LIN","elements":[["1"],[],["7613035982949","SRV"]]},{"tag":"QTY","elements":[["12","6"]]},
	{"tag":"LIN","elements":[["2"],[],["4012345678901","SRV"]]},{"tag":"CNT","elements":[["2","2"]]}]}`

func TestExpressions(t *testing.T) {
	n := func(s string) any { return json.Number(s) }
	for _, tc := range []struct {
		expr, row string
		want      any
	}{
		// times
		{`ts('20191107211856')`, `{}`, "2019-11-07T21:18:56+08:00"},
		{`ts('20191107211856123')`, `{}`, "2019-11-07T21:18:56.123+08:00"},
		{`ts('2019-11-07 21:18')`, `{}`, "2019-11-07T21:18:00+08:00"},
		{`ts('2019-11-07T21:18:56.5Z')`, `{}`, "2019-11-07T21:18:56.5Z"},
		{`ts('2019-11-07')`, `{}`, "2019-11-07T00:00:00+08:00"},
		{`ts(row.t)`, `{"t":1573132736}`, "2019-11-07T21:18:56+08:00"},
		{`ts(row.t, 'unixms')`, `{"t":1573132736250}`, "2019-11-07T21:18:56.25+08:00"},
		{`ts(row.t, 'unix', 'Z')`, `{"t":"1573132736.5"}`, "2019-11-07T13:18:56.5Z"},
		{`ts(row.t, 'excel')`, `{"t":43776.8881481481}`, "2019-11-07T21:18:56+08:00"},
		{`ts('42314', 'excel1904', 'Z')`, `{}`, "2019-11-07T00:00:00Z"},
		{`ts('07.11.2019 9:18 PM', 'dd.MM.yyyy h:mm a')`, `{}`, "2019-11-07T21:18:00+08:00"},
		{`ts('07-Nov-2019 21:18', 'dd-MMM-yyyy HH:mm', 'Europe/Dublin')`, `{}`, "2019-11-07T21:18:00Z"},
		{`ts('07-Jul-2019 21:18', '%d-%b-%Y %H:%M', 'Europe/Dublin')`, `{}`, "2019-07-07T21:18:00+01:00"},
		{`ts('20191107 211856 +0530', '%Y%m%d %H%M%S %z')`, `{}`, "2019-11-07T21:18:56+05:30"},
		{`ts('2019-11-07T21:18:56-05:00', '2006-01-02T15:04:05Z07:00')`, `{}`, "2019-11-07T21:18:56-05:00"},
		{`ts('2019-11-07 21:18:56', 'YYYY-MM-DD HH24:MI:SS')`, `{}`, "2019-11-07T21:18:56+08:00"},
		{`ts("2019-11-07T21:18:56", "yyyy-MM-dd'T'HH:mm:ss")`, `{}`, "2019-11-07T21:18:56+08:00"},
		{`ts('191107', '101')`, `{}`, "2019-11-07T00:00:00+08:00"},
		{`ts('201911072118+01', '303')`, `{}`, "2019-11-07T21:18:00+01:00"},
		{`ts('2020年2月29日', 'yyyy年M月d日')`, `{}`, "2020-02-29T00:00:00+08:00"},
		{`offset('2019-11-07T21:18:56Z')`, `{}`, "+00:00"},
		{`offset('20191107211856')`, `{}`, "+08:00"},
		{`date('20210430', 'yyyyMMdd')`, `{}`, "2021-04-30"},
		// identifiers
		{`sgtin('7613035982949', row.s)`, `{"s":12}`, "https://id.gs1.org/01/07613035982949/21/12"},
		{`gtin('07613035982949')`, `{}`, "https://id.gs1.org/01/07613035982949"},
		{`lgtin('7613035982949', 'L/1')`, `{}`, "https://id.gs1.org/01/07613035982949/10/L%2F1"},
		{`sscc('37613035000000000')`, `{}`, "https://id.gs1.org/00/376130350000000002"},
		{`sgln('7613035000001')`, `{}`, "https://id.gs1.org/414/7613035000001"},
		{`sgln('7613035000001', 'D7')`, `{}`, "https://id.gs1.org/414/7613035000001/254/D7"},
		{`pgln('7613035000001')`, `{}`, "https://id.gs1.org/417/7613035000001"},
		{`digitalLink('https://brand.example/01/7613035982949/21/X?linkType=all')`, `{}`, "https://id.gs1.org/01/07613035982949/21/X"},
		{`digitalLink('01', '7613035982949', '10', 'A', '21', 'B')`, `{}`, "https://id.gs1.org/01/07613035982949/10/A/21/B"},
		{`'761303598294' + checkDigit('761303598294')`, `{}`, "7613035982949"},
		// numbers keep every digit
		{`row.n`, `{"n":12345678901234567890.10}`, n("12345678901234567890.10")},
		{`0.1 + 0.2`, `{}`, n("0.3")},
		{`row.n * 1.1`, `{"n":9007199254740993}`, n("9907919180215092.3")},
		{`10 / 4`, `{}`, n("2.5")},
		{`7 % 3 - -1`, `{}`, n("2")},
		{`number('1,234.50')`, `{}`, n("1234.50")},
		{`number('1.234,50', ',')`, `{}`, n("1234.50")},
		{`number('007')`, `{}`, n("7")},
		{`decimal('2.345', 2)`, `{}`, n("2.35")},
		{`sum(row.l, number(.q))`, `{"l":[{"q":"1.5"},{"q":"2.25"}]}`, n("3.75")},
		{`len('启赋')`, `{}`, n("2")},
		// text
		{`trim('　a ') + upper('b') + lower('C')`, `{}`, "aBc"},
		{`replace('a-b-c', '-', '')`, `{}`, "abc"},
		{`join(split('a, b,,c', ','), '+')`, `{}`, "a+b+c"},
		{`regex('NO: 42;', '([0-9]+)')`, `{}`, "42"},
		{`pad(row.n, 6)`, `{"n":42}`, "000042"},
		{`row.s[2:4]`, `{"s":"上海港口岸"}`, "港口"},
		{`row.s matches '^[A-Z]+$'`, `{"s":"ABC"}`, true},
		{`text(row.n)`, `{"n":1.50}`, "1.50"},
		{`hash('a', 'bc') == hash('ab', 'c')`, `{}`, false},
		{`uuid5('url', 'https://example.com')`, `{}`, "4fd35a71-71ef-5a55-a9d9-aa75c889a6d0"},
		// choosing
		{`row?.a ?? 'none'`, `{}`, "none"},
		{`default(row.a.b, row.c, 'd')`, `{"c":""}`, "d"},
		{`present(row.a) or present(row.b)`, `{"b":0}`, true},
		{`row.a == nil`, `{}`, true},
		{`row?.a.b.c`, `{}`, nil},
		{`sgtin('7613035982949', row?.serial)`, `{"serial":null}`, nil},
		{`row.k in ['A', 'B'] ? 'yes' : 'no'`, `{"k":"B"}`, "yes"},
		{`if row.n > 5 { 'many' } else { 'few' }`, `{"n":6}`, "many"},
		{`let a = row.n; a + a`, `{"n":2}`, n("4")},
		{`lookup('status', 'A')`, `{}`, "active"},
		{`lookup('status', 'Z')`, `{}`, "unknown"},
		{`lookup('names', 'SH') + lookup('sites', row.s).gln`, `{"s":"SH"}`, "上海7613035000001"},
		{`lookup('names', 'XX', 'nowhere')`, `{}`, "nowhere"},
		// lists
		{`flat([['x'], [], row.b, 'w'])`, `{"b":["y","z"]}`, []any{"x", "y", "z", "w"}},
		{`flat(map(row.b, (let outer = #; map(row.c, outer + #))))`, `{"b":["y","z"],"c":["1","2"]}`, []any{"y1", "y2", "z1", "z2"}},
		{`list(row.a, row.b, '', row.c)`, `{"a":"x","b":["y","z"],"c":null}`, []any{"x", "y", "z"}},
		{`map(filter(row.l, .q > 1), .id)`, `{"l":[{"q":1,"id":"a"},{"q":2,"id":"b"}]}`, []any{"b"}},
		{`first(row.l).id + last(row.l).id + row.l[-1].id`, `{"l":[{"id":"a"},{"id":"b"}]}`, "abb"},
		{`map(sortBy(row.l, .q), #.id)`, `{"l":[{"q":10,"id":"a"},{"q":9,"id":"b"}]}`, []any{"b", "a"}},
		{`unique(['a', 'b', 'a'])`, `{}`, []any{"a", "b"}},
		{`find(row.l, .id == 'b').q`, `{"l":[{"q":1,"id":"a"},{"q":2,"id":"b"}]}`, n("2")},
		{`count(row.l, # > 1) == 2 and any(row.l, # == 3) and all(row.l, # > 0) and none(row.l, # > 3) and one(row.l, # == 1)`, `{"l":[1,2,3]}`, true},
		{`map(1..3, # * 2)`, `{}`, []any{n("2"), n("4"), n("6")}},
		{`bizTransaction('po', 'urn:x:1')`, `{}`, map[string]any{"type": "po", "bizTransaction": "urn:x:1"}},
		{`quantity(gtin('7613035982949'), row.q, 'KGM')`, `{"q":"0.90"}`, map[string]any{"epcClass": "https://id.gs1.org/01/07613035982949", "quantity": n("0.90"), "uom": "KGM"}},
		{`{a: 1, 'b c': row.x}`, `{"x":"y"}`, map[string]any{"a": n("1"), "b c": "y"}},
		// EDI
		{`dtm(row, '137')`, edi, "2019-11-07T21:18:00+08:00"},
		{`el(seg(row, 'BGM'), 2)`, edi, "D1"},
		{`map(groups(row, 'LIN', 'CNT'), el(first(.segments), 3))`, edi, []any{"7613035982949", "4012345678901"}},
		{`el(seg(groups(row, 'LIN')[0], 'QTY', '12'), 1, 2)`, edi, "6"},
		{`len(segs(row, 'LIN'))`, edi, n("2")},
		{`default(seg(row, 'RFF'), 'none')`, edi, "none"},
		// meta
		{`meta.provider + '/' + meta.connector + '/' + meta.recordID + '/' + meta.origin + '/' + meta.receivedAt`, `{}`, "brand/brand-qr/r1/tins.csv/2019-11-08T00:00:00Z"},
		{`row['order no'] + row.商品`, `{"order no":"1","商品":"奶粉"}`, "1奶粉"},
	} {
		t.Run(tc.expr, func(t *testing.T) {
			got, err := evaluate(t, tc.expr, tc.row)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct{ expr, row, code, pointer string }{
		{`row.tiem`, `{"time":"x"}`, "map.missing", ""},
		{`row.a.b.c`, `{"a":{"b":{}}}`, "map.missing", "/a/b"},
		{`row.a[3]`, `{"a":[1]}`, "map.missing", "/a"},
		{`row.a['x/y'].b`, `{"a":{"x/y":{"c":1}}}`, "map.missing", "/a/x~1y"},
		{`upper(row.a.b)`, `{"a":"text"}`, "map.missing", "/a"},
		{`sgtin(row.g, row.s)`, `{"g":"7613035982949","s":""}`, "map.missing", "/s"},
		{`ts(row.t)`, `{"t":"2019-02-29"}`, "map.time", "/t"},
		{`ts(row.t, 'yyyy-MM-dd HH:mm')`, `{"t":"2019-11-07 2118"}`, "map.time", "/t"},
		{`ts(row.t, 'unix')`, `{"t":"1573132736250000000000"}`, "map.time", "/t"},
		{`row.q * 2`, `{"q":"6"}`, "map.type", "/q"},
		{`row.q == 6`, `{"q":"6"}`, "map.type", "/q"},
		{`number(row.q)`, `{"q":"six"}`, "map.type", "/q"},
		{`lookup('sites', row.s)`, `{"s":"SX"}`, "map.lookup", "/s"},
		{`lookup('sites', row.s).name`, `{"s":"SX"}`, "map.lookup", "/s"},
		{`first(row.l)`, `{"l":[]}`, "map.missing", "/l"},
		{`map(row.l, sgtin('7613035982949', .serial))`, `{"l":[{"serial":"a"},{"serial":"é"}]}`, "gs1.serial", "/l/1/serial"},
		{`find(row.l, .x == 1)`, `{"l":[]}`, "map.missing", "/l"},
		{`required(row.a, 'the brand must send a')`, `{}`, "map.refused", "/a"},
		{`default(fail('no'), 'x')`, `{}`, "map.refused", ""},
		{`regex(row.a, '^[0-9]+$')`, `{"a":"x"}`, "map.missing", "/a"},
		{`row.a and true`, `{"a":"x"}`, "map.type", "/a"},
		{`el(seg(row, 'LIN'), 9)`, edi, "map.missing", "/segments/2"},
		{`seg(row, 'RFF')`, edi, "map.missing", ""},
		{`row.n + 1`, `{"n":1e999999999}`, "map.type", "/n"},
	} {
		t.Run(tc.expr, func(t *testing.T) {
			_, err := evaluate(t, tc.expr, tc.row)
			var f *hub.Fault
			if !errors.As(err, &f) {
				t.Fatalf("got %v", err)
			}
			if f.Code != tc.code || f.Where.Pointer != tc.pointer || f.Kind != hub.Invalid || f.MessageZh == "" {
				t.Errorf("got %s at %q: %v", f.Code, f.Where.Pointer, f)
			}
		})
	}
}

func TestWhatAnEventNeedsMayNotBeEmpty(t *testing.T) {
	m, err := load(t, `version: 1
events:
  - each: "= row.moves"
    event: { type: ObjectEvent, eventTime: "=? ts(item.at, 'unix')", action: OBSERVE }
master:
  - { product: "= trim(row.gtin)", attributes: { name: x } }
`)
	if err != nil {
		t.Fatal(err)
	}
	for row, want := range map[string]string{
		`{"moves":[{"at":1},{}]}`:       "map.missing /moves/1/at",
		`{"moves":[],"gtin":" "}`:       "map.missing /gtin",
		`{"moves":[],"gtin":"1234567"}`: "",
		`{"moves":[],"gtin":"12345"}`:   "gs1.key-length /gtin",
	} {
		_, err := m.Map(input(t, row), nil)
		got := ""
		if err != nil {
			f := hub.AsFault(err)
			got = f.Code + " " + f.Where.Pointer
		}
		if got != want {
			t.Errorf("%s: got %q, want %q (%v)", row, got, want, err)
		}
	}
}

func TestRunawayMappingsAreStopped(t *testing.T) {
	for _, expr := range []string{
		`map(1..90000, map(1..90000, #))`,
		`sum(row.l, sum(1..99999))`,
		`replace(replace(row.s, 'a', row.s), 'a', row.s)`,
	} {
		_, err := evaluate(t, expr, `{"l":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30],"s":"`+strings.Repeat("a", 1000)+`"}`)
		if f := hub.AsFault(err); !strings.HasSuffix(f.Code, ".limit") {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

func TestEveryFunctionIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range mapping.Functions() {
		if row := fmt.Sprintf("| `%s` | %s |", f.Usage, f.Summary); !strings.Contains(string(doc), row) {
			t.Errorf("docs/mapping.md lacks the row %s", row)
		}
	}
}
