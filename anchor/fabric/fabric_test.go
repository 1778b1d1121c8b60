package fabric_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/hub"
)

// config returns the configuration of a client of the first organisation.
func config(t testing.TB, n *fabrictest.Network) fabric.Config {
	t.Helper()
	cert, key := n.Files(t, n.Orgs[0].Client)
	return fabric.Config{
		Peers:   []fabric.Peer{{Address: n.Address, CA: n.TLSCA}},
		Channel: n.Channel, Chaincode: n.Chaincode, MSP: n.Orgs[0].MSP, Certificate: cert, Key: key,
	}
}

func open(t testing.TB, c fabric.Config, dir string) *fabric.Ledger {
	t.Helper()
	l, err := fabric.Open(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !strings.Contains(err.Error(), "closing") {
			t.Error(err)
		}
	})
	return l
}

func TestSuite(t *testing.T) {
	dirs, configs := map[anchor.Ledger]string{}, map[anchor.Ledger]fabric.Config{}
	start := func(t testing.TB, c fabric.Config, dir string) anchor.Ledger {
		l := open(t, c, dir)
		dirs[l], configs[l] = dir, c
		return l
	}
	ledgertest.Run(t, ledgertest.Subject{
		Open: func(t testing.TB, _ ...anchor.VerifierKey) anchor.Ledger {
			return start(t, config(t, fabrictest.New(t, "Org1MSP", "Org2MSP", "Org3MSP")), t.TempDir())
		},
		Reopen: func(t testing.TB, l anchor.Ledger) anchor.Ledger {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return start(t, configs[l], dirs[l])
		},
		Verify:   fabric.Verify,
		Unsigned: true,
	})
}

// TestTheFakeAnswersAsTheContract runs the contract's own table against the fake.
func TestTheFakeAnswersAsTheContract(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("chaincode", "testdata", "calls.json"))
	if err != nil {
		t.Fatal(err)
	}
	var calls []struct {
		Name, MSP, Function, Status, Code string
		Args                              []string
		Size                              uint64
	}
	if err := json.Unmarshal(b, &calls); err != nil {
		t.Fatal(err)
	}
	state := memory{}
	for _, c := range calls {
		b, err := fabrictest.Call(state, c.MSP, "tx", c.Function, c.Args...)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		var got struct {
			Status, Code string
			Record       struct{ Size uint64 }
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if got.Status != c.Status || got.Code != c.Code || c.Size != 0 && got.Record.Size != c.Size {
			t.Errorf("%s: got %s, want %s %s %d", c.Name, b, c.Status, c.Code, c.Size)
		}
	}
}

type memory map[string][]byte

func (m memory) Get(key string) []byte    { return m[key] }
func (m memory) Put(key string, b []byte) { m[key] = b }

// TestFaults commits a checkpoint while something goes wrong, as the hub does: after an unknown outcome it looks it up,
// and commits again. In the end it is held once, by one transaction.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault  fabrictest.Fault
		kind   hub.Kind // of the first commit
		landed bool     // before the second commit
	}{
		"endorsement is refused":               {fabrictest.EndorseAborted, hub.Unavailable, false},
		"no orderer takes it":                  {fabrictest.SubmitRefused, hub.Internal, false},
		"it is acknowledged and lost":          {fabrictest.SubmitLost, hub.Internal, false},
		"it lands and the answer is lost":      {fabrictest.SubmitLanded, hub.Internal, true},
		"it lands and the news comes too late": {fabrictest.StatusTimeout, hub.Internal, true},
		"a peer lags when it shall attest":     {fabrictest.Lagging, -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := fabrictest.New(t, "Org1MSP", "Org2MSP")
			dir := t.TempDir()
			l := open(t, config(t, n), dir)
			log := anchortest.NewLog(t, "suite.example/log", "a")
			commitment := log.Commit(t, 0, 5)
			n.Inject(c.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			_, err := l.Commit(ctx, commitment)
			if c.kind >= 0 && (err == nil || hub.KindOf(err) != c.kind) || c.kind < 0 && err != nil {
				t.Errorf("the first commit: got %v, want %v", err, c.kind)
			}
			if n.Pending() != 0 {
				t.Fatal("the fault was not injected")
			}
			// The process dies and starts again.
			l = open(t, config(t, n), dir)
			if _, _, err := l.Lookup(t.Context(), "suite.example/log", 5); (err == nil) != c.landed {
				t.Errorf("look up: got %v, landed: %v", err, c.landed)
			}
			evidence, err := l.Commit(t.Context(), commitment)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fabric.Verify(evidence.Entry, commitment.Checkpoint, nil); err != nil {
				t.Error(err)
			}
			if n.Blocks() != 1 {
				t.Errorf("%d transactions were put into blocks, want 1", n.Blocks())
			}
			if _, err := l.Commit(t.Context(), log.Commit(t, 5, 9)); err != nil {
				t.Errorf("the next checkpoint: %v", err)
			}
		})
	}
}

