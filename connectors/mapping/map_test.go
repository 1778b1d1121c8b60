package mapping_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
)

// load compiles a mapping from text, with other files beside it.
func load(t *testing.T, src string, files ...string) (*mapping.Mapping, error) {
	t.Helper()
	return mapping.Load(mapFS(append([]string{"m.yaml", src}, files...)...), "m.yaml")
}

// mapFS makes files of names and texts in turn.
func mapFS(files ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i+1 < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return fsys
}

// tree decodes JSON as decoders do.
func tree(t *testing.T, src string) any {
	t.Helper()
	v, err := decodeJSON(src)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func decodeJSON(src string) (any, error) {
	d := json.NewDecoder(strings.NewReader(src))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func input(t *testing.T, row string) mapping.Input {
	t.Helper()
	return mapping.Input{Row: tree(t, row), Provider: "brand", Connector: "brand-qr", RecordID: "r1", Origin: "tins.csv",
		ReceivedAt: time.Date(2019, 11, 8, 0, 0, 0, 0, time.UTC)}
}

const tin = `version: 1
timezone: "+08:00"
context: { example: https://ns.example.com/ }
let:
  code: "= trim(row.code)"
lookup:
  steps: { table: { OUT: shipping, IN: receiving } }
skip:
  - when: "= row.kind == 'TEST'"
    reason: a test of the scanner
events:
  - when: "= row.kind in ['OUT', 'IN']"
    event:
      type: ObjectEvent
      eventTime: "= ts(row.time, 'yyyyMMddHHmmss')"
      action: OBSERVE
      bizStep: "= lookup('steps', row.kind)"
      epcList:
        - each: "= row.serials"
          value: "= sgtin(row.gtin, item)"
      quantityList:
        - when: "= present(row.qty)"
          epcClass: "= lgtin(row.gtin, row.lot)"
          quantity: "= row.qty"
      readPoint: { id: "=? sgln(row.site)" }
      bizTransactionList:
        - { type: po, bizTransaction: "= 'urn:example:po:' + row.order" }
      example:traceCode: "= code"
      example:note: "=? row.note"
master:
  - product: "= row.gtin"
    attributes: { name@zh: "=? row.name" }
`

func TestMapMakesWhatTheMappingSays(t *testing.T) {
	m, err := load(t, tin)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Map(input(t, `{"kind":"OUT","time":"20191107211856","gtin":7613035982949,"lot":"9121755841","code":" 02130081810167359142 ",
		"serials":["A1","A2"],"qty":6.50,"order":"PO-7","site":"","name":"启赋"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{
		"@context": []any{map[string]any{"example": "https://ns.example.com/"}},
		"type":     "ObjectEvent", "eventTime": "2019-11-07T21:18:56+08:00", "eventTimeZoneOffset": "+08:00", "action": "OBSERVE", "bizStep": "shipping",
		"epcList":            []any{"https://id.gs1.org/01/07613035982949/21/A1", "https://id.gs1.org/01/07613035982949/21/A2"},
		"quantityList":       []any{map[string]any{"epcClass": "https://id.gs1.org/01/07613035982949/10/9121755841", "quantity": json.Number("6.50")}},
		"bizTransactionList": []any{map[string]any{"type": "po", "bizTransaction": "urn:example:po:PO-7"}},
		"example:traceCode":  "02130081810167359142",
	}}
	if d := cmp.Diff(want, trees(out)); d != "" {
		t.Error(d)
	}
	wantMaster := []hub.Statement{{Kind: hub.AboutProduct, ID: "https://id.gs1.org/01/07613035982949", Provider: "brand",
		StatedAt: time.Date(2019, 11, 8, 0, 0, 0, 0, time.UTC), Attributes: map[string]string{"name@zh": "启赋"}}}
	if d := cmp.Diff(wantMaster, out.Master); d != "" {
		t.Error(d)
	}
}

func TestSkippedRecordSaysWhy(t *testing.T) {
	m, err := load(t, tin)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Map(input(t, `{"kind":"TEST"}`), nil)
	if err != nil || out.Skipped != "a test of the scanner" || len(out.Events)+len(out.Master) != 0 {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestFaultNamesRecordAndMapping(t *testing.T) {
	m, err := load(t, tin)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ row, code, pointer, target string }{
		"absent field":     {`{"kind":"OUT"}`, "map.missing", "", "events[0].eventTime"},
		"bad time":         {`{"kind":"OUT","time":"20191307211856"}`, "map.time", "/time", "events[0].eventTime"},
		"check digit":      {`{"kind":"OUT","time":"20191107211856","gtin":"7613035982948","serials":["A"]}`, "gs1.check-digit", "/gtin", "events[0].epcList[0]"},
		"bad serial":       {`{"kind":"OUT","time":"20191107211856","gtin":"7613035982949","serials":["A","启"]}`, "gs1.serial", "/serials/1", "events[0].epcList[0]"},
		"empty time":       {`{"kind":"OUT","time":""}`, "map.missing", "/time", "events[0].eventTime"},
		"number with text": {`{"kind":1}`, "map.type", "/kind", "skip[0].when"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Map(input(t, tc.row), nil)
			var f *hub.Fault
			var site *mapping.Site
			if !errors.As(err, &f) || !errors.As(err, &site) {
				t.Fatalf("got %v", err)
			}
			if f.Code != tc.code || f.Where.Pointer != tc.pointer || site.Target != tc.target || site.Mapping.Line == 0 || f.MessageZh == "" {
				t.Errorf("got code %s pointer %q target %q at %v: %v", f.Code, f.Where.Pointer, site.Target, site.Mapping, f)
			}
		})
	}
}

func TestMapIsSafeForConcurrentUse(t *testing.T) {
	m, err := load(t, tin)
	if err != nil {
		t.Fatal(err)
	}
	good := input(t, `{"kind":"IN","time":"20191107211856","gtin":"7613035982949","code":"c","serials":["A"],"order":"1","site":""}`)
	bad := input(t, `{"kind":"OUT","time":"20191107211856","gtin":"7613035982949","code":"c","serials":["é"]}`)
	want, err := m.Map(good, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if _, err := m.Map(bad, nil); hub.AsFault(err).Code != "gs1.serial" {
					t.Errorf("got %v", err)
				}
				got, err := m.Map(good, nil)
				if err != nil || !cmp.Equal(want.Events, got.Events) || !cmp.Equal(want.Master, got.Master) {
					t.Errorf("got %v, %v", got, err)
				}
				got.Release()
			}
		})
	}
	wg.Wait()
}

func TestFaultIsLocatedInTheSendersTerms(t *testing.T) {
	m, err := load(t, tin)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Map(input(t, `{"kind":"OUT","time":"x"}`), func(pointer string) hub.Where {
		return hub.Where{File: "tins.csv", Line: 7, Column: 3, Pointer: "column " + pointer[1:]}
	})
	want := `tins.csv:7:3 column time: "x" does not fit the layout "yyyyMMddHHmmss": four digits of the year expected at character 1: in events[0].eventTime, mapping m.yaml:15:21`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}
