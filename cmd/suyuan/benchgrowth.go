package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
)

func benchGrowth(std stdio) *cobra.Command {
	var sizes []int
	var plot string
	var questions int
	cmd, b, f := newBench(std, &cobra.Command{
		Use: "growth", Short: "Let one hub grow, and ask it questions at every size",
		Long: `Load one hub with batches up to each of --sizes, in tenths, and at each size ask for the journeys and receipts of random
items: trace queries, trace pages, receipts. Prints the rate of every tenth, and a table in Markdown at the end.`,
		Example: "  suyuan bench growth --sizes 100000,1000000 --plot growth.svg",
	}, 1, 64, nil)
	f.IntVar(&b.load.Batch, "batch", 100, "records in one request")
	f.IntSliceVar(&sizes, "sizes", []int{100000, 1000000}, "numbers of events at which to ask")
	f.IntVar(&questions, "questions", 2000, "questions of each kind at each size")
	f.StringVar(&plot, "plot", "", "draw the growth into this SVG file")
	_ = f.MarkHidden("records") // the sizes say how many
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.IsSorted(sizes) || len(sizes) == 0 || sizes[0] < 10*b.load.Batch || questions < 1 {
			return usageError{errors.New("sizes must grow, from ten batches on, and questions be at least 1")}
		}
		if err := b.check(); err != nil {
			return err
		}
		return b.withHub(cmd.Context(), b.durability, func(t bench.Target, _ string) error {
			g := &growth{benchRun: b, t: t, questions: questions}
			return g.run(cmd.Context(), sizes, plot)
		})
	}
	return cmd
}

// growth is one hub that grows.
type growth struct {
	*benchRun
	t         bench.Target
	questions int
	batches   []grown
	size      int
	stages    []bench.Stage
}

// grown says which items one run of the load made.
type grown struct {
	run   string
	items int
}

func (g *growth) run(ctx context.Context, sizes []int, plot string) error {
	for _, size := range sizes {
		if err := g.stage(ctx, size); err != nil {
			return err
		}
	}
	fmt.Fprint(g.std.out, "\n", bench.Table(g.stages))
	if plot == "" {
		return nil
	}
	if err := os.WriteFile(plot, []byte(bench.Plot(g.stages)), 0o644); err != nil { //nolint:gosec // a picture to be shown
		return hub.Faultf(hub.Unavailable, "bench.plot", "cannot write the plot").Because(err)
	}
	return nil
}

// stage grows the hub to size and asks.
func (g *growth) stage(ctx context.Context, size int) error {
	st := bench.Stage{Size: size}
	step := size / 10
	for g.size < size {
		l, t := g.load, g.t
		t.Path = g.path()
		l.Records = min(step, size-g.size)
		l.Accepted = func(run string, from, _ int, _ time.Time) {
			if from == 0 {
				g.batches = append(g.batches, grown{run, l.Records})
			}
		}
		r, err := bench.Run(ctx, fmt.Sprintf("to %d", g.size+l.Records), l, t, nil)
		if err != nil {
			return err
		}
		fmt.Fprintln(g.std.out, r)
		g.size += l.Records
		st.Ingest = r
	}
	usage, err := g.t.Usage()
	if err != nil {
		return err
	}
	st.Disk = float64(usage.Disk) / float64(size)
	const asking = 2 // at a time
	for _, q := range []struct {
		name string
		into *bench.Result
		path func(int) string
	}{
		{"trace", &st.Trace, func(int) string { return "/v1/trace/" + url.PathEscape("https://id.gs1.org"+g.item()) }},
		{"page", &st.Page, func(int) string { return g.item() }},
		{"receipt", &st.Proof, func(int) string { return fmt.Sprintf("/v1/log/%d/receipt", rand.IntN(size)) }}, //nolint:gosec // a sample
	} {
		if *q.into, err = bench.Ask(ctx, q.name, g.t, g.questions, asking, q.path); err != nil {
			return err
		}
		fmt.Fprintln(g.std.out, *q.into)
	}
	g.stages = append(g.stages, st)
	return nil
}

// item is a random item that was recorded.
func (g *growth) item() string {
	b := g.batches[rand.IntN(len(g.batches))]    //nolint:gosec // a sample
	return bench.Item(b.run, rand.IntN(b.items)) //nolint:gosec // a sample
}
