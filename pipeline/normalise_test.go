package pipeline_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

var received = time.Date(2019, 11, 8, 0, 11, 4, 5e6, time.UTC)

// normaliser knows the connectors "rows" (csv, mapped by mapRow) and "capture" (EPCIS).
func normaliser(t testing.TB) pipeline.Normaliser {
	t.Helper()
	registry, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	csv, err := decode.New("csv", []byte("header: true"))
	if err != nil {
		t.Fatal(err)
	}
	instances := map[hub.ConnectorID]pipeline.Instance{"rows": {Decoder: csv, Map: mapRow}, "capture": {}}
	return pipeline.NewNormaliser(func(id hub.ConnectorID) (pipeline.Instance, bool) {
		inst, ok := instances[id]
		return inst, ok
	}, registry.ValidateEvent, func() time.Time { return received })
}

// mapRow makes an ObjectEvent of a row with the columns sgtin, time and step, and one statement.
func mapRow(in mapping.Input, locate func(string) hub.Where) (mapping.Output, error) {
	row, ok := in.Row.(map[string]any)
	if !ok {
		return mapping.Output{}, errors.New("no row")
	}
	if row["sgtin"] == "" {
		return mapping.Output{}, hub.Faultf(hub.Invalid, "map.missing", "sgtin is empty").At(locate("/sgtin"))
	}
	event := func(action string) epcis.Members {
		return epcis.Members(nil).With("action", action).With("bizStep", row["step"]).With("epcList", []any{row["sgtin"]}).
			With("eventTime", row["time"]).With("eventTimeZoneOffset", "+08:00").With("type", "ObjectEvent")
	}
	return mapping.Output{
		Events: []epcis.Members{event("ADD"), event("OBSERVE")},
		Master: []hub.Statement{{Kind: hub.AboutProduct, ID: "https://id.gs1.org/01/07613035982949"}},
	}, nil
}

const sgtin = "urn:epc:id:sgtin:7613035.098294.1"

// rowsRecord is the envelope of one csv row that stands in line 7 of its file.
func rowsRecord(row string) (*hub.Envelope, *hub.Record) {
	e := &hub.Envelope{
		Connector: "rows", Provider: "wms", ReceivedAt: received, ContentType: "text/csv", Origin: "out.csv",
		Preamble: []byte("sgtin,time,step\n"),
		Records:  []hub.Record{{ID: "f#1", Body: []byte(row), Line: 7, Column: 1}},
	}
	return e, &e.Records[0]
}

func captureRecord(preamble, body string) (*hub.Envelope, *hub.Record) {
	e := &hub.Envelope{
		Connector: "capture", Provider: "brand", ReceivedAt: received, ContentType: "application/ld+json", Origin: "doc.json",
		Preamble: []byte(preamble),
		Records:  []hub.Record{{ID: "d#1", Body: []byte(body), Line: 3, Column: 5}},
	}
	return e, &e.Records[0]
}

func TestARowBecomesEventsWithLeaves(t *testing.T) {
	n := normaliser(t)
	env, rec := rowsRecord(sgtin + ",2019-11-08T08:11:04+08:00,shipping")
	o := pipeline.Normalised(n, env, rec)
	if o.Dead != nil || len(o.Events) != 2 || len(o.Master) != 1 {
		t.Fatalf("outcome %+v, dead letter %+v", o, o.Dead)
	}
	if m := o.Master[0]; m.Provider != "wms" || !m.StatedAt.Equal(received) {
		t.Errorf("statement %+v", m)
	}
	for i, e := range o.Events {
		if want := pipeline.EventID(o.Record, i); e.Key.ID != want || !strings.Contains(string(e.Body), want) {
			t.Errorf("event %d has the id %s, want %s", i, e.Key.ID, want)
		}
		if e.Leaf.Event != hub.Sum(e.Body) || e.Leaf.EventHash != e.Hash || e.Leaf.Salt.IsZero() || e.Leaf.Version != hub.LeafVersion ||
			e.Leaf.Raw != hub.RawDigest(env.Preamble, rec.Body) || e.Leaf.Provider != "wms" || e.Leaf.Connector != "rows" {
			t.Errorf("leaf %+v", e.Leaf)
		}
		if len(e.Facets.Things) != 1 || e.Facets.BizStep != "shipping" || e.Record != o.Record {
			t.Errorf("facets %+v", e.Facets)
		}
	}
	if o.Events[0].Leaf.Salt == o.Events[1].Leaf.Salt {
		t.Error("two leaves have one salt")
	}
	again := pipeline.Normalised(n, env, rec)
	if string(again.Events[1].Body) != string(o.Events[1].Body) {
		t.Error("the same record became another event")
	}
}

func TestEventIDsAreAsDocumented(t *testing.T) {
	ref := hub.RecordRef{Connector: "wms-shanghai-outbound", ID: "f#1"}
	for i, want := range []string{"urn:uuid:a7f05914-ea7c-5778-accd-41c3e1bfc208", "urn:uuid:ca4843ff-a990-5fe7-a166-d21879b7dd5c"} {
		if got := pipeline.EventID(ref, i); got != want {
			t.Errorf("EventID(%d) = %s, want %s", i, got, want)
		}
	}
}

