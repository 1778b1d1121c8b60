package connectors_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/hub"
)

// gate is a stream that takes nothing until it is opened.
type gate struct {
	connectortest.Stream
	entered chan struct{}
	open    chan struct{}
}

func (g *gate) Publish(ctx context.Context, envelopes ...hub.Envelope) error {
	g.entered <- struct{}{}
	<-g.open
	return g.Stream.Publish(ctx, envelopes...)
}

// untouched is a body that must not be read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body of a refused request was read")
	return 0, io.EOF
}

// gated returns a host whose stream is shut, and a function that posts to it and waits until the request is in the stream.
func gated(t *testing.T, requests int, inst *connectors.Instance) (h *connectors.Host, g *gate, hold func(body string)) {
	t.Helper()
	g = &gate{entered: make(chan struct{}), open: make(chan struct{})}
	h = connectors.New(connectors.Config{Publisher: g, Positions: &connectortest.Shelf{}, Requests: requests, Memory: 1 << 20})
	if err := h.Apply(t.Context(), []*connectors.Instance{inst}); err != nil {
		t.Fatal(err)
	}
	var held sync.WaitGroup
	var once sync.Once
	release := func() { once.Do(func() { close(g.open) }); held.Wait() }
	t.Cleanup(func() { release(); h.Close() })
	n := 0
	return h, g, func(body string) {
		if body == "" {
			release()
			return
		}
		n++
		id := fmt.Sprint("held ", n)
		held.Go(func() {
			if w, err := post(h, id, body); err != nil || w.Code != http.StatusAccepted {
				t.Errorf("%s: %d, %v", id, w.Code, err)
			}
		})
		<-g.entered
	}
}

func refusedUnread(t *testing.T, h *connectors.Host, size int64, code string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/in/inbox", untouched{t})
	r.ContentLength = size
	w := httptest.NewRecorder()
	err := h.ServeIn(w, r, "inbox")
	if got, after := status(t, w, err); got != http.StatusTooManyRequests || after != "1" || hub.AsFault(err).Code != code {
		t.Errorf("got %d, Retry-After %q, %v", got, after, err)
	}
}

// With a stream that takes nothing, what is beyond a bound is refused at once and unread, and all is well when it goes on.
func TestBeyondTheBoundsIsRefusedUnread(t *testing.T) {
	for name, tc := range map[string]struct {
		requests int
		held     []string
		size     int64
		code     string
	}{
		"requests":  {3, []string{"a", "b", "c"}, 1, "hub.busy"},
		"in flight": {100, []string{"a\nb\nc\nd\ne", "f\ng\nh\ni\nj"}, 1, "connector.in-flight"},
		"memory":    {100, []string{"a"}, 1 << 20, "hub.busy"},
	} {
		t.Run(name, func(t *testing.T) {
			inst := inboxInstance()
			inst.Limits.Body, inst.Limits.Record = 2<<20, 2<<20
			h, g, hold := gated(t, tc.requests, inst)
			for _, body := range tc.held {
				hold(body)
			}
			for range 50 {
				refusedUnread(t, h, tc.size, tc.code)
			}
			if s, err := h.Status("inbox"); err != nil || s.Counts.Limited != 50 || s.Counts.Refused != 0 {
				t.Errorf("status %+v, %v", s, err)
			}
			go func() {
				for range g.entered { // what comes from here on passes
				}
			}()
			hold("")
			if _, err := post(h, "after", "x"); err != nil {
				t.Errorf("it does not recover: %v", err)
			}
			close(g.entered)
		})
	}
}

// A request that was read while there was room waits for the room that others took meanwhile.
func TestWhatWasReadWaitsForRoom(t *testing.T) {
	inst := inboxInstance()
	h, g, hold := gated(t, 100, inst)
	hold("a\nb\nc\nd\ne\nf")
	late := make(chan error, 1)
	go func() {
		_, err := post(h, "late", "1\n2\n3\n4\n5\n6")
		late <- err
	}()
	if code := hub.AsFault(<-late).Code; code != "connector.in-flight" { // nothing moves: its second is over
		t.Errorf("got %s", code)
	}
	go func() { _, err := post(h, "later", "1\n2\n3\n4\n5\n6"); late <- err }()
	go func() {
		for range g.entered {
		}
	}()
	hold("")
	if err := <-late; err != nil {
		t.Errorf("with room again: %v", err)
	}
	close(g.entered)
}

// A sender whose body does not come loses its place.
func TestATricklingBodyLosesItsPlace(t *testing.T) {
	h := connectors.New(connectors.Config{
		Publisher: &connectortest.Stream{}, Positions: &connectortest.Shelf{}, Requests: 1, BodyTime: time.Millisecond,
	})
	if err := h.Apply(t.Context(), []*connectors.Instance{inboxInstance()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	codes := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h.ServeIn(w, r, "inbox")
		codes <- hub.AsFault(err).Code
	}))
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /in/inbox HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx"); err != nil {
		t.Fatal(err)
	}
	if code := <-codes; code != "request.slow" {
		t.Errorf("got %s", code)
	}
	if _, err := post(h, "m", "a"); err != nil {
		t.Errorf("its place is not free: %v", err)
	}
}

// stalled is a body that does not come, on a connection whose time to be read ends.
type stalled struct {
	http.ResponseWriter

	over chan struct{}
	once sync.Once
}

func (s *stalled) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		s.once.Do(func() { close(s.over) })
	}
	return nil
}

