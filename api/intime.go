package api

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// How long the rest of a body may take that no handler has read, and how long one that a handler reads. Connectors and the capture
// interface, which take larger ones, set times of their own. What is sent may take sendTime, and a second more for each sendRate bytes.
const (
	restTime = 10 * time.Second
	bodyTime = 5 * time.Minute
	sendTime = 30 * time.Second
	sendRate = 16 << 10
)

// InTime serves what next serves and ends connections on which a body does not come to its end, or an answer is not taken. The server
// reads away what a handler leaves of a body, before or after its answer, and would wait for that for ever, as for a client that reads
// nothing: either held a connection, and the answer, at no cost.
func InTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := http.NewResponseController(w)
		w = &timedWriter{w, conn}
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/in/") {
			limit := bodyTime
			switch r.Method {
			case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete: // whose bodies nobody reads
				limit = restTime
			}
			_ = conn.SetReadDeadline(time.Now().Add(limit))
			timed := *r // the server looks at what it made itself
			timed.Body = &timedBody{r.Body, conn}
			r = &timed
		}
		next.ServeHTTP(w, r)
		_ = conn.SetReadDeadline(time.Now().Add(restTime)) // the server sets it anew for the next request
	})
}

// timedBody is a body that has a time to arrive in. When it is there, the handler may take as long as it does.
type timedBody struct {
	io.ReadCloser

	conn *http.ResponseController
}

// Read implements [io.Reader].
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = b.conn.SetReadDeadline(time.Time{})
	}
	return n, err
}

// timedWriter is an answer that has a time to be taken in. The server sends the last of it when the handler has ended, in that time, too.
type timedWriter struct {
	http.ResponseWriter

	conn *http.ResponseController
}

func (w *timedWriter) hurry(n int) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(sendTime + time.Duration(n/sendRate)*time.Second))
}

// WriteHeader implements [http.ResponseWriter].
func (w *timedWriter) WriteHeader(status int) {
	w.hurry(0)
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *timedWriter) Write(b []byte) (int, error) {
	w.hurry(len(b))
	return w.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] reach the writer below.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
