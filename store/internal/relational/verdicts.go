package relational

import (
	"context"
	"math"

	"github.com/suyuan-io/suyuan/hub"
)

// Verdicts returns what became of records, in order; 0 for one that the pipeline has not reached. It is for many records
// at once; [Store.Record] says more of one.
func (s *Store) Verdicts(ctx context.Context, refs []hub.RecordRef) ([]hub.Verdict, error) {
	out := make([]hub.Verdict, len(refs))
	for from := 0; from < len(refs); from += perQuery {
		part := refs[from:min(from+perQuery, len(refs))]
		if err := s.verdicts(ctx, part, out[from:]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Store) verdicts(ctx context.Context, refs []hub.RecordRef, out []hub.Verdict) error {
	keys := make([]int64, len(refs))
	at := make(map[int64][]int, len(refs))
	for i, r := range refs {
		key := recordKey(r)
		keys[i], at[key] = key, append(at[key], i)
	}
	if err := s.impliedVerdicts(ctx, refs, keys, out); err != nil {
		return err
	}
	cond, args := s.dialect.in(`key`, keys)
	rows, err := s.read.QueryContext(ctx, `SELECT key, connector, id, verdict FROM records WHERE `+cond, args...)
	if err != nil {
		return s.unavailable("read verdicts", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key, connector int64
		var id string
		var v hub.Verdict
		if err := rows.Scan(&key, &connector, &id, &v); err != nil {
			return s.unavailable("read verdicts", err)
		}
		from, err := s.name(connector)
		if err != nil {
			return s.unavailable("read verdicts", err)
		}
		for _, i := range at[key] { // a record whose key collided lies elsewhere: whoever waits for it asks for it alone
			if s.dialect.Text(id) == string(refs[i].ID) && from == string(refs[i].Connector) {
				out[i] = v
			}
		}
	}
	if err := rows.Err(); err != nil {
		return s.unavailable("read verdicts", err)
	}
	return nil
}

// impliedVerdicts fills in those of records that their events alone speak of.
func (s *Store) impliedVerdicts(ctx context.Context, refs []hub.RecordRef, keys []int64, out []hub.Verdict) error {
	seqs, err := s.index.Lookup(ctx, nil, named(keys...), math.MaxInt)
	if err != nil {
		return s.classify("read verdicts", err)
	}
	recorded := map[hub.RecordRef]bool{}
	found, err := s.readPacked(ctx, s.read, seqs)
	if err != nil {
		return err
	}
	for i := range found {
		recorded[found[i].Record] = true
	}
	for i, ref := range refs {
		if recorded[ref] {
			out[i] = hub.Recorded
		}
	}
	return nil
}

// Contents returns what the recorded events with any of the ids state.
func (s *Store) Contents(ctx context.Context, ids []string) (map[hub.EventKey]hub.Content, error) {
	keys := make([]int64, len(ids))
	wanted := make(map[string]bool, len(ids))
	for i, id := range ids {
		keys[i], wanted[id] = eventIDKey(id), true
	}
	seqs, err := s.index.Lookup(ctx, nil, named(keys...), math.MaxInt)
	if err != nil {
		return nil, s.classify("read events", err)
	}
	out := map[hub.EventKey]hub.Content{}
	found, err := s.readEvents(ctx, s.read, seqs)
	if err != nil {
		return nil, err
	}
	for i := range found {
		if e := &found[i]; wanted[e.Key.ID] {
			out[e.Key] = hub.Content{Body: e.Leaf.Event, Hash: e.Hash}
		}
	}
	return out, nil
}
