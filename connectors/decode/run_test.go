package decode_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/hub"
)

func gzipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipped(t testing.TB, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRun(t *testing.T) {
	book := workbook(t, false)
	csv := "a,b\n1,2\n3,4\n"
	for _, c := range []struct {
		name, format, item string
		want               []string
		fault              string
	}{
		{"csv", "", csv, []string{`{"a":"1","b":"2"}`, `{"a":"3","b":"4"}`}, ""},
		{"one column", "csv", "a\n1\n", []string{`{"a":"1"}`}, ""},
		{"gzip", "", string(gzipped(t, []byte(csv))), []string{`{"a":"1","b":"2"}`, `{"a":"3","b":"4"}`}, ""},
		{"gzip in gzip", "", string(gzipped(t, gzipped(t, []byte(csv)))), []string{`{"a":"1","b":"2"}`, `{"a":"3","b":"4"}`}, ""},
		{"torn gzip", "csv", string(gzipped(t, []byte(csv))[:30]), []string{`{"a":"1","b":"2"}`, `{"a":"3","b":"4"}`}, "gzip.corrupt 4:1"},
		{
			"zip", "", string(zipped(t, "a.csv", csv, "__MACOSX/a.csv", "x", ".hidden", "x", "b.csv", "b\n5\n")),
			[]string{`{"a":"1","b":"2"}`, `{"a":"3","b":"4"}`, `{"b":"5"}`}, "",
		},
		{"fault inside zip", "", string(zipped(t, "a.csv", "a,a\n1,2\n")), nil, "csv.header 1:3 c2"},
		{"torn zip", "csv", string(zipped(t, "a.csv", csv)[:60]), nil, "zip.corrupt 0:0"},
		{"bad record between good ones", "", "a,b\n1,2\n1\n3,4\n", []string{`{"a":"1","b":"2"}`, `{"a":"3","b":"4"}`}, "csv.width 3:2 b"},
		{"xml", "", "<a>1</a>", []string{`{"a":"1"}`}, ""},
		{"xml in utf-16", "", "\xff\xfe<\x00a\x00>\x00-N<\x00/\x00a\x00>\x00", []string{`{"a":"中"}`}, ""},
		{"html characters stay", "", `{"a":"<&>"}`, []string{`{"a":"<&>"}`}, ""},
		{"unknown format", "", "hello", nil, "decode.unknown 0:0"},
		{"no such format", "jsn", "hello", nil, "decode.format 0:0"},
		{"x12 by separators", "", isa + "\nGS*SH*A*B*20191107*2118*77*X*004010~ST*856*1~SE*2*1~GE*1*77~\nIEA*1*000000077~", []string{"856"}, ""},
		{"not a workbook", "", string(book[:200]), nil, "xlsx.corrupt 0:0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			err := decode.Run(&out, "in", strings.NewReader(c.item), c.format)
			if got := faultLine(err); got != c.fault {
				t.Errorf("got %s: %v, want %s", got, err, c.fault)
			}
			got := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if out.Len() == 0 {
				got = nil
			}
			if c.name == "x12 by separators" {
				if len(got) != 1 || !strings.Contains(got[0], c.want[0]) {
					t.Errorf("got %q", got)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRunNamesTheFile holds that a fault begins with file:line:column, within an archive too.
func TestRunNamesTheFile(t *testing.T) {
	err := decode.Run(&bytes.Buffer{}, "day.zip", bytes.NewReader(zipped(t, "b.csv", "a,b\n1\n")), "")
	if err == nil || !strings.HasPrefix(err.Error(), "day.zip:2:2 ") {
		t.Errorf("got %v", err)
	}
	err = decode.Run(&bytes.Buffer{}, "day.zip", bytes.NewReader(zipped(t, "b.csv", "a,a\n1,1\n")), "")
	if err == nil || !strings.HasPrefix(err.Error(), "day.zip!b.csv:1:3 ") {
		t.Errorf("got %v", err)
	}
}

// TestInspectNotesDoubtfulTrailers holds that wrong counts are told, with their place in the file, and do not refuse.
func TestInspectNotesDoubtfulTrailers(t *testing.T) {
	item := unb + "\n  UNH+1+X:D:96A:UN'UNT+3+1'\nUNZ+2+8'\n"
	var out bytes.Buffer
	var notes []string
	err := decode.Inspect(&out, "in", strings.NewReader(item), decode.Options{Note: func(f *hub.Fault) {
		notes = append(notes, faultLine(f))
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"edi.count 2:20 UNT/1", "edi.count 3:1 UNZ/1", "edi.reference 3:1 UNZ/2"}
	if diff := cmp.Diff(want, notes); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(out.String(), `"column":20,"line":2`) && !strings.Contains(out.String(), `"line":2`) {
		t.Errorf("the record does not place its fault: %s", out.String())
	}
}

// TestABombIsRefused holds that a small item cannot unpack without bound.
func TestABombIsRefused(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks 80 MB")
	}
	row := append(bytes.Repeat([]byte{'0'}, 4095), '\n')
	bomb := gzipped(t, append([]byte("a\n"), bytes.Repeat(row, 20<<10)...))
	err := newDecoder(t, "csv", "").Split(bytes.NewReader(bomb), func(connectors.Piece) error { return nil })
	if got := faultLine(err); !strings.HasPrefix(got, "gzip.size ") {
		t.Errorf("got %s: %v", got, err)
	}
}
