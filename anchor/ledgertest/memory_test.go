package ledgertest_test

import (
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
)

func TestMemory(t *testing.T) {
	ledgertest.Run(t, ledgertest.Subject{
		Open:   func(_ testing.TB, logs ...anchor.VerifierKey) anchor.Ledger { return &ledgertest.Memory{Logs: logs} },
		Verify: ledgertest.VerifyMemory,
	})
}
