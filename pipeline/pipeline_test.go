package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childRound)))
	}
	goleak.VerifyTestMain(m)
}

func TestEveryRecordIsRecordedOnceAndInOrder(t *testing.T) {
	h := running(t)
	var want []hub.RecordRef
	for i := range 40 {
		e := env(fmt.Sprintf("e%02d", i), many(1+i*i%97, "x")...)
		h.publish(t, e)
		for _, r := range e.Records {
			want = append(want, hub.RecordRef{Connector: e.Connector, ID: r.ID})
		}
	}
	h.store.await(t, "all records", recorded(len(want)))
	if !slices.Equal(h.store.order, want) {
		t.Error("the log's order is not the order of publishing")
	}
}

func TestARepeatedRecordIsRecordedOnce(t *testing.T) {
	h := running(t)
	for range 3 {
		h.publish(t, env("same", "x", "y"))
	}
	h.publish(t, env("last", "z"))
	h.store.await(t, "all records", recorded(3))
}

func TestConcurrentCallersShareFrames(t *testing.T) {
	h := open(t, pipeline.Config{}, newMemory())
	const callers, each = 64, 20
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				if err := h.Publish(t.Context(), env(fmt.Sprintf("c%d-%d", c, i), "x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := h.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Frames >= callers*each/4 {
		t.Errorf("%d calls made %d frames: they are not grouped", callers*each, s.Frames)
	}
	h.run(t)
	h.store.await(t, "all records", recorded(callers*each))
}

func TestAPanicCostsOneRecord(t *testing.T) {
	h := running(t)
	h.publish(t, env("p", "x", "panic now", "y"))
	h.store.await(t, "the others", func(m *memory) bool { return len(m.records) == 2 && len(m.letters) == 1 })
	d := h.store.letters[0]
	if d.Fault.Code != "internal.panic" || string(d.Body) != "panic now" || string(d.Preamble) != "head" || d.Line != 2 {
		t.Errorf("dead letter %+v", d)
	}
}

func TestAStoreThatIsDownStopsNothingForGood(t *testing.T) {
	h := open(t, pipeline.Config{}, newMemory())
	down, tries := true, make(chan struct{}, 1000)
	h.store.fail = func([]hub.Outcome) error {
		tries <- struct{}{}
		if down {
			return hub.Faultf(hub.Unavailable, "store.down", "down")
		}
		return nil
	}
	h.run(t)
	h.publish(t, env("a", many(50, "x")...))
	for range 4 {
		<-tries
	}
	h.publish(t, env("b", many(50, "x")...))
	if err := h.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("Ready = %v while the store is down", err)
	}
	h.store.set(func(*memory) { down = false })
	h.store.await(t, "all records", recorded(100))
	if len(h.store.letters) != 0 {
		t.Errorf("%d dead letters because the store was down", len(h.store.letters))
	}
}

func TestALostAnswerOfTheStoreRepeats(t *testing.T) {
	h := open(t, pipeline.Config{}, newMemory())
	lost := 0
	h.store.landed = func() error {
		if lost++; lost == 1 {
			return hub.Faultf(hub.Unavailable, "store.lost", "answer lost")
		}
		return nil
	}
	h.run(t)
	h.publish(t, env("a", many(10, "x")...))
	h.store.await(t, "the second answer", func(m *memory) bool { return len(m.groups) == 2 })
	if len(h.store.order) != 10 {
		t.Errorf("%d records recorded, want 10", len(h.store.order))
	}
}

func TestOneUnappendableRecordStopsNoOther(t *testing.T) {
	h := open(t, pipeline.Config{}, newMemory())
	h.store.fail = func(outcomes []hub.Outcome) error {
		for _, o := range outcomes {
			if o.Dead == nil && o.Record.ID == "a/7" {
				return errors.New("constraint failed")
			}
		}
		return nil
	}
	h.run(t)
	h.publish(t, env("a", many(20, "x")...))
	h.store.await(t, "the others", func(m *memory) bool { return len(m.records) == 19 && len(m.letters) == 1 })
	if d := h.store.letters[0]; d.Stage != "append" || d.Record.ID != "a/7" || string(d.Body) != "x" {
		t.Errorf("dead letter %+v", d)
	}
}

func TestAStopFinishesWhatIsInFlight(t *testing.T) {
	h := open(t, pipeline.Config{}, newMemory())
	hold := make(chan struct{})
	h.store.hold = hold
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	h.publish(t, env("a", "x"))
	hold <- struct{}{} // the append has begun
	h.store.set(func(m *memory) { m.hold = nil })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s, err := h.Stats(t.Context())
	if err != nil || s.Lag != 0 || s.InFlight != 0 || len(h.store.records) != 1 {
		t.Errorf("after the stop: %+v, %v, %d recorded", s, err, len(h.store.records))
	}
}
