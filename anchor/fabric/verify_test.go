package fabric_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/hub"
)

// trust returns what a reader pins who wants nOf of the network's organisations.
func trust(n *fabrictest.Network, nOf int) anchor.Pinned {
	var b, ids strings.Builder
	for i, org := range n.Orgs {
		if i > 0 {
			ids.WriteString(", ")
		}
		ids.WriteString(org.MSP)
		fmt.Fprintf(&b, "  %s: |\n    %s\n", org.MSP, strings.ReplaceAll(strings.TrimSpace(string(org.CA.CertPEM)), "\n", "\n    "))
	}
	return anchor.Pinned(fmt.Sprintf("channel: %s\nchaincode: %s\nowner: %s\nrule: { nOf: %d, msps: [%s] }\nroots:\n%s",
		n.Channel, n.Chaincode, n.Orgs[0].MSP, nOf, ids.String(), b.String()))
}

// committed commits one checkpoint and returns its evidence.
func committed(t *testing.T, n *fabrictest.Network) (hub.Checkpoint, []byte) {
	t.Helper()
	c := anchortest.NewLog(t, "suite.example/log", "a").Commit(t, 0, 5)
	e, err := open(t, config(t, n), t.TempDir()).Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return c.Checkpoint, e.Entry
}

// parts is evidence taken apart.
type parts struct {
	Attestation []byte `json:"attestation"`
	Block       uint64 `json:"block"`
	Transaction []byte `json:"transaction"`
	Type        string `json:"type"`
	Validation  string `json:"validation"`
}

// forge rewrites evidence as a hub can that has its own key: it changes an envelope and signs it anew.
func forge(t *testing.T, n *fabrictest.Network, envelope []byte, change func(a *peer.ChaincodeActionPayload)) []byte {
	t.Helper()
	var e common.Envelope
	var payload common.Payload
	var transaction peer.Transaction
	var action peer.ChaincodeActionPayload
	unmarshal(t, envelope, &e)
	unmarshal(t, e.GetPayload(), &payload)
	unmarshal(t, payload.GetData(), &transaction)
	unmarshal(t, transaction.GetActions()[0].GetPayload(), &action)
	change(&action)
	transaction.Actions[0].Payload = marshal(t, &action)
	payload.Data = marshal(t, &transaction)
	e.Payload = marshal(t, &payload)
	e.Signature = n.Orgs[0].Client.Sign(e.GetPayload())
	return marshal(t, &e)
}

func unmarshal(t *testing.T, b []byte, m proto.Message) {
	t.Helper()
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestForgedEvidence has everything that a hub could hand out in place of evidence refused, each with its own message.
func TestForgedEvidence(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP", "Org2MSP", "Org3MSP")
	c, good := committed(t, n)
	if by, err := fabric.Verify(good, c, trust(n, 3)); err != nil || !strings.Contains(by, "Org1MSP, Org2MSP, Org3MSP") {
		t.Fatalf("got %q, %v", by, err)
	}
	foreign := fabrictest.NewOrg(t, "Org2MSP")
	// endorsedBy signs what the peers signed with another member.
	endorsedBy := func(m *fabrictest.Member, place int) func(a *peer.ChaincodeActionPayload) {
		return func(a *peer.ChaincodeActionPayload) {
			a.Action.Endorsements[place] = &peer.Endorsement{Endorser: m.Serialized(),
				Signature: m.Sign(slices.Concat(a.GetAction().GetProposalResponsePayload(), m.Serialized()))}
		}
	}
	for name, f := range map[string]struct {
		change func(p *parts)
		want   string
	}{
		"a tampered endorsement": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, func(a *peer.ChaincodeActionPayload) { a.Action.Endorsements[1].Signature[10] ^= 1 })
		}, "the endorsement of Org2MSP was tampered with"},
		"a tampered attestation": {func(p *parts) {
			p.Attestation = forge(t, n, p.Attestation, func(a *peer.ChaincodeActionPayload) { a.Action.Endorsements[2].Signature[10] ^= 1 })
		}, "the attestation: the endorsement of Org3MSP was tampered with"},
		"a tampered result": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, func(a *peer.ChaincodeActionPayload) { a.Action.ProposalResponsePayload[40] ^= 1 })
		}, "was tampered with"},
		"another proposal": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, func(a *peer.ChaincodeActionPayload) { a.ChaincodeProposalPayload[10] ^= 1 })
		}, "another proposal"},
		"a foreign authority": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, endorsedBy(foreign.Peer, 1))
		}, "the endorsement of Org2MSP: its certificate is from a foreign authority"},
		"a client as endorser": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, endorsedBy(n.Orgs[1].Client, 1))
		}, "is that of no peer"},
		"one organisation twice": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, endorsedBy(n.Orgs[0].Peer, 1))
		}, "by 2 of the trusted organisations [Org1MSP, Org3MSP], below the rule of 3"},
		"below the rule": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, func(a *peer.ChaincodeActionPayload) { a.Action.Endorsements = a.Action.Endorsements[:1] })
		}, "the transaction: it is endorsed by 1 of the trusted organisations"},
		"an attestation below the rule": {func(p *parts) {
			p.Attestation = forge(t, n, p.Attestation, func(a *peer.ChaincodeActionPayload) { a.Action.Endorsements = a.Action.Endorsements[:2] })
		}, "the attestation: it is endorsed by 2 of the trusted organisations"},
		"no endorsement": {func(p *parts) {
			p.Transaction = forge(t, n, p.Transaction, func(a *peer.ChaincodeActionPayload) { a.Action.Endorsements = nil })
		}, "0 endorsements"},
		"a transaction that is marked invalid": {func(p *parts) { p.Validation = "MVCC_READ_CONFLICT" }, "marked invalid: MVCC_READ_CONFLICT"},
		"no attestation":                       {func(p *parts) { p.Attestation = []byte{} }, "the attestation: there is no envelope"},
		"the transaction as its attestation":   {func(p *parts) { p.Attestation = p.Transaction }, "the attestation: it writes"},
		"the attestation as its transaction":   {func(p *parts) { p.Transaction = p.Attestation }, "does not write exactly checkpoint 5"},
		"another block":                        {func(p *parts) { p.Block++ }, "the evidence block"},
		"an envelope signed by nobody": {func(p *parts) {
			var e common.Envelope
			unmarshal(t, p.Transaction, &e)
			e.Signature = nil
			p.Transaction = marshal(t, &e)
		}, "does not fit the envelope"},
		"an envelope with more in it": {func(p *parts) { p.Transaction = append(p.Transaction, 0x1a, 1, 'x') }, "not in its one encoding"},
	} {
		t.Run(name, func(t *testing.T) {
			var p parts
			if err := json.Unmarshal(good, &p); err != nil {
				t.Fatal(err)
			}
			f.change(&p)
			bad, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fabric.Verify(bad, c, trust(n, 3)); err == nil || !strings.Contains(err.Error(), f.want) {
				t.Errorf("got %v, want %q", err, f.want)
			}
		})
	}
}

