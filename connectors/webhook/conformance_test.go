package webhook_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
)

// sender signs as the preset does.
type sender struct{ preset, secret string }

func (s sender) Instance(tb testing.TB) *connectors.Instance {
	tb.Helper()
	return &connectors.Instance{
		ID: "in", Provider: "partner", Kind: "webhook", Splitter: connectortest.Whole{},
		Options: options(tb, "preset: "+s.preset+"\nsecrets: ['${env:"+s.secret+"}']\n"),
		Limits:  connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
	}
}

func (s sender) sign(tb testing.TB, secret, text string) *http.Request {
	tb.Helper()
	body := []byte(`{"id":"` + text + `","event_id":"` + text + `"}`)
	signed, err := verifier(tb, s.preset, secret).Sign(body, "application/json", text, at)
	if err != nil {
		tb.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/in/in?"+signed.Query.Encode(), bytes.NewReader(signed.Body))
	r.Header = signed.Header
	return r
}

func (s sender) Request(tb testing.TB, text string) *http.Request {
	tb.Helper()
	return s.sign(tb, s.secret, text)
}

func (s sender) Forged(tb testing.TB) *http.Request {
	tb.Helper()
	return s.sign(tb, "YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg==", "rec-00001-")
}

func TestConformanceOfEveryPreset(t *testing.T) {
	for _, preset := range []string{
		"standard-webhooks", "github", "shopify", "stripe", "easypost", "aftership", "kuaidi100", "ups", "token", "basic",
	} {
		t.Run(preset, func(t *testing.T) {
			connectortest.Receiver(t, sender{preset, "c3V5dWFuLXRlc3Qtc2VjcmV0LTI0Yg=="}, func() time.Time { return at })
		})
	}
}
