package decode_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/hub"
)

// fuzz holds what every format promises of every input: no panic, faults that users can read, records that are parts of
// the item in order, trees that can be located in.
func fuzz(f *testing.F, format string, settings ...string) {
	f.Helper()
	files, err := filepath.Glob("testdata/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && len(b) < 4<<10 && filepath.Ext(name) != ".golden" {
			f.Add(b)
		}
	}
	var decoders []decode.Decoder
	for _, s := range append(settings, "") {
		decoders = append(decoders, newDecoder(f, format, s))
	}
	f.Fuzz(func(t *testing.T, item []byte) {
		if len(item) > 4 && (bytes.HasPrefix(item, []byte("PK\x03\x04")) || bytes.HasPrefix(item, []byte("\x1f\x8b"))) {
			return // FuzzPacked has them
		}
		for _, d := range decoders {
			hold(t, d, item)
		}
	})
}

func hold(t *testing.T, d decode.Decoder, item []byte) {
	t.Helper()
	var pieces []connectors.Piece
	err := d.Split(bytes.NewReader(item), func(p connectors.Piece) error {
		pieces = append(pieces, p)
		tree, err := d.Decode(p.Preamble, p.Body)
		if err != nil {
			readable(t, err)
			return nil
		}
		plain(t, tree.Value, "", func(pointer string) {
			if w := tree.Locate(pointer); w.Line < 0 || w.Column < 0 {
				t.Fatalf("%s is located at %+v", pointer, w)
			}
		})
		return nil
	})
	if err != nil {
		readable(t, err)
	}
	holdHeld(t, d, item, pieces, err)
	if !bytes.HasPrefix(item, []byte("\xff\xfe")) && !bytes.HasPrefix(item, []byte("\xfe\xff")) && bytes.IndexByte(item[:min(2, len(item))], 0) < 0 {
		checkPieces(t, item, pieces) // XML in UTF-16 is cut as UTF-8
	}
	if _, err := d.Decode(nil, item); err != nil {
		readable(t, err)
	}
}

// inMemory is an item that is in memory, as the host passes a webhook's body.
type inMemory struct {
	*bytes.Reader

	all []byte
}

func (m inMemory) Held() []byte { return m.all }

// holdHeld checks that an item is cut alike, places included, whether it is read or in memory.
func holdHeld(t *testing.T, d decode.Decoder, item []byte, read []connectors.Piece, want error) {
	t.Helper()
	if item == nil {
		item = []byte{}
	}
	n := 0
	err := d.Split(inMemory{bytes.NewReader(item), item}, func(p connectors.Piece) error {
		if n == len(read) || p.Line != read[n].Line || p.Column != read[n].Column || !bytes.Equal(p.Body, read[n].Body) {
			t.Fatalf("piece %d in memory: %d:%d %q", n, p.Line, p.Column, p.Body)
		}
		n++
		return nil
	})
	if n != len(read) || (err == nil) != (want == nil) {
		t.Fatalf("%d pieces and %v in memory, %d and %v read", n, err, len(read), want)
	}
	if a, b := hub.AsFault(err), hub.AsFault(want); err != nil && (a.Code != b.Code || a.Where != b.Where) {
		t.Fatalf("%v at %+v in memory, %v at %+v read", a, a.Where, b, b.Where)
	}
}

func readable(t *testing.T, err error) {
	t.Helper()
	var many hub.Faults
	if !errors.As(err, &many) {
		many = hub.Faults{hub.AsFault(err)}
	}
	for _, f := range many {
		if f.Kind == hub.Internal || f.Code == "" || f.Message == "" || f.MessageZh == "" {
			t.Fatalf("not a fault that a user can read: %#v", f)
		}
	}
}

// plain checks that a tree is made of nothing but what Tree promises, and visits some of its pointers.
func plain(t *testing.T, v any, pointer string, visit func(string)) {
	t.Helper()
	if len(pointer) < 24 {
		visit(pointer)
	}
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			plain(t, child, pointer+"/"+k, visit)
		}
	case []any:
		for i, child := range v {
			if i < 3 {
				plain(t, child, pointer+"/"+string(rune('0'+i)), visit)
			}
		}
	case string, json.Number, bool, nil:
	default:
		t.Fatalf("%s is a %T", pointer, v)
	}
}

func FuzzCSV(f *testing.F) {
	fuzz(f, "csv", `{header: false, separator: "|", encoding: gb18030}`, `{width: pad, lazyQuotes: true, skipRows: [{starts: 合计}]}`, `{header: false, encoding: latin1}`)
}

func FuzzJSON(f *testing.F) {
	fuzz(f, "json", `{split: /data/parcels}`, `{split: /*/*, encoding: gb18030}`)
}

func FuzzNDJSON(f *testing.F) { fuzz(f, "ndjson") }

func FuzzXML(f *testing.F) {
	fuzz(f, "xml", `{split: //Item, namespaces: keep}`, `{split: /*/*, arrays: ["*"], text: object, space: keep}`)
}

func FuzzEDIFACT(f *testing.F) {
	fuzz(f, "edifact", `{guide: [DESADV, IFTSTA], envelope: ignore}`, `{encoding: gb18030, envelope: report}`)
}

func FuzzX12(f *testing.F) { fuzz(f, "x12", `{guide: "856", envelope: report}`) }

func FuzzTRADACOMS(f *testing.F) { fuzz(f, "tradacoms", `{envelope: ignore}`) }

