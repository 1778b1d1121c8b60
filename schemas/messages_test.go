package schemas_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/schemas"
)

var update = flag.Bool("update", false, "write the golden files of messages anew")

// What a newcomer reads for each mistake, in both languages. Read the golden files when they change: each line must say
// exactly what to do.
func TestMessagesSayWhatToChange(t *testing.T) {
	reg := open(t)
	paths, err := filepath.Glob("testdata/messages/*.json")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d inputs: %v", len(paths), err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		var got []string
		for _, lang := range []string{"en", "zh"} {
			r := reg.Report(name, data, nil, schemas.ReportOptions{All: true, Lang: lang})
			if r.Valid {
				t.Errorf("%s is valid", name)
			}
			got = append(got, r.Lines...)
		}
		compare(t, strings.TrimSuffix(path, ".json")+".golden", strings.Join(got, "\n")+"\n")
	}
}

func compare(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), rewrite with -update:\n%s", golden, diff)
	}
}
