package anchor

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

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
//	  witness/customs: { key: witness.example.com/w1+9a0b1c2d+BAf… }
//	  witness/bank: { key: witness.example.org/w+3e4f5061+BGh… }
//	require: 2                             # how many of them must have witnessed; all, if absent
//
// require may also be a list of rules that must all hold: a name, or a count of several.
//
//	require:
//	  - notary
//	  - { count: 1, of: [witness/customs, witness/bank] }
type Trust struct {
	Origin  string            `yaml:"origin"`
	Keys    []string          `yaml:"keys"`
	Hash    string            `yaml:"hash"`
	Ledgers map[string]Pinned `yaml:"ledgers"`
	// Require must hold of the trusted ledgers that have witnessed; none means nothing is required.
	Require Rules `yaml:"require"`

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
	if err := yaml.UnmarshalWithOptions(b, v, yaml.Strict()); err != nil {
		return errors.New(yaml.FormatError(err, false, false)) // without the text, which may be one line of any length
	}
	return nil
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
	var t Trust
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
	if err := t.checkLedgers(); err != nil {
		return nil, err
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

// HashOr returns the hash function of the log that t is for, or h without a trust file.
func (t *Trust) HashOr(h Hash) Hash {
	if t == nil {
		return h
	}
	return t.hash
}

// pinned returns what the reader trusts of a ledger, nil for nothing.
func (t *Trust) pinned(ledger string) Pinned {
	if t == nil {
		return nil
	}
	return t.Ledgers[ledger]
}

// verifierKeys returns the log's keys.
func (t *Trust) verifierKeys() ([]VerifierKey, error) {
	keys := make([]VerifierKey, len(t.Keys))
	for i, s := range t.Keys {
		var err error
		if keys[i], err = ParseVerifierKey(s); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func (t *Trust) trustsKey(key string) bool { return slices.Contains(t.Keys, key) }

// Rule asks that at least Count of the ledgers Of have witnessed. Of nil means any that the trust file names.
type Rule struct {
	Count int      `yaml:"count"`
	Of    []string `yaml:"of"`
}

// Rules must all hold.
type Rules []Rule

// UnmarshalYAML reads a count, or a list of names and rules.
func (r *Rules) UnmarshalYAML(b []byte) error {
	var count int
	if err := decodeYAML(b, &count); err == nil {
		*r = Rules{{Count: count}}
		return nil
	}
	var entries []Pinned
	if err := decodeYAML(b, &entries); err != nil {
		return errors.New("require is neither a count nor a list of rules")
	}
	*r = Rules{}
	for _, e := range entries {
		rule, err := parseRule(e)
		if err != nil {
			return err
		}
		*r = append(*r, rule)
	}
	return nil
}

// parseRule reads a name, or {count, of}; without a count all are required.
func parseRule(b Pinned) (Rule, error) {
	var name string
	if err := decodeYAML(b, &name); err == nil {
		return Rule{Count: 1, Of: []string{name}}, nil
	}
	rule := Rule{Count: -1}
	if err := decodeYAML(b, &rule); err != nil || len(rule.Of) == 0 {
		return Rule{}, errors.New("a rule of require is neither a ledger's name nor { count: K, of: [names] }")
	}
	if rule.Count < 0 {
		rule.Count = len(rule.Of)
	}
	return rule, nil
}

// checkLedgers refuses rules that cannot hold and a ledger that would count twice. Without rules all ledgers are required.
func (t *Trust) checkLedgers() error {
	bad := func(format string, args ...any) error {
		return hub.Faultf(hub.Invalid, "trust.invalid", "the trust file is refused: "+format, args...)
	}
	if t.Require == nil {
		t.Require = Rules{{Count: len(t.Ledgers)}}
	}
	pins := make(map[string]string)
	for name, pinned := range t.Ledgers {
		if other, ok := pins[string(pinned)]; ok && len(pinned) > 0 {
			return bad("%s and %s are the same ledger", min(name, other), max(name, other))
		}
		pins[string(pinned)] = name
	}
	for _, r := range t.Require {
		of := len(t.Ledgers)
		if r.Of != nil {
			of = len(r.Of)
		}
		if r.Count < 0 || r.Count > of {
			return bad("it requires %d of %d ledgers", r.Count, of)
		}
		for i, name := range r.Of {
			if _, ok := t.Ledgers[name]; !ok {
				return bad("it requires the ledger %q, which it does not name under ledgers", name)
			}
			if slices.Contains(r.Of[:i], name) {
				return bad("a rule names %q twice", name)
			}
		}
	}
	return nil
}

// unmet returns what is missing if only the given ledgers have witnessed, or "".
func (t *Trust) unmet(witnessed map[string]bool) string {
	for _, r := range t.Require {
		n, of := len(witnessed), "the trusted ledgers"
		if r.Of != nil {
			n, of = 0, strings.Join(r.Of, ", ")
			for _, name := range r.Of {
				if witnessed[name] {
					n++
				}
			}
		}
		if n < r.Count {
			return fmt.Sprintf("%d of %s witnessed it, %d must have", n, of, r.Count)
		}
	}
	return ""
}
