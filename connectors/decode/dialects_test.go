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
