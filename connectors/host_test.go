package connectors_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/hub"
)

// shop is a scripted upstream: a list of items with positions, and faults to meet.
type shop struct {
	mu      sync.Mutex
	items   []connectors.Item
	settled []string
	opened  []hub.Position
	at      []time.Time
	// openFault and nextFault are returned while set; openItem replaces the items' Open.
	openFault, nextFault error
	// window makes Next block while so many items are not settled, as a broker does; 0 is no limit.
	window int
}

func (s *shop) Open(_ context.Context, env connectors.Env) (connectors.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, env.Position)
	s.at = append(s.at, env.Now())
	if s.openFault != nil {
		return nil, s.openFault
	}
	next := 0
	if env.Position != "" {
		if _, err := fmt.Sscan(string(env.Position), &next); err != nil {
			return nil, err
		}
	}
	return &visit{shop: s, next: next}, nil
}

type visit struct {
	shop    *shop
	next    int
	unacked int
}

func (v *visit) Next(ctx context.Context) (connectors.Item, error) {
	if v.shop.window > 0 && v.unacked >= v.shop.window {
		<-ctx.Done()
		return connectors.Item{}, ctx.Err()
	}
	v.shop.mu.Lock()
	defer v.shop.mu.Unlock()
	if v.shop.nextFault != nil {
		return connectors.Item{}, v.shop.nextFault
	}
	if v.next >= len(v.shop.items) {
		return connectors.Item{}, io.EOF
	}
	item := v.shop.items[v.next]
	v.next++
	v.unacked++
	item.Position = hub.Position(fmt.Sprint(v.next))
	return item, nil
}

func (v *visit) Settle(_ context.Context, item connectors.Item, refused error) error {
	v.shop.mu.Lock()
	defer v.shop.mu.Unlock()
	v.unacked--
	verdict := "ok"
	if refused != nil {
		verdict = hub.AsFault(refused).Code
	}
	v.shop.settled = append(v.shop.settled, item.ID+" "+verdict)
	return nil
}

func (v *visit) Close() error { return nil }

func (s *shop) instance() *connectors.Instance {
	return &connectors.Instance{
		ID: "shop", Provider: "tester", Kind: "test", Options: s, Splitter: connectortest.Lines{},
		Retry:    connectors.Retry{Initial: time.Second, Max: time.Minute},
		Limits:   connectors.Limits{InFlight: 100, Record: 1000, Body: 1000},
		Interval: 10 * time.Second,
	}
}

func (s *shop) calls() (opened []hub.Position, at []time.Time, settled string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(opened, s.opened...), append(at, s.at...), strings.Join(s.settled, ", ")
}

func (s *shop) set(f func()) { s.mu.Lock(); f(); s.mu.Unlock() }

func start(t *testing.T, stream *connectortest.Stream, shelf *connectortest.Shelf, insts ...*connectors.Instance) *connectors.Host {
	t.Helper()
	h := connectors.New(connectors.Config{Publisher: stream, Positions: shelf})
	if err := h.Apply(t.Context(), insts); err != nil {
		t.Fatal(err)
	}
	return h
}

func state(t *testing.T, h *connectors.Host) connectors.Status {
	t.Helper()
	s, err := h.Status("shop")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func bodies(s *connectortest.Stream) string {
	var out []string
	for _, r := range s.Records() {
		out = append(out, string(r.Body))
	}
	return strings.Join(out, " ")
}

func TestPassingFaultBacksOffWithJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{openFault: hub.Faultf(hub.Unavailable, "test.down", "down")}
		h := start(t, &connectortest.Stream{}, &connectortest.Shelf{}, s.instance())
		defer h.Close()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		_, at, _ := s.calls()
		if len(at) < 10 || len(at) > 40 {
			t.Fatalf("%d attempts in 10 minutes", len(at))
		}
		if first, last := at[1].Sub(at[0]), at[len(at)-1].Sub(at[len(at)-2]); first > 2*time.Second || last < 20*time.Second || last > 90*time.Second {
			t.Errorf("delays from %s to %s", first, last)
		}
		if st := state(t, h); st.State != connectors.StateRetrying || st.LastError.Code != "test.down" || st.Lag < 9*time.Minute {
			t.Errorf("status %+v", st)
		}
		s.set(func() { s.openFault = nil })
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if st := state(t, h); st.State != connectors.StateWaiting || st.Lag != 0 || st.LastError == nil {
			t.Errorf("after the fault: %+v", st)
		}
	})
}

// TestFaultForAPersonIsTriedAgainSlowly: mending the cause is enough, nobody has to restart anything.
func TestFaultForAPersonIsTriedAgainSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{nextFault: hub.Faultf(hub.Unauthorized, "test.password", "wrong password")}
		h := start(t, &connectortest.Stream{}, &connectortest.Shelf{}, s.instance())
		defer h.Close()
		synctest.Wait()
		if st := state(t, h); st.State != connectors.StateFailed {
			t.Errorf("state %v", st.State)
		}
		s.set(func() { s.nextFault = nil })
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if st := state(t, h); st.State != connectors.StateWaiting {
			t.Errorf("state %v", st.State)
		}
		if opened, _, _ := s.calls(); len(opened) != 2 {
			t.Errorf("opened %d times", len(opened))
		}
	})
}

