package relational

import (
	"fmt"

	"github.com/suyuan-io/suyuan/store/internal/body"
)

// Where a column of a text may hold bytes, event ids and event hashes of the usual form are stored as the 16 and 32 bytes that
// they are; any other stays a text, and so does what an older release stored.

// eventID is an event id as a column holds it.
type eventID string

// compactID is what is stored of an event id.
func compactID(id string) any {
	if u, ok := body.ID(id); ok {
		return u[:]
	}
	return id
}

// Scan implements [database/sql.Scanner].
func (id *eventID) Scan(from any) error {
	switch v := from.(type) {
	case string:
		*id = eventID(v)
	case []byte:
		if len(v) != 16 {
			return fmt.Errorf("read event id: it has %d bytes", len(v))
		}
		*id = eventID(body.IDText([16]byte(v)))
	default:
		return fmt.Errorf("read event id: it is %T", from)
	}
	return nil
}

// eventHash is an event hash as a column holds it.
type eventHash string

// compactHash is what is stored of an event hash.
func compactHash(hash string) any {
	if b, ok := body.Hash(hash); ok {
		return b[:]
	}
	return hash
}

// Scan implements [database/sql.Scanner].
func (h *eventHash) Scan(from any) error {
	switch v := from.(type) {
	case string:
		*h = eventHash(v)
	case []byte:
		if len(v) != 32 {
			return fmt.Errorf("read event hash: it has %d bytes", len(v))
		}
		*h = eventHash(body.HashText([32]byte(v)))
	default:
		return fmt.Errorf("read event hash: it is %T", from)
	}
	return nil
}
