package anchor

import (
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/suyuan-io/suyuan/hub"
)

// Trust is whom the reader of a receipt believes. Its file is YAML:
//
//	origin: hub.example.com/log
//	keys:                                  # of the log; more than one while a key is replaced
//	  - hub.example.com/log+1a2b3c4d+AbC…
//	hash: sha-256                          # or sm3
//	ledgers:                               # by name; what stands under each is the ledger's own
//	  notary: { key: notary.example.com+5e6f7081+AdE… }
//	require: 1                             # how many of them must have witnessed; all, if absent
type Trust struct {
	Origin  string            `yaml:"origin"`
	Keys    []string          `yaml:"keys"`
	Hash    string            `yaml:"hash"`
	Ledgers map[string]Pinned `yaml:"ledgers"`
	Require int               `yaml:"require"`

	hash Hash
}

// Pinned is what a trust file says of one ledger, in YAML.
type Pinned []byte

// UnmarshalYAML keeps the bytes.
func (p *Pinned) UnmarshalYAML(b []byte) error {
	*p = slices.Clone(b)
	return nil
}

// ParseTrust reads a trust file. Unknown names, malformed keys and impossible rules are refused with a fault of kind
// Invalid.
func ParseTrust(b []byte) (*Trust, error) {
	t := Trust{Require: -1}
	bad := func(format string, args ...any) (*Trust, error) {
		return nil, hub.Faultf(hub.Invalid, "trust.invalid", "the trust file is refused: "+format, args...)
	}
	if err := yaml.UnmarshalWithOptions(b, &t, yaml.Strict()); err != nil {
		return nil, hub.Faultf(hub.Invalid, "trust.invalid", "the trust file is refused").Because(err)
	}
	if err := CheckOrigin(t.Origin); err != nil {
		return nil, err
	}
	if len(t.Keys) == 0 {
		return bad("it names no key of %s", t.Origin)
	}
	for _, s := range t.Keys {
		key, err := ParseVerifierKey(s)
		if err != nil {
			return nil, err
		}
		if key.Name() != t.Origin {
			return bad("the key %s is not one of %s", s, t.Origin)
		}
	}
	var err error
	if t.hash, err = ParseHash(t.Hash); err != nil {
		return nil, err
	}
	if t.Require < 0 {
		t.Require = len(t.Ledgers)
	}
	if t.Require > len(t.Ledgers) {
		return bad("it requires %d ledgers and names %d", t.Require, len(t.Ledgers))
	}
	return &t, nil
}

// pinned returns what the reader trusts of a ledger, nil for nothing.
func (t *Trust) pinned(ledger string) []byte {
	if t == nil {
		return nil
	}
	return t.Ledgers[ledger]
}

func (t *Trust) trustsKey(key string) bool { return slices.Contains(t.Keys, key) }
