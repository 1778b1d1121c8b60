package epcis_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// read returns one line an event: where it is and what it is.
func read(t *testing.T, doc string) (*epcis.Header, []string, error) {
	t.Helper()
	var got []string
	h, err := epcis.ReadDocument(strings.NewReader(doc), epcis.Limits{}, func(it epcis.Item) error {
		e, err := it.Event()
		if err != nil {
			return err
		}
		text, err := e.PreHash(epcis.CBV20)
		got = append(got, fmt.Sprintf("%d:%d %s %s", it.Line, it.Column, it.Pointer, strings.TrimPrefix(text, "eventType=")))
		return err
	})
	return h, got, err
}

func TestReadDocumentForms(t *testing.T) {
	for name, c := range map[string]struct {
		doc  string
		want []string
	}{
		"a document": {
			"{\"@context\":{\"a\":\"http://a/\"},\n\"epcisBody\":{\"eventList\":[\n  {\"type\":\"T\",\"a:x\":1}, {\"type\":\"U\"}]},\n" +
				"\"type\":\"EPCISDocument\"}",
			[]string{"3:3 /epcisBody/eventList/0 T{http://a/}x=1", "3:25 /epcisBody/eventList/1 U"},
		},
		"a late context": {
			`{"epcisBody":{"eventList":[{"type":"T","a:x":1}]},"@context":{"a":"http://a/"},"type":"EPCISDocument"}`,
			[]string{"1:28 /epcisBody/eventList/0 T{http://a/}x=1"},
		},
		"a query document": {
			`{"@context":[],"type":"EPCISQueryDocument","epcisBody":{"queryResults":{"queryName":"q","resultsBody":{"eventList":[{"type":"T"}]}}}}`,
			[]string{"1:117 /epcisBody/queryResults/resultsBody/eventList/0 T"},
		},
		"one event in a body": {`{"type":"EPCISDocument","epcisBody":{"event":{"type":"T"}}}`, []string{"1:46 /epcisBody/event T"}},
		"no events":           {`{"type":"EPCISDocument","epcisBody":{"eventList":[]}}`, nil},
		"a bare event":        {` {"eventTime":"x","type":"T","@context":{"a":"http://a/"},"a:x":1}`, []string{"1:2  TeventTime=x{http://a/}x=1"}},
		"an array":            {`[{"type":"T"},{"type":"U"}]`, []string{"1:2 /0 T", "1:15 /1 U"}},
		"lines":               {"{\"type\":\"T\"}\n{\"type\":\"U\",\"@context\":{\"a\":\"http://a/\"},\"a:x\":1}\n\n{\"type\":\"V\"}\n", []string{"1:1  T", "2:1  U{http://a/}x=1", "4:1  V"}},
		"a byte order mark":   {"\ufeff" + `{"type":"T"}`, []string{"1:1  T"}},
		"XML": {
			"<d:EPCISDocument xmlns:d='urn:epcglobal:epcis:xsd:2' xmlns:a='http://a/'><EPCISBody>\n<EventList><T><a:x>1</a:x></T>" +
				" <!-- c --><U/><T/><extension><V/></extension></EventList></EPCISBody></d:EPCISDocument>",
			[]string{
				"2:12 /d:EPCISDocument/EPCISBody/EventList/T[1] T{http://a/}x=1", "2:42 /d:EPCISDocument/EPCISBody/EventList/U[1] U",
				"2:46 /d:EPCISDocument/EPCISBody/EventList/T[2] T", "2:61 /d:EPCISDocument/EPCISBody/EventList/extension/V[1] V",
			},
		},
		"XML query results": {
			`<q:EPCISQueryDocument xmlns:q="urn:epcglobal:epcis-query:xsd:2"><EPCISBody><q:QueryResults><queryName>q</queryName>` +
				`<resultsBody><EventList><T/></EventList></resultsBody></q:QueryResults></EPCISBody></q:EPCISQueryDocument>`,
			[]string{"1:140 /q:EPCISQueryDocument/EPCISBody/q:QueryResults/resultsBody/EventList/T[1] T"},
		},
		"a bare XML event": {"\n<ObjectEvent><action>ADD</action></ObjectEvent>", []string{"2:1 /ObjectEvent ObjectEventaction=ADD"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, err := read(t, c.doc)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadDocumentRefuses(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		doc, code, where string
	}{
		"nothing":                  {"", "epcis.document.form", "line 1:1"},
		"a NUL behind":             {`{"type":"T"}` + "\x00", "epcis.document.form", "line 1:13"},
		"text":                     {"hello", "epcis.document.form", "line 1:1"},
		"no body":                  {`{"type":"EPCISDocument"}`, "epcis.document.body", "line 1:25"},
		"a cut document":           {`{"type":"EPCISDocument","epcisBody":{"eventList":[{"type":"T"}`, "epcis.json.syntax", "line 1:63"},
		"a fault within an event":  {"{\"epcisBody\":{\"eventList\":[{\"type\":\"T\"},\n {\"type\":\n1}]}}", "epcis.event.type", "line 2:2 /epcisBody/eventList/1/type"},
		"a fault in the syntax":    {"{\"epcisBody\":{\"eventList\":[\n  {\"type\":\"T\",\n \"a\":01}]}}", "epcis.json.number", "line 3:6 /epcisBody/eventList/0"},
		"a fault beside events":    {`{"type":"EPCISDocument","x":tru,"epcisBody":{}}`, "epcis.json.syntax", "line 1:32"},
		"an event that is too big": {`{"@context":[],"epcisBody":{"eventList":[{"a":"` + big + `"}]}}`, "epcis.event.size", "/epcisBody/eventList/0"},
		"a bare event too big":     {`{"a":"` + big + `"}`, "epcis.event.size", ""},
		"a long name":              {`{"type":"EPCISDocument","` + strings.Repeat("a", 5000) + `":1}`, "epcis.event.size", ""},
		"nesting":                  {strings.Repeat(`{"a":`, 1000), "epcis.json.depth", ""},
		"XML cut short":            {"<EPCISDocument><EPCISBody>", "epcis.xml.end", ""},
		"another root":             {"<html/>", "epcis.document.form", "line 1:1"},
		"XML events nesting": {
			"<EPCISDocument><EPCISBody><EventList><T>" + strings.Repeat("<a><b/><b>", 30) + strings.Repeat("</b></a>", 30) +
				"</T></EventList></EPCISBody></EPCISDocument>", "epcis.json.depth", "",
		},
		"namespaces without end": {
			"<EPCISDocument" + manyNamespaces(300) + "/>", "epcis.xml.namespace", "line 1:1",
		},
		"two roots":            {"<EPCISDocument/><EPCISDocument/>", "epcis.xml.root", "line 1:17"},
		"text behind the root": {"<EPCISDocument/>x", "epcis.xml.text", "line 1:17"},
		"a wrong end tag":      {"<EPCISDocument><a></b></EPCISDocument>", "epcis.xml.syntax", "line 1:19 /EPCISDocument/a"},
		"an undeclared prefix": {"<EPCISDocument><x:a/></EPCISDocument>", "epcis.xml.prefix", "line 1:16 /EPCISDocument"},
		"an attribute twice":   {"<EPCISDocument a='1' a='2'/>", "epcis.xml.attribute", "line 1:1"},
		"a prefix undeclared":  {"<EPCISDocument xmlns:a=''/>", "epcis.xml.namespace", "line 1:1"},
		"a DTD with entities":  {`<!DOCTYPE a [<!ENTITY x "y">]><EPCISDocument/>`, "epcis.xml.dtd", "line 1:1"},
		"an external DTD":      {`<!DOCTYPE a SYSTEM "http://e/"><EPCISDocument/>`, "epcis.xml.dtd", "line 1:1"},
		"an unknown entity":    {"<EPCISDocument>&x;</EPCISDocument>", "epcis.xml.syntax", ""},
		"an unknown encoding":  {"<?xml version='1.0' encoding='klingon'?><EPCISDocument/>", "epcis.xml.encoding", "line 1:1"},
		"XML nesting":          {strings.Repeat("<EPCISDocument>", 1000), "epcis.xml.depth", ""},
		"an XML event too big": {"<EPCISDocument><EPCISBody><EventList><T>" + big + "</T></EventList></EPCISBody></EPCISDocument>", "epcis.event.size", "/EPCISDocument/EPCISBody/EventList/T[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t, c.doc)
			f := hub.AsFault(err)
			if err == nil || f.Code != c.code || !strings.Contains(f.Where.String(), c.where) {
				t.Errorf("got %v (%s), want %s at %s", err, f.Code, c.code, c.where)
			}
			if f.MessageZh == "" {
				t.Error("the message has no Chinese")
			}
		})
	}
}

func manyNamespaces(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " xmlns:p%d='u:%d'", i, i)
	}
	return b.String()
}

