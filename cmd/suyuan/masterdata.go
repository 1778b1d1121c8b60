package main

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

// Bounds of what is remembered of master data, and of how long a record waits for it.
const (
	masterFresh   = 5 * time.Second
	masterEntries = 10_000
	masterWait    = 10 * time.Second
)

// masterData finds master data for the lookups of mappings. What it found is good for [masterFresh], so that a file of many
// records about few products does not ask for each. It is safe for concurrent use.
type masterData struct {
	statements func(ctx context.Context, kind hub.StatementKind, ids ...string) ([]hub.Statement, error)
	now        func() time.Time

	mu    sync.Mutex
	found map[masterKey]masterEntry
}

type masterKey struct {
	kind hub.StatementKind
	id   string
}

type masterEntry struct {
	until time.Time
	by    map[hub.ProviderID]map[string]string
}

// lookup implements [mapping.Master]. It tries a store that cannot be read again for [masterWait].
func (m *masterData) lookup(kind hub.StatementKind, id string, by hub.ProviderID) (map[string]string, error) {
	key := masterKey{kind, id}
	m.mu.Lock()
	known, ok := m.found[key]
	m.mu.Unlock()
	if ok && m.now().Before(known.until) {
		return known.by[by], nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), masterWait)
	defer cancel()
	said, err := backoff.Retry(ctx, func() ([]hub.Statement, error) {
		said, err := m.statements(ctx, kind, id)
		if err != nil && hub.KindOf(err) != hub.Unavailable {
			err = backoff.Permanent(err)
		}
		return said, err
	}, backoff.WithBackOff(backoff.NewExponentialBackOff()), backoff.WithMaxElapsedTime(masterWait))
	if err != nil {
		return nil, err
	}
	entry := masterEntry{m.now().Add(masterFresh), map[hub.ProviderID]map[string]string{}}
	for _, s := range said {
		entry.by[s.Provider] = s.Attributes
	}
	if len(said) == 0 { // it may be stated at any moment
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.found == nil || len(m.found) >= masterEntries {
		m.found = map[masterKey]masterEntry{}
	}
	m.found[key] = entry
	return entry.by[by], nil
}

// informed are parts whose mappings find master data.
func informed(parts map[hub.ConnectorID]pipeline.Instance, master mapping.Master) map[hub.ConnectorID]pipeline.Instance {
	out := maps.Clone(parts)
	for id, part := range out {
		if plain := part.Map; plain != nil {
			part.Map = func(in mapping.Input, locate func(pointer string) hub.Where) (mapping.Output, error) {
				in.Master = master
				return plain(in, locate)
			}
			out[id] = part
		}
	}
	return out
}
