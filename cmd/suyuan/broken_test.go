package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/suyuan-io/suyuan/hub"
)

var updateReports = flag.Bool("update-reports", false, "write what suyuan check says into testdata/broken")

// Each file of testdata/broken is one mistake that people make, and under "report" what suyuan check says of it, word by
// word. The text alone has to tell a newcomer what to change: read it as one before you run this with -update-reports.
func TestAMistakeIsReportedWithItsFix(t *testing.T) {
	cases, err := filepath.Glob("testdata/broken/*.txtar")
	if err != nil || len(cases) < 10 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, name := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { checkBroken(t, name) })
	}
}

// The files that the cases are changes of have no fault of their own.
func TestTheFilesBeforeTheMistakeAreGood(t *testing.T) {
	report, code := reportOf(t, nil)
	if want := "all is well: 1 connector\n"; report != want || code != exitOK {
		t.Errorf("exit code %d:\n%s", code, report)
	}
}

// What would exhaust the memory of who reads it is refused before: brackets without end, a file without end.
func TestCheckReadsNothingThatHasNoEnd(t *testing.T) {
	report, code := reportOf(t, []txtar.File{{Name: "connectors/deep.yaml", Data: bytes.Repeat([]byte("["), 200_000)}})
	if code != exitInvalid || !strings.Contains(report, "connectors/deep.yaml:1:41: ") {
		t.Errorf("exit code %d:\n%s", code, report)
	}
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("SKIPPED, NOT PASSED: there is no /dev/zero")
	}
	dir := t.TempDir()
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "endless.yaml")); err != nil {
		t.Fatal(err)
	}
	if _, err := loadConnectors(dir, nil); hub.AsFault(err).Code != "instance.unreadable" {
		t.Errorf("an endless instance file: %v", err)
	}
}

func checkBroken(t *testing.T, name string) {
	t.Helper()
	file, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	last := len(archive.Files) - 1
	if archive.Files[last].Name != "report" {
		t.Fatalf("the last file of %s is %q, want report", name, archive.Files[last].Name)
	}
	report, code := reportOf(t, archive.Files[:last])
	if code != exitInvalid {
		t.Errorf("exit code %d, want %d", code, exitInvalid)
	}
	if *updateReports {
		archive.Files[last].Data = []byte(report)
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(archive.Files[last].Data); report != want {
		t.Errorf("suyuan check says\n%s\nwant\n%s", report, want)
	}
}

// reportOf is what suyuan check says of the good files with some of them replaced.
func reportOf(t *testing.T, changed []txtar.File) (report string, code int) {
	t.Helper()
	good, err := txtar.ParseFile("testdata/broken-good.txtar")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for _, f := range append(good.Files, changed...) {
		if err := os.MkdirAll(filepath.Dir(f.Name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	code = run(t.Context(), []string{"check", "--config", "suyuan.yaml", "--offline"}, stdio{out: &out, err: &out})
	return out.String(), code
}
