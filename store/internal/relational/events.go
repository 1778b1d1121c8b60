package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/body"
)

const eventColumns = `e.seq, e.event_id, e.declared_at, e.recorded_at, e.received_at, e.provider, e.connector, e.record_id, e.hash,
	e.raw, e.salt, e.body`

// scanEvent reads a row of eventColumns. The leaf record and the facets are put together again from what is stored.
func (s *Store) scanEvent(row interface{ Scan(...any) error }) (hub.Event, error) {
	e, parsed, err := s.scanStated(row)
	if err != nil {
		return e, err
	}
	if e.Facets, err = parsed.Facets(); err != nil {
		return e, corrupt(e.Seq, err)
	}
	return e, nil
}

// scanStated is scanEvent without the facets, but with the event in its parsed form.
func (s *Store) scanStated(row interface{ Scan(...any) error }) (hub.Event, *epcis.Event, error) {
	var e hub.Event
	var id eventID
	var hash eventHash
	var declared, recorded, received, provider, connector int64
	var raw, salt, packed []byte
	if err := row.Scan(&e.Seq, &id, &declared, &recorded, &received, &provider, &connector, &e.Record.ID, &hash,
		&raw, &salt, &packed); err != nil {
		return e, nil, err
	}
	e.Key.ID, e.Hash = s.dialect.Text(string(id)), string(hash)
	e.Record.ID = hub.RecordID(s.dialect.Text(string(e.Record.ID)))
	var err error
	if e.Body, err = body.Unpack(packed); err != nil {
		return e, nil, corrupt(e.Seq, err)
	}
	e.Key.DeclaredAt, e.RecordedAt = fromMicros(declared), fromMicros(recorded)
	from, err := s.name(connector)
	if err != nil {
		return e, nil, err
	}
	stated, err := s.name(provider)
	if err != nil {
		return e, nil, err
	}
	e.Record.Connector = hub.ConnectorID(from)
	e.Leaf = hub.LeafRecord{
		Connector: e.Record.Connector, Event: hub.Sum(e.Body), EventHash: e.Hash,
		Provider: hub.ProviderID(stated), ReceivedAt: hub.Instant(fromMicros(received)), Version: hub.LeafVersion,
	}
	copy(e.Leaf.Raw[:], raw)
	copy(e.Leaf.Salt[:], salt)
	parsed, err := epcis.ParseEvent(e.Body, nil)
	if err != nil {
		return e, nil, corrupt(e.Seq, err)
	}
	return e, parsed, nil
}

// corrupt says that a recorded event is not what was recorded: trying again will not help.
func corrupt(seq hub.Seq, err error) error {
	return hub.Faultf(hub.Internal, "store.corrupt", "the recorded event %d cannot be read: the database was damaged or changed", seq).
		WithHint("restore it from a backup; receipts that were given out show what it was").Because(err)
}

func (s *Store) scanEvents(rows *sql.Rows) ([]hub.Event, error) {
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

// EventsAbout implements trace.Library.
func (s *Store) EventsAbout(ctx context.Context, ids []string, limit int) ([]hub.Event, bool, error) {
	if len(ids) == 0 {
		return nil, false, nil
	}
	asked := Search{
		Conditions: []Condition{{Of: OfThings, Keys: make([]int64, len(ids))}},
		From:       math.MinInt64, To: math.MaxInt64, Seqs: [2]int64{0, math.MaxInt64}, Order: hub.OldestFirst,
	}
	for i, id := range ids {
		asked.Conditions[0].Keys[i] = hashKey(id)
	}
	wk, err := s.index.Walk(ctx, asked)
	if err != nil {
		return nil, false, s.classify("find events", err)
	}
	spots, err := wk.Next(ctx, limit+1)
	if err != nil {
		return nil, false, s.classify("find events", err)
	}
	seqs := make([]int64, len(spots))
	for i, sp := range spots {
		seqs[i] = sp.Seq
	}
	found, err := s.eventsIn(ctx, seqs)
	if err != nil {
		return nil, false, err
	}
	more := len(found) > limit
	if more {
		found = found[:limit]
	}
	speaksOf := func(e hub.Event) bool {
		return slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return slices.Contains(ids, t.ID) })
	}
	return slices.DeleteFunc(found, func(e hub.Event) bool { return !speaksOf(e) }), more, nil
}

