package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/exec"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/anchor/witness"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// LedgerConfig is one ledger of the configuration: exactly one of its members.
type LedgerConfig struct {
	// Notary is the embedded ledger, a file of the data folder.
	Notary *NotaryConfig `yaml:"notary"`
	// Fabric is a Hyperledger Fabric consortium.
	Fabric *fabric.Config `yaml:"fabric"`
	// Witness is a witness of a partner (suyuan witness, or any of c2sp.org/tlog-witness).
	Witness *WitnessConfig `yaml:"witness"`
	// Exec is a ledger out of process, in any language (docs/ledger-exec.md).
	Exec *exec.Config `yaml:"exec"`
}

// NotaryConfig is the embedded notary.
type NotaryConfig struct {
	// File is the notary's file; the default is notary.log in the data folder. Processes that share a store share it, on a
	// file system with locks: the one that seals has it open.
	File string `yaml:"file"`
}

// WitnessConfig is a witness.
type WitnessConfig struct {
	// Name tells it from other witnesses; it stands in receipts as witness/NAME.
	Name string `yaml:"name,required"`
	// URL is its submission prefix, Key its verifier key.
	URL string `yaml:"url,required"`
	Key string `yaml:"key,required"`
}

// openLedger is an open ledger.
type openLedger struct {
	anchor.Ledger

	// pin returns what a trust file says of it, in YAML. It may ask the ledger.
	pin func(ctx context.Context) ([]byte, error)
}

// hash returns the hash function of the log.
func (c *AnchorConfig) hash() anchor.Hash {
	h, err := anchor.ParseHash(c.Hash)
	if err != nil { // cannot happen: the configuration allows no other
		return anchor.SHA256
	}
	return h
}

// algorithm returns what the log and the embedded notary sign with.
func (c *AnchorConfig) algorithm() anchor.Algorithm {
	if c.hash() == anchor.SM3 {
		return anchor.SM2
	}
	return anchor.Ed25519
}

// ledgers returns the ledgers, the embedded notary if none is named.
func (c *AnchorConfig) ledgers() []LedgerConfig {
	if len(c.Ledgers) == 0 {
		return []LedgerConfig{{Notary: &NotaryConfig{}}}
	}
	return c.Ledgers
}

// name returns what the ledger is called in evidence and trust files, or "" unless exactly one member is set.
func (c *LedgerConfig) name() string {
	var names []string
	if c.Notary != nil {
		names = append(names, notary.Name)
	}
	if c.Fabric != nil {
		names = append(names, fabric.Name)
	}
	if c.Witness != nil {
		names = append(names, witness.Kind+"/"+c.Witness.Name)
	}
	if c.Exec != nil {
		names = append(names, c.Exec.LedgerName())
	}
	if len(names) != 1 {
		return ""
	}
	return names[0]
}

// checkLedgers refuses entries that are not one ledger, witnesses that cannot be asked, names that stand twice, and an
// impossible quorum.
func (c *AnchorConfig) checkLedgers(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	seen := make(map[string]bool)
	for i, l := range c.Ledgers {
		where := at(fmt.Sprintf("anchor.ledgers[%d]", i))
		switch name := l.name(); {
		case name == "":
			faults = append(faults, hub.Faultf(hub.Invalid, "config.ledger", "an entry of ledgers is exactly one ledger").
				WithHint("write for example: - notary: {}").At(where))
		case l.Witness != nil && hub.CheckName(l.Witness.Name) != nil:
			faults = append(faults, hub.AsFault(hub.CheckName(l.Witness.Name)).At(where))
		case seen[name]:
			faults = append(faults, hub.Faultf(hub.Invalid, "config.ledger-twice", "two ledgers are named %q", name).
				WithHint("give one of them another name").At(where))
		case l.Fabric != nil && c.hash() != anchor.SHA256:
			faults = append(faults, hub.Faultf(hub.Invalid, "config.ledger-hash", "the contract on Fabric checks logs of SHA-256 only").
				WithHint("leave out anchor.hash, or name another ledger").At(where))
		default:
			seen[name] = true
		}
		if w := l.Witness; w != nil {
			if _, err := witness.Open(w.URL, w.Key); err != nil {
				faults = append(faults, hub.AsFault(err).At(at(fmt.Sprintf("anchor.ledgers[%d].witness", i))))
			}
		}
	}
	if n := len(c.ledgers()); c.Quorum > n {
		faults = append(faults, hub.Faultf(hub.Invalid, "config.quorum", "a quorum of %d of %d ledgers is impossible", c.Quorum, n).
			WithHint("lower quorum, or name more ledgers").At(at("anchor.quorum")))
	}
	return faults
}

