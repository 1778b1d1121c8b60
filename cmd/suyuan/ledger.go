package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/exec"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
)

func ledgerCommand(std stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Tools for ledgers out of process"}
	cmd.AddCommand(ledgerVerifyCommand(std))
	return cmd
}

func ledgerVerifyCommand(std stdio) *cobra.Command {
	var config []string
	var verbose bool
	t := exec.Trial{Dir: "."}
	cmd := &cobra.Command{
		Use: "verify [flags] -- CMD [ARG…]", Short: "Put a ledger's program through what the hub will ask of it", Args: cobra.MinimumNArgs(1),
		Long: `Run a program that is a ledger (docs/ledger-exec.md) and check that it keeps to the protocol and does what every ledger must:
that it holds what it answered for, also after kill -9, gives a repeated commit its first evidence, refuses a log that rewrites
its history, and tells good evidence from forged. It writes checkpoints of logs with names of their own,
"suite.example/…", to the ledger that its config names. One line a case; the exit status is 1 when one fails.`,
		Example: "  suyuan ledger verify --config dir=./chain -- python3 ledger.py",
		RunE: func(cmd *cobra.Command, args []string) error {
			t.Config.Command, t.Config.Config = args, map[string]string{}
			for _, pair := range config {
				name, value, ok := strings.Cut(pair, "=")
				if !ok {
					return usageError{fmt.Errorf("--config %s: write NAME=VALUE", pair)}
				}
				t.Config.Config[name] = value
			}
			if verbose {
				t.Said = func(line string) { fmt.Fprintln(std.err, "  ledger:", line) }
			}
			t.Verify = verifier().Ledgers[t.Config.Kind]
			passed := t.Run(cmd.Context(), func(c exec.Case) {
				skipped, skip := errors.AsType[ledgertest.Skipped](c.Err)
				switch {
				case skip:
					fmt.Fprintf(std.out, "skip  %s: %s\n", c.Name, string(skipped))
				case c.Err != nil:
					fmt.Fprintf(std.out, "FAIL  %s: %v\n", c.Name, c.Err)
				default:
					fmt.Fprintf(std.out, "ok    %s\n", c.Name)
				}
			})
			return failedUnless(passed, nil)
		},
	}
	cmd.Flags().StringArrayVar(&config, "config", nil, "NAME=VALUE of the program's config, as often as needed")
	cmd.Flags().StringVar(&t.Config.Kind, "kind", "", "kind of evidence that it must give; fabric is then checked by the hub's own verifier")
	cmd.Flags().DurationVar(&t.Config.Answer, "patience", 25*time.Second, "how long an answer may take")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show what the program writes to standard error")
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// verifiers know every ledger's evidence, and that of ledgers whose programs are named.
type verifiers struct {
	*anchor.Verifier

	programs []*exec.Verifier
}

// openVerifiers returns the verifier with programs, each KIND=COMMAND.
func openVerifiers(programs []string) (*verifiers, error) {
	v := &verifiers{Verifier: verifier()}
	for _, p := range programs {
		kind, command, ok := strings.Cut(p, "=")
		c := exec.Config{Kind: kind, Command: strings.Fields(command)}
		if !ok || len(c.Command) == 0 || v.Ledgers[kind] != nil {
			return nil, usageError{fmt.Errorf("--ledger %s: write KIND=COMMAND, once for each kind that the hub does not have itself", p)}
		}
		program := exec.OpenVerifier(c, ".")
		v.programs = append(v.programs, program)
		v.Ledgers[kind] = program.Verify
	}
	return v, nil
}

// close ends the programs.
func (v *verifiers) close() error {
	var errs []error
	for _, p := range v.programs {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
