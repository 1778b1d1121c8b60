package connectors_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/hub"
)

// sink takes envelopes and counts their records.
type sink struct {
	records chan int
}

func (s sink) Publish(_ context.Context, envelopes ...hub.Envelope) error {
	n := 0
	for i := range envelopes {
		n += len(envelopes[i].Records)
	}
	if s.records != nil {
		s.records <- n
	}
	return nil
}

// BenchmarkSource is the host's own cost a record of 700 bytes, from an item in memory to a publisher that does nothing.
func BenchmarkSource(b *testing.B) {
	line := strings.Repeat("x", 699) + "\n"
	s := &shop{items: []connectors.Item{{ID: "1", Body: []byte(strings.Repeat(line, b.N))}}}
	inst := s.instance()
	inst.Limits.InFlight = 1024
	done := sink{make(chan int, 1)}
	h := connectors.New(connectors.Config{Publisher: done, Positions: &connectortest.Shelf{}})
	defer h.Close()
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	b.ResetTimer()
	if err := h.Apply(b.Context(), []*connectors.Instance{inst}); err != nil {
		b.Fatal(err)
	}
	for n := 0; n < b.N; {
		n += <-done.records
	}
}

// BenchmarkServeIn is the host's own cost a request of 10 records.
func BenchmarkServeIn(b *testing.B) {
	h := connectors.New(connectors.Config{Publisher: sink{}, Positions: &connectortest.Shelf{}, Now: time.Now})
	defer h.Close()
	inst := inboxInstance()
	if err := h.Apply(b.Context(), []*connectors.Instance{inst}); err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("record\n", 10)
	b.ReportAllocs()
	for i := range b.N {
		r := httptest.NewRequest(http.MethodPost, "/in/inbox", strings.NewReader(body))
		r.Header.Set("Id", fmt.Sprint(i))
		if err := h.ServeIn(httptest.NewRecorder(), r, "inbox"); err != nil {
			b.Fatal(err)
		}
	}
}
