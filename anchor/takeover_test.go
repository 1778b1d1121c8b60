package anchor_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// Processes that all believe to be the one that seals: each checkpoint follows the one before, no alarm is raised, and every
// receipt verifies.
func TestSeveralThatSealAtOnceDoNotForkTheLog(t *testing.T) {
	w := newWorld(t)
	logs := []*anchor.Log{w.open(t), w.open(t), w.open(t)}
	w.record(1)
	var wg sync.WaitGroup
	for n, l := range logs {
		wg.Go(func() {
			for range 40 {
				if n == 0 {
					w.record(3)
				}
				if err := l.Flush(t.Context()); err != nil && hub.KindOf(err) != hub.Conflict && hub.KindOf(err) != hub.Unavailable {
					t.Error(err)
				}
				st, err := l.Status(t.Context())
				if err != nil || st.Alarm != "" {
					t.Errorf("status %+v, %v", st, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := logs[1].Flush(t.Context()); err != nil { // whoever comes last finds what is true
		if err := logs[1].Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range logs {
		w.checkHistory(t, l)
	}
}

// A follower knows what another process has committed, and gives its receipts.
func TestAFollowerKnowsWhatIsCommitted(t *testing.T) {
	w := newWorld(t)
	leader, follower := w.open(t), w.open(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	wg.Go(func() {
		if err := follower.Follow(ctx); err != nil {
			t.Error(err)
		}
	})
	w.record(5)
	if err := leader.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := follower.WaitCommitted(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if err := follower.Ready(); err != nil {
		t.Fatal(err)
	}
	w.checkReceipt(t, follower, 4)
}

// A process that sealed, and loses the lease before the ledger has taken it, says as soon as it follows what its successor commits:
// otherwise its metrics would tell for ever that a checkpoint waits.
func TestAProcessThatNoLongerSealsTellsWhatIsCommitted(t *testing.T) {
	w := newWorld(t)
	opts, registry := w.options(), prometheus.NewRegistry()
	opts.Registerer, opts.Ledgers = registry, []anchor.Ledger{&outage{Ledger: w.memory, until: time.Now().Add(time.Hour)}}
	former, err := anchor.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	w.record(5)
	if err := former.Flush(t.Context()); hub.KindOf(err) != hub.Unavailable {
		t.Fatalf("the ledger is down: %v", err)
	}
	if err := w.open(t).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.record(3)
	if err := w.open(t).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { _ = former.Follow(ctx) })
	if err := former.WaitCommitted(ctx, 8); err != nil {
		t.Fatal(err)
	}
	stop()
	following.Wait()
	for name, want := range map[string]float64{"sealed": 8, "committed": 8, "waiting": 0} {
		if got := gauge(t, registry, "suyuan_anchor_"+name+"_leaves"); got != want {
			t.Errorf("%v leaves are %s, want %v", got, name, want)
		}
	}
}