// open opens the ledger for the log with the given key.
func (c *LedgerConfig) open(cfg *Config, logger *zap.Logger, log anchor.VerifierKey) (openLedger, error) {
	if c.Exec != nil {
		l := openExec(cfg, *c.Exec, logger, log)
		return openLedger{l, func(ctx context.Context) ([]byte, error) { return pinExec(ctx, l) }}, nil
	}
	if c.Fabric != nil {
		l, err := openFabric(cfg, *c.Fabric)
		if err != nil {
			return openLedger{}, err
		}
		return openLedger{l, func(ctx context.Context) ([]byte, error) {
			t, err := l.Trust(ctx)
			if err != nil {
				return nil, err
			}
			return yaml.Marshal(t)
		}}, nil
	}
	if w := c.Witness; w != nil {
		l, err := witness.Open(w.URL, w.Key)
		if err != nil {
			return openLedger{}, err
		}
		return openLedger{anchor.Named(l, w.Name), func(context.Context) ([]byte, error) { return fmt.Appendf(nil, "key: %s\n", l.Key), nil }}, nil
	}
	return c.Notary.open(cfg, log)
}

func (c *NotaryConfig) open(cfg *Config, log anchor.VerifierKey) (openLedger, error) {
	path, keyFile := cfg.data("notary.log"), cfg.keys("notary.key")
	if c.File != "" {
		path = cfg.path(c.File)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		if _, err := os.Stat(keyFile); errors.Is(err, fs.ErrNotExist) { // a new one would make the file look damaged
			return openLedger{}, hub.Faultf(hub.Unavailable, "notary.key", "the notary's key %s is gone, and its file %s is not", keyFile, path).
				WithHint("put the key back from a backup; without it a new log begins: suyuan restore --help")
		}
	}
	key, err := log.Algorithm().LoadOrCreateKey(keyFile, "notary."+cfg.Anchor.Origin)
	if err != nil {
		return openLedger{}, err
	}
	late := &lateLedger{name: notary.Name, open: func() (anchor.Ledger, error) {
		return notary.Open(path, notary.Options{Key: key, Logs: []anchor.VerifierKey{log}, Now: now})
	}}
	if !cfg.shared() { // a damaged file stops the start
		if _, err := late.get(); err != nil {
			return openLedger{}, err
		}
	}
	return openLedger{late, func(context.Context) ([]byte, error) { return fmt.Appendf(nil, "key: %s\n", key.Public()), nil }}, nil
}

// openExec opens a ledger out of process. Its program is started when first needed.
func openExec(cfg *Config, c exec.Config, logger *zap.Logger, log anchor.VerifierKey) *exec.Ledger {
	logger = logger.Named(c.LedgerName())
	return exec.Open(c, exec.Env{
		Dir: cfg.path("."), Logs: []exec.Log{{Key: log, Hash: cfg.Anchor.hash()}}, Verify: verifier().Ledgers[c.Kind],
		Note: func(level slog.Level, text string) { logger.Log(zapcore.Level(level/4), text) }, // both count up from info
	})
}

