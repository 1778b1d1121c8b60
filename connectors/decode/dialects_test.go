package decode_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/hub"
)

// inspect looks at an item as the command does.
func inspect(item []byte) (string, error) {
	var out bytes.Buffer
	err := decode.Run(&out, "item", bytes.NewReader(item), "")
	return out.String(), err
}

func encoded(t *testing.T, e encoding.Encoding, text string) []byte {
	t.Helper()
	b, err := e.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestUnknownFilesAreUnderstood: by the bytes alone, whatever system wrote them.
func TestUnknownFilesAreUnderstood(t *testing.T) {
	const edi = "UNB+UNOC:3+S+R+260101:1200+1'UNH+1+DESADV:D:96A:UN'BGM+351+X+9'UNT+3+1'UNZ+1+1'"
	wideLE, wideBE := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	bareLE, bareBE := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	const chinese = "{\"名称\":\"苹果汁\",\"数量\":\"5\"}\n"
	for name, tc := range map[string]struct {
		item []byte
		want string
	}{
		"separator line":         {[]byte("sep=;\r\na;b,c\r\n1;2,5\r\n"), "{\"a\":\"1\",\"b,c\":\"2,5\"}\n"},
		"separator line and BOM": {[]byte("\xef\xbb\xbfSEP=|\na|b\n1|2\n"), "{\"a\":\"1\",\"b\":\"2\"}\n"},
		"end mark of DOS":        {[]byte("a,b\r\n1,2\r\n\x1a"), "{\"a\":\"1\",\"b\":\"2\"}\n"},
		"GB18030":                {encoded(t, simplifiedchinese.GB18030, "名称,数量\n苹果汁,5\n"), chinese},
		"GB18030 with mark":      {encoded(t, simplifiedchinese.GB18030, "\ufeff名称,数量\n苹果汁,5\n"), chinese},
		"UTF-16 without mark":    {encoded(t, bareLE, "名称,数量\n苹果汁,5\n"), chinese},
		"Big5":                   {encoded(t, traditionalchinese.Big5, "名稱,數量\n蘋果汁,5\n"), "{\"名稱\":\"蘋果汁\",\"數量\":\"5\"}\n"},
		"Shift JIS":              {encoded(t, japanese.ShiftJIS, "商品名,数量\nアイスクリーム,5\n"), "{\"商品名\":\"アイスクリーム\",\"数量\":\"5\"}\n"},
		"Windows-1252":           {encoded(t, charmap.Windows1252, "Größe;Preis\nmüßig;5,00 €\n"), "{\"Größe\":\"müßig\",\"Preis\":\"5,00 €\"}\n"},
		"JSON in UTF-16":         {encoded(t, wideLE, `{"a":"启"}`), "{\"a\":\"启\"}\n"},
		"JSON in UTF-16, bare":   {encoded(t, bareBE, `{"a":"启"}`), "{\"a\":\"启\"}\n"},
		"NDJSON in UTF-16":       {encoded(t, wideBE, "{\"a\":1}\n{\"a\":2}\n"), "{\"a\":1}\n{\"a\":2}\n"},
		"EDIFACT in UTF-16":      {encoded(t, wideLE, edi), `"reference":"1"`},
		"EDIFACT and DOS":        {[]byte(edi + "\r\n\x1a"), `"reference":"1"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inspect(tc.item)
			if err != nil || !strings.Contains(got, tc.want) {
				t.Errorf("%q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

// TestEDIWithoutItsSeparators: senders that end segments by lines alone, or leave ISA16 out.
func TestEDIWithoutItsSeparators(t *testing.T) {
	const (
		edi = "UNB+UNOA:1+S+R+260101:1200+1\nUNH+1+DESADV:D:96A:UN\nBGM+351+X+9\nUNT+3+1\nUNH+2+DESADV:D:96A:UN\nBGM+351+Y:2+9\nUNT+3+2\nUNZ+2+1\n"
		isa = "ISA*00*          *00*          *ZZ*S              *ZZ*R              *260101*1200*U*00401*000000001*0*P*"
		x12 = "~\nGS*SH*S*R*20260101*1200*1*X*004010~\nST*856*0001~\nBSN*00*7:8~\nSE*3*0001~\nGE*1*1~\nIEA*1*000000001~\n"
	)
	for name, tc := range map[string]struct {
		item string
		want []string
	}{
		"EDIFACT by lines":              {edi, []string{`"elements":[["351"],["X"],["9"]]`, `"elements":[["351"],["Y","2"],["9"]]`}},
		"EDIFACT by lines of Windows":   {strings.ReplaceAll(edi, "\n", "\r\n"), []string{`["351"],["X"],["9"]`, `["351"],["Y","2"],["9"]`}},
		"EDIFACT without its last line": {strings.TrimSpace(edi), []string{`["351"],["X"],["9"]`, `["351"],["Y","2"],["9"]`}},
		"a message by lines alone":      {"UNH+1+DESADV:D:96A:UN\nBGM+351+X+9\nUNT+3+1", []string{`["351"],["X"],["9"]`}},
		"lines that only wrap":          {strings.ReplaceAll(edi, "\n", "'\n"), []string{`["351"],["X"],["9"]`, `["351"],["Y","2"],["9"]`}},
		"a header that wraps":           {"UNB+UNOA:1+S+R+26\n0101:1200+1'UNH+1+DESADV:D:96A:UN'BGM+351+X+9'UNT+3+1'UNZ+1+1'", []string{`"date":"260101"`}},
		"X12 without ISA16":             {isa + x12, []string{`["00"],["7:8"]`}},
		"the same of Windows":           {strings.ReplaceAll(isa+x12, "\n", "\r\n"), []string{`["00"],["7:8"]`}},
		"the same in one line":          {strings.ReplaceAll(isa+x12, "\n", ""), []string{`["00"],["7:8"]`}},
		"X12 with ISA16":                {isa + ":" + x12, []string{`["00"],["7","8"]`}},
		"X12 by lines":                  {isa + ":" + strings.ReplaceAll(x12, "~", ""), []string{`["00"],["7","8"]`}},
		"X12 without its last line":     {strings.TrimSpace(isa + ":" + strings.ReplaceAll(x12, "~", "")), []string{`["00"],["7","8"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := inspect([]byte(tc.item))
			if err != nil || strings.Count(got, "\n") != len(tc.want) || strings.Contains(got, `"faults"`) {
				t.Fatalf("%s, %v", got, err)
			}
			for i, line := range strings.Split(strings.TrimSpace(got), "\n") {
				if !strings.Contains(line, tc.want[i]) {
					t.Errorf("%s; want %s", line, tc.want[i])
				}
			}
		})
	}
}

const bzipped = "425a6839314159265359030c1f1b0000055900001000043c0030002000221ea18843022734e3801e2ee48a70a12006183e36"

// TestPackings: a file is the same however it is packed.
func TestPackings(t *testing.T) {
	const text = "a,b\n1,2\n3,4\n"
	var zipped, doubly, standard bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	z = gzip.NewWriter(&doubly)
	_, _ = z.Write(zipped.Bytes())
	_ = z.Close()
	s, err := zstd.NewWriter(&standard)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = s.Write([]byte(text))
	_ = s.Close()
	// Go has no writer of bzip2: these are the bytes of "a,b\n1,2\n3,4\n".
	bz, err := hex.DecodeString(bzipped)
	if err != nil {
		t.Fatal(err)
	}
	for name, item := range map[string][]byte{"gzip": zipped.Bytes(), "gzip twice": doubly.Bytes(), "zstd": standard.Bytes(), "bzip2": bz} {
		t.Run(name, func(t *testing.T) {
			if got, err := inspect(item); err != nil || got != "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n" {
				t.Errorf("%q, %v", got, err)
			}
			if _, err := inspect(item[:len(item)-6]); err == nil {
				t.Error("cut off, and not noticed")
			}
		})
	}
}

// TestWhatIsNotRead says what it is.
func TestWhatIsNotRead(t *testing.T) {
	for item, code := range map[string]string{
		"\xfd7zXZ\x00\x00\x04\xe6": "xz.unsupported", "7z\xbc\xaf\x27\x1c\x00": "decode.unsupported", "%PDF-1.4\n": "decode.unsupported",
		"PK\x05\x06" + strings.Repeat("\x00", 18): "decode.empty", "": "decode.unknown", "two words\nno more\n": "decode.unknown",
		`<?xml version="1.0" encoding="foo-8"?><a/>`: "xml.encoding", "<a>x]]>y</a>": "xml.syntax",
	} {
		got, err := inspect([]byte(item))
		if f := hub.AsFault(err); err == nil || f.Code != code || got != "" {
			t.Errorf("%.20q: %q, %v", item, got, err)
		}
	}
}
