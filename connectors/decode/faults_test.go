package decode_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/hub"
)

// verdicts splits and decodes an item: the records that are good, and what is refused, placed in the item.
func verdicts(d decode.Decoder, item string) (good, refused []string) {
	add := func(err error, p connectors.Piece) {
		var many hub.Faults
		if !errors.As(err, &many) {
			many = hub.Faults{hub.AsFault(err)}
		}
		for _, f := range many {
			placed := *f
			placed.Where = decode.Shift(f.Where, p)
			refused = append(refused, faultLine(&placed))
		}
	}
	err := d.Split(strings.NewReader(item), func(p connectors.Piece) error {
		tree, err := d.Decode(p.Preamble, p.Body)
		if err != nil {
			add(err, p)
			return nil
		}
		good = append(good, compact(tree.Value))
		return nil
	})
	if err != nil {
		add(err, connectors.Piece{})
	}
	return good, refused
}

const (
	unb = "UNB+UNOC:3+A+B+191107:2118+7'"
	isa = "ISA*00*          *00*          *ZZ*A              *ZZ*B              *191107*2118*U*00401*000000077*0*P*>~"
)

// Whoever's bytes are not in an encoding is not told to state that one.
func TestAnEncodingThatFailedIsNotSuggested(t *testing.T) {
	for _, name := range []string{"utf-8", "gb18030", "gbk", "shift_jis"} {
		d, err := decode.New("csv", []byte("encoding: "+name))
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Decode([]byte("a,b\n"), []byte("1,\xff\xff\n"))
		f := hub.AsFault(err)
		if f.Code != "csv.encoding" {
			t.Fatalf("%s: %v", name, err)
		}
		failed := strings.Fields(f.Message)[5]
		for _, hint := range []string{f.Hint, f.HintZh} {
			if !strings.Contains(hint, "windows-1252") || strings.Contains(hint, failed) {
				t.Errorf("%s: after %q the hint is %q", name, f.Message, hint)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, format, settings, item string
		good                         int
		refused                      []string
	}{
		// csv
		{"empty item", "csv", ``, "", 0, nil},
		{"header only", "csv", ``, "a,b\n", 0, nil},
		{"short row", "csv", ``, "a,b,c\n1,2,3\n1,2\n4,5,6\n", 2, []string{"csv.width 3:4 c"}},
		{"long row", "csv", ``, "数量,b\n一,2,3\n4,5\n", 1, []string{"csv.width 2:5"}},
		{"padded rows", "csv", `{width: pad}`, "a,b\n1\n1,2,,\n1,2,3\n", 2, []string{"csv.width 4:5"}},
		{"repeated column", "csv", ``, "a,b,a\n1,2,3\n", 0, []string{"csv.header 1:5 c3"}},
		{"column without a name", "csv", ``, "a,,c\n1,2,3\n", 0, []string{"csv.header 1:3 c2"}},
		{"quote in an unquoted field", "csv", ``, "a,b\n1,5\" nail\n2,x\n", 1, []string{"csv.quote 2:4 c2"}},
		{"lazy quotes", "csv", `{lazyQuotes: true}`, "a,b\n1,5\" nail\n2,\"x\"y\n", 2, nil},
		{"text after a closing quote", "csv", ``, "a,b\n\"1\"x,2\n2,x\n", 1, []string{"csv.quote 2:4 c1"}},
		{"quote that is never closed", "csv", ``, "a,b\n1,2\n3,\"x\n4,5\n", 1, []string{"csv.quote 3:3 c2"}},
		{"bytes of another encoding", "csv", `{encoding: utf-8}`, "a,b\n1,\xb2\xe2\n2,x\n", 1, []string{"csv.encoding 2:3"}},
		{"gb18030 by itself", "csv", ``, "a,b\n1,\xb2\xe2\xca\xd4\n2,x\n", 2, nil},
		{"NUL", "csv", ``, "a,b\n1,\x00\n2,x\n", 1, []string{"csv.binary 2:3"}},
		{"lone CR", "csv", ``, "a,b\r1,2\r3,4\r", 2, nil},
		{"separator in gb18030's second byte", "csv", `{encoding: gb18030, separator: "|"}`, "a|b\n\x81\x7c\x81\x7c|2\n", 1, nil},
		{"over the limit", "csv", `{maxRecord: 16}`, "a,b\n1,\"2222222222222222222222\"\n", 0, []string{"csv.size 2:1"}},
		{"totals by pattern", "csv", `{skipRows: [{column: a, matches: "^(合计|小计)"}]}`, "a,b\n1,2\n小计：,2\n合计,2\n", 1, nil},
		{"rule for a column that is not there", "csv", `{skipRows: [{column: x, empty: true}]}`, "a,b\n1,2\n", 0,
			[]string{"decode.settings 0:0 /skipRows/0"}},
		{"title lines", "csv", `{skipLines: 2}`, "出库日报\n\"2019年\na,b\n1,2\n", 1, nil},
		{"header that is torn", "csv", ``, "a,\"b\n1,2\n", 0, []string{"csv.quote 1:3 c2"}},
		// json
		{"torn array", "json", ``, `[{"a":1},{"a":2},{"a":`, 2, []string{"json.truncated 1:18"}},
		{"duplicate name", "json", ``, `[{"a":1},` + "\n" + ` {"a":2,"a":3},{"a":4}]`, 2, []string{"json.duplicate 2:9 /a"}},
		{"not JSON", "json", ``, `[{"a":1},{"a":01},{"a":tru}]`, 1, []string{"json.syntax 1:16", "json.syntax 1:27 /a"}},
		{"too deep", "json", `{maxDepth: 3}`, `[[[[[[]]]]]]`, 0, []string{"json.depth 1:6 /0/0/0"}},
		{"more after the value", "json", ``, `{"a":1} {"a":2}`, 1, []string{"json.syntax 1:9"}},
		{"nothing at the pointer", "json", `{split: /data/items}`, `{"data":{"itmes":[]}}`, 0, []string{"json.split 1:22"}},
		{"empty array", "json", `{split: /data}`, `{"data":[]}`, 0, nil},
		{"members of an object", "json", `{split: /*/events}`, `{"a":{"events":[1,2]},"b":{"events":[3]},"c":{}}`, 3, nil},
		{"invalid UTF-8", "json", ``, "[{\"a\":\"\xb2\xe2\"}]", 0, []string{"json.encoding 1:8"}},
		{"gb18030 with a backslash in a character", "json", `{encoding: gb18030}`, "[\"\x81\x5c\",\"b\"]", 2, nil},
		{"mismatched bracket", "json", ``, `[1,2}`, 2, []string{"json.syntax 1:5"}},
		{"trailing comma", "json", ``, `[1,]`, 1, []string{"json.syntax 1:4"}},
		{"bad line", "ndjson", ``, "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", 2, []string{"ndjson.truncated 2:6 /a"}},
		// xml
		{"DTD", "xml", ``, "<?xml version=\"1.0\"?>\n<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", 0, []string{"xml.dtd 2:1 /"}},
		{"DTD before records", "xml", `{split: /a/b}`, "<!DOCTYPE a><a><b/></a>", 0, []string{"xml.dtd 1:1 /"}},
		{"undeclared entity", "xml", ``, "<a>&nbsp;</a>", 0, []string{"xml.entity 1:4 /a"}},
		{"bare ampersand", "xml", ``, "<a><b>A & B</b></a>", 0, []string{"xml.entity 1:7 /a/b"}},
		{"too deep", "xml", `{maxDepth: 3}`, "<a><b><c><d/></c></b></a>", 0, []string{"xml.depth 1:10 /a/b/c"}},
		{"wrong end tag", "xml", `{split: /a/b}`, "<a><b>1</b><b><c></d></b><b>3</b></a>", 2, []string{"xml.syntax 1:18 /a/b/c"}},
		{"torn record", "xml", `{split: /a/b}`, "<a>\n<b>1</b>\n<b>2", 1, []string{"xml.truncated 3:1 /a/b"}},
		{"torn tail", "xml", `{split: /a/b}`, "<a><b>1</b><b>2</b>", 2, []string{"xml.truncated 1:20 /a"}},
		{"another root", "xml", `{split: /a/b}`, "<x><b>1</b></x>", 0, []string{"xml.split 1:16 /"}},
		{"no records", "xml", `{split: /a/b}`, "<a></a>", 0, nil},
		{"two roots", "xml", ``, "<a/><b/>", 0, []string{"xml.syntax 1:5 /"}},
		{"attribute twice", "xml", ``, `<a x="1" x="2"/>`, 0, []string{"xml.syntax 1:1 /"}},
		{"attribute without quotes", "xml", ``, `<a x=1/>`, 0, []string{"xml.syntax 1:1 /"}},
		{"control character", "xml", ``, "<a>\x01</a>", 0, []string{"xml.char 1:4 /"}},
		{"bytes of another encoding", "xml", ``, "<a>\xb2\xe2</a>", 0, []string{"xml.encoding 1:4"}},
		{"mere text", "xml", ``, "hello", 0, []string{"xml.syntax 1:1 /"}},
		{"over the limit", "xml", `{split: /a/b, maxRecord: 40}`, "<a><b>1</b><b>" + strings.Repeat("x", 60) + "</b></a>", 1, []string{"xml.size 1:12 /a/b"}},
		// edifact
		{"wrong count", "edifact", ``, unb + "UNH+1+X:D:96A:UN'BGM+1'UNT+9+1'UNH+2+X:D:96A:UN'UNT+2+2'UNZ+2+7'", 1, []string{"edi.count 1:53 UNT/1"}},
		{"wrong reference", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+9'UNZ+1+7'", 0, []string{"edi.reference 1:47 UNT/2"}},
		{"wrong interchange count", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'\nUNZ+2+7'", 1, []string{"edi.count 2:1 UNZ/1"}},
		{"wrong interchange reference", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'\nUNZ+1+8'", 1, []string{"edi.reference 2:1 UNZ/2"}},
		{"reported only", "edifact", `{envelope: report}`, unb + "UNH+1+X:D:96A:UN'UNT+3+1'\nUNZ+2+8'", 1, nil},
		{"two interchanges, the first wrong", "edifact", ``,
			unb + "UNH+1+X:D:96A:UN'UNT+2+1'\nUNZ+2+7'\n" + unb + "UNH+1+X:D:96A:UN'UNT+2+1'UNZ+1+7'", 2, []string{"edi.count 2:1 UNZ/1"}},
		{"missing UNZ", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'\n", 1, []string{"edi.truncated 2:1"}},
		{"missing UNT at the end", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'\nUNH+2+X:D:96A:UN'BGM+1'\n", 1, []string{"edi.truncated 2:1 UNH[2]"}},
		{"missing UNT before UNZ", "edifact", ``, unb + "UNH+1+X:D:96A:UN'BGM+1'UNZ+1+7'", 0, []string{"edi.trailer 1:47 BGM"}},
		{"missing UNT before UNH", "edifact", ``, unb + "UNH+1+X:D:96A:UN'BGM+1'UNH+2+X:D:96A:UN'UNT+2+2'UNZ+2+7'", 1, []string{"edi.trailer 1:47 BGM"}},
		{"torn segment", "edifact", ``, unb + "UNH+1+X:D:96A:UN'\nBGM+35", 0, []string{"edi.truncated 2:1 UNH[1]/BGM"}},
		{"torn trailer", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'\nUNZ+1", 1, []string{"edi.truncated 2:1 UNZ"}},
		{"release at the end of a segment", "edifact", `{envelope: ignore}`, unb + "UNH+1+X:D:96A:UN'FTX+a?'UNT+3+1'UNZ+1+7'", 1, nil},
		{"segment outside a message", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'\nBGM+1'UNZ+1+7'", 1, []string{"edi.envelope 2:1 BGM"}},
		{"rubbish after the interchange", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'UNZ+1+7'\n%%EOF'", 1, []string{"edi.segment 2:1"}},
		{"padding after the interchange", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'UNZ+1+7'\r\n   \x00\x00\x1a", 1, nil},
		{"no segment tag", "edifact", ``, unb + "UNH+1+X:D:96A:UN'\n?+x+1'UNT+3+1'UNZ+1+7'", 0, []string{"edi.segment 2:1"}},
		{"messages without an interchange", "edifact", ``, "UNH+1+X:D:96A:UN'UNT+2+1'\r\nUNH+2+X:D:96A:UN'UNT+2+2'", 2, nil},
		{"indented lines", "edifact", ``, unb + "\n\tUNH+1+X:D:96A:UN'\n\t\tBGM+1'\n\tUNT+3+1'\nUNZ+1+7'\n", 1, nil},
		{"missing UNE", "edifact", ``, unb + "UNG+X+A+B+191107:2118+1+UN+D:96A'UNH+1+X:D:96A:UN'UNT+2+1'\nUNZ+1+7'", 1, []string{"edi.trailer 2:1 UNE"}},
		{"wrong group count", "edifact", ``, unb + "UNG+X+A+B+191107:2118+1+UN+D:96A'UNH+1+X:D:96A:UN'UNT+2+1'\nUNE+4+1'UNZ+1+7'", 1, []string{"edi.count 2:1 UNE/1"}},
		{"interchange that is never closed", "edifact", ``, unb + "UNH+1+X:D:96A:UN'UNT+2+1'\n" + unb + "UNH+1+X:D:96A:UN'UNT+2+1'UNZ+1+7'", 2, []string{"edi.trailer 2:1 UNZ"}},
		{"service characters cut off", "edifact", ``, "UNA:+.", 0, []string{"edi.truncated 1:1"}},
		{"no release character", "edifact", ``, "UNA:+.  'UNB+UNOA:1+A+B+1:1+7'UNH+1+X:D:96A:UN'FTX+what?'UNT+3+1'UNZ+1+7'", 1, nil},
		{"guide of another message", "edifact", `{guide: DESADV}`, unb + "UNH+1+X:D:96A:UN'UNT+2+1'UNZ+1+7'", 0, []string{"edi.guide 1:30 UNH"}},
		{"over the limit", "edifact", `{maxRecord: 30}`, unb + "UNH+1+X:D:96A:UN'UNT+2+1'UNH+2+X:D:96A:UN'FTX+" + strings.Repeat("x", 90) + "'UNT+3+2'UNZ+2+7'", 1,
			[]string{"edi.size 1:55 UNH[2]"}},
		// x12
		{"wrong set count", "x12", ``, isa + "GS*SH*A*B*20191107*2118*77*X*004010~ST*856*1~SE*3*1~GE*1*77~IEA*1*000000077~", 0, []string{"edi.count 1:152 SE/1"}},
		{"wrong control number", "x12", ``, isa + "GS*SH*A*B*20191107*2118*77*X*004010~ST*856*1~SE*2*1~GE*1*78~IEA*1*000000077~", 1, []string{"edi.reference 1:159 GE/2"}},
		{"wrong group count", "x12", ``, isa + "GS*SH*A*B*20191107*2118*77*X*004010~ST*856*1~SE*2*1~GE*1*77~IEA*2*000000077~", 1, []string{"edi.count 1:167 IEA/1"}},
		{"missing IEA", "x12", ``, isa + "GS*SH*A*B*20191107*2118*77*X*004010~ST*856*1~SE*2*1~GE*1*77~\n", 1, []string{"edi.truncated 2:1"}},
		{"missing SE", "x12", ``, isa + "GS*SH*A*B*20191107*2118*77*X*004010~ST*856*1~GE*1*77~IEA*1*000000077~", 0, []string{"edi.trailer 1:143 ST"}},
		{"short ISA", "x12", ``, "ISA*00*x~GS*SH~", 0, []string{"edi.truncated 1:1"}},
		{"ISA without end", "x12", ``, "ISA*" + strings.Repeat("x", 4096), 0, []string{"edi.header 1:1"}},
		{"set without an interchange", "x12", ``, "ST*856*1~SE*2*1~", 0, []string{"edi.envelope 1:1 ST"}},
		// tradacoms
		{"wrong message count", "tradacoms", ``, "STX=ANA:1+A+B+1+2+3'MHD=1+X:9'MTR=2'END=2'", 1, []string{"edi.count 1:37 END/1"}},
		{"wrong segment count", "tradacoms", ``, "STX=ANA:1+A+B+1+2+3'MHD=1+X:9'MTR=5'END=1'", 0, []string{"edi.count 1:31 MTR/1"}},
		// fixed
		{"short line", "fixed", `{columns: [{name: a, width: 2}, {name: b, width: 2}]}`, "1122\n11\n3344\n", 2, []string{"fixed.width 2:3 b"}},
		{"long line", "fixed", `{columns: [{name: a, width: 2}, {name: b, width: 2}]}`, "1122\n11223\n3344\n", 2, []string{"fixed.width 2:5"}},
		{"cut character", "fixed", `{encoding: gb18030, columns: [{name: a, width: 1}, {name: b, width: 3}]}`, "\xb2\xe212\n", 0, []string{"fixed.encoding 1:1 a"}},
		{"blocks", "fixed", `{length: 4, columns: [{name: a, width: 2}, {name: b, width: 2}]}`, "112233445", 2, []string{"fixed.truncated 1:9"}},
		{"characters", "fixed", `{unit: characters, columns: [{name: a, width: 2}, {name: b, width: 2}]}`, "测试12\n", 1, nil},
	} {
		t.Run(c.format+" "+c.name, func(t *testing.T) {
			good, refused := verdicts(newDecoder(t, c.format, c.settings), c.item)
			if len(good) != c.good {
				t.Errorf("%d good records, want %d: %q", len(good), c.good, good)
			}
			if diff := cmp.Diff(c.refused, refused); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