// eventsIn reads the events at seqs, in their order.
func (s *Store) eventsIn(ctx context.Context, seqs []int64) ([]hub.Event, error) {
	out := make([]hub.Event, 0, len(seqs))
	for part := range slices.Chunk(seqs, perQuery) {
		cond, args := s.in(`e.seq`, part)
		rows, err := s.read.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE `+cond, args...)
		if err != nil {
			return nil, s.unavailable("read events", err)
		}
		found, err := s.scanEvents(rows)
		if err != nil {
			return nil, err
		}
		at := make(map[int64]int, len(found))
		for i := range found {
			at[int64(found[i].Seq)] = i
		}
		for _, seq := range part {
			if i, ok := at[seq]; ok {
				out = append(out, found[i])
			}
		}
	}
	return out, nil
}

// Event returns the events of an event id: the event, and its error declarations in the order of their time. A fault of
// kind NotFound says that there is none.
func (s *Store) Event(ctx context.Context, id string) ([]hub.Event, error) {
	// An error declaration has a key of its own, so the id alone is looked up under its own name.
	seqs, err := s.index.Lookup(ctx, nil, []int64{eventIDKey(id)})
	if err != nil {
		return nil, s.classify("find event", err)
	}
	found, err := s.eventsIn(ctx, seqs)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e hub.Event) bool { return e.Key.ID != id })
	slices.SortStableFunc(found, func(a, b hub.Event) int { return a.Key.DeclaredAt.Compare(b.Key.DeclaredAt) })
	if len(found) == 0 {
		return nil, hub.Faultf(hub.NotFound, "event.unknown", "there is no event %q", id).
			WithHint("an accepted record becomes an event within moments; ask for its record with /v1/records/{connector}/{id}")
	}
	return found, nil
}

// eventIDKey is the key under which the things index finds every event of an id.
func eventIDKey(id string) int64 { return hashKey("eventID", id) }

// EventAt implements anchor.Leaves.
func (s *Store) EventAt(ctx context.Context, seq hub.Seq) (hub.Event, error) {
	e, err := s.scanEvent(s.read.QueryRowContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE e.seq = ?`, int64(seq)))
	if errors.Is(err, sql.ErrNoRows) {
		return e, hub.Faultf(hub.NotFound, "event.unknown", "there is no event at sequence number %d", seq)
	}
	if err != nil {
		return e, s.classify("read event", err)
	}
	return e, nil
}

// RecordedAt implements anchor.Leaves.
func (s *Store) RecordedAt(ctx context.Context, seq hub.Seq) (time.Time, error) {
	var us int64
	err := s.read.QueryRowContext(ctx, `SELECT recorded_at FROM events WHERE seq = ?`, int64(seq)).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, hub.Faultf(hub.NotFound, "event.unknown", "there is no event at sequence number %d", seq)
	}
	if err != nil {
		return time.Time{}, s.unavailable("read event", err)
	}
	return fromMicros(us), nil
}

// LogSize implements anchor.Leaves. What it counts can be found.
func (s *Store) LogSize(ctx context.Context) (uint64, error) {
	if s.dialect.Head == nil {
		return s.visible.Load(), nil
	}
	var n sql.NullInt64
	if err := s.read.QueryRowContext(ctx, `SELECT max(seq) FROM events`).Scan(&n); err != nil {
		return 0, s.unavailable("read log size", err)
	}
	if !n.Valid {
		return 0, nil
	}
	return uint64(n.Int64) + 1, nil
}

