package epcisrest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// document writes events as an EPCISQueryDocument. h names the query and the subscription.
func (s *Server) document(events []hub.Event, v view, h *epcis.Header) ([]byte, error) {
	h.Type, h.SchemaVersion, h.CreationDate = "EPCISQueryDocument", "2.0", hub.Instant(s.Now().UTC()).String()
	parsed := make([]*epcis.Event, len(events))
	for i := range events {
		var err error
		if parsed[i], err = s.translated(events[i].Body, v.epcs); err != nil {
			return nil, err
		}
	}
	h.Context = commonContext(parsed)
	var b bytes.Buffer
	out := epcis.NewWriter(&b, v.format, h)
	out.SetCBVFormat(v.cbv)
	for i, e := range parsed {
		if err := out.Write(e, events[i].RecordedAt); err != nil {
			if v.format == epcis.XML && hub.KindOf(err) == hub.Invalid {
				err = as(notAcceptable, http.StatusNotAcceptable, err)
			}
			return nil, err
		}
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeDocument(w http.ResponseWriter, media string, body []byte) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // the client may be gone
}

// commonContext is one context that explains the prefixes of all events, or nil where two of them mean different things
// by one prefix: then each event states its own.
func commonContext(events []*epcis.Event) *epcis.Context {
	all := map[string]string{}
	for _, e := range events {
		for prefix, ns := range e.Context().Prefixes() {
			if have, ok := all[prefix]; ok && have != ns {
				return nil
			}
			all[prefix] = ns
		}
	}
	if len(all) == 0 {
		return nil
	}
	return epcis.NewContext(all)
}

// translated parses an event and states its identifiers in the form that is asked for. What has no such form, such as a
// Digital Link whose company prefix is of unknown length, stays as it is.
func (s *Server) translated(body []byte, form string) (*epcis.Event, error) {
	var other func(string) string
	switch {
	case form == alwaysLink && bytes.Contains(body, []byte(`"urn:epc:`)):
		other = func(id string) string {
			if strings.HasPrefix(id, "urn:epc:") {
				id, _ = gs1.Canonical(id)
			}
			return id
		}
	case form == alwaysURN && bytes.Contains(body, []byte(`"http`)):
		other = s.asURN
	default:
		return epcis.ParseEvent(body, nil)
	}
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	eachIdentifier(tree, other)
	return epcis.FromTree(tree, nil)
}

func (s *Server) asURN(id string) string {
	if canonical, ok := gs1.Canonical(id); ok {
		if urn, err := gs1.ToURN(canonical, s.GS1); err == nil {
			return urn
		}
	}
	return id
}

// eachIdentifier changes every identifier of a thing, place, party or document in an event's tree.
func eachIdentifier(tree map[string]any, change func(string) string) {
	one := func(m map[string]any, name string) {
		if id, ok := m[name].(string); ok {
			m[name] = change(id)
		}
	}
	each := func(list, name string) {
		items, _ := tree[list].([]any)
		for i := range items {
			switch item := items[i].(type) {
			case string:
				items[i] = change(item)
			case map[string]any:
				one(item, name)
			}
		}
	}
	one(tree, "parentID")
	for _, place := range []string{"readPoint", "bizLocation"} {
		if m, ok := tree[place].(map[string]any); ok {
			one(m, "id")
		}
	}
	for _, list := range []struct{ list, name string }{
		{"epcList", ""}, {"childEPCs", ""}, {"inputEPCList", ""}, {"outputEPCList", ""},
		{"quantityList", "epcClass"}, {"childQuantityList", "epcClass"},
		{"inputQuantityList", "epcClass"}, {"outputQuantityList", "epcClass"},
		{"sourceList", "source"}, {"destinationList", "destination"}, {"bizTransactionList", "bizTransaction"},
	} {
		each(list.list, list.name)
	}
}

// stamp is a time as JSON members have it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
