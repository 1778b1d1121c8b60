package decode

import (
	"io"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// Decoder reads one format with one instance's settings: it cuts an item into records, and it turns one record into a
// tree. Both are pure and safe for concurrent use.
type Decoder interface {
	connectors.Splitter
	// Decode turns a record into its tree. A fault names the place in the record's own terms: line and column are
	// relative to the body, the caller adds where the body began. The bytes are the caller's, who uses their memory again for other
	// records: nothing of them is kept, but by Locate.
	Decode(preamble, body []byte) (Tree, error)
}

// Tree is a decoded record: map[string]any, []any, string, json.Number, bool or nil, never anything else, so that
// every format looks alike to a mapping.
type Tree struct {
	Value any
	// Locate turns a JSON pointer into Value into the place in the record's bytes that it came from: line and column,
	// and the pointer in the format's own terms (an XPath, an EDI segment path, a CSV column name). It is called only to
	// explain a fault, so it may scan the record again.
	Locate func(pointer string) hub.Where
	// names is where the memory of Value goes that was picked.
	names *Names
}

// Release gives the memory of a picked tree back, for the next to use: Value may not be used after it, what stands in it may.
// Without it the collector does the same work.
func (t Tree) Release() {
	if t.names == nil {
		return
	}
	if value, ok := t.Value.(map[string]any); ok {
		clear(value)
		t.names.trees.Put(value)
	}
}

// Format is one row of the table of formats.
type Format struct {
	// Name is the key under "decode:" in an instance file: "csv", "xml", "edifact".
	Name string
	// Summary is one line for the list of formats.
	Summary string
	// Detect says how sure the format is that head, the first bytes of an item, is its own: 0 no, 100 certain.
	Detect func(head []byte) int
	// New builds the decoder from the settings under the name, as YAML; nil settings are the defaults.
	New func(settings []byte) (Decoder, error)
}

// All decodes every record of r in order, for the CLI and for tests.
func All(d Decoder, r io.Reader, yield func(connectors.Piece, Tree) error) error {
	return d.Split(r, func(p connectors.Piece) error {
		t, err := d.Decode(p.Preamble, p.Body)
		if err != nil {
			return err
		}
		return yield(p, t)
	})
}
