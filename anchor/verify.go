package anchor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// The names of the checks, in the order in which they are made.
const (
	// CheckFormat: the file is the canonical encoding of a receipt.
	CheckFormat = "format"
	// CheckEvent: the event's digest is the one that the leaf record states.
	CheckEvent = "event"
	// CheckEventHash: the event's CBV hash is the one that the leaf record states. Made only by a [Verifier] that can.
	CheckEventHash = "eventHash"
	// CheckLeaf: the leaf record is well-formed.
	CheckLeaf = "leaf"
	// CheckCheckpoint: the checkpoint is well-formed, and the log's key signed it.
	CheckCheckpoint = "checkpoint"
	// CheckInclusion: leaf record and proof give the checkpoint's root for its size.
	CheckInclusion = "inclusion"
	// CheckLedger: every ledger's evidence is genuine and speaks of exactly this checkpoint.
	CheckLedger = "ledger"
	// CheckTrust: the keys are those that the reader trusts.
	CheckTrust = "trust"
)

// EvidenceVerifier checks that entry, what one kind of ledger says, is genuine and witnesses exactly c. pinned is what
// the trust file says of that ledger; it is nil when the reader trusts nobody in particular, and then the keys
// within entry are believed. It returns in words who witnessed. It does no I/O.
type EvidenceVerifier func(entry []byte, c hub.Checkpoint, pinned Pinned) (by string, err error)

// Verifier checks receipts offline. The zero value knows no ledger.
type Verifier struct {
	// Ledgers are the verifiers of evidence by [LedgerKind]. Evidence of any other ledger is refused: nobody may
	// take for witnessed what nobody has checked.
	Ledgers map[string]EvidenceVerifier
	// EventHash, if set, recomputes the CBV event hash URI from a canonical event.
	EventHash func(event []byte) (string, error)
}

// Check is one check that was made.
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Detail says what was found, in English.
	Detail string `json:"detail"`
}

// Report is what a verification found, check by check, up to the first that failed.
type Report struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
	// Pinned is true if the log's key was one that the trust file names.
	Pinned bool `json:"pinned"`
	// Origin, LeafIndex and TreeSize say where in which log the event is.
	Origin    string `json:"origin,omitempty"`
	LeafIndex uint64 `json:"leafIndex"`
	TreeSize  uint64 `json:"treeSize"`
	// Key is the key that signed the checkpoint, zero if that was not checked.
	Key VerifierKey `json:"-"`
}

// Failed returns the name of the check that failed, or "".
func (r *Report) Failed() string {
	for _, c := range r.Checks {
		if !c.OK {
			return c.Name
		}
	}
	return ""
}

// Verify checks a receipt. trust may be nil: then the receipt is checked in itself only, and the report says so. It
// stops at the first check that fails, and returns a fault of kind Invalid whose code is "receipt." and the name of the
// check; the report is never nil.
func (v *Verifier) Verify(receipt []byte, trust *Trust) (*Report, error) {
	s := &verification{verifier: v, raw: receipt, trust: trust, witnessed: make(map[string]bool)}
	if trust != nil {
		s.hash = trust.hash
	}
	for _, step := range []struct {
		name  string
		check func() (string, error)
	}{
		{CheckFormat, s.format},
		{CheckEvent, s.event},
		{CheckEventHash, s.eventHash},
		{CheckLeaf, s.leaf},
		{CheckCheckpoint, s.checkpoint},
		{CheckInclusion, s.inclusion},
		{CheckLedger, s.ledger},
		{CheckTrust, s.trusted},
	} {
		if step.name == CheckEventHash && v.EventHash == nil {
			continue
		}
		detail, err := step.check()
		if err != nil {
			s.report.Checks = append(s.report.Checks, Check{Name: step.name, Detail: err.Error()})
			return &s.report, failedCheck(step.name, err)
		}
		s.report.Checks = append(s.report.Checks, Check{Name: step.name, OK: true, Detail: detail})
	}
	s.report.OK = true
	return &s.report, nil
}

// failedCheck returns the fault of a check that failed.
func failedCheck(name string, err error) *hub.Fault {
	f := hub.Faultf(hub.Invalid, "receipt."+name, "the receipt does not verify, check %q failed", name).Because(err)
	f.MessageZh = fmt.Sprintf("凭证校验失败:%s", name)
	return f
}

// verification is one receipt on its way through the checks.
type verification struct {
	verifier *Verifier
	raw      []byte
	trust    *Trust
	hash     Hash
	r        hub.Receipt
	// signed is the checkpoint, once its signature is checked.
	signed hub.Checkpoint
	// witnessed are the ledgers whose evidence was checked against the trust file.
	witnessed map[string]bool
	report    Report
}

