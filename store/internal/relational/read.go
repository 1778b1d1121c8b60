package relational

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/body"
)

// querier is a [DB] or a [Tx].
type querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

const eventColumns = `e.seq, e.event_id, e.declared_at, e.recorded_at, e.received_at, e.provider, e.connector, e.record_id, e.hash,
	e.raw, e.salt, e.body`

// readEvents reads the events at seqs, each once and in no order. Their leaf records are put together again from what is stored;
// their facets are left to [stated].
func (s *Store) readEvents(ctx context.Context, q querier, seqs []int64) ([]hub.Event, error) {
	out, err := s.readPacked(ctx, q, seqs)
	if err != nil {
		return nil, err
	}
	if err := s.unpack(ctx, q, out); err != nil {
		return nil, s.classify("read events", err)
	}
	return out, nil
}

// readPacked is readEvents with the bodies as they are stored.
func (s *Store) readPacked(ctx context.Context, q querier, seqs []int64) ([]hub.Event, error) {
	var out []hub.Event
	for part := range slices.Chunk(seqs, perQuery) {
		others, err := s.dialect.eachBlock(ctx, q, `packed`, part, func(b blockRow, places []int) (err error) {
			out, err = s.unblock(out, b, places)
			return err
		})
		if err != nil {
			return nil, s.classify("read events", err)
		}
		if len(others) == 0 {
			continue
		}
		cond, args := s.dialect.in(`e.seq`, others)
		rest, err := s.readRows(ctx, q, cond, args...)
		if err != nil {
			return nil, err
		}
		out = append(out, rest...)
	}
	return out, nil
}

// readRows reads events from the rows of events, as readPacked does.
func (s *Store) readRows(ctx context.Context, q querier, condition string, args ...any) ([]hub.Event, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE `+condition, args...)
	if err != nil {
		return nil, s.unavailable("read events", err)
	}
	defer rows.Close()
	var out []hub.Event
	for rows.Next() {
		e, err := s.scanEvent(rows)
		if err != nil {
			return nil, s.classify("read events", err)
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("read events", err)
	}
	return out, nil
}

// scanEvent reads a row of eventColumns; the body is as it is stored.
func (s *Store) scanEvent(row interface{ Scan(...any) error }) (hub.Event, error) {
	var e hub.Event
	var id eventID
	var hash eventHash
	var declared, recorded, received, provider, connector int64
	var raw, salt sql.RawBytes
	if err := row.Scan(&e.Seq, &id, &declared, &recorded, &received, &provider, &connector, &e.Record.ID, &hash,
		&raw, &salt, &e.Body); err != nil {
		return e, err
	}
	e.Key = hub.EventKey{ID: s.dialect.Text(string(id)), DeclaredAt: fromMicros(declared)}
	e.Record.ID, e.Hash, e.RecordedAt = hub.RecordID(s.dialect.Text(string(e.Record.ID))), string(hash), fromMicros(recorded)
	if err := s.attribute(&e, provider, connector, received); err != nil {
		return e, err
	}
	copy(e.Leaf.Raw[:], raw)
	copy(e.Leaf.Salt[:], salt)
	return e, nil
}

// unpack puts the bodies of events in the place of what is stored of them.
func (s *Store) unpack(ctx context.Context, q querier, events []hub.Event) error {
	blocks, err := s.blocks(ctx, q, events)
	if err != nil {
		return err
	}
	for i := range events {
		e := &events[i]
		if place, ok := body.PlaceInBlock(e.Body); ok {
			b := blocks[int64(e.Seq)-int64(place)]
			if b == nil {
				return corrupt(e.Seq, errors.New("its body is missing"))
			}
			e.Body, err = b.Body(place, e.Key.ID)
		} else {
			e.Body, err = body.Unpack(e.Body)
		}
		if err != nil {
			return corrupt(e.Seq, err)
		}
		e.Leaf.Event = hub.Sum(e.Body)
	}
	return nil
}

// blocks reads the blocks that hold the bodies of events, by the seq of their first event.
func (s *Store) blocks(ctx context.Context, q querier, events []hub.Event) (map[int64]*body.Block, error) {
	var firsts []int64
	for i := range events {
		if place, ok := body.PlaceInBlock(events[i].Body); ok {
			firsts = append(firsts, int64(events[i].Seq)-int64(place))
		}
	}
	slices.Sort(firsts)
	firsts = slices.Compact(firsts)
	out := make(map[int64]*body.Block, len(firsts))
	for part := range slices.Chunk(firsts, perQuery) {
		if err := s.readBlocks(ctx, q, part, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Store) readBlocks(ctx context.Context, q querier, firsts []int64, to map[int64]*body.Block) error {
	cond, args := s.dialect.in(`first`, firsts)
	rows, err := q.QueryContext(ctx, `SELECT first, packed FROM bodies WHERE `+cond, args...)
	if err != nil {
		return s.unavailable("read events", err)
	}
	defer rows.Close()
	for rows.Next() {
		var first int64
		var packed sql.RawBytes
		if err := rows.Scan(&first, &packed); err != nil {
			return s.unavailable("read events", err)
		}
		b, err := body.UnpackBlock(packed)
		if err != nil {
			return corrupt(hub.Seq(first), err)
		}
		to[first] = b
	}
	if err := rows.Err(); err != nil {
		return s.unavailable("read events", err)
	}
	return nil
}

// stated fills in the facets of an event that was read, and returns its parsed form.
func stated(e *hub.Event) (*epcis.Event, error) {
	parsed, err := epcis.ParseEvent(e.Body, nil)
	if err == nil {
		e.Facets, err = parsed.Facets()
	}
	if err != nil {
		return nil, corrupt(e.Seq, err)
	}
	return parsed, nil
}

// corrupt says that a recorded event is not what was recorded: trying again will not help.
func corrupt(seq hub.Seq, err error) error {
	return hub.Faultf(hub.Internal, "store.corrupt", "the recorded event %d cannot be read: the database was damaged or changed", seq).
		WithHint("restore it from a backup; receipts that were given out show what it was").Because(err)
}

// events reads the events at seqs with their facets.
func (s *Store) events(ctx context.Context, seqs []int64) ([]hub.Event, error) {
	found, err := s.readEvents(ctx, s.read, seqs)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if _, err := stated(&found[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// eventsIn reads the events at seqs, in their order.
func (s *Store) eventsIn(ctx context.Context, seqs []int64) ([]hub.Event, error) {
	found, err := s.events(ctx, seqs)
	if err != nil {
		return nil, err
	}
	at := make(map[int64]int, len(found))
	for i := range found {
		at[int64(found[i].Seq)] = i
	}
	out := make([]hub.Event, 0, len(seqs))
	for _, seq := range seqs {
		if i, ok := at[seq]; ok {
			out = append(out, found[i])
		}
	}
	return out, nil
}
