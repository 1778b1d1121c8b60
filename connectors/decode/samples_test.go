package decode_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/hub"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sample is a file of testdata and the settings that read it.
type sample struct{ file, format, settings string }

func samples() []sample {
	return []sample{
		{"wms-outbound.gb18030.csv", "csv", `{skipRows: [{starts: 合计}]}`},
		{"receipts.utf8bom.csv", "csv", ``},
		{"stock.utf16le.csv", "csv", ``},
		{"tracking.json", "json", `{split: /data/parcels}`},
		{"scans.ndjson", "ndjson", ``},
		{"movements.xml", "xml", `{split: /Movements/Movement, arrays: [Goods/Item]}`},
		{"ceb622-receipts.gb18030.xml", "xml", `{split: //InventoryReturn, prefixes: {c: http://www.chinaport.gov.cn/ceb}}`},
		{"desadv.edi", "edifact", `{guide: DESADV}`},
		{"desadv-wrapped80.edi", "edifact", ``},
		{"desadv-una.edi", "edifact", ``},
		{"groups.edi", "edifact", `{guide: [IFTSTA, CUSRES, RECADV]}`},
		{"syntax4.edi", "edifact", ``},
		{"856.x12", "x12", `{guide: "856"}`},
		{"214.x12", "x12", `{guide: "214"}`},
		{"orders.tradacoms", "tradacoms", ``},
		{"inbound.gb18030.txt", "fixed", `{columns: [{name: 单号, width: 8}, {name: 品名, width: 24}, {name: gtin, width: 14},` +
			` {name: 数量, width: 6}], skipRows: [{column: 单号, equals: 合计}]}`},
	}
}

func (s sample) read(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", s.file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s sample) decoder(t testing.TB) decode.Decoder {
	t.Helper()
	return newDecoder(t, s.format, s.settings)
}

func newDecoder(t testing.TB, format, settings string) decode.Decoder {
	t.Helper()
	d, err := decode.New(format, []byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// lines decodes all records of r to JSON lines.
func lines(d decode.Decoder, r io.Reader) (out []string, pieces []connectors.Piece, err error) {
	err = decode.All(d, r, func(p connectors.Piece, tree decode.Tree) error {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(tree.Value); err != nil {
			return err
		}
		out, pieces = append(out, b.String()), append(pieces, p)
		return nil
	})
	return out, pieces, err
}

func TestSamples(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.file, func(t *testing.T) {
			got, pieces, err := lines(s.decoder(t), bytes.NewReader(s.read(t)))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, s.file+".golden", strings.Join(got, ""))
			checkPieces(t, s.read(t), pieces)
		})
	}
}

