// Command fuzzall runs every fuzz target of the repository, those of its nested modules included, each for the same time and
// several at once, and prints what each did: `go run ./test/fuzzall -time 10m`. It exits 1 where a target failed; the input
// that did it then stands in the testdata/fuzz folder beside the target, as the Go tool leaves it.
//
// What a target holds is the target's own affair; what it found interesting stays in the Go tool's cache.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "fuzzall:", err)
		os.Exit(1)
	}
}

// plan is what the flags ask for.
type plan struct {
	dir      string
	each     time.Duration
	parallel int
	pattern  *regexp.Regexp
	list     bool
}

// parsePlan reads the flags.
func parsePlan(args []string, out io.Writer) (plan, error) {
	p := plan{}
	flags := flag.NewFlagSet("fuzzall", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&p.dir, "dir", ".", "the folder below which targets are looked for")
	flags.DurationVar(&p.each, "time", time.Minute, "how long each target runs")
	flags.IntVar(&p.parallel, "parallel", runtime.NumCPU(), "how many targets run at once, each with one worker")
	pattern := flags.String("run", "", "only targets whose `folder.Name` this regular expression finds")
	flags.BoolVar(&p.list, "list", false, "list the targets and run none")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if p.each <= 0 || p.parallel <= 0 || flags.NArg() > 0 {
		return plan{}, fmt.Errorf("-time and -parallel are above 0, and nothing follows the flags")
	}
	var err error
	if p.pattern, err = regexp.Compile(*pattern); err != nil {
		return plan{}, fmt.Errorf("-run: %w", err)
	}
	return p, nil
}

// run finds the targets, runs them and prints the table.
func run(ctx context.Context, args []string, out io.Writer) error {
	p, err := parsePlan(args, out)
	if err != nil {
		return err
	}
	targets, err := find(p.dir, p.pattern)
	if err != nil {
		return err
	}
	if len(targets) == 0 {
		return fmt.Errorf("no fuzz target below %s matches %q", p.dir, p.pattern)
	}
	if p.list {
		for _, t := range targets {
			fmt.Fprintln(out, t)
		}
		return nil
	}
	rounds := (len(targets) + p.parallel - 1) / p.parallel
	fmt.Fprintf(out, "%d targets, %d at once, %v each: about %v\n", len(targets), p.parallel, p.each, time.Duration(rounds)*p.each)
	return report(out, runAll(ctx, p, targets, out))
}

// runAll runs the targets, p.parallel at once, and says of each when it is done.
func runAll(ctx context.Context, p plan, targets []target, out io.Writer) []outcome {
	outcomes := make([]outcome, len(targets))
	var printing sync.Mutex
	next := make(chan int)
	var workers sync.WaitGroup
	for range p.parallel {
		workers.Go(func() {
			for i := range next {
				outcomes[i] = fuzz(ctx, targets[i], p.each)
				printing.Lock()
				fmt.Fprintf(out, "%s %s: %s\n", time.Now().Format(time.TimeOnly), targets[i], outcomes[i])
				printing.Unlock()
			}
		})
	}
	for i := range targets {
		next <- i
	}
	close(next)
	workers.Wait()
	return outcomes
}

// report prints the table, below it what the failed ones said, and returns an error if any failed.
func report(out io.Writer, outcomes []outcome) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\ntarget\texecs\tnew interesting\tverdict")
	failed := 0
	for _, o := range outcomes {
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", o.target, o.execs, o.interesting, o.verdict)
		if o.verdict != passed {
			failed++
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, o := range outcomes {
		if o.verdict != passed {
			fmt.Fprintf(out, "\n--- %s: %s\n%s\n", o.target, o.verdict, o.said)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d targets did not pass", failed, len(outcomes))
	}
	return nil
}
