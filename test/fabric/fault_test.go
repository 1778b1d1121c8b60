package fabric_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

// TestFaults lets something go wrong in the network while checkpoints are anchored. Whatever it is: none is lost, none
// is there twice, and the log never forks.
func TestFaults(t *testing.T) {
	n := network(t)
	for name, fault := range map[string]func(t *testing.T, w *world){
		"a peer is killed during endorsement":                    peerKilledDuringEndorse,
		"a peer is killed while its block is awaited":            peerKilledDuringCommit,
		"the orderer is down":                                    ordererDown,
		"the orderer dies after it acknowledged the transaction": ordererDiesAfterSubmit,
		"the network to the hub's peer is cut":                   partition,
		"another organisation's peer hangs":                      peerHangs,
		"a transaction is submitted three times":                 submittedThreeTimes,
		"the contract is restarted":                              contractRestarted,
		"everything is restarted":                                everythingRestarted,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, deploy(t))
			w.start(t)
			w.record(t, 5)
			w.anchored(t)
			fault(t, w)
			w.anchored(t)
			w.record(t, 5)
			w.anchored(t)
			w.checkHistory(t)
			whole(t, n)
		})
	}
}

// whole starts again what a fault has ended.
func whole(t *testing.T, n *fabricnet.Network) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, p := range n.Processes() {
		if p.Running() {
			continue
		}
		if err := p.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.Ready(ctx); err != nil {
		t.Fatal(err)
	}
}

// do fails the test, from any goroutine, if something that the test does to the network fails.
func do(t *testing.T, steps ...func() error) {
	t.Helper()
	for _, step := range steps {
		if err := step(); err != nil {
			t.Error(err)
		}
	}
}

// peerKilledDuringEndorse freezes the contract, so that the endorsement is surely under way when the peer dies.
func peerKilledDuringEndorse(t *testing.T, w *world) {
	org := w.n.Orgs[0]
	w.calls.once("Endorse", func(call func() error) error {
		do(t, org.Contract.Freeze)
		ended := make(chan error, 1)
		go func() { ended <- call() }()
		do(t, org.Peer.Kill, org.Contract.Thaw)
		return <-ended
	})
	w.record(t, 5)
	t.Log(w.troubled(t))
}

// peerKilledDuringCommit freezes the orderer, so that the block does not come before the peer dies.
func peerKilledDuringCommit(t *testing.T, w *world) {
	w.calls.once("Submit", func(call func() error) error {
		err := call()
		do(t, w.n.Orderer.Freeze)
		return err
	})
	w.calls.once("CommitStatus", func(call func() error) error {
		ended := make(chan error, 1)
		go func() { ended <- call() }()
		do(t, w.n.Orgs[0].Peer.Kill, w.n.Orderer.Thaw)
		return <-ended
	})
	w.record(t, 5)
	t.Log(w.troubled(t))
}

// ordererDown keeps the orderer down until the hub has noticed, or for 30 s when SUYUAN_FABRIC_LONG is set.
func ordererDown(t *testing.T, w *world) {
	do(t, w.n.Orderer.Kill)
	w.record(t, 5)
	t.Log(w.troubled(t))
	if os.Getenv("SUYUAN_FABRIC_LONG") != "" {
		<-time.After(30 * time.Second)
	}
	do(t, func() error { return w.n.Orderer.Start(t.Context()) })
}

// ordererDiesAfterSubmit loses a transaction that was acknowledged: only submitting the same bytes again brings it back.
func ordererDiesAfterSubmit(t *testing.T, w *world) {
	w.calls.once("Submit", func(call func() error) error {
		err := call()
		do(t, w.n.Orderer.Kill)
		return err
	})
	w.record(t, 5)
	t.Log(w.troubled(t))
	do(t, func() error { return w.n.Orderer.Start(t.Context()) })
}