// TestMemoryIsUsedAgain decodes every record out of the same memory, which is overwritten before its tree is looked at.
func TestMemoryIsUsedAgain(t *testing.T) {
	again := func(t *testing.T, d decode.Decoder, room []byte, p connectors.Piece) string {
		t.Helper()
		n := copy(room, p.Preamble)
		n += copy(room[n:], p.Body)
		tree, err := d.Decode(room[:len(p.Preamble):len(p.Preamble)], room[len(p.Preamble):n:n])
		if err != nil {
			t.Fatal(err)
		}
		for i := range room {
			room[i] = 'x'
		}
		b, err := json.Marshal(tree.Value)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, s := range samples() {
		t.Run(s.file, func(t *testing.T) {
			_, pieces, err := lines(s.decoder(t), bytes.NewReader(s.read(t)))
			if err != nil {
				t.Fatal(err)
			}
			d, room := s.decoder(t), make([]byte, 1<<16)
			for _, p := range pieces {
				if want, got := again(t, s.decoder(t), bytes.Clone(room), p), again(t, d, room, p); want != got {
					t.Fatalf("%s, alone %s", got, want)
				}
			}
		})
	}
	t.Run("another header", func(t *testing.T) {
		d, room := newDecoder(t, "csv", ""), make([]byte, 64)
		for head, want := range map[string]string{"a,b": `{"a":"1","b":"2"}`, "c,d": `{"c":"1","d":"2"}`} {
			if got := again(t, d, room, connectors.Piece{Preamble: []byte(head), Body: []byte("1,2")}); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
	})
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// checkPieces holds pieces against the item: substrings of it, in order, each at its line and column.
func checkPieces(t testing.TB, item []byte, pieces []connectors.Piece) {
	t.Helper()
	from := 0
	for i, p := range pieces {
		n := bytes.Index(item[from:], p.Body)
		if n < 0 {
			t.Fatalf("piece %d is no part of the item after byte %d: %q", i, from, p.Body)
		}
		if len(p.Body) == 0 {
			t.Fatalf("piece %d is empty", i)
		}
		from += n + len(p.Body)
	}
}

// TestSlowReaders holds that it does not matter how the bytes arrive.
func TestSlowReaders(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.file, func(t *testing.T) {
			want, wantPieces, err := lines(s.decoder(t), bytes.NewReader(s.read(t)))
			if err != nil {
				t.Fatal(err)
			}
			got, gotPieces, err := lines(s.decoder(t), iotest.OneByteReader(bytes.NewReader(s.read(t))))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(wantPieces, gotPieces); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTornItems cuts every sample at every byte: the records before the cut come all the same, and what is torn is
// refused with a place, never taken for whole.
func TestTornItems(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.file, func(t *testing.T) {
			item := s.read(t)
			whole, _, err := lines(s.decoder(t), bytes.NewReader(item))
			if err != nil {
				t.Fatal(err)
			}
			d := s.decoder(t)
			for n := range item {
				got, _, err := lines(d, bytes.NewReader(item[:n]))
				if err != nil {
					var f *hub.Fault
					if !errors.As(err, &f) || f.Kind == hub.Internal || f.MessageZh == "" {
						t.Fatalf("cut at %d: not a fault in two languages: %v", n, err)
					}
				}
				for i := range got {
					if i < len(whole) && got[i] == whole[i] {
						continue
					}
					if err == nil && mayEndAnywhere(s.format) && i == len(got)-1 {
						continue
					}
					t.Fatalf("cut at %d: record %d is wrong: %s", n, i, got[i])
				}
			}
		})
	}
}

// mayEndAnywhere is true for formats of lines, in which a torn last line cannot be told from a whole one.
func mayEndAnywhere(format string) bool { return format == "csv" || format == "fixed" }

// TestAFailingReaderIsNotAnEnd holds that a source that fails mid-way is never taken for one that ended.
func TestAFailingReaderIsNotAnEnd(t *testing.T) {
	broken := errors.New("the line went dead")
	for _, s := range samples() {
		t.Run(s.file, func(t *testing.T) {
			item := s.read(t)
			whole, _, err := lines(s.decoder(t), bytes.NewReader(item))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []int{0, 1, len(item) / 2, len(item) - 1, len(item)} {
				r := io.MultiReader(bytes.NewReader(item[:n]), iotest.ErrReader(broken))
				got, _, err := lines(s.decoder(t), r)
				if !errors.Is(err, broken) {
					t.Errorf("after %d bytes: %v", n, err)
				}
				if len(got) > len(whole) || strings.Join(whole[:len(got)], "") != strings.Join(got, "") {
					t.Errorf("after %d bytes: wrong records %q", n, got)
				}
			}
		})
	}
}

func TestSamplesAreDetected(t *testing.T) {
	for _, s := range samples() {
		want := s.format
		if want == "fixed" {
			continue
		}
		head := s.read(t)
		if got, ok := decode.Detect(head); !ok || got != want {
			t.Errorf("%s: detected %q %v, want %q", s.file, got, ok, want)
		}
		if got, ok := decode.Detect(head[:min(len(head), 120)]); !ok || got != want {
			t.Errorf("%s, 120 bytes: detected %q %v, want %q", s.file, got, ok, want)
		}
	}
	for _, junk := range []string{"", "hello", "hello world\nhow are you\n", "\x00\x01\x02", "%PDF-1.7\n", "{not json", "<3 you"} {
		if got, ok := decode.Detect([]byte(junk)); ok {
			t.Errorf("%q is detected as %s", junk, got)
		}
	}
}

// faultLine renders what tests compare of a fault.
func faultLine(err error) string {
	if err == nil {
		return ""
	}
	if many, ok := errors.AsType[hub.Faults](err); ok {
		all := make([]string, len(many))
		for i, f := range many {
			all[i] = faultLine(f)
		}
		return strings.Join(all, "; ")
	}
	f := hub.AsFault(err)
	s := fmt.Sprintf("%s %d:%d", f.Code, f.Where.Line, f.Where.Column)
	if f.Where.Pointer != "" {
		s += " " + f.Where.Pointer
	}
	if f.Message == "" || f.MessageZh == "" {
		s += " (not in two languages)"
	}
	return s
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
