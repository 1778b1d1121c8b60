package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"

	"github.com/suyuan-io/suyuan/ledgers/program"
)

// TestGas holds the README's figures: at most 120 000 units of gas for a checkpoint of a log of 300 000 events.
func TestGas(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	previous := int64(0)
	for _, size := range []int64{1000, 1001, 100_000, 131_072, 300_000} {
		r := w.log.commit(previous, size)
		w.must(l, r)
		c, err := l.get(t.Context(), r.Origin, r.Size)
		if err != nil {
			t.Fatal(err)
		}
		b, err := l.blockAt(t.Context(), c.Number)
		if err != nil {
			t.Fatal(err)
		}
		receipts, err := l.receipts(t.Context(), b)
		if err != nil || len(receipts) != 1 {
			t.Fatalf("%d receipts, %v", len(receipts), err)
		}
		t.Logf("from %d to %d, a proof of %d hashes: %d gas", previous, size, len(r.Consistency), receipts[0].GasUsed)
		if receipts[0].GasUsed > 120_000 {
			t.Errorf("a checkpoint of size %d costs %d", size, receipts[0].GasUsed)
		}
		previous = size
	}
}

// TestContractChecksEveryProof between small sizes, and refuses each when a hash of it, or the root, is another, or when it is
// shorter or longer.
func TestContractChecksEveryProof(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	const most = 17
	ask := func(r program.Request) string {
		input, err := l.input(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = l.eth.CallContract(t.Context(), ethereum.CallMsg{From: l.account, To: &l.at, Data: input}, nil)
		if reason := l.reason(err); err != nil && reason == "" {
			t.Fatal(err)
		} else {
			return reason
		}
		return ""
	}
	for first := int64(1); first < most; first++ {
		w.log.origin = "log.example/" + time.Duration(first).String()
		w.log.hashes, w.log.size = nil, 0
		w.must(l, w.log.commit(0, first))
		for second := first + 1; second <= most; second++ {
			good := w.log.commit(first, second)
			if reason := ask(good); reason != "" {
				t.Errorf("%d to %d: refused, %s", first, second, reason)
			}
			for what, bad := range spoil(good) {
				if reason := ask(bad); reason != "Inconsistent" {
					t.Errorf("%d to %d with %s: %q", first, second, what, reason)
				}
			}
		}
	}
}

// spoil returns what is wrong in one way each.
func spoil(good program.Request) map[string]program.Request {
	zeros := string(bytes.Repeat([]byte("0"), 64))
	longer, none := good, good
	longer.Consistency = append(append([]string{}, good.Consistency...), zeros)
	none.Consistency = nil
	bad := map[string]program.Request{"one hash more": longer}
	if len(good.Consistency) > 0 {
		bad["no proof"] = none
	}
	for i := range good.Consistency {
		r := good
		r.Consistency = append([]string{}, good.Consistency...)
		r.Consistency[i] = zeros
		bad["another hash"] = r
		r.Consistency = append(append([]string{}, good.Consistency[:i]...), good.Consistency[i+1:]...)
		bad["a hash left out"] = r
	}
	return bad
}

// TestCodeIsOfTheSource compiles the contract anew.
func TestCodeIsOfTheSource(t *testing.T) {
	if _, err := exec.LookPath("npm"); err != nil {
		t.Skip("SKIPPED, NOT PASSED: there is no npm to compile the contract with")
	}
	dir := t.TempDir()
	for _, name := range []string{"Checkpoints.sol", "compile.mjs", "package.json", "package-lock.json", ".npmrc"} {
		b, err := os.ReadFile(filepath.Join("contract", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOT PASSED: the compiler cannot be had: %v: %.500s", err, out)
	}
	compile := exec.CommandContext(t.Context(), "node", "compile.mjs")
	compile.Dir = dir
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compile: %v: %.1000s", err, out)
	}
	made, err := os.ReadFile(filepath.Join(dir, "Checkpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join("contract", "Checkpoints.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, kept) {
		t.Error("Checkpoints.json is not what the source compiles to")
	}
}
