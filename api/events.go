package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
)

// eventJSON is one recorded event as the API shows it.
type eventJSON struct {
	EventID    string          `json:"eventID"`
	Seq        hub.Seq         `json:"seq"`
	EventHash  string          `json:"eventHash"`
	Provider   hub.ProviderID  `json:"provider"`
	Connector  hub.ConnectorID `json:"connector"`
	Record     hub.RecordID    `json:"record"`
	ReceivedAt time.Time       `json:"receivedAt"`
	RecordTime time.Time       `json:"recordTime"`
	Receipt    string          `json:"receipt"`
	Event      json.RawMessage `json:"event,omitempty"`
}

func eventOf(e hub.Event) eventJSON {
	return eventJSON{
		EventID: e.Key.ID, Seq: e.Seq, EventHash: e.Hash, Provider: e.Leaf.Provider, Connector: e.Leaf.Connector,
		Record: e.Record.ID, ReceivedAt: time.Time(e.Leaf.ReceivedAt), RecordTime: e.RecordedAt,
		Receipt: receiptPath(e), Event: e.Body,
	}
}

// event answers with the event of an id and its error declarations.
func (s *Server) event(w http.ResponseWriter, r *http.Request) error {
	found, err := s.ownEvents(r)
	if err != nil {
		return err
	}
	out := make([]eventJSON, len(found))
	for i, e := range found {
		out[i] = eventOf(e)
	}
	answer(w, http.StatusOK, map[string]any{"events": out})
	return nil
}

// ownEvents finds the events of the id in the path that the key may read.
func (s *Server) ownEvents(r *http.Request) ([]hub.Event, error) {
	k, err := s.Authorize(r, hub.ScopeQuery, hub.ScopeAudit)
	if err != nil {
		return nil, err
	}
	found, err := s.Records.Event(r.Context(), r.PathValue("id"))
	if err != nil && hub.KindOf(err) != hub.NotFound {
		return nil, err
	}
	var own []hub.Event
	for _, e := range found {
		if sees(k, e.Leaf.Provider) {
			own = append(own, e)
		}
	}
	if len(own) == 0 { // another party's event is not even known to exist
		return nil, unknownEvent(fmt.Sprintf("there is no event %q", r.PathValue("id")))
	}
	return own, nil
}

// unknownEvent is what is said of an event that is not there, and word for word of one that the key may not see.
func unknownEvent(what string) error {
	return hub.Faultf(hub.NotFound, "event.unknown", "%s", what).
		WithHint("an accepted record becomes an event within moments; ask for its record with /v1/records/{connector}/{id}")
}

// receipt answers with the receipt of an event; ?seq= chooses among an event and its error declarations, the event
// itself by default.
func (s *Server) receipt(w http.ResponseWriter, r *http.Request) error {
	found, err := s.ownEvents(r)
	if err != nil {
		return err
	}
	seq := found[0].Seq
	if q := r.URL.Query().Get("seq"); q != "" {
		n, err := strconv.ParseUint(q, 10, 64)
		if err != nil {
			return hub.Faultf(hub.Invalid, "query.seq", "seq=%q is not a sequence number", q)
		}
		seq = hub.Seq(n)
		if !hasSeq(found, seq) {
			return hub.Faultf(hub.NotFound, "event.unknown", "the event has no entry at sequence number %d", seq)
		}
	}
	return s.writeReceipt(w, r, seq)
}

