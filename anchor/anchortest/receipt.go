package anchortest

import (
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// Receipt anchors a log of n events on ledgers and returns the receipt of the event at seq.
func Receipt(tb testing.TB, key *anchor.SigningKey, n int, seq hub.Seq, ledgers ...anchor.Ledger) hub.Receipt {
	tb.Helper()
	store := &Store{Hash: key.Public().Hash()}
	log, err := anchor.New(anchor.Options{Key: key, Leaves: store, Journal: store, Ledgers: ledgers})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range n {
		store.Append(Event(i, time.Now()))
	}
	if err := log.Flush(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	r, err := log.Receipt(tb.Context(), seq)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}
