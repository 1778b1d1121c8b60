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

	"github.com/suyuan-io/suyuan/hub"
)

// EventsAbout implements trace.Library.
func (s *Store) EventsAbout(ctx context.Context, ids []string, limit int) ([]hub.Event, bool, error) {
	if len(ids) == 0 {
		return nil, false, nil
	}
	keys := make([]int64, len(ids))
	for i, id := range ids {
		keys[i] = hashKey(id)
	}
	seqs, err := s.index.Lookup(ctx, nil, Condition{Of: OfThings, Keys: keys}, limit)
	if err == nil && len(seqs) > limit { // so many that only the earliest are read
		seqs, err = s.earliest(ctx, keys, limit+1)
	}
	if err != nil {
		return nil, false, s.classify("find events", err)
	}
	found, more, err := s.within(ctx, seqs, aboutBytes)
	if err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(found, func(a, b hub.Event) int { return a.Facets.EventTime.Compare(b.Facets.EventTime) })
	if len(found) > limit {
		more = true
		found = found[:limit]
	}
	speaksOf := func(e hub.Event) bool {
		return slices.ContainsFunc(e.Facets.Things, func(t hub.Thing) bool { return slices.Contains(ids, t.ID) })
	}
	return slices.DeleteFunc(found, func(e hub.Event) bool { return !speaksOf(e) }), more, nil
}

// aboutBytes is how much of events EventsAbout reads: anybody may ask for a page, and an event may have a megabyte.
const aboutBytes = 32 << 20

// within reads the events at seqs, the first of them where all are much larger than most bytes together; more says so.
func (s *Store) within(ctx context.Context, seqs []int64, most int) (found []hub.Event, more bool, err error) {
	const atOnce = 50 // before it is looked how large they are
	for len(seqs) > 0 && most > 0 {
		part := seqs[:min(atOnce, len(seqs))]
		seqs = seqs[len(part):]
		events, err := s.eventsIn(ctx, part)
		if err != nil {
			return nil, false, err
		}
		for i := range events {
			most -= len(events[i].Body)
		}
		found = append(found, events...)
	}
	return found, len(seqs) > 0, nil
}

// earliest returns the first n events that have any of keys, by event time.
func (s *Store) earliest(ctx context.Context, keys []int64, n int) ([]int64, error) {
	wk, err := s.index.Walk(ctx, Search{
		Conditions: []Condition{{Of: OfThings, Keys: keys}},
		From:       math.MinInt64, To: math.MaxInt64, Seqs: [2]int64{0, math.MaxInt64}, Order: hub.OldestFirst,
	})
	if err != nil {
		return nil, err
	}
	spots, err := wk.Next(ctx, n)
	seqs := make([]int64, len(spots))
	for i, sp := range spots {
		seqs[i] = sp.Seq
	}
	return seqs, err
}

// Event returns the events of an event id: the event, and its error declarations in the order of their time. A fault of
// kind NotFound says that there is none.
func (s *Store) Event(ctx context.Context, id string) ([]hub.Event, error) {
	// An error declaration has a key of its own, so the id alone is looked up under its own name.
	seqs, err := s.index.Lookup(ctx, nil, named(eventIDKey(id)), math.MaxInt)
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

// eventIDKey is the name under which the index finds every event of an id.
func eventIDKey(id string) int64 { return hashKey("eventID", id) }

// EventAt implements anchor.Leaves.
func (s *Store) EventAt(ctx context.Context, seq hub.Seq) (hub.Event, error) {
	found, err := s.events(ctx, []int64{int64(seq)})
	if err != nil {
		return hub.Event{}, err
	}
	if len(found) == 0 {
		return hub.Event{}, hub.Faultf(hub.NotFound, "event.unknown", "there is no event at sequence number %d", seq)
	}
	return found[0], nil
}

// RecordedAt implements anchor.Leaves.
func (s *Store) RecordedAt(ctx context.Context, seq hub.Seq) (time.Time, error) {
	us, ok, err := s.recordedAt(ctx, int64(seq))
	if err == nil && !ok {
		err = hub.Faultf(hub.NotFound, "event.unknown", "there is no event at sequence number %d", seq)
	}
	return fromMicros(us), err
}

// LogSize implements anchor.Leaves. What it counts can be found.
func (s *Store) LogSize(ctx context.Context) (uint64, error) {
	if s.dialect.Head == nil {
		return s.visible.Load(), nil
	}
	size, _, err := s.end(ctx, s.read)
	if err != nil {
		return 0, s.unavailable("read log size", err)
	}
	return size, nil
}

// LeafHashes implements anchor.Leaves.
func (s *Store) LeafHashes(ctx context.Context, from uint64, n int) ([]hub.Digest, error) {
	if s.dialect.Head == nil {
		if out, ok := s.leaves.read(from, n); ok {
			return out, nil
		}
	}
	size, err := s.LogSize(ctx)
	if err != nil || from >= size {
		return nil, err
	}
	out := make([]hub.Digest, min(uint64(max(n, 0)), size-from))
	found, err := s.blockLeaves(ctx, from, out)
	if err == nil && found < len(out) {
		var others int
		others, err = s.rowLeaves(ctx, from, out)
		found += others
	}
	if err == nil && found != len(out) {
		err = fmt.Errorf("read leaves from %d: %d of %d are there", from, found, len(out))
	}
	return out, err
}

// rowLeaves fills in the leaf hashes of those events from seq on that are rows of events, and how many they are.
func (s *Store) rowLeaves(ctx context.Context, from uint64, out []hub.Digest) (n int, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT seq, leaf_hash FROM events WHERE seq >= ? AND seq < ?`,
		int64(from), int64(from)+int64(len(out)))
	if err != nil {
		return 0, s.unavailable("read leaves", err)
	}
	defer rows.Close()
	var seq uint64
	var b sql.RawBytes
	for ; rows.Next(); n++ {
		if err := rows.Scan(&seq, &b); err != nil {
			return 0, s.unavailable("read leaves", err)
		}
		if copy(out[seq-from][:], b) != hub.DigestSize {
			return 0, fmt.Errorf("read leaf %d: it has %d bytes", seq, len(b))
		}
	}
	if err := rows.Err(); err != nil {
		return 0, s.unavailable("read leaves", err)
	}
	return n, nil
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
	seqs, err := s.index.Lookup(ctx, nil, named(recordKey(ref)), math.MaxInt)
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
		found, err := s.readPacked(ctx, s.read, []int64{seq})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, corrupt(hub.Seq(seq), errors.New("it is missing"))
		}
		out = append(out, hub.EventRef{Key: found[0].Key, Seq: hub.Seq(seq)})
	}
	return out, nil
}
