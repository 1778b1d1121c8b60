package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

func wantFault(t *testing.T, err error, kind hub.Kind, code string) {
	t.Helper()
	if f := hub.AsFault(err); err == nil || f.Kind != kind || f.Code != code {
		t.Errorf("got %v, want %s %s", err, kind, code)
	}
}

// eventually asks again and again until ok, for what the pipeline does not announce.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(60 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// listening opens a pipeline whose server others can reach, and returns its address.
func listening(t *testing.T, store *memory) (*hubOf, string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	return open(t, pipeline.Config{Listen: addr, Token: "s3cret"}, store), "nats://s3cret@" + addr
}

func TestADirectoryHasOneProcess(t *testing.T) {
	dir := t.TempDir()
	open(t, pipeline.Config{Dir: dir}, newMemory())
	_, err := pipeline.Open(t.Context(), pipeline.Config{Dir: dir, MinFree: -1}, pipeline.Deps{})
	wantFault(t, err, hub.Unavailable, "pipeline.dir-in-use")
	if !strings.Contains(err.Error(), dir) {
		t.Errorf("%v does not name the directory", err)
	}
}

// A cluster that is away, or that runs without JetStream, is said before the start, as the start says it.
func TestAClusterIsAskedBeforeTheStart(t *testing.T) {
	_, url := listening(t, newMemory())
	plain, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	defer plain.Shutdown()
	if !plain.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not start")
	}
	for url, code := range map[string]string{url: "", plain.ClientURL(): "pipeline.stream", "nats://127.0.0.1:1": "pipeline.unreachable"} {
		cfg := pipeline.Config{Cluster: pipeline.Cluster{URL: url, Replicas: 1}}
		err := cfg.CheckCluster(t.Context())
		if code == "" && err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if code != "" {
			wantFault(t, err, hub.Unavailable, code)
			_, err = pipeline.Open(t.Context(), cfg, pipeline.Deps{})
			wantFault(t, err, hub.Unavailable, code)
		}
	}
}

