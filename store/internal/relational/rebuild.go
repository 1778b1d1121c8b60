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
// store. A crash leaves what the next start completes.
func (s *Store) Rebuild(ctx context.Context) (before, after map[string]string, err error) {
	if before, err = s.projections(ctx); err != nil {
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
	err = s.index.Rebuild(ctx, s.told())
	s.mu.Unlock()
	if err != nil {
		return nil, nil, s.classify("rebuild indexes", err)
	}
	after, err = s.projections(ctx)
	return before, after, err
}

// projections returns the number of rows and a digest of each index.
func (s *Store) projections(ctx context.Context) (map[string]string, error) {
	out, err := s.index.Digests(ctx)
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
		seqs := make([]int64, len(want))
		for i := range seqs {
			seqs[i] = int64(from) + int64(i)
		}
		good, err := s.sound(ctx, seqs, want)
		for i, seq := range seqs {
			if err != nil { // of one of them: find out which
				alone, err := s.sound(ctx, seqs[i:i+1], want[i:])
				if err != nil && (ctx.Err() != nil || hub.KindOf(err) == hub.Unavailable) {
					return nil, err
				}
				good[seq] = alone[seq]
			}
			if !good[seq] {
				damaged = append(damaged, hub.Seq(seq))
			}
		}
	}
}

// sound returns which of the events at seqs can be read and give their leaf hash.
func (s *Store) sound(ctx context.Context, seqs []int64, want []hub.Digest) (map[int64]bool, error) {
	good := make(map[int64]bool, len(seqs))
	found, err := s.events(ctx, seqs)
	for i := range found {
		e := &found[i]
		seq := int64(e.Seq)
		good[seq] = s.config.LeafHash(e.Leaf.Bytes()) == want[seq-seqs[0]] && hub.Sum(e.Body) == e.Leaf.Event
	}
	return good, err
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
