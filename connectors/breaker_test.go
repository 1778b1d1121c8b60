package connectors_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/hub"
)

// guarded is the shop with a breaker of three.
func guarded(s *shop) *connectors.Instance {
	inst := s.instance()
	inst.Breaker.Dead = 3
	return inst
}

func breakers(shelf *connectortest.Shelf, insts ...*connectors.Instance) *connectors.Breakers {
	b := connectors.NewBreakers(shelf, zap.NewNop(), time.Now)
	b.Set(insts)
	return b
}

// observe shows outcomes of the shop: d died, r was recorded, c conflicts, p was seen before; D and R are replays.
func observe(t *testing.T, b *connectors.Breakers, fates string) bool {
	t.Helper()
	var outcomes []hub.Outcome
	var verdicts []hub.Verdict
	for f := range strings.SplitSeq(fates, "") {
		o, v := hub.Outcome{Record: hub.RecordRef{Connector: "shop", ID: "x"}}, hub.Recorded
		switch strings.ToLower(f) {
		case "d":
			o.Dead, v = &hub.DeadLetter{Fault: hub.Fault{Code: "map.time", Message: "no time"}}, hub.Dead
		case "c":
			v = hub.Conflicting
		case "p":
			v = hub.Repeated
		}
		if f == strings.ToUpper(f) {
			o.Attempt = 1
		}
		outcomes, verdicts = append(outcomes, o), append(verdicts, v)
	}
	return b.Observe(t.Context(), outcomes, verdicts)
}

func TestBreakerCountsDeathsInARow(t *testing.T) {
	for fates, opens := range map[string]bool{
		"dd": false, "ddd": true, "dcd": true, "ddrdd": false, "ddrddd": true, "dddr": true, "ddpd": true, "ddDDd": true, "ddDDD": false,
		"dd|d": true, "dd|r|d": false, "ddRd": true, "d|d|d": true, "|": false,
	} {
		b, opened := breakers(&connectortest.Shelf{}, guarded(&shop{})), false
		for part := range strings.SplitSeq(fates, "|") {
			if part != "" {
				opened = observe(t, b, part) || opened
			}
		}
		if opened != opens {
			t.Errorf("%s: open %v", fates, opened)
		}
	}
	if observe(t, breakers(&connectortest.Shelf{}, (&shop{}).instance()), "dddddddddd") {
		t.Error("an instance without breaker has one")
	}
}

func TestBreakerThatCannotBeStoredTriesAgain(t *testing.T) {
	shelf := &connectortest.Shelf{Fate: func(call int) connectortest.Fate {
		if call == 1 {
			return connectortest.Lost
		}
		return connectortest.Works
	}}
	b := breakers(shelf, guarded(&shop{}))
	if observe(t, b, "ddd") {
		t.Error("open without being stored")
	}
	if !observe(t, b, "d") {
		t.Error("the next death does not try again")
	}
}

// The breaker stops the source at its position, over restarts and changes of the file, until the operator resumes it.
func TestOpenBreakerStopsTheSourceUntilItIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{items: []connectors.Item{{ID: "1", Body: []byte("a")}}}
		stream, shelf := &connectortest.Stream{}, &connectortest.Shelf{}
		h := start(t, stream, shelf, guarded(s))
		synctest.Wait()
		if !observe(t, breakers(shelf, guarded(s)), "rddd") {
			t.Fatal("not open")
		}
		obey(t, h)
		tripped := func(h *connectors.Host, when string) {
			t.Helper()
			st := state(t, h)
			if st.State != connectors.StateTripped || st.Tripped == nil ||
				st.Tripped.String() != "3 records in a row became dead letters, the last with map.time: no time" || st.Silent {
				t.Errorf("%s: %+v", when, st)
			}
		}
		tripped(h, "at once")
		s.set(func() { s.items = append(s.items, connectors.Item{ID: "2", Body: []byte("b")}) })
		time.Sleep(time.Hour)
		h.Close()

		h = start(t, stream, shelf, guarded(s)) // what a process that was killed finds
		tripped(h, "after a restart")
		changed := guarded(s)
		changed.Version = hub.Sum([]byte("changed"))
		if err := h.Apply(t.Context(), []*connectors.Instance{changed}); err != nil {
			t.Fatal(err)
		}
		obey(t, h)
		tripped(h, "after a change of the file")
		if got := bodies(stream); got != "a" {
			t.Errorf("it reads: %s", got)
		}
		if err := h.Resume(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		obey(t, h)
		if st := state(t, h); st.State != connectors.StateWaiting || st.Tripped != nil || bodies(stream) != "a b" {
			t.Errorf("resumed: %+v, %s", st, bodies(stream))
		}
		h.Close()
		h = start(t, stream, shelf, guarded(s))
		defer h.Close()
		if st := state(t, h); st.Tripped != nil {
			t.Errorf("open again after a restart: %+v", st)
		}
	})
}

// What the operator says goes before the breaker: a paused source stays paused, and one resume closes both.
func TestPausedSourceWithAnOpenBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{items: []connectors.Item{{ID: "1", Body: []byte("a")}}}
		stream, shelf := &connectortest.Stream{}, &connectortest.Shelf{}
		h := start(t, stream, shelf, guarded(s))
		defer h.Close()
		synctest.Wait()
		observe(t, breakers(shelf, guarded(s)), "ddd")
		obey(t, h)
		if err := h.SetPosition(t.Context(), "shop", "0"); err != nil {
			t.Errorf("where its breaker stopped it the position cannot be set: %v", err)
		}
		if err := h.Pause(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		obey(t, h)
		if st := state(t, h); st.State != connectors.StatePaused {
			t.Errorf("%+v", st)
		}
		if err := h.Resume(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if st := state(t, h); st.State != connectors.StateWaiting || st.Tripped != nil || bodies(stream) != "a a" {
			t.Errorf("%+v %s", st, bodies(stream))
		}
	})
}

// A sender is not refused for what became of its records: it has done its part, and they can be replayed.
func TestOpenBreakerLetsAReceiverReceive(t *testing.T) {
	inbox := inboxInstance()
	inbox.ID, inbox.Breaker.Dead = "shop", 3
	stream, shelf := &connectortest.Stream{}, &connectortest.Shelf{}
	h := start(t, stream, shelf, inbox)
	defer h.Close()
	if !observe(t, breakers(shelf, inbox), "ddd") {
		t.Fatal("not open")
	}
	obey(t, h)
	if st := state(t, h); st.State != connectors.StateReceiving || st.Tripped == nil {
		t.Errorf("%+v", st)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/in/shop", strings.NewReader("x"))
	if err := h.ServeIn(w, r, "shop"); err != nil || w.Code != http.StatusAccepted {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
	if err := h.Resume(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if st := state(t, h); st.State != connectors.StateReceiving || st.Tripped != nil {
		t.Errorf("%+v", st)
	}
}

func obey(t *testing.T, h *connectors.Host) {
	t.Helper()
	if err := h.Obey(t.Context()); err != nil {
		t.Fatal(err)
	}
}
