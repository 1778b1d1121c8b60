package fabrictest

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/hyperledger/fabric-gateway/pkg/identity"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
)

// Forgery is what a dishonest hub could hand out in place of evidence.
type Forgery struct {
	Name  string
	Entry []byte
	// Want is a part of the message with which it has to be refused.
	Want string
}

// Parties are those whose keys a forger has: the hub, and by MSP id a client and a peer of each organisation.
type Parties struct {
	Hub            *Member
	Clients, Peers map[string]*Member
}

// LoadMember reads a member of an organisation from PEM files.
func LoadMember(tb testing.TB, mspID, certFile, keyFile string) *Member {
	tb.Helper()
	m := &Member{MSP: mspID}
	var err error
	if m.CertPEM, err = os.ReadFile(certFile); err != nil {
		tb.Fatal(err)
	}
	if m.Cert, err = identity.CertificateFromPEM(m.CertPEM); err != nil {
		tb.Fatal(err)
	}
	if m.KeyPEM, err = os.ReadFile(keyFile); err != nil {
		tb.Fatal(err)
	}
	key, err := identity.PrivateKeyFromPEM(m.KeyPEM)
	if err != nil {
		tb.Fatal(err)
	}
	var ok bool
	if m.key, ok = key.(*ecdsa.PrivateKey); !ok {
		tb.Fatalf("%s holds no ECDSA key", keyFile)
	}
	return m
}

// forger makes forgeries of one piece of good evidence, whose reader demands as many endorsements as it has.
type forger struct {
	tb      testing.TB
	good    []byte
	parties Parties
	// endorsers are the MSP ids of the transaction's endorsers.
	endorsers []string
	made      []Forgery
}

// Forgeries returns forgeries of good evidence. The reader must demand as many organisations as endorsed it.
func Forgeries(tb testing.TB, good []byte, parties Parties) []Forgery {
	tb.Helper()
	f := &forger{tb: tb, good: good, parties: parties}
	f.envelopes(f.open().Transaction, func(a *peer.ChaincodeActionPayload) { f.endorsers = whose(tb, a) })
	f.tampered()
	f.endorsedByOthers()
	f.swapped()
	return f.made
}

// whose returns the MSP ids of endorsements.
func whose(tb testing.TB, a *peer.ChaincodeActionPayload) []string {
	tb.Helper()
	var ids []string
	for _, e := range a.GetAction().GetEndorsements() {
		var id msp.SerializedIdentity
		if err := proto.Unmarshal(e.GetEndorser(), &id); err != nil {
			tb.Fatal(err)
		}
		ids = append(ids, id.GetMspid())
	}
	return ids
}

func (f *forger) open() contract.Proof {
	f.tb.Helper()
	var e contract.Proof
	if err := json.Unmarshal(f.good, &e); err != nil {
		f.tb.Fatal(err)
	}
	return e
}

// add makes one forgery.
func (f *forger) add(name, want string, change func(e *contract.Proof)) {
	f.tb.Helper()
	e := f.open()
	change(&e)
	b, err := json.Marshal(e)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.made = append(f.made, Forgery{Name: name, Entry: b, Want: want})
}

// envelopes changes a transaction and signs its envelope anew, as a hub can that has its own key.
func (f *forger) envelopes(envelope []byte, change func(a *peer.ChaincodeActionPayload)) []byte {
	f.tb.Helper()
	var e common.Envelope
	var payload common.Payload
	var transaction peer.Transaction
	var action peer.ChaincodeActionPayload
	for _, step := range []func() error{
		func() error { return proto.Unmarshal(envelope, &e) },
		func() error { return proto.Unmarshal(e.GetPayload(), &payload) },
		func() error { return proto.Unmarshal(payload.GetData(), &transaction) },
		func() error { return proto.Unmarshal(transaction.GetActions()[0].GetPayload(), &action) },
	} {
		if err := step(); err != nil {
			f.tb.Fatal(err)
		}
	}
	change(&action)
	transaction.Actions[0].Payload = marshal(&action)
	payload.Data = marshal(&transaction)
	e.Payload = marshal(&payload)
	e.Signature = f.parties.Hub.Sign(e.GetPayload())
	return marshal(&e)
}