// LeafHashes implements anchor.Leaves.
func (s *Store) LeafHashes(ctx context.Context, from uint64, n int) ([]hub.Digest, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT leaf_hash FROM events WHERE seq >= ? ORDER BY seq LIMIT ?`, int64(from), n)
	if err != nil {
		return nil, s.unavailable("read leaves", err)
	}
	defer rows.Close()
	out := make([]hub.Digest, 0, n)
	var b sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&b); err != nil {
			return nil, s.unavailable("read leaves", err)
		}
		var d hub.Digest
		if copy(d[:], b) != hub.DigestSize {
			return nil, fmt.Errorf("read leaf %d: it has %d bytes", from+uint64(len(out)), len(b))
		}
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("read leaves", err)
	}
	return out, nil
}

// Record returns what became of a raw record, or a fault of kind NotFound while the pipeline has not reached it.
func (s *Store) Record(ctx context.Context, ref hub.RecordRef) (hub.RecordStatus, error) {
	for key := recordKey(ref); ; key++ {
		var connector, provider, received int64
		var id, seqs string
		st := hub.RecordStatus{Record: ref}
		err := s.read.QueryRowContext(ctx, `SELECT connector, id, provider, received_at, verdict, seqs, dead FROM records WHERE key = ?`, key).
			Scan(&connector, &id, &provider, &received, &st.Verdict, &seqs, &st.DeadLetter)
		if errors.Is(err, sql.ErrNoRows) {
			return s.impliedRecord(ctx, ref)
		}
		if err != nil {
			return st, s.unavailable("read record", err)
		}
		from, err := s.name(connector)
		if err != nil {
			return st, s.unavailable("read record", err)
		}
		if s.dialect.Text(id) != string(ref.ID) || from != string(ref.Connector) {
			continue
		}
		stated, err := s.name(provider)
		if err != nil {
			return st, s.unavailable("read record", err)
		}
		st.Provider, st.ReceivedAt = hub.ProviderID(stated), fromMicros(received)
		st.Events, err = s.refs(ctx, seqs)
		return st, err
	}
}

// impliedRecord is Record for one that its events alone speak of.
func (s *Store) impliedRecord(ctx context.Context, ref hub.RecordRef) (hub.RecordStatus, error) {
	st := hub.RecordStatus{Record: ref, Verdict: hub.Recorded}
	seqs, err := s.index.Lookup(ctx, nil, []int64{recordKey(ref)})
	if err != nil {
		return st, s.classify("read record", err)
	}
	found, err := s.eventsIn(ctx, seqs)
	if err != nil {
		return st, err
	}
	for i := range found {
		if e := &found[i]; e.Record == ref {
			st.Provider, st.ReceivedAt = e.Leaf.Provider, time.Time(e.Leaf.ReceivedAt)
			st.Events = append(st.Events, hub.EventRef{Key: e.Key, Seq: e.Seq})
		}
	}
	if len(st.Events) == 0 {
		return st, hub.Faultf(hub.NotFound, "record.unknown", "record %s is not known", ref).
			WithHint("if it was accepted moments ago, ask again; otherwise check the connector and the id that the 202 gave")
	}
	return st, nil
}

func (s *Store) refs(ctx context.Context, seqs string) ([]hub.EventRef, error) {
	var out []hub.EventRef
	for text := range strings.SplitSeq(seqs, ",") {
		if text == "" {
			continue
		}
		seq, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("decode record: %w", err)
		}
		ref := hub.EventRef{Seq: hub.Seq(seq)}
		var id eventID
		var declared int64
		if err := s.read.QueryRowContext(ctx, `SELECT event_id, declared_at FROM events WHERE seq = ?`, seq).
			Scan(&id, &declared); err != nil {
			return nil, s.unavailable("read record", err)
		}
		ref.Key.ID, ref.Key.DeclaredAt = s.dialect.Text(string(id)), fromMicros(declared)
		out = append(out, ref)
	}
	return out, nil
}
