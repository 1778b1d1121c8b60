package mapping_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/epcis/gs1"
)

// brand is the record of the sample consortium's brand as its database gives it, and its mapping.
const brand = `version: 1
timezone: "+08:00"
context: { example: https://ns.example.com/ }
lookup:
  sites: { table: { ASK: "7613035000001" } }
events:
  - when: "= row.event == 'PACKED'"
    event:
      type: ObjectEvent
      eventTime: "= ts(row.time, 'yyyy-MM-dd HH:mm:ss')"
      action: OBSERVE
      bizStep: packing
      disposition: in_progress
      epcList: [ "= sgtin(row.gtin, row.serial)" ]
      quantityList:
        - { epcClass: "= lgtin(row.gtin, row.lot)", quantity: "= row.qty", uom: KGM }
      readPoint: { id: "= sgln(lookup('sites', row.site))" }
      bizLocation: { id: "= sgln(lookup('sites', row.site))" }
      bizTransactionList:
        - { type: po, bizTransaction: "= 'urn:example:po:' + row.order" }
      example:traceCode: "= trim(row.code)"
      ilmd: { "cbvmda:lotNumber": "= row.lot", "cbvmda:itemExpirationDate": "= date(row.expiry, 'yyyyMMdd')" }
`

const brandRow = `{"event":"PACKED","time":"2019-11-07 21:40:09","gtin":"7613035982949","serial":"02130081810167359142","lot":"9121755841",
	"qty":0.9,"site":"ASK","order":"2019110718134300","code":" 02130081810167359142","expiry":"20210430"}`

// byHand is the same mapping as a Go programmer would write it.
func byHand(row map[string]any) (map[string]any, error) {
	get := func(key string) string { s, _ := row[key].(string); return s }
	item, err := gs1.SGTIN(get("gtin"), get("serial"))
	if err != nil {
		return nil, err
	}
	class, err := gs1.LGTIN(get("gtin"), get("lot"))
	if err != nil {
		return nil, err
	}
	sites := map[string]string{"ASK": "7613035000001"}
	place, err := gs1.SGLN(sites[get("site")], "")
	if err != nil {
		return nil, err
	}
	at, expiry, code := get("time"), get("expiry"), get("code")
	if len(at) != 19 || len(expiry) != 8 {
		return nil, fmt.Errorf("bad time %q", at)
	}
	return map[string]any{
		"@context": []any{map[string]any{"example": "https://ns.example.com/"}},
		"type":     "ObjectEvent", "eventTime": at[:10] + "T" + at[11:] + "+08:00", "eventTimeZoneOffset": "+08:00", "action": "OBSERVE",
		"bizStep": "packing", "disposition": "in_progress", "epcList": []any{item},
		"quantityList":       []any{map[string]any{"epcClass": class, "quantity": row["qty"], "uom": "KGM"}},
		"readPoint":          map[string]any{"id": place},
		"bizLocation":        map[string]any{"id": place},
		"bizTransactionList": []any{map[string]any{"type": "po", "bizTransaction": "urn:example:po:" + get("order")}},
		"example:traceCode":  code[1:],
		"ilmd":               map[string]any{"cbvmda:lotNumber": get("lot"), "cbvmda:itemExpirationDate": expiry[:4] + "-" + expiry[4:6] + "-" + expiry[6:]},
	}, nil
}

func brandMapping(tb testing.TB) (*mapping.Mapping, mapping.Input) {
	tb.Helper()
	m, err := mapping.Load(mapFS("m.yaml", brand), "m.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	var row any
	if row, err = decodeJSON(brandRow); err != nil {
		tb.Fatal(err)
	}
	return m, mapping.Input{Row: row, Provider: "brand", Connector: "brand-qr", RecordID: "1"}
}

func TestMappingEqualsHandWritten(t *testing.T) {
	m, in := brandMapping(t)
	out, err := m.Map(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	row, _ := in.Row.(map[string]any)
	want, err := byHand(row)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]map[string]any{want}, trees(out)); d != "" {
		t.Error(d)
	}
}

// trees are the events of an output as plain data.
func trees(out mapping.Output) []map[string]any {
	list := make([]map[string]any, len(out.Events))
	for i, e := range out.Events {
		list[i] = e.Tree()
	}
	return list
}

// BenchmarkBrandRecord compares the engine with a hand-written mapping in one run.
func BenchmarkBrandRecord(b *testing.B) {
	m, in := brandMapping(b)
	row, _ := in.Row.(map[string]any)
	b.Run("mapping", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Map(in, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := byHand(row); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("absent", func(b *testing.B) {
		b.ReportAllocs()
		delete(row, "serial")
		for b.Loop() {
			if _, err := m.Map(in, nil); err == nil {
				b.Fatal("no fault")
			}
		}
	})
}
