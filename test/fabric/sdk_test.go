package fabric_test

import (
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	osexec "os/exec"
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/anchor/exec"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

// TestLedgerOfPeersBeforeTheGateway puts ledgers/fabric-sdk-go, which speaks the protocol of peers before 2.4, through the trial
// of ledgers out of process. Peers of today still speak it; the programs of Fabric 2.3 are the real case.
func TestLedgerOfPeersBeforeTheGateway(t *testing.T) {
	n, c := network(t), deploy(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "fabric-sdk-go")
	build := osexec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "ledgers", "fabric-sdk-go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v: %.2000s", err, out)
	}
	t.Logf("%d of %d authorities have a certificate with a high s", highS(t, n), len(n.Orgs))
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

// highS returns how many of the organisations' authorities have a certificate whose signature has a high s, which the SDK's
// own membership service refuses.
func highS(t *testing.T, n *fabricnet.Network) int {
	t.Helper()
	count := 0
	for _, o := range n.Orgs {
		cert, key := o.Authority()
		authority := fabrictest.LoadMember(t, o.MSP, cert, key)
		var signature struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(authority.Cert.Signature, &signature); err != nil {
			t.Fatal(err)
		}
		if signature.S.Cmp(new(big.Int).Rsh(elliptic.P256().Params().N, 1)) > 0 {
			count++
		}
	}
	return count
}