// TestBrokerThatWaitsForAcknowledgement: an upstream that gives no more before something is acknowledged, and a Next that
// blocks meanwhile, must not wait for one another.
func TestBrokerThatWaitsForAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{window: 2}
		for i := range 9 {
			s.items = append(s.items, connectors.Item{ID: fmt.Sprint(i), Body: []byte(fmt.Sprint(i))})
		}
		stream := &connectortest.Stream{}
		h := start(t, stream, &connectortest.Shelf{}, s.instance())
		defer h.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := bodies(stream); got != "0 1 2 3 4 5 6 7 8" {
			t.Errorf("got %s", got)
		}
		if _, _, settled := s.calls(); !strings.HasSuffix(settled, "8 ok") || strings.Count(settled, "ok") != 9 {
			t.Errorf("settled %s", settled)
		}
	})
}

// cutReader fails after some bytes, as a lost connection does.
type cutReader struct {
	r   io.Reader
	err error
}

func (c *cutReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = c.err
	}
	return n, err
}

func TestLostConnectionResumesWithinTheItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		s := &shop{items: []connectors.Item{{ID: "big", Open: func() (io.ReadCloser, error) {
			if attempts++; attempts == 1 {
				lost := hub.Faultf(hub.Unavailable, "test.lost", "connection lost")
				return io.NopCloser(&cutReader{strings.NewReader("a\nb\nc\nd\n"), lost}), nil
			}
			return io.NopCloser(strings.NewReader("a\nb\nc\nd\ne\nf\n")), nil
		}}}}
		stream, shelf := &connectortest.Stream{}, &connectortest.Shelf{}
		h := start(t, stream, shelf, s.instance())
		defer h.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := bodies(stream); got != "a b c d e f" {
			t.Errorf("got %s", got)
		}
		for i, r := range stream.Records() {
			if want := fmt.Sprintf("big#%d", i+1); string(r.ID) != want {
				t.Errorf("id %s, want %s", r.ID, want)
			}
		}
		if _, _, settled := s.calls(); settled != "big ok" {
			t.Errorf("settled %s", settled)
		}
	})
}

func TestBadItemIsMovedAsideAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := func() (io.ReadCloser, error) {
			return nil, hub.Faultf(hub.Invalid, "test.unreadable", "no rights")
		}
		half := func() (io.ReadCloser, error) {
			broken := hub.Faultf(hub.Invalid, "test.corrupt", "corrupt archive")
			return io.NopCloser(&cutReader{strings.NewReader("x\ny\n"), broken}), nil
		}
		s := &shop{items: []connectors.Item{
			{ID: "1", Body: []byte("a")}, {ID: "2", Open: bad}, {ID: "3", Open: half}, {ID: "4"}, {ID: "5", Body: []byte("b\n!")},
		}}
		stream := &connectortest.Stream{}
		h := start(t, stream, &connectortest.Shelf{}, s.instance())
		defer h.Close()
		synctest.Wait()
		if got := bodies(stream); got != "a x y b \n!" {
			t.Errorf("got %q", got)
		}
		if _, _, settled := s.calls(); settled != "1 ok, 2 test.unreadable, 3 test.corrupt, 4 ok, 5 ok" {
			t.Errorf("settled %s", settled)
		}
		if st := state(t, h); st.Counts.Refused != 2 || st.Counts.Items != 5 || st.State != connectors.StateWaiting {
			t.Errorf("status %+v", st)
		}
	})
}

func TestChangedFileRestartsAtItsPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{items: []connectors.Item{{ID: "1", Body: []byte("a")}, {ID: "2", Body: []byte("b")}}}
		stream, shelf := &connectortest.Stream{}, &connectortest.Shelf{}
		one := s.instance()
		h := start(t, stream, shelf, one)
		defer h.Close()
		synctest.Wait()
		changed := s.instance()
		changed.Version, changed.File, changed.Interval = hub.Sum([]byte("changed")), "shop.yaml", time.Second
		if got := fmt.Sprint(h.Plan([]*connectors.Instance{changed})); got != "[{shop restart shop.yaml}]" {
			t.Errorf("plan %s", got)
		}
		if got := h.Plan([]*connectors.Instance{one}); len(got) != 0 {
			t.Errorf("plan of nothing new: %v", got)
		}
		s.set(func() { s.items = append(s.items, connectors.Item{ID: "3", Body: []byte("c")}) })
		if err := h.Apply(t.Context(), []*connectors.Instance{changed}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if opened, _, _ := s.calls(); fmt.Sprint(opened) != "[ 2]" || bodies(stream) != "a b c" {
			t.Errorf("opened at %q, got %s", opened, bodies(stream))
		}
		if st := state(t, h); st.Counts.Records != 3 {
			t.Errorf("counts were lost: %+v", st.Counts)
		}
		if err := h.Apply(t.Context(), nil); err != nil || len(h.Statuses()) != 0 {
			t.Errorf("%v, %v", h.Statuses(), err)
		}
	})
}

func TestPositionIsSetOnlyWhilePaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{items: []connectors.Item{{ID: "1", Body: []byte("a")}, {ID: "2", Body: []byte("b")}}}
		stream := &connectortest.Stream{}
		h := start(t, stream, &connectortest.Shelf{}, s.instance())
		defer h.Close()
		synctest.Wait()
		if err := h.SetPosition(t.Context(), "shop", "1"); hub.KindOf(err) != hub.Conflict {
			t.Errorf("while it runs: %v", err)
		}
		for _, step := range []func() error{
			func() error { return h.Pause(t.Context(), "shop") },
			func() error { return h.Pause(t.Context(), "shop") },
			func() error { return h.SetPosition(t.Context(), "shop", "1") },
			func() error { return h.Resume(t.Context(), "shop") },
			func() error { return h.Resume(t.Context(), "shop") },
		} {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := bodies(stream); got != "a b b" {
			t.Errorf("got %s", got)
		}
	})
}

// picky is a kind that knows its positions.
type picky struct{ *shop }

// CheckPosition implements [connectors.Resumer].
func (picky) CheckPosition(p hub.Position) error {
	if _, err := strconv.Atoi(string(p)); err != nil && p != "" {
		return connectors.BadPosition("shop.position", "7", err)
	}
	return nil
}

func TestBadPositionIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inst := (&shop{items: []connectors.Item{{ID: "1", Body: []byte("a")}}}).instance()
		inst.Options = picky{inst.Options.(*shop)}
		h := start(t, &connectortest.Stream{}, &connectortest.Shelf{}, inst)
		defer h.Close()
		synctest.Wait()
		for _, paused := range []bool{false, true} { // also while it runs: nobody should pause it for nothing
			err := h.SetPosition(t.Context(), "shop", "x")
			f := hub.AsFault(err)
			if f.Kind != hub.Invalid || f.Code != "shop.position" || !strings.Contains(f.Hint, "suyuan connector rewind shop --to POSITION, with one like 7") {
				t.Errorf("paused %v: %v; %s", paused, err, f.Hint)
			}
			if err := h.Pause(t.Context(), "shop"); err != nil {
				t.Fatal(err)
			}
		}
		if st, err := h.Status("shop"); err != nil || st.Position != "1" {
			t.Errorf("the refused position was stored: %+v, %v", st, err)
		}
	})
}

func TestReceiverHasNoPosition(t *testing.T) {
	h := start(t, &connectortest.Stream{}, &connectortest.Shelf{}, inboxInstance())
	defer h.Close()
	if err := h.SetPosition(t.Context(), "inbox", ""); hub.AsFault(err).Code != "connector.no-position" {
		t.Error(err)
	}
}

func TestSilentSourceAndMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{items: []connectors.Item{{ID: "1", Body: []byte("abc")}}}
		inst := s.instance()
		inst.Silence = time.Hour
		registry := prometheus.NewPedanticRegistry()
		h := connectors.New(connectors.Config{Publisher: &connectortest.Stream{}, Positions: &connectortest.Shelf{}, Metrics: registry})
		defer h.Close()
		if err := h.Apply(t.Context(), []*connectors.Instance{inst}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if state(t, h).Silent {
			t.Error("silent at once")
		}
		time.Sleep(61 * time.Minute)
		synctest.Wait()
		if !state(t, h).Silent {
			t.Error("not silent after an hour")
		}
		got := gather(t, registry)
		for name, want := range map[string]float64{
			"bytes_total": 3, "records_total": 1, "items_total": 1, "silent": 1, "up": 1, "paused": 0, "lag_seconds": 0,
			"in_flight_records": 0, "faults_total": 0,
		} {
			if got["suyuan_connectors_"+name] != want {
				t.Errorf("%s = %v, want %v", name, got["suyuan_connectors_"+name], want)
			}
		}
	})
}

// gather returns the metrics of the one instance by name.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			out[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}

func TestUnreadablePositionStopsApply(t *testing.T) {
	shelf := &connectortest.Shelf{}
	if err := shelf.SavePosition(t.Context(), "shop", "no mark"); err != nil {
		t.Fatal(err)
	}
	h := connectors.New(connectors.Config{Publisher: &connectortest.Stream{}, Positions: shelf})
	defer h.Close()
	if err := h.Apply(t.Context(), []*connectors.Instance{(&shop{}).instance()}); hub.AsFault(err).Code != "position.unreadable" {
		t.Errorf("got %v", err)
	}
}

// TestRateHoldsASourceBack: 20 records a second, 100 records, a second's worth at once.
func TestRateHoldsASourceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shop{items: []connectors.Item{{ID: "1", Body: []byte(strings.Repeat("x\n", 100))}}}
		inst := s.instance()
		inst.Limits.Rate.PerSecond = 20
		stream := &connectortest.Stream{}
		h := start(t, stream, &connectortest.Shelf{}, inst)
		defer h.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(stream.Records()); n < 58 || n > 61 {
			t.Errorf("%d records after 2 s", n)
		}
	})
}
