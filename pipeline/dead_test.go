package pipeline_test

import (
	"fmt"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

// withLetters runs a pipeline that has n waiting dead letters.
func withLetters(t *testing.T, n int) *hubOf {
	t.Helper()
	h := running(t)
	for i := range n {
		h.publish(t, env(fmt.Sprintf("d%d", i), "bad"))
	}
	h.store.await(t, "dead letters", func(m *memory) bool { return len(m.letters) == n })
	return h
}

func (m *memory) state(id hub.DeadLetterID) hub.DeadState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.letters[id-1].State
}

func resolved(id hub.DeadLetterID) func(*memory) bool {
	return func(m *memory) bool { return m.letters[id-1].State == hub.DeadResolved }
}

func TestAnEditedLetterIsReplayedAndResolved(t *testing.T) {
	h := withLetters(t, 1)
	if err := h.Edit(t.Context(), 1, []byte("good"), "typo at the source"); err != nil {
		t.Fatal(err)
	}
	if err := h.Replay(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	h.store.await(t, "the letter to be resolved", resolved(1))
	wantFault(t, h.Replay(t.Context(), 1), hub.Conflict, "dead-letter.state")
	wantFault(t, h.Edit(t.Context(), 1, nil, ""), hub.Conflict, "dead-letter.state")
	wantFault(t, h.Replay(t.Context(), 7), hub.NotFound, "dead-letter.unknown")
}

func TestALetterThatFailsAgainCountsItsAttempts(t *testing.T) {
	h := withLetters(t, 1)
	for want := 2; want < 4; want++ {
		if err := h.Replay(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		h.store.await(t, "another attempt", func(m *memory) bool { return m.letters[0].Attempts == want })
		if s := h.store.state(1); s != hub.DeadWaiting {
			t.Errorf("the letter is %s after it failed again", s)
		}
	}
}

func TestADroppedLetterStaysDropped(t *testing.T) {
	h := withLetters(t, 1)
	if err := h.Drop(t.Context(), 1, "a test record"); err != nil {
		t.Fatal(err)
	}
	wantFault(t, h.Replay(t.Context(), 1), hub.Conflict, "dead-letter.state")
	if d := h.store.letters[0]; d.State != hub.DeadDropped || d.Note != "a test record" {
		t.Errorf("%+v", d)
	}
}

func TestAllSelectedLettersAreReplayed(t *testing.T) {
	h := withLetters(t, 25)
	h.store.set(func(m *memory) {
		for i := range m.letters {
			m.letters[i].Body = []byte("good")
		}
	})
	n, err := h.ReplayAll(t.Context(), hub.DeadFilter{Code: "test.bad", Limit: 10})
	if err != nil || n != 25 {
		t.Fatalf("ReplayAll = %d, %v", n, err)
	}
	h.store.await(t, "all records", recorded(25))
	_, err = h.ReplayAll(t.Context(), hub.DeadFilter{State: hub.DeadDropped})
	wantFault(t, err, hub.Invalid, "dead-letter.state")
}

func TestAReplayThatACrashInterruptedIsTakenUp(t *testing.T) {
	store := newMemory()
	store.letters = []hub.DeadLetter{{
		ID: 1, Record: hub.RecordRef{Connector: "shop", ID: "1"}, Body: []byte("good"), Attempts: 1, State: hub.DeadReplaying,
	}}
	h := open(t, pipeline.Config{}, store)
	h.run(t)
	store.await(t, "the letter to be resolved", resolved(1))
}

func TestAReplayThatCannotBePublishedWaitsAgain(t *testing.T) {
	h := withLetters(t, 1)
	h.stop()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, h.Replay(t.Context(), 1), hub.Unavailable, "pipeline.stopping")
	if s := h.store.state(1); s != hub.DeadWaiting {
		t.Errorf("the letter is %s", s)
	}
}

func TestATruncatedRecordIsNotReplayedUntilItIsWhole(t *testing.T) {
	store := newMemory()
	store.letters = []hub.DeadLetter{{
		ID: 1, Record: hub.RecordRef{Connector: "shop", ID: "1"}, Body: []byte("begin"), Attempts: 1,
		Stage: "receive", State: hub.DeadWaiting,
	}}
	h := open(t, pipeline.Config{}, store)
	h.run(t)
	wantFault(t, h.Replay(t.Context(), 1), hub.Conflict, "dead-letter.incomplete")
	if err := h.Edit(t.Context(), 1, []byte("beginning and end"), ""); err != nil {
		t.Fatal(err)
	}
	if err := h.Replay(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	store.await(t, "the letter to be resolved", resolved(1))
}
