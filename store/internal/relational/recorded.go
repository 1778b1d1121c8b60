package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/suyuan-io/suyuan/hub"
)

// recorded is what the store knows of the records and events of one batch: read with few queries before the batch is
// decided on, and kept true while it is appended.
type recorded struct {
	s *Store
	// keys are those of the batch's records, ids those of its events' ids, in its order. For every one of keys the table was asked.
	keys, ids []int64
	records   map[int64]recordRow // rows of records, by key
	// implied are records of which their events say everything, by their keys or, where one collides, by the next that is free.
	implied map[int64]impliedRecord
	// events are those whose ids have one key: where in rows the last of them is, and before it the others.
	events map[int64]int32
	rows   []eventRow
}

// recordRow is a row of records.
type recordRow struct {
	ref     hub.RecordRef
	raw     hub.Digest
	verdict hub.Verdict
	dead    hub.DeadLetterID
}

// impliedRecord is a record without a row, and the digest of its bytes.
type impliedRecord struct {
	ref hub.RecordRef
	raw hub.Digest
}

// eventRow is a recorded event, and where the one before it is whose id has the same key, -1 for nowhere.
type eventRow struct {
	before   int32
	id       string
	seq      hub.Seq
	declared int64
	content  hub.Content
}

func recordKey(ref hub.RecordRef) int64 { return hashKey(string(ref.Connector), string(ref.ID)) }

// load reads what is known of the batch.
func (a *appender) load(outcomes []hub.Outcome) error {
	keys := make([]int64, len(outcomes), 2*len(outcomes))
	for i := range outcomes {
		keys[i] = recordKey(outcomes[i].Record)
	}
	for i := range outcomes {
		for j := range outcomes[i].Events {
			keys = append(keys, eventIDKey(outcomes[i].Events[j].Key.ID))
		}
	}
	records, ids := keys[:len(outcomes):len(outcomes)], keys[len(outcomes):]
	r := recorded{
		s: a.s, keys: records, ids: ids, records: make(map[int64]recordRow),
		implied: make(map[int64]impliedRecord, len(records)), events: make(map[int64]int32, len(ids)), rows: make([]eventRow, 0, len(ids)),
	}
	records, ids = a.found.Sift(records), a.found.Sift(ids)
	for part := range slices.Chunk(a.s.mayBeNoted(records), perQuery) {
		if err := r.readRecords(a.ctx, a.tx, part); err != nil {
			return fmt.Errorf("find records: %w", err)
		}
	}
	seqs, err := a.s.index.Lookup(a.ctx, a.tx, named(slices.Concat(records, ids)...), math.MaxInt)
	if err != nil {
		return fmt.Errorf("find events: %w", err)
	}
	if err := r.readEvents(a.ctx, a.tx, seqs); err != nil {
		return fmt.Errorf("find events: %w", err)
	}
	a.recorded = r
	return nil
}

// maxNoted is how many keys of records are kept in memory.
const maxNoted = 1 << 16

