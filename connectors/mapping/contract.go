package mapping

import (
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// Input is one decoded record and what is known of it.
type Input struct {
	// Row is the decoded tree (see decode.Tree).
	Row any
	// Provider, Connector, RecordID, Origin and ReceivedAt are offered to expressions as meta.provider and so on.
	Provider   hub.ProviderID
	Connector  hub.ConnectorID
	RecordID   hub.RecordID
	Origin     string
	ReceivedAt time.Time
	// Master finds master data for lookups; nil where there is none, as in a preview.
	Master Master
}

// Master returns what a provider has stated of a thing, nil if nothing; id is as in [hub.Statement]. An error ends the
// record: the caller has tried again for as long as it wants to.
type Master func(kind hub.StatementKind, id string, by hub.ProviderID) (map[string]string, error)

// Output is what one record means. A record that means nothing on purpose has only Skipped; any other has at least one
// event or statement.
type Output struct {
	// Events are EPCIS 2.0 JSON event trees, with "type" and the standard's own field names. They have no eventID unless the
	// mapping gave one: the pipeline assigns a deterministic one from the record. An event whose fields or values use
	// prefixes of the mapping's context: has them under "@context". The members themselves are the caller's; what is nested
	// in them may be shared between records and with the row, and must not be changed.
	Events []epcis.Members
	// Master is the master data that the record states; Provider and StatedAt are filled in.
	Master []hub.Statement
	// Skipped is the reason that the mapping's skip: gives for a record that means nothing.
	Skipped string

	room *room // of the events' members
}

// Release gives the memory of the events back, for the next to use: they may not be used after it. Without it the collector does
// the same work.
func (o Output) Release() {
	if o.room != nil {
		o.room.release()
	}
}