func TestReadDocumentStopsWhenAsked(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	_, err := epcis.ReadDocument(strings.NewReader(`[{"type":"T"},{"type":"T"}]`), epcis.Limits{}, func(epcis.Item) error {
		n++
		return stop
	})
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("got %v after %d events", err, n)
	}
}

func TestReadDocumentHandsOutExactBytes(t *testing.T) {
	for _, raw := range []string{
		`{ "type" : "T",  "ex:a":"\u00e9" , "n": 1.50 }`,
		"<T  a='1'\n><!-- c --><b>&amp;</b ></T >",
	} {
		doc := `{"type":"EPCISDocument","epcisBody":{"eventList":[ ` + raw + ` ]}}`
		if raw[0] == '<' {
			doc = "<EPCISDocument><EPCISBody><EventList>\n" + raw + "\n</EventList></EPCISBody></EPCISDocument>"
		}
		if _, err := epcis.ReadDocument(strings.NewReader(doc), epcis.Limits{}, func(it epcis.Item) error {
			if string(it.Raw) != raw {
				t.Errorf("got %q, want %q", it.Raw, raw)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

// endless is a document that is made while it is read.
type endless struct {
	head, body, tail string
	count            int
	pending          []byte
	state            int
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.pending) == 0 {
		switch {
		case e.state == 0:
			e.pending, e.state = []byte(e.head), 1
		case e.count > 0:
			e.count--
			e.pending = []byte(e.body)
		case e.state == 1:
			e.pending, e.state = []byte(e.tail), 2
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, e.pending)
	e.pending = e.pending[n:]
	return n, nil
}

func TestReadDocumentNeedsBoundedMemory(t *testing.T) {
	filler := strings.Repeat("x", 2000)
	for name, doc := range map[string]*endless{
		"JSON": {
			head: `{"@context":[],"type":"EPCISDocument","epcisBody":{"eventList":[{"type":"T"}`,
			body: `,{"type":"T","a:b":"` + filler + `"}`, tail: "]}}", count: 10_000,
		},
		"XML": {
			head: "<EPCISDocument><EPCISBody><EventList><T/>", body: "<T><a>" + filler + "</a></T>",
			tail: "</EventList></EPCISBody></EPCISDocument>", count: 2_000,
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := doc.count + 1
			n := 0
			var peak uint64
			if _, err := epcis.ReadDocument(doc, epcis.Limits{}, func(epcis.Item) error {
				if n++; n%500 == 0 {
					var m runtime.MemStats
					runtime.GC()
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapAlloc)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if n != want || peak > 32<<20 {
				t.Errorf("%d events, peak %d bytes", n, peak)
			}
		})
	}
}

func TestXMLEncodings(t *testing.T) {
	doc := func(encoding string) string {
		return `<?xml version="1.0" encoding="` + encoding + `"?><EPCISDocument><EPCISBody><EventList><T><名称>奶粉</名称></T>` +
			`</EventList></EPCISBody></EPCISDocument>`
	}
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(doc("GB18030"))
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(doc("UTF-16"))
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]string{"GB18030": gb, "UTF-16": utf16, "UTF-8": doc("utf-8"), "BOM": "\ufeff" + doc("utf-8")} {
		_, got, err := read(t, d)
		if err != nil || len(got) != 1 || !strings.HasSuffix(got[0], "T名称=奶粉") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestOldXML(t *testing.T) {
	h, got, err := read(t, `<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:1" schemaVersion="1.2" creationDate="2024-01-01T00:00:00Z">
		<EPCISHeader><sbdh:StandardBusinessDocumentHeader xmlns:sbdh="http://www.unece.org/cefact/namespaces/StandardBusinessDocumentHeader">
		<sbdh:Sender><sbdh:Identifier>s:1</sbdh:Identifier></sbdh:Sender><sbdh:Receiver><sbdh:Identifier>r:1</sbdh:Identifier></sbdh:Receiver>
		<sbdh:DocumentIdentification><sbdh:InstanceIdentifier>i:1</sbdh:InstanceIdentifier></sbdh:DocumentIdentification>
		</sbdh:StandardBusinessDocumentHeader></EPCISHeader><EPCISBody><EventList>
		<QuantityEvent><eventTime>2024-01-01T00:00:00Z</eventTime><eventTimeZoneOffset>+00:00</eventTimeZoneOffset>
		<epcClass>urn:epc:idpat:sgtin:4012345.098765.*</epcClass><quantity>7</quantity></QuantityEvent>
		<extension><extension><AssociationEvent><parentID>p:1</parentID></AssociationEvent></extension></extension>
		</EventList></EPCISBody></epcis:EPCISDocument>`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ObjectEventeventTime=2024-01-01T00:00:00.000ZeventTimeZoneOffset=+00:00quantityListquantityElement" +
			"epcClass=https://id.gs1.org/01/04012345987652quantity=7action=OBSERVE",
		"AssociationEventparentID=p:1",
	}
	for i := range got {
		got[i] = got[i][strings.LastIndex(got[i], "] ")+2:]
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if h.SchemaVersion != "1.2" || h.Sender != "s:1" || h.Receiver != "r:1" || h.InstanceIdentifier != "i:1" {
		t.Errorf("got %+v", h)
	}
}

func TestParseRecord(t *testing.T) {
	for _, doc := range []string{
		`{"@context":{"a":"http://a/"},"type":"EPCISDocument","epcisBody":{"eventList":[{"type":"T","a:x":1},{"type":"T","a:x":2}]}}`,
		`<d:EPCISDocument xmlns:d="urn:epcglobal:epcis:xsd:2" xmlns:a="http://a/"><EPCISBody><EventList><T><a:x>1</a:x></T><T><a:x>2</a:x></T></EventList></EPCISBody></d:EPCISDocument>`,
	} {
		type record struct {
			preamble, body []byte
			hash           string
		}
		var records []record
		if _, err := epcis.ReadDocument(strings.NewReader(doc), epcis.Limits{}, func(it epcis.Item) error {
			e, err := it.Event()
			if err != nil {
				return err
			}
			h, err := e.Hash(epcis.CBV20)
			records = append(records, record{bytes.Clone(it.Header.Preamble), bytes.Clone(it.Raw), h})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			e, err := epcis.ParseRecord(r.preamble, r.body)
			if err != nil {
				t.Fatalf("%s %s: %v", r.preamble, r.body, err)
			}
			if got := must(t)(e.Hash(epcis.CBV20)); got != r.hash {
				t.Errorf("%s: got %s, want %s", r.body, got, r.hash)
			}
		}
		bad := append(bytes.Clone(records[0].body[:len(records[0].body)-1]), "\n?"...)
		if _, err := epcis.ParseRecord(records[0].preamble, bad); hub.KindOf(err) != hub.Invalid || hub.AsFault(err).Where.Line != 2 {
			t.Errorf("got %v, want a fault in line 2", err)
		}
		if _, err := epcis.ParseRecord(nil, []byte(doc)); hub.AsFault(err).Code != "epcis.record.many" {
			t.Errorf("got %v", err)
		}
	}
	if _, err := epcis.ParseRecord(nil, []byte("<EPCISDocument/>")); hub.AsFault(err).Code != "epcis.record.none" {
		t.Errorf("got %v", err)
	}
}

func TestMasterData(t *testing.T) {
	inJSON := `{"type":"EPCISDocument","epcisHeader":{"epcisMasterData":{"vocabularyList":[
		{"type":"urn:epcglobal:epcis:vtype:BusinessLocation","vocabularyElementList":[{"id":"urn:epc:id:sgln:4012345.00001.0",
			"attributes":[{"id":"urn:epcglobal:cbv:mda#name","attribute":"Askeaton"},{"id":"http://own/a","attribute":3.5},
				{"id":"cbvmda:site","attribute":"x"},{"id":"cbvmda:site","attribute":"y"}],
			"children":["urn:epc:id:sgln:4012345.00002.0"]}]},
		{"type":"urn:epcglobal:epcis:vtype:EPCClass","vocabularyElementList":[{"id":"urn:epc:idpat:sgtin:4012345.098765.*",
			"attributes":[{"id":"gs1:productName","attribute":{"@value":"奶粉","@language":"zh"}}]}]},
		{"type":"urn:own:vtype:Anything","vocabularyElementList":[{"id":"urn:epc:id:pgln:4012345.00225"},{"id":"urn:own:1"}]}
		]}},"epcisBody":{"eventList":[]}}`
	inXML := `<EPCISDocument><EPCISHeader><extension><EPCISMasterData><VocabularyList>
		<Vocabulary type="urn:epcglobal:epcis:vtype:BusinessLocation"><VocabularyElementList>
		<VocabularyElement id="urn:epc:id:sgln:4012345.00001.0"><attribute id="urn:epcglobal:cbv:mda#name">Askeaton</attribute>
		<attribute id="http://own/a">3.5</attribute><attribute id="urn:epcglobal:cbv:mda:site">x</attribute>
		<attribute id="urn:epcglobal:cbv:mda:site">y</attribute><children><id>urn:epc:id:sgln:4012345.00002.0</id></children>
		</VocabularyElement></VocabularyElementList></Vocabulary></VocabularyList></EPCISMasterData></extension></EPCISHeader>
		<EPCISBody/></EPCISDocument>`
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	statement := func(kind hub.StatementKind, id string, attributes map[string]string) hub.Statement {
		return hub.Statement{Kind: kind, ID: "https://id.gs1.org/" + id, Provider: "brand", StatedAt: at, Attributes: attributes}
	}
	want := []hub.Statement{
		statement(hub.AboutPlace, "414/4012345000016", map[string]string{"name": "Askeaton", "http://own/a": "3.5", "site": "x; y"}),
		statement(hub.AboutPlace, "414/4012345000023", map[string]string{"parent": "https://id.gs1.org/414/4012345000016"}),
		statement(hub.AboutProduct, "01/04012345987652", map[string]string{"productName@zh": "奶粉"}),
		statement(hub.AboutParty, "417/4012345002256", map[string]string{}),
	}
	for doc, want := range map[string][]hub.Statement{inJSON: want, inXML: want[:2]} {
		h, _, err := read(t, doc)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, h.MasterData("brand", at)); d != "" {
			t.Error(d)
		}
		// Master data survives conversion.
		for _, to := range []epcis.Format{epcis.XML, epcis.JSON} {
			h, _, err := read(t, string(convert(t, []byte(doc), to)))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, h.MasterData("brand", at)); d != "" {
				t.Errorf("as %s: %s", to, d)
			}
		}
	}
}

func FuzzReadDocument(f *testing.F) {
	f.Add([]byte(`{"@context":{"a":"http://a/"},"type":"EPCISDocument","epcisBody":{"eventList":[{"type":"T","a:x":1}]}}`))
	f.Add([]byte("<?xml version='1.0'?><EPCISDocument xmlns:a='http://a/'><EPCISBody><EventList><ObjectEvent><a:x y='1'>2</a:x>" +
		"<epcList><epc>a:1</epc></epcList><extension><ilmd/></extension></ObjectEvent></EventList></EPCISBody></EPCISDocument>"))
	f.Add([]byte("[{\"type\":\"T\"}]\n{\"type\":\"U\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits := epcis.Limits{Event: 1 << 16, Header: 1 << 16}
		if _, err := epcis.ReadDocument(bytes.NewReader(data), limits, func(it epcis.Item) error {
			e, err := it.Event()
			if err != nil {
				return err
			}
			want, err := e.PreHash(epcis.CBV20)
			if err != nil {
				return err
			}
			b, err := e.Canonical()
			if err != nil {
				return nil // a number that no double can hold
			}
			again, err := epcis.ParseEvent(b, nil)
			if err != nil {
				t.Fatalf("cannot parse %s: %v", b, err)
			}
			if d := cmp.Diff(want, must(t)(again.PreHash(epcis.CBV20))); d != "" {
				t.Fatalf("the canonical bytes %s have another hash: %s", b, d)
			}
			return nil
		}); err != nil {
			return
		}
		_ = epcis.Convert(bytes.NewReader(data), io.Discard, epcis.XML, limits)
		_ = epcis.Convert(bytes.NewReader(data), io.Discard, epcis.JSON, limits)
	})
}

func FuzzCheckXML(f *testing.F) {
	f.Add([]byte(`<e:EPCISDocument xmlns:e="urn:epcglobal:epcis:xsd:2" schemaVersion="2.0" creationDate="2024-01-01T00:00:00Z"><EPCISBody><EventList><ObjectEvent><eventTime>2024-01-01T00:00:00Z</eventTime><eventTimeZoneOffset>+00:00</eventTimeZoneOffset><action>ADD</action></ObjectEvent></EventList></EPCISBody></e:EPCISDocument>`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_ = epcis.CheckXML(bytes.NewReader(data), epcis.Limits{Event: 1 << 16, Header: 1 << 16})
	})
}
