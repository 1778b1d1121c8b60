package anchor_test

import (
	"context"
	"sync"
	"testing"

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
