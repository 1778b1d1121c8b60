package epcis_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

type sample struct {
	File     string   `json:"file"`
	Kind     string   `json:"kind"`
	Root     string   `json:"root"`
	Events   int      `json:"events"`
	Valid    bool     `json:"valid_2_0_1"`
	XSDValid []string `json:"xsd_valid"`
}

func samples(t *testing.T) []sample {
	t.Helper()
	data, err := os.ReadFile(vectors.Path(t, "epcis", "index_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func preHashes(t *testing.T, data []byte) []string {
	t.Helper()
	var out bytes.Buffer
	if err := epcis.HashLines(bytes.NewReader(data), &out, epcis.HashOptions{PreHash: true}, epcis.Limits{}); err != nil {
		t.Fatalf("hash: %v", err)
	}
	lines := bytes.Split(bytes.TrimRight(out.Bytes(), "\n"), []byte("\n"))
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = string(l)
	}
	return texts
}

func convert(t *testing.T, data []byte, to epcis.Format) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := epcis.Convert(bytes.NewReader(data), &out, to, epcis.Limits{}); err != nil {
		t.Fatalf("convert to %s: %v", to, err)
	}
	return out.Bytes()
}

// Every valid sample keeps the hash of every event, there and back.
func TestConversionKeepsTheHash(t *testing.T) {
	for _, s := range samples(t) {
		if !s.Valid && len(s.XSDValid) == 0 || s.Events == 0 || s.Kind == "query-json" {
			continue
		}
		t.Run(s.File, func(t *testing.T) {
			data, err := os.ReadFile(vectors.Path(t, "epcis", s.File))
			if err != nil {
				t.Fatal(err)
			}
			want := preHashes(t, data)
			if len(want) != s.Events {
				t.Errorf("%d events, want %d", len(want), s.Events)
			}
			asXML := convert(t, data, epcis.XML)
			if d := cmp.Diff(want, preHashes(t, asXML)); d != "" {
				t.Errorf("as XML:\n%s\n%s", d, asXML)
			}
			asJSON := convert(t, asXML, epcis.JSON)
			if d := cmp.Diff(want, preHashes(t, asJSON)); d != "" {
				t.Errorf("as XML and JSON:\n%s\n%s", d, asJSON)
			}
			if !json.Valid(asJSON) {
				t.Errorf("no JSON: %s", asJSON)
			}
			direct := convert(t, data, epcis.JSON)
			if d := cmp.Diff(want, preHashes(t, direct)); d != "" {
				t.Errorf("as JSON:\n%s\n%s", d, direct)
			}
		})
	}
}

// Our own event with everything in it survives both ways, and the XML is what the schema wants.
func TestConversionOfEverything(t *testing.T) {
	asXML := convert(t, []byte(queried), epcis.XML)
	if err := epcis.CheckXML(bytes.NewReader(asXML), epcis.Limits{}); err != nil {
		t.Errorf("%v\n%s", err, asXML)
	}
	for _, want := range []string{
		`<bizStep>urn:epcglobal:cbv:bizstep:commissioning</bizStep>`, `<set>urn:epcglobal:cbv:disp:completeness_verified</set>`,
		`<bizTransaction type="urn:epcglobal:cbv:btt:po">`, `<reason>urn:epcglobal:cbv:er:incorrect_data</reason>`,
		`type="gs1:Temperature"`, `xmlns:gs1="https://ref.gs1.org/voc/"`, `xmlns:ex="https://example.org/epcis/"`,
		`<ex:w unit="KGM">4</ex:w>`, `<ex:tags>a</ex:tags><ex:tags>b</ex:tags>`,
		`<correctiveEventID>urn:uuid:2</correctiveEventID>`, `ex:cv="5"`,
	} {
		if !bytes.Contains(asXML, []byte(want)) {
			t.Errorf("lacks %s in\n%s", want, asXML)
		}
	}
	back := convert(t, asXML, epcis.JSON)
	for _, d := range []epcis.Dialect{epcis.CBV20, epcis.CBV21} {
		want := must(t)(parse(t, queried).PreHash(d))
		if got := must(t)(readEvents(t, back)[0].PreHash(d)); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", d, got, want)
		}
	}
	got, err := parse(t, queried).Facets()
	if err != nil {
		t.Fatal(err)
	}
	want, err := readEvents(t, back)[0].Facets()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Numbers and booleans of one's own are none less after a way through XML, where all is text, and a recordTime stays as it
