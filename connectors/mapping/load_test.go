package mapping_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestBrokenMappingsExplainThemselves holds what a newcomer reads for each broken mapping, in both languages.
func TestBrokenMappingsExplainThemselves(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d broken mappings, %v", len(files), err)
	}
	fsys := os.DirFS("testdata/broken")
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			m, err := mapping.Load(fsys, name)
			if err == nil {
				t.Fatalf("loaded: %v", m.Path())
			}
			for _, f := range err.(hub.Faults) { //nolint:errorlint // Load promises it
				if f.Code == "" || f.Message == "" || f.MessageZh == "" || f.Where.File == "" || (f.Hint == "") != (f.HintZh == "") {
					t.Errorf("incomplete fault: %#v", f)
				}
			}
			for suffix, lang := range map[string]mapping.Language{".txt": mapping.English, ".zh.txt": mapping.Chinese} {
				golden := strings.TrimSuffix(file, ".yaml") + suffix
				got := mapping.Explain(fsys, err, lang)
				if *update {
					if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(string(want), got); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func TestYAMLConveniences(t *testing.T) {
	m, err := load(t, `
version: 1
let:
  gtin: "= row.g"
  number: 007
events:
  - event: &base
      type: ObjectEvent
      eventTime: 2019-11-07T00:00:00Z
      action: OBSERVE
      eventID: |
        = 'urn:x:' +
          number
      quantityList: [ { epcClass: "= gtin(gtin)", quantity: 6.50 } ]
  - event:
      <<: *base
      action: ADD
      eventTimeZoneOffset: "+08:00"
      bizStep: '= ''shipping'''
`)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Map(input(t, `{"g":"7613035982949"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	quantity := []any{map[string]any{"epcClass": "https://id.gs1.org/01/07613035982949", "quantity": json.Number("6.50")}}
	want := []map[string]any{
		{"type": "ObjectEvent", "eventTime": "2019-11-07T00:00:00Z", "eventTimeZoneOffset": "+00:00", "action": "OBSERVE", "eventID": "urn:x:007", "quantityList": quantity},
		{"type": "ObjectEvent", "eventTime": "2019-11-07T00:00:00Z", "eventTimeZoneOffset": "+08:00", "action": "ADD", "bizStep": "shipping", "eventID": "urn:x:007", "quantityList": quantity},
	}
	if d := cmp.Diff(want, trees(out)); d != "" {
		t.Error(d)
	}
}

func TestHostileFilesAreRefusedQuickly(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'l'; c++ {
		p := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [*" + p + ",*" + p + ",*" + p + ",*" + p + ",*" + p + ",*" + p + "]\n"
	}
	for name, src := range map[string]string{
		"brackets": strings.Repeat("[", 100_000), "dashes": strings.Repeat("- ", 60_000), "lines": strings.Repeat("a:\n", 40_000),
		"aliases": bomb, "size": strings.Repeat("# x\n", 100_000), "deep": strings.Repeat("{a: ", 60) + strings.Repeat("}", 60),
		"expression": "version: 1\nlet:\n  a: \"= " + strings.Repeat("(", 5000) + "\"\n", "not text": "\xff\xfe",
	} {
		start := time.Now()
		_, err := load(t, src)
		if err == nil {
			t.Errorf("%s: loaded", name)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s: took %v", name, d)
		}
	}
}

func TestLookupFilesAreChecked(t *testing.T) {
	src := "version: 1\nlookup: { s: { csv: s.csv, key: code, value: gln } }\nevents:\n  - event: { type: ObjectEvent, eventTime: 2019-11-07T00:00:00Z, action: ADD }\n"
	for csv, want := range map[string]string{
		"cod,gln\n":            `s.csv has no column "code"`,
		"code,gln\nA,1\nA,2\n": `s.csv:3: the key "A" is in the file twice`,
		"code,gln\nA,1,2\n":    "s.csv:2: the row cannot be read",
		"":                     "has no header line",
	} {
		if _, err := load(t, src, "s.csv", csv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", csv, err)
		}
	}
	if _, err := load(t, strings.Replace(src, "s.csv", "../../etc/passwd", 1)); err == nil {
		t.Error("a lookup outside the folder was read")
	}
}
