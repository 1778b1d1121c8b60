package connectors

import (
	"context"
	"io"
	"net/http"

	"github.com/suyuan-io/suyuan/hub"
)

// Item is what a source or receiver hands over: a file, a message, a row, a request body. The host splits it into
// records with the instance's decoder.
type Item struct {
	// ID is the item's deterministic identity within its connector; the same item read twice has the same id. Records
	// that the decoder splits off get "ID#n", counted from 1; an item that is one record keeps ID.
	ID string
	// Origin is where it came from in the owner's words: a file's name, a table, a topic.
	Origin string
	// ContentType is the media type as stated, or empty.
	ContentType string
	// Body is the item byte for byte; its records are parts of it, so it must not be changed afterwards. Open replaces it
	// when the item may be too large for memory; exactly one is set.
	Body []byte
	Open func() (io.ReadCloser, error)
	// Position is where reading resumes after this item; empty from a receiver.
	Position hub.Position
	// Token is the driver's own handle for Settle; the host does not look inside.
	Token any
}

// Source reads a place that has a position: a directory, a table, a topic, a feed. It does one thing a call and never
// retries, sleeps, schedules or logs: the host does. Methods are called from one goroutine at a time.
type Source interface {
	// Next returns the next item after the position that the source was opened with, in a stable order. It returns
	// io.EOF when there is nothing now (the host waits for the instance's interval and calls again), a fault of kind
	// Unavailable for a passing condition (the host backs off and opens the source anew), and any other error when only
	// a person can help. It may block until ctx is done. Next may run ahead: items before the last Settle come again
	// after a crash.
	Next(ctx context.Context) (Item, error)
	// Settle tells the upstream what became of an item: nil after its records are durable and the position is stored
	// (move to the archive, commit the offset, acknowledge), an error when the item cannot be taken (move aside). It is
	// called once an item, in order, and must be idempotent: after a crash it is called again for the same item.
	Settle(ctx context.Context, item Item, refused error) error
	// Close releases what the source holds. It does not settle.
	Close() error
}

// Receiver takes what is pushed to it over HTTP.
type Receiver interface {
	// Receive authenticates and reads one request and returns what it brought, without writing an answer. The body is
	// limited already. Faults: Unauthorized for a bad signature, Invalid, TooLarge, Unsupported. It may be called
	// concurrently.
	Receive(r *http.Request) (Reception, error)
}

// TokenIssuer is a [Receiver] whose senders first fetch a token from /in/ID/token.
type TokenIssuer interface {
	// Token answers one request for a token; what the protocol calls an error is an answer too. NotFound when the instance
	// gives no tokens. The body is limited already. It may be called concurrently.
	Token(r *http.Request) (Answer, error)
}

// Reception is one authenticated request.
type Reception struct {
	Items []Item
	// Answer is written once the items are durable. The zero Answer is the host's own: 202 and the record ids as JSON.
	Answer Answer
}

// Answer is an HTTP answer that a sender's protocol asks for.
type Answer struct {
	Status      int
	ContentType string
	Header      http.Header
	Body        []byte
}

// Publisher makes envelopes durable.
type Publisher interface {
	// Publish returns once every envelope is durable in the raw stream: synced to disk under the default setting. It
	// blocks meanwhile, groups concurrent calls into one sync, and is safe for concurrent use. It does not retry; a fault
	// of kind Unavailable means that nothing is known to be durable and the same envelopes may be published again: the
	// records' ids make that harmless.
	Publish(ctx context.Context, envelopes ...hub.Envelope) error
}

// Positions keeps how far each instance has read.
type Positions interface {
	// Position returns the stored position, or "" for an instance that never stored one.
	Position(ctx context.Context, id hub.ConnectorID) (hub.Position, error)
	// SavePosition stores it durably before it returns.
	SavePosition(ctx context.Context, id hub.ConnectorID, p hub.Position) error
}

// Splitter cuts an item into records. It streams: one record is held at a time.
type Splitter interface {
	// Split calls yield for each record in order until yield returns an error, which Split then returns. The preamble is
	// the same for all records that one call of yield names and must not be changed afterwards. When the input cannot be
	// split further, Split returns a fault; the host then takes the rest, or the whole item if nothing was split, as one
	// record, so that nothing is lost and the pipeline's decode gives the reason.
	Split(r io.Reader, yield func(Piece) error) error
}

// Piece is one record as cut from its item.
type Piece struct {
	// Preamble as in [hub.Envelope].
	Preamble []byte
	// Body must not be changed afterwards. It may be part of the item where the reader holds that in memory.
	Body []byte
	// Line and Column are where Body begins in the item, from 1; 0 when unknown.
	Line, Column int
}
