package exec_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors/connectortest"
	connexec "github.com/suyuan-io/suyuan/connectors/exec"
)

// verify returns the names of the cases that fail.
func verify(t *testing.T, trial connexec.Trial) []string {
	t.Helper()
	trial.Said = func(line string) { t.Log("adapter:", line) }
	var failed []string
	n := 0
	passed := connexec.Verify(t.Context(), trial, func(c connexec.Case) {
		n++
		if c.Err != nil {
			t.Log(c.Name, c.Err)
			failed = append(failed, c.Name)
		}
	})
	if passed != (len(failed) == 0) || n == 0 {
		t.Errorf("passed %v after %d cases with %d failures", passed, n, len(failed))
	}
	return failed
}

func sampleLines(t *testing.T) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lines.txt")
	if err := os.WriteFile(path, []byte(strings.Repeat("a line of some length\n", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"path": path}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel() // it mostly waits
	for manner, want := range map[string]string{
		"well": "", "not ready": "answers init with ready", "crash": "answers init with ready",
		"noise": "answers init with ready", "random ids": "gives the same again after kill -9 before any ack",
		"forgets": "resumes after each position", "deaf": "ends when it is told to stop",
		"any protocol": "refuses a protocol that it does not speak",
	} {
		t.Run(manner, func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if manner == "not ready" || manner == "deaf" { // they use it up
				patience = time.Second
			}
			failed := verify(t, connexec.Trial{
				Command: testAdapter(manner), Config: sampleLines(t), Patience: patience, Quiet: 100 * time.Millisecond,
				Env: map[string]string{"GORACE": "atexit_sleep_ms=0"},
			})
			if want == "" && len(failed) > 0 || want != "" && !slices.Contains(failed, want) {
				t.Errorf("failed %q, want %q", failed, want)
			}
		})
	}
}

// python returns the command line of the example adapter.
func python(t *testing.T) []string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Python often")
	}
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	script, err := filepath.Abs("../../examples/python-adapter/csv_tail.py")
	if err != nil {
		t.Fatal(err)
	}
	return []string{interpreter, script}
}

func TestPythonExampleVerifies(t *testing.T) {
	t.Parallel() // it mostly waits
	command := python(t)
	sample, err := filepath.Abs("../../examples/python-adapter/orders.csv")
	if err != nil {
		t.Fatal(err)
	}
	if failed := verify(t, connexec.Trial{
		Command: command, Config: map[string]string{"path": sample}, Quiet: 500 * time.Millisecond, Patience: time.Minute,
	}); len(failed) > 0 {
		t.Errorf("failed %q", failed)
	}
}

func TestPythonExampleConforms(t *testing.T) {
	connectortest.Source(t, openLines("text", python(t)...), connectortest.Traits{Remembers: true, Secrets: []string{password}})
}
