package connectortest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// Sender is who pushes to a kind, as its test builds it.
type Sender interface {
	// Instance returns an instance that receives from the sender.
	Instance(tb testing.TB) *connectors.Instance
	// Request returns a good request that brings one record, whose body contains text. The same text makes the same
	// request, as a repetition does.
	Request(tb testing.TB, text string) *http.Request
	// Forged returns a request that must be refused as Unauthorized, or nil where the kind leaves that to the API.
	Forged(tb testing.TB) *http.Request
}

// Receiver checks a kind that is pushed to. Now is the clock that the sender's signatures fit.
func Receiver(t *testing.T, s Sender, now func() time.Time) {
	k := receiverKit{s, now}
	t.Run("accepted once, answered alike twice", k.repetition)
	t.Run("forged request", k.forged)
	t.Run("other methods", k.methods)
	t.Run("body over the limit", k.tooLarge)
	t.Run("stream down", k.streamDown)
	t.Run("concurrent senders", k.concurrent)
}

type receiverKit struct {
	Sender

	now func() time.Time
}

func (k receiverKit) serve(t *testing.T, stream *Stream, inst *connectors.Instance) func(*http.Request) (*httptest.ResponseRecorder, error) {
	t.Helper()
	h := connectors.New(connectors.Config{Publisher: stream, Positions: &Shelf{}, Now: k.now})
	t.Cleanup(h.Close)
	if err := h.Apply(t.Context(), []*connectors.Instance{inst}); err != nil {
		t.Fatal(err)
	}
	return func(r *http.Request) (*httptest.ResponseRecorder, error) {
		w := httptest.NewRecorder()
		return w, h.ServeIn(w, r, inst.ID)
	}
}

func (k receiverKit) repetition(t *testing.T) {
	stream := &Stream{}
	serve := k.serve(t, stream, k.Instance(t))
	var answers []string
	for range 2 {
		w, err := serve(k.Request(t, "rec-00001-"))
		if err != nil || w.Code/100 != 2 {
			t.Fatalf("%d %s, %v", w.Code, w.Body, err)
		}
		answers = append(answers, w.Body.String())
	}
	if _, err := serve(k.Request(t, "rec-00002-")); err != nil {
		t.Fatal(err)
	}
	records := stream.Records()
	if len(records) != 3 || answers[0] != answers[1] {
		t.Fatalf("%d records, answers %v", len(records), answers)
	}
	if records[0].ID != records[1].ID || records[0].ID == records[2].ID || records[0].ID == "" {
		t.Errorf("ids %s, %s (repeated), %s (another)", records[0].ID, records[1].ID, records[2].ID)
	}
	if string(markRE.Find(records[0].Body)) != "rec-00001-" {
		t.Errorf("body %s", records[0].Body)
	}
}

func (k receiverKit) forged(t *testing.T) {
	r := k.Forged(t)
	if r == nil {
		t.Skip("the kind leaves authentication to the API")
	}
	stream := &Stream{}
	w, err := k.serve(t, stream, k.Instance(t))(r)
	if hub.KindOf(err) != hub.Unauthorized || w.Body.Len() > 0 || len(stream.Records()) > 0 {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
}

func (k receiverKit) methods(t *testing.T) {
	serve := k.serve(t, &Stream{}, k.Instance(t))
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		r := k.Request(t, "rec-00001-")
		r.Method = method
		w, err := serve(r)
		var refusal *connectors.Refusal
		if !errors.As(err, &refusal) || refusal.Status != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
			t.Errorf("%s: %v", method, err)
		}
	}
}

func (k receiverKit) tooLarge(t *testing.T) {
	inst := k.Instance(t)
	inst.Limits.Body, inst.Limits.Record = 16, 16
	stream := &Stream{}
	_, err := k.serve(t, stream, inst)(k.Request(t, "rec-00001-"))
	if hub.KindOf(err) != hub.TooLarge || len(stream.Records()) > 0 {
		t.Errorf("got %v", err)
	}
}

func (k receiverKit) streamDown(t *testing.T) {
	stream := &Stream{Fate: func(call int) Fate {
		if call == 1 {
			return Lost
		}
		return Works
	}}
	serve := k.serve(t, stream, k.Instance(t))
	w, err := serve(k.Request(t, "rec-00001-"))
	if hub.KindOf(err) != hub.Unavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("down: %v", err)
	}
	if _, err := serve(k.Request(t, "rec-00001-")); err != nil {
		t.Errorf("sent again: %v", err)
	}
}

func (k receiverKit) concurrent(t *testing.T) {
	stream := &Stream{}
	serve := k.serve(t, stream, k.Instance(t))
	all := texts(0, 32)
	requests := make([]*http.Request, len(all))
	for i, text := range all {
		requests[i] = k.Request(t, text)
	}
	errs := make(chan error, len(all))
	for _, r := range requests {
		go func() { _, err := serve(r); errs <- err }()
	}
	for range all {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	ids := map[hub.RecordID]bool{}
	for _, r := range stream.Records() {
		ids[r.ID] = true
	}
	if len(ids) != len(all) {
		t.Errorf("%d ids for %d requests", len(ids), len(all))
	}
}
