package anchor

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/suyuan-io/suyuan/hub"
)

// Trust is whom the reader of a receipt believes. Its file is YAML:
//
//	origin: hub.example.com/log
//	keys:                                  # of the log; more than one while a key is replaced
//	  - hub.example.com/log+1a2b3c4d+AbC…
//	hash: sha-256                          # or sm3; by the keys if absent
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

// Decode reads what the trust file says of a ledger into v, a pointer to a struct with yaml tags. Unknown names are
// refused.
func (p Pinned) Decode(v any) error {
	if err := decodeYAML(p, v); err != nil {
		return fmt.Errorf("read trust: %w", err)
	}
	return nil
}

// decodeYAML reads strict YAML. The library panics on some malformed documents; that is a refusal, too. Deep nesting
// would cost it much time and stack, so it never sees any.
func decodeYAML(b []byte, v any) (err error) {
	for line := range bytes.Lines(b) {
		if bytes.Count(line, []byte("- ")) > maxNesting {
			return errors.New("it is nested too deeply")
		}
	}
	if bytes.Count(b, []byte("[")) > maxNesting || bytes.Count(b, []byte("{")) > maxNesting {
		return errors.New("it has too many brackets")
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("it is not YAML: %v", r)
		}
	}()
	return yaml.UnmarshalWithOptions(b, v, yaml.Strict())
}

const (
	// maxTrust bounds the bytes of a trust file.
	maxTrust = 64 << 10
	// maxNesting bounds its brackets of a kind, and the dashes on a line, and with them the depth.
	maxNesting = 64
)

// ParseTrust reads a trust file. Unknown names, malformed keys and impossible rules are refused with a fault of kind
// Invalid.
func ParseTrust(b []byte) (*Trust, error) {
	t := Trust{Require: -1}
	bad := func(format string, args ...any) (*Trust, error) {
		return nil, hub.Faultf(hub.Invalid, "trust.invalid", "the trust file is refused: "+format, args...)
	}
	if len(b) > maxTrust {
		return bad("it has %d bytes, at most %d are read", len(b), maxTrust)
	}
	if err := decodeYAML(b, &t); err != nil {
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
	if err := t.setHash(); err != nil {
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

// setHash sets the tree's hash function: the one that is named, else that of the keys. SM2 keys belong to SM3 logs.
func (t *Trust) setHash() error {
	named, err := ParseHash(t.Hash)
	if err != nil {
		return err
	}
	t.hash = named
	for i, s := range t.Keys {
		key, err := ParseVerifierKey(s)
		if err != nil {
			return err
		}
		if i == 0 && t.Hash == "" {
			t.hash = key.Hash()
		}
		if key.Hash() != t.hash && (key.Hash() == SM3 || t.Hash == "") {
			return hub.Faultf(hub.Invalid, "trust.invalid", "the trust file is refused: the key %s is not for %v", s, t.hash)
		}
	}
	return nil
}

// pinned returns what the reader trusts of a ledger, nil for nothing.
func (t *Trust) pinned(ledger string) Pinned {
	if t == nil {
		return nil
	}
	return t.Ledgers[ledger]
}

func (t *Trust) trustsKey(key string) bool { return slices.Contains(t.Keys, key) }