func FuzzFixed(f *testing.F) {
	columns := `columns: [{name: a, width: 2}, {name: b, start: 2, width: 4}]`
	decoders := []string{`{` + columns + `, width: pad}`, `{` + columns + `, unit: characters, encoding: gb18030}`, `{` + columns + `, length: 7}`}
	f.Fuzz(func(t *testing.T, item []byte) {
		for _, s := range decoders {
			hold(t, newDecoder(t, "fixed", s), item)
		}
	})
}

func FuzzXLSXRow(f *testing.F) {
	f.Add([]byte(`{"sheet":"S","columns":["a",""]}`), []byte(`{"row":1,"cells":["1","2"]}`))
	d := newDecoder(f, "xlsx", "")
	f.Fuzz(func(t *testing.T, preamble, body []byte) {
		if bytes.HasPrefix(body, []byte("PK")) {
			return
		}
		tree, err := d.Decode(preamble, body)
		if err != nil {
			readable(t, err)
			return
		}
		plain(t, tree.Value, "", func(pointer string) { tree.Locate(pointer) })
	})
}

func FuzzDetect(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.read(f))
	}
	f.Fuzz(func(_ *testing.T, head []byte) { decode.Detect(head) })
}

func FuzzSettings(f *testing.F) {
	f.Add("guide: {message: X, body: [{segment: BGM, as: b, fields: {a: 1.2}}]}")
	f.Add("{header: [a, b], skipRows: [{starts: 合计}], maxRecord: 1MiB}")
	f.Fuzz(func(t *testing.T, settings string) {
		for _, format := range decode.Formats() {
			if _, err := decode.New(format.Name, []byte(settings)); err != nil {
				readable(t, err)
			}
		}
	})
}

// FuzzPacked holds that what is packed, well or badly, gives the records of its content or a fault that says why not.
func FuzzPacked(f *testing.F) {
	content := []byte("{\"a\":1}\n{\"a\":2}\n")
	for name, pack := range packers() {
		packed := pack(f, content)
		f.Add(packed, 0, byte(0))
		f.Add(packed, len(packed)-3, byte(0))
		f.Add(packed, len(packed)/2, byte(0xff))
		f.Add(packers()["gzip"](f, packed), 0, byte(0))
		if name == "zip" {
			f.Add(append([]byte("SFX"), packed...), 0, byte(0))
		}
	}
	f.Add([]byte("BZh91AY&SY\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"), 0, byte(0))
	d := newDecoder(f, "ndjson", "")
	f.Fuzz(func(t *testing.T, item []byte, at int, change byte) {
		if at > 0 && at < len(item) { // cut there, or damaged there
			if change == 0 {
				item = item[:at]
			} else {
				item = bytes.Clone(item)
				item[at] ^= change
			}
		}
		pieces := 0
		err := d.Split(bytes.NewReader(item), func(p connectors.Piece) error {
			if _, err := d.Decode(p.Preamble, p.Body); err != nil {
				readable(t, err)
			}
			if pieces++; pieces > 1000 { // a bomb; the limits have tests of their own
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			readable(t, err)
		}
	})
}

var errEnough = errors.New("enough")

// packers pack a file in each way that is read.
func packers() map[string]func(testing.TB, []byte) []byte {
	through := func(open func(io.Writer) io.WriteCloser) func(testing.TB, []byte) []byte {
		return func(tb testing.TB, content []byte) []byte {
			tb.Helper()
			var b bytes.Buffer
			w := open(&b)
			if _, err := w.Write(content); err != nil {
				tb.Fatal(err)
			}
			if err := w.Close(); err != nil {
				tb.Fatal(err)
			}
			return b.Bytes()
		}
	}
	return map[string]func(testing.TB, []byte) []byte{
		"gzip": through(func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }),
		"zstd": through(func(w io.Writer) io.WriteCloser {
			z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
			if err != nil {
				panic(err)
			}
			return z
		}),
		"zip": func(tb testing.TB, content []byte) []byte {
			tb.Helper()
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for _, name := range []string{"one.ndjson", "folder/two.ndjson"} {
				w, err := z.Create(name)
				if err == nil {
					_, err = w.Write(content)
				}
				if err != nil {
					tb.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				tb.Fatal(err)
			}
			return b.Bytes()
		},
	}
}

// FuzzGuessEncoding holds that a guess is an encoding that a connector can state, and that with it the item is no longer
// one whose default misreads it.
func FuzzGuessEncoding(f *testing.F) {
	for _, text := range []string{"a;b\n1;2\n", "caf\xe9;cr\xe8me\n", "\xc6\xf4\xb8\xb3;1\n", "\x8a\xae\x93\x63;1\n", "\xa4\xa4\xa4\xe5;1\n", "a\x00;\x001\x00\n\x00", "\xff\xfea\x00"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		name := decode.GuessEncoding("csv", head)
		if name == "" {
			return
		}
		d, err := decode.New("csv", []byte("{encoding: "+name+", header: false}"))
		if err != nil {
			t.Fatalf("%q is guessed and cannot be stated: %v", name, err)
		}
		if err := d.Split(bytes.NewReader(head), func(connectors.Piece) error { return nil }); err != nil {
			readable(t, err)
		}
		if decode.GuessEncoding("json", head) != "" {
			t.Error("an encoding is guessed for a format that has its own")
		}
	})
}
