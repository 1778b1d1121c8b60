package fabric_test

import (
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
)

// TestSuite runs the conformance suite of ledgers on one contract.
func TestSuite(t *testing.T) {
	config := deploy(t)
	dirs, configs := map[anchor.Ledger]string{}, map[anchor.Ledger]fabric.Config{}
	start := func(t testing.TB, c fabric.Config, dir string) anchor.Ledger {
		l := open(t, c, dir)
		dirs[l], configs[l] = dir, c
		return l
	}
	ledgertest.Run(t, ledgertest.Subject{
		Open: func(t testing.TB, _ ...anchor.VerifierKey) anchor.Ledger { return start(t, config, t.TempDir()) },
		Reopen: func(t testing.TB, l anchor.Ledger) anchor.Ledger {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return start(t, configs[l], dirs[l])
		},
		Verify:   fabric.Verify,
		Unsigned: true,
	})
}
