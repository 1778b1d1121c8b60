package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/internal/bench"
)

func benchIngest(std stdio) *cobra.Command {
	cmd, b, f := newBench(std, &cobra.Command{
		Use: "ingest", Short: "Post signed webhooks, one record or a batch a request",
		Long: `Post signed webhooks and wait until every record is anchored. --floor also measures a bare net/http server that only checks
the signature, and for batches one that cuts them without reading them and publishes them to JetStream, unsynced. --peer also
measures whatever answers at that address, such as test/peer.

The generator has the processors in common with what it measures. By itself it writes requests and reads answers in the
cheapest way, so that the servers have most of them; --client net/http sends with Go's own client, as most benchmarks
do, to the hub, the floor and the peer alike. That client takes about as much as a bare server, which brings all of their
figures down and closer to each other. Ratios of the one way say nothing of those of the other.`,
		Example: "  suyuan bench ingest --records 100000 --floor --runs 5\n  suyuan bench ingest --records 100000 --floor --runs 5 --client net/http\n" +
			"  suyuan bench ingest --records 500000 --batch 100 --durability both\n" +
			"  suyuan bench ingest --peer http://127.0.0.1:4195/post",
	}, 50000, 64, (*benchRun).ingest)
	f.IntVar(&b.load.Batch, "batch", 1, "records in one request")
	f.IntVar(&b.runs, "runs", 1, "runs, each on a fresh hub; medians are printed")
	f.BoolVar(&b.floor, "floor", false, "measure the floor beside each run")
	f.StringVar(&b.peer, "peer", "", "address of another server to measure beside each run")
	f.StringVar(&b.client, "client", "own", "own or net/http: what sends the requests, to the hub, the floor and the peer alike")
	return cmd
}

func (b *benchRun) ingest(ctx context.Context) error {
	fmt.Fprintf(b.std.out, "%d records, %d a request, %d connections, client %s\n",
		b.load.Records, b.load.Batch, b.load.Connections, b.client)
	var all []contender
	for _, durability := range b.hubs() {
		all = append(all, contender{durability, func(ctx context.Context) (r bench.Result, err error) {
			err = b.withHub(ctx, durability, func(t bench.Target, _ string) error {
				t.Path = b.path()
				r, err = bench.Run(ctx, "suyuan "+durability, b.load, t, b.progress)
				return err
			})
			return r, err
		}})
	}
	if b.floor {
		all = append(all, contender{"floor", b.bare})
		if b.load.Batch > 1 {
			all = append(all, contender{"raw", b.raw})
		}
	}
	if b.peer != "" {
		all = append(all, contender{"peer", func(ctx context.Context) (bench.Result, error) {
			return bench.Run(ctx, "peer", b.load, bench.Target{URL: b.peer}, nil)
		}})
	}
	return b.compare(ctx, all)
}

// path is the connector that takes the load.
func (b *benchRun) path() string {
	if b.load.Batch > 1 {
		return "/in/bench-batch"
	}
	return "/in/bench"
}

func benchImport(std stdio) *cobra.Command {
	var format string
	cmd, b, f := newBench(std, &cobra.Command{
		Use: "import", Short: "Drop a file of records where the hub looks",
		Long:    "Drop a file of records into a folder that a file connector watches, and wait until every record is anchored.",
		Example: "  suyuan bench import --format ndjson --records 500000 --runs 5\n  suyuan bench import --format csv --keep /tmp/records.csv",
	}, 100000, 1, nil)
	keep := f.String("keep", "", "write the file here as well, for another program to read")
	f.IntVar(&b.runs, "runs", 1, "runs, each on a fresh hub; medians are printed")
	f.StringVar(&format, "format", "ndjson", "ndjson or csv")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if format != "ndjson" && format != "csv" {
			return usageError{fmt.Errorf("%q is neither ndjson nor csv", format)}
		}
		if err := b.check(); err != nil {
			return err
		}
		if *keep != "" {
			if err := bench.WriteFile(*keep, format, "000000", b.load.Records); err != nil {
				return err
			}
		}
		return b.importFile(cmd.Context(), format)
	}
	return cmd
}

func (b *benchRun) importFile(ctx context.Context, format string) error {
	fmt.Fprintf(b.std.out, "a file of %d records\n", b.load.Records)
	var all []contender
	for _, durability := range b.hubs() {
		all = append(all, contender{durability, func(ctx context.Context) (r bench.Result, err error) {
			err = b.withHub(ctx, durability, func(t bench.Target, dir string) error {
				made := filepath.Join(dir, "drop", "records."+format)
				if err := bench.WriteFile(made, format, fmt.Sprint(time.Now().UnixNano()), b.load.Records); err != nil {
					return err
				}
				r, err = bench.Import(ctx, format+" "+durability, t, b.load.Records, func() error {
					return os.Rename(made, filepath.Join(dir, "drop", format, "records."+format))
				})
				return err
			})
			return r, err
		}})
	}
	return b.compare(ctx, all)
}

