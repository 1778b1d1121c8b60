package webhook_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
)

type nowhere struct{}

func (nowhere) Publish(context.Context, ...hub.Envelope) error { return nil }

// unheard is a response that nobody reads.
type unheard struct{ header http.Header }

func (u unheard) Header() http.Header             { return u.header }
func (u unheard) Write(b []byte) (int, error)     { return len(b), nil }
func (u unheard) WriteHeader(int)                 {}
func (u unheard) SetReadDeadline(time.Time) error { return nil }

// BenchmarkSingle is what a signed single of 700 bytes costs between the router and the raw stream: limits, body, signature,
// cutting, envelope and answer.
func BenchmarkSingle(b *testing.B) {
	const secret = "whsec_YmVuY2htYXJrLXNlY3JldC1vZi10aGUtbG9hZC1nZW5lcmF0b3I="
	scheme, _ := webhook.Preset("standard-webhooks")
	v, err := webhook.NewVerifier(scheme, secret)
	if err != nil {
		b.Fatal(err)
	}
	d, err := decode.New("json", nil)
	if err != nil {
		b.Fatal(err)
	}
	h := connectors.New(connectors.Config{Publisher: nowhere{}, Positions: &connectortest.Shelf{}})
	defer h.Close()
	inst := &connectors.Instance{
		ID: "in", Provider: "carrier", Kind: "webhook", Splitter: d,
		Options: options(b, "preset: standard-webhooks\nsecrets: ['${env:"+secret+"}']\n"),
		Limits:  connectors.Limits{InFlight: 1000, Record: 1 << 20, Body: 16 << 20},
	}
	if err := h.Apply(b.Context(), []*connectors.Instance{inst}); err != nil {
		b.Fatal(err)
	}
	body := bench.Body("1234567", 1, 1, false)
	signed, err := v.Sign(body, "application/json", "msg_1234567_1", time.Now())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "/in/in", http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		r.Header, r.Body, r.ContentLength = signed.Header, io.NopCloser(bytes.NewReader(body)), int64(len(body))
		if err := h.ServeIn(unheard{http.Header{}}, r, "in"); err != nil {
			b.Fatal(err)
		}
	}
}