// TestTheTransactionBeforeIsSettledFirst loses a checkpoint and commits a larger one: the lost one lands first, and the
// proof of the larger one then begins at the wrong size.
func TestTheTransactionBeforeIsSettledFirst(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP")
	l := open(t, config(t, n), t.TempDir())
	log := anchortest.NewLog(t, "suite.example/log", "a")
	lost := log.Commit(t, 0, 5)
	n.Inject(fabrictest.SubmitLost)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := l.Commit(ctx, lost); err == nil {
		t.Fatal("the fault was not injected")
	}
	if _, err := l.Commit(t.Context(), log.Commit(t, 0, 9)); hub.KindOf(err) != hub.Invalid {
		t.Errorf("got %v, want Invalid", err)
	}
	if _, err := l.Commit(t.Context(), log.Commit(t, 5, 12)); err != nil {
		t.Error(err)
	}
	if c, err := l.Latest(t.Context(), "suite.example/log"); err != nil || c.Size != 12 {
		t.Errorf("the newest is %d, %v", c.Size, err)
	}
}

func TestSomebodyElseIsFaster(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP")
	first, second := open(t, config(t, n), t.TempDir()), open(t, config(t, n), t.TempDir())
	log := anchortest.NewLog(t, "suite.example/log", "a")
	same := log.Commit(t, 0, 5)
	n.Between(func() {
		if _, err := second.Commit(t.Context(), same); err != nil {
			t.Error(err)
		}
	})
	evidence, err := first.Commit(t.Context(), same)
	if err != nil {
		t.Fatalf("the same checkpoint: %v", err)
	}
	if _, err := fabric.Verify(evidence.Entry, same.Checkpoint, nil); err != nil {
		t.Error(err)
	}
	if n.Blocks() != 2 {
		t.Errorf("%d transactions were put into blocks, want a valid and an invalid one", n.Blocks())
	}
	n.Between(func() {
		if _, err := second.Commit(t.Context(), log.Commit(t, 5, 9)); err != nil {
			t.Error(err)
		}
	})
	other := log.Fork(t, 5, "a").Commit(t, 5, 7)
	if _, err := first.Commit(t.Context(), other); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("another checkpoint: got %v, want Unavailable", err)
	}
	if _, err := first.Commit(t.Context(), other); hub.KindOf(err) != hub.Conflict {
		t.Errorf("another checkpoint again: got %v, want Conflict", err)
	}
}

func TestAnotherOrganisationDoesNotOwnTheLog(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP", "Org2MSP")
	owner := open(t, config(t, n), t.TempDir())
	c := config(t, n)
	c.MSP = "Org2MSP"
	c.Certificate, c.Key = n.Files(t, n.Orgs[1].Client)
	stranger := open(t, c, t.TempDir())
	log := anchortest.NewLog(t, "suite.example/log", "a")
	if _, err := owner.Commit(t.Context(), log.Commit(t, 0, 5)); err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Commit(t.Context(), log.Commit(t, 5, 9)); hub.KindOf(err) != hub.Forbidden {
		t.Errorf("got %v, want Forbidden", err)
	}
}