func benchCapture(std stdio) *cobra.Command {
	cmd, b, f := newBench(std, &cobra.Command{
		Use: "capture", Short: "Capture EPCIS documents over the standard's own interface",
		Long:    "Post EPCIS documents to /epcis/capture, each of --batch events with three EPCs each, and wait until every event is anchored.",
		Example: "  suyuan bench capture --records 100000 --batch 100",
	}, 50000, 8, (*benchRun).capture)
	f.IntVar(&b.load.Batch, "batch", 100, "events in one document")
	f.IntVar(&b.runs, "runs", 1, "runs, each on a fresh hub; medians are printed")
	return cmd
}

func (b *benchRun) capture(ctx context.Context) error {
	fmt.Fprintf(b.std.out, "%d events, %d a document, %d connections\n", b.load.Records, b.load.Batch, b.load.Connections)
	b.load.Body = bench.Document
	return b.compare(ctx, []contender{{"capture", func(ctx context.Context) (r bench.Result, err error) {
		err = b.withHub(ctx, b.durability, func(t bench.Target, _ string) error {
			key, err := t.NewKey(ctx, "wyeth-illuma", "capture", "query")
			if err != nil {
				return err
			}
			l := b.load
			l.Sign = func(string, []byte) (http.Header, error) {
				return http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}, "GS1-EPCIS-Version": {"2.0.0"}}, nil
			}
			t.Path = "/epcis/capture"
			r, err = bench.Run(ctx, "capture", l, t, b.progress)
			return err
		})
		return r, err
	}}})
}

func benchVisible(std stdio) *cobra.Command {
	cmd, b, f := newBench(std, &cobra.Command{
		Use: "visible", Short: "Take the time from a 202 until the trace page shows the item",
		Long: `Measure the full rate of signed single webhooks, then send them at half that rate to the same hub and take, for one request in
every 50, the time from its 202 until the trace page of its item shows it.`,
		Example: "  suyuan bench visible --records 100000",
	}, 50000, 64, (*benchRun).visible)
	f.IntVar(&b.load.Pace, "rate", 0, "records a second; 0 is half of what the hub takes")
	return cmd
}

func (b *benchRun) visible(ctx context.Context) error {
	return b.withHub(ctx, b.durability, func(t bench.Target, _ string) error {
		t.Path = "/in/bench"
		l := b.load
		if l.Pace == 0 {
			full, err := bench.Run(ctx, "full load", l, t, nil)
			if err != nil {
				return err
			}
			fmt.Fprintln(b.std.out, full)
			l.Pace = int(full.Rate() / 2)
		}
		r, err := bench.Visible(ctx, fmt.Sprintf("%d/s", l.Pace), l, t, 50, bench.Item)
		r.Name = "visible at " + r.Name
		if err == nil {
			fmt.Fprintf(b.std.out, "%s: p50 %s p90 %s p99 %s max %s\n", r.Name, r.P50, r.P90, r.P99, r.Max)
		}
		return err
	})
}

func benchOverload(std stdio) *cobra.Command {
	cmd, b, f := newBench(std, &cobra.Command{
		Use: "overload", Short: "Send far more than the hub bears, and see it shed and recover",
		Long: `Send batches over --connections connections for --duration, never waiting as Retry-After asks, to a connector with its usual
limits. Prints what was accepted and shed, latency of what was accepted, resident memory at the beginning and at the end, and
how long after the storm everything accepted was recorded and anchored; fails if anything that got a 202 is missing.`,
		Example: "  suyuan bench overload --duration 10m",
	}, 1, 640, nil)
	duration := f.Duration("duration", time.Minute, "how long the storm lasts")
	f.IntVar(&b.load.Batch, "batch", 100, "records in one request")
	_ = f.MarkHidden("records") // the duration says how many
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := b.check(); err != nil {
			return err
		}
		return b.withHub(cmd.Context(), b.durability, func(t bench.Target, _ string) error {
			t.Path = "/in/bench-shed"
			s, err := bench.Overload(cmd.Context(), b.load, t, *duration)
			fmt.Fprintln(b.std.out, s)
			return err
		})
	}
	return cmd
}