// partition puts a proxy before the hub's own peer and cuts it: the connection stays open and nobody answers.
func partition(t *testing.T, w *world) {
	w.stop()
	p, err := fabricnet.NewProxy(t.Context(), w.config.Peers[0].Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { do(t, p.Close) })
	w.config.Peers[0].Address = p.Address
	w.start(t)
	w.record(t, 5)
	w.anchored(t)
	p.Cut()
	w.record(t, 5)
	w.anchored(t) // by way of another organisation's peer
	p.Heal()
	w.record(t, 5)
}

func peerHangs(t *testing.T, w *world) {
	do(t, w.n.Orgs[1].Peer.Freeze)
	w.record(t, 5)
	w.anchored(t)
	do(t, w.n.Orgs[1].Peer.Thaw)
	w.record(t, 5)
}

func submittedThreeTimes(t *testing.T, w *world) {
	for range 2 {
		w.calls.once("Submit", func(call func() error) error {
			do(t, call, call)
			return call()
		})
		w.record(t, 5)
		w.anchored(t)
	}
}

func contractRestarted(t *testing.T, w *world) {
	for _, o := range w.n.Orgs {
		do(t, o.Contract.Kill)
	}
	w.record(t, 5)
	t.Log(w.troubled(t))
	for _, o := range w.n.Orgs {
		do(t, func() error { return o.Contract.Start(t.Context()) })
	}
}

func everythingRestarted(t *testing.T, w *world) {
	for _, p := range w.n.Processes() {
		do(t, p.Kill)
	}
	w.record(t, 5)
	t.Log(w.troubled(t))
	whole(t, w.n)
}

// TestExpiredCertificate lets the hub's certificate expire unnoticed: its validity has ended by every clock but the hub's own.
// Peers of 2.5 endorse the transaction and no orderer takes it, so that it is under way with an outcome that is not known;
// those of 3.1 endorse nothing. The hub says what is wrong as soon as its clock does; with a new certificate it goes on where
// it was.
func TestExpiredCertificate(t *testing.T) {
	n, config := network(t), deploy(t)
	org := n.Orgs[0]
	cert, key := org.Authority()
	authority := fabrictest.LoadMember(t, org.MSP, cert, key)
	w := newWorld(t, config)
	w.start(t)
	w.record(t, 5)
	w.anchored(t)
	w.stop()

	renewed := w.config
	expiredAt := authority.Cert.NotBefore.Add(2 * time.Minute) // an authority's validity begins 5 minutes before it is made
	old := fabrictest.NewMember(t, org.MSP, "client", authority, expiredAt)
	w.config.Certificate, w.config.Key = write(t, old.CertPEM), write(t, old.KeyPEM)
	var expired atomic.Bool
	w.config.Now = func() time.Time {
		if expired.Load() {
			return time.Now()
		}
		return expiredAt.Add(-time.Minute)
	}
	w.start(t)
	w.record(t, 5)
	t.Log(w.troubled(t))
	expired.Store(true)
	w.renewed(t, renewed)
}

// renewed waits until the hub says that its certificate expired, and checks that with another one it goes on, with nothing lost.
func (w *world) renewed(t *testing.T, config fabric.Config) {
	t.Helper()
	t.Log(eventually(t, "the hub says that its certificate expired", func() error {
		if err := w.log.Ready(); err != nil && strings.Contains(err.Error(), "our certificate in Org1MSP expired") {
			return err
		}
		return nil
	}))
	w.stop()
	w.config = config
	w.start(t)
	w.anchored(t)
	w.record(t, 5)
	w.anchored(t)
	w.checkHistory(t)
}

// TestCertificateThatExpiresMeanwhile lets the hub's certificate expire while a transaction is signed and its outcome is not known.
// How long that takes is the machine's: a certificate that expired before is tried again with one that lasts twice as long.
func TestCertificateThatExpiresMeanwhile(t *testing.T) {
	network(t)
	for lasts := 6 * time.Second; !expiresMeanwhile(t, lasts); lasts *= 2 {
		if lasts > patience {
			t.Fatal("the machine is too busy")
		}
	}
}

