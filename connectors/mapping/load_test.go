package mapping_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			for _, f := range err.(hub.Faults) { //nolint:errorlint,forcetypeassert // Load promises it
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
