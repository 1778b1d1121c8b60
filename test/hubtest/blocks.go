package hubtest

import (
	"database/sql"
	bytesof "encoding/binary"
	"fmt"
	"testing"

	"github.com/klauspost/compress/s2"
)

// blockEvent is what the books need of an event that is packed together with others.
type blockEvent struct {
	seq       int
	connector uint64
	record    string
	leaf      []byte
	recorded  int64
}

// eachBlockEvent reads the events that are packed together, in the order of the log. It knows the form by its description in
// store/internal/body, for the events that pushes make: their ids and hashes are all of the usual form, and none is a declaration.
func eachBlockEvent(t *testing.T, db *sql.DB, use func(e blockEvent)) {
	t.Helper()
	scan(t, db, `SELECT first, events, recorded_at, leaves, packed FROM blocks ORDER BY first`, nil, func(rows *sql.Rows) error {
		var first, n int
		var recorded int64
		var leaves, packed []byte
		if err := rows.Scan(&first, &n, &recorded, &leaves, &packed); err != nil {
			return err
		}
		const head, hash = 1, 32
		size, used := bytesof.Uvarint(packed[head:])
		text, err := s2.Decode(nil, packed[head+used+int(size):])
		if err != nil || len(leaves) != n*hash {
			return fmt.Errorf("block %d: %d bytes of leaves for %d events: %w", first, len(leaves), n, err)
		}
		number := func() uint64 {
			v, n := bytesof.Uvarint(text)
			text = text[n:]
			return v
		}
		for i := range n {
			e := blockEvent{seq: first + i, leaf: leaves[i*hash : (i+1)*hash], recorded: recorded}
			const usual, cut = 1 | 2, 8
			flags := number()
			if flags&^cut != usual {
				return fmt.Errorf("event %d has the flags %b", e.seq, flags)
			}
			number() // the provider
			e.connector = number()
			number() // when it was received
			record := number()
			e.record, text = string(text[:record]), text[record:]
			if flags&cut != 0 {
				number()
			}
			text = text[number():]
			use(e)
		}
		return nil
	})
}
