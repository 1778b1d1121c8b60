package fabric_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/hub"
)

// trustFile is the trust file of a reader who pins key and n.
func trustFile(key anchor.VerifierKey, n *fabrictest.Network) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "origin: %s\nkeys: [%q]\nledgers:\n  fabric:\n", key.Name(), key)
	for line := range strings.Lines(string(trust(n, len(n.Orgs)))) {
		b.WriteString("    " + line)
	}
	return []byte(b.String())
}

// TestVerifiersOfReceiptsAgree gives a receipt of a log on Fabric, and forgeries of it, to the verifiers in Go and in
// Python.
func TestVerifiersOfReceiptsAgree(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP", "Org2MSP", "Org3MSP")
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	good := anchortest.Receipt(t, key, 300, 7, open(t, config(t, n), t.TempDir()))
	names, receipts := []string{"the receipt as it was given out"}, [][]byte{encode(t, good)}
	for _, f := range fabrictest.Forgeries(t, good.Ledger[0].Entry, parties(n)) {
		forged := good
		forged.Ledger = []hub.Evidence{{Ledger: fabric.Name, Entry: f.Entry}}
		names, receipts = append(names, f.Name), append(receipts, encode(t, forged))
	}
	v := &anchor.Verifier{Ledgers: map[string]anchor.EvidenceVerifier{fabric.Name: fabric.Verify}}
	pinned, err := anchor.ParseTrust(trustFile(key.Public(), n))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]string, len(receipts))
	for i, b := range receipts {
		report, err := v.Verify(b, pinned)
		if want[i] = report.Failed(); want[i] == "" {
			want[i] = "verifies"
		}
		if (err == nil) != (i == 0) {
			t.Errorf("%s: got %v", names[i], err)
		}
	}
	script := filepath.Join("..", "..", "docs", "verify.py")
	for i, got := range anchortest.Python(t, script, trustFile(key.Public(), n), receipts) {
		if got != want[i] {
			t.Errorf("%s: Python says %q, Go says %q", names[i], got, want[i])
		}
	}
}

func encode(t *testing.T, r hub.Receipt) []byte {
	t.Helper()
	b, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
