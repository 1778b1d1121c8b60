package relational

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Most event ids are UUIDs and most event hashes of one form. Where a column of a text may hold bytes, they are stored as the
// 16 and 32 bytes that they are; any other stays a text, and so does what an older release stored.

const (
	uuidPrefix = "urn:uuid:"
	// The form of an event hash (CBV 2.0, section 8.9): 64 hexadecimal digits stand between.
	hashPrefix, hashSuffix = "ni:///sha-256;", "?ver=CBV2.0"
	hashBytes              = 32
)

// eventID is an event id as a column holds it.
type eventID string

// compactID is what is stored of an event id.
func compactID(id string) any {
	rest, ok := strings.CutPrefix(id, uuidPrefix)
	if !ok {
		return id
	}
	u, err := uuid.Parse(rest)
	if err != nil || u.String() != rest {
		return id
	}
	return u[:]
}

// Scan implements [database/sql.Scanner].
func (id *eventID) Scan(from any) error {
	switch v := from.(type) {
	case string:
		*id = eventID(v)
	case []byte:
		u, err := uuid.FromBytes(v)
		if err != nil {
			return fmt.Errorf("read event id: %w", err)
		}
		*id = eventID(uuidPrefix + u.String())
	default:
		return fmt.Errorf("read event id: it is %T", from)
	}
	return nil
}

// eventHash is an event hash as a column holds it.
type eventHash string

// compactHash is what is stored of an event hash.
func compactHash(hash string) any {
	rest, ok := strings.CutPrefix(hash, hashPrefix)
	if !ok {
		return hash
	}
	digits, ok := strings.CutSuffix(rest, hashSuffix)
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != hashBytes || hex.EncodeToString(b) != digits {
		return hash
	}
	return b
}

// Scan implements [database/sql.Scanner].
func (h *eventHash) Scan(from any) error {
	switch v := from.(type) {
	case string:
		*h = eventHash(v)
	case []byte:
		if len(v) != hashBytes {
			return fmt.Errorf("read event hash: it has %d bytes", len(v))
		}
		*h = eventHash(hashPrefix + hex.EncodeToString(v) + hashSuffix)
	default:
		return fmt.Errorf("read event hash: it is %T", from)
	}
	return nil
}
