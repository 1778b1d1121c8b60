package hub

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// ProviderID names the party whose statements these are, such as "shanghai-bonded-wms".
type ProviderID string

// ConnectorID names a connector instance. It owns the instance's position, metrics and dead letters.
type ConnectorID string

// CheckName returns a fault when s cannot be a provider or connector id: both stand unescaped in URLs, subjects, file names
// and JCS.
func CheckName(s string) error {
	if isName(s) {
		return nil
	}
	return Faultf(Invalid, "name.invalid", "%q is not a name", s).
		WithHint("use 1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit")
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || i == 0) {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 63
}

// RecordID is the deterministic identity of one raw record within its connector: the provider's own event id, file
// digest and row, or primary key and version. The same record read twice has the same id.
type RecordID string

// Position is how far a source has been read. Only the source that made it understands it.
type Position string

// Envelope is one entry of the raw stream: records of one connector instance, byte for byte as they arrived.
type Envelope struct {
	Connector ConnectorID
	Provider  ProviderID
	// ReceivedAt is when the hub took the records, in UTC.
	ReceivedAt time.Time
	// ContentType is the media type that the sender stated or the decoder's format stands for; it may be empty.
	ContentType string
	// Origin is where the records came from in the owner's words: a file's name, a table, a request path.
	Origin string
	// Preamble is what precedes the records in their source and is needed to read one alone: a CSV header, an
	// interchange's UNA and UNB segments, the start tags around an XML element, an EPCIS document without its events.
	Preamble []byte
	Records  []Record
	// TraceParent continues the W3C trace of the request or poll that brought the records; it may be empty.
	TraceParent string
}

// Record is one raw record: the unit that is mapped, has a verdict, and can be a dead letter.
type Record struct {
	ID RecordID
	// Body is the record byte for byte.
	Body []byte
	// Line and Column are where Body begins in its source, counted from 1; 0 when the source has no lines.
	Line, Column int
	// Attempt is 0 for what a source delivered and counts up with every replay of a dead letter.
	Attempt int
	// Refused is set when the host could not take the record whole, such as one over the instance's limit: Body is then
	// only its beginning, and the record becomes a dead letter of stage "receive" with this fault, never an event. The
	// fault has no cause.
	Refused *Fault
}

// RawDigest is the digest that the leaf record states for a record: SHA-256 over the length of the preamble as 8 bytes
// big-endian, the preamble, and the body.
func RawDigest(preamble, body []byte) Digest {
	h := sha256.New()
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(preamble)))
	h.Write(size[:])
	h.Write(preamble)
	h.Write(body)
	var d Digest
	h.Sum(d[:0])
	return d
}

// RecordRef names one record in the whole hub.
type RecordRef struct {
	Connector ConnectorID `json:"connector"`
	ID        RecordID    `json:"id"`
}

// String returns "connector/id".
func (r RecordRef) String() string { return string(r.Connector) + "/" + string(r.ID) }