// loadNoted reads which records have a row.
func (s *Store) loadNoted(ctx context.Context) error {
	s.noted = nil
	if s.dialect.Head != nil { // other processes note records as well
		return nil
	}
	rows, err := s.write.QueryContext(ctx, `SELECT key FROM records LIMIT ?`, maxNoted+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	noted := map[int64]struct{}{}
	for rows.Next() {
		var key int64
		if err := rows.Scan(&key); err != nil {
			return err
		}
		noted[key] = struct{}{}
	}
	if len(noted) <= maxNoted {
		s.noted = noted
	}
	return rows.Err()
}

// mayBeNoted returns those of keys that records may have a row at.
func (s *Store) mayBeNoted(keys []int64) (noted []int64) {
	if s.noted == nil {
		return keys
	}
	for _, key := range keys {
		if _, ok := s.noted[key]; ok {
			noted = append(noted, key)
		}
	}
	return noted
}

// noteKey remembers that there is a row at key. A transaction that fails makes the next one read them all again.
func (s *Store) noteKey(key int64) {
	if s.noted == nil {
		return
	}
	s.noted[key] = struct{}{}
	if len(s.noted) > maxNoted {
		s.noted = nil
	}
}

const recordColumns = `connector, id, raw, verdict, dead`

func (r *recorded) scan(row interface{ Scan(...any) error }, key *int64) (recordRow, error) {
	var out recordRow
	var connector int64
	var raw []byte
	err := row.Scan(key, &connector, &out.ref.ID, &raw, &out.verdict, &out.dead)
	copy(out.raw[:], raw)
	out.ref.ID = hub.RecordID(r.s.dialect.Text(string(out.ref.ID)))
	if err != nil {
		return out, err
	}
	name, err := r.s.name(connector)
	out.ref.Connector = hub.ConnectorID(name)
	return out, err
}

func (r *recorded) readRecords(ctx context.Context, tx *Tx, keys []int64) error {
	from, args := r.s.dialect.recordsOf(keys)
	rows, err := tx.QueryContext(ctx, `SELECT key, `+recordColumns+` FROM `+from, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key int64
		row, err := r.scan(rows, &key)
		if err != nil {
			return err
		}
		r.records[key] = row
	}
	return rows.Err()
}

// record returns the row at a key; asked says that it is one of the batch's. Others are asked for only when one collides.
func (r *recorded) record(ctx context.Context, tx *Tx, key int64, asked bool) (recordRow, bool, error) {
	if row, ok := r.records[key]; ok || asked {
		return row, ok, nil
	}
	var same int64 // key itself would live in the heap in every call
	row, err := r.scan(tx.QueryRowContext(ctx, `SELECT key, `+recordColumns+` FROM records WHERE key = ?`, key), &same)
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	if err != nil {
		return row, false, err
	}
	r.records[key] = row
	return row, true, nil
}

// imply notes a record, whose key is key, of which its events say everything.
func (r *recorded) imply(key int64, ref hub.RecordRef, raw hub.Digest) {
	for {
		if known, ok := r.implied[key]; !ok || known.ref == ref {
			r.implied[key] = impliedRecord{ref, raw}
			return
		}
		key++
	}
}

// isImplied returns the digest of a record, whose key is key, of which its events say everything.
func (r *recorded) isImplied(key int64, ref hub.RecordRef) (raw hub.Digest, ok bool) {
	for {
		known, ok := r.implied[key]
		if !ok || known.ref == ref {
			return known.raw, ok
		}
		key++
	}
}

// readEvents notes the events at seqs and the records that they come from.
func (r *recorded) readEvents(ctx context.Context, tx *Tx, seqs []int64) error {
	found, err := r.s.readEvents(ctx, tx, seqs)
	if err != nil {
		return err
	}
	for i := range found {
		e := &found[i]
		r.imply(recordKey(e.Record), e.Record, e.Leaf.Raw)
		r.addEvent(eventIDKey(e.Key.ID), e, e.Seq)
	}
	return nil
}

// eventsOf yields the recorded events of an id, whose key is key.
func (r *recorded) eventsOf(key int64, id string) iter.Seq[*eventRow] {
	return func(yield func(*eventRow) bool) {
		at, ok := r.events[key]
		for ; ok && at >= 0; at = r.rows[at].before {
			if row := &r.rows[at]; row.id == id && !yield(row) {
				return
			}
		}
	}
}

// addEvent notes an event that is recorded, or was appended just now, for what follows in the batch; key is that of its id.
func (r *recorded) addEvent(key int64, e *hub.Event, seq hub.Seq) {
	before, ok := r.events[key]
	if !ok {
		before = -1
	}
	r.events[key] = int32(len(r.rows))
	r.rows = append(r.rows, eventRow{
		before: before, id: e.Key.ID, seq: seq, declared: micros(e.Key.DeclaredAt),
		content: hub.Content{Body: e.Leaf.Event, Hash: e.Hash},
	})
}