// transaction and attestation add forgeries of one of the two transactions.
func (f *forger) transaction(name, want string, change func(a *peer.ChaincodeActionPayload)) {
	f.tb.Helper()
	f.add(name, want, func(e *contract.Proof) { e.Transaction = f.envelopes(e.Transaction, change) })
}

func (f *forger) attestation(name, want string, change func(a *peer.ChaincodeActionPayload)) {
	f.tb.Helper()
	f.add(name, want, func(e *contract.Proof) { e.Attestation = f.envelopes(e.Attestation, change) })
}

// tampered changes what was signed.
func (f *forger) tampered() {
	f.tb.Helper()
	flip := func(a *peer.ChaincodeActionPayload) { a.Action.Endorsements[1].Signature[10] ^= 1 }
	f.transaction("a tampered endorsement", "the endorsement of "+f.endorsers[1]+" was tampered with", flip)
	f.attestation("a tampered attestation", "the attestation: the endorsement of ", flip)
	f.transaction("a tampered result", "was tampered with",
		func(a *peer.ChaincodeActionPayload) { a.Action.ProposalResponsePayload[40] ^= 1 })
	f.transaction("another proposal", "another proposal",
		func(a *peer.ChaincodeActionPayload) { a.ChaincodeProposalPayload[10] ^= 1 })
	f.add("an envelope signed by nobody", "does not fit the envelope", func(e *contract.Proof) {
		var envelope common.Envelope
		if err := proto.Unmarshal(e.Transaction, &envelope); err != nil {
			f.tb.Fatal(err)
		}
		envelope.Signature = nil
		e.Transaction = marshal(&envelope)
	})
	f.add("an envelope with more in it", "not in its one encoding",
		func(e *contract.Proof) { e.Transaction = append(e.Transaction, 0x1a, 1, 'x') })
}

// endorsedByOthers lets others sign what the peers signed, or fewer.
func (f *forger) endorsedByOthers() {
	f.tb.Helper()
	all := len(f.endorsers)
	by := func(m *Member) func(a *peer.ChaincodeActionPayload) {
		return func(a *peer.ChaincodeActionPayload) {
			a.Action.Endorsements[1] = &peer.Endorsement{Endorser: m.Serialized(),
				Signature: m.Sign(slices.Concat(a.GetAction().GetProposalResponsePayload(), m.Serialized()))}
		}
	}
	few := func(n int) func(a *peer.ChaincodeActionPayload) {
		return func(a *peer.ChaincodeActionPayload) { a.Action.Endorsements = a.Action.Endorsements[:n] }
	}
	second := f.endorsers[1]
	f.transaction("a certificate of a foreign authority",
		"the endorsement of "+second+": its certificate is from a foreign authority", by(NewOrg(f.tb, second).Peer))
	f.transaction("a client as endorser", "is that of no peer", by(f.parties.Clients[second]))
	f.transaction("one organisation twice", fmt.Sprintf("it is endorsed by %d of the trusted organisations", all-1),
		by(f.parties.Peers[f.endorsers[0]]))
	f.transaction("an endorsement set below the rule",
		fmt.Sprintf("the transaction: it is endorsed by 1 of the trusted organisations [%s], below the rule of %d", f.endorsers[0], all), few(1))
	f.attestation("an attestation below the rule",
		fmt.Sprintf("the attestation: it is endorsed by %d of the trusted organisations", all-1), few(all-1))
	f.transaction("no endorsement", "0 endorsements", few(0))
}

// swapped puts something genuine where something else belongs.
func (f *forger) swapped() {
	f.tb.Helper()
	f.add("a transaction that is marked invalid", "marked invalid: MVCC_READ_CONFLICT",
		func(e *contract.Proof) { e.Validation = "MVCC_READ_CONFLICT" })
	f.add("no attestation", "the attestation: there is no envelope", func(e *contract.Proof) { e.Attestation = []byte{} })
	f.add("the transaction as its attestation", "the attestation: it writes", func(e *contract.Proof) { e.Attestation = e.Transaction })
	f.add("the attestation as its transaction", "does not write exactly checkpoint", func(e *contract.Proof) { e.Transaction = e.Attestation })
	f.add("another block", "the evidence block", func(e *contract.Proof) { e.Block++ })
}
