package relational

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/body"
)

// Events that are recorded together are kept in blocks, the others as rows of events; see [body.Rows]. This file is all that
// knows of both.

// block gathers the events of a transaction that are to be packed together.
type block struct {
	first         hub.Seq
	rows          body.Rows
	leaves, times []byte
}

// blockFrom is how many events are worth a block.
const blockFrom = 8

func worthBlocks(outcomes []hub.Outcome) bool {
	n := 0
	for i := range outcomes {
		n += len(outcomes[i].Events)
	}
	return n >= blockFrom
}

// enblock adds an event to the block at hand.
func (a *appender) enblock(e *hub.Event, o *hub.Outcome, seq hub.Seq, leaf hub.Digest) error {
	provider, err := a.s.term(a.ctx, a.tx, string(o.Provider))
	if err != nil {
		return err
	}
	connector, err := a.s.term(a.ctx, a.tx, string(o.Record.Connector))
	if err != nil {
		return err
	}
	b := &a.s.block
	if b.rows.Len() == 0 {
		b.first, b.leaves, b.times = seq, b.leaves[:0], b.times[:0]
	}
	b.leaves = append(b.leaves, leaf[:]...)
	b.times = binary.BigEndian.AppendUint64(b.times, uint64(micros(e.Facets.EventTime)))
	b.rows.Add(&body.Row{
		ID: e.Key.ID, Declared: micros(e.Key.DeclaredAt), Received: micros(time.Time(e.Leaf.ReceivedAt)), Provider: provider,
		Connector: connector, RecordID: string(o.Record.ID), Hash: e.Hash, Raw: e.Leaf.Raw, Salt: e.Leaf.Salt, Body: e.Body,
	})
	if b.rows.Len() < body.MaxBlock {
		return nil
	}
	return a.flushBlock()
}

// flushBlock inserts the block at hand.
func (a *appender) flushBlock() error {
	b := &a.s.block
	n := b.rows.Len()
	if n == 0 {
		return nil
	}
	return a.rows.Add(Blocks, []any{int64(b.first), int64(n), micros(a.at), slices.Clone(b.leaves), slices.Clone(b.times), b.rows.Pack()})
}

// inBlocks is a condition that a block is the last that begins at one of seqs or before, with its values: if an event is in any
// block it is in that one.
func (d *Dialect) inBlocks(seqs []int64) (text string, args []any) {
	if d.Arrays { // without the lower bound every partition would be asked
		return `first = ANY(ARRAY(SELECT (SELECT max(first) FROM blocks WHERE first <= s AND first > s - ?) FROM unnest(?::bigint[]) s))`,
			[]any{body.MaxBlock, seqs}
	}
	args = make([]any, len(seqs))
	for i, seq := range seqs {
		args[i] = seq
	}
	return `first IN (SELECT (SELECT max(first) FROM blocks WHERE first <= column1) FROM (VALUES (?)` +
		strings.Repeat(`,(?)`, len(seqs)-1) + `))`, args
}

// blockRow is a row of blocks with one of its columns.
type blockRow struct {
	first, n, recorded int64
	column             sql.RawBytes
}

// eachBlock calls use with the blocks that may hold any of seqs, and returns those of seqs that none holds. What use is told to
// be at hand are the places of seqs in the block, in order.
func (d *Dialect) eachBlock(
	ctx context.Context, q querier, column string, seqs []int64, use func(b blockRow, places []int) error,
) (others []int64, err error) {
	if len(seqs) == 0 {
		return nil, nil
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(seqs)))
	cond, args := d.inBlocks(sorted)
	rows, err := q.QueryContext(ctx, `SELECT first, events, recorded_at, `+column+` FROM blocks WHERE `+cond+` ORDER BY first`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var b blockRow
		if err := rows.Scan(&b.first, &b.n, &b.recorded, &b.column); err != nil {
			return nil, err
		}
		var places []int
		for len(sorted) > 0 && sorted[0] < b.first+b.n {
			if sorted[0] < b.first {
				others = append(others, sorted[0])
			} else {
				places = append(places, int(sorted[0]-b.first))
			}
			sorted = sorted[1:]
		}
		if err := use(b, places); err != nil {
			return nil, err
		}
	}
	return append(others, sorted...), rows.Err()
}

