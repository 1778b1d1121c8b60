package connectors_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryOptionIsDocumented holds that the page has a section for each kind, and names in it each option of the kind.
func TestEveryOptionIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/connectors.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := strings.Split(string(page), "\n### ")[1:]
	for _, k := range kinds() {
		i := slices.IndexFunc(sections, func(s string) bool {
			heading, _, _ := strings.Cut(s, "\n")
			return slices.Contains(strings.Split(heading, ", "), k.Name)
		})
		if i < 0 {
			t.Errorf("no section for %s", k.Name)
			continue
		}
		for _, key := range optionKeys(reflect.TypeOf(k.Options())) {
			if !regexp.MustCompile(`\b` + key + `\b`).MatchString(sections[i]) {
				t.Errorf("%s: the option %s is not in its section", k.Name, key)
			}
		}
	}
}

// optionKeys are the names of a struct's fields in YAML, those of structs in it as well.
func optionKeys(t reflect.Type) (keys []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for field := range t.Fields() {
		if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key != "" && key != "-" {
			keys = append(append(keys, key), optionKeys(field.Type)...)
		}
	}
	return keys
}

// TestDocumentedKindBuilds takes the kind that docs/connectors.md shows, its folder and its one line, and builds the
// binary with it.
func TestDocumentedKindBuilds(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary")
	}
	page, err := os.ReadFile("../docs/connectors.md")
	if err != nil {
		t.Fatal(err)
	}
	source := regexp.MustCompile("(?s)```go\n// file: (\\S+)\n(.*?)```").FindStringSubmatch(string(page))
	diff := regexp.MustCompile("(?s)```diff\n--- a/(\\S+)\n\\+\\+\\+ \\S+\n(.*?)```").FindStringSubmatch(string(page))
	if source == nil || diff == nil {
		t.Fatal("the page shows no kind or no diff")
	}
	catalog, err := os.ReadFile(filepath.Join("..", diff[1]))
	if err != nil {
		t.Fatal(err)
	}
	changed := string(catalog)
	for _, hunk := range strings.Split(diff[2], "@@\n")[1:] {
		changed = apply(t, changed, hunk)
	}

	dir := t.TempDir()
	overlay := map[string]string{}
	for name, content := range map[string]string{source[1]: source[2], diff[1]: changed} {
		full, err := filepath.Abs(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(copied, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[full] = copied
	}
	js, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), js, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "suyuan"), "./cmd/suyuan")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// apply changes a text as a hunk of a diff says, wherever its old lines stand: other kinds may come before them.
func apply(t *testing.T, text, hunk string) string {
	t.Helper()
	var before, after strings.Builder
	for line := range strings.Lines(hunk) {
		if line[0] != '+' {
			before.WriteString(line[1:])
		}
		if line[0] != '-' {
			after.WriteString(line[1:])
		}
	}
	if strings.Count(text, before.String()) != 1 {
		t.Fatalf("the diff of the page does not apply: no or several %q", before.String())
	}
	return strings.Replace(text, before.String(), after.String(), 1)
}
