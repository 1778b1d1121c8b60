package epcisrest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// recordWait is how long POST /events waits until its event is recorded.
const recordWait = 20 * time.Second

// createEvent answers POST /events: it takes one event and answers when it is recorded.
func (s *Server) createEvent(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeCapture); err != nil {
		return err
	}
	if _, err := posted(r.Request, mediaJSON, mediaLDJSON); err != nil {
		return err
	}
	v, err := viewOf(r.Request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, min(maxEvent, s.MaxBytes)))
	var large *http.MaxBytesError
	var bad *hub.Fault
	switch {
	case errors.As(err, &large):
		return tooManyBytes(large.Limit)
	case errors.As(err, &bad):
		return bad
	case err != nil:
		return hub.Faultf(hub.Invalid, "capture.body", "the body ended before its time").Because(err)
	}
	key, err := s.checkEvent(body)
	if err != nil {
		return err
	}
	rec := hub.Record{ID: recordID(nil, body), Body: body, Line: 1, Column: 1}
	ref := hub.RecordRef{Connector: ConnectorID(r.key.Provider), ID: rec.ID}
	if key.ID != "" {
		if err := s.refuseKnown(r.Context(), key); err != nil {
			return err
		}
	}
	e, err := s.record(r, ref, rec)
	if err != nil {
		return err
	}
	if v.format != epcis.JSON {
		v = view{format: epcis.JSON, media: mediaJSON, epcs: v.epcs}
	}
	shown, err := s.translated(e.Body, v.epcs)
	if err != nil {
		return err
	}
	out, err := shown.JSON(e.RecordedAt)
	if err != nil {
		return err
	}
	w.Header().Set("Location", s.base(r.Request)+"/events/"+url.PathEscape(e.Key.ID))
	w.Header().Set("Content-Type", v.media)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(append(out, '\n')) // the client may be gone
	return nil
}

// checkEvent validates one bare event and returns its key.
func (s *Server) checkEvent(body []byte) (hub.EventKey, error) {
	e, err := epcis.ParseEvent(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), nil)
	if err != nil {
		return hub.EventKey{}, err
	}
	if t := e.Type(); t == "EPCISDocument" || t == "EPCISQueryDocument" {
		return hub.EventKey{}, refuse(validation, http.StatusBadRequest, "capture.document", "this is a document, not one event",
			"这是一个文档，而不是单个事件").hint("post documents to /epcis/capture", "请将文档提交到 /epcis/capture")
	}
	if err := s.ValidateDocument(body); err != nil {
		return hub.EventKey{}, err
	}
	if _, err := e.Facets(); err != nil {
		return hub.EventKey{}, err
	}
	return e.Key(), nil
}

// refuseKnown refuses an event whose key is recorded: unlike a document, one event is created once.
func (s *Server) refuseKnown(ctx context.Context, key hub.EventKey) error {
	recorded, err := s.Records.Contents(ctx, []string{key.ID})
	if err != nil {
		return err
	}
	if _, ok := recorded[stored(key)]; ok {
		return conflict(key.ID, hub.Where{Pointer: "/eventID"})
	}
	return nil
}

// record publishes a record and returns the event that it became. A record without an eventID that was posted before is
// the event of then.
func (s *Server) record(r *request, ref hub.RecordRef, rec hub.Record) (hub.Event, error) {
	ctx, cancel := context.WithTimeout(r.Context(), recordWait)
	defer cancel()
	err := s.Publisher.Publish(ctx, hub.Envelope{
		Connector: ref.Connector, Provider: r.key.Provider, ReceivedAt: s.Now().UTC(), ContentType: r.Header.Get("Content-Type"),
		Origin: "/epcis/events", Records: []hub.Record{rec},
	})
	if err != nil {
		return hub.Event{}, err
	}
	if _, err := s.await(ctx, []hub.RecordRef{ref}); err != nil {
		return hub.Event{}, hub.Faultf(hub.Unavailable, "capture.pending", "the event is accepted but not recorded yet").
			WithHint("ask for it again in a moment; posting it again does not double it").Because(err)
	}
	st, err := s.Records.Record(ctx, ref)
	if err != nil {
		return hub.Event{}, err
	}
	if len(st.Events) == 0 {
		return hub.Event{}, s.whyDead(ctx, st)
	}
	found, err := s.Events.Event(ctx, st.Events[0].Key.ID)
	if err != nil {
		return hub.Event{}, err
	}
	for _, e := range found {
		if e.Seq == st.Events[0].Seq {
			return e, nil
		}
	}
	return found[0], nil
}

func (s *Server) whyDead(ctx context.Context, st hub.RecordStatus) error {
	d, err := s.Records.DeadLetter(ctx, st.DeadLetter)
	if err != nil {
		return err
	}
	return &d.Fault
}
