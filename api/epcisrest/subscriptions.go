package epcisrest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// subscriptionJSON is a subscription as the standard shows it. The secret is never among it.
type subscriptionJSON struct {
	SubscriptionID    string          `json:"subscriptionID"`
	Dest              string          `json:"dest"`
	CreatedAt         string          `json:"createdAt"`
	LastNotifiedAt    string          `json:"lastNotifiedAt,omitempty"`
	InitialRecordTime string          `json:"initialRecordTime,omitempty"`
	MinRecordTime     string          `json:"minRecordTime,omitempty"`
	EPCFormat         string          `json:"epcFormat,omitempty"`
	Stream            bool            `json:"stream,omitempty"`
	Schedule          json.RawMessage `json:"schedule,omitempty"`
	ReportIfEmpty     bool            `json:"reportIfEmpty,omitempty"`
	// Failures and LastError say what is wrong with the destination now.
	Failures  int    `json:"failures,omitempty"`
	LastError string `json:"lastError,omitempty"`
}

func subscriptionOf(sub hub.Subscription) subscriptionJSON {
	out := subscriptionJSON{
		SubscriptionID: sub.ID, Dest: sub.Dest, CreatedAt: stamp(sub.CreatedAt), EPCFormat: sub.Format,
		Stream: sub.Stream, Schedule: sub.Schedule, ReportIfEmpty: sub.ReportIfEmpty,
		Failures: sub.Progress.Failures, LastError: sub.Progress.LastError,
	}
	minimum := sub.InitialRecordTime
	for _, t := range []time.Time{sub.Progress.LastRunAt, sub.Progress.LastNotifiedAt} {
		if t.After(minimum) {
			minimum = t
		}
	}
	out.MinRecordTime, out.InitialRecordTime = stamp(minimum), stamp(sub.InitialRecordTime)
	if t := sub.Progress.LastNotifiedAt; !t.IsZero() {
		out.LastNotifiedAt = stamp(t)
	}
	return out
}

// subscriptionRequest is what a client asks for.
type subscriptionRequest struct {
	Dest              string          `json:"dest"`
	SignatureToken    string          `json:"signatureToken"`
	Secret            string          `json:"secret"`
	Stream            *bool           `json:"stream"`
	Schedule          json.RawMessage `json:"schedule"`
	ReportIfEmpty     bool            `json:"reportIfEmpty"`
	InitialRecordTime string          `json:"initialRecordTime"`
	EPCFormat         string          `json:"epcFormat"`
}

func badControls(pointer, code, en, zh string) *exception {
	return refuse(subscriptionControls, http.StatusBadRequest, "subscription."+code, en, zh).at(pointer)
}

// subscribe answers POST /queries/{name}/subscriptions.
func (s *Server) subscribe(w http.ResponseWriter, r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	named, err := s.Queries.Query(r.Context(), r.key.Provider, r.params[0])
	if err != nil {
		return err
	}
	var in subscriptionRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := standing(named.Definition); err != nil {
		return err
	}
	sub := hub.Subscription{
		ID: uuid.NewString(), Provider: r.key.Provider, Query: named.Name, View: r.sees(), Dest: in.Dest, Secret: in.SignatureToken,
		ReportIfEmpty: in.ReportIfEmpty, CreatedAt: s.Now().UTC(),
	}
	if sub.Secret == "" {
		sub.Secret = in.Secret
	}
	if err := s.checkDest(in.Dest); err != nil {
		return err
	}
	if err := in.controls(&sub); err != nil {
		return err
	}
	if sub.Format, err = choice(r.Request, "GS1-EPC-Format", alwaysLink, noPreference, alwaysLink, alwaysURN, neverTranslates); err != nil {
		return err
	}
	if slices.Contains([]string{noPreference, alwaysLink, alwaysURN, neverTranslates}, in.EPCFormat) {
		sub.Format = in.EPCFormat
	}
	if err := s.begin(r, &sub); err != nil {
		return err
	}
	if err := s.Subscriptions.AddSubscription(r.Context(), sub); err != nil {
		return err
	}
	s.delivery.change()
	w.Header().Set("Location", s.base(r.Request)+"/queries/"+url.PathEscape(named.Name)+"/subscriptions/"+sub.ID)
	return answerJSON(w, http.StatusCreated, subscriptionOf(sub))
}

