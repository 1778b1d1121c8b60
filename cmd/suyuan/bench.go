package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
)

// benchSecret signs the load; it protects nothing.
const benchSecret = "whsec_YmVuY2htYXJrLXNlY3JldC1vZi10aGUtbG9hZC1nZW5lcmF0b3I=" //nolint:gosec // made for the load

// benchRun is one `suyuan bench ingest`.
type benchRun struct {
	std        stdio
	load       bench.Load
	runs       int
	floor      bool
	durability string
	dir        string
}

func benchCommand(std stdio) *cobra.Command {
	b := &benchRun{std: std}
	cmd := &cobra.Command{Use: "bench", Short: "Load a hub of its own and say what it bears"}
	ingest := &cobra.Command{
		Use: "ingest", Short: "Post signed webhooks and wait until every record is anchored", Args: cobra.NoArgs,
		Long: `Start a hub of its own in a temporary folder, post signed webhooks (about 700 bytes a record, mapped by the sample's brand
mapping), and wait until every record is mapped, validated, recorded and anchored. Prints records a second end to end, latency
of the answers, processor time, peak memory and bytes in the store for each record, and checks that accepted, recorded and
anchored are the same number.

With --floor each run is paired with a bare net/http server that only checks the signature, fed by the same generator: figures
of a shared machine mean something only as the ratio of the two.`,
		Example: "  suyuan bench ingest --records 100000 --floor\n  suyuan bench ingest --records 500000 --batch 100 --runs 5",
		RunE:    func(cmd *cobra.Command, _ []string) error { return b.run(cmd.Context()) },
	}
	f := ingest.Flags()
	f.IntVar(&b.load.Records, "records", 50000, "records in all")
	f.IntVar(&b.load.Batch, "batch", 1, "records in one request")
	f.IntVar(&b.load.Connections, "connections", 64, "requests at a time")
	f.IntVar(&b.runs, "runs", 1, "runs, each on a fresh hub")
	f.BoolVar(&b.floor, "floor", false, "measure the floor beside each run")
	f.StringVar(&b.durability, "durability", "strict", "strict or relaxed, as in the configuration")
	f.StringVar(&b.dir, "dir", "", "folder to work in; a temporary one when not given")
	cmd.AddCommand(ingest)
	return cmd
}

func (b *benchRun) run(ctx context.Context) error {
	if b.load.Records < 1 || b.load.Batch < 1 || b.load.Connections < 1 || b.runs < 1 {
		return usageError{errors.New("records, batch, connections and runs must be at least 1")}
	}
	scheme, _ := webhook.Preset("standard-webhooks")
	v, err := webhook.NewVerifier(scheme, benchSecret)
	if err != nil {
		return err
	}
	b.load.Sign = func(id string, body []byte) (http.Header, error) {
		r, err := v.Sign(body, "application/json", id, time.Now())
		if err != nil {
			return nil, err
		}
		return r.Header, nil
	}
	fmt.Fprintf(b.std.out, "%d records, %d a request, %d connections, %s\n", b.load.Records, b.load.Batch, b.load.Connections, b.durability)
	for range b.runs {
		hubResult, err := b.hub(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(b.std.out, hubResult)
		if !b.floor {
			continue
		}
		floor, err := b.bare(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintln(b.std.out, floor)
		fmt.Fprintf(b.std.out, "%-10s %8.2f of the floor\n", "ratio", hubResult.Rate()/floor.Rate())
	}
	return nil
}

// hub runs the load against a fresh hub in a process of its own.
func (b *benchRun) hub(ctx context.Context) (bench.Result, error) {
	dir, err := os.MkdirTemp(b.dir, "suyuan-bench-")
	if err != nil {
		return bench.Result{}, hub.Faultf(hub.Unavailable, "bench.folder", "cannot make a folder to work in").Because(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := bench.Write(dir, benchSecret, b.durability); err != nil {
		return bench.Result{}, err
	}
	p, err := startHub(ctx, dir)
	if err != nil {
		return bench.Result{}, err
	}
	defer p.stop()
	t := bench.Target{URL: p.url, Path: "/in/bench", Key: p.key, Usage: p.usage}
	if b.load.Batch > 1 {
		t.Path = "/in/bench-batch"
	}
	return bench.Run(ctx, "suyuan", b.load, t, b.progress)
}

// bare runs the load against the floor.
func (b *benchRun) bare(ctx context.Context) (bench.Result, error) {
	url, stop, err := bench.Floor(benchSecret)
	if err != nil {
		return bench.Result{}, err
	}
	defer func() { _ = stop() }()
	return bench.Run(ctx, "floor", b.load, bench.Target{URL: url, Path: "/"}, nil)
}

func (b *benchRun) progress(done int) {
	if f, ok := b.std.err.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintf(f, "\r%d of %d ", done, b.load.Records)
		}
	}
}

// hubProcess is a hub in a process of its own.
type hubProcess struct {
	cmd      *exec.Cmd
	dir      string
	url, key string
}

// startHub starts this binary as a hub in dir and waits until it listens.
func startHub(ctx context.Context, dir string) (*hubProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &hubProcess{dir: dir, cmd: exec.CommandContext(ctx, self, "serve", "--config", filepath.Join(dir, "suyuan.yaml"))}
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, hub.Faultf(hub.Unavailable, "bench.start", "cannot start a hub").Because(err)
	}
	lines := bufio.NewScanner(out)
	for p.key == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			p.url = url
		}
		_, p.key, _ = strings.Cut(lines.Text(), "keep it): ")
	}
	if p.key == "" {
		p.stop()
		return nil, hub.Faultf(hub.Unavailable, "bench.start", "the hub did not start")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	return p, nil
}

func (p *hubProcess) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// usage reads the process's figures from /proc (proc_pid_stat(5), proc_pid_status(5)).
func (p *hubProcess) usage() (bench.Usage, error) {
	var u bench.Usage
	pid := strconv.Itoa(p.cmd.Process.Pid)
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return u, nil //nolint:nilerr // not Linux: these figures are left out
	}
	const userTime, systemTime, ticksPerSecond = 11, 12, 100
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	for _, i := range []int{userTime, systemTime} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return u, fmt.Errorf("read processor time: %w", err)
		}
		u.CPU += time.Duration(ticks) * time.Second / ticksPerSecond
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return u, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return u, fmt.Errorf("read memory: %w", err)
			}
			u.Peak = kib << 10
		}
	}
	names, err := filepath.Glob(filepath.Join(p.dir, "data", "hub.db*"))
	if err != nil {
		return u, err
	}
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			u.Disk += info.Size()
		}
	}
	return u, nil
}
