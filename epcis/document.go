package epcis

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/suyuan-io/suyuan/hub"
)

// Limits bound what reading a document may cost. Zero fields mean the defaults.
type Limits struct {
	// Event is the most bytes that one event may have; 1 MiB by default.
	Event int
	// Header is the most bytes that the parts of a document besides its events may have, and that events may be held
	// back when a JSON document states its @context after them; 16 MiB by default.
	Header int
}

func (l Limits) withDefaults() Limits {
	if l.Event <= 0 {
		l.Event = 1 << 20
	}
	if l.Header <= 0 {
		l.Header = 16 << 20
	}
	return l
}

// Header is what a document says besides its events.
type Header struct {
	// Format is "json" or "xml".
	Format string
	// Type is "EPCISDocument", "EPCISQueryDocument", the event's type for a bare event, or "" for a list of events.
	Type string
	// SchemaVersion, CreationDate, ID, Sender, Receiver and InstanceIdentifier are as stated, or empty.
	SchemaVersion, CreationDate, ID      string
	Sender, Receiver, InstanceIdentifier string
	// QueryName and SubscriptionID are those of a query document.
	QueryName, SubscriptionID string
	// Context is the context that the document gives its events.
	Context *Context
	// Preamble is what [ParseRecord] needs beside one event's bytes to read it alone; it is set while events are visited.
	Preamble []byte
	// master is the epcisMasterData object in its JSON form.
	master *node
}

// Item is one event of a document.
type Item struct {
	// Raw is the event byte for byte, Line and Column (from 1) where it begins, Pointer its JSON pointer or XPath.
	Raw          []byte
	Line, Column int
	Pointer      string
	// Header is what is known of the document so far. In JSON, epcisHeader may follow the events.
	Header *Header
	// parsed is the event when reading it took parsing it, as XML does.
	parsed *Event
}

// Event parses the event. A fault names its place in the document.
func (it Item) Event() (*Event, error) {
	if it.parsed != nil {
		return it.parsed, nil
	}
	e, err := ParseEvent(it.Raw, it.Header.Context)
	if err != nil {
		return nil, it.Locate(err)
	}
	return e, nil
}

// Locate turns the place within the event that a fault names into the place within the document.
func (it Item) Locate(err error) error {
	var f *hub.Fault
	if !errors.As(err, &f) {
		return err
	}
	moved := *f
	switch moved.Where.Line {
	case 0:
		moved.Where.Line, moved.Where.Column = it.Line, it.Column
	case 1:
		moved.Where.Line, moved.Where.Column = it.Line, it.Column+moved.Where.Column-1
	default:
		moved.Where.Line += it.Line - 1
	}
	moved.Where.Pointer = it.Pointer + moved.Where.Pointer
	return &moved
}

// ReadDocument reads a document of any size in bounded memory and calls visit for every event in turn. It takes JSON
// and XML, an EPCISDocument, an EPCISQueryDocument, one bare event, and, in JSON, an array of events or a sequence of
// values (NDJSON). Raw is only valid during the call; an error from visit ends the reading and is returned. The header
// is complete when ReadDocument returns without error.
func ReadDocument(r io.Reader, l Limits, visit func(Item) error) (*Header, error) {
	l = l.withDefaults()
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, readFault(err)
	}
	if isXML(head, br) {
		return readXML(br, l, visit)
	}
	d := &jsonDocument{jsonStream: newJSONStream(br, l), visit: visit, header: &Header{Format: "json"}}
	if err := d.read(); err != nil {
		return nil, err
	}
	return d.header, nil
}

// isXML reports whether a document begins like XML, in UTF-8 or UTF-16.
func isXML(head []byte, br *bufio.Reader) bool {
	if bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}) ||
		bytes.HasPrefix(head, []byte{'<', 0}) || bytes.HasPrefix(head, []byte{0, '<'}) {
		return true
	}
	head, _ = br.Peek(512)
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(head) > 0 && head[0] == '<'
}
