package main

import (
	"context"
	"fmt"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// LedgerConfig is one ledger of the configuration: exactly one of its members.
type LedgerConfig struct {
	// Notary is the embedded ledger, a file of the data folder.
	Notary *NotaryConfig `yaml:"notary"`
}

// NotaryConfig is the embedded notary. It has nothing to set.
type NotaryConfig struct{}

// openLedger is a ledger, and what a trust file says of it: one line of YAML.
type openLedger struct {
	anchor.Ledger
	pin string
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
	if len(names) != 1 {
		return ""
	}
	return names[0]
}

// checkLedgers refuses entries that are not one ledger, names that stand twice, and an impossible quorum.
func (c *AnchorConfig) checkLedgers(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	seen := make(map[string]bool)
	for i, l := range c.Ledgers {
		where := at(fmt.Sprintf("anchor.ledgers[%d]", i))
		switch name := l.name(); {
		case name == "":
			faults = append(faults, hub.Faultf(hub.Invalid, "config.ledger", "an entry of ledgers is exactly one ledger").
				WithHint("write for example: - notary: {}").At(where))
		case seen[name]:
			faults = append(faults, hub.Faultf(hub.Invalid, "config.ledger-twice", "two ledgers are named %q", name).
				WithHint("give one of them another name").At(where))
		default:
			seen[name] = true
		}
	}
	if n := len(c.ledgers()); c.Quorum > n {
		faults = append(faults, hub.Faultf(hub.Invalid, "config.quorum", "a quorum of %d of %d ledgers is impossible", c.Quorum, n).
			At(at("anchor.quorum")))
	}
	return faults
}

// open opens the ledger for the log with the given key.
func (c *LedgerConfig) open(_ context.Context, cfg *Config, log anchor.VerifierKey) (openLedger, error) {
	return openNotary(cfg, log)
}

func openNotary(cfg *Config, log anchor.VerifierKey) (openLedger, error) {
	key, err := log.Algorithm().LoadOrCreateKey(cfg.data("keys", "notary.key"), "notary."+cfg.Anchor.Origin)
	if err != nil {
		return openLedger{}, err
	}
	l, err := notary.Open(cfg.data("notary.log"), notary.Options{Key: key, Logs: []anchor.VerifierKey{log}, Now: time.Now})
	if err != nil {
		return openLedger{}, err
	}
	return openLedger{l, fmt.Sprintf("{ key: %s }", l.Key())}, nil
}
