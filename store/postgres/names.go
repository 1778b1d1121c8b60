package postgres

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// names is what this process remembers of the keys of all records and event ids, so that Append asks the database only of those that
// may be there: a filter for each partition of the log. Without it every append would look for each of its keys in every partition.
//
// A transaction of Append writes the keys that it adds as a row of the table names, and at its beginning every process reads the rows
// that others have written since: the lock on head puts appends, and so the rows, in one order. Nothing is added to a partition that
// lies before the log's end. Its filter becomes a row of filters, and the rows of names before it are deleted.
//
// It is used within the one transaction of Append of this process. What a transaction adds counts when it is committed; if that is
// not known, the next one reads it like the rows of others.
type names struct {
	per      int64             // events of a partition
	resident func(bytes int64) // is told what filters take

	filters []sieve // by partition
	closed  int     // how many of filters nothing is added to any more, because they are in the table filters
	// last is the row of names that was read or written last, and its mark; 0 before the first.
	last, mark int64

	// at is the size of the log before the transaction at hand; fresh are the keys that it adds by partition, as the table has them;
	// closing is how many filters are closed with it, written the last row that it wrote.
	at      int64
	fresh   map[int64][]byte
	closing int
	written struct{ id, mark int64 }
}

// keyBytes is the length of a key in a row of names.
const keyBytes = 8

// begin begins a transaction, before which the log ends at n.at: it reads what others have added.
func (n *names) begin(ctx context.Context, tx *relational.Tx) error {
	n.fresh, n.written.id = map[int64][]byte{}, 0
	known, err := n.follow(ctx, tx)
	if err == nil && !known {
		n.filters, n.closed, n.last = nil, 0, 0
		_, err = n.follow(ctx, tx)
	}
	n.closing = n.closed
	return err
}

// follow reads the filters and rows that are new. known is false where the row that was read last is not there, or is another one: so
// much was written since that it was deleted, or the database was put back to an earlier state. Then all is to be read again.
func (n *names) follow(ctx context.Context, tx *relational.Tx) (known bool, err error) {
	if err := n.readFilters(ctx, tx); err != nil {
		return false, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT id, part, mark, CASE WHEN id = ? THEN ''::bytea ELSE keys END FROM names WHERE id >= ? ORDER BY id`,
		n.last, n.last)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	known = n.last == 0
	for rows.Next() {
		var id, part, mark int64
		var keys []byte
		if err := rows.Scan(&id, &part, &mark, &keys); err != nil {
			return false, err
		}
		if !known {
			if id != n.last || mark != n.mark {
				return false, nil
			}
			known = true
			continue
		}
		n.add(part, keys)
		n.last, n.mark = id, mark
	}
	return known, rows.Err()
}

func (n *names) readFilters(ctx context.Context, tx *relational.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT bits FROM filters WHERE part >= ? ORDER BY part`, n.closed)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var bits []byte
		if err := rows.Scan(&bits); err != nil {
			return err
		}
		filter, err := decodeSieve(bits)
		if err != nil {
			return err
		}
		n.grow(n.closed)
		n.filters[n.closed] = filter
		n.closed++
	}
	return rows.Err()
}

// add adds the keys of a row.
func (n *names) add(part int64, keys []byte) {
	if part < int64(n.closed) {
		return
	}
	n.grow(int(part))
	for ; len(keys) >= keyBytes; keys = keys[keyBytes:] {
		n.filters[part].add(mix(int64(binary.BigEndian.Uint64(keys))))
	}
}

// grow sees that there is a filter of a partition.
func (n *names) grow(part int) {
	for len(n.filters) <= part {
		const names = 2 // of an event
		filter := newSieve(uint64(names * n.per))
		n.filters = append(n.filters, filter)
		n.resident(int64(len(n.filters)) * int64(len(filter)) * wordBytes)
	}
}

// sift returns those of keys that a partition may have.
func (n *names) sift(keys []int64) (some []int64) {
	for _, key := range keys {
		h := mix(key)
		if slices.ContainsFunc(n.filters, func(s sieve) bool { return s.has(h) }) {
			some = append(some, key)
		}
	}
	return some
}

// places are keys, and bounds of seqs within which each may be.
type places struct{ keys, from, to []int64 }

// places returns the partitions that may have the keys.
func (n *names) places(keys []int64) (out places) {
	for _, key := range keys {
		h := mix(key)
		for part, filter := range n.filters {
			if filter.has(h) {
				out.keys = append(out.keys, key)
				out.from, out.to = append(out.from, int64(part)*n.per), append(out.to, int64(part+1)*n.per)
			}
		}
	}
	return out
}

// tell notes the names of an event.
func (n *names) tell(e *relational.Entry) {
	for _, key := range e.Names {
		n.note(key, e.Seq)
	}
}

// note notes a key that the transaction at hand adds to the partition of a place in the log.
func (n *names) note(key, at int64) {
	part := at / n.per
	n.fresh[part] = binary.BigEndian.AppendUint64(n.fresh[part], uint64(key))
}

// flush writes what the transaction adds, and closes the partitions that lie before it.
func (n *names) flush(ctx context.Context, tx *relational.Tx) error {
	for ; int64(n.closing) < n.at/n.per; n.closing++ {
		n.grow(n.closing) // a partition may hold nothing
		if _, err := tx.ExecContext(ctx, `INSERT INTO filters (part, bits) VALUES (?, ?)`, n.closing, n.filters[n.closing].append(nil)); err != nil {
			return err
		}
		// Its own rows stay until the next: who reads them goes on with what is new.
		if _, err := tx.ExecContext(ctx, `DELETE FROM names WHERE part < ?`, n.closing); err != nil {
			return err
		}
	}
	for part, keys := range n.fresh {
		n.written.mark = rand.Int64() //nolint:gosec // told from others, not kept secret
		if err := tx.QueryRowContext(ctx, `INSERT INTO names (part, mark, keys) VALUES (?, ?, ?) RETURNING id`, part, n.written.mark, keys).
			Scan(&n.written.id); err != nil {
			return err
		}
	}
	return nil
}

// done makes what the transaction has added count.
func (n *names) done() {
	n.closed = n.closing
	for part, keys := range n.fresh {
		n.add(part, keys)
	}
	if n.written.id != 0 {
		n.last, n.mark = n.written.id, n.written.mark
	}
}

// forgetNames empties the tables, within a rebuild: events will tell their names again, and records tell theirs here.
func forgetNames(ctx context.Context, tx *relational.Tx) error {
	if _, err := tx.ExecContext(ctx, `TRUNCATE names, filters`); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO names (part, mark, keys)
		SELECT r.at / h.per_partition, 0, string_agg(int8send(r.key), ''::bytea) FROM records r, head h GROUP BY 1`)
	return err
}