// A reserve that the disk never has is said before the start and at it, with what to do.
func TestAReserveThatIsLargerThanTheDisk(t *testing.T) {
	seen, logs := observer.New(zap.WarnLevel)
	cfg := pipeline.Config{Dir: filepath.Join(t.TempDir(), "stream"), MinFree: 1 << 62}
	before := cfg.CheckSpace()
	counts := prometheus.NewRegistry()
	p, err := pipeline.Open(t.Context(), cfg, pipeline.Deps{Log: zap.New(seen), Metrics: counts})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for when, err := range map[string]error{
		"before": before, "started": cfg.CheckSpace(), "published": p.Publish(t.Context(), env("a", "x")), "ready": p.Ready(t.Context()),
	} {
		wantFault(t, err, hub.Unavailable, "pipeline.disk-full")
		if f := hub.AsFault(err); !strings.Contains(f.Hint, "minFree") || !strings.Contains(f.HintZh, "minFree") {
			t.Errorf("%s: %v does not say what to do", when, err)
		}
	}
	families, err := counts.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := f.GetMetric()[0].GetCounter().GetValue(); f.GetName() == "suyuan_pipeline_publish_failures_total" && n != 1 {
			t.Errorf("the alert counts %v of what was refused", n)
		}
	}
	if logs.FilterMessageSnippet("new data is refused").Len() != 1 {
		t.Errorf("the log of the start says %v", logs.All())
	}
	for what, cfg := range map[string]pipeline.Config{
		"no reserve": {Dir: cfg.Dir, MinFree: -1}, "a small one": {Dir: cfg.Dir, MinFree: 1},
		"a cluster's disks": {MinFree: 1 << 62, Cluster: pipeline.Cluster{URL: "nats://127.0.0.1:1"}},
	} {
		if err := cfg.CheckSpace(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAStreamThatDoesNotAnswerSaysWhatToDo(t *testing.T) {
	p, err := pipeline.Open(t.Context(), pipeline.Config{Dir: t.TempDir(), MinFree: -1}, pipeline.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	_, stats := p.Stats(t.Context())
	_, latest := p.Latest(t.Context(), "shop", 1)
	for what, err := range map[string]error{
		"stats": stats, "latest": latest, "raw": p.Raw(t.Context(), pipeline.RawFilter{}, func(pipeline.RawItem) error { return nil }),
	} {
		wantFault(t, err, hub.Unavailable, "pipeline.raw-failed")
		if f := hub.AsFault(err); f.Hint == "" || f.MessageZh == "" || f.HintZh == "" {
			t.Errorf("%s: %v does not say what to do in both languages", what, err)
		}
	}
}

func TestAClosedDirectoryOpensAgainWithWhatItHad(t *testing.T) {
	cfg := pipeline.Config{Dir: t.TempDir(), MinFree: -1}
	p, err := pipeline.Open(t.Context(), cfg, pipeline.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), env("a", "x", "y")); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, p.Publish(t.Context(), env("b", "x")), hub.Unavailable, "pipeline.stopping")
	h := open(t, cfg, newMemory())
	h.run(t)
	h.store.await(t, "what was published before", recorded(2))
}

func TestEveryFaultOfTheConfigurationIsReported(t *testing.T) {
	_, err := pipeline.Open(t.Context(), pipeline.Config{
		Durability: "maybe", MaxBytes: -1, Listen: "0.0.0.0:4222", Partition: "A/B", MaxFrame: 1 << 30,
	}, pipeline.Deps{})
	for _, pointer := range []string{"/dir", "/durability", "/maxBytes", "/token", "/partition", "/maxFrame"} {
		if err == nil || !strings.Contains(err.Error(), pointer+":") {
			t.Errorf("%v does not report %s", err, pointer)
		}
	}
}

func TestTwoProcessesShareAPartition(t *testing.T) {
	store := newMemory()
	first, url := listening(t, store)
	second := open(t, pipeline.Config{Cluster: pipeline.Cluster{URL: url}}, store)
	first.run(t)
	second.run(t)
	const frames, each = 60, 50
	for i := range frames {
		h := first
		if i%2 == 1 {
			h = second
		}
		h.publish(t, env(fmt.Sprintf("f%d", i), many(each, "x")...))
	}
	store.await(t, "all records", recorded(frames*each))
	second.stop()
	first.publish(t, env("after", "x"))
	store.await(t, "the last record", recorded(frames*each+1))
	if len(store.order) != frames*each+1 {
		t.Errorf("%d records recorded, want %d", len(store.order), frames*each+1)
	}
}

func TestAFrameThatIsNoneBecomesADeadLetter(t *testing.T) {
	h, url := listening(t, newMemory())
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	h.publish(t, env("a", "x"))
	if _, err := js.Publish(t.Context(), "suyuan.raw.0.shop", []byte("not a frame")); err != nil {
		t.Fatal(err)
	}
	h.publish(t, env("b", "y"))
	h.run(t)
	h.store.await(t, "both records and a letter", func(m *memory) bool { return len(m.records) == 2 && len(m.letters) == 1 })
	d := h.store.letters[0]
	if d.Record.Connector != pipeline.FrameConnector || d.Fault.Code != "frame.malformed" || string(d.Body) != "not a frame" {
		t.Errorf("dead letter %+v", d)
	}
	// It still cannot be read: the replay says so, and the letter waits on.
	wantFault(t, h.Replay(t.Context(), d.ID), hub.Invalid, "frame.malformed")
	if s := h.store.letters[0].State; s != hub.DeadWaiting {
		t.Errorf("the letter is %s", s)
	}
	// A frame that can be read, as after an upgrade: its records go the normal way.
	h.store.set(func(m *memory) { m.letters[0].Body = pipeline.EncodeFrame([]hub.Envelope{env("c", "z")}) })
	if err := h.Replay(t.Context(), d.ID); err != nil {
		t.Fatal(err)
	}
	h.store.await(t, "the frame's record", recorded(3))
	eventually(t, "the letter to be resolved", func() bool {
		got, err := h.store.DeadLetter(t.Context(), d.ID)
		return err == nil && got.State == hub.DeadResolved
	})
}

func TestARecordMayBeAsLargeAsAFrame(t *testing.T) {
	h := running(t)
	noise := make([]byte, 7<<20)
	for i := range noise {
		noise[i] = byte(i * i >> 7)
	}
	e := env("big", "x")
	e.Records[0].Body = noise
	h.publish(t, e)
	e = env("bigger", many(30, strings.Repeat("y", 1<<20))...)
	h.publish(t, e)
	h.store.await(t, "large records", recorded(31))
	e.Records[3].Body = bytes.Repeat([]byte("z"), 9<<20)
	err := h.Publish(t.Context(), e)
	wantFault(t, err, hub.TooLarge, "record.too-large")
	if w := hub.AsFault(err).Where; w.Line != 4 || w.File != "bigger" {
		t.Errorf("the fault is at %s", w)
	}
}

func TestAnEnvelopeOfManyRecordsIsCutIntoFrames(t *testing.T) {
	h := running(t)
	h.publish(t, env("many", many(20_000, "x")...))
	h.store.await(t, "all records", recorded(20_000))
	if s, err := h.Stats(t.Context()); err != nil || s.Frames < 3 {
		t.Errorf("%d frames, %v", s.Frames, err)
	}
}

func TestEnvelopesThatCannotBeAddressedAreRefused(t *testing.T) {
	h := open(t, pipeline.Config{}, newMemory())
	e := env("a", "x")
	e.Records[0].ID = ""
	wantFault(t, h.Publish(t.Context(), e), hub.Invalid, "record.no-id")
	e = env("a", "x")
	e.Connector = "a.>"
	wantFault(t, h.Publish(t.Context(), e), hub.Invalid, "name.invalid")
	if err := h.Publish(t.Context(), env("empty")); err != nil {
		t.Errorf("an envelope without records: %v", err)
	}
}

func TestTooMuchAtOnceIsShedAtOnce(t *testing.T) {
	h := open(t, pipeline.Config{MaxQueue: 1}, newMemory())
	var ok, busy atomic.Int64
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			switch err := h.Publish(t.Context(), env(fmt.Sprintf("e%d", i), "x")); hub.KindOf(err) {
			case hub.Unavailable:
				busy.Add(1)
			default:
				if err != nil {
					t.Error(err)
				}
				ok.Add(1)
			}
		})
	}
	wg.Wait()
	if busy.Load() == 0 || ok.Load() == 0 {
		t.Fatalf("%d accepted, %d shed", ok.Load(), busy.Load())
	}
	h.run(t)
	h.store.await(t, "what was accepted", recorded(int(ok.Load())))
}

