package connectors_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// inbox is a receiver that takes what a request holds: the id from a header, the body as it is.
type inbox struct{ answer connectors.Answer }

func (i *inbox) Listen(connectors.Env) (connectors.Receiver, error) { return i, nil }

func (i *inbox) Receive(r *http.Request) (connectors.Reception, error) {
	if r.Header.Get("Signature") == "bad" {
		return connectors.Reception{}, hub.Faultf(hub.Unauthorized, "test.signature", "bad signature")
	}
	body, err := connectors.ReadBody(r)
	if err != nil {
		return connectors.Reception{}, err
	}
	item := connectors.Item{ID: r.Header.Get("Id"), Origin: r.URL.Path, Body: body}
	return connectors.Reception{Items: []connectors.Item{item}, Answer: i.answer}, nil
}

func inboxInstance() *connectors.Instance {
	return &connectors.Instance{
		ID: "inbox", Provider: "tester", Kind: "test", Options: &inbox{}, Splitter: connectortest.Lines{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: time.Second},
		Limits:   connectors.Limits{InFlight: 10, Record: 100, Body: 1000},
		Interval: time.Second,
	}
}

// clock is a clock that stands still until it is moved.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func host(t *testing.T, stream *connectortest.Stream, shelf *connectortest.Shelf, insts ...*connectors.Instance) (*connectors.Host, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	h := connectors.New(connectors.Config{Publisher: stream, Positions: shelf, Now: c.now, Memory: 1 << 20})
	if err := h.Apply(t.Context(), insts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h, c
}

func post(h *connectors.Host, id, body string, headers ...string) (*httptest.ResponseRecorder, error) {
	r := httptest.NewRequest(http.MethodPost, "/in/inbox", strings.NewReader(body))
	r.Header.Set("Id", id)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	return w, h.ServeIn(w, r, "inbox")
}

