package anchor

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/suyuan-io/suyuan/hub"
)

// proofHeader is the first line of a bare proof (c2sp.org/tlog-proof).
const proofHeader = "c2sp.org/tlog-proof@v1"

// TlogProof is a bare proof that a leaf is in a log, as other tools of C2SP read it: without the event, with the leaf record as
// the extra data, and with the cosignatures of witnesses on the checkpoint.
type TlogProof struct {
	// Extra is opaque to the format; here it is the leaf record's bytes. Nil for none.
	Extra []byte
	Index uint64
	// Hashes are the inclusion proof, Note is the checkpoint with all its signatures.
	Hashes []hub.Digest
	Note   []byte
}

// ProofOf returns the bare proof of a receipt.
func ProofOf(r hub.Receipt) TlogProof {
	return TlogProof{
		Extra: r.Leaf.Bytes(), Index: r.Proof.LeafIndex, Hashes: r.Proof.Hashes,
		Note: append([]byte(r.Checkpoint), cosignatures(r.Ledger)...),
	}
}

// cosignatures returns the signature lines of the witnesses among evidence.
func cosignatures(all []hub.Evidence) string {
	var lines strings.Builder
	for _, e := range all {
		var entry struct {
			Cosignature string `json:"cosignature"`
		}
		if LedgerKind(e.Ledger) == "witness" && json.Unmarshal(e.Entry, &entry) == nil {
			lines.WriteString(entry.Cosignature)
		}
	}
	return lines.String()
}

// Encode returns the text form.
func (p TlogProof) Encode() []byte {
	b := []byte(proofHeader + "\n")
	if p.Extra != nil {
		b = fmt.Appendf(b, "extra %s\n", base64.StdEncoding.EncodeToString(p.Extra))
	}
	b = fmt.Appendf(b, "index %d\n", p.Index)
	for _, h := range p.Hashes {
		b = fmt.Appendf(b, "%s\n", base64.StdEncoding.EncodeToString(h[:]))
	}
	return append(append(b, '\n'), p.Note...)
}

// maxProof bounds the bytes of a bare proof.
const maxProof = 128 << 10

// ParseTlogProof reads a bare proof. It has one spelling, but for the signatures of the checkpoint.
func ParseTlogProof(b []byte) (TlogProof, error) {
	bad := func(why string) (TlogProof, error) {
		return TlogProof{}, hub.Faultf(hub.Invalid, "proof.format", "the proof is refused: %s", why)
	}
	if len(b) > maxProof {
		return bad("it is too large")
	}
	head, note, ok := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || lines[0] != proofHeader || len(lines) < 2 {
		return bad("it does not begin with " + proofHeader + " and an index")
	}
	p := TlogProof{Note: []byte(note), Hashes: []hub.Digest{}}
	lines = lines[1:]
	if encoded, ok := strings.CutPrefix(lines[0], "extra "); ok {
		var err error
		if p.Extra, err = base64.StdEncoding.Strict().DecodeString(encoded); err != nil || len(lines) < 2 {
			return bad("its extra data is no base64, or no index follows")
		}
		lines = lines[1:]
	}
	number, ok := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil || strconv.FormatUint(index, 10) != number || index > maxSize {
		return bad("its index is not one")
	}
	p.Index = index
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != hub.DigestSize || len(p.Hashes) == 64 {
			return bad("a hash is not one, or there are too many")
		}
		p.Hashes = append(p.Hashes, hub.Digest(h))
	}
	if _, _, err := ParseCheckpoint(p.Note); err != nil {
		return TlogProof{}, err
	}
	return p, nil
}

// VerifyTlogProof checks a bare proof offline, by a trust file: the log's signature by one of its keys, the inclusion of the leaf
// whose record is the extra data, and the cosignatures of the witnesses that the file names, by its rule. It names the
// checks as [Verifier.Verify] does; of an event it says nothing.
func VerifyTlogProof(b []byte, trust *Trust) (*Report, error) {
	report := &Report{}
	fail := func(name string, err error) (*Report, error) {
		report.Checks = append(report.Checks, Check{Name: name, Detail: err.Error()})
		return report, failedCheck(name, err)
	}
	hold := func(name, format string, args ...any) {
		report.Checks = append(report.Checks, Check{Name: name, OK: true, Detail: fmt.Sprintf(format, args...)})
	}
	p, err := ParseTlogProof(b)
	if err != nil {
		return fail(CheckFormat, err)
	}
	var leaf hub.LeafRecord
	if err := json.Unmarshal(p.Extra, &leaf, json.RejectUnknownMembers(true)); err != nil || string(leaf.Bytes()) != string(p.Extra) {
		return fail(CheckFormat, errors.New("its extra data is no leaf record in its canonical form"))
	}
	hold(CheckFormat, "bare proof of a leaf stated by %s through %s", leaf.Provider, leaf.Connector)
	keys, err := trust.verifierKeys()
	if err != nil {
		return fail(CheckCheckpoint, err)
	}
	c, key, err := openBy(p.Note, keys)
	if err != nil {
		return fail(CheckCheckpoint, err)
	}
	report.Origin, report.LeafIndex, report.TreeSize, report.Key = c.Origin, p.Index, c.Size, key
	hold(CheckCheckpoint, "%s signed size %d", c.Origin, c.Size)
	if err := VerifyInclusion(trust.hash, hub.Proof{LeafIndex: p.Index, TreeSize: c.Size, Hashes: p.Hashes}, trust.hash.Leaf(p.Extra), c.Root); err != nil {
		return fail(CheckInclusion, err)
	}
	hold(CheckInclusion, "leaf %d of %d, root %v", p.Index, c.Size, c.Root)
	witnessed, err := cosignedBy(p.Note, c, trust)
	if err != nil {
		return fail(CheckLedger, err)
	}
	if missing := trust.unmet(witnessed); missing != "" {
		return fail(CheckTrust, errors.New(missing))
	}
	hold(CheckTrust, "the log's key is trusted, and %d trusted witnesses cosigned it", len(witnessed))
	report.OK, report.Pinned = true, true
	return report, nil
}

// cosignedBy returns which of the witnesses that the trust file names cosigned. A line that claims to be by one of them, and does
// not fit, is refused.
func cosignedBy(note []byte, c hub.Checkpoint, trust *Trust) (map[string]bool, error) {
	_, sigs, err := ParseCheckpoint(note)
	if err != nil {
		return nil, err
	}
	witnessed := make(map[string]bool)
	for name, pinned := range trust.Ledgers {
		if LedgerKind(name) != "witness" {
			continue
		}
		var pin struct {
			Key string `yaml:"key"`
		}
		if err := pinned.Decode(&pin); err != nil {
			return nil, err
		}
		key, err := ParseCosignerKey(pin.Key)
		if err != nil {
			return nil, err
		}
		line := key.Find(sigs)
		if line == "" {
			continue
		}
		if _, err := key.Verify(c, line); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		witnessed[name] = true
	}
	return witnessed, nil
}
