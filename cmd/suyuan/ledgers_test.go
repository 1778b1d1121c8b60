package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/exec"
	"github.com/suyuan-io/suyuan/anchor/witness"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/sample"
)

// TestHubOfSM3WithTwoWitnesses runs the sample through a hub of SM3 and SM2 with the embedded notary and two witnesses, of
// which one is down, and verifies its receipts by the rule that it shows.
func TestHubOfSM3WithTwoWitnesses(t *testing.T) {
	dir := t.TempDir()
	if err := sample.Write(t.Context(), filepath.Join(dir, "consortium")); err != nil {
		t.Fatal(err)
	}
	cfg := demoConfig(dir, "127.0.0.1:0")
	cfg.Anchor.Hash = "sm3"
	logKey, err := anchor.SM2.LoadOrCreateKey(keyPath(t, &cfg), cfg.Anchor.Origin)
	if err != nil {
		t.Fatal(err)
	}
	key, err := anchor.GenerateKey("witness.customs.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.New(witness.Options{Key: key, Logs: []anchor.VerifierKey{logKey.Public()}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(w)
	defer server.Close()
	gone := httptest.NewServer(w)
	gone.Close()
	cfg.Anchor.Quorum = 2
	stranger, err := anchor.GenerateKey("witness.gone.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := stranger.CosignerKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Anchor.Ledgers = []LedgerConfig{
		{Notary: &NotaryConfig{}},
		{Witness: &WitnessConfig{Name: "customs", URL: server.URL, Key: w.Key().String()}},
		{Witness: &WitnessConfig{Name: "gone", URL: gone.URL, Key: nobody.String()}},
	}
	p, stop := anchored(t, cfg)
	receipt, err := p.Receipt(t.Context(), 0, "witness/customs")
	if err != nil {
		t.Fatal(err)
	}
	trust, err := anchor.ParseTrust(p.Trust())
	if err != nil {
		t.Fatal(err)
	}
	report, err := verifier().Verify(receipt, trust)
	if err != nil || !report.Pinned {
		t.Errorf("receipt: %v", err)
	}
	stop()
}

// TestHubOfALedgerOutOfProcess runs the sample through a hub with the example's ledger in Python, and verifies a receipt by the rule
// that the hub shows, with the same program, which then has nothing but the receipt.
func TestHubOfALedgerOutOfProcess(t *testing.T) {
	if err := osexec.CommandContext(t.Context(), "python3", "-c", "import cryptography").Run(); err != nil {
		t.Skip("SKIPPED, NOT PASSED: there is no python3 with the package cryptography")
	}
	program, err := filepath.Abs(filepath.Join("..", "..", "examples", "python-ledger", "ledger.py"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := sample.Write(t.Context(), filepath.Join(dir, "consortium")); err != nil {
		t.Fatal(err)
	}
	cfg := demoConfig(dir, "127.0.0.1:0")
	cfg.Anchor.Ledgers = []LedgerConfig{
		{Exec: &exec.Config{Kind: "filechain", Command: []string{"python3", program}, Config: map[string]string{"dir": t.TempDir()}}},
	}
	p, stop := anchored(t, cfg)
	receipt, err := p.Receipt(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := anchor.ParseTrust(p.Trust())
	if err != nil {
		t.Fatalf("%v: %s", err, p.Trust())
	}
	reader := t.TempDir()
	t.Chdir(reader)
	v, err := openVerifiers([]string{"filechain=python3 " + program})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := v.Verify(receipt, trust); err != nil || !report.Pinned {
		t.Errorf("receipt: %v, %+v", err, report)
	}
	if err := v.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(reader); err != nil || len(left) > 0 {
		t.Errorf("the program left %v with a reader: %v", left, err)
	}
	if _, err := verifier().Verify(receipt, trust); err == nil {
		t.Error("evidence that nobody checked was accepted")
	}
	stop()
}

// anchored runs a hub until its first event is anchored. stop ends it and checks that it ends well.
func anchored(t *testing.T, cfg Config) (p *prover, stop func()) {
	t.Helper()
	h, err := OpenHub(t.Context(), cfg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	if err := h.anchor.WaitCommitted(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	return &prover{h: h}, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

// keyPath returns where a hub keeps its log's key.
func keyPath(t *testing.T, cfg *Config) string {
	t.Helper()
	if err := os.MkdirAll(cfg.data("keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	return cfg.data("keys", "log.key")
}

// suyuan check asks a witness as it asks other ledgers; one that holds nothing of the log yet is well.
func TestAWitnessThatIsAwayIsFoundByCheck(t *testing.T) {
	key, err := anchor.GenerateKey("witness.customs.example/w1")
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := key.CosignerKey()
	if err != nil {
		t.Fatal(err)
	}
	there := httptest.NewServer(http.NotFoundHandler())
	defer there.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for url, want := range map[string]string{there.URL: "", gone.URL: "witness.unavailable"} {
		cfg := Config{Anchor: AnchorConfig{Origin: "test.example/log", Ledgers: []LedgerConfig{
			{Witness: &WitnessConfig{Name: "customs", URL: url, Key: cosigner.String()}},
		}}}
		err := probeLedgers(t.Context(), &cfg)
		if err == nil && want == "" {
			continue
		}
		if f := hub.AsFault(err); err == nil || f.Code != want || f.Hint == "" {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
}

// A notary's key that is gone is named, and no other is made beside the file, which would look damaged then.
func TestANotaryWithoutItsKeyIsNotGivenAnother(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Anchor: AnchorConfig{Origin: "test.example/log"}}
	logKey, err := anchor.GenerateKey(cfg.Anchor.Origin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.data(ledgerFile), []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = (&NotaryConfig{}).open(&cfg, logKey.Public())
	if f := hub.AsFault(err); f.Code != "notary.key" || f.Hint == "" {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(cfg.keys("notary.key")); err == nil {
		t.Error("a new key was made")
	}
}
