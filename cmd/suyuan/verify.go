package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/anchor/witness"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// verifier knows every ledger's evidence.
func verifier() *anchor.Verifier {
	return &anchor.Verifier{
		Ledgers: map[string]anchor.EvidenceVerifier{
			notary.Name: notary.Verify, witness.Kind: witness.Verify, fabric.Name: fabric.Verify,
		},
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
	var consistency []string
	cmd := &cobra.Command{
		Use: "verify RECEIPT…", Short: "Verify receipts offline", Args: cobra.MinimumNArgs(1),
		Long: `Verify receipts offline: the event, its leaf record, the inclusion proof, the signed checkpoint and the ledger's
evidence. Exit code 0 only if everything holds; otherwise the check that failed is named. A receipt may be - for
standard input.

Without --trust a receipt is checked against the keys that it carries itself: that shows that nothing was altered, not
whose log it is. With --trust it must be the log and the ledgers that the file names (get it from the hub's operator by
another way than the receipt; the hub shows it at /v1/trust). Its rule says how many of the ledgers and witnesses must have
witnessed.

Several receipts of one log are compared, too: two that contradict each other prove that the hub shows two histories, and the exit
code is 1. Receipts under different checkpoints may share nothing that could contradict; --consistency gives a proof that the one
checkpoint extends the other, from the hub at /v1/anchors/{size}/consistency?from={smaller size}.`,
		Example: "  suyuan verify receipt-7.json\n  suyuan verify --trust trust.yaml receipt-*.json\n" +
			"  suyuan verify --consistency growth.json mine.json theirs.json",
		RunE: func(_ *cobra.Command, args []string) error {
			trust, err := readTrust(trustFile)
			if err != nil {
				return err
			}
			ok := true
			cmp := comparison{std: std, trust: trust, quiet: asJSON}
			for _, name := range args {
				b, err := readInput(name, std.in)
				if err != nil {
					return err
				}
				good, err := verifyOne(std, name, b, trust, asJSON)
				if err != nil {
					return err
				}
				ok = ok && good && cmp.add(name, b)
			}
			held, err := cmp.conclude(consistency)
			return failedUnless(ok && held, err)
		},
	}
	cmd.Flags().StringVar(&trustFile, "trust", "", "trust file: the log keys and ledgers to believe")
	cmd.Flags().StringArrayVar(&consistency, "consistency", nil, "consistency proof between checkpoints, as often as needed")
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

// comparison puts together what the receipts of one run say of each log.
type comparison struct {
	std   stdio
	trust *anchor.Trust
	quiet bool
	// views and keys are by origin; count is how many receipts a view has seen.
	views map[string]*anchor.View
	keys  map[string][]anchor.VerifierKey
	count map[string]int
}

// add adds a receipt that verifies, and reports whether it contradicts none before.
func (c *comparison) add(name string, receipt []byte) bool {
	r, err := anchor.ParseReceipt(receipt)
	if err != nil {
		return false // cannot happen: it was verified
	}
	key, err := anchor.ParseVerifierKey(r.Key)
	if err != nil {
		return false // the same
	}
	if c.views == nil {
		c.views, c.keys, c.count = map[string]*anchor.View{}, map[string][]anchor.VerifierKey{}, map[string]int{}
	}
	if c.views[key.Name()] == nil {
		c.views[key.Name()] = anchor.NewView(key.Name(), c.trust.HashOr(key.Hash()))
	}
	c.keys[key.Name()] = append(c.keys[key.Name()], key)
	c.count[key.Name()]++
	if err := c.views[key.Name()].Add(name, r); err != nil {
		printFault(c.std.err, err)
		return false
	}
	return true
}

// conclude checks the consistency proofs and says what the comparison shows.
func (c *comparison) conclude(proofs []string) (bool, error) {
	for _, name := range proofs {
		b, err := readInput(name, c.std.in)
		if err != nil {
			return false, err
		}
		if len(c.views) != 1 {
			return false, usageError{errors.New("--consistency needs valid receipts of exactly one log")}
		}
		for origin, view := range c.views {
			if err := view.Grow(name, b, c.keys[origin]...); err != nil {
				printFault(c.std.err, err)
				return false, nil
			}
			fmt.Fprintf(c.std.out, "consistent %s: its checkpoints of %s extend each other and fit the receipts\n", name, origin)
		}
	}
	for origin, view := range c.views {
		if c.count[origin] > 1 && !c.quiet {
			fmt.Fprintf(c.std.out, "no contradiction between %d receipts of %s (%d parts of the tree stand in several)\n",
				c.count[origin], origin, view.Shared())
		}
	}
	return true, nil
}