func expiresMeanwhile(t *testing.T, lasts time.Duration) bool {
	w := newWorld(t, deploy(t))
	w.start(t)
	w.record(t, 5)
	w.anchored(t)
	w.stop()
	defer whole(t, w.n)
	do(t, w.n.Orderer.Kill)

	org, renewed := w.n.Orgs[0], w.config
	cert, key := org.Authority()
	expiresAt := time.Now().Add(lasts)
	soon := fabrictest.NewMember(t, org.MSP, "client", fabrictest.LoadMember(t, org.MSP, cert, key), expiresAt)
	w.config.Certificate, w.config.Key = write(t, soon.CertPEM), write(t, soon.KeyPEM)
	w.start(t)
	w.record(t, 5)
	pending := errors.New("the transaction is signed")
	if err := eventually(t, "it is signed, or too late", func() error {
		signed, err := filepath.Glob(filepath.Join(w.dir, "pending-*"))
		switch {
		case err != nil:
			return err
		case time.Now().After(expiresAt):
			return errors.New("too late")
		case len(signed) > 0:
			return pending
		}
		return nil
	}); !errors.Is(err, pending) {
		w.stop()
		return false
	}
	<-time.After(time.Until(expiresAt.Add(time.Second)))
	do(t, func() error { return w.n.Orderer.Start(t.Context()) })
	w.renewed(t, renewed)
	return true
}

// TestRaftLeaderIsKilled kills each of three orderers in turn, the raft leader among them, while checkpoints are anchored, and
// starts it again.
func TestRaftLeaderIsKilled(t *testing.T) {
	network(t) // skips without Fabric's programs
	n, err := fabricnet.Start(t.Context(), fabricnet.Options{Programs: shared.programs, Dir: t.TempDir(), Orderers: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { do(t, n.Close) })
	w := newWorld(t, n.Config(0))
	w.n = n
	w.start(t)
	w.record(t, 5)
	w.anchored(t)
	for _, o := range n.Orderers {
		do(t, o.Kill)
		started := time.Now()
		w.record(t, 5)
		w.anchored(t)
		t.Logf("%s is killed: anchored after %v", o.Name, time.Since(started).Round(time.Millisecond))
		do(t, func() error { return o.Start(t.Context()) })
		w.record(t, 5)
		w.anchored(t)
	}
	w.checkHistory(t)
}

// TestCommitByAnotherIsSeen has somebody with the hub's keys commit what the hub never sealed, while the hub has nothing to commit
// itself, and after its peer was restarted: the hub listens, and stops with an alarm.
func TestCommitByAnotherIsSeen(t *testing.T) {
	w := newWorld(t, deploy(t))
	w.start(t)
	w.record(t, 5)
	w.anchored(t)
	peer := w.n.Orgs[0].Peer
	do(t, peer.Kill, func() error { return peer.Start(t.Context()) })
	whole(t, w.n)
	w.record(t, 5)
	w.anchored(t) // our own commits are heard, too, and raise no alarm
	w.checkHistory(t)

	size, err := w.store.LogSize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stolen := anchor.NewTree(anchor.SHA256)
	leaves, err := w.store.LeafHashes(t.Context(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	stolen.Append(leaves)
	stolen.Append([]hub.Digest{hub.Sum([]byte("what the hub does not know"))})
	journal := &anchortest.Store{}
	c := w.key.SignCheckpoint(stolen.Size(), stolen.Root())
	if err := journal.Seal(t.Context(), anchor.Sealed{Checkpoint: c}, stolen.TakeTiles()); err != nil {
		t.Fatal(err)
	}
	proof, err := anchor.ProveConsistency(t.Context(), anchor.SHA256, journal, size, size+1)
	if err != nil {
		t.Fatal(err)
	}
	thief := open(t, w.config, t.TempDir())
	if _, err := thief.Commit(t.Context(), anchor.Commitment{Checkpoint: c, PreviousSize: size, Consistency: proof}); err != nil {
		t.Fatal(err)
	}
	t.Log(eventually(t, "the alarm is raised", func() error {
		if err := w.log.Ready(); hub.KindOf(err) == hub.Conflict && strings.Contains(err.Error(), "not sealed here") {
			return err
		}
		return nil
	}))
}

func write(t *testing.T, b []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "*.pem")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
