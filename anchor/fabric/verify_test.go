package fabric_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

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

// parties are all members of the network.
func parties(n *fabrictest.Network) fabrictest.Parties {
	p := fabrictest.Parties{Hub: n.Orgs[0].Client, Clients: map[string]*fabrictest.Member{}, Peers: map[string]*fabrictest.Member{}}
	for _, org := range n.Orgs {
		p.Clients[org.MSP], p.Peers[org.MSP] = org.Client, org.Peer
	}
	return p
}

// TestForgedEvidence has everything that a hub could hand out in place of evidence refused, each with its own message.
func TestForgedEvidence(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP", "Org2MSP", "Org3MSP")
	c, good := committed(t, n)
	if by, err := fabric.Verify(good, c, trust(n, 3)); err != nil || !strings.Contains(by, "Org1MSP, Org2MSP, Org3MSP") {
		t.Fatalf("got %q, %v", by, err)
	}
	for _, f := range fabrictest.Forgeries(t, good, parties(n)) {
		t.Run(f.Name, func(t *testing.T) {
			if _, err := fabric.Verify(f.Entry, c, trust(n, 3)); err == nil || !strings.Contains(err.Error(), f.Want) {
				t.Errorf("got %v, want %q", err, f.Want)
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
	var p, q map[string]any
	if err := json.Unmarshal(good, &p); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(late, &q); err != nil {
		t.Fatal(err)
	}
	p["transaction"] = q["transaction"]
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
