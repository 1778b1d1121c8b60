package sample_test

import (
	"bytes"
	"io/fs"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/sample"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

// The sample's mappings take every record of the sample's data.
func TestEveryRecordOfTheSampleBecomesEvents(t *testing.T) {
	registry, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, data, format, settings string
		events                       int
	}{
		{"customs", "data/customs-manifest.xml", "xml", "split: /Manifest/Movement", 2},
		{"wms-inbound", "data/wms-recadv.edi", "edifact", "", 2},
		{"wms-outbound", "data/wms-outbound.csv", "csv", "{encoding: gb18030, header: true}", 3},
		{"retail-logistics", "data/webhooks.ndjson", "ndjson", "", 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := decode.New(c.format, []byte(c.settings))
			if err != nil {
				t.Fatal(err)
			}
			m, err := mapping.Load(sample.Files(), "mappings/"+c.name+".yaml")
			if err != nil {
				t.Fatal(err)
			}
			data, err := fs.ReadFile(sample.Files(), c.data)
			if err != nil {
				t.Fatal(err)
			}
			inst := pipeline.Instance{Decoder: d, Map: m.Map}
			n := pipeline.NewNormaliser(func(hub.ConnectorID) (pipeline.Instance, bool) { return inst, true }, registry.ValidateEvent, time.Now)
			events := 0
			err = d.Split(bytes.NewReader(data), func(p connectors.Piece) error {
				env := &hub.Envelope{Connector: hub.ConnectorID(c.name), Provider: "p", Preamble: p.Preamble, Records: []hub.Record{{ID: "r", Body: p.Body}}}
				out := pipeline.Normalised(n, env, &env.Records[0])
				if out.Dead != nil {
					t.Errorf("dead letter: %v", &out.Dead.Fault)
				}
				events += len(out.Events)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if events != c.events {
				t.Errorf("%d events, want %d", events, c.events)
			}
		})
	}
}
