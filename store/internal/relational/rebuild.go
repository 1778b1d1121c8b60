package relational

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/suyuan-io/suyuan/hub"
)

// rebuildBatch is how many events are read at once.
const rebuildBatch = 2000

// Rebuild makes what follows from the events again: the index and the vocabulary. It returns the number of rows and a digest of
// each part before and after: where the two differ, what stood there was not what the events say. Nobody else may use the
// store. A crash leaves what the next start completes. A fault of kind Unavailable says that this store's index is not made
// again.
func (s *Store) Rebuild(ctx context.Context) (before, after map[string]string, err error) {
	index, ok := s.index.(Rebuildable)
	if !ok {
		return nil, nil, hub.Faultf(hub.Unavailable, "store.rebuild", "the index of this store is part of its database").
			WithHint("use the database's own means: REINDEX")
	}
	if before, err = s.projections(ctx, index); err != nil {
		return nil, nil, err
	}
	if err := s.inTx(ctx, "rebuild vocabulary", func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM vocabulary`)
		return err
	}); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	s.words = map[word]bool{}
	err = index.Rebuild(ctx, s.entries)
	s.mu.Unlock()
	if err != nil {
		return nil, nil, s.classify("rebuild indexes", err)
	}
	after, err = s.projections(ctx, index)
	return before, after, err
}

// projections returns the number of rows and a digest of each index.
func (s *Store) projections(ctx context.Context, index Rebuildable) (map[string]string, error) {
	out, err := index.Digests(ctx)
	if err != nil {
		return nil, s.classify("read index", err)
	}
	out["vocabulary"], err = s.digest(ctx, `SELECT kind || ' ' || value || ' ' || provider FROM vocabulary ORDER BY kind, value, provider`)
	if err != nil {
		return nil, s.classify("read index", err)
	}
	return out, nil
}

func (s *Store) digest(ctx context.Context, text string) (string, error) {
	rows, err := s.read.QueryContext(ctx, text)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	h, n := sha256.New(), 0
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", err
		}
		_, _ = fmt.Fprintln(h, line) // a hash takes everything
		n++
	}
	return fmt.Sprintf("%d rows, %s", n, hex.EncodeToString(h.Sum(nil)[:8])), rows.Err()
}

// Damaged returns the events whose bytes do not give their leaf hash any more.
func (s *Store) Damaged(ctx context.Context) ([]hub.Seq, error) {
	var damaged []hub.Seq
	for from := uint64(0); ; from += rebuildBatch {
		want, err := s.LeafHashes(ctx, from, rebuildBatch)
		if err != nil || len(want) == 0 {
			return damaged, err
		}
		for i, digest := range want {
			seq := hub.Seq(from) + hub.Seq(i)
			e, err := s.EventAt(ctx, seq)
			if err != nil && ctx.Err() != nil {
				return nil, err
			}
			if err != nil || s.config.LeafHash(e.Leaf.Bytes()) != digest || hub.Sum(e.Body) != e.Leaf.Event {
				damaged = append(damaged, seq)
			}
		}
	}
}

// ForgetLog removes the checkpoints and the tree, so that a log with another origin can begin over the same events. The events
// and their order stay.
func (s *Store) ForgetLog(ctx context.Context) error {
	return s.inTx(ctx, "forget log", func(tx *Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM tiles`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM checkpoints`)
		return err
	})
}

// PutTiles stores tiles again that the leaves gave.
func (s *Store) PutTiles(ctx context.Context, tiles []hub.Tile) error {
	return s.inTx(ctx, "store tiles", func(tx *Tx) error { return putTiles(ctx, tx, tiles) })
}
