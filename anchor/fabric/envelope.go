package fabric

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// maxEndorsements bounds the signatures that one transaction is checked for.
const maxEndorsements = 100

// signer is an identity that signed: a certificate that its organisation is said to have issued.
type signer struct {
	msp  string
	cert *x509.Certificate
}

// endorsed is a transaction whose signatures fit. Whose they are is for the reader to judge.
type endorsed struct {
	channel, txID, chaincode string
	// at is the time that the transaction states; all endorsers signed it.
	at        time.Time
	creator   signer
	endorsers []signer
	// answer is what the contract returned.
	answer []byte
	// sets are what it read and wrote, by namespace.
	sets map[string]*kvrwset.KVRWSet
}

// openEnvelope reads a transaction envelope and checks every signature in it, the binding of the proposal to what was
// endorsed, and the transaction's id. Its checks are those of a committing peer (Fabric 2.5, "Transaction flow"),
// except that it does not know the channel's policies.
func openEnvelope(b []byte) (*endorsed, error) {
	var envelope common.Envelope
	if err := unmarshal(b, &envelope, "envelope"); err != nil {
		return nil, err
	}
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&envelope)
	if err != nil || !bytes.Equal(again, b) || len(envelope.ProtoReflect().GetUnknown()) > 0 {
		return nil, errors.New("the envelope is not in its one encoding")
	}
	var payload common.Payload
	var channelHeader common.ChannelHeader
	var creatorHeader common.SignatureHeader
	if err := unmarshal(envelope.GetPayload(), &payload, "payload"); err != nil {
		return nil, err
	}
	header := payload.GetHeader()
	if err := unmarshal(header.GetChannelHeader(), &channelHeader, "channel header"); err != nil {
		return nil, err
	}
	if err := unmarshal(header.GetSignatureHeader(), &creatorHeader, "signature header"); err != nil {
		return nil, err
	}
	creator, err := parseSigner(creatorHeader.GetCreator())
	if err != nil {
		return nil, fmt.Errorf("the creator: %w", err)
	}
	if !creator.signed(envelope.GetPayload(), envelope.GetSignature()) {
		return nil, fmt.Errorf("the signature of the creator, of %s, does not fit the envelope", creator.msp)
	}
	if t := common.HeaderType(channelHeader.GetType()); t != common.HeaderType_ENDORSER_TRANSACTION {
		return nil, fmt.Errorf("it is a %v, not a transaction", t)
	}
	id := sha256.Sum256(slices.Concat(creatorHeader.GetNonce(), creatorHeader.GetCreator()))
	if channelHeader.GetTxId() != hex.EncodeToString(id[:]) {
		return nil, errors.New("the transaction's id is not that of its creator and nonce")
	}
	e := &endorsed{
		channel: channelHeader.GetChannelId(), txID: channelHeader.GetTxId(),
		at: channelHeader.GetTimestamp().AsTime(), creator: creator,
	}
	return e, e.readAction(payload.GetData(), header)
}

// readAction reads the one action of a transaction.
func (e *endorsed) readAction(b []byte, header *common.Header) error {
	var transaction peer.Transaction
	if err := unmarshal(b, &transaction, "transaction"); err != nil {
		return err
	}
	if len(transaction.GetActions()) != 1 {
		return fmt.Errorf("the transaction has %d actions, not one", len(transaction.GetActions()))
	}
	action := transaction.GetActions()[0]
	if !bytes.Equal(action.GetHeader(), header.GetSignatureHeader()) {
		return errors.New("the action is by another creator than the transaction")
	}
	var payload peer.ChaincodeActionPayload
	if err := unmarshal(action.GetPayload(), &payload, "action"); err != nil {
		return err
	}
	response := payload.GetAction().GetProposalResponsePayload()
	if err := e.checkEndorsements(payload.GetAction().GetEndorsements(), response); err != nil {
		return err
	}
	var answer peer.ProposalResponsePayload
	if err := unmarshal(response, &answer, "proposal response"); err != nil {
		return err
	}
	hash := sha256.Sum256(slices.Concat(header.GetChannelHeader(), header.GetSignatureHeader(),
		payload.GetChaincodeProposalPayload()))
	if !bytes.Equal(hash[:], answer.GetProposalHash()) {
		return errors.New("what was endorsed is the answer to another proposal")
	}
	return e.readResult(answer.GetExtension())
}