// TestEvidenceOfATransactionThatNeverTookEffect uses an endorsed transaction that was ordered too late, with the
// attestation of the one that was faster.
func TestEvidenceOfATransactionThatNeverTookEffect(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP")
	c, good := committed(t, n)
	other := fabrictest.New(t, "Org1MSP")
	other.Orgs = n.Orgs
	_, late := committed(t, other)
	var p, q parts
	if err := json.Unmarshal(good, &p); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(late, &q); err != nil {
		t.Fatal(err)
	}
	p.Transaction = q.Transaction
	bad, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fabric.Verify(bad, c, nil); err == nil {
		t.Error("it was accepted")
	}
}

func TestTrustIsStrict(t *testing.T) {
	n, other := fabrictest.New(t, "Org1MSP", "Org2MSP"), fabrictest.New(t, "Org1MSP", "Org2MSP")
	c, good := committed(t, n)
	pinned := string(trust(n, 2))
	for name, f := range map[string]struct{ pinned, want string }{
		"another network":             {string(trust(other, 2)), "foreign authority"},
		"another channel":             {strings.Replace(pinned, "channel: anchors", "channel: other", 1), "trusted is suyuan on other"},
		"another chaincode":           {strings.Replace(pinned, "chaincode: suyuan", "chaincode: other", 1), "trusted is other"},
		"another owner":               {strings.Replace(pinned, "owner: Org1MSP", "owner: Org2MSP", 1), "the log's owner is Org2MSP"},
		"an impossible rule":          {strings.Replace(pinned, "nOf: 2", "nOf: 3", 1), "demands 3 of 2"},
		"an empty rule":               {strings.Replace(pinned, "nOf: 2", "nOf: 0", 1), "demands 0 of 2"},
		"an organisation named twice": {strings.Replace(pinned, "Org1MSP, Org2MSP]", "Org1MSP, Org1MSP]", 1), "distinct"},
		"no root":                     {strings.Replace(pinned, "  Org2MSP: |", "  Org3MSP: |", 1), "no root certificate of Org2MSP"},
		"an unknown name":             {pinned + "rule2: x\n", "read trust"},
		"another unit":                {pinned + "peerOU: orderer\n", "that of no peer"},
		"nothing":                     {"{}", "names no channel"},
	} {
		if _, err := fabric.Verify(good, c, anchor.Pinned(f.pinned)); err == nil || !strings.Contains(err.Error(), f.want) {
			t.Errorf("%s: got %v, want %q", name, err, f.want)
		}
	}
	if _, err := fabric.Verify(good, c, anchor.Pinned(pinned+"peerOU: \"-\"\n")); err != nil {
		t.Errorf("any member: %v", err)
	}
	fork := anchortest.NewLog(t, "suite.example/log", "b").Commit(t, 0, 5).Checkpoint
	if _, err := fabric.Verify(good, fork, trust(n, 2)); err == nil || !strings.Contains(err.Error(), "another checkpoint") {
		t.Errorf("another checkpoint: got %v", err)
	}
}

// TestAnExpiredCertificateStillVerifies: a receipt outlives the certificates of its day, but not those of another day.
func TestAnExpiredCertificateStillVerifies(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP")
	n.Orgs[0].Peer = fabrictest.NewMember(t, "Org1MSP", "peer", n.Orgs[0].CA, time.Now().Add(-time.Minute))
	c, entry := committed(t, n)
	if _, err := fabric.Verify(entry, c, trust(n, 1)); err == nil || !strings.Contains(err.Error(), "does not hold") {
		t.Errorf("expired when it was made: got %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"attestation":"CgA=","block":0,"transaction":"CgA=","type":"https://suyuan.dev/fabric/v1","validation":"VALID"}`))
	f.Add([]byte(`{}`))
	log := anchortest.NewLog(f, "suite.example/log", "a")
	c := log.Grow(f, 5)
	f.Fuzz(func(t *testing.T, b []byte) {
		if by, err := fabric.Verify(b, c, nil); err == nil {
			t.Errorf("accepted %q: %s", b, by)
		}
	})
}
