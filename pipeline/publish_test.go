package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// disk is a stream that takes took for every frame, and keeps how many envelopes each held.
type disk struct {
	took   time.Duration
	frames []int
}

func (d *disk) send(_ context.Context, _ string, frame []byte) error {
	time.Sleep(d.took)
	envelopes, err := DecodeFrame(frame, frameCeiling)
	d.frames = append(d.frames, len(envelopes))
	return err
}

// publishing runs fn with a publisher to d, in a bubble where only waiting takes time.
func publishing(t *testing.T, d *disk, fn func(publish func(id string))) {
	synctest.Test(t, func(t *testing.T) {
		m, err := newMetrics(nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &publisher{
			send: d.send, limit: 1 << 20, bound: 1 << 30, metrics: m,
			subject: func(c hub.ConnectorID) string { return string(c) },
		}
		p.start()
		defer p.close()
		fn(func(id string) {
			e := hub.Envelope{Connector: "in", Provider: "p", Records: []hub.Record{{ID: hub.RecordID(id), Body: []byte("x")}}}
			if err := p.publish(t.Context(), []hub.Envelope{e}); err != nil {
				t.Error(err)
			}
		})
	})
}

// together has n callers publish each times, one after the other.
func together(n, each int, publish func(id string)) {
	var callers sync.WaitGroup
	for c := range n {
		callers.Go(func() {
			for i := range each {
				time.Sleep(time.Duration(c) * time.Microsecond) // they come one by one
				publish(fmt.Sprint(c, "-", i))
			}
		})
	}
	callers.Wait()
}

// Callers who come again at once share a sync, most of them: no frame is of one and the next of all others.
func TestFramesAreOfMostCallers(t *testing.T) {
	d := &disk{took: time.Millisecond}
	publishing(t, d, func(publish func(string)) { together(64, 30, publish) })
	if small := slices.Min(d.frames[1:30]); small < 64*3/4 {
		t.Errorf("frames of 64 callers hold %v", d.frames)
	}
}

// A caller alone waits for its own sync and nothing else.
func TestACallerAloneWaitsForNobody(t *testing.T) {
	d := &disk{took: time.Millisecond}
	publishing(t, d, func(publish func(string)) {
		began := time.Now()
		together(1, 10, publish)
		if took := time.Since(began); took != 10*d.took {
			t.Errorf("10 calls took %s", took)
		}
	})
}

// Who comes after many that do not come again waits for them as long as a sync took, at most, and only once.
func TestNobodyIsWaitedForLong(t *testing.T) {
	for took, most := range map[time.Duration]time.Duration{time.Millisecond: time.Millisecond, time.Second: gathering} {
		d := &disk{took: took}
		publishing(t, d, func(publish func(string)) {
			publish("first")
			together(64, 1, publish)
			for i, want := range []time.Duration{took + most, took, took} {
				began := time.Now()
				publish(fmt.Sprint("late", i))
				if got := time.Since(began); got > want {
					t.Errorf("call %d after a crowd took %s where a sync takes %s", i, got, took)
				}
			}
		})
	}
}

// A queue that is about to refuse is not left to wait.
func TestAFullQueueIsWrittenAtOnce(t *testing.T) {
	p := &publisher{limit: 1 << 20, bound: 1000, wanted: 64, bytes: 500}
	if !p.enough() {
		t.Error("it waits for more than it may hold")
	}
}

// Envelopes of many records are cut where a frame is full; a record that is larger than that has a frame of its own.
func TestFramesAreNoLargerThanIsWorthwhile(t *testing.T) {
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	var frames []string
	p := &publisher{
		limit: 4 * fullFrame, bound: 1 << 30, metrics: m, subject: func(hub.ConnectorID) string { return "in" },
		send: func(_ context.Context, _ string, frame []byte) error {
			envelopes, err := DecodeFrame(frame, frameCeiling)
			ids := ""
			for _, e := range envelopes {
				for _, r := range e.Records {
					ids += string(r.ID)
				}
			}
			frames = append(frames, ids)
			return err
		},
	}
	p.start()
	defer p.close()
	env := hub.Envelope{Connector: "in", Provider: "p"}
	for id, size := range []int{fullFrame / 2, fullFrame / 3, fullFrame / 3, 3 * fullFrame, 1, 1} {
		env.Records = append(env.Records, hub.Record{ID: hub.RecordID(strconv.Itoa(id)), Body: make([]byte, size)})
	}
	if err := p.publish(t.Context(), []hub.Envelope{env}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"01", "2", "3", "45"}; !slices.Equal(frames, want) {
		t.Errorf("frames of %q, want %q", frames, want)
	}
}