func (s *verification) format() (string, error) {
	var err error
	if s.r, err = ParseReceipt(s.raw); err != nil {
		return "", err
	}
	s.report.LeafIndex, s.report.TreeSize = s.r.Proof.LeafIndex, s.r.Proof.TreeSize
	return "canonical encoding of " + hub.ReceiptType, nil
}

func (s *verification) event() (string, error) {
	digest := hub.Sum(s.r.Event)
	if digest != s.r.Leaf.Event {
		return "", fmt.Errorf("the event's digest is %v, the leaf record states %v", digest, s.r.Leaf.Event)
	}
	return fmt.Sprintf("sha-256 %v", digest), nil
}

func (s *verification) eventHash() (string, error) {
	hash, err := s.verifier.EventHash(s.r.Event)
	if err != nil {
		return "", fmt.Errorf("compute event hash: %w", err)
	}
	if hash != s.r.Leaf.EventHash {
		return "", fmt.Errorf("the event's CBV hash is %s, the leaf record states %s", hash, s.r.Leaf.EventHash)
	}
	return hash, nil
}

func (s *verification) leaf() (string, error) {
	leaf := s.r.Leaf
	if leaf.Version != hub.LeafVersion {
		return "", fmt.Errorf("its version is %d, this reads %d", leaf.Version, hub.LeafVersion)
	}
	if err := errors.Join(hub.CheckName(string(leaf.Provider)), hub.CheckName(string(leaf.Connector))); err != nil {
		return "", err
	}
	if !leaf.Plain() {
		return "", errors.New("its event hash is not one")
	}
	return fmt.Sprintf("stated by %s through %s, received %v", leaf.Provider, leaf.Connector, leaf.ReceivedAt), nil
}

func (s *verification) checkpoint() (string, error) {
	key, err := ParseVerifierKey(s.r.Key)
	if err != nil {
		return "", err
	}
	_, sigs, err := ParseCheckpoint([]byte(s.r.Checkpoint))
	if err != nil {
		return "", err
	}
	// A signature that this key does not check could be changed without anyone noticing.
	if len(sigs) != 1 {
		return "", fmt.Errorf("a receipt's checkpoint bears the log's signature alone, this one bears %d", len(sigs))
	}
	if s.trust == nil {
		s.hash = key.Hash()
	}
	if s.signed, err = OpenCheckpoint([]byte(s.r.Checkpoint), key); err != nil {
		return "", err
	}
	s.report.Origin, s.report.Key = s.signed.Origin, key
	return fmt.Sprintf("%s signed size %d", s.signed.Origin, s.signed.Size), nil
}

func (s *verification) inclusion() (string, error) {
	if s.r.Proof.TreeSize != s.signed.Size {
		return "", fmt.Errorf("the proof is for %d leaves, the checkpoint for %d", s.r.Proof.TreeSize, s.signed.Size)
	}
	leaf := s.hash.Leaf(s.r.Leaf.Bytes())
	if err := VerifyInclusion(s.hash, s.r.Proof, leaf, s.signed.Root); err != nil {
		return "", err
	}
	return fmt.Sprintf("leaf %d of %d, root %v", s.r.Proof.LeafIndex, s.r.Proof.TreeSize, s.signed.Root), nil
}

func (s *verification) ledger() (string, error) {
	if len(s.r.Ledger) == 0 {
		return "", errors.New("no ledger has witnessed the checkpoint")
	}
	seen := make(map[string]bool)
	var by []string
	for _, e := range s.r.Ledger {
		verify := s.verifier.Ledgers[LedgerKind(e.Ledger)]
		if verify == nil {
			return "", fmt.Errorf("no verifier for evidence of ledger %.100q", e.Ledger)
		}
		if seen[e.Ledger] {
			return "", fmt.Errorf("ledger %q speaks twice", e.Ledger)
		}
		seen[e.Ledger] = true
		pinned := s.trust.pinned(e.Ledger)
		who, err := verify(e.Entry, s.signed, pinned)
		if err != nil {
			return "", fmt.Errorf("%s: %w", e.Ledger, err)
		}
		if pinned != nil {
			s.witnessed[e.Ledger] = true
		}
		by = append(by, e.Ledger+": "+who)
	}
	return strings.Join(by, "; "), nil
}

func (s *verification) trusted() (string, error) {
	if s.trust == nil {
		return "the keys were taken from the receipt itself: it is consistent, but whose log it is was not checked", nil
	}
	if s.trust.Origin != s.signed.Origin {
		return "", fmt.Errorf("the log is %q, the trust file is for %q", s.signed.Origin, s.trust.Origin)
	}
	if !s.trust.trustsKey(s.r.Key) {
		return "", fmt.Errorf("the key %s is not one of those in the trust file", s.r.Key)
	}
	if missing := s.trust.unmet(s.witnessed); missing != "" {
		return "", errors.New(missing)
	}
	s.report.Pinned = true
	return fmt.Sprintf("the log's key is trusted, and %d trusted ledgers witnessed it", len(s.witnessed)), nil
}