// checkEndorsements checks that everyone who is said to have endorsed the response signed it.
func (e *endorsed) checkEndorsements(endorsements []*peer.Endorsement, response []byte) error {
	if len(endorsements) == 0 || len(endorsements) > maxEndorsements {
		return fmt.Errorf("it has %d endorsements, 1 to %d are read", len(endorsements), maxEndorsements)
	}
	for i, endorsement := range endorsements {
		s, err := parseSigner(endorsement.GetEndorser())
		if err != nil {
			return fmt.Errorf("endorsement %d: %w", i+1, err)
		}
		if !s.signed(slices.Concat(response, endorsement.GetEndorser()), endorsement.GetSignature()) {
			return fmt.Errorf("the endorsement of %s was tampered with: its signature does not fit", s.msp)
		}
		e.endorsers = append(e.endorsers, s)
	}
	return nil
}

// readResult reads what the contract answered, read and wrote.
func (e *endorsed) readResult(b []byte) error {
	var action peer.ChaincodeAction
	if err := unmarshal(b, &action, "chaincode action"); err != nil {
		return err
	}
	if status := action.GetResponse().GetStatus(); status != 200 {
		return fmt.Errorf("the contract answered with status %d", status)
	}
	e.chaincode, e.answer = action.GetChaincodeId().GetName(), action.GetResponse().GetPayload()
	var results rwset.TxReadWriteSet
	if err := unmarshal(action.GetResults(), &results, "read-write set"); err != nil {
		return err
	}
	e.sets = make(map[string]*kvrwset.KVRWSet)
	for _, ns := range results.GetNsRwset() {
		var set kvrwset.KVRWSet
		if err := unmarshal(ns.GetRwset(), &set, "read-write set"); err != nil {
			return err
		}
		if e.sets[ns.GetNamespace()] != nil || len(ns.GetCollectionHashedRwset()) > 0 || len(set.GetMetadataWrites()) > 0 {
			return fmt.Errorf("the read-write set of %.60q holds more than public keys and values", ns.GetNamespace())
		}
		e.sets[ns.GetNamespace()] = &set
	}
	return nil
}

// writes returns what was written, and refuses writes outside the contract's namespace.
func (e *endorsed) writes() ([]*kvrwset.KVWrite, error) {
	for namespace, set := range e.sets {
		if namespace != e.chaincode && len(set.GetWrites()) > 0 {
			return nil, fmt.Errorf("it writes to %.60q, which is not the contract's", namespace)
		}
	}
	return e.sets[e.chaincode].GetWrites(), nil
}

// parseSigner reads a serialized identity.
func parseSigner(b []byte) (signer, error) {
	var id msp.SerializedIdentity
	if err := unmarshal(b, &id, "identity"); err != nil {
		return signer{}, err
	}
	block, rest := pem.Decode(id.GetIdBytes())
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return signer{}, fmt.Errorf("the identity of %.60q is not one PEM certificate", id.GetMspid())
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return signer{}, fmt.Errorf("the certificate of %.60q cannot be read: %w", id.GetMspid(), err)
	}
	return signer{msp: id.GetMspid(), cert: cert}, nil
}

// signed reports whether signature is that of s over message. An ECDSA signature is in DER and has a low s, as Fabric
// demands, so that it has one spelling.
func (s signer) signed(message, signature []byte) bool {
	switch key := s.cert.PublicKey.(type) {
	case *ecdsa.PublicKey:
		var parts struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(signature, &parts); err != nil || len(rest) > 0 {
			return false
		}
		half := new(big.Int).Rsh(key.Params().N, 1)
		digest := sha256.Sum256(message)
		return parts.S.Cmp(half) <= 0 && ecdsa.VerifyASN1(key, digest[:], signature)
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	}
	return false
}

// parseProcessed reads a transaction as a peer keeps it, with the peer's verdict.
func parseProcessed(b []byte) (*peer.ProcessedTransaction, error) {
	var p peer.ProcessedTransaction
	if err := unmarshal(b, &p, "processed transaction"); err != nil {
		return nil, err
	}
	return &p, nil
}

func unmarshal(b []byte, into proto.Message, what string) error {
	if len(b) == 0 {
		return fmt.Errorf("there is no %s", what)
	}
	if err := proto.Unmarshal(b, into); err != nil {
		return fmt.Errorf("the %s cannot be read: %w", what, err)
	}
	return nil
}
