package anchortest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/goccy/go-yaml"
)

// Python has the verifier in Python, which was written from docs/formats.md, judge receipts by a trust file in YAML, and
// returns for each "verifies" or the name of the check that failed. It skips loudly where Python or its one package is
// missing. script is the file of the verifier.
func Python(tb testing.TB, script string, trust []byte, receipts [][]byte) []string {
	tb.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		tb.Skip("SKIPPED, NOT PASSED: there is no python3")
	}
	if err := exec.CommandContext(tb.Context(), python, "-c", "import cryptography").Run(); err != nil {
		tb.Skip("SKIPPED, NOT PASSED: python3 has no package cryptography")
	}
	dir := tb.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	pinned, err := yaml.YAMLToJSON(trust)
	if err != nil {
		tb.Fatal(err)
	}
	args := []string{script, "--trust", write("trust", pinned)}
	for i, b := range receipts {
		args = append(args, write(strconv.Itoa(i), b))
	}
	out, err := exec.CommandContext(tb.Context(), python, args...).Output() // exits 1 if any is refused
	var verdicts []string
	for _, m := range regexp.MustCompile(`(?m)^\S+ (?:REFUSED by check (\w+)|(verifies)): `).FindAllStringSubmatch(string(out), -1) {
		verdicts = append(verdicts, m[1]+m[2])
	}
	if len(verdicts) != len(receipts) {
		tb.Fatalf("the verifier has %d verdicts of %d receipts: %v\n%s", len(verdicts), len(receipts), err, out)
	}
	return verdicts
}
