package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/backup"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/store/sqlite"
)

// The names of a backup's files are those of the data folder.
const (
	storeFile  = "hub.db"
	ledgerFile = "notary.log"
)

func keyFiles() []string { return []string{"keys/log.key", "keys/notary.key"} }

// backup writes the backup dir of a hub that runs or not. It is consistent as of one moment of the store: what was accepted by
// then and is not recorded is with it as raw records.
func (h *Hub) backup(ctx context.Context, dir string) (backup.Manifest, error) {
	store, err := h.embedded()
	if err != nil {
		return backup.Manifest{}, err
	}
	m := backup.Manifest{CreatedAt: now().UTC(), Version: version(), Origin: h.cfg.Anchor.Origin}
	stats, err := h.pipeline.Stats(ctx) // before the store is copied: nothing may be in neither
	if err != nil {
		return m, err
	}
	parts := []backup.Part{{Name: storeFile, Write: func(ctx context.Context, path string) error {
		if err := store.Snapshot(ctx, path); err != nil {
			return err
		}
		return describe(ctx, &h.cfg, path, &m)
	}}}
	for _, name := range keyFiles() {
		parts = append(parts, backup.Part{Name: name, Write: func(_ context.Context, path string) error {
			return backup.Copy(path, h.cfg.data(name))
		}})
	}
	parts = append(parts, backup.Part{Name: ledgerFile, Write: func(_ context.Context, path string) error {
		return notary.Copy(path, h.cfg.data(ledgerFile), m.Origin, m.Sealed)
	}}, backup.Part{Name: backup.Raw, Write: func(ctx context.Context, path string) error {
		m.Frames, err = backup.WriteFrames(path, func(yield func([]byte) error) error {
			return h.pipeline.Raw(ctx, pipeline.RawFilter{From: stats.Processed + 1}, func(item pipeline.RawItem) error {
				return yield(pipeline.EncodeFrame([]hub.Envelope{item.Envelope}))
			})
		})
		return err
	}})
	return m, backup.Write(ctx, dir, &m, parts)
}

// embedded returns the store of a hub that keeps everything in its data folder; only that can be backed up as one.
func (h *Hub) embedded() (*sqlite.Store, error) {
	store, ok := h.store.(*sqlite.Store)
	if !ok || !h.cfg.ownsAll() {
		return nil, hub.Faultf(hub.Unsupported, "backup.embedded", "only a hub with everything in its data folder is backed up by itself").
			WithHint("back up PostgreSQL, the keys and the notary's file with their own tools")
	}
	return store, nil
}

// ownsAll reports whether the data folder holds everything that a backup does.
func (c *Config) ownsAll() bool {
	all := !c.shared() && c.Anchor.Keys == ""
	for _, l := range c.Anchor.ledgers() {
		all = all && (l.Notary == nil || l.Notary.File == "")
	}
	return all
}

// describe notes what a copied store holds.
func describe(ctx context.Context, cfg *Config, path string, m *backup.Manifest) (err error) {
	s, err := sqlite.Open(ctx, sqlite.Config{Path: path, Now: now, LeafHash: cfg.Anchor.hash().Leaf})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if m.LogSize, err = s.LogSize(ctx); err != nil {
		return err
	}
	sealed, err := s.SealedFrom(ctx, math.MaxInt64, -1)
	if len(sealed) > 0 {
		m.Sealed = sealed[0].Checkpoint.Size
	}
	return err
}

// Backup implements api.Backups: names are folders below the configured one.
func (b backups) Backup(ctx context.Context, name string) (any, error) {
	if err := hub.CheckName(name); err != nil {
		return nil, err
	}
	return b.h.backup(ctx, filepath.Join(b.h.cfg.path(b.h.cfg.Backups), name))
}

type backups struct{ h *Hub }

func backupCommand(std stdio) *cobra.Command {
	var configFile string
	var c client
	cmd := &cobra.Command{
		Use: "backup --config FILE NAME", Short: "Back up the hub, while it runs or not", Args: cobra.ExactArgs(1),
		Long: `Write a backup of the store, the keys, the embedded ledger and the raw records that are not recorded yet to the folder
NAME below the configuration's backups. A hub that runs writes it itself, at the request of an admin key in $SUYUAN_KEY.
The backup holds the private keys: keep it as carefully as them. See: suyuan restore --help`,
		Example: "  suyuan backup --config suyuan.yaml nightly-2026-11-30",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(configFile)
			if err != nil {
				return err
			}
			m, err := backupNow(cmd.Context(), cfg, &c, cmd.Flags().Changed("url"), args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(std.out, "backed up %d events, %d of them sealed, and %d frames of raw records to %s\n",
				m.LogSize, m.Sealed, m.Frames, filepath.Join(cfg.path(cfg.Backups), args[0]))
			return nil
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	c.add(cmd)
	return cmd
}

// backupNow asks the hub that has the data folder for a backup, or is that hub.
func backupNow(ctx context.Context, cfg Config, c *client, urlSet bool, name string) (m backup.Manifest, err error) {
	if err := hub.CheckName(name); err != nil {
		return m, err
	}
	h, err := openAside(ctx, cfg, zap.NewNop(), nil)
	if err == nil {
		m, err = h.backup(ctx, filepath.Join(cfg.path(cfg.Backups), name))
		return m, errors.Join(err, h.Close())
	}
	if hub.AsFault(err).Code != "pipeline.dir-in-use" {
		return m, err
	}
	c.wait = longWait
	if !urlSet {
		if c.url, c.tls, err = cfg.local(); err != nil {
			return m, err
		}
	}
	return m, c.call(ctx, http.MethodPost, "/v1/backups", map[string]string{"name": name}, &m)
}

// local is where a hub of this configuration is reached from its own machine, and how its certificate is verified there: it is one for
// the name under which others reach the hub, and the one that the configuration names is believed.
func (c *Config) local() (address string, verify *tls.Config, err error) {
	address = localURL(*c)
	if c.TLS == nil {
		return address, nil, nil
	}
	pair, err := c.certificate()
	if err != nil {
		return "", nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AddCert(pair.Leaf)
	verify = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	switch {
	case len(pair.Leaf.DNSNames) > 0:
		verify.ServerName = strings.Replace(pair.Leaf.DNSNames[0], "*", "hub", 1)
	case len(pair.Leaf.IPAddresses) > 0:
		verify.ServerName = pair.Leaf.IPAddresses[0].String()
	}
	return address, verify, nil
}

// localURL is where a hub of this configuration is reached from its own machine.
func localURL(cfg Config) string {
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return cfg.PublicURL
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http"
	if cfg.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// openAside opens a hub that serves nobody, for work on its data while it is stopped. It makes no admin key: nobody would
// see it, and the first start would have none to print.
func openAside(ctx context.Context, cfg Config, log *zap.Logger, indexing func(done, of uint64)) (*Hub, error) {
	cfg.Listen = "127.0.0.1:0"
	return openHub(ctx, cfg, log, indexing)
}
