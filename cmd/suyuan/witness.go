package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/witness"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/telemetry"
)

func witnessCommand(std stdio) *cobra.Command {
	w := witnessProcess{std: std}
	cmd := &cobra.Command{
		Use: "witness --name NAME (--log KEY | --trust FILE)…", Short: "Watch over logs and cosign their checkpoints", Args: cobra.NoArgs,
		Long: `Run a witness: a small HTTP service (c2sp.org/tlog-witness) for a partner without a node of the consortium. It remembers the
newest checkpoint of each log that it is told to watch, and cosigns a checkpoint only if it is proven to extend that one. A hub
that rewrites history is refused, and what it signed is kept.

Its key and what it remembers are in --dir; lose that folder and every log is trusted anew. Put TLS in front of it. The first
line that it prints names the key that the hub's configuration and trust files need.`,
		Example: "  suyuan witness --name witness.customs.example/w1 --log 'hub.example.com/log+1a2b3c4d+AbC…' --listen 0.0.0.0:8090\n" +
			"  suyuan witness --name witness.customs.example/w1 --trust trust.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error { return w.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&w.name, "name", "", "name of the witness, for ever; like a URL without a scheme")
	cmd.Flags().StringVar(&w.dir, "dir", "suyuan-witness", "folder of the key and of what the witness remembers")
	cmd.Flags().StringVar(&w.listen, "listen", "127.0.0.1:8090", "address to listen on")
	cmd.Flags().StringArrayVar(&w.logs, "log", nil, "verifier key of a log to watch, as often as needed")
	cmd.Flags().StringArrayVar(&w.trust, "trust", nil, "trust file whose log keys to watch, as often as needed")
	return cmd
}

// witnessProcess is a run of the command.
type witnessProcess struct {
	std               stdio
	name, dir, listen string
	logs, trust       []string
}

func (p *witnessProcess) run(ctx context.Context) error {
	logs, err := p.keys()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return hub.Faultf(hub.Unavailable, "witness.folder", "cannot make the folder %s", p.dir).Because(cause(err)).
			WithHint("name a folder that can be written with --dir")
	}
	key, err := anchor.LoadOrCreateKey(filepath.Join(p.dir, "witness.key"), p.name)
	if err != nil {
		return err
	}
	log, err := telemetry.Logger(p.std.err, "info", "json")
	if err != nil {
		return err
	}
	w, err := witness.New(witness.Options{Key: key, Logs: logs, Dir: filepath.Join(p.dir, "logs"), Logger: log})
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", p.listen)
	if err != nil {
		return unlistenable(p.listen, err, "choose another address with --listen")
	}
	fmt.Fprintf(p.std.out, "witness %s\nlistening on http://%s, watching %d keys\n", w.Key(), l.Addr(), len(logs))
	return serveUntil(ctx, l, w)
}

// keys gathers the keys of the logs to watch.
func (p *witnessProcess) keys() ([]anchor.VerifierKey, error) {
	texts := p.logs
	for _, name := range p.trust {
		t, err := readTrust(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, t.Keys...)
	}
	if len(texts) == 0 {
		return nil, usageError{errors.New("no log to watch\n    → give --log KEY or --trust FILE")}
	}
	keys := make([]anchor.VerifierKey, len(texts))
	for i, text := range texts {
		var err error
		if keys[i], err = anchor.ParseVerifierKey(text); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// serveUntil serves until ctx ends, then lets requests in flight end.
func serveUntil(ctx context.Context, l net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(stop)
}
