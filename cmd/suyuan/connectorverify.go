package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	connexec "github.com/suyuan-io/suyuan/connectors/exec"
)

func connectorVerifyCommand(std stdio) *cobra.Command {
	var config []string
	var patience, quiet time.Duration
	var verbose bool
	cmd := &cobra.Command{
		Use: "verify [flags] -- CMD [ARG…]", Short: "Put an exec adapter through what the hub will ask of it", Args: cobra.MinimumNArgs(1),
		Long: `Run an adapter for the kind exec and check that it keeps to the protocol: that it gives the same records again after a crash at
any point, resumes where it is told to, waits when nobody reads, and ends when it should. Let it read a sample of at least
three records. One line a case; the exit status is 1 when one fails.`,
		Example: "  suyuan connector verify --config path=orders.csv -- python3 csv_tail.py",
		RunE: func(cmd *cobra.Command, args []string) error {
			t := connexec.Trial{Command: args, Dir: ".", Config: map[string]string{}, Patience: patience, Quiet: quiet}
			for _, pair := range config {
				name, value, ok := strings.Cut(pair, "=")
				if !ok {
					return usageError{fmt.Errorf("--config %s: write NAME=VALUE", pair)}
				}
				t.Config[name] = value
			}
			if verbose {
				t.Said = func(line string) { fmt.Fprintln(std.err, "  adapter:", line) }
			}
			passed := connexec.Verify(cmd.Context(), t, func(c connexec.Case) {
				if c.Err == nil {
					fmt.Fprintf(std.out, "ok    %s\n", c.Name)
					return
				}
				fmt.Fprintf(std.out, "FAIL  %s: %v\n", c.Name, c.Err)
			})
			return failedUnless(passed, nil)
		},
	}
	cmd.Flags().StringArrayVar(&config, "config", nil, "NAME=VALUE of the adapter's config, as often as needed")
	cmd.Flags().DurationVar(&patience, "patience", 10*time.Second, "how long an answer may take")
	cmd.Flags().DurationVar(&quiet, "quiet", time.Second, "how long nothing must come for the sample to count as read to its end")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show what the adapter writes to standard error")
	cmd.Flags().SetInterspersed(false)
	return cmd
}
