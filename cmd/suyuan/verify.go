package main

import (
	"bytes"
	"context"
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
	r := verification{std: std}
	cmd := &cobra.Command{
		Use: "verify RECEIPT…", Short: "Verify receipts offline", Args: cobra.MinimumNArgs(1),
		Long: `Verify receipts offline: the event, its leaf record, the inclusion proof, the signed checkpoint and the ledger's
evidence. Exit code 0 only if everything holds; otherwise the check that failed is named. A receipt may be - for
standard input. Bare proofs (c2sp.org/tlog-proof) are verified, too; they need --trust.

Without --trust a receipt is checked against the keys that it carries itself: that shows that nothing was altered, not
whose log it is. With --trust it must be the log and the ledgers that the file names (get it from the hub's operator by
another way than the receipt; the hub shows it at /v1/trust). Its rule says how many of the ledgers and witnesses must have
witnessed.

Several receipts of one log are compared, too: two that contradict each other prove that the hub shows two histories, and the exit
code is 1. Receipts under different checkpoints may share nothing that could contradict; --consistency gives a proof that the one
checkpoint extends the other, from the hub at /v1/anchors/{size}/consistency?from={smaller size}, and --log checks them against the
log itself, as suyuan export has written it: its newest checkpoint must extend the receipt's.

Evidence of a ledger out of process (docs/ledger-exec.md) is checked by its program: --ledger KIND=COMMAND.`,
		Example: "  suyuan verify receipt-7.json\n  suyuan verify --trust trust.yaml receipt-*.json\n" +
			"  suyuan verify --consistency growth.json mine.json theirs.json\n" +
			"  suyuan verify --trust trust.yaml --log https://files.example.com/log receipt-7.json",
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, flag := range []string{"trust", "log"} { // a variable that is not set must not become a check that is not made
				if f := cmd.Flags().Lookup(flag); f.Changed && f.Value.String() == "" {
					return usageError{fmt.Errorf("--%s is empty", flag)}
				}
			}
			return r.run(cmd.Context(), args)
		},
	}
	cmd.Flags().StringVar(&r.trustFile, "trust", "", "trust file: the log keys and ledgers to believe")
	cmd.Flags().StringArrayVar(&r.consistency, "consistency", nil, "consistency proof between checkpoints, as often as needed")
	cmd.Flags().StringVar(&r.place, "log", "", "folder or URL of the exported log, whose newest checkpoint must extend each receipt's")
	cmd.Flags().StringArrayVar(&r.programs, "ledger", nil, "KIND=COMMAND: the program that checks this kind of evidence, as often as needed")
	cmd.Flags().BoolVar(&r.asJSON, "json", false, "print the report as JSON, one object a receipt")
	return cmd
}

// verification is a run of the command.
type verification struct {
	std                   stdio
	trustFile, place      string
	consistency, programs []string
	asJSON                bool

	trust    *anchor.Trust
	verifier *anchor.Verifier
}

func (r *verification) run(ctx context.Context, names []string) (err error) {
	if r.trust, err = readTrust(r.trustFile); err != nil {
		return err
	}
	v, err := openVerifiers(r.programs)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	r.verifier = v.Verifier
	ok := true
	cmp := comparison{std: r.std, trust: r.trust, quiet: r.asJSON}
	for _, name := range names {
		b, err := readInput(name, r.std.in)
		if err != nil {
			return err
		}
		report, err := r.verify(ctx, b)
		if report == nil {
			return err
		}
		if err := r.print(name, report); err != nil {
			return err
		}
		ok = ok && report.OK && (isTlogProof(b) || cmp.add(name, b))
	}
	held, err := cmp.conclude(r.consistency)
	return failedUnless(ok && held, err)
}

// isTlogProof reports whether b is meant to be a bare proof.
func isTlogProof(b []byte) bool { return bytes.HasPrefix(b, []byte("c2sp.org/tlog-proof@")) }

// verify verifies one receipt or bare proof. The report is nil if that could not be done.
func (r *verification) verify(ctx context.Context, b []byte) (*anchor.Report, error) {
	var report *anchor.Report
	switch {
	case !isTlogProof(b):
		report, _ = r.verifier.Verify(b, r.trust) // the report says it
	case r.trust == nil:
		return nil, usageError{errors.New("a bare proof names no key\n    → give --trust FILE")}
	default:
		report, _ = anchor.VerifyTlogProof(b, r.trust) // the same
	}
	if r.place == "" || !report.OK {
		return report, nil
	}
	return report, r.inLog(ctx, b, report)
}

// inLog adds to a report whether the exported log extends the receipt's checkpoint.
func (r *verification) inLog(ctx context.Context, b []byte, report *anchor.Report) error {
	note := b
	if receipt, err := anchor.ParseReceipt(b); err == nil {
		note = []byte(receipt.Checkpoint)
	} else if _, after, ok := bytes.Cut(b, []byte("\n\n")); ok {
		note = after
	}
	c, _, err := anchor.ParseCheckpoint(note)
	if err != nil {
		return err // cannot happen: it was verified
	}
	check := anchor.Check{Name: "log", OK: true}
	newest, err := openStatic(r.place).VerifyExtends(ctx, anchor.Signed{Hash: r.trust.HashOr(report.Key.Hash()), Key: report.Key}, c)
	check.Detail = fmt.Sprintf("the log at %s, of %d leaves, extends its checkpoint", r.place, newest.Size)
	if err != nil {
		check.OK, check.Detail, report.OK = false, err.Error(), false
	}
	report.Checks = append(report.Checks, check)
	return nil
}

// print reports one receipt.
func (r *verification) print(name string, report *anchor.Report) error {
	if r.asJSON {
		return json.NewEncoder(r.std.out).Encode(map[string]any{"file": name, "report": report})
	}
	verdict := "valid"
	if !report.OK {
		verdict = "INVALID"
	}
	fmt.Fprintf(r.std.out, "%s %s\n", verdict, name)
	for _, c := range report.Checks {
		mark := "ok    "
		if !c.OK {
			mark = "FAILED"
		}
		fmt.Fprintf(r.std.out, "  %s %-11s %s\n", mark, c.Name, c.Detail)
	}
	return nil
}

const trustHint = "a trust file names the log's keys and its ledgers: the hub's operator gives it out, and the hub shows it at /v1/trust"

func readTrust(name string) (*anchor.Trust, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // no trust file means no pinned keys
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "trust.unreadable", "cannot read the trust file %s", name).Because(cause(err)).WithHint(trustHint)
	}
	t, err := anchor.ParseTrust(b)
	if err != nil {
		f := hub.AsFault(err)
		if f.Hint == "" {
			f.Hint = trustHint
		}
		return nil, f.At(hub.Where{File: name})
	}
	return t, nil
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
