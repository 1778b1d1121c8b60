package fabric_test

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

// pinned returns what a reader pins who wants nOf of the network's organisations, on the contract of c.
func pinned(t *testing.T, n *fabricnet.Network, c fabric.Config, nOf int) anchor.Pinned {
	t.Helper()
	trust, err := n.Trust(0, nOf)
	if err != nil {
		t.Fatal(err)
	}
	trust.Chaincode = c.Chaincode
	b, err := yaml.Marshal(trust)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// parties are members of all organisations.
func parties(t *testing.T, n *fabricnet.Network) fabrictest.Parties {
	t.Helper()
	p := fabrictest.Parties{Clients: map[string]*fabrictest.Member{}, Peers: map[string]*fabrictest.Member{}}
	for _, org := range n.Orgs {
		cert, key := org.Client()
		p.Clients[org.MSP] = fabrictest.LoadMember(t, org.MSP, cert, key)
		cert, key = org.PeerIdentity()
		p.Peers[org.MSP] = fabrictest.LoadMember(t, org.MSP, cert, key)
	}
	p.Hub = p.Clients[n.Orgs[0].MSP]
	return p
}

// TestForgedEvidence has everything that a hub could hand out in place of evidence refused, each with its own message.
func TestForgedEvidence(t *testing.T) {
	n, config := network(t), deploy(t)
	c := anchortest.NewLog(t, "evidence.example/log", "a").Commit(t, 0, 5)
	good, err := open(t, config, t.TempDir()).Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	trust := pinned(t, n, config, 2) // a majority of three endorsed it
	by, err := fabric.Verify(good.Entry, c.Checkpoint, trust)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes of evidence: %s", len(good.Entry), by)
	if _, err := fabric.Verify(good.Entry, c.Checkpoint, pinned(t, n, config, 3)); err == nil || !strings.Contains(err.Error(), "below the rule of 3") {
		t.Errorf("a rule of all three: got %v", err)
	}
	for _, f := range fabrictest.Forgeries(t, good.Entry, parties(t, n)) {
		t.Run(f.Name, func(t *testing.T) {
			if _, err := fabric.Verify(f.Entry, c.Checkpoint, trust); err == nil || !strings.Contains(err.Error(), f.Want) {
				t.Errorf("got %v, want %q", err, f.Want)
			}
		})
	}
}

// TestTrustIsReadFromTheChannel compares what the driver says of the consortium with the certificates that made it.
func TestTrustIsReadFromTheChannel(t *testing.T) {
	n, config := network(t), deploy(t)
	l := open(t, config, t.TempDir())
	got, err := l.Trust(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if want := pinned(t, n, config, 2); string(b) != string(want) {
		t.Errorf("got %s, want %s", b, want)
	}
	c := anchortest.NewLog(t, "trust.example/log", "a").Commit(t, 0, 5)
	e, err := l.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fabric.Verify(e.Entry, c.Checkpoint, b); err != nil {
		t.Error(err)
	}
	if err := l.Probe(t.Context(), "trust.example/log"); err != nil {
		t.Error(err)
	}
}

// TestWrongConfigurationSaysWhatIsWrong probes the network as suyuan check does.
func TestWrongConfigurationSaysWhatIsWrong(t *testing.T) {
	n, good := network(t), deploy(t)
	cert, key := n.Orgs[1].Client()
	owned := anchortest.NewLog(t, "owned.example/log", "a").Commit(t, 0, 5)
	other := good
	other.MSP, other.Certificate, other.Key = n.Orgs[1].MSP, cert, key
	if _, err := open(t, other, t.TempDir()).Commit(t.Context(), owned); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]struct {
		change func(c *fabric.Config)
		want   string
	}{
		"another channel":   {func(c *fabric.Config) { c.Channel = "other" }, "has not joined channel other"},
		"another chaincode": {func(c *fabric.Config) { c.Chaincode = "other" }, "chaincode other is not on channel"},
		"wrong MSP":         {func(c *fabric.Config) { c.MSP = "Org2MSP" }, "does not accept our identity in Org2MSP"},
		"unknown MSP":       {func(c *fabric.Config) { c.MSP = "Org9MSP" }, "does not accept our identity in Org9MSP"},
		"foreign TLS": {func(c *fabric.Config) {
			c.Peers = []fabric.Peer{{Address: c.Peers[0].Address, CA: c.Peers[1].CA}}
		}, "TLS certificate"},
		"nobody there": {func(c *fabric.Config) {
			c.Peers = []fabric.Peer{{Address: "127.0.0.1:1", CA: c.Peers[1].CA}}
		}, "does not answer"},
		"another's log": {func(*fabric.Config) {}, "belongs to Org2MSP"},
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			f.change(&c)
			if err := open(t, c, t.TempDir()).Probe(t.Context(), "owned.example/log"); err == nil || !strings.Contains(err.Error(), f.want) {
				t.Errorf("got %v, want %q", err, f.want)
			}
		})
	}
}

// TestRewrittenHistoryIsRefused has hubs that own the log's key and the origin rewrite what they anchored.
func TestRewrittenHistoryIsRefused(t *testing.T) {
	config := deploy(t)
	l := open(t, config, t.TempDir())
	honest := anchortest.NewLog(t, "rewritten.example/log", "a")
	for _, c := range []anchor.Commitment{honest.Commit(t, 0, 100), honest.Commit(t, 100, 300)} {
		if _, err := l.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	rewritten := func() *anchortest.Log { return honest.Fork(t, 50, "rewritten") }
	for name, c := range map[string]anchor.Commitment{
		"another root for an anchored size":          rewritten().Commit(t, 100, 300),
		"growth from a history that was rewritten":   rewritten().Commit(t, 300, 400),
		"growth from a size that was never anchored": rewritten().Commit(t, 100, 400),
		"a smaller log": honest.Fork(t, 0, "a").Commit(t, 0, 200),
	} {
		t.Run(name, func(t *testing.T) {
			// The dishonest hub has no memory that could stop it.
			_, err := open(t, config, t.TempDir()).Commit(t.Context(), c)
			if err == nil {
				t.Fatal("the consortium took it")
			}
			t.Log(err)
			latest, err := l.Latest(t.Context(), "rewritten.example/log")
			if err != nil || latest.Size != 300 {
				t.Errorf("the newest is %d, %v", latest.Size, err)
			}
		})
	}
	if _, err := l.Commit(t.Context(), honest.Commit(t, 300, 400)); err != nil {
		t.Errorf("the honest hub: %v", err)
	}
}
