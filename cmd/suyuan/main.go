// Command suyuan is the hub: one binary with everything embedded, and the tools around it. This package reads flags and
// files, wires the packages in the order in which data flows, and prints; what is decided is decided below it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/hub"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // who does not want to wait asks a second time: that ends the process at once
	code := run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// The exit codes of every command.
const (
	exitOK          = 0
	exitFailed      = 1 // what was asked for does not hold, or failed
	exitInvalid     = 2 // bad input, flags or configuration
	exitEnvironment = 3 // something around the hub is missing or down
)

// errFailed ends a command with exitFailed after it has said why itself.
var errFailed = errors.New("failed")

// usageError is a mistake in flags or arguments.
type usageError struct{ error }

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, std stdio) int {
	root := rootCommand(std)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(std.err, "suyuan: interrupted")
		return exitFailed
	}
	var said codeError
	if err != nil && !errors.Is(err, errFailed) && !errors.As(err, &said) {
		printFault(std.err, err)
	}
	return exitCode(err)
}

// exitCode is the one table that turns errors into exit codes.
func exitCode(err error) int {
	var usage usageError
	var code codeError
	switch {
	case errors.As(err, &code):
		return int(code)
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &usage):
		return exitInvalid
	}
	switch hub.KindOf(err) {
	case hub.Invalid, hub.NotFound, hub.Unsupported, hub.TooLarge:
		return exitInvalid
	case hub.Unavailable, hub.Unauthorized, hub.Forbidden:
		return exitEnvironment
	case hub.Internal, hub.Conflict:
		return exitFailed
	}
	return exitFailed
}

// printFault prints every fault of err on a line of its own, its hint below it.
func printFault(w io.Writer, err error) {
	if many, ok := errors.AsType[hub.Faults](err); ok {
		for _, f := range many {
			printOne(w, f)
		}
		return
	}
	if f, ok := errors.AsType[*hub.Fault](err); ok {
		printOne(w, f)
		return
	}
	fmt.Fprintf(w, "suyuan: %v\n", err)
}

func printOne(w io.Writer, f *hub.Fault) {
	plain := *f
	plain.Hint = ""
	fmt.Fprintf(w, "%s: %s\n", plain.Error(), f.Code)
	if f.Hint != "" {
		fmt.Fprintf(w, "    → %s\n", f.Hint)
	}
}

func rootCommand(std stdio) *cobra.Command {
	root := &cobra.Command{
		Use:   "suyuan",
		Short: "Supply-chain integration hub: from any legacy system to EPCIS events that anyone can verify",
		Long: `Suyuan (溯源) takes supply-chain records from where they are, turns them into GS1 EPCIS 2.0 events,
and commits them to a ledger, so that whoever holds a receipt can check it without trusting the hub.

Begin with:  suyuan demo

Exit codes: 0 ok; 1 what was asked for does not hold, or failed; 2 bad input, flags or configuration; 3 something around the
hub is missing, down or does not let it in. $SUYUAN_URL and $SUYUAN_KEY say which hub the commands speak to that need one.`,
		SilenceUsage: true, SilenceErrors: true, Version: version(),
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(commands(std)...)
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultCompletionCmd() // cobra would add it later, with mistakes that wrapArgs has not seen
	wrapArgs(root)
	return root
}

// commands lists every command, in the order of the help.
func commands(std stdio) []*cobra.Command {
	return []*cobra.Command{
		demoCommand(std), serveCommand(std), checkCommand(std), connectorCommand(std), deadCommand(std), replayCommand(std),
		backupCommand(std), restoreCommand(std), rebuildCommand(std), exportCommand(std),
		verifyCommand(std), witnessCommand(std), ledgerCommand(std), keyCommand(std), epcisCommand(std), gs1Command(std), decodeCommand(std), webhookCommand(std), benchCommand(std),
		versionCommand(std),
	}
}

// wrapArgs makes a wrong number of arguments, and a subcommand that there is not, usage errors.
func wrapArgs(cmd *cobra.Command) {
	switch check := cmd.Args; {
	case cmd.HasSubCommands():
		cmd.Args = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(c, args[0])
		}
		cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	case check != nil:
		cmd.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) != nil {
				return wrongArguments(c, check, args)
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
}

// helpCommand is cobra's, and refuses what is no command.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND…]", Short: "Help about any command",
		Example: "  suyuan help connector new",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil {
				return usageError{err}
			}
			if len(rest) > 0 {
				return unknownCommand(cmd, rest[0])
			}
			return cmd.Help()
		},
	}
}

// unknownCommand is the fault of a misspelt subcommand.
func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	hint := "see: " + cmd.CommandPath() + " --help"
	if like := cmd.SuggestionsFor(name); len(like) > 0 {
		hint = "did you mean: " + cmd.CommandPath() + " " + like[0]
	}
	return usageError{fmt.Errorf("there is no command %q\n    → %s", cmd.CommandPath()+" "+name, hint)}
}

func versionCommand(std stdio) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(std.out, "suyuan", version())
			return err
		},
	}
}

// version is the module's version as the build recorded it, or the revision that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	v := info.Main.Version
	if v == "" {
		v = "(devel)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v == "(devel)" {
			v += " " + s.Value[:min(12, len(s.Value))]
		}
	}
	return v
}
