package anchor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/anchor/ledgertest"
	"github.com/suyuan-io/suyuan/hub"
)

func TestFlushAnchorsEverything(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	for _, n := range []int{1, 2, 300, 1, 700} {
		w.record(n)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.checkHistory(t, l)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := l.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status.Size != 1004 || status.Sealed != 1004 || status.Committed != 1004 || status.OldestUnanchored != 0 {
		t.Errorf("status is %+v", status)
	}
	if want := 5 * 1e6 / 1004; status.TransactionsPerMillion != want {
		t.Errorf("%v transactions per million, want %v", status.TransactionsPerMillion, want)
	}
	if err := l.Ready(); err != nil {
		t.Error(err)
	}
}

// TestCrashAtEveryStep fails every durable call in turn, once lost and once landed with the answer lost, and checks
// that the log ends in the same history, whether it goes on or is started anew.
func TestCrashAtEveryStep(t *testing.T) {
	for _, fate := range []anchortest.Fate{anchortest.Lost, anchortest.Landed} {
		for _, restart := range []bool{false, true} {
			for at := 0; ; at++ {
				name := fmt.Sprintf("call %d %v, restart %v", at, fate, restart)
				calls := 0
				t.Run(name, func(t *testing.T) {
					w := newWorld(t)
					w.faults = anchortest.FailAt(at, fate)
					l := w.open(t)
					for _, n := range []int{3, 270, 2} {
						w.record(n)
						err := l.Flush(t.Context())
						for ; err != nil; err = l.Flush(t.Context()) {
							if !errors.Is(err, anchortest.ErrFault) {
								t.Fatal(err)
							}
							if restart {
								l = w.open(t)
							}
						}
					}
					w.checkHistory(t, l)
					sealed, err := w.store.SealedFrom(t.Context(), 0, 100)
					if err != nil || len(sealed) != 3 {
						t.Errorf("%d checkpoints, %v, want 3", len(sealed), err)
					}
					calls = w.faults.Calls()
				})
				if calls <= at {
					if at < 10 {
						t.Errorf("only %d calls were made", calls)
					}
					break
				}
			}
		}
	}
}

// alarmed checks that flushing raises the alarm and that nothing moves any more.
func alarmed(t *testing.T, w *world, l *anchor.Log, says string) {
	t.Helper()
	w.record(1)
	err := l.Flush(t.Context())
	if hub.KindOf(err) != hub.Conflict || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want a conflict that says %q", err, says)
	}
	if err := l.Ready(); hub.KindOf(err) != hub.Conflict {
		t.Errorf("ready: got %v, want Conflict", err)
	}
	if err := l.WaitCommitted(t.Context(), 1<<40); hub.KindOf(err) != hub.Conflict {
		t.Errorf("wait: got %v, want Conflict", err)
	}
	status, err := l.Status(t.Context())
	if err != nil || status.Alarm == "" {
		t.Errorf("status is %+v, %v", status, err)
	}
}

