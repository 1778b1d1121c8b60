package mapping_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
)

const withMaster = `version: 1
lookup:
  name: { master: product, value: name@zh }
  sites: { master: alias, value: id, provider: warehouse, default: https://id.gs1.org/414/9521321000018 }
  whole: { master: place }
events:
  - event:
      type: ObjectEvent
      eventTime: "2019-11-07T21:18:56+08:00"
      action: OBSERVE
      epcList: ["= sgtin(row.gtin, 'A1')"]
      readPoint: { id: "= lookup('sites', row.site)" }
      ilmd:
        example:name: "=? lookup('name', row.gtin)"
        example:street: "= lookup('whole', '9521321000018').street"
context: { example: https://ns.example.com/ }
`

// Lookups find what the connector's own provider has stated, in any form of the identity, or what a named one has.
func TestLookupsInMasterData(t *testing.T) {
	m, err := mapping.Load(fstest.MapFS{"m.yaml": {Data: []byte(withMaster)}}, "m.yaml")
	if err != nil {
		t.Fatal(err)
	}
	stated := map[string]map[string]string{
		"product https://id.gs1.org/01/07613035982949 brand": {"name@zh": "启赋"},
		"alias SH-1 warehouse":                               {"id": "https://id.gs1.org/414/9521321000024"},
		"alias SH-2 brand":                                   {"id": "https://id.gs1.org/414/9521321000031"},
		"place https://id.gs1.org/414/9521321000018 brand":   {"street": "1 Road"},
	}
	master := func(kind hub.StatementKind, id string, by hub.ProviderID) (map[string]string, error) {
		return stated[kind.String()+" "+id+" "+string(by)], nil
	}
	run := func(gtin, site string, master mapping.Master) (string, error) {
		out, err := m.Map(mapping.Input{Row: map[string]any{"gtin": gtin, "site": site}, Provider: "brand", Master: master}, nil)
		if err != nil {
			return hub.AsFault(err).Code, err
		}
		tree := out.Events[0].Tree()
		ilmd, _ := tree["ilmd"].(map[string]any)
		name, _ := ilmd["example:name"].(string)
		point, _ := tree["readPoint"].(map[string]any)
		id, _ := point["id"].(string)
		return name + " " + id, nil
	}
	for _, tc := range []struct{ gtin, site, want string }{
		{"7613035982949", "SH-1", "启赋 https://id.gs1.org/414/9521321000024"},
		{"07613035982949", "SH-2", "启赋 https://id.gs1.org/414/9521321000018"},
		{"9521321000018", "SH-1", " https://id.gs1.org/414/9521321000024"},
	} {
		if got, err := run(tc.gtin, tc.site, master); got != tc.want {
			t.Errorf("%s %s: %q, %v", tc.gtin, tc.site, got, err)
		}
	}
	delete(stated, "place https://id.gs1.org/414/9521321000018 brand")
	if got, err := run("7613035982949", "SH-1", master); got != "map.lookup" {
		t.Errorf("what nobody stated: %s, %v", got, err)
	}
	if got, err := run("7613035982949", "SH-1", nil); got != "map.lookup" {
		t.Errorf("without a hub: %s, %v", got, err)
	}
	// A default stands by for what is not stated, never for what cannot be read.
	broken := func(hub.StatementKind, string, hub.ProviderID) (map[string]string, error) {
		return nil, errors.New("disk")
	}
	if got, err := run("7613035982949", "SH-1", broken); got != "map.master" {
		t.Errorf("a store that cannot be read: %s, %v", got, err)
	}
}

func TestMappingTestsStateMasterData(t *testing.T) {
	tests := `master:
  - { product: 7613035982949, attributes: { name@zh: 启赋 } }
  - { alias: SH-1, provider: warehouse, attributes: { id: "https://id.gs1.org/414/9521321000024" } }
  - { place: 9521321000018, attributes: { street: 1 Road } }
cases:
  - name: found
    row: { gtin: 7613035982949, site: SH-1 }
    expect:
      events:
        - ilmd:
            example:name: 启赋
            example:street: 1 Road
          readPoint: { id: "https://id.gs1.org/414/9521321000024" }
`
	r, err := mapping.RunTests(fstest.MapFS{"m.yaml": {Data: []byte(withMaster)}, "m.test.yaml": {Data: []byte(tests)}}, "m.yaml", nil)
	if err != nil || !r.Passed() {
		t.Errorf("%v\n%s", err, r)
	}
}
