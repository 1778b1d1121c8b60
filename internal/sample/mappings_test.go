package sample_test

import (
	"bytes"
	"io/fs"
	"testing"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/sample"
)

// Every mapping of the sample has tests beside it, they pass, and they reach every branch.
func TestTheTestsBesideTheMappingsReachEveryBranch(t *testing.T) {
	formats := map[string][2]string{
		"brand-codes": {"json", ""}, "customs": {"xml", "split: /Manifest/Movement"}, "retail-logistics": {"json", ""},
		"wms-inbound": {"edifact", ""}, "wms-outbound": {"csv", "{encoding: gb18030, header: true}"},
	}
	all, err := fs.Glob(sample.Files(), "mappings/*.yaml")
	if err != nil || len(all) != 2*len(formats) {
		t.Fatalf("%d files beside mappings/, want a mapping and its tests of %d: %v", len(all), len(formats), err)
	}
	for name, f := range formats {
		t.Run(name, func(t *testing.T) {
			d, err := decode.New(f[0], []byte(f[1]))
			if err != nil {
				t.Fatal(err)
			}
			r, err := mapping.RunTests(sample.Files(), "mappings/"+name+".yaml", decodeWith(d))
			if err != nil {
				t.Fatal(err)
			}
			if !r.Passed() || len(r.Unreached) > 0 {
				t.Errorf("\n%s", r)
			}
		})
	}
}

// decodeWith decodes a test's input as the hub decodes what a connector reads.
func decodeWith(d decode.Decoder) mapping.Decode {
	return func(body []byte) ([]mapping.Record, error) {
		var out []mapping.Record
		err := decode.All(d, bytes.NewReader(body), func(p connectors.Piece, t decode.Tree) error {
			out = append(out, mapping.Record{Row: t.Value, Locate: func(pointer string) hub.Where { return decode.Shift(t.Locate(pointer), p) }})
			return nil
		})
		return out, err
	}
}
