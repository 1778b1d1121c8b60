package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// verifier knows every ledger's evidence.
func verifier() *anchor.Verifier {
	return &anchor.Verifier{
		Ledgers: map[string]anchor.EvidenceVerifier{notary.Name: notary.Verify, fabric.Name: fabric.Verify},
		EventHash: func(event []byte) (string, error) {
			e, err := epcis.ParseEvent(event, nil)
			if err != nil {
				return "", err
			}
			return e.Hash(epcis.CBV20)
		},
	}
}

func verifyCommand(std stdio) *cobra.Command {
	var trustFile string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "verify RECEIPT…", Short: "Verify receipts offline", Args: cobra.MinimumNArgs(1),
		Long: `Verify receipts offline: the event, its leaf record, the inclusion proof, the signed checkpoint and the ledger's
evidence. Exit code 0 only if everything holds; otherwise the check that failed is named. A receipt may be - for
standard input.

Without --trust a receipt is checked against the keys that it carries itself: that shows that nothing was altered, not
whose log it is. With --trust it must be the log and the ledgers that the file names (get it from the hub's operator by
another way than the receipt; the hub shows it at /v1/trust).`,
		Example: "  suyuan verify receipt-7.json\n  suyuan verify --trust trust.yaml receipt-*.json",
		RunE: func(_ *cobra.Command, args []string) error {
			trust, err := readTrust(trustFile)
			if err != nil {
				return err
			}
			ok := true
			for _, name := range args {
				b, err := readInput(name, std.in)
				if err != nil {
					return err
				}
				good, err := verifyOne(std, name, b, trust, asJSON)
				if err != nil {
					return err
				}
				ok = ok && good
			}
			return failedUnless(ok, nil)
		},
	}
	cmd.Flags().StringVar(&trustFile, "trust", "", "trust file: the log keys and ledgers to believe")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON, one object a receipt")
	return cmd
}

func readTrust(name string) (*anchor.Trust, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // no trust file means no pinned keys
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "trust.unreadable", "cannot read the trust file").Because(err)
	}
	return anchor.ParseTrust(b)
}

// verifyOne verifies and reports one receipt.
func verifyOne(std stdio, name string, receipt []byte, trust *anchor.Trust, asJSON bool) (bool, error) {
	report, err := verifier().Verify(receipt, trust)
	if report == nil {
		return false, err
	}
	if asJSON {
		return report.OK, json.NewEncoder(std.out).Encode(map[string]any{"file": name, "report": report})
	}
	verdict := "valid"
	if !report.OK {
		verdict = "INVALID"
	}
	fmt.Fprintf(std.out, "%s %s\n", verdict, name)
	for _, c := range report.Checks {
		mark := "ok    "
		if !c.OK {
			mark = "FAILED"
		}
		fmt.Fprintf(std.out, "  %s %-11s %s\n", mark, c.Name, c.Detail)
	}
	return report.OK, nil
}
