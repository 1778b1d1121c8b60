package relational

import (
	"context"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/body"
)

// Verdicts returns what became of records, in order; 0 for one that the pipeline has not reached. It is for many records
// at once; [Store.Record] says more of one.
func (s *Store) Verdicts(ctx context.Context, refs []hub.RecordRef) ([]hub.Verdict, error) {
	out := make([]hub.Verdict, len(refs))
	for from := 0; from < len(refs); from += lastChunk {
		part := refs[from:min(from+lastChunk, len(refs))]
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
		key := hashKey(string(r.Connector), string(r.ID))
		keys[i], at[key] = key, append(at[key], i)
	}
	cond, args := s.in(`key`, keys)
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

// Contents returns what the recorded events with any of the ids state.
func (s *Store) Contents(ctx context.Context, ids []string) (map[hub.EventKey]hub.Content, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]int64, len(ids))
	wanted := make(map[string]bool, len(ids))
	for i, id := range ids {
		keys[i], wanted[id] = eventIDKey(id), true
	}
	cond, args := s.in(`t.key`, keys)
	rows, err := s.read.QueryContext(ctx, `SELECT e.event_id, e.declared_at, e.hash, e.body FROM things t `+s.dialect.Cross+
		` events e ON e.seq = t.seq WHERE `+cond, args...)
	if err != nil {
		return nil, s.unavailable("read events", err)
	}
	defer rows.Close()
	out := map[hub.EventKey]hub.Content{}
	for rows.Next() {
		var k hub.EventKey
		var declared int64
		var hash string
		var packed []byte
		if err := rows.Scan(&k.ID, &declared, &hash, &packed); err != nil {
			return nil, s.unavailable("read events", err)
		}
		if k.ID = s.dialect.Text(k.ID); !wanted[k.ID] {
			continue
		}
		plain, err := body.Unpack(packed)
		if err != nil {
			return nil, err
		}
		k.DeclaredAt = fromMicros(declared)
		out[k] = hub.Content{Body: hub.Sum(plain), Hash: hash}
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("read events", err)
	}
	return out, nil
}
