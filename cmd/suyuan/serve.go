package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/telemetry"
)

func serveCommand(std stdio) *cobra.Command {
	var configFile, listen, profile string
	var roles []string
	cmd := &cobra.Command{
		Use: "serve --config FILE", Short: "Run the hub", Args: cobra.NoArgs,
		Long: `Run the hub until it is interrupted. SIGTERM and Ctrl-C drain: no new requests are taken, what is in flight is recorded
and anchored, then the process ends with 0. A second one ends it at once, by which nothing is lost that was answered. SIGHUP looks at
the folder of connectors now. The first start prints the generated admin key once.`,
		Example: "  suyuan serve --config suyuan.yaml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			if listen != "" {
				if err := checkListen(listen); err != nil {
					return err
				}
				cfg.Listen = listen
			}
			if len(roles) > 0 {
				cfg.Roles = roles
				if err := cfg.checkRoles(func(string) hub.Where { return hub.Where{} }).Err(); err != nil {
					return err
				}
			}
			log, err := telemetry.Logger(std.err, cfg.Log.Level, cfg.Log.Format)
			if err != nil {
				return err
			}
			stop, err := profileCPU(profile)
			if err != nil {
				return err
			}
			return errors.Join(serve(cmd.Context(), cfg, log, std.out), stop())
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	cmd.Flags().StringVar(&listen, "listen", "", "address to listen on, in place of the configuration's")
	cmd.Flags().StringSliceVar(&roles, "roles", nil, "what this process does of a hub of several: ingest,pipeline,anchor,web (default all)")
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile (go tool pprof) of the whole run to this file")
	return cmd
}

// profileCPU profiles into a file until stop is called; no file profiles nothing.
func profileCPU(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, hub.Faultf(hub.Unavailable, "profile.file", "cannot write the profile %s", path).Because(cause(err)).
			WithHint("name a file in a folder that can be written")
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

// serve runs a hub until ctx ends.
func serve(ctx context.Context, cfg Config, log *zap.Logger, out io.Writer) (err error) {
	boundMemory()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // before the store is opened, which may take minutes: a reload must not end the start
	defer signal.Stop(hup)
	h, err := OpenHub(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	h.hup = hup
	greet(out, h)
	return h.Run(ctx)
}

// The Go heap of a hub. Batches are bounded, so that little lives long, and collecting less often costs little memory;
// the soft limit makes the collector work harder before a burst makes the process large. SQLite's caches and what the kernel
// maps come on top.
const (
	gcPercent   = 400
	memoryLimit = 300 << 20
	leastRoom   = 240 << 20
)

// boundMemory sets the collector, unless GOGC or GOMEMLIMIT say otherwise. Allocations are not sampled: nothing here shows a
// profile of them.
func boundMemory() {
	runtime.MemProfileRate = 0
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// makeRoom sees that beside what a store keeps in memory for good, which the collector cannot free, the soft limit leaves it leastRoom:
// with less it would work harder and harder.
func makeRoom(resident int64) {
	if os.Getenv("GOMEMLIMIT") == "" && debug.SetMemoryLimit(-1) != math.MaxInt64 {
		debug.SetMemoryLimit(max(memoryLimit, leastRoom+resident))
	}
}

// greet prints where the hub is and, once, its admin key.
func greet(out io.Writer, h *Hub) {
	fmt.Fprintf(out, "suyuan %s listening on %s\n", version(), h.URL())
	if h.adminKey != "" {
		fmt.Fprintf(out, "admin key (shown only now, keep it): %s\n", h.adminKey)
	}
}
