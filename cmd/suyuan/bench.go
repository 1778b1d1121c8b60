package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
)

// benchSecret signs the load; it protects nothing.
const benchSecret = "whsec_YmVuY2htYXJrLXNlY3JldC1vZi10aGUtbG9hZC1nZW5lcmF0b3I=" //nolint:gosec // made for the load

// benchRun is one call of a subcommand of bench.
type benchRun struct {
	std        stdio
	load       bench.Load
	runs       int
	floor      bool
	peer       string
	client     string
	durability string
	dir        string
	profile    string
	postgres   string
}

func benchCommand(std stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use: "bench", Short: "Load a hub of its own and say what it bears",
		Long: `Each subcommand starts a hub of its own in a temporary folder, loads it over HTTP or by files, and waits until everything is
mapped, validated, recorded and anchored. It prints records a second end to end, latency of the answers, processor time, peak
memory and bytes in the store for each record, and fails unless accepted, recorded and anchored are the same number.

Records have about 700 bytes and are mapped by a YAML mapping of the sample's brand record. Figures of a shared machine mean
something only as ratios within one run: measure against --floor, --peer or --durability with --runs 5, which runs the
contenders by turns and prints medians. --postgres records in a PostgreSQL database, in a schema that is dropped again, and with it those
that killed runs have left; where its server runs on this machine, its processor time is printed beside the hub's.

docs/performance.md has the commands behind every published figure.`,
		Example: "  suyuan bench ingest --records 100000 --batch 100 --floor --runs 5\n  suyuan bench import --format csv\n" +
			"  suyuan bench growth --sizes 100000,1000000 --plot growth.svg\n  suyuan bench overload --duration 10m\n" +
			"  suyuan bench ingest --batch 100 --postgres 'postgres://user:password@127.0.0.1:5432/scratch'",
	}
	cmd.AddCommand(benchIngest(std), benchImport(std), benchCapture(std), benchVisible(std), benchGrowth(std), benchOverload(std))
	return cmd
}

// newBench makes a subcommand with the flags that all have. run is called with the flags checked.
func newBench(std stdio, cmd *cobra.Command, records, connections int, run func(*benchRun, context.Context) error) (*cobra.Command, *benchRun, *pflag.FlagSet) {
	b := &benchRun{std: std}
	b.load.Batch = 1
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := b.check(); err != nil {
			return err
		}
		if err := run(b, cmd.Context()); err != nil {
			return cmp.Or(cmd.Context().Err(), err)
		}
		return nil
	}
	f := cmd.Flags()
	f.IntVar(&b.load.Records, "records", records, "records in all")
	f.IntVar(&b.load.Connections, "connections", connections, "requests at a time")
	f.StringVar(&b.durability, "durability", "strict", "strict or relaxed, as in the configuration; both: one after the other")
	f.StringVar(&b.dir, "dir", "", "folder to work in; a temporary one when not given")
	f.StringVar(&b.postgres, "postgres", "", "URL of a PostgreSQL database to record in, in a schema that is dropped again; the embedded store when not given")
	f.StringVar(&b.profile, "cpuprofile", "", "write a CPU profile of the (last) hub to this file")
	return cmd, b, f
}

func (b *benchRun) check() error {
	if b.load.Records < 1 || b.load.Batch < 1 || b.load.Connections < 1 || b.runs < 0 {
		return usageError{errors.New("records, batch, connections and runs must be at least 1")}
	}
	if b.durability != "strict" && b.durability != "relaxed" && b.durability != "both" {
		return usageError{errors.New("durability is strict, relaxed or both")}
	}
	if b.client != "" && b.client != "own" && b.client != "net/http" {
		return usageError{errors.New("client is own or net/http")}
	}
	b.load.Plain = b.client == "net/http"
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
	return nil
}

// hubs are the durabilities to measure.
func (b *benchRun) hubs() []string {
	if b.durability == "both" {
		return []string{"strict", "relaxed"}
	}
	return []string{b.durability}
}

// contender is one of those that are measured by turns.
type contender struct {
	name string
	run  func(ctx context.Context) (bench.Result, error)
}

// compare runs the contenders by turns and prints each run, the medians, and the first's ratio to the others.
func (b *benchRun) compare(ctx context.Context, contenders []contender) error {
	results := make([][]bench.Result, len(contenders))
	for range max(b.runs, 1) {
		for i, c := range contenders {
			r, err := c.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			fmt.Fprintln(b.std.out, r)
			results[i] = append(results[i], r)
		}
	}
	if b.runs > 1 {
		fmt.Fprintf(b.std.out, "medians of %d runs:\n", b.runs)
		for _, r := range results {
			fmt.Fprintln(b.std.out, bench.Median(r))
		}
	}
	first := bench.Median(results[0])
	for _, r := range results[1:] {
		other := bench.Median(r)
		fmt.Fprintf(b.std.out, "%s = %.2f × %s\n", first.Name, first.Rate()/other.Rate(), other.Name)
	}
	return nil
}

// withHub runs fn against a fresh hub in a process of its own.
func (b *benchRun) withHub(ctx context.Context, durability string, fn func(t bench.Target, dir string) error) (err error) {
	dir, err := os.MkdirTemp(b.dir, "suyuan-bench-")
	if err != nil {
		return hub.Faultf(hub.Unavailable, "bench.folder", "cannot make a folder to work in").Because(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if durability == "both" {
		durability = "strict"
	}
	store, db, err := openBenchStore(ctx, b.postgres)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	if err := bench.Write(dir, benchSecret, durability, store); err != nil {
		return err
	}
	p, err := startHub(ctx, dir, b.profile)
	if err != nil {
		return err
	}
	defer p.stop()
	return fn(bench.Target{URL: p.url, Key: p.key, Usage: func() (bench.Usage, error) { return db.add(p.usage()) }}, dir)
}

func (b *benchRun) progress(done int) {
	if f, ok := b.std.err.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprintf(f, "\r%d of %d ", done, b.load.Records)
		}
	}
}