// pinExec returns what the program says that a reader may pin; JSON is YAML, too.
func pinExec(ctx context.Context, l *exec.Ledger) ([]byte, error) {
	spec, err := l.Spec(ctx)
	if err != nil {
		return nil, err
	}
	if len(spec.Pin) == 0 || string(spec.Pin) == "null" {
		return nil, errors.New("its program names nothing that a reader could pin")
	}
	return append(spec.Pin, '\n'), nil
}

// openFabric opens the driver of a consortium. It connects when first needed.
func openFabric(cfg *Config, c fabric.Config) (*fabric.Ledger, error) {
	l, err := fabric.Open(c.Paths(cfg.path), cfg.data("fabric"))
	if err != nil {
		return nil, cfg.underLedger(fabric.Name, err)
	}
	return l, nil
}

// underLedger says where in the configuration file the settings of a ledger stand, whose faults name their own fields.
func (c *Config) underLedger(name string, err error) error {
	place := ""
	for i, l := range c.Anchor.Ledgers {
		if l.name() == name {
			place = fmt.Sprintf("anchor.ledgers[%d].%s", i, name)
		}
	}
	var faults hub.Faults
	for _, f := range appendFaults(nil, err) {
		moved := *f
		if c.at != nil && moved.Where.Pointer != "" {
			moved.Where = c.at(place + "." + moved.Where.Pointer)
		}
		faults = append(faults, &moved)
	}
	return faults.Err()
}

// probeLedgers asks the ledgers outside of the hub whether they take its checkpoints.
func probeLedgers(ctx context.Context, cfg *Config) error {
	for _, c := range cfg.Anchor.ledgers() {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		if err := c.probe(ctx, cfg); err != nil {
			return err
		}
	}
	return nil
}

// probe asks one ledger. A program is only started: what it says of a log needs the log's key.
func (c *LedgerConfig) probe(ctx context.Context, cfg *Config) error {
	if c.Exec != nil {
		l := exec.Open(*c.Exec, exec.Env{Dir: cfg.path(".")})
		_, err := l.Spec(ctx)
		return errors.Join(err, l.Close())
	}
	if c.Witness != nil {
		return c.Witness.probe(ctx, cfg.Anchor.Origin)
	}
	if c.Fabric == nil {
		return nil
	}
	l, err := openFabric(cfg, *c.Fabric)
	if err != nil {
		return err
	}
	return errors.Join(l.Probe(ctx, cfg.Anchor.Origin), l.Close())
}

// probe asks a witness for what it holds of the log. Any answer shows that it is there.
func (c *WitnessConfig) probe(ctx context.Context, origin string) error {
	l, err := witness.Open(c.URL, c.Key)
	if err != nil {
		return err
	}
	_, err = l.Latest(ctx, origin)
	if _, answered := errors.AsType[*hub.Fault](err); err == nil || answered {
		return l.Close()
	}
	return hub.Faultf(hub.Unavailable, "witness.unavailable", "the witness %s cannot be reached at %s", c.Name, c.URL).Because(cause(err)).
		WithHint("check its url, and that it runs; without it events are recorded, and anchored as quorum allows")
}

// trustTimeout bounds how long the ledgers may take to say what a reader may pin of them.
const trustTimeout = 5 * time.Second

// pins returns the ledgers' part of the trust file. A ledger that cannot be asked now is left out, and a comment says so.
func (h *Hub) pins() []byte {
	ctx, cancel := context.WithTimeout(context.Background(), trustTimeout)
	defer cancel()
	b := []byte("ledgers:\n")
	for _, l := range h.ledgers {
		pin, err := l.pin(ctx)
		if err != nil {
			b = fmt.Appendf(b, "  # %s could not be asked: %s\n", l.Name(), strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		b = fmt.Appendf(b, "  %s:\n", l.Name())
		for line := range bytes.Lines(pin) {
			b = fmt.Appendf(b, "    %s", line)
		}
	}
	return b
}