func TestAcceptedRequestNamesItsRecords(t *testing.T) {
	stream := &connectortest.Stream{}
	h, c := host(t, stream, &connectortest.Shelf{}, inboxInstance())
	trace := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	w, err := post(h, "msg 1", "a\nb\n", "Traceparent", trace)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"accepted":2,"records":[{"id":"msg 1#1","status":"/v1/records/inbox/msg%201%231"},` +
		`{"id":"msg 1#2","status":"/v1/records/inbox/msg%201%232"}]}` + "\n"
	if w.Code != http.StatusAccepted || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	wantEnvelope := []hub.Envelope{{
		Connector: "inbox", Provider: "tester", ReceivedAt: c.t, Origin: "/in/inbox", TraceParent: trace,
		Records: []hub.Record{
			{ID: "msg 1#1", Body: []byte("a"), Line: 1, Column: 1}, {ID: "msg 1#2", Body: []byte("b"), Line: 2, Column: 1},
		},
	}}
	if diff := cmp.Diff(wantEnvelope, stream.Envelopes()); diff != "" {
		t.Error(diff)
	}
	again, err := post(h, "msg 1", "a\nb\n")
	if err != nil || again.Body.String() != w.Body.String() || again.Code != w.Code {
		t.Errorf("a repetition is answered %d %s, %v", again.Code, again.Body, err)
	}
}

func TestRefusedRequests(t *testing.T) {
	var bomb, good bytes.Buffer
	for buf, n := range map[*bytes.Buffer]int{&bomb: 1 << 20, &good: 50} {
		zw := gzip.NewWriter(buf)
		if _, err := zw.Write(bytes.Repeat([]byte("x"), n)); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		body    string
		headers []string
		code    string
		kind    hub.Kind
	}{
		"bad signature":      {"a", []string{"Signature", "bad"}, "test.signature", hub.Unauthorized},
		"large body":         {strings.Repeat("a\n", 600), nil, "request.too-large", hub.TooLarge},
		"large record":       {"a\n" + strings.Repeat("x", 101), nil, "record.too-large", hub.TooLarge},
		"gzip bomb":          {bomb.String(), []string{"Content-Encoding", "gzip"}, "request.too-large", hub.TooLarge},
		"no gzip":            {"plain", []string{"Content-Encoding", "gzip"}, "request.gzip", hub.Invalid},
		"cut gzip":           {good.String()[:good.Len()-6], []string{"Content-Encoding", "gzip"}, "request.gzip", hub.Invalid},
		"unknown encoding":   {"plain", []string{"Content-Encoding", "br"}, "request.encoding", hub.Unsupported},
		"empty under gzip":   {"", []string{"Content-Encoding", "gzip"}, "request.gzip", hub.Invalid},
		"good gzip":          {good.String(), []string{"Content-Encoding", "gzip"}, "", 0},
		"empty":              {"", nil, "", 0},
		"unsplittable whole": {"!\nx", nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			stream := &connectortest.Stream{}
			h, _ := host(t, stream, &connectortest.Shelf{}, inboxInstance())
			w, err := post(h, "m", tc.body, tc.headers...)
			if tc.code == "" {
				if err != nil || w.Code != http.StatusAccepted {
					t.Errorf("got %d, %v", w.Code, err)
				}
				return
			}
			if f := hub.AsFault(err); err == nil || f.Code != tc.code || f.Kind != tc.kind {
				t.Errorf("got %v, want %s", err, tc.code)
			}
			if n := len(stream.Records()); n != 0 {
				t.Errorf("%d records of a refused request are in the stream", n)
			}
			if s, err := h.Status("inbox"); err != nil || s.Counts.Refused != 1 || s.LastError == nil {
				t.Errorf("status %+v, %v", s, err)
			}
		})
	}
}

// status returns the HTTP status and Retry-After of a refusal.
func status(t *testing.T, w *httptest.ResponseRecorder, err error) (int, string) {
	t.Helper()
	var r *connectors.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("no refusal: %v", err)
	}
	var own interface{ HTTPStatus() int } // as whoever writes the answer asks
	if !errors.As(err, &own) || own.HTTPStatus() != r.Status {
		t.Errorf("the status %d is hidden", r.Status)
	}
	return r.Status, w.Header().Get("Retry-After")
}

func TestRateLimitAnswersWhenToComeBack(t *testing.T) {
	inst := inboxInstance()
	inst.Limits.Rate = strictyaml.Rate{PerSecond: 2}
	h, c := host(t, &connectortest.Stream{}, &connectortest.Shelf{}, inst)
	if _, err := post(h, "1", "a\nb\nc\nd"); err != nil { // a second's worth may be in hand, the rest is owed
		t.Fatal(err)
	}
	w, err := post(h, "2", "e")
	if code, after := status(t, w, err); code != http.StatusTooManyRequests || after != "2" {
		t.Errorf("got %d, Retry-After %q", code, after)
	}
	c.t = c.t.Add(2 * time.Second)
	if _, err := post(h, "2", "e"); err != nil {
		t.Errorf("after Retry-After: %v", err)
	}
	if s, err := h.Status("inbox"); err != nil || s.Counts.Limited != 1 || s.Counts.Records != 5 {
		t.Errorf("status %+v, %v", s, err)
	}
}

func TestStreamDownAnswers503AndNothingIsAccepted(t *testing.T) {
	for name, fate := range map[string]connectortest.Fate{"lost": connectortest.Lost, "landed": connectortest.Landed} {
		t.Run(name, func(t *testing.T) {
			stream := &connectortest.Stream{Fate: func(call int) connectortest.Fate {
				if call == 1 {
					return fate
				}
				return connectortest.Works
			}}
			h, _ := host(t, stream, &connectortest.Shelf{}, inboxInstance())
			w, err := post(h, "m", "a")
			if code, after := status(t, w, err); code != http.StatusServiceUnavailable || after != "1" || w.Body.Len() > 0 {
				t.Errorf("got %d, Retry-After %q, body %s", code, after, w.Body)
			}
			if _, err := post(h, "m", "a"); err != nil {
				t.Errorf("the repetition: %v", err)
			}
			for _, r := range stream.Records() {
				if r.ID != "m" {
					t.Errorf("id %s", r.ID)
				}
			}
		})
	}
}

// However many requests the stream does not take, and are read away after their answer so that the connection can be used again,
// the memory of their bodies is given back.
func TestRefusedBodiesAreNotCharged(t *testing.T) {
	const many = 40 // each is charged a sixteenth of the memory
	stream := &connectortest.Stream{Fate: func(call int) connectortest.Fate {
		if call <= many {
			return connectortest.Lost
		}
		return connectortest.Works
	}}
	h := connectors.New(connectors.Config{Publisher: stream, Positions: &connectortest.Shelf{}, Memory: 1 << 20})
	if err := h.Apply(t.Context(), []*connectors.Instance{inboxInstance()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	for i := range many {
		r := httptest.NewRequest(http.MethodPost, "/in/inbox", strings.NewReader("a"))
		w := httptest.NewRecorder()
		if got, _ := status(t, w, h.ServeIn(w, r, "inbox")); got != http.StatusServiceUnavailable {
			t.Fatalf("request %d: %d", i, got)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Errorf("the body cannot be read away: %v", err)
		}
	}
	if _, err := post(h, "after", "a"); err != nil {
		t.Errorf("the hub does not recover: %v", err)
	}
}

// Of several processes that receive, one is told to pause and another to resume: all of them do.
func TestEveryProcessPausesAndResumes(t *testing.T) {
	shelf := &connectortest.Shelf{}
	a, _ := host(t, &connectortest.Stream{}, shelf, inboxInstance())
	b, _ := host(t, &connectortest.Stream{}, shelf, inboxInstance())
	both := func(want connectors.State) {
		t.Helper()
		for name, h := range map[string]*connectors.Host{"a": a, "b": b} {
			if err := h.ObeyPauses(t.Context()); err != nil {
				t.Error(err)
			}
			if st, err := h.Status("inbox"); err != nil || st.State != want {
				t.Errorf("%s is %s, want %s: %v", name, st.State, want, err)
			}
		}
	}
	if err := a.Pause(t.Context(), "inbox"); err != nil {
		t.Fatal(err)
	}
	both(connectors.StatePaused)
	if w, err := post(b, "m", "a"); hub.AsFault(err).Code != "connector.paused" {
		t.Errorf("%d %v", w.Code, err)
	}
	if err := b.Resume(t.Context(), "inbox"); err != nil {
		t.Fatal(err)
	}
	both(connectors.StateReceiving)
	if err := errors.Join(a.Pause(t.Context(), "inbox"), b.Resume(t.Context(), "inbox")); err != nil { // before b has looked
		t.Fatal(err)
	}
	both(connectors.StateReceiving)
}

func TestPausedRetiredAndUnknownReceivers(t *testing.T) {
	retired := inboxInstance()
	retired.Retired = true
	h, _ := host(t, &connectortest.Stream{}, &connectortest.Shelf{}, retired)
	w, err := post(h, "m", "a")
	if code, _ := status(t, w, err); code != http.StatusGone {
		t.Errorf("retired: %d", code)
	}

	shelf := &connectortest.Shelf{}
	h, _ = host(t, &connectortest.Stream{}, shelf, inboxInstance())
	if err := h.Pause(t.Context(), "inbox"); err != nil {
		t.Fatal(err)
	}
	w, err = post(h, "m", "a")
	if code, after := status(t, w, err); code != http.StatusServiceUnavailable || after == "" {
		t.Errorf("paused: %d %q", code, after)
	}
	h, _ = host(t, &connectortest.Stream{}, shelf, inboxInstance())
	if s, err := h.Status("inbox"); err != nil || s.State != connectors.StatePaused {
		t.Errorf("after a restart: %v, %v", s.State, err)
	}
	if err := h.Resume(t.Context(), "inbox"); err != nil {
		t.Fatal(err)
	}
	if _, err := post(h, "m", "a"); err != nil {
		t.Errorf("resumed: %v", err)
	}
	if err := h.ServeIn(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil), "other"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("unknown: %v", err)
	}
}

func TestAnswerOfTheSendersProtocol(t *testing.T) {
	inst := inboxInstance()
	inst.Options = &inbox{connectors.Answer{
		Status: 200, ContentType: "text/plain", Body: []byte("success"), Header: http.Header{"x-ack": {"1"}},
	}}
	h, _ := host(t, &connectortest.Stream{}, &connectortest.Shelf{}, inst)
	w, err := post(h, "m", "a")
	if err != nil || w.Code != 200 || w.Body.String() != "success" || w.Header().Get("X-Ack") != "1" {
		t.Errorf("%d %s %v, %v", w.Code, w.Body, w.Header(), err)
	}
}

func TestHostileIDsBecomeDigests(t *testing.T) {
	stream := &connectortest.Stream{}
	h, _ := host(t, stream, &connectortest.Shelf{}, inboxInstance())
	for _, id := range []string{strings.Repeat("x", 500), "a\nb", "", "x#1", "\xff"} {
		if _, err := post(h, id, "a"); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range stream.Records() {
		if !strings.HasPrefix(string(r.ID), "sha256:") {
			t.Errorf("id %q", r.ID)
		}
	}
}

// TestMemoryIsBounded: bodies that are still coming in hold memory; when it is used up the next sender is asked to wait.
func TestMemoryIsBounded(t *testing.T) {
	inst := inboxInstance()
	inst.Limits.Body = 1 << 20
	inst.Limits.Record = 1 << 20
	h, _ := host(t, &connectortest.Stream{}, &connectortest.Shelf{}, inst)
	slow, feed := io.Pipe()
	first := make(chan error, 1)
	go func() {
		r := httptest.NewRequest(http.MethodPost, "/in/inbox", slow)
		first <- h.ServeIn(httptest.NewRecorder(), r, "inbox")
	}()
	for _, part := range [][]byte{bytes.Repeat([]byte("x"), 900<<10), []byte("x")} { // the second is taken after the first is charged
		if _, err := feed.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	w, err := post(h, "m", strings.Repeat("y", 200<<10))
	if code, _ := status(t, w, err); code != http.StatusTooManyRequests {
		t.Errorf("got %d", code)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-first; err != nil {
		t.Errorf("the first: %v", err)
	}
	if _, err := post(h, "m", strings.Repeat("y", 200<<10)); err != nil {
		t.Errorf("memory was not given back: %v", err)
	}
}

func TestUnsplittableRestIsARecordOfItsOwn(t *testing.T) {
	stream := &connectortest.Stream{}
	h, _ := host(t, stream, &connectortest.Shelf{}, inboxInstance())
	w, err := post(h, "m", "a\nb\n!\nrest")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Accepted int }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Accepted != 3 {
		t.Errorf("%s, %v", w.Body, err)
	}
	last := stream.Records()[2]
	if string(last.Body) != "\n!\nrest" || last.Line != 2 || last.ID != "m#3" {
		t.Errorf("got %+v %q", last, last.Body)
	}
}

// tokenInbox gives tokens too.
type tokenInbox struct{ inbox }

func (i *tokenInbox) Listen(connectors.Env) (connectors.Receiver, error) { return i, nil }

func (i *tokenInbox) Token(r *http.Request) (connectors.Answer, error) {
	body, err := connectors.ReadBody(r)
	if err != nil {
		return connectors.Answer{}, err
	}
	if string(body) == "wrong" {
		return connectors.Answer{Status: http.StatusUnauthorized, Body: []byte("no")}, nil
	}
	return connectors.Answer{Status: http.StatusOK, Body: []byte("token")}, nil
}

// What is sent to a connector's token endpoint is never taken for a record.
func TestTokenEndpoint(t *testing.T) {
	stream := &connectortest.Stream{}
	gives := inboxInstance()
	gives.ID, gives.Options = "token", &tokenInbox{} // its own path ends in /token as well
	h, _ := host(t, stream, &connectortest.Shelf{}, inboxInstance(), gives)
	ask := func(id hub.ConnectorID, path, body string) (*httptest.ResponseRecorder, error) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Id", "1")
		return w, h.ServeIn(w, r, id)
	}
	if w, err := ask("token", "/in/token/token", "right"); err != nil || w.Code != http.StatusOK || w.Body.String() != "token" {
		t.Errorf("%v, %d %s", err, w.Code, w.Body)
	}
	if w, err := ask("token", "/in/token/token", "wrong"); err != nil || w.Code != http.StatusUnauthorized {
		t.Errorf("%v, %d", err, w.Code)
	}
	if s, err := h.Status("token"); err != nil || s.Counts.Refused != 1 {
		t.Errorf("%v, %+v", err, s.Counts)
	}
	if _, err := ask("token", "/in/token/token", strings.Repeat("x", 1001)); hub.KindOf(err) != hub.TooLarge {
		t.Errorf("over the limit: %v", err)
	}
	if _, err := ask("inbox", "/in/inbox/token", "right"); hub.KindOf(err) != hub.NotFound {
		t.Errorf("a connector that gives none: %v", err)
	}
	if n := len(stream.Records()); n != 0 {
		t.Errorf("%d records", n)
	}
	if w, err := ask("token", "/in/token", "a record"); err != nil || w.Code != http.StatusAccepted || len(stream.Records()) != 1 {
		t.Errorf("%v, %d", err, w.Code)
	}
}

// stumbling splits lines, and panics at one.
type stumbling struct{ connectortest.Lines }

func (s stumbling) Split(r io.Reader, yield func(connectors.Piece) error) error {
	return s.Lines.Split(r, func(p connectors.Piece) error {
		if string(p.Body) == "boom" {
			var none []byte
			_ = none[len(p.Body)]
		}
		return yield(p)
	})
}

// What a splitter panics at does not end the hub: what it had is kept, and the rest is a record whose bytes are kept as they are.
func TestAnItemThatTheHubFailsOnIsKept(t *testing.T) {
	stream, inst := &connectortest.Stream{}, inboxInstance()
	inst.Splitter = stumbling{}
	h, _ := host(t, stream, &connectortest.Shelf{}, inst)
	if _, err := post(h, "m", "a\nboom\nb"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range stream.Records() {
		got = append(got, string(r.ID)+" "+string(r.Body))
	}
	if want := []string{"m#1 a", "m#2 \nboom\nb"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