// was written.
func TestConversionKeepsTypes(t *testing.T) {
	const event = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"ex":"https://ex.example/","xs":"https://xs.example/"}],` +
		`"action":"OBSERVE","epcList":["urn:epc:id:sgtin:7613035.098294.1"],"eventTime":"2024-03-01T10:00:00.1234567+08:00",` +
		`"eventTimeZoneOffset":"+08:00","ex:a":42,"ex:b":[1.5,"1.5",true,"true",-3],"ex:c":{"ex:d":false,"xs:e":1000},` +
		`"ex:f":{"#text":"7","unit":"KGM"},"ex:g":1e-7,"ex:h":123456789012345680000,"readPoint":{"ex:n":5,"id":"https://place.example/1"},` +
		`"recordTime":"2024-03-01T10:00:00.1234567+08:00","type":"ObjectEvent"}`
	asXML := convert(t, []byte(event), epcis.XML)
	if err := epcis.CheckXML(bytes.NewReader(asXML), epcis.Limits{}); err != nil {
		t.Errorf("%v\n%s", err, asXML)
	}
	got, want := readEvents(t, asXML)[0], parse(t, event)
	if a, b := canonical(t, got), canonical(t, want); a != b || got.Get("recordTime") != want.Get("recordTime") {
		t.Errorf("got  %s\nwant %s\nfrom %s", a, b, asXML)
	}
	if got := strings.TrimSpace(string(convert(t, []byte(event), epcis.JSON))); got != event {
		t.Errorf("got  %s\nwant %s", got, event)
	}
}

// What XML Schema's types say is taken where it says the same in JSON, and the hash is that of the text either way.
func TestTypesOfXMLSchema(t *testing.T) {
	for text, want := range map[string]string{
		`xsi:type="xs:decimal">4.50`: `4.50`, `xsi:type="xs:int"> +7 `: `7`, `xsi:type="xs:double">1e3`: `1e3`,
		`xsi:type="xs:boolean">true`: `true`, `xsi:type="xs:boolean">1`: `"1"`, `xsi:type="xs:string">4`: `"4"`,
		`xsi:type="xs:decimal">12345678901234567890.5`: `"12345678901234567890.5"`, `xsi:type="xs:decimal">-`: `"-"`,
		`xsi:type="xs:decimal">`: `""`, `xsi:type="xs:double">INF`: `"INF"`, `xsi:type="decimal">4`: `"4"`, `>4`: `"4"`,
	} {
		doc := `<EPCISDocument xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:ex="https://ex.example/">` +
			`<EPCISBody><EventList><ObjectEvent><ex:a ` + text + `</ex:a></ObjectEvent></EventList></EPCISBody></EPCISDocument>`
		e := readEvents(t, []byte(doc))[0]
		got, err := json.Marshal(e.Extensions()["ex:a"].Any())
		if err != nil || string(got) != want {
			t.Errorf("%s is %s, want %s, %v", text, got, want, err)
		}
		plain := readEvents(t, []byte(strings.ReplaceAll(doc, "xsi:type", "xsi:nothing")))[0]
		if a, b := must(t)(e.PreHash(epcis.CBV20)), must(t)(plain.PreHash(epcis.CBV20)); a != b {
			t.Errorf("%s is hashed as %s, without its type as %s", text, a, b)
		}
	}
}

func TestConversionRefusesWhatXMLCannotHold(t *testing.T) {
	for code, event := range map[string]string{
		"epcis.xml.prefix":     `{"type":"ObjectEvent","unknown:a":1}`,
		"epcis.xml.name":       `{"@context":{"a":"http://a/"},"type":"ObjectEvent","a:two words":1}`,
		"epcis.xml.character":  `{"@context":{"a":"http://a/"},"type":"ObjectEvent","a:b":"\u0001"}`,
		"epcis.convert.format": "",
	} {
		to := epcis.XML
		if event == "" {
			event, to = `{"type":"T"}`, "yaml"
		}
		err := epcis.Convert(strings.NewReader(event), io.Discard, to, epcis.Limits{})
		if f := hub.AsFault(err); err == nil || f.Code != code || f.MessageZh == "" {
			t.Errorf("%s: got %v", code, err)
		}
	}
}

// Names that have no prefix of their own in JSON get one in XML.
func TestConversionNamesWholeURIs(t *testing.T) {
	event := `{"@context":{"own":"https://own.example/t","ns1":"http://taken/"},"type":"ObjectEvent","https://a.example/x":1,` +
		`"https://a.example/y":{"https://b.example/z":"2"},"own":"3","ns1:q":"4"}`
	want := must(t)(parse(t, event).PreHash(epcis.CBV20))
	asXML := convert(t, []byte(event), epcis.XML)
	if got := preHashes(t, asXML)[0]; got != want {
		t.Errorf("got %s, want %s\n%s", got, want, asXML)
	}
	if got := preHashes(t, convert(t, asXML, epcis.JSON))[0]; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWriterWritesQueryDocuments(t *testing.T) {
	at := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, f := range []epcis.Format{epcis.JSON, epcis.XML} {
		var out bytes.Buffer
		w := epcis.NewWriter(&out, f, &epcis.Header{
			Type: "EPCISQueryDocument", QueryName: "all & <any>", SubscriptionID: "s1", CreationDate: "2024-07-01T00:00:00Z",
		})
		for range 2 {
			if err := w.Write(parse(t, queried), at); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		h, err := epcis.ReadDocument(bytes.NewReader(out.Bytes()), epcis.Limits{}, func(it epcis.Item) error {
			e, err := it.Event()
			if err == nil && e.Get("recordTime") != "2024-07-01T00:00:00.000Z" {
				t.Errorf("%s: recordTime %q", f, e.Get("recordTime"))
			}
			return err
		})
		if err != nil || h.QueryName != "all & <any>" || h.SubscriptionID != "s1" || h.Type != "EPCISQueryDocument" {
			t.Errorf("%s: got %+v, %v\n%s", f, h, err, out.String())
		}
		if f == epcis.XML {
			if err := epcis.CheckXML(bytes.NewReader(out.Bytes()), epcis.Limits{}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestWriterWritesAnEmptyDocument(t *testing.T) {
	for _, f := range []epcis.Format{epcis.JSON, epcis.XML} {
		var out bytes.Buffer
		if err := epcis.NewWriter(&out, f, &epcis.Header{Type: "EPCISDocument", CreationDate: "2024-07-01T00:00:00Z"}).Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := epcis.ReadDocument(&out, epcis.Limits{}, func(epcis.Item) error { return nil }); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// What XML can hold of an event has the event's hash.
func FuzzThroughXML(f *testing.F) {
	f.Add([]byte(queried))
	f.Add([]byte(`{"@context":{"p":"http://e/","q":{"@id":"p:x"}},"type":"ObjectEvent","p:r":{"#text":"t","u":"v"},"p:n":[1,2.5,true,"x"],"ilmd":{"p:a":{"p:b":1e3}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := epcis.ParseEvent(data, nil)
		if err != nil || !slices.Contains(epcis.EventTypes(), e.Type()) {
			return
		}
		if _, err := e.Canonical(); err != nil {
			return // a number that no double can hold
		}
		asXML, err := e.XML(time.Time{}, epcis.AsURN)
		if err != nil {
			return
		}
		want := must(t)(e.PreHash(epcis.CBV20))
		if _, err := epcis.ReadDocument(bytes.NewReader(asXML), epcis.Limits{}, func(it epcis.Item) error {
			e, err := it.Event()
			if err == nil {
				if got := must(t)(e.PreHash(epcis.CBV20)); got != want {
					t.Fatalf("got  %s\nwant %s\nfrom %s", got, want, asXML)
				}
			}
			return err
		}); err != nil {
			t.Fatalf("%v\n%s", err, asXML)
		}
	})
}
