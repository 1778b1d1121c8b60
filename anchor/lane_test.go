package anchor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/hub"
)

// stalled is a ledger whose commits wait for a token.
type stalled struct {
	anchor.Ledger

	begun, token chan struct{}
}

func (s stalled) Commit(ctx context.Context, c anchor.Commitment) (hub.Evidence, error) {
	s.begun <- struct{}{}
	<-s.token
	return s.Ledger.Commit(ctx, c)
}

// second returns a second ledger in memory of w.
func (w *world) second(f *anchortest.Switch) anchor.Ledger {
	return anchor.Named(ledgertest.Faulty{Ledger: &ledgertest.Memory{Logs: w.memory.Logs}, Faults: f}, "second")
}

// evidenceBy returns who witnessed the checkpoint of the given size.
func (w *world) evidenceBy(t *testing.T, size uint64) []string {
	t.Helper()
	sealed, err := w.store.SealedFrom(t.Context(), size, 1)
	if err != nil || len(sealed) == 0 {
		t.Fatalf("checkpoint %d: %v", size, err)
	}
	var by []string
	for _, e := range sealed[0].Evidence {
		by = append(by, e.Ledger)
	}
	return by
}

func TestSlowLedgerFallsBehindAndCatchesUp(t *testing.T) {
	w := newWorld(t)
	slow := stalled{w.second(nil), make(chan struct{}, 9), make(chan struct{}, 9)}
	opts := w.options()
	opts.Ledgers, opts.Quorum = append(opts.Ledgers, slow), 1
	l, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	ended := make(chan error, 1)
	go func() { // Flush returns only when the slow ledger has ended, too
		var errs error
		for range 2 {
			w.record(3)
			errs = errors.Join(errs, l.Flush(ctx))
		}
		ended <- errs
	}()
	if err := l.WaitCommitted(ctx, 3); err != nil {
		t.Fatal(err)
	}
	<-slow.begun
	if got := w.evidenceBy(t, 3); len(got) != 1 {
		t.Errorf("checkpoint 3 is witnessed by %v before the slow ledger answers", got)
	}
	if _, err := l.Receipt(ctx, 0, "memory/second"); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("a receipt by the slow ledger: %v, want Unavailable", err)
	}
	w.checkReceipt(t, l, 0)
	slow.token <- struct{}{}
	slow.token <- struct{}{}
	slow.token <- struct{}{}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(w.evidenceBy(t, 3), w.evidenceBy(t, 6)); got != "[memory memory/second] [memory memory/second]" {
		t.Errorf("witnessed by %s", got)
	}
	if r, err := l.Receipt(ctx, 0, "memory/second"); err != nil || len(r.Ledger) != 2 || r.Proof.TreeSize != 3 {
		t.Errorf("receipt by both: %+v, %v", r.Proof, err)
	}
	status, err := l.Status(ctx)
	if err != nil || len(status.Ledgers) != 2 || status.Ledgers[1].Holds != 6 {
		t.Errorf("status is %+v, %v", status.Ledgers, err)
	}
	if got := status.TransactionsPerMillion; got != 4e6/6 {
		t.Errorf("%v transactions per million events, want 4 for 6", got)
	}
}