// writeReceipt answers with the exact bytes of a receipt.
func (s *Server) writeReceipt(w http.ResponseWriter, r *http.Request, seq hub.Seq) error {
	b, err := s.Anchors.Receipt(r.Context(), seq, r.URL.Query()["ledger"]...)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="receipt-`+strconv.FormatUint(uint64(seq), 10)+`.json"`)
	_, _ = w.Write(b) // the client may be gone
	return nil
}

// entry finds the event at the place of the log in the path, if the key may read it.
func (s *Server) entry(r *http.Request) (hub.Event, error) {
	k, err := s.Authorize(r, hub.ScopeQuery, hub.ScopeAudit)
	if err != nil {
		return hub.Event{}, err
	}
	n, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil {
		return hub.Event{}, hub.Faultf(hub.Invalid, "path.seq", "%q is not a sequence number", r.PathValue("seq"))
	}
	e, err := s.Records.EventAt(r.Context(), hub.Seq(n))
	if hub.KindOf(err) == hub.NotFound || (err == nil && !sees(k, e.Leaf.Provider)) {
		return hub.Event{}, unknownEvent(fmt.Sprintf("there is no event at sequence number %d", n))
	}
	return e, err
}

// logEntry answers with the event at a place of the log, for whoever walks the log.
func (s *Server) logEntry(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r)
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, eventOf(e))
	return nil
}

func (s *Server) logReceipt(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entry(r)
	if err != nil {
		return err
	}
	return s.writeReceipt(w, r, e.Seq)
}

func hasSeq(events []hub.Event, seq hub.Seq) bool {
	for _, e := range events {
		if e.Seq == seq {
			return true
		}
	}
	return false
}

// recordJSON is what became of a raw record.
type recordJSON struct {
	Connector  hub.ConnectorID  `json:"connector"`
	Record     hub.RecordID     `json:"record"`
	Status     string           `json:"status"`
	ReceivedAt time.Time        `json:"receivedAt"`
	Events     []recordEvent    `json:"events"`
	DeadLetter hub.DeadLetterID `json:"deadLetter,omitempty"`
	// DeadLetterHref is where the reason is.
	DeadLetterHref string `json:"deadLetterHref,omitempty"`
}

type recordEvent struct {
	EventID string  `json:"eventID"`
	Seq     hub.Seq `json:"seq"`
	Href    string  `json:"href"`
}

// record answers a sender who asks by the id that the 202 gave.
func (s *Server) record(w http.ResponseWriter, r *http.Request) error {
	k, err := s.Authorize(r, hub.ScopeQuery, hub.ScopeCapture)
	if err != nil {
		return err
	}
	ref := hub.RecordRef{Connector: hub.ConnectorID(r.PathValue("connector")), ID: hub.RecordID(r.PathValue("id"))}
	st, err := s.Records.Record(r.Context(), ref)
	if hub.KindOf(err) == hub.NotFound || (err == nil && !sees(k, st.Provider)) {
		return hub.Faultf(hub.NotFound, "record.unknown", "record %s is not known", ref).
			WithHint("if it was accepted moments ago, ask again; otherwise check the connector and the id that the 202 gave")
	}
	if err != nil {
		return err
	}
	out := recordJSON{
		Connector: st.Record.Connector, Record: st.Record.ID, Status: st.Verdict.String(), ReceivedAt: st.ReceivedAt,
		DeadLetter: st.DeadLetter, Events: []recordEvent{},
	}
	if st.DeadLetter != 0 {
		out.DeadLetterHref = fmt.Sprintf("/v1/dead-letters/%d", st.DeadLetter)
	}
	for _, e := range st.Events {
		out.Events = append(out.Events, recordEvent{EventID: e.Key.ID, Seq: e.Seq, Href: "/v1/events/" + pathEscape(e.Key.ID)})
	}
	answer(w, http.StatusOK, out)
	return nil
}

// trace answers with the journey of an item. What other parties stated is shown by its facets; their events' bodies need
// the audit scope. ?direction=forward traces what became of it.
func (s *Server) trace(w http.ResponseWriter, r *http.Request) error {
	k, err := s.Authorize(r, hub.ScopeQuery, hub.ScopeAudit)
	if err != nil {
		return err
	}
	var tr *trace.Trace
	switch d := r.URL.Query().Get("direction"); d {
	case "", "backward":
		tr, err = s.Tracer.Trace(r.Context(), r.PathValue("code"), time.Time{})
	case "forward":
		tr, err = s.Tracer.Forward(r.Context(), r.PathValue("code"))
	default:
		return hub.Faultf(hub.Invalid, "query.direction", "direction=%q is not known", d).WithHint("use backward or forward")
	}
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, traceOf(tr, k))
	return nil
}
