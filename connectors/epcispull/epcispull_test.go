package epcispull_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	connepcis "github.com/suyuan-io/suyuan/connectors/epcis"
	"github.com/suyuan-io/suyuan/connectors/epcispull"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

const bare = `{"type":"ObjectEvent","eventTime":"2026-01-01T00:00:00Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE","epcList":["https://id.example.org/21/1"]`

// page is an answer of another make: the context comes last.
func page(events ...string) string {
	return `{"type":"EPCISQueryDocument","schemaVersion":"2.0","creationDate":"2026-01-01T00:00:00Z","epcisBody":{"queryResults":{"queryName":"q",` +
		`"resultsBody":{"eventList":[` + strings.Join(events, ",") + `]}}},` +
		`"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"ex":"https://example.org/"}]}`
}

func open(t *testing.T, answer http.HandlerFunc, with func(*epcispull.Options)) connectors.Source {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	o, _ := epcispull.Kind().Options().(*epcispull.Options)
	o.URL = server.URL + "/epcis/"
	if with != nil {
		with(o)
	}
	if faults := o.Check(func(string) hub.Where { return hub.Where{} }); len(faults) > 0 {
		t.Fatal(faults)
	}
	src, err := o.Open(t.Context(), connectors.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

func round(t *testing.T, src connectors.Source) []connectors.Item {
	t.Helper()
	var items []connectors.Item
	for {
		item, err := src.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return items
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
}

// TestEventIsARecordWithItsContext: what comes out of the host's splitter is normalised to what the repository stated.
func TestEventIsARecordWithItsContext(t *testing.T) {
	events := []string{
		bare + `,"eventID":"urn:uuid:1","recordTime":"2026-01-02T03:04:05.678Z","ex:note": "kept"}`,
		bare + `}`,
	}
	src := open(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page(events...)) }, nil)
	items := round(t, src)
	if len(items) != 2 || items[0].ID != "urn:uuid:1@2026-01-02T03:04:05.678Z" || len(items[1].ID) != 64 {
		t.Fatalf("%v", items)
	}
	registry, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	n := pipeline.NewNormaliser(func(hub.ConnectorID) (pipeline.Instance, bool) { return pipeline.Instance{}, true },
		registry.With(schemas.ValidateOptions{Rules: true}).ValidateEvent, time.Now)
	for i, item := range items {
		err := connepcis.Splitter{}.Split(bytes.NewReader(item.Body), func(p connectors.Piece) error {
			if string(p.Body) != events[i] {
				t.Errorf("the record is not the event byte for byte: %s", p.Body)
			}
			env := &hub.Envelope{Connector: "partner", Provider: "partner", ContentType: item.ContentType, Preamble: p.Preamble}
			out := pipeline.Normalised(n, env, &hub.Record{ID: "1", Body: p.Body})
			if out.Dead != nil || len(out.Events) != 1 {
				t.Errorf("record %d: %+v", i, out)
			}
			if i == 0 && !bytes.Contains(out.Events[0].Body, []byte(`"kept"`)) {
				t.Errorf("the extension is lost: %s", out.Events[0].Body)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestCursorFollowsRecordTime(t *testing.T) {
	var asked []string
	src := open(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, r.URL.Path+" "+q.Get("GE_recordTime")+" "+q.Get("EQ_bizStep")+" "+q.Get("orderBy")+q.Get("nextPageToken"))
		if q.Get("nextPageToken") == "" && len(asked) == 1 {
			q.Set("nextPageToken", "two")
			w.Header().Set("Link", `</epcis/events?`+q.Encode()+`>; rel="next"`)
			_, _ = io.WriteString(w, page(bare+`,"eventID":"urn:uuid:1","recordTime":"2026-01-02T00:00:30Z"}`))
			return
		}
		_, _ = io.WriteString(w, page(bare+`,"eventID":"urn:uuid:2","recordTime":"2026-01-02T00:00:10Z"}`))
	}, func(o *epcispull.Options) {
		o.Since, o.Query = "2026-01-01T00:00:00Z", map[string]string{"EQ_bizStep": "shipping", "orderBy": ""}
	})
	if got := len(round(t, src)) + len(round(t, src)); got != 2 {
		t.Errorf("%d records for 2 events", got)
	}
	want := []string{
		"/epcis/events 2026-01-01T00:00:00Z shipping ", "/epcis/events 2026-01-01T00:00:00Z shipping two",
		"/epcis/events 2026-01-02T00:00:20Z shipping ",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersThatAreNoPage(t *testing.T) {
	for name, body := range map[string]string{
		"XML":       `<?xml version="1.0"?><EPCISDocument xmlns="urn:epcglobal:epcis:xsd:2"><EPCISBody><EventList><ObjectEvent/></EventList></EPCISBody></EPCISDocument>`,
		"HTML":      `<html><body>Welcome</body></html>`,
		"truncated": page(bare)[:200],
	} {
		src := open(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }, nil)
		if _, err := src.Next(t.Context()); err == nil || errors.Is(err, io.EOF) || hub.KindOf(err) == hub.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMistakesInTheFile(t *testing.T) {
	for yaml, code := range map[string]string{
		"url: partner":                                     "http.url",
		"url: https://x.test\nsince: yesterday":            "epcis-pull.since",
		"url: https://x.test\nquery: { GE_recordTime: x }": "epcis-pull.query",
		"url: https://x.test\ntimeout: 0s":                 "http.timeout",
	} {
		faults := strictyaml.Decode("x.yaml", []byte(yaml), epcispull.Kind().Options(), strictyaml.Options{})
		if len(faults) != 1 || faults[0].Code != code {
			t.Errorf("%q: %v, want %s", yaml, faults, code)
		}
	}
}
