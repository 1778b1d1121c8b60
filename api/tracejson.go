package api

import (
	"encoding/json"
	"net/url"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
)

// traceJSON is a journey as the API shows it.
type traceJSON struct {
	Code           string                             `json:"code"`
	ID             string                             `json:"id"`
	Product        map[string][]statedJSON            `json:"product"`
	Places         map[string]map[string][]statedJSON `json:"places"`
	Steps          []stepJSON                         `json:"steps"`
	Contradictions []contradictionJSON                `json:"contradictions"`
	Scans          scansJSON                          `json:"scans"`
	Truncated      bool                               `json:"truncated"`
}

type statedJSON struct {
	Value    string         `json:"value"`
	Provider hub.ProviderID `json:"provider"`
	StatedAt time.Time      `json:"statedAt"`
}

type stepJSON struct {
	EventID     string          `json:"eventID"`
	Seq         hub.Seq         `json:"seq"`
	Type        string          `json:"type"`
	EventTime   time.Time       `json:"eventTime"`
	Offset      string          `json:"eventTimeZoneOffset"`
	BizStep     string          `json:"bizStep,omitempty"`
	Disposition string          `json:"disposition,omitempty"`
	ReadPoint   string          `json:"readPoint,omitempty"`
	BizLocation string          `json:"bizLocation,omitempty"`
	Provider    hub.ProviderID  `json:"provider"`
	Relation    trace.Relation  `json:"relation"`
	Via         []string        `json:"via,omitempty"`
	Event       json.RawMessage `json:"event,omitempty"`
	Receipt     string          `json:"receipt,omitempty"`
}

type contradictionJSON struct {
	Code      string           `json:"code"`
	Message   string           `json:"message"`
	MessageZh string           `json:"messageZh"`
	Events    []hub.Seq        `json:"events,omitempty"`
	Providers []hub.ProviderID `json:"providers,omitempty"`
}

type scansJSON struct {
	Count   uint64     `json:"count"`
	FirstAt *time.Time `json:"firstAt,omitempty"`
	LastAt  *time.Time `json:"lastAt,omitempty"`
}

func traceOf(tr *trace.Trace, k hub.Key) traceJSON {
	out := traceJSON{
		Code: tr.Code, ID: tr.ID, Product: statedOf(tr.Product), Places: map[string]map[string][]statedJSON{},
		Steps: []stepJSON{}, Contradictions: []contradictionJSON{}, Truncated: tr.Truncated,
		Scans: scansJSON{Count: tr.Scans.Count, FirstAt: timePtr(tr.Scans.FirstAt), LastAt: timePtr(tr.Scans.LastAt)},
	}
	for id, a := range tr.Places {
		if len(a) > 0 {
			out.Places[id] = statedOf(a)
		}
	}
	for _, s := range tr.Steps {
		f := s.Event.Facets
		js := stepJSON{
			EventID: s.Event.Key.ID, Seq: s.Event.Seq, Type: f.Type, EventTime: f.EventTime, Offset: s.View.EventTimeZoneOffset,
			BizStep: f.BizStep, Disposition: f.Disposition, ReadPoint: f.ReadPoint, BizLocation: f.BizLocation,
			Provider: s.Event.Leaf.Provider, Relation: s.Relation, Via: s.Via,
		}
		if sees(k, s.Event.Leaf.Provider) {
			js.Event, js.Receipt = s.Event.Body, receiptPath(s.Event)
		}
		out.Steps = append(out.Steps, js)
	}
	for _, c := range tr.Contradictions {
		out.Contradictions = append(out.Contradictions, contradictionJSON(c))
	}
	return out
}

func statedOf(a trace.Attributes) map[string][]statedJSON {
	out := make(map[string][]statedJSON, len(a))
	for name, all := range a {
		for _, st := range all {
			out[name] = append(out[name], statedJSON{Value: st.Value, Provider: st.Provider, StatedAt: st.At})
		}
	}
	return out
}

func receiptPath(e hub.Event) string {
	p := "/v1/events/" + pathEscape(e.Key.ID) + "/receipt"
	if !e.Key.DeclaredAt.IsZero() {
		p += "?seq=" + strconv.FormatUint(uint64(e.Seq), 10)
	}
	return p
}

func pathEscape(s string) string { return url.PathEscape(s) }

func timePtr(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
