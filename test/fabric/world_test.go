package fabric_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/test/fabricnet"
)

const (
	// patience bounds the wait for what has to happen in the end.
	patience = 3 * time.Minute
	// commitTimeout is the hub's for one call of the ledger; the default of 30 s would only make the tests longer.
	commitTimeout = 8 * time.Second
)

// keeper is what a log stands on.
type keeper interface {
	anchor.Leaves
	anchor.Journal
}

// world is a hub's log on a contract of its own.
type world struct {
	n      *fabricnet.Network
	config fabric.Config
	key    *anchor.SigningKey
	store  keeper
	dir    string
	calls  calls

	log  *anchor.Log
	stop func()
}

func newWorld(t *testing.T, config fabric.Config) *world {
	t.Helper()
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	return &world{n: network(t), config: config, key: key, store: &anchortest.Store{}, dir: t.TempDir()}
}

// start runs the log until stop is called, and at the latest until the test ends.
func (w *world) start(t *testing.T) {
	t.Helper()
	ledger, err := fabric.Open(w.config, w.dir, grpc.WithChainUnaryInterceptor(w.calls.intercept))
	if err != nil {
		t.Fatal(err)
	}
	w.log, err = anchor.New(anchor.Options{
		Key: w.key, Leaves: w.store, Journal: w.store, Ledgers: []anchor.Ledger{ledger},
		MaxAge: time.Millisecond, Poll: 10 * time.Millisecond, CommitTimeout: commitTimeout, MaxBackoff: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		if err := w.log.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
		_ = ledger.Close() // calls of it may be under way
	})
	t.Cleanup(w.stop)
}

// record appends events.
func (w *world) record(t *testing.T, n int) {
	t.Helper()
	size, err := w.store.LogSize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store, ok := w.store.(*anchortest.Store)
	if !ok {
		t.Fatal("only the store in memory is recorded to in this way")
	}
	for i := range n {
		store.Append(anchortest.Event(int(size)+i, time.Now()))
	}
	w.log.Nudge()
}

// anchored waits until everything that was recorded is anchored.
func (w *world) anchored(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	size, err := w.store.LogSize(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.WaitCommitted(ctx, size); err != nil {
		t.Fatalf("wait for size %d: %v; the log says %v", size, err, w.log.Ready())
	}
}

// troubled waits until a round of the log has failed, and returns why.
func (w *world) troubled(t *testing.T) error {
	t.Helper()
	return eventually(t, "a round fails", func() error {
		if err := w.log.Ready(); err != nil && strings.Contains(err.Error(), "fails") {
			return err
		}
		return nil
	})
}

// eventually waits until f returns something.
func eventually(t *testing.T, what string, f func() error) error {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		if err := f(); err != nil {
			return err
		}
		select {
		case <-deadline:
			t.Fatalf("%s: it did not happen", what)
		case <-tick.C:
		}
	}
}

// checkHistory checks what must hold whatever has happened: the consortium holds every sealed checkpoint, in order, once
// and no other; each extends the one before; and receipts verify for a reader who trusts the consortium's roots alone.
func (w *world) checkHistory(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	sealed, err := w.store.SealedFrom(ctx, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var held []struct {
		Root, TxID     string
		Size, Previous uint64
	}
	var changes []struct{ TxID string }
	reached := errors.New("as many as were sealed")
	_ = eventually(t, "the other organisation's peer, which may be some blocks behind, has the checkpoints", func() error {
		changes = nil
		if w.ask(t, &changes, "History", w.key.Public().Name()); len(changes) < len(sealed) {
			return nil
		}
		return reached
	})
	w.ask(t, &held, "Range", w.key.Public().Name(), "0", "100")
	if len(held) != len(sealed) || len(changes) != len(sealed) {
		t.Fatalf("%d checkpoints were sealed, the channel holds %d by %d transactions", len(sealed), len(held), len(changes))
	}
	previous := hub.Checkpoint{}
	for i, s := range sealed {
		h := held[i]
		if s.State != anchor.StateCommitted || h.Size != s.Checkpoint.Size || h.Root != s.Checkpoint.Root.String() || h.Previous != previous.Size {
			t.Errorf("checkpoint %d is %v in the journal; the channel holds %+v", s.Checkpoint.Size, s.State, h)
		}
		w.checkGrowth(t, previous, s.Checkpoint)
		w.checkReceipt(t, hub.Seq(s.Checkpoint.Size-1))
		previous = s.Checkpoint
	}
}

func (w *world) ask(t *testing.T, into any, function string, args ...string) {
	t.Helper()
	b, err := w.n.Orgs[1].Evaluate(t.Context(), w.config.Chaincode, function, args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func (w *world) checkGrowth(t *testing.T, from, to hub.Checkpoint) {
	t.Helper()
	if from.Size == 0 {
		return
	}
	proof, err := anchor.ProveConsistency(t.Context(), anchor.SHA256, w.store, from.Size, to.Size)
	if err != nil {
		t.Fatal(err)
	}
	if err := anchor.VerifyConsistency(anchor.SHA256, anchor.Head{Size: from.Size, Root: from.Root}, anchor.Head{Size: to.Size, Root: to.Root}, proof); err != nil {
		t.Errorf("checkpoint %d does not extend %d: %v", to.Size, from.Size, err)
	}
}

// trustFile is the trust file of a reader who wants two of the three organisations.
func (w *world) trustFile(t *testing.T) []byte {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "origin: %s\nkeys: [%q]\nledgers:\n  fabric:\n", w.key.Public().Name(), w.key.Public())
	for line := range strings.Lines(string(pinned(t, w.n, w.config, 2))) {
		b.WriteString("    " + line)
	}
	return []byte(b.String())
}

// checkReceipt verifies the receipt of an event as a stranger does, and returns it.
func (w *world) checkReceipt(t *testing.T, seq hub.Seq) []byte {
	t.Helper()
	r, err := w.log.Receipt(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	b, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := anchor.ParseTrust(w.trustFile(t))
	if err != nil {
		t.Fatal(err)
	}
	v := &anchor.Verifier{Ledgers: map[string]anchor.EvidenceVerifier{fabric.Name: fabric.Verify}}
	if report, err := v.Verify(b, trust); err != nil || !report.Pinned {
		t.Errorf("receipt of %d: %v", seq, err)
	}
	return b
}

// calls lets a test act around the next call of a method of the Gateway service.
type calls struct {
	mu   sync.Mutex
	next map[string]around
}

// around makes a call, and does something before, meanwhile or after.
type around func(call func() error) error

// once has f made of the next call of a method, such as "Endorse".
func (c *calls) once(method string, f around) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(map[string]around)
	}
	c.next[method] = f
}

func (c *calls) intercept(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	options ...grpc.CallOption) error {
	name := method[strings.LastIndex(method, "/")+1:]
	c.mu.Lock()
	f := c.next[name]
	delete(c.next, name)
	c.mu.Unlock()
	call := func() error { return invoke(ctx, method, request, reply, conn, options...) }
	if f == nil {
		return call()
	}
	return f(call)
}
