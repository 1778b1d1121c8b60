package bench

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/suyuan-io/suyuan/hub"
)

// plain sends with net/http's client, as a sender does who measures a server with what is at hand. All that send at a time share
// the client.
type plain struct {
	ctx    context.Context //nolint:containedctx // the life of the load
	client *http.Client
	base   string // of the paths
}

// post implements [poster].
func (p *plain) post(path string, h http.Header, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(p.ctx, http.MethodPost, p.base+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, hub.Faultf(hub.Invalid, "bench.url", "%q is no address to load", p.base).Because(err)
	}
	req.Header = h
	a, err := p.client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, a.Body) // so that the connection is used again
		_ = a.Body.Close()
	}
	if err != nil {
		return reply{}, hub.Faultf(hub.Unavailable, "hub.unreachable", "the connection broke").Because(err)
	}
	return reply{status: a.StatusCode, retry: a.Header.Get("Retry-After") != ""}, nil
}