func TestADeadLetterSaysWhereInThePayload(t *testing.T) {
	const context = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]}`
	const event = `{"type":"ObjectEvent","eventTime":"2019-11-08T08:11:04+08:00",` + "\n" +
		`"eventTimeZoneOffset":"+08:00","action":"LOOK","epcList":["` + sgtin + `"]}`
	rows := func(row string) func() (*hub.Envelope, *hub.Record) {
		return func() (*hub.Envelope, *hub.Record) { return rowsRecord(row) }
	}
	capture := func(preamble, body string) func() (*hub.Envelope, *hub.Record) {
		return func() (*hub.Envelope, *hub.Record) { return captureRecord(preamble, body) }
	}
	for name, c := range map[string]struct {
		record      func() (*hub.Envelope, *hub.Record)
		stage, code string
		where       hub.Where // what is stated of it must agree
	}{
		"an unknown connector": {func() (*hub.Envelope, *hub.Record) {
			e, r := rowsRecord("x")
			e.Connector = "gone"
			return e, r
		}, "handle", "connector.unknown", hub.Where{File: "out.csv", Line: 7}},
		"a record that the host refused": {func() (*hub.Envelope, *hub.Record) {
			e, r := rowsRecord("x")
			r.Refused = hub.Faultf(hub.TooLarge, "record.too-large", "too large")
			return e, r
		}, "receive", "record.too-large", hub.Where{Line: 7}},
		"a mapping that misses a value": {rows(",2019-11-08T08:11:04+08:00,shipping"), "map", "map.missing", hub.Where{File: "out.csv", Line: 7}},
		"an invalid event":              {rows(sgtin + ",yesterday,shipping"), "validate", "", hub.Where{Line: 7, Pointer: "/eventTime"}},
		"an invalid captured event":     {capture(context, event), "validate", "", hub.Where{File: "doc.json", Line: 4, Pointer: "/action"}},
		"a captured event that is cut":  {capture(context, event[:80]), "decode", "", hub.Where{File: "doc.json", Line: 4}},
		"an invalid event in a whole document": {
			capture("", `{"@context":[],"type":"EPCISDocument","schemaVersion":"2.0","creationDate":"2019-11-08T08:11:04Z",`+
				"\n"+`"epcisBody":{"eventList":[`+event+`]}}`),
			"validate", "", hub.Where{File: "doc.json", Line: 5, Pointer: "/epcisBody/eventList/0/action"},
		},
		"bytes that are no EPCIS": {capture("", "hello"), "decode", "", hub.Where{File: "doc.json", Line: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			env, rec := c.record()
			o := pipeline.Normalised(normaliser(t), env, rec)
			if o.Dead == nil || o.Events != nil {
				t.Fatalf("outcome %+v", o)
			}
			d, w := o.Dead, o.Dead.Fault.Where
			if d.Stage != c.stage || c.code != "" && d.Fault.Code != c.code || string(d.Body) != string(rec.Body) {
				t.Errorf("dead letter %s %s: %v", d.Stage, d.Fault.Code, &d.Fault)
			}
			if c.where.File != "" && w.File != c.where.File || w.Line != c.where.Line || c.where.Pointer != "" && w.Pointer != c.where.Pointer {
				t.Errorf("it is at %+v, want %+v", w, c.where)
			}
		})
	}
}

func TestACapturedDocumentStatesItsMasterDataOnce(t *testing.T) {
	n := normaliser(t)
	const head = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"type":"EPCISDocument",
	"schemaVersion":"2.0","creationDate":"2019-11-08T08:11:04Z","epcisHeader":{"epcisMasterData":{"vocabularyList":[
	{"type":"urn:epcglobal:epcis:vtype:EPCClass","vocabularyElementList":[{"id":"urn:epc:idpat:sgtin:7613035.098294.*",
	"attributes":[{"id":"urn:epcglobal:cbv:mda#descriptionShort","attribute":"formula"}]}]}]}},"epcisBody":{"eventList":[]}}`
	env, rec := captureRecord(head, "")
	o := pipeline.Normalised(n, env, rec)
	if o.Dead != nil || len(o.Events) != 0 || len(o.Master) != 1 || o.Master[0].Provider != "brand" {
		t.Errorf("header: %+v, dead letter %+v", o, o.Dead)
	}
	const event = `{"type":"ObjectEvent","eventTime":"2019-11-08T08:11:04+08:00","eventTimeZoneOffset":"+08:00",
	"action":"OBSERVE","epcList":["` + sgtin + `"],"eventID":"urn:uuid:1a2b3c4d-0000-4000-8000-000000000000"}`
	env, rec = captureRecord(head, event)
	o = pipeline.Normalised(n, env, rec)
	if o.Dead != nil || len(o.Events) != 1 || len(o.Master) != 0 || o.Events[0].Key.ID != "urn:uuid:1a2b3c4d-0000-4000-8000-000000000000" {
		t.Errorf("event: %+v, dead letter %+v", o, o.Dead)
	}
	if !json.Valid(o.Events[0].Body) {
		t.Errorf("body %s", o.Events[0].Body)
	}
}

func BenchmarkNormalise(b *testing.B) {
	n := normaliser(b)
	env, rec := rowsRecord(sgtin + ",2019-11-08T08:11:04+08:00,shipping")
	b.ReportAllocs()
	for b.Loop() {
		if o := pipeline.Normalised(n, env, rec); o.Dead != nil {
			b.Fatal(&o.Dead.Fault)
		}
	}
}
