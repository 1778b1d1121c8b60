package fabric_test

import (
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/anchor/exec"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

// TestLedgerOfPeersBeforeTheGateway puts ledgers/fabric-sdk-go, which speaks the protocol of peers before 2.4, through the trial
// of ledgers out of process. Peers of today still speak it; the programs of Fabric 2.3 are the real case.
func TestLedgerOfPeersBeforeTheGateway(t *testing.T) {
	n := anyNetwork(t)
	c := deployOn(t, n)
	dir := t.TempDir()
	program := filepath.Join(dir, "fabric-sdk-go")
	build := osexec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "ledgers", "fabric-sdk-go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %.2000s", err, out)
	}
	high, err := fabricnet.HighS(filepath.Join(shared.dir, "crypto"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d authorities have a certificate with a high s, which the SDK's own membership service refuses", high)
	profile := filepath.Join(dir, "profile.yaml")
	if err := os.WriteFile(profile, n.Profile(0, filepath.Join(dir, "store")), 0o600); err != nil {
		t.Fatal(err)
	}
	trial := exec.Trial{Verify: fabric.Verify, Config: exec.Config{
		Kind: fabric.Name, Command: []string{program},
		Config: map[string]string{
			"profile": profile, "org": n.Orgs[0].Name, "certificate": c.Certificate, "key": c.Key,
			"channel": c.Channel, "chaincode": c.Chaincode, "dir": filepath.Join(dir, "memory"),
		},
	}}
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
