package connectors_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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
	diff := regexp.MustCompile("(?s)```diff\n--- a/(\\S+)\n\\+\\+\\+ \\S+\n-(.*?)\n\\+(.*?)\n```").FindStringSubmatch(string(page))
	if source == nil || diff == nil {
		t.Fatal("the page shows no kind or no diff")
	}
	catalog, err := os.ReadFile(filepath.Join("..", diff[1]))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(catalog), diff[2]) != 1 {
		t.Fatalf("%s does not hold the line %q", diff[1], diff[2])
	}
	changed := strings.Replace(string(catalog), diff[2], diff[3], 1)
	changed = strings.Replace(changed, "import (\n", "import (\n\t\"github.com/suyuan-io/suyuan/connectors/page\"\n", 1)

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
