package fabric

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
	"github.com/suyuan-io/suyuan/hub"
)

// Trust is what a trust file says of a consortium.
type Trust struct {
	// Channel and Chaincode are where the checkpoint has to stand.
	Channel   string `yaml:"channel"`
	Chaincode string `yaml:"chaincode"`
	// Owner is the MSP id of the organisation that has to have submitted it; empty for any.
	Owner string `yaml:"owner"`
	// Rule is who has to have endorsed it.
	Rule Rule `yaml:"rule"`
	// Roots are, by MSP id, the PEM certificates of the organisation's authorities, root and intermediate.
	Roots map[string]string `yaml:"roots"`
	// PeerOU is the organisational unit that marks a certificate as that of a peer, so that no other member of an
	// organisation can endorse for it; the default is "peer", and "-" demands none.
	PeerOU string `yaml:"peerOU"`
}

// Rule demands the endorsement of so many of these organisations.
type Rule struct {
	NOf  int      `yaml:"nOf"`
	MSPs []string `yaml:"msps"`
}

// Verify is the [anchor.EvidenceVerifier] of this ledger. pinned is YAML:
//
//	channel: anchors
//	chaincode: suyuan
//	owner: Org1MSP                                    # who has to have submitted it; anyone if absent
//	rule: { nOf: 2, msps: [Org1MSP, Org2MSP, Org3MSP] }
//	roots: { Org1MSP: "-----BEGIN CERTIFICATE-----…", … }
//	peerOU: peer                                      # "-" accepts any member; peer if absent
//
// Certificates are judged at the time that the transaction states: a receipt outlives them.
func Verify(entry []byte, c hub.Checkpoint, pinned anchor.Pinned) (string, error) {
	p, err := contract.ParseProof(entry)
	if err != nil {
		return "", err
	}
	if p.Validation != contract.Valid {
		return "", fmt.Errorf("the transaction was marked invalid: %.60s", p.Validation)
	}
	transaction, err := openEnvelope(p.Transaction)
	if err != nil {
		return "", fmt.Errorf("the transaction: %w", err)
	}
	attestation, err := openEnvelope(p.Attestation)
	if err != nil {
		return "", fmt.Errorf("the attestation: %w", err)
	}
	written, err := transaction.checkWrites(c)
	if err != nil {
		return "", fmt.Errorf("the transaction: %w", err)
	}
	if err := attestation.checkReads(transaction, c, written, p.Block); err != nil {
		return "", fmt.Errorf("the attestation: %w", err)
	}
	by := transaction.organisations()
	if pinned != nil {
		t, err := parseTrust(pinned)
		if err != nil {
			return "", err
		}
		if by, err = t.check(transaction, attestation); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("transaction %s in block %d of channel %s, endorsed by %s",
		transaction.txID, p.Block, transaction.channel, strings.Join(by, ", ")), nil
}

// checkWrites checks that the transaction writes exactly c, and returns the bytes of its record.
func (e *endorsed) checkWrites(c hub.Checkpoint) ([]byte, error) {
	writes, err := e.writes()
	if err != nil {
		return nil, err
	}
	if len(writes) != 2 || writes[0].GetKey() != contract.RecordKey(c.Origin, c.Size) || writes[1].GetKey() != contract.HeadKey(c.Origin) ||
		writes[0].GetIsDelete() || writes[1].GetIsDelete() {
		return nil, fmt.Errorf("its read-write set does not write exactly checkpoint %d of %s", c.Size, c.Origin)
	}
	r, err := contract.ParseRecord(writes[0].GetValue())
	if err != nil {
		return nil, err
	}
	switch {
	case r.Checkpoint != string(c.Note) || r.Origin != c.Origin || r.Size != c.Size || r.Root != c.Root.String():
		return nil, errors.New("it writes another checkpoint")
	case r.TxID != e.txID:
		return nil, errors.New("the record names another transaction")
	case r.Submitter != e.creator.msp:
		return nil, fmt.Errorf("the record names %.60q as its submitter, the transaction is of %s", r.Submitter, e.creator.msp)
	}
	return writes[0].GetValue(), nil
}

// checkReads checks that e is a reading, on the same channel, of the record that the transaction wrote, in its block.
func (e *endorsed) checkReads(transaction *endorsed, c hub.Checkpoint, written []byte, block uint64) error {
	if e.channel != transaction.channel || e.chaincode != transaction.chaincode {
		return fmt.Errorf("it is about %s on %s, the transaction about %s on %s",
			e.chaincode, e.channel, transaction.chaincode, transaction.channel)
	}
	writes, err := e.writes()
	if err != nil {
		return err
	}
	if len(writes) > 0 {
		return errors.New("it writes")
	}
	a, err := contract.ParseAnswer(e.answer)
	if err != nil {
		return err
	}
	if a.Status != contract.StatusFound || !bytes.Equal(a.Record, written) {
		return errors.New("what was read is not what the transaction wrote")
	}
	read, err := e.blockOf(contract.RecordKey(c.Origin, c.Size))
	if err != nil {
		return err
	}
	if read != block {
		return fmt.Errorf("it says block %d, the evidence block %d", read, block)
	}
	return nil
}

// blockOf returns the number of the block that wrote the value of key that was read.
func (e *endorsed) blockOf(key string) (uint64, error) {
	for _, read := range e.sets[e.chaincode].GetReads() {
		if read.GetKey() == key && read.GetVersion() != nil {
			return read.GetVersion().GetBlockNum(), nil
		}
	}
	return 0, errors.New("it did not read the checkpoint from the channel's state")
}

// organisations returns the MSP ids of the endorsers.
func (e *endorsed) organisations() []string {
	var ids []string
	for _, s := range e.endorsers {
		ids = append(ids, s.msp)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// parseTrust reads what a trust file says of a consortium.
func parseTrust(pinned anchor.Pinned) (*Trust, error) {
	t := &Trust{PeerOU: "peer"}
	if err := pinned.Decode(t); err != nil {
		return nil, err
	}
	distinct := len(slices.Compact(slices.Sorted(slices.Values(t.Rule.MSPs))))
	switch {
	case t.Channel == "" || t.Chaincode == "":
		return nil, errors.New("the trust file names no channel or no chaincode")
	case t.Rule.NOf < 1 || t.Rule.NOf > distinct || distinct != len(t.Rule.MSPs):
		return nil, fmt.Errorf("the trust file's rule demands %d of %d distinct organisations", t.Rule.NOf, distinct)
	}
	for _, id := range append(slices.Clone(t.Rule.MSPs), t.Owner) {
		if id != "" && t.Roots[id] == "" {
			return nil, fmt.Errorf("the trust file has no root certificate of %s", id)
		}
	}
	return t, nil
}

// check checks both transactions against what the reader trusts and returns who satisfied the rule.
func (t *Trust) check(transaction, attestation *endorsed) ([]string, error) {
	if transaction.channel != t.Channel || transaction.chaincode != t.Chaincode {
		return nil, fmt.Errorf("it stands in %s on channel %s, trusted is %s on %s",
			transaction.chaincode, transaction.channel, t.Chaincode, t.Channel)
	}
	if t.Owner != "" {
		if transaction.creator.msp != t.Owner {
			return nil, fmt.Errorf("it was submitted by %s, the log's owner is %s", transaction.creator.msp, t.Owner)
		}
		if err := t.chain(transaction.creator, transaction, ""); err != nil {
			return nil, fmt.Errorf("the submitter: %w", err)
		}
	}
	for name, e := range map[string]*endorsed{"attestation": attestation, "transaction": transaction} {
		if _, err := t.satisfied(e); err != nil {
			return nil, fmt.Errorf("the %s: %w", name, err)
		}
	}
	return t.satisfied(transaction)
}

// satisfied returns which organisations of the rule endorsed e, and refuses fewer than the rule demands.
func (t *Trust) satisfied(e *endorsed) ([]string, error) {
	ou := t.PeerOU
	if ou == "-" {
		ou = ""
	}
	var by []string
	for _, s := range e.endorsers {
		if !slices.Contains(t.Rule.MSPs, s.msp) || slices.Contains(by, s.msp) {
			continue
		}
		if err := t.chain(s, e, ou); err != nil {
			return nil, fmt.Errorf("the endorsement of %s: %w", s.msp, err)
		}
		by = append(by, s.msp)
	}
	if len(by) < t.Rule.NOf {
		return nil, fmt.Errorf("it is endorsed by %d of the trusted organisations [%s], below the rule of %d",
			len(by), strings.Join(by, ", "), t.Rule.NOf)
	}
	slices.Sort(by)
	return by, nil
}

// chain checks that the organisation that s names issued its certificate, and that it was valid when e was made.
func (t *Trust) chain(s signer, e *endorsed, ou string) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(t.Roots[s.msp])) {
		return fmt.Errorf("the trust file's roots of %s are no PEM certificates", s.msp)
	}
	intermediates.AppendCertsFromPEM([]byte(t.Roots[s.msp]))
	_, err := s.cert.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: e.at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if authority, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("its certificate is from a foreign authority, not from one of %s: %w", s.msp, authority)
	}
	if err != nil {
		return fmt.Errorf("its certificate does not hold: %w", err)
	}
	if ou != "" && !slices.Contains(s.cert.Subject.OrganizationalUnit, ou) {
		return fmt.Errorf("its certificate is that of no peer: its units are %v", s.cert.Subject.OrganizationalUnit)
	}
	return nil
}
