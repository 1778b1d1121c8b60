package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

func connectorRunCommand(std stdio) *cobra.Command {
	t := trial{std: std}
	cmd := &cobra.Command{
		Use: "run INSTANCE", Short: "Run one connector alone and print what its records become", Args: cobra.ExactArgs(1),
		Long: `Read an instance's source and print each record as it comes: what it would become, or with --raw its bytes. Nothing is recorded,
no position is stored, and the source is not told that anything was taken: files stay where they are, messages stay queued.
An instance that is pushed to listens on --listen.`,
		Example: "  suyuan connector run connectors/wms-outbound.yaml --once\n  suyuan connector run connectors/carrier.yaml --listen 127.0.0.1:8081",
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&t.raw, "raw", false, "print the records as they come")
	cmd.Flags().BoolVar(&t.once, "once", false, "end when the source has nothing more now")
	cmd.Flags().IntVar(&t.limit, "limit", 0, "end after so many records, 0 for never")
	cmd.Flags().StringVar(&t.listen, "listen", "127.0.0.1:8081", "address for an instance that is pushed to")
	return cmd
}

// trial runs one instance against standard output.
type trial struct {
	std       stdio
	raw, once bool
	limit     int
	listen    string

	normaliser pipeline.Normaliser
	mu         sync.Mutex
	records    int
	enough     context.CancelFunc
}

func (t *trial) run(ctx context.Context, file string) error {
	l, inst, err := loadInstance(file, secrets())
	if err != nil {
		return err
	}
	registry, err := schemas.Open()
	if err != nil {
		return err
	}
	c, parts := &catalog{}, l.parts
	if inst.Map != "" {
		parts = informed(l.parts, mapping.StatedBeside(os.DirFS(l.root), inst.Map))
	}
	c.byID.Store(&parts)
	t.normaliser = pipeline.NewNormaliser(c.Instance, withoutAdvice(registry.With(schemas.ValidateOptions{Rules: true}).ValidateEvent), time.Now)
	ctx, t.enough = context.WithCancel(ctx)
	defer t.enough()
	host := connectors.New(connectors.Config{Publisher: t, Positions: nowhere{}})
	defer host.Close()
	alone := *inst
	if o, ok := inst.Options.(connectors.Opener); ok {
		alone.Options = aloof{o}
	}
	if t.once {
		alone.Interval = min(inst.Interval, onceInterval)
	}
	if err := host.Apply(ctx, []*connectors.Instance{&alone}); err != nil {
		return err
	}
	if inst.Pushed() {
		err = t.receive(ctx, host, inst.ID)
	} else {
		err = t.follow(ctx, host, inst.ID)
	}
	fmt.Fprintf(t.std.err, "%s; nothing was recorded\n", counted(t.count(), "record"))
	return err
}

// follow waits until the source has been read, and says what keeps it from being read.
func (t *trial) follow(ctx context.Context, host *connectors.Host, id hub.ConnectorID) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var said *hub.Fault
	var idle []time.Time // when the source had nothing more, since the last record
	seen := 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		s, err := host.Status(id)
		if err != nil {
			return err
		}
		if n := t.count(); n != seen {
			seen, idle = n, nil
		}
		if !s.CaughtUpAt.IsZero() && (len(idle) == 0 || s.CaughtUpAt.After(idle[len(idle)-1])) {
			idle = append(idle, s.CaughtUpAt)
		}
		waits := s.State == connectors.StateRetrying || s.State == connectors.StateFailed
		switch {
		case waits && t.once:
			return s.LastError
		case waits && s.LastError != said:
			said = s.LastError
			printOne(t.std.err, said)
		case t.once && len(idle) >= settledLooks:
			return nil
		}
	}
}

// settledLooks is how often in a row a source must have nothing more before --once believes it: a file is taken only when a
// second look finds it unchanged. The looks are onceInterval apart.
const (
	settledLooks = 5
	onceInterval = 100 * time.Millisecond
)

// count is how many records have come.
func (t *trial) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.records
}

// receive serves the instance's address until ctx ends.
func (t *trial) receive(ctx context.Context, host *connectors.Host, id hub.ConnectorID) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", t.listen)
	if err != nil {
		return unlistenable(t.listen, err, "choose another address with --listen")
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := host.ServeIn(w, r, id); err != nil {
			printFault(t.std.err, err)
			p := api.ProblemOf(err)
			http.Error(w, p.Detail, p.Status)
		}
	})}
	fmt.Fprintf(t.std.err, "post to http://%s/in/%s\n", listener.Addr(), id)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // requests in flight were answered or are not recorded anyway
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// Publish implements [connectors.Publisher]: it prints.
func (t *trial) Publish(_ context.Context, envelopes ...hub.Envelope) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e := range envelopes {
		env := &envelopes[e]
		for i := range env.Records {
			if t.limit > 0 && t.records >= t.limit {
				t.enough()
				return nil
			}
			if t.records++; t.raw {
				fmt.Fprintf(t.std.out, "%s\n", env.Records[i].Body)
				continue
			}
			fmt.Fprintf(t.std.out, "── record %s (%s)\n", env.Records[i].ID, env.Origin)
			if err := printOutcome(t.std, pipeline.Normalised(t.normaliser, env, &env.Records[i])); err != nil {
				return err
			}
		}
	}
	return nil
}

// nowhere is where the positions of a trial are kept.
type nowhere struct{}

// Position implements [connectors.Positions].
func (nowhere) Position(context.Context, hub.ConnectorID) (hub.Position, error) { return "", nil }

// SavePosition implements [connectors.Positions].
func (nowhere) SavePosition(context.Context, hub.ConnectorID, hub.Position) error { return nil }

// aloof opens sources that are never told what became of their items.
type aloof struct{ connectors.Opener }

// Open implements [connectors.Opener].
func (a aloof) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	src, err := a.Opener.Open(ctx, env)
	if err != nil {
		return nil, err
	}
	return silent{src}, nil
}

type silent struct{ connectors.Source }

// Settle implements [connectors.Source].
func (silent) Settle(context.Context, connectors.Item, error) error { return nil }
