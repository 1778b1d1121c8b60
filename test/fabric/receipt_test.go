package fabric_test

import (
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/hub"
)

// TestVerifiersOfReceiptsAgree gives a receipt of a log on the network, and forgeries of it, to the verifiers in Go and in
// Python.
func TestVerifiersOfReceiptsAgree(t *testing.T) {
	w := newWorld(t, deploy(t))
	w.start(t)
	w.record(t, 300)
	w.anchored(t)
	good := w.checkReceipt(t, 7)
	receipt, err := anchor.ParseReceipt(good)
	if err != nil {
		t.Fatal(err)
	}
	names, receipts := []string{"the receipt as it was given out"}, [][]byte{good}
	for _, f := range fabrictest.Forgeries(t, receipt.Ledger[0].Entry, parties(t, w.n)) {
		forged := receipt
		forged.Ledger = []hub.Evidence{{Ledger: fabric.Name, Entry: f.Entry}}
		b, err := anchor.EncodeReceipt(forged)
		if err != nil {
			t.Fatal(err)
		}
		names, receipts = append(names, f.Name), append(receipts, b)
	}
	trust, err := anchor.ParseTrust(w.trustFile(t))
	if err != nil {
		t.Fatal(err)
	}
	v := &anchor.Verifier{Ledgers: map[string]anchor.EvidenceVerifier{fabric.Name: fabric.Verify}}
	verdicts := anchortest.Python(t, filepath.Join("..", "..", "docs", "verify.py"), w.trustFile(t), receipts)
	for i, b := range receipts {
		report, err := v.Verify(b, trust)
		want := report.Failed()
		if want == "" {
			want = "verifies"
		}
		if (err == nil) != (i == 0) || verdicts[i] != want {
			t.Errorf("%s: Go says %q, %v, Python says %q", names[i], want, err, verdicts[i])
		}
	}
	t.Logf("a receipt of %d bytes", len(good))
}
