package anchor_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/hub"
)

// liar is a hub that keeps two histories under one key: they differ in the leaf at forkAt.
type liar struct {
	key *anchor.SigningKey
	log [2]*anchor.Log
}

func newLiar(t *testing.T, forkAt int, sizes ...int) *liar {
	t.Helper()
	key, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key}
	for i := range l.log {
		store := &anchortest.Store{}
		l.log[i], err = anchor.New(anchor.Options{
			Key: key, Leaves: store, Journal: store, Ledgers: []anchor.Ledger{&ledgertest.Memory{Logs: []anchor.VerifierKey{key.Public()}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, size := range sizes {
			for ; n < size; n++ {
				e := anchortest.Event(n, time.Unix(1e9, 0))
				if n == forkAt && i == 1 {
					e.Leaf.Provider = "somebody-else"
				}
				store.Append(e)
			}
			if err := l.log[i].Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	return l
}

func receiptOf(t *testing.T, l *anchor.Log, seq hub.Seq) hub.Receipt {
	t.Helper()
	r, err := l.Receipt(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHonestReceiptsDoNotContradict(t *testing.T) {
	l := newLiar(t, -1, 1, 2, 3, 7, 8, 21, 40)
	view := anchor.NewView("hub.example/log", anchor.SHA256)
	for seq := range hub.Seq(40) {
		if err := view.Add("r", receiptOf(t, l.log[seq%2], seq)); err != nil {
			t.Fatalf("receipt %d: %v", seq, err)
		}
	}
	if view.Shared() < 40 {
		t.Errorf("only %d parts of the tree stood in more than one receipt", view.Shared())
	}
}

// TestForkIsSeenByTwoReceipts compares receipts of both histories of a liar.
func TestForkIsSeenByTwoReceipts(t *testing.T) {
	for _, c := range []struct {
		name       string
		forkAt     int
		sizes      []int
		first, two hub.Seq
	}{
		{"the same event", 5, []int{7, 13}, 5, 5},
		{"neighbours under one checkpoint", 5, []int{7, 13}, 4, 6},
		{"one size, two roots, far apart", 0, []int{40}, 1, 39},
		{"an event of a later checkpoint in the same quarter", 2, []int{4, 7}, 3, 6},
		{"a forked event and one of a later checkpoint", 2, []int{5, 13}, 2, 5},
	} {
		l := newLiar(t, c.forkAt, c.sizes...)
		view := anchor.NewView("hub.example/log", anchor.SHA256)
		if err := view.Add("a.json", receiptOf(t, l.log[0], c.first)); err != nil {
			t.Fatal(err)
		}
		if err := view.Add("b.json", receiptOf(t, l.log[1], c.two)); hub.KindOf(err) != hub.Conflict {
			t.Errorf("%s: %v, want a fork", c.name, err)
		}
	}
}

// Receipts whose proofs share no part of the tree do not show a fork; a consistency proof, which the liar cannot give, does.
func TestFarApartReceiptsNeedAConsistencyProof(t *testing.T) {
	l := newLiar(t, 2, 8, 40)
	view := anchor.NewView("hub.example/log", anchor.SHA256)
	for i, seq := range []hub.Seq{2, 39} {
		if err := view.Add("r", receiptOf(t, l.log[i], seq)); err != nil {
			t.Fatal(err)
		}
	}
	if view.Shared() != 0 {
		t.Errorf("%d shared parts did not contradict", view.Shared())
	}
	for i, log := range l.log {
		p, err := log.Consistency(t.Context(), 8, 40)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := view.Grow("p", b, l.key.Public()); hub.KindOf(err) != hub.Conflict {
			t.Errorf("the proof of history %d: %v, want a fork", i, err)
		}
	}
}

func TestConsistencyProofConnectsReceipts(t *testing.T) {
	l := newLiar(t, 2, 7, 13)
	honest, forged := l.log[0], l.log[1]
	proofOf := func(log *anchor.Log, from, to uint64) hub.Consistency {
		p, err := log.Consistency(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	grow := func(p hub.Consistency, keys ...anchor.VerifierKey) error {
		view := anchor.NewView("hub.example/log", anchor.SHA256)
		for _, seq := range []hub.Seq{0, 12} {
			if err := view.Add("r", receiptOf(t, honest, seq)); err != nil {
				t.Fatal(err)
			}
		}
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return view.Grow("p", b, keys...)
	}
	good := proofOf(honest, 7, 13)
	if err := grow(good, l.key.Public()); err != nil {
		t.Error(err)
	}
	if err := grow(proofOf(forged, 7, 13), l.key.Public()); hub.KindOf(err) != hub.Conflict {
		t.Errorf("the proof of the other history: %v, want a fork", err)
	}
	mixed := good
	mixed.To = proofOf(forged, 13, 13).To
	if err := grow(mixed, l.key.Public()); err == nil {
		t.Error("a proof into the other history was accepted")
	}
	cut := good
	cut.Hashes = good.Hashes[1:]
	if err := grow(cut, l.key.Public()); err == nil {
		t.Error("a cut proof was accepted")
	}
	stranger, err := anchor.GenerateKey("hub.example/log")
	if err != nil {
		t.Fatal(err)
	}
	if grow(good, stranger.Public()) == nil || grow(good) == nil {
		t.Error("checkpoints that the trusted key did not sign were accepted")
	}
	if _, err := honest.Consistency(t.Context(), 5, 13); hub.KindOf(err) != hub.NotFound {
		t.Errorf("a size that was never sealed: %v, want NotFound", err)
	}
}
