package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/internal/telemetry"
)

func serveCommand(std stdio) *cobra.Command {
	var configFile, listen string
	cmd := &cobra.Command{
		Use: "serve --config FILE", Short: "Run the hub", Args: cobra.NoArgs,
		Long: `Run the hub until it is interrupted. SIGTERM and Ctrl-C drain: no new requests are taken, what is in flight is recorded
and anchored, then the process ends with 0. The first start prints the generated admin key once.`,
		Example: "  suyuan serve --config suyuan.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			if listen != "" {
				cfg.Listen = listen
			}
			log, err := telemetry.Logger(std.err, cfg.Log.Level, cfg.Log.Format)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), cfg, log, std.out)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	cmd.Flags().StringVar(&listen, "listen", "", "address to listen on, in place of the configuration's")
	return cmd
}

// serve runs a hub until ctx ends.
func serve(ctx context.Context, cfg Config, log *zap.Logger, out io.Writer) (err error) {
	h, err := OpenHub(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	h.hup = hup
	greet(out, h)
	return h.Run(ctx)
}

// greet prints where the hub is and, once, its admin key.
func greet(out io.Writer, h *Hub) {
	fmt.Fprintf(out, "suyuan %s listening on %s\n", version(), h.URL())
	if h.adminKey != "" {
		fmt.Fprintf(out, "admin key (shown only now, keep it): %s\n", h.adminKey)
	}
}
