package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// Upstream is where a kind reads, as its test builds it.
type Upstream interface {
	// Instance returns an instance that reads the upstream, with a short interval. Each call returns a new one with the
	// same id.
	Instance(tb testing.TB) *connectors.Instance
	// Put adds one record for each text, in one item where the kind has items of several records. The record's body
	// contains the text.
	Put(tb testing.TB, texts ...string)
}

// Traits say what a kind can do. A check that needs a trait is skipped by this declaration only.
type Traits struct {
	// Remembers: what is durable is not read again after a restart.
	Remembers bool
	// Splits: one item may hold several records.
	Splits bool
	// Secrets are the secrets that the instance was given; they must not show anywhere.
	Secrets []string
}

// Source checks a kind that reads. Open builds the upstream in a folder, or finds it there when it was built before: the
// crash check opens it from several processes, one after the other.
func Source(t *testing.T, open func(tb testing.TB, dir string) Upstream, traits Traits) {
	k := kit{open: open, traits: traits}
	t.Run("every record once", k.everyRecordOnce)
	t.Run("ids are stable", k.idsAreStable)
	t.Run("unsettled items come again", k.unsettledComeAgain)
	t.Run("settling twice is harmless", k.settleTwice)
	t.Run("restart resumes", k.restartResumes)
	t.Run("pause and resume", k.pauseAndResume)
	t.Run("publish fails", k.publishFails)
	t.Run("position is not stored", k.positionFails)
	t.Run("one record in flight", k.saturated)
	t.Run("oversize record", k.oversize)
	t.Run("stream refuses a record", k.streamRefuses)
	t.Run("stop while the stream is down", k.stopWhileDown)
	t.Run("secrets do not show", k.secretsDoNotShow)
	t.Run("kill -9", k.kill)
}

type kit struct {
	open   func(testing.TB, string) Upstream
	traits Traits
}

// patience is how long a check waits for what must happen. It is only ever spent by a check that fails, so it is long
// enough for a machine with much else to do.
const patience = 2 * time.Minute

var markRE = regexp.MustCompile(`rec-[0-9]+-`)

// texts returns n texts of which none contains another.
func texts(from, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("rec-%05d-", from+i)
	}
	return out
}

// run starts a host over the instance and returns how to close it.
func run(tb testing.TB, inst *connectors.Instance, stream connectors.Publisher, shelf connectors.Positions) (*connectors.Host, func()) {
	tb.Helper()
	h := connectors.New(connectors.Config{Publisher: stream, Positions: shelf, Drain: patience})
	if err := h.Apply(context.Background(), []*connectors.Instance{inst}); err != nil {
		tb.Fatal(err)
	}
	closed := false
	stop := func() {
		if !closed {
			closed = true
			h.Close()
		}
	}
	tb.Cleanup(stop)
	return h, stop
}

// WaitFor waits until cond holds, and fails after a while with what describes the state then.
func WaitFor(tb testing.TB, what string, cond func() bool, describe func() any) {
	tb.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not after %s: %v", what, patience, describe())
		}
		<-tick.C
	}
}

// marks returns the texts that stand in the stream, in order, repetitions included.
func marks(s *Stream) []string {
	var out []string
	for _, r := range s.Records() {
		out = append(out, string(markRE.Find(r.Body)))
	}
	return out
}

func waitForMarks(tb testing.TB, h *connectors.Host, id hub.ConnectorID, s *Stream, want []string) {
	tb.Helper()
	have := func() bool {
		got := map[string]bool{}
		for _, m := range marks(s) {
			got[m] = true
		}
		for _, w := range want {
			if !got[w] {
				return false
			}
		}
		return true
	}
	WaitFor(tb, fmt.Sprintf("%d records arrive", len(want)), have, func() any {
		status, err := h.Status(id)
		return fmt.Sprintf("%d records, status %+v, last error %v, %v", len(marks(s)), status, status.LastError, err)
	})
}

