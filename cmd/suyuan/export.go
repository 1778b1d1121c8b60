package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

func exportCommand(std stdio) *cobra.Command {
	var configFile, receipts, trust string
	cmd := &cobra.Command{
		Use: "export --config FILE DIR", Short: "Write the log as files that any web server can serve", Args: cobra.ExactArgs(1),
		Long: `Write the log to the folder DIR as static files (c2sp.org/tlog-tiles): its newest anchored checkpoint, its tiles, every anchored
checkpoint with the cosignatures of witnesses, and, if asked for, receipts with their bare proofs (c2sp.org/tlog-proof). Served by any
file server, with the hub down, they let anyone check a receipt against the whole log: suyuan verify --log DIR|URL receipt.json

The hub may run meanwhile. Run it again into the same folder to follow the log: it writes what is new, and refuses a folder that
holds another history. Tiles and checkpoints tell nothing of events; receipts hold them in full.`,
		Example: "  suyuan export --config suyuan.yaml /srv/www/log\n  suyuan export --config suyuan.yaml --receipts 0-999 --trust trust.yaml /srv/www/log",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			e := anchor.Export{Dir: args[0]}
			if e.From, e.To, err = parseRange(receipts); err != nil {
				return err
			}
			if trust != "" {
				if _, err := readTrust(trust); err != nil {
					return err
				}
				if e.Trust, err = os.ReadFile(trust); err != nil {
					return err
				}
			}
			return export(cmd.Context(), cfg, e, std.out)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	cmd.Flags().StringVar(&receipts, "receipts", "", "log indexes whose receipts are written: all, 7, or 0-999; none by default")
	cmd.Flags().StringVar(&trust, "trust", "", "trust file to write beside the log")
	return cmd
}

// parseRange reads "all", "7", "0-999" or "", as the numbers from the first up to and without the last.
func parseRange(text string) (from, to hub.Seq, err error) {
	switch text {
	case "":
		return 0, 0, nil
	case "all":
		return 0, math.MaxInt64, nil
	}
	first, last, several := strings.Cut(text, "-")
	if !several {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 62)
	b, errB := strconv.ParseUint(last, 10, 62)
	if errA != nil || errB != nil || b < a {
		return 0, 0, usageError{fmt.Errorf("--receipts %s: write all, 7, or 0-999", text)}
	}
	return hub.Seq(a), hub.Seq(b + 1), nil
}

// export writes the log of a hub that runs or not.
func export(ctx context.Context, cfg Config, e anchor.Export, out io.Writer) (err error) {
	key, err := anchor.LoadKey(cfg.keys("log.key"))
	if err != nil {
		return err
	}
	store, _, err := cfg.openDatabase(ctx, opening{beside: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	e.Reader = anchor.Reader{Key: key.Public(), Hash: cfg.Anchor.hash(), Leaves: store, Journal: store}
	done, err := e.Run(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "exported %s at size %d to %s: %d checkpoints, %d new tiles, %d receipts\n",
		key.Public().Name(), done.Size, e.Dir, done.Checkpoints, done.Tiles, done.Receipts)
	return nil
}

// openStatic returns the log in a folder or at an http or https URL.
func openStatic(place string) *anchor.Static {
	if !strings.HasPrefix(place, "http://") && !strings.HasPrefix(place, "https://") {
		return &anchor.Static{Read: func(_ context.Context, name string) ([]byte, error) {
			return os.ReadFile(filepath.Join(place, filepath.FromSlash(name)))
		}}
	}
	client := &http.Client{Timeout: 30 * time.Second}
	prefix := strings.TrimSuffix(place, "/") + "/"
	return &anchor.Static{Read: func(ctx context.Context, name string) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, prefix+name, nil)
		if err != nil {
			return nil, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusOK:
			return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		case http.StatusNotFound:
			return nil, fmt.Errorf("GET %s: %w", req.URL, fs.ErrNotExist)
		}
		return nil, fmt.Errorf("GET %s: %s", req.URL, resp.Status)
	}}
}
