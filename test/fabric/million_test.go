package fabric_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/fabric"
	"github.com/suyuan-io/suyuan/anchor/fabric/fabrictest"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

const (
	// eventsVariable says how many events TestManyEvents records, such as 1000000.
	eventsVariable = "SUYUAN_FABRIC_EVENTS"
	// sampled is how many receipts are verified.
	sampled = 300
)

// TestManyEvents records events into the hub's own store while they are anchored, and verifies a sample of receipts
// offline, down to the event's CBV hash. It says how many transactions the ledger took for a million events.
func TestManyEvents(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(eventsVariable))
	if err != nil || n < sampled {
		n = 2000 // enough to see that it works
	}
	w := newWorld(t, deploy(t))
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(w.dir, "hub.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { do(t, store.Close) })
	w.store = store
	ledger := open(t, w.config, filepath.Join(w.dir, "fabric"))
	w.log, err = anchor.New(anchor.Options{
		Key: w.key, Leaves: store, Journal: store, Ledgers: []anchor.Ledger{ledger}, MaxAge: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	recordMany(t, w, store, n)
	recorded := time.Since(started)
	if err := w.log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := w.log.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := store.SealedFrom(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d events: recorded in %v, the last anchored after %v; %d transactions, %.1f for a million events",
		n, recorded.Round(time.Millisecond), time.Since(started).Round(time.Millisecond), len(sealed), status.TransactionsPerMillion)
	if status.Committed != uint64(n) {
		t.Errorf("%d of %d events are anchored", status.Committed, n)
	}
	w.checkHistory(t)
	sample(t, w, n)
}

// recordMany records n events in batches, prepared by several goroutines, and seals when a batch of the log is full.
func recordMany(t *testing.T, w *world, store *sqlite.Store, n int) {
	t.Helper()
	const batch, workers = 500, 4
	batches := make(chan []hub.Outcome, workers)
	var making sync.WaitGroup
	for worker := range workers {
		making.Go(func() {
			for from := worker * batch; from < n; from += workers * batch {
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
	waiting := 0
	for all := range batches {
		verdicts, err := store.Append(t.Context(), all)
		if err != nil || len(verdicts) != len(all) {
			t.Errorf("append: %d verdicts of %d, %v", len(verdicts), len(all), err)
		}
		if waiting += len(all); waiting >= 1<<16 {
			waiting = 0
			if err := w.log.Flush(t.Context()); err != nil {
				t.Errorf("anchor: %v", err)
			}
		}
	}
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
		for i, verdict := range fabrictest.Python(t, filepath.Join("..", "..", "docs", "verify.py"), w.trustFile(t), some) {
			if verdict != "verifies" {
				t.Errorf("receipt %d: %s", i, verdict)
			}
		}
		t.Logf("%d of them in Python, too", len(some))
	})
}
