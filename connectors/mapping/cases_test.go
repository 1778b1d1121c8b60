package mapping_test

import (
	"bytes"
	"encoding/csv"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/schemas"
)

// csvRecords is a decoder for tests.
func csvRecords(body []byte) ([]mapping.Record, error) {
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, hub.Faultf(hub.Invalid, "decode.csv", "no CSV").Because(err)
	}
	var out []mapping.Record
	for i, row := range rows[1:] {
		tree := map[string]any{}
		for j, name := range rows[0] {
			tree[name] = row[j]
		}
		out = append(out, mapping.Record{Row: tree, Locate: func(p string) hub.Where { return hub.Where{File: "in.csv", Line: i + 2, Pointer: p} }})
	}
	return out, nil
}

const wms = `version: 1
timezone: "+08:00"
skip:
  - when: "= row.kind == 'TOTAL'"
    reason: the totals row
events:
  - when: "= row.kind == 'OUT'"
    event:
      type: ObjectEvent
      eventTime: "= ts(row.time)"
      action: OBSERVE
      bizStep: shipping
      epcList: [ "= sgtin(row.gtin, row.serial)" ]
      readPoint: { id: "=? sgln(row.site)" }
  - when: "= row.kind == 'IN'"
    event: { type: ObjectEvent, eventTime: "= ts(row.time)", action: OBSERVE, epcList: [ "= sscc(row.serial)" ] }
`

func TestRunTestsPassesAndFindsWhatNoCaseReaches(t *testing.T) {
	tests := `cases:
  - name: outbound
    input: |
      kind,time,gtin,serial,site
      OUT,20191107211856,7613035982949,A1,
    expect:
      events:
        - eventTime: 2019-11-07T21:18:56+08:00
          bizStep: shipping
          readPoint: null
          epcList: [ https://id.gs1.org/01/07613035982949/21/A1 ]
  - name: exactly
    row: { kind: OUT, time: 20191107211856, gtin: 7613035982949, serial: A1, site: "" }
    expect:
      exact: true
      events:
        - { type: ObjectEvent, eventTime: "2019-11-07T21:18:56+08:00", eventTimeZoneOffset: "+08:00", action: OBSERVE, bizStep: shipping,
            epcList: [ https://id.gs1.org/01/07613035982949/21/A1 ] }
  - name: totals are skipped
    file: totals.csv
    record: 2
    expect: { skipped: the totals row }
  - name: bad check digit
    file: totals.csv
    record: 1
    expect: { fault: gs1.check-digit, at: in.csv:2 /gtin, message: 应为 9 }
`
	files := mapFS("maps/wms.yaml", wms, "maps/wms.test.yaml", tests, "maps/totals.csv", "kind,time,gtin,serial,site\nOUT,20191107211856,7613035982948,A1,\nTOTAL,,,,\n")
	r, err := mapping.RunTests(files, "maps/wms.yaml", csvRecords)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed() || len(r.Cases) != 4 {
		t.Errorf("\n%s", r)
	}
	var never []string
	for _, b := range r.Unreached {
		never = append(never, b.Kind+" "+b.Target)
	}
	want := []string{"leaf events[0].readPoint.id", "when events[1]", "leaf events[1].eventTime", "leaf events[1].epcList[0]", "event events[1]"}
	if d := cmp.Diff(want, never); d != "" {
		t.Error(d)
	}
}

func TestRunTestsShowsTheDifference(t *testing.T) {
	tests := `cases:
  - row: { kind: OUT, time: 20191107211856, gtin: 7613035982949, serial: A1, site: "" }
    expect: { events: [ { bizStep: receiving, action: OBSERVE }, { type: ObjectEvent } ] }
  - row: { kind: OUT, time: "", gtin: 7613035982949, serial: A1, site: "" }
    expect: { events: [ {} ] }
  - row: { kind: OUT, time: 20191107211856, gtin: 7613035982949, serial: A1, site: "" }
    expect: { fault: map.time }
  - row: { kind: TOTAL }
    expect: { fault: map.time, events: [] }
  - row: { kind: OTHER }
    expect: { skipped: yes }
`
	r, err := mapping.RunTests(mapFS("wms.yaml", wms, "wms.test.yaml", tests), "wms.yaml", csvRecords)
	if err != nil {
		t.Fatal(err)
	}
	if r.Failures() != 5 {
		t.Errorf("%d failures", r.Failures())
	}
	for i, want := range []string{"-     bizStep: receiving\n-   - type: ObjectEvent\n+     bizStep: shipping", "+ fault: map.missing", "- fault: map.time", "+ skipped: the totals row", "+ fault: map.nothing"} {
		if !strings.Contains(r.Cases[i].Diff, want) {
			t.Errorf("case %d lacks %q:\n%s", i, want, r.Cases[i].Diff)
		}
	}
}

