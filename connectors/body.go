package connectors

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// ReadBody returns the request's body. Its faults are those of the limits that the host has set: TooLarge, Invalid for
// a broken compression, Unavailable when the hub holds too many bodies at once.
func ReadBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := readAll(r.Body, r.ContentLength)
	if err != nil {
		if f := (*hub.Fault)(nil); errors.As(err, &f) {
			return nil, err
		}
		return nil, hub.Faultf(hub.Invalid, "request.body", "the request's body breaks off").Because(err)
	}
	return body, nil
}

// maxRoom is the most room that is made for a body on its sender's word.
const maxRoom = 1 << 20

// readAll is io.ReadAll into room for as much as the sender has stated, which is charged already.
func readAll(r io.Reader, stated int64) ([]byte, error) {
	body := make([]byte, 0, min(max(stated, 512)+1, maxRoom)) // one more, in which the end is met
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}

// limitedBody is a request body that is decompressed, bounded in both forms, and charged to the host's memory.
type limitedBody struct {
	r       io.Reader
	wire    io.ReadCloser
	limit   int64
	read    int64
	bodies  *semaphore.Weighted
	charged int64
	// released: what is read away after the answer is kept by nobody, and would be charged for ever.
	released bool
	began    time.Time
	// place is where the host finds the body while it is waited for.
	place *atomic.Pointer[limitedBody]
	// timed is set while the connection has a time to be read in; mu guards it and that time.
	mu    sync.Mutex
	timed bool
	// conn sets how long the connection may be read; what is no connection of a server's is not bounded.
	conn http.ResponseController
}

// bound is how large a body may be, and the number of its request.
type bound struct {
	limit int64
	slot  int
}

// bodyStep is how much memory is charged at a time.
const bodyStep = 64 << 10

// limitBody replaces r's body. The caller releases it when the request is over.
func (h *Host) limitBody(w http.ResponseWriter, r *http.Request, at bound) (*limitedBody, error) {
	limit := at.limit
	if r.ContentLength > limit {
		return nil, bodyTooLarge(limit)
	}
	b := &limitedBody{wire: r.Body, limit: limit, bodies: h.bodies, conn: *http.NewResponseController(w), place: &h.reading[at.slot]}
	if r.ContentLength < 0 { // the server reads no more than what is stated
		b.wire = http.MaxBytesReader(w, r.Body, limit)
	}
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
		b.r = b.wire
	case "gzip", "x-gzip":
		b.r = &lazyGzip{wire: b.wire}
	default:
		return nil, &hub.Fault{
			Kind: hub.Unsupported, Code: "request.encoding",
			Message:   fmt.Sprintf("the content encoding %q is not supported", coding),
			MessageZh: fmt.Sprintf("不支持内容编码 %q", coding),
			Hint:      "send gzip or no encoding", HintZh: "请用 gzip 或不编码",
		}
	}
	if err := b.charge(r.ContentLength); err != nil { // before it is read; what it unpacks to is charged as it comes
		b.release()
		h.hurry()
		return nil, err
	}
	size := r.ContentLength
	if size < 0 {
		size = limit
	}
	b.began = time.Now()
	if b.timed = b.conn.SetReadDeadline(b.began.Add(h.cfg.BodyTime+time.Duration(size)*time.Second/bodyStep)) == nil; b.timed {
		b.place.Store(b)
	}
	r.Body = b
	return b, nil
}

// charge takes the memory of a body of n bytes.
func (b *limitedBody) charge(n int64) error {
	for b.charged < n && !b.released {
		if !b.bodies.TryAcquire(bodyStep) {
			return limited(0, "hub.busy", "the hub holds too many request bodies at once", "系统正在处理过多请求")
		}
		b.charged += bodyStep
	}
	return nil
}

// Read implements [io.Reader].
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read += int64(n)
	if b.read > b.limit {
		return 0, bodyTooLarge(b.limit)
	}
	if err := b.charge(b.read); err != nil {
		return 0, err
	}
	switch {
	case errors.Is(err, io.EOF):
		b.untime() // what comes now may take as long as it does
		return n, err
	case err == nil:
		return n, nil
	}
	return n, b.broken(err)
}

// broken says why a body cannot be read.
func (b *limitedBody) broken(err error) error {
	var wire *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Refusal{http.StatusRequestTimeout, http.Header{"Connection": {"close"}}, &hub.Fault{
			Kind: hub.Unavailable, Code: "request.slow", Message: "the body took too long to arrive", MessageZh: "请求体传输过慢",
			Hint: "send it again, in smaller requests if the line is slow", HintZh: "请重新发送；如线路较慢，请减小单次请求",
		}}
	case errors.As(err, &wire):
		return bodyTooLarge(b.limit)
	case errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || isGzip(b.r):
		return hub.Faultf(hub.Invalid, "request.gzip", "the body is not valid gzip").Because(err)
	}
	return err
}

func isGzip(r io.Reader) bool { _, ok := r.(*lazyGzip); return ok }

// Close implements [io.Closer].
func (b *limitedBody) Close() error { return b.wire.Close() }

// release gives the memory back, and the connection its time for the next request.
func (b *limitedBody) release() {
	b.untime()
	b.bodies.Release(b.charged)
	b.released = true
}

func (b *limitedBody) untime() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timed {
		_ = b.conn.SetReadDeadline(time.Time{})
		b.timed = false
		b.place.Store(nil)
	}
}

// cut ends the time of a body that is still waited for.
func (b *limitedBody) cut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.timed && b.conn.SetReadDeadline(time.Now()) == nil
}

func bodyTooLarge(limit int64) *hub.Fault {
	return &hub.Fault{
		Kind: hub.TooLarge, Code: "request.too-large",
		Message:   fmt.Sprintf("the body is over the limit of %s", strictyaml.Size(limit)),
		MessageZh: fmt.Sprintf("请求体超过上限 %s", strictyaml.Size(limit)),
		Hint:      "send fewer records in one request", HintZh: "请减少单次请求中的记录数",
	}
}

// lazyGzip reads the gzip header with the first read, when the driver asks for the body.
type lazyGzip struct {
	wire io.Reader
	zr   *gzip.Reader
}

func (g *lazyGzip) Read(p []byte) (int, error) {
	if g.zr == nil {
		zr, err := gzip.NewReader(g.wire)
		if err != nil {
			return 0, noEOF(err)
		}
		g.zr = zr
	}
	n, err := g.zr.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = noEOF(err)
	}
	return n, err
}

// noEOF keeps an empty body under Content-Encoding: gzip from passing as an empty one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return gzip.ErrHeader
	}
	return err
}
