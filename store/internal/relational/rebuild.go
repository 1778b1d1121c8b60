package relational

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/suyuan-io/suyuan/hub"
)

// Rebuild makes the indexes that follow from the events again: things, facets and the vocabulary. It returns the number of rows
// and a digest of each before and after: where the two differ, what stood there was not what the events say. Nobody else may use
// the store. It is one transaction: a crash leaves everything as it was.
func (s *Store) Rebuild(ctx context.Context) (before, after map[string]string, err error) {
	if before, err = s.projections(ctx); err != nil {
		return nil, nil, err
	}
	if err := s.inTx(ctx, "rebuild indexes", func(tx *Tx) error { return s.rebuild(ctx, tx) }); err != nil {
		return nil, nil, err
	}
	after, err = s.projections(ctx)
	return before, after, err
}

func (s *Store) rebuild(ctx context.Context, tx *Tx) error {
	for _, text := range []string{`DELETE FROM things`, `DELETE FROM facets`, `DELETE FROM vocabulary`} {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	s.words = map[int64]bool{}
	for from := int64(0); ; from += backfillBatch {
		rows, err := tx.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE e.seq >= ? AND e.seq < ?`, from, from+backfillBatch)
		if err != nil {
			return err
		}
		found, err := s.scanEvents(rows)
		if err != nil || len(found) == 0 {
			return err
		}
		if err := s.indexAll(ctx, tx, found); err != nil {
			return err
		}
	}
}

func (s *Store) indexAll(ctx context.Context, tx *Tx, events []hub.Event) error {
	w, err := s.dialect.Writer(ctx, tx)
	if err != nil {
		return err
	}
	defer w.Close()
	a := appender{s: s, tx: tx, ctx: ctx, rows: w}
	for i := range events {
		e := &events[i]
		if err := a.about(e.Key.ID, &e.Facets, e.Seq); err != nil {
			return err
		}
		if err := a.index(&e.Facets, e.Leaf.Provider, e.Seq); err != nil {
			return err
		}
	}
	return w.Flush()
}

// projections returns the number of rows and a digest of each index.
func (s *Store) projections(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	for name, text := range map[string]string{
		"things":     `SELECT key || ' ' || seq FROM things ORDER BY key, seq`,
		"facets":     `SELECT key || ' ' || event_time || ' ' || seq FROM facets ORDER BY key, event_time, seq`,
		"vocabulary": `SELECT kind || ' ' || value || ' ' || provider FROM vocabulary ORDER BY kind, value, provider`,
	} {
		digest, err := s.digest(ctx, text)
		if err != nil {
			return nil, s.classify("read index", err)
		}
		out[name] = digest
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
	for from := uint64(0); ; from += backfillBatch {
		want, err := s.LeafHashes(ctx, from, backfillBatch)
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