func TestBrokenTestFileIsExplained(t *testing.T) {
	tests := "cases:\n  - name: x\n    row: {}\n    input: y\n    expectt: {}\n  - input: a\n    expect: { event: [] }\n"
	_, err := mapping.RunTests(mapFS("wms.yaml", wms, "wms.test.yaml", tests), "wms.yaml", csvRecords)
	got := mapping.Explain(nil, err, mapping.English)
	for _, want := range []string{`did you mean "expect"?`, `did you mean "events"?`, "a case has one of input:"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
}

func TestPreviewTellsWhatChanges(t *testing.T) {
	m1, err := load(t, wms)
	if err != nil {
		t.Fatal(err)
	}
	m2, err := load(t, strings.ReplaceAll(wms, "bizStep: shipping", "bizStep: departing"))
	if err != nil {
		t.Fatal(err)
	}
	out := input(t, `{"kind":"OUT","time":"20191107211856","gtin":"7613035982949","serial":"A1","site":""}`)
	c := mapping.Preview(m1, m2, out, false)
	if c.Kind != "changed" || !strings.Contains(c.Text, "-     bizStep: shipping\n+     bizStep: departing\n") {
		t.Errorf("%+v", c)
	}
	if c := mapping.Preview(m1, m1, out, true); c.Kind != "same" || c.Text != "" {
		t.Errorf("%+v", c)
	}
	if c := mapping.Preview(nil, m1, out, true); c.Kind != "new" || !strings.Contains(c.Text, "\x1b[32m+ events:") {
		t.Errorf("%+v", c)
	}
}

func TestScaffoldPassesItsOwnTest(t *testing.T) {
	for name, tc := range map[string]struct {
		row  string
		want []string
	}{
		"csv":     {`{"Kind":"OUT","Ship Time":"07.11.2019 21:18","EAN":"7613035982949","Lot No":"9121755841","Qty":"6","Warehouse GLN":"7613035000001","品名":"启赋","PO":"1 2"}`, []string{"lgtin(row.EAN, row['Lot No'])", "dd.MM.yyyy HH:mm", "sgln(row['Warehouse GLN'])"}},
		"lines":   {`{"head":{"createdAt":"2019-11-07T21:18:56Z"},"lines":[{"gtin":"7613035982949","serialNo":"A"},{"gtin":"7613035982949","serialNo":"B"}]}`, []string{"each: \"= row.lines\"", "sgtin(item.gtin, item.serialNo)"}},
		"edifact": {`{"segments":[{"tag":"BGM","elements":[["351"],["D1"]]},{"tag":"DTM","elements":[["137","201911072118","203"]]},{"tag":"GIN","elements":[["BJ"],["376130350000000001"]]}]}`, []string{"dtm(row, '137')"}},
		"nothing": {`{"it's":"a \"b\" \\ c","n":1.50,"o":{"deep":{"er":true}},"l":[1,2]}`, []string{"meta.receivedAt"}},
		"scalar":  {`"text"`, []string{"hash(meta.recordID)"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, tests, err := mapping.Scaffold(mapping.Sample{Name: "s", Row: tree(t, tc.row)})
			if err != nil {
				t.Fatal(err)
			}
			r, err := mapping.RunTests(mapFS("s.yaml", string(m), "s.test.yaml", string(tests)), "s.yaml", nil)
			if err != nil || !r.Passed() || len(r.Cases) != 1 {
				t.Fatalf("%v\n%s\n%s\n%s", err, r, m, tests)
			}
			checkEPCIS(t, mapFS("s.yaml", string(m)), "s.yaml", tree(t, tc.row))
			for _, want := range tc.want {
				if !strings.Contains(string(m), want) {
					t.Errorf("lacks %q:\n%s", want, m)
				}
			}
		})
	}
}

// checkEPCIS holds the events of a mapping against the standard's schema.
func checkEPCIS(t *testing.T, files fs.FS, name string, row any) {
	t.Helper()
	m, err := mapping.Load(files, name)
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Map(mapping.Input{Row: row, RecordID: "r"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range out.Events {
		e, err := epcis.FromMembers(tree, nil)
		if err != nil {
			t.Fatal(err)
		}
		e.SetID("urn:uuid:4fd35a71-71ef-5a55-a9d9-aa75c889a6d0")
		body, err := e.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		if err := registry.ValidateEvent(body); err != nil {
			t.Errorf("%v\n%s", err, body)
		}
	}
}
