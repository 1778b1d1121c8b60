// Package evm_test puts ledgers/evm, a module of its own, through what every ledger out of process must do, on a chain in process.
package evm_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/exec"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
)

// build builds a program of the module, or skips: go-ethereum is large, and nothing of the hub needs it.
func build(t *testing.T, pkg string) string {
	t.Helper()
	if os.Getenv("SUYUAN_EVM") == "" {
		t.Skip("SKIPPED, NOT PASSED: set SUYUAN_EVM=1 to build ledgers/evm and a chain in process (task test:evm)")
	}
	program := filepath.Join(t.TempDir(), "program")
	cmd := osexec.CommandContext(t.Context(), "go", "build", "-o", program, pkg)
	cmd.Dir = filepath.Join("..", "..", "ledgers", "evm")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %.2000s", pkg, err, out)
	}
	return program
}

// chain starts a chain with the contract on it and returns the ledger's settings.
func chain(t *testing.T) map[string]string {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), build(t, "./devnode"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var settings map[string]string
	if err := json.Unmarshal(line, &settings); err != nil {
		t.Fatal(err)
	}
	return settings
}

// config is that of the program on a chain.
func config(t *testing.T, program string, chain map[string]string) exec.Config {
	t.Helper()
	settings := maps.Clone(chain)
	settings["dir"] = t.TempDir()
	return exec.Config{Kind: "evm", Command: []string{program}, Config: settings}
}

func TestLedgerOnAnEVM(t *testing.T) {
	trial := exec.Trial{Config: config(t, build(t, "."), chain(t))}
	cases := 0
	trial.Run(t.Context(), func(c exec.Case) {
		cases++
		if c.Err != nil && !errors.As(c.Err, new(ledgertest.Skipped)) {
			t.Errorf("%s: %v", c.Name, c.Err)
		}
	})
	if cases < 20 {
		t.Errorf("only %d cases were tried", cases)
	}
}

// TestSameCheckpointOnTwoLedgers anchors a log on the notary and on the contract, and verifies a receipt by either and by both.
func TestSameCheckpointOnTwoLedgers(t *testing.T) {
	program := build(t, ".")
	c := config(t, program, chain(t))
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	notaryKey, err := anchor.GenerateKey("notary.example")
	if err != nil {
		t.Fatal(err)
	}
	n, err := notary.Open(filepath.Join(t.TempDir(), "chain.jsonl"), notary.Options{Key: notaryKey, Logs: []anchor.VerifierKey{key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	l := exec.Open(c, exec.Env{Logs: []exec.Log{{Key: key.Public()}}})
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), n.Close()); err != nil {
			t.Error(err)
		}
	})
	r := anchortest.Receipt(t, key, 300, 7, n, l)
	receipt, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	block := blockOf(t, r)
	verifier := exec.OpenVerifier(exec.Config{Kind: "evm", Command: []string{program}}, ".")
	t.Cleanup(func() { _ = verifier.Close() })
	v := &anchor.Verifier{Ledgers: map[string]anchor.EvidenceVerifier{"notary": notary.Verify, "evm": verifier.Verify}}
	pinNotary := fmt.Sprintf("notary: { key: %q }", notaryKey.Public())
	for name, c := range map[string]struct{ pins, want string }{
		"by the contract":                 {fmt.Sprintf("evm: { contract: %q, blocks: [%q] }", c.Config["contract"], block), ""},
		"by both":                         {fmt.Sprintf("evm: { contract: %q, blocks: [%q] }\n  %s", c.Config["contract"], block, pinNotary), ""},
		"by the notary":                   {pinNotary, ""},
		"a block that nobody vouches for": {fmt.Sprintf("evm: { contract: %q }", c.Config["contract"]), "neither validators nor this block"},
		"another contract":                {fmt.Sprintf("evm: { contract: %q, blocks: [%q] }", "0x"+strings.Repeat("ab", 20), block), "the trusted one is"},
	} {
		trust, err := anchor.ParseTrust(fmt.Appendf(nil, "origin: %s\nkeys: [%q]\nledgers:\n  %s\n", key.Public().Name(), key.Public(), c.pins))
		if err != nil {
			t.Fatal(err)
		}
		report, err := v.Verify(receipt, trust)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
}

// blockOf returns the hash of the block in a receipt's evidence.
func blockOf(t *testing.T, r hub.Receipt) string {
	t.Helper()
	for _, e := range r.Ledger {
		var entry struct {
			Block string `json:"block"`
		}
		if e.Ledger == "evm" && json.Unmarshal(e.Entry, &entry) == nil {
			return entry.Block
		}
	}
	t.Fatalf("there is no evidence of the contract: %+v", r.Ledger)
	return ""
}
