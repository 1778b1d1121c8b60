package anchor_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/anchor/notary"
	"github.com/suyuan-io/suyuan/hub"
)

// world is a log with what it stands on. Opening the log again on the same world is what a restart is.
type world struct {
	key    *anchor.SigningKey
	store  *anchortest.Store
	memory *ledgertest.Memory
	faults *anchortest.Switch
	// notary is the key of the notary, where there is one.
	notary *anchor.SigningKey
	// now is what the clock says.
	now time.Time
}

func newWorld(t testing.TB) *world {
	t.Helper()
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		key: key, store: &anchortest.Store{},
		memory: &ledgertest.Memory{Logs: []anchor.VerifierKey{key.Public()}},
		now:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// record appends n events.
func (w *world) record(n int) {
	size, _ := w.store.LogSize(nil) //nolint:staticcheck // the store in memory does not look at it
	for i := range n {
		w.store.Append(anchortest.Event(int(size)+i, w.now))
	}
}

// options return the options of a log whose writes and ledger pass through the switch.
func (w *world) options() anchor.Options {
	w.store.Faults = w.faults
	return anchor.Options{
		Key: w.key, Leaves: w.store, Journal: w.store,
		Ledgers: []anchor.Ledger{ledgertest.Faulty{Ledger: w.memory, Faults: w.faults}},
		Now:     func() time.Time { return w.now },
	}
}

func (w *world) open(t testing.TB) *anchor.Log {
	t.Helper()
	l, err := anchor.New(w.options())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// verifier knows the ledgers of the tests.
func verifier() *anchor.Verifier {
	return &anchor.Verifier{Ledgers: map[string]anchor.EvidenceVerifier{
		"memory": ledgertest.VerifyMemory, notary.Name: notary.Verify,
	}}
}

// checkHistory checks what must hold whatever has happened: every sealed checkpoint is committed and on the ledger
// exactly as sealed, each extends the one before, and receipts verify.
func (w *world) checkHistory(t *testing.T, l *anchor.Log) {
	t.Helper()
	ctx := t.Context()
	sealed, err := w.store.SealedFrom(ctx, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sealed {
		if s.State != anchor.StateCommitted || len(s.Evidence) != 1 {
			t.Errorf("checkpoint %d is %v with %d pieces of evidence", s.Checkpoint.Size, s.State, len(s.Evidence))
		}
		held, _, err := w.memory.Lookup(ctx, l.Origin(), s.Checkpoint.Size)
		if err != nil || held.Root != s.Checkpoint.Root {
			t.Errorf("the ledger holds %v for size %d, %v, want %v", held.Root, s.Checkpoint.Size, err, s.Checkpoint.Root)
		}
		if i == 0 {
			continue
		}
		from, to := sealed[i-1].Checkpoint, s.Checkpoint
		proof, err := anchor.ProveConsistency(ctx, anchor.SHA256, w.store, from.Size, to.Size)
		if err != nil {
			t.Fatal(err)
		}
		if err := anchor.VerifyConsistency(anchor.SHA256, anchor.Head{Size: from.Size, Root: from.Root}, anchor.Head{Size: to.Size, Root: to.Root}, proof); err != nil {
			t.Errorf("checkpoint %d does not extend %d: %v", to.Size, from.Size, err)
		}
	}
	latest, err := w.memory.Latest(ctx, l.Origin())
	if err != nil || latest.Size != sealed[len(sealed)-1].Checkpoint.Size {
		t.Errorf("the ledger's newest size is %d, %v", latest.Size, err)
	}
	for i, s := range sealed { // the first, a middle and the last event of every batch
		first := uint64(0)
		if i > 0 {
			first = sealed[i-1].Checkpoint.Size
		}
		for _, seq := range []uint64{first, (first + s.Checkpoint.Size) / 2, s.Checkpoint.Size - 1} {
			w.checkReceipt(t, l, hub.Seq(seq))
		}
	}
}

func (w *world) checkReceipt(t *testing.T, l *anchor.Log, seq hub.Seq) []byte {
	t.Helper()
	r, err := l.Receipt(t.Context(), seq)
	if err != nil {
		t.Fatalf("receipt of %d: %v", seq, err)
	}
	b, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	report, err := verifier().Verify(b, nil)
	if err != nil {
		t.Fatalf("receipt of %d: %v\n%+v", seq, err, report)
	}
	if report.LeafIndex != uint64(seq) || report.Origin != l.Origin() || !report.OK || report.Pinned {
		t.Errorf("receipt of %d: report %+v", seq, report)
	}
	var event map[string]any
	if err := json.Unmarshal(r.Event, &event); err != nil {
		t.Errorf("receipt of %d: %v", seq, err)
	}
	return b
}
