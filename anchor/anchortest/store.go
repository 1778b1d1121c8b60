package anchortest

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// Store is an in-memory [anchor.Leaves] and [anchor.Journal].
type Store struct {
	// Faults decides the fate of every write; nil lets all go well.
	Faults *Switch
	// Hash is the hash function of the log.
	Hash anchor.Hash

	mu     sync.Mutex
	events []hub.Event
	leaves []hub.Digest
	sealed []anchor.Sealed
	tiles  map[[2]uint64]anchor.Tile
}

// Append records events as of their RecordedAt, and assigns their Seq.
func (s *Store) Append(events ...hub.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		e.Seq = hub.Seq(len(s.events))
		s.events = append(s.events, e)
		s.leaves = append(s.leaves, s.Hash.Leaf(e.Leaf.Bytes()))
	}
}

// Drop forgets all but the first n events, as no store may.
func (s *Store) Drop(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events, s.leaves = s.events[:n], s.leaves[:n]
}

// Event returns the n-th event of the tests, recorded at the given time. Its body is canonical.
func Event(n int, at time.Time) hub.Event {
	id := fmt.Sprintf("urn:uuid:00000000-0000-4000-8000-%012d", n)
	body := fmt.Appendf(nil, `{"action":"OBSERVE","bizStep":"shipping","epcList":["https://id.gs1.org/01/07613035982949/21/%d"],`+
		`"eventID":%q,"eventTime":"2019-11-07T21:18:56.000Z","eventTimeZoneOffset":"+08:00","note":"启赋 <&> é","type":"ObjectEvent","weight":0.9}`, n, id)
	return hub.Event{
		Key:  hub.EventKey{ID: id},
		Body: body,
		Hash: "ni:///sha-256;" + hub.Sum(body).String() + "?ver=CBV2.0",
		Leaf: hub.LeafRecord{
			Connector: "tests", Event: hub.Sum(body), EventHash: "ni:///sha-256;" + hub.Sum(body).String() + "?ver=CBV2.0",
			Provider: "shanghai-bonded-wms", Raw: hub.Sum([]byte(id)), ReceivedAt: hub.Instant(at),
			Salt: hub.Sum(fmt.Appendf(nil, "salt %d", n)), Version: hub.LeafVersion,
		},
		RecordedAt: at,
	}
}

// LogSize implements [anchor.Leaves].
func (s *Store) LogSize(context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return uint64(len(s.events)), nil
}

// LeafHashes implements [anchor.Leaves].
func (s *Store) LeafHashes(_ context.Context, from uint64, n int) ([]hub.Digest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := min(from, uint64(len(s.leaves)))
	return slices.Clone(s.leaves[first:min(first+uint64(n), uint64(len(s.leaves)))]), nil
}

// EventAt implements [anchor.Leaves].
func (s *Store) EventAt(_ context.Context, seq hub.Seq) (hub.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if uint64(seq) >= uint64(len(s.events)) {
		return hub.Event{}, hub.Faultf(hub.NotFound, "event.unknown", "there is no event %d", seq)
	}
	return s.events[seq], nil
}

// RecordedAt implements [anchor.Leaves].
func (s *Store) RecordedAt(ctx context.Context, seq hub.Seq) (time.Time, error) {
	e, err := s.EventAt(ctx, seq)
	return e.RecordedAt, err
}

// Seal implements [anchor.Journal].
func (s *Store) Seal(_ context.Context, sealed anchor.Sealed, tiles []anchor.Tile) error {
	return s.Faults.Do(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		last := uint64(0)
		if n := len(s.sealed); n > 0 {
			last = s.sealed[n-1].Checkpoint.Size
		}
		if sealed.PreviousSize != last || len(s.sealed) > 0 && sealed.Checkpoint.Size <= last {
			return hub.Faultf(hub.Conflict, "journal.size", "size %d after %d does not follow %d", sealed.Checkpoint.Size, sealed.PreviousSize, last)
		}
		if s.tiles == nil {
			s.tiles = make(map[[2]uint64]anchor.Tile)
		}
		s.sealed = append(s.sealed, sealed)
		for _, t := range tiles {
			id := [2]uint64{uint64(t.Level), t.Index}
			if len(s.tiles[id].Hashes) < len(t.Hashes) {
				s.tiles[id] = t
			}
		}
		return nil
	})
}

// SaveProgress implements [anchor.Journal].
func (s *Store) SaveProgress(_ context.Context, p anchor.Sealed) error {
	return s.Faults.Do(func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := s.first(p.Checkpoint.Size)
		if i == len(s.sealed) || s.sealed[i].Checkpoint.Size != p.Checkpoint.Size {
			return hub.Faultf(hub.NotFound, "journal.unknown", "size %d was never sealed", p.Checkpoint.Size)
		}
		to := &s.sealed[i]
		if p.State < to.State {
			return hub.Faultf(hub.Conflict, "journal.progress", "size %d is %v already", p.Checkpoint.Size, to.State)
		}
		to.State, to.Pending, to.Evidence, to.CommittedAt = p.State, p.Pending, slices.Clone(p.Evidence), p.CommittedAt
		return nil
	})
}

// first returns the index of the first checkpoint of at least the given size.
func (s *Store) first(size uint64) int {
	return sort.Search(len(s.sealed), func(i int) bool { return s.sealed[i].Checkpoint.Size >= size })
}

// SealedFrom implements [anchor.Journal].
func (s *Store) SealedFrom(_ context.Context, size uint64, limit int) ([]anchor.Sealed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if limit >= 0 {
		rest := s.sealed[s.first(size):]
		return slices.Clone(rest[:min(limit, len(rest))]), nil
	}
	upTo := slices.Clone(s.sealed[:s.first(size+1)])
	slices.Reverse(upTo)
	return upTo[:min(-limit, len(upTo))], nil
}

// Tile implements [anchor.Journal].
func (s *Store) Tile(_ context.Context, level int, index uint64) (anchor.Tile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tiles[[2]uint64{uint64(level), index}]
	if !ok {
		return anchor.Tile{}, hub.Faultf(hub.NotFound, "tile.unknown", "there is no tile %d/%d", level, index)
	}
	return t, nil
}