// anchored returns a world in which sizes 5 and 9 are committed.
func anchored(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	l := w.open(t)
	for _, n := range []int{5, 4} {
		w.record(n)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestStoreThatLostEventsRaisesAlarm(t *testing.T) {
	w := anchored(t)
	w.store.Drop(7)
	alarmed(t, w, w.open(t), "8 leaves, 9 are sealed")
}

func TestStoreWithOtherEventsRaisesAlarm(t *testing.T) {
	w := anchored(t)
	w.store.Drop(7)
	for n := range 2 {
		w.store.Append(anchortest.Event(100+n, w.now))
	}
	alarmed(t, w, w.open(t), "the leaves give the root")
}

func TestJournalRestoredFromBackupRaisesAlarm(t *testing.T) {
	w := anchored(t)
	old := &anchortest.Store{} // the journal before size 9
	for n := range 9 {
		old.Append(anchortest.Event(n, w.now))
	}
	sealed, err := w.store.SealedFrom(t.Context(), 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	tree := anchor.NewTree(anchor.SHA256)
	leaves, err := old.LeafHashes(t.Context(), 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	tree.Append(leaves)
	if err := old.Seal(t.Context(), sealed[0], tree.TakeTiles()); err != nil {
		t.Fatal(err)
	}
	w.store = old
	alarmed(t, w, w.open(t), "holds checkpoint 9, the journal ends at 5")
}

func TestLedgerThatLostItsHistoryRaisesAlarm(t *testing.T) {
	w := anchored(t)
	w.memory = &ledgertest.Memory{Logs: []anchor.VerifierKey{w.key.Public()}}
	alarmed(t, w, w.open(t), "has lost its history")
}

func TestLedgerWithAnotherRootRaisesAlarm(t *testing.T) {
	w := anchored(t)
	other := newWorld(t)
	other.key, other.memory = w.key, &ledgertest.Memory{Logs: []anchor.VerifierKey{w.key.Public()}}
	for n := range 9 {
		other.store.Append(anchortest.Event(100+n, w.now))
	}
	if err := other.open(t).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.memory = other.memory
	alarmed(t, w, w.open(t), "for size 9, the leaves give")
}

func TestAnotherKeyRaisesAlarm(t *testing.T) {
	w := anchored(t)
	w.key = newWorld(t).key
	alarmed(t, w, w.open(t), "was not signed with the key")
}

func TestTwoLedgersAndAQuorumOfOne(t *testing.T) {
	w := newWorld(t)
	down := anchortest.FailAt(1, anchortest.Lost) // its first commit; call 0 is Latest
	second := named{ledgertest.Faulty{Ledger: &ledgertest.Memory{Logs: w.memory.Logs}, Faults: down}, "second"}
	opts := w.options()
	opts.Ledgers, opts.Quorum = append(opts.Ledgers, second), 1
	l, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	for want := range 2 { // the second ledger misses the first checkpoint and takes the next, from its own size
		w.record(3)
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		sealed, err := w.store.SealedFrom(t.Context(), 1<<40, -1)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(sealed[0].Evidence); got != want+1 {
			t.Errorf("checkpoint %d has evidence of %d ledgers, want %d", sealed[0].Checkpoint.Size, got, want+1)
		}
	}
}

// named is a ledger under another name.
type named struct {
	anchor.Ledger

	name string
}

func (n named) Name() string { return n.name }

func (n named) Commit(ctx context.Context, c anchor.Commitment) (hub.Evidence, error) {
	e, err := n.Ledger.Commit(ctx, c)
	e.Ledger = n.name
	return e, err
}

func TestAllLedgersMustWitnessByDefault(t *testing.T) {
	w := newWorld(t)
	down := anchortest.FailAt(1, anchortest.Lost)
	opts := w.options()
	opts.Ledgers = append(opts.Ledgers, named{ledgertest.Faulty{Ledger: &ledgertest.Memory{Logs: w.memory.Logs}, Faults: down}, "second"})
	l, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w.record(3)
	if err := l.Flush(t.Context()); !errors.Is(err, anchortest.ErrFault) {
		t.Fatalf("got %v", err)
	}
	if _, err := l.Receipt(t.Context(), 0); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("receipt: got %v, want Unavailable", err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := l.Receipt(t.Context(), 0)
	if err != nil || len(r.Ledger) != 2 || r.Ledger[0].Ledger != "memory" {
		t.Errorf("receipt has %v, %v", r.Ledger, err)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*anchor.Options){
		"no key":          func(o *anchor.Options) { o.Key = nil },
		"no ledger":       func(o *anchor.Options) { o.Ledgers = nil },
		"ledger twice":    func(o *anchor.Options) { o.Ledgers = append(o.Ledgers, o.Ledgers[0]) },
		"impossible rule": func(o *anchor.Options) { o.Quorum = 2 },
		"negative quorum": func(o *anchor.Options) { o.Quorum = -1 },
		"negative cost":   func(o *anchor.Options) { o.TargetCost = -1 },
		"impossible cost": func(o *anchor.Options) { o.TargetCost, o.MaxLeaves = 999, 1000 },
	} {
		opts := w.options()
		change(&opts)
		if _, err := anchor.New(opts); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// run runs the log in a bubble of synctest and returns a function that ends it.
func run(t *testing.T, opts anchor.Options) (*anchor.Log, func()) {
	t.Helper()
	opts.Now = time.Now
	l, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	return l, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestRunSealsByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		opts := w.options()
		opts.MaxAge, opts.Poll = 10*time.Second, time.Second
		l, stop := run(t, opts)
		defer stop()
		start := time.Now()
		w.now = start
		w.record(3)
		_, err := l.Receipt(t.Context(), 2)
		var pending *anchor.Pending
		if hub.KindOf(err) != hub.Unavailable || !errors.As(err, &pending) {
			t.Fatalf("receipt: got %v, want Unavailable with Pending", err)
		}
		if err := l.WaitCommitted(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 10*time.Second || time.Now().After(pending.ExpectedAt) {
			t.Errorf("committed after %v, expected at %v", took, pending.ExpectedAt)
		}
		w.checkReceipt(t, l, 2)
	})
}

// A log that looks seldom seals no later for it: it knows when what it has seen is old enough.
func TestRunSealsOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		opts := w.options()
		opts.MaxAge, opts.Poll = 10*time.Second, 7*time.Second
		l, stop := run(t, opts)
		defer stop()
		start := time.Now()
		w.now = start
		w.record(3)
		l.Nudge()
		if err := l.WaitCommitted(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("committed after %v", took)
		}
	})
}

func TestRunSealsBySizeWhenNudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		opts := w.options()
		opts.MaxAge, opts.Poll, opts.MaxLeaves = time.Hour, time.Hour, 100
		l, stop := run(t, opts)
		defer stop()
		start := time.Now()
		w.now = start
		w.record(99)
		l.Nudge()
		synctest.Wait()
		if s, err := l.Status(t.Context()); err != nil || s.Sealed != 0 {
			t.Errorf("sealed too early: %+v, %v", s, err)
		}
		w.record(1)
		l.Nudge()
		if err := l.WaitCommitted(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("committed after %v", took)
		}
	})
}