// TestReceiptByALedgerThatMissedACheckpoint asks for a receipt by a ledger that was down when the event was anchored.
func TestReceiptByALedgerThatMissedACheckpoint(t *testing.T) {
	w := newWorld(t)
	opts := w.options()
	down := &ledgertest.Faulty{Ledger: &ledgertest.Memory{Logs: w.memory.Logs}, Faults: anchortest.FailAt(1, anchortest.Lost)}
	opts.Ledgers, opts.Quorum = append(opts.Ledgers, anchor.Named(down, "second")), 1
	l, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.record(3)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r, err := l.Receipt(t.Context(), 0, "memory/second")
	if err != nil {
		t.Fatal(err)
	}
	b, err := anchor.EncodeReceipt(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier().Verify(b, nil); err != nil || r.Proof.TreeSize != 6 {
		t.Errorf("receipt against %d: %v", r.Proof.TreeSize, err)
	}
}

// TestCrashOfEitherOfTwoLedgers fails every call of the journal and of either ledger in turn.
func TestCrashOfEitherOfTwoLedgers(t *testing.T) {
	for _, fate := range []anchortest.Fate{anchortest.Lost, anchortest.Landed} {
		for at := range 24 {
			t.Run(fmt.Sprintf("call %d %v", at, fate), func(t *testing.T) {
				w := newWorld(t)
				w.faults = anchortest.FailAt(at, fate)
				second := &ledgertest.Memory{Logs: w.memory.Logs}
				open := func() *anchor.Log {
					opts := w.options()
					opts.Ledgers = append(opts.Ledgers, anchor.Named(ledgertest.Faulty{Ledger: second, Faults: w.faults}, "second"))
					l, err := anchor.New(opts)
					if err != nil {
						t.Fatal(err)
					}
					return l
				}
				l := open()
				for _, n := range []int{3, 270} {
					w.record(n)
					for err := l.Flush(t.Context()); err != nil; err = l.Flush(t.Context()) {
						if !errors.Is(err, anchortest.ErrFault) {
							t.Fatal(err)
						}
						l = open()
					}
				}
				for _, size := range []uint64{3, 273} {
					if got := fmt.Sprint(w.evidenceBy(t, size)); got != "[memory memory/second]" {
						t.Errorf("checkpoint %d is witnessed by %s", size, got)
					}
					for _, ledger := range []anchor.Ledger{w.memory, second} {
						if _, _, err := ledger.Lookup(t.Context(), l.Origin(), size); err != nil {
							t.Error(err)
						}
					}
				}
				w.checkReceipt(t, l, 2)
			})
		}
	}
}

func TestTrustRulesOfSeveralLedgers(t *testing.T) {
	w := newWorld(t)
	opts := w.options()
	opts.Ledgers = append(opts.Ledgers, w.second(nil))
	l, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w.record(1)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	receipt := w.checkReceipt(t, l, 0)
	head := "origin: hub.example/log\nkeys: [" + l.Key().String() + "]\n" +
		"ledgers: {memory: {a: 1}, memory/second: {a: 2}, memory/third: {a: 3}, fabric: {a: 4}}\n"
	for rule, ok := range map[string]bool{
		"require: 2":                       true,
		"require: 3":                       false,
		"require: 0":                       true,
		"":                                 false,
		"require: [memory]":                true,
		"require: [memory, memory/second]": true,
		"require: [memory, fabric]":        false,
		"require: [{count: 1, of: [memory, fabric]}]":                              true,
		"require: [{of: [memory, fabric]}]":                                        false,
		"require: [memory, {count: 1, of: [memory/third, fabric]}]":                false,
		"require: [fabric, {count: 2, of: [memory, memory/second, memory/third]}]": false,
		"require: [{count: 2, of: [memory, memory/second, memory/third]}]":         true,
	} {
		trust, err := anchor.ParseTrust([]byte(head + rule))
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		if _, err := verifier().Verify(receipt, trust); (err == nil) != ok {
			t.Errorf("%s: %v, want ok %v", rule, err, ok)
		}
	}
	for _, rule := range []string{
		"require: 5", "require: [unknown]", "require: [{count: 3, of: [memory, fabric]}]", "require: [{count: 1}]",
		"require: [{count: 2, of: [memory, memory]}]", "require: some", "require: [[memory]]", "require: -1",
	} {
		if _, err := anchor.ParseTrust([]byte(head + rule)); hub.KindOf(err) != hub.Invalid {
			t.Errorf("%s: %v, want Invalid", rule, err)
		}
	}
	same := "origin: hub.example/log\nkeys: [" + l.Key().String() + "]\nledgers: {memory: {a: 1}, memory/second: {a: 1}}"
	if _, err := anchor.ParseTrust([]byte(same)); err == nil {
		t.Error("a trust file that counts one ledger twice was accepted")
	}
}
