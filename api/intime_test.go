package api_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/suyuan-io/suyuan/api"
)

// line is a listener on which one connection comes.
type line struct {
	conns chan net.Conn
	ended chan struct{}
}

func (l *line) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *line) Close() error   { close(l.ended); return nil }
func (l *line) Addr() net.Addr { return &net.TCPAddr{} }

// onLine serves h and has talk speak to it on one connection, on a clock of its own.
func onLine(t *testing.T, h http.Handler, talk func(c net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &line{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Hour}
		go func() { _ = server.Serve(l) }()
		ours, theirs := net.Pipe()
		l.conns <- theirs
		talk(ours)
		_ = ours.Close()
		_ = server.Close()
	})
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
}

// A client that states a body and does not send it is answered where that is possible, and its connection ends, whatever it asks for.
func TestABodyThatDoesNotComeEndsItsConnection(t *testing.T) {
	h := api.InTime(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" { // has the server read the body away before the handler ends
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
		}
	}))
	for _, request := range []string{"GET /large", "POST /large", "POST /small", "POST /in/x", "PUT /nothing"} {
		for _, length := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
			onLine(t, h, func(c net.Conn) {
				began := time.Now() // of the bubble
				say(t, c, request+" HTTP/1.1\r\nHost: h\r\n"+length+"\r\n\r\n5\r\n")
				answer, err := io.ReadAll(c)
				// What answers before it has read all of a body may be too late to be heard; it ends all the same.
				if request != "POST /large" && !strings.HasPrefix(string(answer), "HTTP/1.1 200 OK") || time.Since(began) > 6*time.Minute {
					t.Errorf("%s, %s: %d bytes of answer after %v, %v", request, length, len(answer), time.Since(began), err)
				}
			})
		}
	}
}

// A client that does not take its answer loses its connection, however short the answer is.
func TestAnAnswerThatNobodyTakesEndsItsConnection(t *testing.T) {
	for _, length := range []int{0, 1, 1 << 20} {
		var ended atomic.Bool
		h := api.InTime(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if length == 0 {
				w.WriteHeader(http.StatusNoContent)
			}
			_, _ = w.Write(make([]byte, length))
			ended.Store(true)
		}))
		onLine(t, h, func(c net.Conn) {
			say(t, c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			time.Sleep(10 * time.Minute) // of the bubble
			if !ended.Load() {
				t.Errorf("%d bytes: the handler waits", length)
			}
			if answer, err := io.ReadAll(c); len(answer) > 0 {
				t.Errorf("%d bytes: %d came after all, %v", length, len(answer), err)
			}
		})
	}
}

// A handler that has read its body may take as long as it does, and the connection serves the next request.
func TestAHandlerMayTakeLongerThanItsBody(t *testing.T) {
	h := api.InTime(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			t.Error("the request was given up")
		case <-time.After(time.Hour):
		}
		_, _ = w.Write(body)
		if err != nil {
			t.Error(err)
		}
	}))
	onLine(t, h, func(c net.Conn) {
		answers := bufio.NewReader(c)
		for range 2 {
			say(t, c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(res.Body); string(body) != "hello" {
				t.Errorf("%q, %v", body, err)
			}
			_ = res.Body.Close()
			time.Sleep(30 * time.Minute)
		}
	})
}
