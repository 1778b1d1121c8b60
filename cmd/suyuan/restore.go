package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/backup"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/store/sqlite"
)

// restoration is one restore.
type restoration struct {
	cfg    Config
	dir    string // of the backup
	ledger string // the newest copy of the notary's file
	// nothingSince: the operator states that nothing was recorded after the backup. newLog: a log with another origin begins.
	nothingSince, newLog bool
}

func restoreCommand(std stdio) *cobra.Command {
	var configFile string
	var r restoration
	cmd := &cobra.Command{
		Use: "restore --config FILE DIR (--ledger FILE | --nothing-since) [--new-log]", Short: "Make a hub's data folder from a backup", Args: cobra.ExactArgs(1),
		Long: `Check the backup DIR and make the configuration's data folder from it, which must be empty or absent.

A restored hub must not sign a second history. If events were anchored after the backup was taken, they are not in it, but
receipts of them are out there. So say one of:

  --ledger FILE     the ledger's file as it was last (notary.log of the lost data folder, or a copy); if it goes further than
                    the backup, nothing is restored
  --nothing-since   nothing was recorded after the backup was taken, for example because the hub was stopped before

If the backup is too old and there is no newer one, begin a new log: choose another anchor.origin in the configuration and
restore with --new-log. Receipts of the old log keep verifying; the events of the backup get new ones.`,
		Example: "  suyuan restore --config suyuan.yaml --ledger lost/notary.log backups/nightly-2026-11-30",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.cfg, err = loadConfig(configFile); err != nil {
				return err
			}
			r.dir = args[0]
			m, err := r.run(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(std.out, "restored %d events and %d frames of raw records to %s; begin with: suyuan serve --config %s\n",
				m.LogSize, m.Frames, r.cfg.data(), configFile)
			return nil
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	cmd.Flags().StringVar(&r.ledger, "ledger", "", "the newest copy of the ledger's file")
	cmd.Flags().BoolVar(&r.nothingSince, "nothing-since", false, "nothing was recorded after the backup was taken")
	cmd.Flags().BoolVar(&r.newLog, "new-log", false, "begin a new log with another origin over the events of the backup")
	return cmd
}

// run makes the new folder inside the data folder and moves its content out of there when everything holds. The store is moved
// last; a crash leaves a folder that the next restore refuses, and nothing that could be taken for a hub.
func (r *restoration) run(ctx context.Context) (backup.Manifest, error) {
	if !r.cfg.ownsAll() {
		return backup.Manifest{}, hub.Faultf(hub.Unsupported, "restore.embedded", "a backup becomes a hub with everything in its data folder, which that of the configuration is not").
			WithHint("leave store.postgres, anchor.keys and the notary's file out; what they hold is restored with their own tools")
	}
	m, err := backup.Open(r.dir)
	if err != nil {
		return m, err
	}
	if err := r.allowed(m); err != nil {
		return m, err
	}
	made := r.cfg
	made.Data = r.cfg.data(".restoring")
	for _, step := range []func() error{
		func() error { return errors.Join(os.RemoveAll(made.Data), r.copyFiles(&made)) },
		func() error { return r.check(ctx, &made, m) },
		func() error { return takeRaw(ctx, &made, filepath.Join(r.dir, backup.Raw)) },
		func() error { return r.moveOut(made.Data) },
	} {
		if err := step(); err != nil {
			return m, errors.Join(err, os.RemoveAll(made.Data))
		}
	}
	return m, nil
}

// allowed refuses what contradicts itself.
func (r *restoration) allowed(m backup.Manifest) error {
	entries, err := os.ReadDir(r.cfg.data())
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("restore: %w", err)
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return e.Name() == ".restoring" || e.Name() == "lost+found" })
	same := m.Origin == r.cfg.Anchor.Origin
	switch {
	case len(entries) > 0:
		return hub.Faultf(hub.Conflict, "restore.not-empty", "the data folder %s is not empty", r.cfg.data()).
			WithHint("move it away, and name its notary.log with --ledger")
	case r.newLog && same:
		return hub.Faultf(hub.Conflict, "restore.origin", "a new log needs another origin than %s", m.Origin).
			WithHint("change anchor.origin in the configuration")
	case !r.newLog && !same:
		return hub.Faultf(hub.Conflict, "restore.origin", "the backup is of the log %s, the configuration says %s", m.Origin, r.cfg.Anchor.Origin).
			WithHint("restore with the configuration of the backup, or with --new-log")
	case r.ledger == "" && !r.nothingSince && !r.newLog:
		return hub.Faultf(hub.Conflict, "restore.since", "it is not known whether anything was recorded after the backup was taken").
			WithHint("name the newest notary.log with --ledger, or say --nothing-since; see: suyuan restore --help")
	}
	return nil
}

func (r *restoration) copyFiles(made *Config) error {
	names := append(keyFiles(), storeFile, ledgerFile)
	if r.newLog { // with new keys; the old ones stay in the backup
		names = []string{storeFile}
	}
	for _, name := range names {
		from := filepath.Join(r.dir, name)
		if name == ledgerFile && r.ledger != "" {
			from = r.ledger
		}
		if err := backup.Copy(made.data(name), from); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return nil
}

// check compares the restored store with its own leaves and with the ledger, as the hub does at its start.
func (r *restoration) check(ctx context.Context, made *Config, m backup.Manifest) (err error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: made.data(storeFile), Now: now, LeafHash: made.Anchor.hash().Leaf})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if r.newLog {
		return s.ForgetLog(ctx)
	}
	key, err := anchor.LoadKey(made.data("keys", "log.key"))
	if err != nil {
		return err
	}
	var ledgers []anchor.Ledger
	for _, c := range made.Anchor.ledgers() {
		l, err := c.open(made, zap.NewNop(), key.Public())
		if err != nil {
			return err
		}
		defer l.Close()
		ledgers = append(ledgers, l)
	}
	log, err := anchor.New(anchor.Options{Key: key, Leaves: s, Journal: s, Ledgers: ledgers, Quorum: made.Anchor.Quorum, Now: now})
	if err != nil {
		return err
	}
	if err := log.Check(ctx); hub.KindOf(err) == hub.Conflict {
		return hub.Faultf(hub.Conflict, "restore.fork", "a hub restored from this backup, which ends at %d sealed events, would sign a second history", m.Sealed).
			Because(errors.New(hub.AsFault(err).Message)).
			WithHint("restore a newer backup; if there is none, choose another anchor.origin and restore with --new-log")
	} else if err != nil {
		return err
	}
	return nil
}

// takeRaw makes the raw stream of the restored folder. The hub records what is in it at its start; what is recorded already is
// repeated.
func takeRaw(ctx context.Context, made *Config, file string) error {
	stream := made.stream()
	if made.Stream.URL != "" {
		return nil // a cluster keeps its stream itself
	}
	p, err := pipeline.Open(ctx, stream, pipeline.Deps{Log: zap.NewNop(), Now: now})
	if err != nil {
		return err
	}
	err = backup.ReadFrames(file, func(frame []byte) error {
		envelopes, err := pipeline.DecodeFrame(frame, 1<<26)
		if err != nil {
			return err
		}
		return p.Publish(ctx, envelopes...)
	})
	return errors.Join(err, p.Close())
}

// moveOut moves what was made to where it belongs, the store last.
func (r *restoration) moveOut(made string) error {
	for _, name := range []string{"keys", "stream", ledgerFile, storeFile} {
		if err := os.Rename(filepath.Join(made, name), r.cfg.data(name)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return os.RemoveAll(made)
}
