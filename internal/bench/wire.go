package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// wire is one connection to a server under load. It writes requests and reads answers itself: the generator shares the
// processors with what it measures, and net/http's client takes several times what this does. It is not safe for
// concurrent use; a connection that failed is made anew with the next request.
type wire struct {
	ctx  context.Context //nolint:containedctx // the life of the connection, which is the load's
	host string
	base string // of the paths
	conn net.Conn
	stop func() bool // no longer closes conn with ctx
	in   *bufio.Reader
	out  []byte
}

// patience is how long a request may take.
const patience = time.Minute

// newWire returns a connection to the server at base, an http URL, that is made with the first request and ends with ctx.
func newWire(ctx context.Context, base string) (*wire, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, hub.Faultf(hub.Invalid, "bench.url", "%q is no address to load", base).WithHint("write http://HOST:PORT")
	}
	return &wire{ctx: ctx, host: u.Host, base: u.EscapedPath()}, nil
}

// poster sends requests one after the other. Its faults are of kind Unavailable: nothing is known of what was sent.
type poster interface {
	post(path string, h http.Header, body []byte) (reply, error)
}

// reply is the answer to a request, without its body.
type reply struct {
	status int
	// retry is true when the answer says when to try again.
	retry bool
}

// post sends one request and reads its answer.
func (w *wire) post(path string, h http.Header, body []byte) (reply, error) {
	if err := w.dial(); err != nil {
		return reply{}, err
	}
	w.out = append(append(append(append(w.out[:0], "POST "...), w.base...), path...), " HTTP/1.1\r\nHost: "...)
	w.out = append(append(w.out, w.host...), "\r\nContent-Length: "...)
	w.out = append(strconv.AppendInt(w.out, int64(len(body)), 10), '\r', '\n')
	for name, values := range h {
		for _, v := range values {
			w.out = append(append(append(append(w.out, name...), ": "...), v...), '\r', '\n')
		}
	}
	w.out = append(append(w.out, '\r', '\n'), body...)
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return reply{}, w.broken(err)
	}
	_, unsent := w.conn.Write(w.out) // a server that refuses may close before it has read all, and answer all the same
	r, last, err := w.read()
	switch {
	case err != nil && unsent != nil:
		return r, w.broken(unsent)
	case err != nil:
		return r, w.broken(err)
	case last || unsent != nil:
		w.close()
	}
	return r, nil
}

func (w *wire) dial() (err error) {
	if w.conn != nil {
		return nil
	}
	d := net.Dialer{Timeout: patience}
	if w.conn, err = d.DialContext(w.ctx, "tcp", w.host); err != nil {
		w.conn = nil
		return hub.Faultf(hub.Unavailable, "hub.unreachable", "cannot reach the server").Because(err)
	}
	conn := w.conn
	w.stop = context.AfterFunc(w.ctx, func() { _ = conn.Close() })
	w.in = bufio.NewReaderSize(conn, 16<<10)
	return nil
}

// close ends the connection; the next request makes a new one.
func (w *wire) close() {
	if w.conn != nil {
		w.stop()
		_ = w.conn.Close()
		w.conn = nil
	}
}

func (w *wire) broken(err error) error {
	w.close()
	return hub.Faultf(hub.Unavailable, "hub.unreachable", "the connection broke").Because(err)
}

// read reads one answer and throws its body away. last is true when the connection ends with it.
func (w *wire) read() (r reply, last bool, err error) {
	for { // interim answers, 1xx, come before the one that counts
		line, err := w.line()
		if err != nil {
			return r, true, err
		}
		if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
			return r, true, fmt.Errorf("this is no HTTP: %.40q", line)
		}
		if r.status, err = strconv.Atoi(string(line[9:12])); err != nil {
			return r, true, fmt.Errorf("this is no HTTP: %.40q", line)
		}
		f, err := w.fields()
		if err != nil || r.status >= http.StatusOK {
			r.retry, f.bodiless = f.retry, r.status == http.StatusNoContent
			if err == nil {
				err = w.discard(&f)
			}
			return r, f.last, err
		}
	}
}

// framing is what an answer's header says about its body and of the connection.
type framing struct {
	length                         int
	chunked, last, retry, bodiless bool
}

func (w *wire) fields() (f framing, err error) {
	f.length = -1
	for {
		line, err := w.line()
		if err != nil || len(line) == 0 {
			return f, err
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if f.length, err = strconv.Atoi(string(value)); err != nil {
				return f, fmt.Errorf("the answer has no length: %w", err)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			f.chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			f.last = bytes.EqualFold(value, []byte("close"))
		case bytes.EqualFold(name, []byte("Retry-After")):
			f.retry = len(value) > 0
		}
	}
}

// discard reads the body away.
func (w *wire) discard(f *framing) error {
	switch {
	case f.bodiless:
		return nil
	case f.chunked:
		if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(w.in)); err != nil {
			return err
		}
		_, err := w.fields() // trailers
		return err
	case f.length >= 0:
		_, err := w.in.Discard(f.length)
		return err
	default:
		f.last = true
		_, err := io.Copy(io.Discard, w.in)
		return err
	}
}

// line reads one line without its end. It is valid until the next read.
func (w *wire) line() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}
