package anchor_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
)

// foreignVerifier runs a verifier of another language and returns, for each receipt, "verifies" or the check that failed.
type foreignVerifier func(t *testing.T, key string, paths []string) []string

// findPython is a Python that can run docs/verify.py.
func findPython(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED, NOT PASSED: there is no python3")
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import cryptography").Run(); err != nil {
		t.Skip("SKIPPED, NOT PASSED: python3 has no package cryptography")
	}
	return python
}

func runPython(t *testing.T, key string, paths []string) []string {
	t.Helper()
	python := findPython(t)
	args := append([]string{filepath.Join("..", "docs", "verify.py"), "--key", key}, paths...)
	out, err := exec.CommandContext(t.Context(), python, args...).Output() // exits 1 if any is refused
	verdict := regexp.MustCompile(`(?m)^\S+ (?:REFUSED by check (\w+)|(verifies)): `)
	var verdicts []string
	for _, m := range verdict.FindAllStringSubmatch(string(out), -1) {
		verdicts = append(verdicts, m[1]+m[2])
	}
	if len(verdicts) != len(paths) {
		t.Fatalf("verify.py has %d verdicts of %d receipts: %v\n%s", len(verdicts), len(paths), err, out)
	}
	return verdicts
}

// What is no file, or a trust file in YAML, is refused by a sentence, not by a traceback.
func TestPythonSaysWhichFileItCannotRead(t *testing.T) {
	python := findPython(t)
	yaml := filepath.Join(t.TempDir(), "trust.yaml")
	if err := os.WriteFile(yaml, []byte("origin: example.com/log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"argument receipts: can't open 'nothing.json'":   {"nothing.json"},
		"argument --trust: can't open 'nothing.yaml'":    {"--trust", "nothing.yaml", yaml},
		"argument --trust: invalid JSON value: '" + yaml: {"--trust", yaml, yaml},
	} {
		out, err := exec.CommandContext(t.Context(), python, append([]string{filepath.Join("..", "docs", "verify.py")}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "Traceback") {
			t.Errorf("%v: %v\n%s\nwant %q", args, err, out, want)
		}
	}
}

// A key or trust file that is empty is not the same as none: a variable that is not set would make any log the trusted one.
func TestAnEmptyKeyIsNotNoKey(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(empty, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := receiptsDir("good", "middle-leaf.json")
	if got := runPython(t, "", []string{good}); got[0] != anchor.CheckTrust {
		t.Errorf("verify.py with an empty key: %s", got)
	}
	python := findPython(t)
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("..", "docs", "verify.py"), "--trust", empty, good).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "REFUSED by check trust") {
		t.Errorf("verify.py with an empty trust file: %v\n%s", err, out)
	}
	if got := runNode(t, "", []string{good}); got[0] != anchor.CheckTrust {
		t.Errorf("verify.js with an empty key: %s", got)
	}
}

func runNode(t *testing.T, key string, paths []string) []string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED, NOT PASSED: there is no node")
	}
	verifier, err := filepath.Abs(filepath.Join("..", "web", "assets", "verify.js"))
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--no-warnings", filepath.Join("testdata", "verify.mjs"), verifier, key}, paths...)
	cmd := exec.CommandContext(t.Context(), node, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	verdicts := strings.Fields(string(out))
	if err != nil || len(verdicts) != len(paths) {
		t.Fatalf("verify.js has %d verdicts of %d receipts: %v\n%s", len(verdicts), len(paths), err, &stderr)
	}
	return verdicts
}

func TestBrowserWithoutWebCryptoSaysSo(t *testing.T) {
	t.Setenv("NO_WEBCRYPTO", "1")
	got := runNode(t, readTrust(t).Keys[0], []string{receiptsDir("good", "middle-leaf.json")})
	if got[0] != "event,checkpoint,inclusion,ledger" {
		t.Errorf("the checks that could not be made are %s", got[0])
	}
}

// TestVerifiersAgree gives every receipt of testdata, and mutations of a good one, to the verifiers of all languages.
// They must agree, check by check, with the one in Go.
func TestVerifiersAgree(t *testing.T) {
	trust := readTrust(t)
	// Of the trust file the others know the log's key alone.
	p := newParity(t, &anchor.Trust{Origin: trust.Origin, Keys: trust.Keys})
	for _, folder := range []string{"good", "bad"} {
		for name, b := range readReceipts(t, folder) {
			p.add(t, folder+"-"+name, b)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	good := readReceipts(t, "good")["strange-event"]
	for n := range 500 {
		p.add(t, fmt.Sprintf("mutation-%d", n), mutate(rng, good))
	}
	p.check(t)
}

// parity is receipts for the verifiers of all languages, and what the one in Go says of them.
type parity struct {
	dir         string
	pinned      *anchor.Trust
	paths, want []string
}

func newParity(t *testing.T, pinned *anchor.Trust) *parity {
	t.Helper()
	return &parity{dir: t.TempDir(), pinned: pinned}
}

func (p *parity) add(t *testing.T, name string, receipt []byte) {
	t.Helper()
	path := filepath.Join(p.dir, name+".json")
	if err := os.WriteFile(path, receipt, 0o600); err != nil {
		t.Fatal(err)
	}
	report, _ := verifier().Verify(receipt, p.pinned)
	verdict := report.Failed()
	if verdict == "" {
		verdict = "verifies"
	}
	p.paths, p.want = append(p.paths, path), append(p.want, verdict)
}

// check holds the other verifiers against the one in Go.
func (p *parity) check(t *testing.T) {
	t.Helper()
	for language, run := range map[string]foreignVerifier{"python": runPython, "javascript": runNode} {
		t.Run(language, func(t *testing.T) {
			for i, got := range run(t, p.pinned.Keys[0], p.paths) {
				if got != p.want[i] {
					b, _ := os.ReadFile(p.paths[i])
					t.Errorf("%s: %s says %q, Go says %q: %.2000s", filepath.Base(p.paths[i]), language, got, p.want[i], b)
				}
			}
		})
	}
}

// mutate changes one to three things in a copy of b: a byte, a run of bytes that is doubled, or one that is cut.
func mutate(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + rng.IntN(3) {
		at := rng.IntN(len(b))
		end := min(len(b), at+1+rng.IntN(8))
		switch rng.IntN(4) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			b[at] = `0123456789abcdef"\/{}[]:,-+.eE `[rng.IntN(31)]
		case 2:
			b = append(b[:end:end], b[at:]...)
		case 3:
			b = append(b[:at:at], b[end:]...)
		}
	}
	return b
}