// settled waits until the instance has caught up and nothing is in flight.
func settled(tb testing.TB, h *connectors.Host, id hub.ConnectorID) {
	tb.Helper()
	since := time.Now()
	WaitFor(tb, "the source is idle", func() bool {
		s, err := h.Status(id)
		return err == nil && s.State == connectors.StateWaiting && s.InFlight == 0 && s.CaughtUpAt.After(since)
	}, func() any { s, _ := h.Status(id); return s })
}

func noLeak(t *testing.T) {
	t.Helper()
	existing := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, existing) })
}

func (k kit) everyRecordOnce(t *testing.T) {
	noLeak(t)
	up := k.open(t, t.TempDir())
	want := texts(0, 25)
	up.Put(t, want[:10]...)
	inst := up.Instance(t)
	stream := &Stream{}
	h, stop := run(t, inst, stream, &Shelf{})
	waitForMarks(t, h, inst.ID, stream, want[:10])
	up.Put(t, want[10:]...)
	waitForMarks(t, h, inst.ID, stream, want)
	settled(t, h, inst.ID)
	stop()
	if got := marks(stream); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("got %v", got)
	}
	ids := map[hub.RecordID]bool{}
	for _, r := range stream.Records() {
		if ids[r.ID] {
			t.Errorf("two records have the id %s", r.ID)
		}
		ids[r.ID] = true
	}
	for _, env := range stream.Envelopes() {
		if env.Connector != inst.ID || env.Provider != inst.Provider || env.ReceivedAt.IsZero() || env.Origin == "" {
			t.Errorf("incomplete envelope %+v", env)
		}
	}
}

// identities reads everything into a fresh stream and returns the id of each text.
func identities(t *testing.T, inst *connectors.Instance, want []string) map[string]hub.RecordID {
	t.Helper()
	stream := &Stream{}
	h, stop := run(t, inst, stream, &Shelf{})
	waitForMarks(t, h, inst.ID, stream, want)
	stop()
	out := map[string]hub.RecordID{}
	for _, r := range stream.Records() {
		out[string(markRE.Find(r.Body))] = r.ID
	}
	return out
}

func (k kit) idsAreStable(t *testing.T) {
	want := texts(0, 12)
	one, two := k.open(t, t.TempDir()), k.open(t, t.TempDir())
	one.Put(t, want...)
	two.Put(t, want...)
	first, second := identities(t, one.Instance(t), want), identities(t, two.Instance(t), want)
	for _, w := range want {
		if first[w] != second[w] {
			t.Errorf("%s has the ids %s and %s", w, first[w], second[w])
		}
	}
}

