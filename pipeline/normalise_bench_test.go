package pipeline_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

// brandRow is the sample's brand record as `suyuan bench` has it.
const brandRow = `{"code":"123456000000001","gtin":"7613035982949","batch":"9121755841","madeOn":"2026-11-02 01:01:00","bestBefore":"2028-10-31",` +
	`"plantGln":"5391520850004","line":"L1","shift":"B","operator":"op-0001","cartonSscc":"05391520850000001","nameZh":"启赋有机幼儿配方奶粉3阶段",` +
	`"nameEn":"illuma organic formula stage 3","series":"启赋有机","packaging":"罐装","packSpec":"900 g × 6","origin":"IE",` +
	`"plant":"Wyeth Nutritionals Ireland, Askeaton plant","address":"Askeaton, Co. Limerick, Ireland","quality":{"fill":900.01,"seal":"ok",` +
	`"oxygen":0.01},"note":"printed by line printer, checked by camera, no remarks, packed in cases of six, stacked on pallets of one hundred and twenty cases"}`

// brand returns an instance of the brand's record; whole decodes all of it.
func brand(t testing.TB, whole bool) pipeline.Instance {
	t.Helper()
	m, err := mapping.Load(fstest.MapFS{"m.yaml": {Data: []byte(bench.Mapping)}}, "m.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := decode.New("json", nil)
	if err != nil {
		t.Fatal(err)
	}
	inst := pipeline.Instance{Decoder: d, Map: m.Map}
	if names, ok := m.Reads(); ok && !whole {
		inst.Reads = decode.NewNames(names)
	}
	return inst
}

// A record that is decoded as far as its mapping reads it means what it means whole, and is refused in the same words.
func TestAGlanceSeesTheSame(t *testing.T) {
	registry, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	var used hub.Outcome
	normalise := func(whole bool, body string) hub.Outcome {
		inst := brand(t, whole)
		if !whole && inst.Reads == nil {
			t.Fatal("the mapping does not say what it reads")
		}
		n := pipeline.NewNormaliser(func(hub.ConnectorID) (pipeline.Instance, bool) { return inst, true }, registry.ValidateEvent,
			func() time.Time { return received })
		env := &hub.Envelope{Connector: "brand", Provider: "wyeth", ReceivedAt: received, Origin: "file"}
		rec := &hub.Record{ID: "1", Body: []byte(body), Line: 3, Column: 1}
		o := pipeline.Normalised(n, env, rec)
		n.Normalise(env, rec, &used)
		for i := range o.Events {
			o.Events[i].Leaf.Salt, used.Events[i].Leaf.Salt = hub.Digest{}, hub.Digest{}
		}
		if diff := cmp.Diff(o, used, cmp.Comparer(func(a, b hub.Instant) bool { return a == b }), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%.60s in memory that was used: %s", body, diff)
		}
		return o
	}
	for _, body := range []string{
		brandRow, `{"code":"1"}`, `{"code":1,"gtin":"7613035982949","batch":"","madeOn":"x","bestBefore":null,"plantGln":"5391520850004"}`, `{`, `[]`,
		`{"cod":"1","gtin":"7613035982949","batch":"1","madeOn":"2026-11-02 01:01:00","bestBefore":"2028-10-31","plantGln":"5391520850004"}`,
	} {
		a, b := normalise(false, body), normalise(true, body)
		if (a.Dead == nil) != (b.Dead == nil) || a.Dead != nil && (a.Dead.Fault.Error() != b.Dead.Fault.Error() || a.Dead.Stage != b.Dead.Stage ||
			a.Dead.Fault.Where != b.Dead.Fault.Where || a.Dead.Fault.Hint != b.Dead.Fault.Hint) {
			t.Errorf("%.60s: %v, want %v", body, a.Dead, b.Dead)
		}
		if len(a.Events) != len(b.Events) || len(a.Events) > 0 && string(a.Events[0].Body) != string(b.Events[0].Body) {
			t.Errorf("%.60s: %v, want %v", body, a.Events, b.Events)
		}
	}
}

// BenchmarkNormaliseBrand is a record's whole way from its bytes to its outcome.
func BenchmarkNormaliseBrand(b *testing.B) {
	registry, err := schemas.Open()
	if err != nil {
		b.Fatal(err)
	}
	for name, whole := range map[string]bool{"decoded=whole": true, "decoded=read": false} {
		b.Run(name, func(b *testing.B) {
			inst := brand(b, whole)
			n := pipeline.NewNormaliser(func(hub.ConnectorID) (pipeline.Instance, bool) { return inst, true }, registry.ValidateEvent, time.Now)
			env := &hub.Envelope{Connector: "brand", Provider: "wyeth", ReceivedAt: received, Origin: "file"}
			rec := &hub.Record{ID: "1", Body: []byte(brandRow)}
			var o hub.Outcome
			b.ReportAllocs()
			for b.Loop() {
				if n.Normalise(env, rec, &o); o.Dead != nil {
					b.Fatal(o.Dead.Fault.Error())
				}
			}
		})
	}
}