func TestTheNextPeerIsAskedWhenOneIsDown(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP")
	c := config(t, n)
	c.Peers = append([]fabric.Peer{{Address: "127.0.0.1:1", CA: n.TLSCA}}, c.Peers...)
	l := open(t, c, t.TempDir())
	if _, err := l.Commit(t.Context(), anchortest.NewLog(t, "suite.example/log", "a").Commit(t, 0, 5)); err != nil {
		t.Error(err)
	}
}

func TestWrongConfigurationSaysWhatIsWrong(t *testing.T) {
	n, other := fabrictest.New(t, "Org1MSP"), fabrictest.New(t, "Org9MSP")
	expired := fabrictest.NewMember(t, "Org1MSP", "client", n.Orgs[0].CA, time.Now().Add(-time.Hour))
	for name, c := range map[string]struct {
		change func(c *fabric.Config)
		want   string
	}{
		"expired certificate":  {func(c *fabric.Config) { c.Certificate, c.Key = n.Files(t, expired) }, "certificate expired at"},
		"no certificate":       {func(c *fabric.Config) { c.Certificate = "none.pem" }, "certificate cannot be read"},
		"key of another":       {func(c *fabric.Config) { _, c.Key = n.Files(t, n.Orgs[0].Peer) }, "key is not that of the certificate"},
		"certificate as a key": {func(c *fabric.Config) { c.Key = c.Certificate }, "key is no PEM private key"},
		"no peers":             {func(c *fabric.Config) { c.Peers = nil }, "peers names no peer"},
		"address without port": {func(c *fabric.Config) { c.Peers[0].Address = "localhost" }, "is not host:port"},
		"no channel":           {func(c *fabric.Config) { c.Channel = "" }, "channel is missing"},
		"another channel":      {func(c *fabric.Config) { c.Channel = "other" }, "has not joined channel other"},
		"another chaincode":    {func(c *fabric.Config) { c.Chaincode = "other" }, "chaincode other is not on channel"},
		"wrong MSP":            {func(c *fabric.Config) { c.MSP = "Org2MSP" }, "does not accept our identity in Org2MSP"},
		"foreign identity":     {func(c *fabric.Config) { c.Certificate, c.Key = n.Files(t, other.Orgs[0].Client) }, "does not accept our identity"},
		"foreign TLS":          {func(c *fabric.Config) { c.Peers[0].CA = other.TLSCA }, "TLS certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := config(t, n)
			c.change(&wrong)
			l, err := fabric.Open(wrong, t.TempDir())
			if err == nil {
				_, err = l.Latest(t.Context(), "suite.example/log")
				if hub.KindOf(err) != hub.Unavailable {
					t.Errorf("got kind %v", hub.KindOf(err))
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestEvidenceOutlivesTheDriversMemory(t *testing.T) {
	n := fabrictest.New(t, "Org1MSP", "Org2MSP")
	c := anchortest.NewLog(t, "suite.example/log", "a").Commit(t, 0, 5)
	first, err := open(t, config(t, n), t.TempDir()).Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := open(t, config(t, n), t.TempDir()).Lookup(t.Context(), "suite.example/log", 5)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first.Entry, second.Entry) {
		t.Error("two attestations have the same signatures")
	}
	for _, e := range []hub.Evidence{first, second} {
		if _, err := fabric.Verify(e.Entry, c.Checkpoint, trust(n, 2)); err != nil {
			t.Error(err)
		}
		if len(e.Entry) > 16<<10 {
			t.Errorf("evidence of two organisations has %d bytes", len(e.Entry))
		}
	}
}