func (s *stalled) Read([]byte) (int, error) {
	<-s.over
	return 0, os.ErrDeadlineExceeded
}

// Senders whose bodies do not come do not keep the others out: for each that finds no place, the slowest loses its own. Nobody needs
// a key to take a place.
func TestSendersOfNothingDoNotKeepOthersOut(t *testing.T) {
	for name, c := range map[string]struct{ requests, size int64 }{"places": {2, 1}, "memory": {100, 1 << 19}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inst := inboxInstance()
				inst.Limits.Body = 1 << 20
				h := connectors.New(connectors.Config{
					Publisher: &connectortest.Stream{}, Positions: &connectortest.Shelf{}, Requests: int(c.requests), Memory: 1 << 20,
				})
				if err := h.Apply(t.Context(), []*connectors.Instance{inst}); err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				slow := [2]chan error{make(chan error, 1), make(chan error, 1)}
				var bodies [2]*stalled
				for i, ended := range slow {
					s := &stalled{ResponseWriter: httptest.NewRecorder(), over: make(chan struct{})}
					bodies[i] = s
					r := httptest.NewRequest(http.MethodPost, "/in/inbox", s)
					r.ContentLength = c.size
					go func() { ended <- h.ServeIn(s, r, "inbox") }()
					time.Sleep(time.Duration(i+1) * 100 * time.Millisecond)
				}
				post := func() error {
					r := httptest.NewRequest(http.MethodPost, "/in/inbox", strings.NewReader("a"))
					return h.ServeIn(httptest.NewRecorder(), r, "inbox")
				}
				if code := hub.AsFault(post()).Code; code != "hub.busy" || len(slow[0])+len(slow[1]) > 0 {
					t.Errorf("before their time is over: %s", code)
				}
				time.Sleep(2 * time.Second)
				if err := post(); (err != nil) != (name == "memory") { // where it is asked for before there is any to wait for
					t.Errorf("afterwards: %v", err)
				}
				synctest.Wait()
				if len(slow[0]) != 1 || len(slow[1]) != 0 {
					t.Fatalf("%d of the slowest and %d of the others have ended", len(slow[0]), len(slow[1]))
				}
				if code := hub.AsFault(<-slow[0]).Code; code != "request.slow" {
					t.Errorf("the slowest is told %s", code)
				}
				if err := post(); err != nil || len(slow[1]) != 0 { // there is room now: nobody has to go
					t.Errorf("with room: %v, %d have gone", err, len(slow[1]))
				}
				_ = bodies[1].SetReadDeadline(time.Now())
				if err := <-slow[1]; err == nil {
					t.Error("the other was accepted")
				}
			})
		})
	}
}

// A sender that waits for leave before it sends its body, or sends slowly, gets its 429 over the socket while not a byte of the
// body is under way; one that sends all of it at once gets it too.
func TestA429ComesBeforeTheBody(t *testing.T) {
	inst := inboxInstance()
	inst.Limits.Body = 8 << 20
	h, _, hold := gated(t, 1, inst)
	hold("a")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.ServeIn(w, r, "inbox"); err != nil {
			code := http.StatusInternalServerError
			if refusal := (*connectors.Refusal)(nil); errors.As(err, &refusal) {
				code = refusal.HTTPStatus()
			}
			http.Error(w, err.Error(), code)
			if r.ContentLength > 0 && w.Header().Get("Connection") == "" { // as ServeIn asks for
				_ = http.NewResponseController(w).Flush()
				_, _ = io.Copy(io.Discard, r.Body)
			}
		}
	}))
	t.Cleanup(server.Close)
	for name, sent := range map[string]string{
		"headers only":    "Content-Length: 4194304\r\n\r\n",
		"expects leave":   "Content-Length: 4194304\r\nExpect: 100-continue\r\n\r\n",
		"chunks to come":  "Transfer-Encoding: chunked\r\n\r\n",
		"a slow beginner": "Content-Length: 4194304\r\n\r\nx",
		"all at once":     "Content-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil { // far beyond what it takes
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST /in/inbox HTTP/1.1\r\nHost: a\r\nId: 1\r\n"+sent); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
				t.Errorf("got %s, Retry-After %q", answer.Status, answer.Header.Get("Retry-After"))
			}
		})
	}
}

// While recording is behind, senders are refused unread and sources wait; both go on by themselves.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var behind atomic.Bool
		behind.Store(true)
		stream, s := &connectortest.Stream{}, &shop{items: []connectors.Item{{ID: "1", Body: []byte("a\nb")}}}
		h := connectors.New(connectors.Config{Publisher: stream, Positions: &connectortest.Shelf{}, Busy: behind.Load})
		if err := h.Apply(t.Context(), []*connectors.Instance{inboxInstance(), s.instance()}); err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		time.Sleep(time.Minute)
		r := httptest.NewRequest(http.MethodPost, "/in/inbox", untouched{t})
		w := httptest.NewRecorder()
		err := h.ServeIn(w, r, "inbox")
		if code, after := status(t, w, err); code != http.StatusTooManyRequests || after != "2" || hub.AsFault(err).Code != "hub.behind" {
			t.Errorf("got %d, Retry-After %q, %v", code, after, err)
		}
		if n := len(stream.Records()); n != 0 {
			t.Errorf("%d records while recording is behind", n)
		}
		behind.Store(false)
		time.Sleep(time.Second)
		if _, err := post(h, "m", "x"); err != nil || len(stream.Records()) != 3 {
			t.Errorf("%d records, %v", len(stream.Records()), err)
		}
	})
}
