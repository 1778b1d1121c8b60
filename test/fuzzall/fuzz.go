package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The verdicts on one target.
const (
	passed  = "ok"
	crashed = "crash"  // an input failed it
	broken  = "failed" // it did not run: it does not build, its seeds fail, it was stopped, or the time was too short for one input
)

// outcome is what one target did.
type outcome struct {
	target      target
	execs       int64
	interesting int64
	verdict     string
	said        string // the whole output
}

// String is the outcome on one line.
func (o outcome) String() string {
	return fmt.Sprintf("%s, %d execs, %d new interesting", o.verdict, o.execs, o.interesting)
}

// buildTime is what a target may need beyond its time: the compiler, the seeds, and making a crash smaller.
const buildTime = 10 * time.Minute

// fuzz runs one target with one worker and waits until it is done.
func fuzz(ctx context.Context, t target, each time.Duration) outcome {
	ctx, cancel := context.WithTimeout(ctx, each+buildTime)
	defer cancel()
	exact := "^" + t.name + "$"
	// Minimizing is bounded by tries: by time, the first new inputs alone would take all of a run.
	cmd := exec.CommandContext(ctx, "go", "test", "-run="+exact, "-fuzz="+exact, "-fuzztime="+each.String(), "-fuzzminimizetime=10x", "-parallel=1", "-timeout=0", ".")
	cmd.Dir = t.path
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the workers end with the tool
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.CombinedOutput()
	o := outcome{target: t, said: string(out)}
	o.execs, o.interesting = progress(o.said)
	if o.verdict = verdict(o.said, err, ctx.Err()); o.verdict == passed && o.execs == 0 {
		o.verdict = broken
	}
	if err != nil && len(out) == 0 {
		o.said = err.Error()
	}
	return o
}

// progressLine is what the Go tool prints every three seconds.
var progressLine = regexp.MustCompile(`(?m)^fuzz: elapsed: .*execs: (\d+) .*new interesting: (\d+) `)

// progress reads the last line of progress.
func progress(said string) (execs, interesting int64) {
	lines := progressLine.FindAllStringSubmatch(said, -1)
	if len(lines) == 0 {
		return 0, 0
	}
	last := lines[len(lines)-1]
	execs, _ = strconv.ParseInt(last[1], 10, 64)       // digits, by the expression
	interesting, _ = strconv.ParseInt(last[2], 10, 64) // the same
	return execs, interesting
}

// verdict judges what the Go tool said. A worker that is in the middle of an input when the time is up makes the tool fail with
// "context deadline exceeded" and no failing input; that is no failure of the target.
func verdict(said string, err, stopped error) string {
	switch {
	case err == nil:
		return passed
	case strings.Contains(said, "Failing input written to") || strings.Contains(said, "panic:"):
		return crashed
	case stopped == nil && strings.Contains(said, "context deadline exceeded") && progressLine.MatchString(said):
		return passed
	}
	return broken
}