// TestRunKeepsToTheTargetCost lets events come in that could cost more than 10,000 transactions a million, or 1 for 100.
func TestRunKeepsToTheTargetCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		opts := w.options()
		opts.MaxAge, opts.Poll, opts.TargetCost, opts.MaxDelay = time.Second, 100*time.Millisecond, 10_000, time.Hour
		l, stop := run(t, opts)
		defer stop()
		committed := uint64(0)
		for _, batch := range []struct {
			n    int
			took time.Duration
			why  string
		}{
			{1, time.Hour, "one event waits for others until MaxDelay"},
			{100, time.Second, "a hundred pay for themselves"},
			{99, time.Hour, "99 do not"},
			{350, time.Second, "350 save up two and a half transactions"},
			{1, time.Second, "which pay for one event"},
			{1, time.Second, "and one more"},
			{1, time.Hour, "and no third"},
		} {
			start := time.Now()
			w.now = start
			w.record(batch.n)
			committed += uint64(batch.n)
			if err := l.WaitCommitted(t.Context(), committed); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start).Round(time.Second); took != batch.took {
				t.Errorf("%s: committed after %v", batch.why, took)
			}
		}
		w.now = time.Now()
		w.record(50)
		<-time.After(time.Minute) // of the bubble's clock
		var pending *anchor.Pending
		if _, err := l.Receipt(t.Context(), hub.Seq(committed)); !errors.As(err, &pending) || pending.ExpectedAt.Before(w.now.Add(time.Hour)) {
			t.Errorf("a receipt is promised for %v", err)
		}
		w.record(50)
		start := time.Now()
		if err := l.WaitCommitted(t.Context(), committed+100); err != nil || time.Since(start) > time.Second {
			t.Errorf("the second fifty pay for the first: %v, after %v", err, time.Since(start))
		}
	})
}

func TestRunTriesAgainWhileTheLedgerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		opts := w.options()
		registry := prometheus.NewRegistry()
		opts.Registerer = registry
		down := &outage{Ledger: opts.Ledgers[0], until: time.Now().Add(10 * time.Minute)}
		opts.Ledgers = []anchor.Ledger{down}
		l, stop := run(t, opts)
		defer stop()
		w.now = time.Now()
		w.record(5)
		<-time.After(5 * time.Minute) // of the bubble's clock
		if err := l.Ready(); hub.KindOf(err) != hub.Unavailable {
			t.Errorf("ready: got %v, want Unavailable", err)
		}
		if age := gauge(t, registry, "suyuan_anchor_oldest_unanchored_seconds"); age < 299 || age > 301 {
			t.Errorf("the oldest event, which is sealed and waits for the ledger, is %v s old", age)
		}
		w.record(500)
		if err := l.WaitCommitted(t.Context(), 505); err != nil {
			t.Fatal(err)
		}
		if age := gauge(t, registry, "suyuan_anchor_oldest_unanchored_seconds"); age != 0 {
			t.Errorf("nothing waits, the oldest event is %v s old", age)
		}
		if down.calls > 100 {
			t.Errorf("%d calls in ten minutes", down.calls)
		}
		if err := l.Ready(); err != nil {
			t.Error(err)
		}
		w.checkHistory(t, l)
		if n, alarm := gauge(t, registry, "suyuan_anchor_committed_leaves"), gauge(t, registry, "suyuan_anchor_alarm"); n != 505 || alarm != 0 {
			t.Errorf("%v leaves are committed, the alarm is %v", n, alarm)
		}
	})
}

// gauge returns the value of a metric.
func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// outage is a ledger that is down for a while.
type outage struct {
	anchor.Ledger

	until time.Time
	calls int
}

func (o *outage) Latest(ctx context.Context, origin string) (hub.Checkpoint, error) {
	o.calls++
	if time.Now().Before(o.until) {
		return hub.Checkpoint{}, hub.Faultf(hub.Unavailable, "outage", "the ledger is down")
	}
	return o.Ledger.Latest(ctx, origin)
}

func TestReceiptOfUnknownEvent(t *testing.T) {
	w := anchored(t)
	if _, err := w.open(t).Receipt(t.Context(), 9); hub.KindOf(err) != hub.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}

func TestReceiptStaysTheSame(t *testing.T) {
	w := anchored(t)
	l := w.open(t)
	before := w.checkReceipt(t, l, 4)
	w.record(1000)
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := w.checkReceipt(t, l, 4); string(after) != string(before) {
		t.Errorf("the receipt changed from\n%s\nto\n%s", before, after)
	}
}