func TestACallerThatGivesUpKnowsNothing(t *testing.T) {
	h := open(t, pipeline.Config{}, newMemory())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Publish(ctx, env("a", "x")); err != nil { // it may have been fast enough
		wantFault(t, err, hub.Unavailable, "pipeline.gone")
	}
}

func TestAFullStreamRefusesUntilSomethingIsProcessed(t *testing.T) {
	h := open(t, pipeline.Config{MaxBytes: 256 << 10}, newMemory())
	noise := strings.Repeat(fmt.Sprintf("%x", time.Now().UnixNano()), 100)
	n := 0
	for {
		err := h.Publish(t.Context(), env(fmt.Sprintf("e%d", n), noise+fmt.Sprint(n)))
		if err != nil {
			wantFault(t, err, hub.Unavailable, "pipeline.raw-full")
			break
		}
		if n++; n > 10_000 {
			t.Fatal("the stream does not become full")
		}
	}
	h.run(t)
	h.store.await(t, "what was accepted", recorded(n))
	eventually(t, "space", func() bool { return h.Publish(t.Context(), env("more", "x")) == nil })
	h.store.await(t, "the record that found space", recorded(n+1))
}

func TestWhatIsProcessedIsKeptForItsTime(t *testing.T) {
	store, dir := newMemory(), t.TempDir()
	later := func(d time.Duration) *hubOf {
		p, err := pipeline.Open(t.Context(), pipeline.Config{Dir: dir, MinFree: -1, Retain: 24 * time.Hour}, pipeline.Deps{
			Normaliser: words{}, Appender: store, Morgue: store, Now: func() time.Time { return time.Now().Add(d) },
		})
		if err != nil {
			t.Fatal(err)
		}
		return &hubOf{Pipeline: p, store: store}
	}
	frames := func(h *hubOf) uint64 {
		s, err := h.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Frames
	}
	h := later(0)
	for i := range 20 {
		h.publish(t, env(fmt.Sprintf("e%d", i), "x"))
	}
	h.run(t)
	store.await(t, "all records", recorded(20))
	h.stop()
	if n := frames(h); n != 20 {
		t.Errorf("%d frames kept within their time, want 20", n)
	}
	_ = h.Close()
	h = later(48 * time.Hour)
	h.run(t)
	eventually(t, "the removal", func() bool { return frames(h) == 0 })
	h.publish(t, env("new", "x"))
	store.await(t, "the new record", recorded(21))
	h.stop()
	_ = h.Close()
}

func TestRawRecordsAreReadAndReplayed(t *testing.T) {
	h := running(t)
	h.publish(t, env("a", "x", "bad 1"))
	other := env("o", "x", "y")
	other.Connector = "wms"
	h.publish(t, other, env("b", "bad 2"))
	h.store.await(t, "five outcomes", func(m *memory) bool { return len(m.records) == 3 && len(m.letters) == 2 })

	var ids []string
	if err := h.Raw(t.Context(), pipeline.RawFilter{Connector: "shop"}, func(it pipeline.RawItem) error {
		for _, r := range it.Records {
			ids = append(ids, string(r.ID))
		}
		return nil
	}); err != nil || !slices.Equal(ids, []string{"a/1", "a/2", "b/1"}) {
		t.Errorf("Raw: %v, %v", ids, err)
	}
	latest, err := h.Latest(t.Context(), "shop", 2)
	if err != nil || len(latest) != 2 || latest[0].Records[0].ID != "a/2" || latest[1].Records[0].ID != "b/1" {
		t.Errorf("Latest: %+v, %v", latest, err)
	}
	if latest, err := h.Latest(t.Context(), "nobody", 2); err != nil || len(latest) != 0 {
		t.Errorf("Latest of nobody: %+v, %v", latest, err)
	}
	done, err := h.ReplayRaw(t.Context(), pipeline.RawFilter{})
	if err != nil || done.Records != 5 || done.Verdicts[hub.Repeated] != 3 || done.Verdicts[hub.Dead] != 2 {
		t.Errorf("ReplayRaw: %+v, %v", done, err)
	}
	done, err = h.ReplayRaw(t.Context(), pipeline.RawFilter{From: done.Last + 1})
	if err != nil || done.Records != 0 {
		t.Errorf("ReplayRaw beyond the end: %+v, %v", done, err)
	}
}
