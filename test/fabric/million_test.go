package fabric_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

const (
	// eventsVariable says how many events TestManyEvents records, such as 1000000; databaseVariable names a database in
	// which they are kept for the next run.
	eventsVariable   = "SUYUAN_FABRIC_EVENTS"
	databaseVariable = "SUYUAN_FABRIC_DB"
	// sampled is how many receipts are verified, and sealedAt how many events are anchored at a time: the hub's default.
	sampled  = 300
	sealedAt = 1 << 16
)

// arriving is a store whose events come little by little.
type arriving struct {
	*sqlite.Store
	anchor.Journal

	shown uint64
}

// LogSize implements [anchor.Leaves].
func (a *arriving) LogSize(context.Context) (uint64, error) { return a.shown, nil }

// SaveProgress implements [anchor.Journal]; so do the others that the database has, too.
func (a *arriving) SaveProgress(ctx context.Context, s anchor.Sealed) error {
	return a.Journal.SaveProgress(ctx, s)
}

// Seal implements [anchor.Journal].
func (a *arriving) Seal(ctx context.Context, s anchor.Sealed, tiles []anchor.Tile) error {
	return a.Journal.Seal(ctx, s, tiles)
}

// SealedFrom implements [anchor.Journal].
func (a *arriving) SealedFrom(ctx context.Context, size uint64, limit int) ([]anchor.Sealed, error) {
	return a.Journal.SealedFrom(ctx, size, limit)
}

// Tile implements [anchor.Journal].
func (a *arriving) Tile(ctx context.Context, level int, index uint64) (anchor.Tile, error) {
	return a.Journal.Tile(ctx, level, index)
}

// TestManyEvents records events into the hub's own store, anchors them in batches of the hub's default size, and verifies
// a sample of receipts offline, down to the event's CBV hash. It says how many transactions a million events took.
func TestManyEvents(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(eventsVariable))
	if err != nil || n < sampled {
		n = 2000 // enough to see that it works
	}
	w := newWorld(t, deploy(t))
	path, again := os.Getenv(databaseVariable), true
	if path == "" {
		path, again = filepath.Join(w.dir, "hub.db"), false
	}
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { do(t, store.Close) })
	recordMany(t, store, n)
	events := &arriving{Store: store, Journal: store}
	if again { // the events are those of a run before, on another network: the journal begins anew
		events.Journal = &anchortest.Store{}
	}
	w.store = events
	w.log, err = anchor.New(anchor.Options{
		Key: w.key, Leaves: events, Journal: events, Ledgers: []anchor.Ledger{open(t, w.config, filepath.Join(w.dir, "fabric"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	for events.shown < uint64(n) {
		events.shown = min(uint64(n), events.shown+sealedAt)
		for err := w.log.Flush(t.Context()); err != nil; err = w.log.Flush(t.Context()) {
			if hub.KindOf(err) == hub.Conflict || t.Context().Err() != nil {
				t.Fatal(err)
			}
			t.Logf("again: %v", err) // a busy machine can make a call last too long
		}
	}
	took := time.Since(started)
	status, err := w.log.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := events.SealedFrom(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events anchored in %v by %d transactions: %.1f for a million events",
		status.Committed, took.Round(time.Millisecond), len(sealed), status.TransactionsPerMillion)
	if status.Committed != uint64(n) {
		t.Errorf("%d of %d events are anchored", status.Committed, n)
	}
	w.checkHistory(t)
	sample(t, w, n)
}

// recordMany records events until there are n, prepared by several goroutines.
func recordMany(t *testing.T, store *sqlite.Store, n int) {
	t.Helper()
	const batch, workers = 500, 4
	there, err := store.LogSize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	batches := make(chan []hub.Outcome, workers)
	var making sync.WaitGroup
	for worker := range workers {
		making.Go(func() {
			for from := int(there) + worker*batch; from < n; from += workers * batch {
				all := make([]hub.Outcome, 0, batch)
				for i := from; i < min(from+batch, n); i++ {
					all = append(all, storetest.Outcome(t, i, strconv.Itoa(i)))
				}
				batches <- all
			}
		})
	}
	go func() {
		making.Wait()
		close(batches)
	}()
	for all := range batches {
		if _, err := store.Append(t.Context(), all); err != nil {
			t.Errorf("append: %v", err)
		}
	}
	t.Logf("%d events were there, the others recorded in %v", there, time.Since(started).Round(time.Millisecond))
}

// sample verifies receipts as a stranger does, in Go and some in Python.
func sample(t *testing.T, w *world, n int) {
	t.Helper()
	trust, err := anchor.ParseTrust(w.trustFile(t))
	if err != nil {
		t.Fatal(err)
	}
	v := &anchor.Verifier{
		Ledgers: map[string]anchor.EvidenceVerifier{fabric.Name: fabric.Verify},
		EventHash: func(event []byte) (string, error) {
			e, err := epcis.ParseEvent(event, nil)
			if err != nil {
				return "", err
			}
			return e.Hash(epcis.CBV20)
		},
	}
	var some [][]byte
	for i := range sampled {
		seq := hub.Seq(rand.IntN(n))
		r, err := w.log.Receipt(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		b, err := anchor.EncodeReceipt(r)
		if err != nil {
			t.Fatal(err)
		}
		if report, err := v.Verify(b, trust); err != nil || !report.Pinned || report.LeafIndex != uint64(seq) {
			t.Errorf("receipt of %d: %v", seq, err)
		}
		if i < 20 {
			some = append(some, b)
		}
	}
	t.Logf("%d sampled receipts verify offline", sampled)
	t.Run("in Python", func(t *testing.T) {
		for i, verdict := range anchortest.Python(t, filepath.Join("..", "..", "docs", "verify.py"), w.trustFile(t), some) {
			if verdict != "verifies" {
				t.Errorf("receipt %d: %s", i, verdict)
			}
		}
		t.Logf("%d of them in Python, too", len(some))
	})
}