// source opens the driver alone.
func source(t *testing.T, inst *connectors.Instance, p hub.Position) connectors.Source {
	t.Helper()
	opener, ok := inst.Options.(connectors.Opener)
	if !ok {
		t.Fatalf("%T opens no source", inst.Options)
	}
	src, err := opener.Open(t.Context(), connectors.Env{Connector: inst.ID, Position: p, Dir: inst.Dir, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := inst.Options.(connectors.Resumer); ok {
		return resumable{src, t, r}
	}
	return src
}

// resumable holds a source to what its kind says of positions: each that it gives can be set.
type resumable struct {
	connectors.Source
	t    *testing.T
	kind connectors.Resumer
}

// Next implements [connectors.Source].
func (r resumable) Next(ctx context.Context) (connectors.Item, error) {
	item, err := r.Source.Next(ctx)
	if item.Position != "" {
		if err := r.kind.CheckPosition(item.Position); err != nil {
			r.t.Errorf("the kind refuses its own position %s: %v", item.Position, err)
		}
	}
	return item, err
}

// nextItem calls Next until there is an item.
func nextItem(t *testing.T, src connectors.Source) connectors.Item {
	t.Helper()
	var item connectors.Item
	WaitFor(t, "Next gives an item", func() bool {
		var err error
		item, err = src.Next(t.Context())
		if err != nil && !errors.Is(err, io.EOF) && hub.KindOf(err) != hub.Unavailable {
			t.Fatal(err)
		}
		return err == nil
	}, func() any { return nil })
	return item
}

func (k kit) unsettledComeAgain(t *testing.T) {
	up := k.open(t, t.TempDir())
	up.Put(t, texts(0, 3)...)
	src := source(t, up.Instance(t), "")
	first := nextItem(t, src)
	if err := src.Close(); err != nil {
		t.Fatal(err)
	}
	src = source(t, up.Instance(t), "")
	defer src.Close()
	for range 3 { // partitions have no order among one another
		if again := nextItem(t, src); again.ID == first.ID && again.ID != "" {
			return
		}
	}
	t.Errorf("after a crash %q does not come again", first.ID)
}

func (k kit) settleTwice(t *testing.T) {
	up := k.open(t, t.TempDir())
	up.Put(t, texts(0, 3)...)
	src := source(t, up.Instance(t), "")
	defer src.Close()
	item := nextItem(t, src)
	for range 2 {
		if err := src.Settle(t.Context(), item, nil); err != nil {
			t.Errorf("settle: %v", err)
		}
	}
}

func (k kit) restartResumes(t *testing.T) {
	up, shelf, stream := k.open(t, t.TempDir()), &Shelf{}, &Stream{}
	want := texts(0, 20)
	for i := range 4 {
		up.Put(t, want[i*5:i*5+5]...)
		inst := up.Instance(t)
		h, stop := run(t, inst, stream, shelf)
		waitForMarks(t, h, inst.ID, stream, want[:i*5+5])
		settled(t, h, inst.ID)
		stop()
	}
	if n := len(marks(stream)); k.traits.Remembers && n != len(want) {
		t.Errorf("%d records were published for %d", n, len(want))
	}
}

func (k kit) pauseAndResume(t *testing.T) {
	noLeak(t)
	up, shelf, stream := k.open(t, t.TempDir()), &Shelf{}, &Stream{}
	want := texts(0, 20)
	up.Put(t, want[:10]...)
	inst := up.Instance(t)
	h, stop := run(t, inst, stream, shelf)
	waitForMarks(t, h, inst.ID, stream, want[:10])
	if err := h.Pause(t.Context(), inst.ID); err != nil {
		t.Fatal(err)
	}
	n := len(marks(stream))
	up.Put(t, want[10:]...)
	stop()
	h, _ = run(t, up.Instance(t), stream, shelf)
	if s, err := h.Status(inst.ID); err != nil || s.State != connectors.StatePaused {
		t.Fatalf("after a restart the paused instance is %v, %v", s.State, err)
	}
	if len(marks(stream)) != n {
		t.Error("a paused instance publishes")
	}
	if err := h.Resume(t.Context(), inst.ID); err != nil {
		t.Fatal(err)
	}
	waitForMarks(t, h, inst.ID, stream, want)
}

// withFaults runs 30 records through faulty stores.
func (k kit) withFaults(t *testing.T, stream *Stream, shelf *Shelf) {
	t.Helper()
	noLeak(t)
	up := k.open(t, t.TempDir())
	want := texts(0, 30)
	up.Put(t, want[:15]...)
	up.Put(t, want[15:]...)
	inst := up.Instance(t)
	h, stop := run(t, inst, stream, shelf)
	waitForMarks(t, h, inst.ID, stream, want)
	settled(t, h, inst.ID)
	stop()
	ids := map[string]hub.RecordID{}
	for _, r := range stream.Records() {
		m := string(markRE.Find(r.Body))
		if id, seen := ids[m]; seen && id != r.ID {
			t.Errorf("%s came again with another id", m)
		}
		ids[m] = r.ID
	}
}

func (k kit) publishFails(t *testing.T) {
	for name, fate := range map[string]Fate{"lost": Lost, "landed, answer lost": Landed} {
		t.Run(name, func(t *testing.T) {
			k.withFaults(t, &Stream{Fate: func(call int) Fate {
				if call == 1 || call == 3 {
					return fate
				}
				return Works
			}}, &Shelf{})
		})
	}
}

func (k kit) positionFails(t *testing.T) {
	for name, fate := range map[string]Fate{"lost": Lost, "landed, answer lost": Landed} {
		t.Run(name, func(t *testing.T) {
			k.withFaults(t, &Stream{}, &Shelf{Fate: func(call int) Fate {
				if call == 1 {
					return fate
				}
				return Works
			}})
		})
	}
}

func (k kit) saturated(t *testing.T) {
	noLeak(t)
	up, stream := k.open(t, t.TempDir()), &Stream{}
	want := texts(0, 40)
	for i := range 8 {
		up.Put(t, want[i*5:i*5+5]...)
	}
	inst := up.Instance(t)
	inst.Limits.InFlight = 1
	h, _ := run(t, inst, stream, &Shelf{})
	waitForMarks(t, h, inst.ID, stream, want)
}

func (k kit) oversize(t *testing.T) {
	up, stream := k.open(t, t.TempDir()), &Stream{}
	want := texts(0, 6)
	big := "rec-99999-" + strings.Repeat("x", 3000)
	up.Put(t, want[:3]...)
	up.Put(t, append([]string{big}, want[3:5]...)...)
	up.Put(t, want[5])
	inst := up.Instance(t)
	inst.Limits.Record = 2000
	h, stop := run(t, inst, stream, &Shelf{})
	waitForMarks(t, h, inst.ID, stream, append([]string{"rec-99999-"}, want...))
	settled(t, h, inst.ID)
	stop()
	for _, r := range stream.Records() {
		isBig := string(markRE.Find(r.Body)) == "rec-99999-"
		if isBig != (r.Refused != nil) {
			t.Errorf("record %s: refused %v", r.ID, r.Refused)
		}
		if isBig && (len(r.Body) > 2000 || hub.KindOf(r.Refused) != hub.TooLarge) {
			t.Errorf("the large record has %d bytes, refused %v", len(r.Body), r.Refused)
		}
	}
}

func (k kit) streamRefuses(t *testing.T) {
	up := k.open(t, t.TempDir())
	want := texts(0, 10)
	stream := &Stream{Refuse: func(env hub.Envelope) error {
		for _, r := range env.Records {
			if r.Refused == nil && strings.Contains(string(r.Body), want[4]) {
				return hub.Faultf(hub.TooLarge, "test.refused", "the stream does not take this record")
			}
		}
		return nil
	}}
	up.Put(t, want...)
	inst := up.Instance(t)
	h, stop := run(t, inst, stream, &Shelf{})
	waitForMarks(t, h, inst.ID, stream, want)
	stop()
	for _, r := range stream.Records() {
		if refused := strings.Contains(string(r.Body), want[4]); refused != (r.Refused != nil) {
			t.Errorf("record %s: refused %v", r.ID, r.Refused)
		}
	}
}

func (k kit) stopWhileDown(t *testing.T) {
	noLeak(t)
	up, shelf := k.open(t, t.TempDir()), &Shelf{}
	want := texts(0, 10)
	up.Put(t, want...)
	inst := up.Instance(t)
	down := &Stream{Fate: func(int) Fate { return Lost }}
	h, stop := run(t, inst, down, shelf)
	WaitFor(t, "the fault shows", func() bool {
		s, err := h.Status(inst.ID)
		return err == nil && s.LastError != nil && s.State == connectors.StateRetrying
	}, func() any { s, _ := h.Status(inst.ID); return s })
	stop()
	up2 := &Stream{}
	h, _ = run(t, up.Instance(t), up2, shelf)
	waitForMarks(t, h, inst.ID, up2, want)
}

func (k kit) secretsDoNotShow(t *testing.T) {
	if len(k.traits.Secrets) == 0 {
		t.Skip("the kind has no secrets")
	}
	up, stream := k.open(t, t.TempDir()), &Stream{}
	up.Put(t, texts(0, 1)...)
	inst := up.Instance(t)
	h, _ := run(t, inst, stream, &Shelf{})
	waitForMarks(t, h, inst.ID, stream, texts(0, 1))
	status, err := h.Status(inst.ID)
	if err != nil {
		t.Fatal(err)
	}
	js, err := json.Marshal(inst.Options)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%+v %#v %+v %s", status, status, inst, js)
	for _, secret := range k.traits.Secrets {
		if strings.Contains(shown, secret) {
			t.Errorf("the secret shows in %s", shown)
		}
	}
}
