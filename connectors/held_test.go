package connectors_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/hub"
)

// An item in memory, whose records are parts of it, is cut into the very records into which it is cut when it is read; and
// what cannot be split is its last record.
func TestItemsInMemoryAreCutAlike(t *testing.T) {
	for name, c := range map[string]struct{ format, settings, item string }{
		"batch":            {"json", "split: /records", `{"n":1,"records":[{"a":1}, {"a":"二"},` + "\n" + `{"a":3}],"more":[]}`},
		"truncated batch":  {"json", "split: /records", `{"records":[{"a":1},` + "\n" + `{"a":2},{"a":`},
		"two texts":        {"json", "", "{\"a\":1}\n{\"a\":2}"},
		"lines":            {"ndjson", "", "{\"a\":1}\r\n\n  {\"a\":2}  \n{\"a\":3}"},
		"rows":             {"csv", "", "a,b\n1,2\n\"x\ny\",3\r\n4,5"},
		"elements":         {"xml", "split: /l/e", "<l><e>1</e>\n<e>2</e><x/></l>"},
		"broken elements":  {"xml", "split: /l/e", "<l><e>1</e>\n<e>2</e><e>3"},
		"fixed":            {"fixed", "columns: [{ name: a, width: 1 }, { name: b, width: 2 }]", "abb\ncdd\n"},
		"nothing":          {"ndjson", "", ""},
		"byte order mark":  {"json", "split: /r", "\xef\xbb\xbf{\"r\":[1,2]}"},
		"packed":           {"ndjson", "", "\x1f\x8b\x08 this is no gzip"},
		"over the limit":   {"ndjson", "", "{\"a\":1}\n\"" + strings.Repeat("x", 2000) + "\"\n{\"a\":2}"},
		"over it at once":  {"json", "", `"` + strings.Repeat("x", 5000) + `"`},
		"unsplittable big": {"json", "split: /records", `{"records":[1,2 ` + strings.Repeat("x", 5000)},
	} {
		synctest.Test(t, func(t *testing.T) {
			d, err := decode.New(c.format, []byte(c.settings))
			if err != nil {
				t.Fatal(err)
			}
			cut := func(item connectors.Item) []hub.Record {
				stream, s := &connectortest.Stream{}, &shop{items: []connectors.Item{item}}
				inst := s.instance()
				inst.Splitter = d
				h := start(t, stream, &connectortest.Shelf{}, inst)
				defer h.Close()
				synctest.Wait()
				return stream.Records()
			}
			body := []byte(c.item)
			held := cut(connectors.Item{ID: "i", Body: body})
			read := cut(connectors.Item{ID: "i", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(c.item)), nil }})
			if len(held) == 0 && c.item != "" {
				t.Errorf("%s: no records", name)
			}
			// How much of a record over the limit was seen is in its fault's words.
			if diff := cmp.Diff(read, held, cmpopts.IgnoreFields(hub.Fault{}, "Message", "MessageZh")); diff != "" {
				t.Errorf("%s in memory:\n%s", name, diff)
			}
			if !bytes.Equal(body, []byte(c.item)) {
				t.Errorf("%s: the item was changed", name)
			}
		})
	}
}
