package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// Load implements [relational.Index]: everything is in the database, unless a migration or a rebuild emptied it. Then it is made
// again, some thousand events in each transaction; a crash leaves what the next start completes.
func (x *index) Load(ctx context.Context, from relational.Entries) error {
	for {
		var missing bool
		if err := x.read.QueryRowContext(ctx, `SELECT indexed < to_index FROM head`).Scan(&missing); err != nil || !missing {
			return err
		}
		if err := x.write.InTx(ctx, func(tx *relational.Tx) error { return x.complete(ctx, tx, from) }); err != nil {
			return err
		}
	}
}

// complete adds the next events that the index lacks. The lock on head keeps other processes from doing the same.
func (x *index) complete(ctx context.Context, tx *relational.Tx, from relational.Entries) error {
	var indexed, until int64
	if err := tx.QueryRowContext(ctx, `SELECT indexed, to_index FROM head FOR UPDATE`).Scan(&indexed, &until); err != nil {
		return err
	}
	const batch = 4000
	until = min(until, indexed+batch)
	if indexed >= until { // another process was there first
		return nil
	}
	entries, err := from(ctx, uint64(indexed), int(until-indexed))
	if err != nil {
		return err
	}
	x.names.at = indexed
	if err := x.names.begin(ctx, tx); err != nil {
		return err
	}
	a := newAdditions(ctx, tx, x.names)
	for i := range entries {
		if err := a.Add(&entries[i]); err != nil {
			return err
		}
	}
	if err := a.Flush(); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE head SET indexed = ?`, until)
	return err
}

// Rebuild implements [relational.Rebuildable].
func (x *index) Rebuild(ctx context.Context, from relational.Entries) error {
	if err := x.write.InTx(ctx, func(tx *relational.Tx) error {
		if _, err := tx.ExecContext(ctx, `TRUNCATE postings, facets`); err != nil {
			return err
		}
		if err := forgetNames(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE head SET indexed = 0, to_index = size`)
		return err
	}); err != nil {
		return err
	}
	return x.Load(ctx, from)
}

// Digests implements [relational.Rebuildable]. They are sums of the digests of each event's key, time and seq: which of them share a
// row is a matter of how they were recorded.
func (x *index) Digests(ctx context.Context) (map[string]string, error) {
	postings, facets := sum{}, sum{}
	rows, err := x.read.QueryContext(ctx, `SELECT key, seq FROM postings`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key, seq int64
		if err := rows.Scan(&key, &seq); err != nil {
			return nil, err
		}
		postings.add(key, 0, seq)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	runs, err := x.read.QueryContext(ctx, `SELECT key, earliest, first, spots FROM facets`)
	if err != nil {
		return nil, err
	}
	defer runs.Close()
	var spots []relational.Spot
	for runs.Next() {
		var key int64
		if spots, err = scanRun(runs, spots[:0], nil, &key); err != nil {
			return nil, err
		}
		for _, sp := range spots {
			facets.add(key, sp.Time, sp.Seq)
		}
	}
	return map[string]string{"postings": postings.text(), "facets": facets.text()}, runs.Err()
}

// sum is a digest of a set, whatever its order.
type sum struct {
	n      int
	digest uint64
}

func (s *sum) add(key, time, seq int64) {
	const three = 24
	b := make([]byte, 0, three)
	for _, v := range [...]int64{key, time, seq} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	d := sha256.Sum256(b)
	s.n++
	s.digest += binary.BigEndian.Uint64(d[:])
}

func (s *sum) text() string {
	return fmt.Sprintf("%d entries, %016x", s.n, s.digest)
}