// standing refuses a query that cannot stand: one that limits how many events it has.
func standing(definition []byte) error {
	q, err := epcis.ParseQueryJSON(definition)
	if err != nil {
		return err
	}
	if q.EventCountLimit > 0 || q.MaxEventCount > 0 {
		return badControls("", "count", "a query with eventCountLimit or maxEventCount cannot be subscribed to",
			"带有 eventCountLimit 或 maxEventCount 的查询不能订阅")
	}
	return nil
}

// controls reads when the subscription is to be told: at once, or at scheduled times.
func (in *subscriptionRequest) controls(sub *hub.Subscription) error {
	hasSchedule := len(in.Schedule) > 0 && string(in.Schedule) != "null"
	switch {
	case hasSchedule && in.Stream != nil && *in.Stream:
		return badControls("/stream", "controls", "stream and schedule exclude each other", "stream 与 schedule 不能同时使用")
	case hasSchedule:
		if _, err := parseScheduleJSON(in.Schedule); err != nil {
			return err
		}
		sub.Schedule = in.Schedule
	case in.Stream != nil && *in.Stream:
		sub.Stream = true
	default:
		return badControls("/stream", "controls", "neither stream nor schedule is stated", "必须指定 stream 或 schedule").
			hint(`state "stream": true, or a schedule such as {"minute": "5"}`, `请指定 "stream": true，或如 {"minute": "5"} 的 schedule`)
	}
	if in.InitialRecordTime == "" {
		return nil
	}
	t, err := epcis.ParseTime(in.InitialRecordTime)
	if err != nil {
		return badControls("/initialRecordTime", "time", "initialRecordTime is no time with a zone", "initialRecordTime 不是带时区的时间")
	}
	sub.InitialRecordTime = t.UTC()
	return nil
}

// begin finds the first event that the subscription may see: the next one, unless it begins in the past.
func (s *Server) begin(r *request, sub *hub.Subscription) error {
	if sub.InitialRecordTime.IsZero() {
		size, err := s.Size.LogSize(r.Context())
		sub.InitialRecordTime, sub.Progress.Next = sub.CreatedAt, hub.Seq(size)
		return err
	}
	var err error
	sub.Progress.Next, err = s.Size.FirstSince(r.Context(), sub.InitialRecordTime)
	return err
}

// own returns the named query of the path, which must be there.
func (s *Server) own(r *request) error {
	if err := s.authorize(r, hub.ScopeQuery, hub.ScopeAudit); err != nil {
		return err
	}
	if err := onlyJSON(r.Request); err != nil {
		return err
	}
	_, err := s.Queries.Query(r.Context(), r.key.Provider, r.params[0])
	return err
}

func (s *Server) listSubscriptions(w http.ResponseWriter, r *request) error {
	if err := s.own(r); err != nil {
		return err
	}
	size, from, err := s.paging(r)
	if err != nil {
		return err
	}
	found, err := s.Subscriptions.Subscriptions(r.Context(), r.key.Provider, r.params[0], from.Key, size+1)
	if err != nil {
		return err
	}
	if len(found) > size {
		found = found[:size]
		from.Key = found[size-1].ID
		if err := s.stateNext(w.Header(), r, size, from); err != nil {
			return err
		}
	}
	out := make([]subscriptionJSON, len(found))
	for i, sub := range found {
		out[i] = subscriptionOf(sub)
	}
	return answerJSON(w, http.StatusOK, out)
}

func (s *Server) subscription(w http.ResponseWriter, r *request) error {
	if err := s.own(r); err != nil {
		return err
	}
	// The one behind the greatest smaller id: ids are compared by their bytes.
	all, err := s.Subscriptions.Subscriptions(r.Context(), r.key.Provider, r.params[0], "", maxSubscriptions)
	if err != nil {
		return err
	}
	for _, sub := range all {
		if sub.ID == r.params[1] {
			return answerJSON(w, http.StatusOK, subscriptionOf(sub))
		}
	}
	return hub.Faultf(hub.NotFound, "subscription.unknown", "there is no subscription %q", r.params[1])
}

// maxSubscriptions is more than any query has.
const maxSubscriptions = 100_000

func (s *Server) unsubscribe(w http.ResponseWriter, r *request) error {
	if err := s.own(r); err != nil {
		return err
	}
	if err := s.Subscriptions.DeleteSubscription(r.Context(), r.key.Provider, r.params[0], r.params[1]); err != nil {
		return err
	}
	s.delivery.change()
	w.WriteHeader(http.StatusNoContent)
	return nil
}
