package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tree writes a module with three targets: one that passes, one that crashes on anything, and one in a nested module.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":        "module example.test/a\n\ngo 1.26\n",
		"a/a_test.go":   "package a\n\nimport \"testing\"\n\nfunc FuzzGood(f *testing.F) {\n\tf.Fuzz(func(t *testing.T, b []byte) { _ = len(b) })\n}\n\nfunc FuzzBad(f *testing.F) {\n\tf.Add([]byte(\"x\"))\n\tf.Fuzz(func(t *testing.T, b []byte) {\n\t\tif len(b) > 1 {\n\t\t\tt.Fatal(\"longer than one\")\n\t\t}\n\t})\n}\n\ntype helper struct{}\n\nfunc (helper) FuzzMethod() {}\n",
		"b/go.mod":      "module example.test/b\n\ngo 1.26\n",
		"b/b_test.go":   "package b\n\nimport \"testing\"\n\nfunc FuzzNested(f *testing.F) {\n\tf.Fuzz(func(t *testing.T, n int) { _ = n })\n}\n",
		"testdata/x.go": "not Go",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNestedModulesAreFoundAndMethodsAreNot(t *testing.T) {
	targets, err := find(tree(t), regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, target := range targets {
		names = append(names, target.String())
	}
	if got, want := strings.Join(names, " "), "a.FuzzBad a.FuzzGood b.FuzzNested"; got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

func TestACrashFailsTheRun(t *testing.T) {
	if os.Getenv("SUYUAN_FUZZALL") == "" {
		t.Skip("set SUYUAN_FUZZALL=1: the Go tool first compiles its whole library for fuzzing")
	}
	var out strings.Builder
	err := run(t.Context(), []string{"-dir", tree(t), "-time", "5s", "-parallel", "2"}, &out)
	if err == nil || !strings.Contains(err.Error(), "1 of 3") {
		t.Errorf("one target of three crashes, but the run said %v:\n%s", err, out.String())
	}
	for _, line := range []string{`a\.FuzzBad +\d+ +\d+ +crash`, `a\.FuzzGood +\d+ +\d+ +ok`, `b\.FuzzNested +\d+ +\d+ +ok`} {
		if !regexp.MustCompile(line).MatchString(out.String()) {
			t.Errorf("the table has no line %s:\n%s", line, out.String())
		}
	}
}

func TestAnInputInFlightAtTheEndIsNoCrash(t *testing.T) {
	said := "fuzz: elapsed: 3s, execs: 12 (4/sec), new interesting: 1 (total: 2)\n--- FAIL: FuzzX (3.01s)\n    context deadline exceeded\nFAIL\n"
	failed := os.ErrInvalid
	if got := verdict(said, failed, nil); got != passed {
		t.Errorf("verdict %s, want %s", got, passed)
	}
	if got := verdict("FAIL: no such package\n", failed, nil); got != broken {
		t.Errorf("verdict %s, want %s", got, broken)
	}
	if execs, interesting := progress(said); execs != 12 || interesting != 1 {
		t.Errorf("read %d execs and %d interesting", execs, interesting)
	}
}