// unblock makes events of rows of a block.
func (s *Store) unblock(out []hub.Event, b blockRow, places []int) ([]hub.Event, error) {
	rows, err := body.UnpackRows(b.column, places)
	if err != nil {
		return nil, corrupt(hub.Seq(b.first), err)
	}
	for i := range rows {
		r := &rows[i]
		e := hub.Event{
			Key: hub.EventKey{ID: r.ID, DeclaredAt: fromMicros(r.Declared)}, Body: r.Body, Hash: r.Hash,
			Seq: hub.Seq(b.first + int64(places[i])), RecordedAt: fromMicros(b.recorded),
		}
		if err := s.attribute(&e, r.Provider, r.Connector, r.Received); err != nil {
			return nil, err
		}
		e.Record.ID, e.Leaf.Raw, e.Leaf.Salt = hub.RecordID(r.RecordID), r.Raw, r.Salt
		out = append(out, e)
	}
	return out, nil
}

// attribute fills in whose an event is.
func (s *Store) attribute(e *hub.Event, provider, connector, received int64) error {
	from, err := s.name(connector)
	if err != nil {
		return err
	}
	stated, err := s.name(provider)
	if err != nil {
		return err
	}
	e.Record.Connector = hub.ConnectorID(from)
	e.Leaf = hub.LeafRecord{
		Connector: e.Record.Connector, EventHash: e.Hash, Provider: hub.ProviderID(stated),
		ReceivedAt: hub.Instant(fromMicros(received)), Version: hub.LeafVersion,
	}
	return nil
}

// Spots returns when the events at seqs were, in the order of the log.
func (d DB) Spots(ctx context.Context, seqs []int64) ([]Spot, error) {
	out := make([]Spot, 0, len(seqs))
	others, err := d.dialect.eachBlock(ctx, d, `times`, seqs, func(b blockRow, places []int) error {
		for _, place := range places {
			if len(b.column) < 8*(place+1) {
				return corrupt(hub.Seq(b.first), errors.New("its time is missing"))
			}
			out = append(out, Spot{Time: int64(binary.BigEndian.Uint64(b.column[8*place:])), Seq: b.first + int64(place)})
		}
		return nil
	})
	if err != nil || len(others) == 0 {
		return out, err
	}
	cond, args := d.dialect.in(`seq`, others)
	rows, err := d.QueryContext(ctx, `SELECT event_time, seq FROM events WHERE `+cond, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var sp Spot
		if err := rows.Scan(&sp.Time, &sp.Seq); err != nil {
			return nil, err
		}
		out = append(out, sp)
	}
	slices.SortFunc(out, func(a, b Spot) int { return cmp.Compare(a.Seq, b.Seq) })
	return out, rows.Err()
}

// recordedAt returns the record time of the event at seq in microseconds; ok is false where there is none.
func (s *Store) recordedAt(ctx context.Context, seq int64) (us int64, ok bool, err error) {
	others, err := s.dialect.eachBlock(ctx, s.read, `NULL`, []int64{seq}, func(b blockRow, places []int) error {
		if len(places) > 0 {
			us = b.recorded
		}
		return nil
	})
	if err != nil {
		return 0, false, s.classify("read event", err)
	}
	if len(others) == 0 {
		return us, true, nil
	}
	err = s.read.QueryRowContext(ctx, `SELECT recorded_at FROM events WHERE seq = ?`, seq).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, s.unavailable("read event", err)
	}
	return us, true, nil
}

// end reads how many events there are, and the newest record time in microseconds.
func (s *Store) end(ctx context.Context, db DB) (size uint64, last int64, err error) {
	err = db.QueryRowContext(ctx, `SELECT * FROM (SELECT seq + 1 AS size, recorded_at FROM events ORDER BY seq DESC LIMIT 1) e
		UNION ALL SELECT * FROM (SELECT first + events, recorded_at FROM blocks ORDER BY first DESC LIMIT 1) b
		ORDER BY 1 DESC LIMIT 1`).Scan(&size, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	return size, last, err
}

// blockLeaves fills in the leaf hashes of those events from seq on that are in blocks, and how many they are.
func (s *Store) blockLeaves(ctx context.Context, from uint64, out []hub.Digest) (n int, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT first, leaves FROM blocks WHERE first >= coalesce(
		(SELECT max(first) FROM blocks WHERE first <= ?), 0) AND first < ?`, int64(from), int64(from)+int64(len(out)))
	if err != nil {
		return 0, s.unavailable("read leaves", err)
	}
	defer rows.Close()
	for rows.Next() {
		var first uint64
		var leaves sql.RawBytes
		if err := rows.Scan(&first, &leaves); err != nil {
			return 0, s.unavailable("read leaves", err)
		}
		for seq := first; len(leaves) >= hub.DigestSize; seq++ {
			if seq >= from && seq < from+uint64(len(out)) {
				copy(out[seq-from][:], leaves)
				n++
			}
			leaves = leaves[hub.DigestSize:]
		}
	}
	if err := rows.Err(); err != nil {
		return 0, s.unavailable("read leaves", err)
	}
	return n, nil
}
