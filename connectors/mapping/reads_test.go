package mapping_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/suyuan-io/suyuan/connectors/mapping"
)

// What a mapping reads is told from its expressions; where one may read anything, nothing is told.
func TestReads(t *testing.T) {
	for _, c := range []struct {
		lets  string
		reads []string
		ok    bool
	}{
		{"x: \"= row.a + row['b c']\"", []string{"a", "b c", "time"}, true},
		{"x: \"= row.a.b[row.n]\"", []string{"a", "n", "time"}, true},
		{"x: \"= row.list?.first ?? row?.other\"", []string{"list", "other", "time"}, true},
		{"x: \"= map(row.list, #.row)\"", []string{"list", "time"}, true},
		{"x: \"= row[row.name]\"", []string{"name", "time"}, false},
		{"x: \"= 'k' in row\"", []string{"time"}, false},
		{"x: \"= let r = row; r.a\"", []string{"time"}, false},
	} {
		m, err := mapping.Load(fstest.MapFS{"m.yaml": {Data: []byte("version: 1\nlet:\n  " + c.lets + "\nevents:\n  - event:\n      type: ObjectEvent\n      action: ADD\n" +
			"      eventTime: \"= row.time\"\n      epcList: [\"= row.time\"]\n")}}, "m.yaml")
		if err != nil {
			t.Fatalf("%s: %v", c.lets, err)
		}
		if reads, ok := m.Reads(); ok != c.ok || !slices.Equal(reads, c.reads) {
			t.Errorf("%s: %v %v, want %v %v", c.lets, reads, ok, c.reads, c.ok)
		}
	}
}
