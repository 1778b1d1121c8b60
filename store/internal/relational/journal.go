package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/suyuan-io/suyuan/hub"
)

const sealedColumns = `size, origin, root, note, previous_size, sealed_at, state, pending, evidence, committed_at`

// Seal implements anchor.Journal: the checkpoint and its tiles stand in one transaction.
func (s *Store) Seal(ctx context.Context, c hub.Sealed, tiles []hub.Tile) error {
	evidence, err := json.Marshal(c.Evidence)
	if err != nil {
		return fmt.Errorf("encode evidence: %w", err)
	}
	return s.inTx(ctx, "seal checkpoint", func(tx *Tx) error {
		if s.dialect.Lock != "" {
			if _, err := tx.ExecContext(ctx, s.dialect.Lock); err != nil {
				return err
			}
		}
		var last sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT max(size) FROM checkpoints`).Scan(&last); err != nil {
			return err
		}
		if int64(c.PreviousSize) != last.Int64 || last.Valid && int64(c.Checkpoint.Size) <= last.Int64 {
			return hub.Faultf(hub.Conflict, "anchor.sealed", "a checkpoint of size %d after %d does not follow the last sealed size %d",
				c.Checkpoint.Size, c.PreviousSize, last.Int64)
		}
		if err := putTiles(ctx, tx, tiles); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO checkpoints (`+sealedColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?)`,
			int64(c.Checkpoint.Size), c.Checkpoint.Origin, c.Checkpoint.Root[:], c.Checkpoint.Note, int64(c.PreviousSize),
			micros(c.SealedAt), c.State, c.Pending, string(evidence), micros(c.CommittedAt))
		return err
	})
}

func putTiles(ctx context.Context, tx *Tx, tiles []hub.Tile) error {
	for _, t := range tiles {
		if _, err := tx.ExecContext(ctx, `INSERT INTO tiles (level, idx, hashes) VALUES (?,?,?)
			ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes`,
			t.Level, int64(t.Index), joinDigests(t.Hashes)); err != nil {
			return fmt.Errorf("store tile: %w", err)
		}
	}
	return nil
}

// SaveProgress implements anchor.Journal.
func (s *Store) SaveProgress(ctx context.Context, c hub.Sealed) error {
	evidence, err := json.Marshal(c.Evidence)
	if err != nil {
		return fmt.Errorf("encode evidence: %w", err)
	}
	return s.inTx(ctx, "save anchor progress", func(tx *Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE checkpoints SET state = ?, pending = ?, evidence = ?, committed_at = ?
			WHERE size = ? AND state <= ?`, c.State, c.Pending, string(evidence), micros(c.CommittedAt), int64(c.Checkpoint.Size), c.State)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, hub.Faultf(hub.Conflict, "anchor.progress",
				"no checkpoint of size %d is sealed, or it has come further than that", c.Checkpoint.Size))
		}
		return nil
	})
}

// SealedFrom implements anchor.Journal.
func (s *Store) SealedFrom(ctx context.Context, size uint64, limit int) ([]hub.Sealed, error) {
	cond := `size >= ? ORDER BY size`
	if limit < 0 {
		cond, limit = `size <= ? ORDER BY size DESC`, -limit
	}
	bound := int64(min(size, 1<<62))
	rows, err := s.read.QueryContext(ctx, `SELECT `+sealedColumns+` FROM checkpoints WHERE `+cond+` LIMIT ?`, bound, limit)
	if err != nil {
		return nil, s.unavailable("read checkpoints", err)
	}
	defer rows.Close()
	var out []hub.Sealed
	for rows.Next() {
		c, err := scanSealed(rows)
		if err != nil {
			return nil, s.unavailable("read checkpoints", err)
		}
		out = append(out, c)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("read checkpoints", err)
	}
	return out, nil
}

func scanSealed(rows *sql.Rows) (hub.Sealed, error) {
	var c hub.Sealed
	var root []byte
	var evidence string
	var sealed, committed int64
	if err := rows.Scan(&c.Checkpoint.Size, &c.Checkpoint.Origin, &root, &c.Checkpoint.Note, &c.PreviousSize, &sealed, &c.State,
		&c.Pending, &evidence, &committed); err != nil {
		return c, err
	}
	copy(c.Checkpoint.Root[:], root)
	c.SealedAt, c.CommittedAt = fromMicros(sealed), fromMicros(committed)
	if err := json.Unmarshal([]byte(evidence), &c.Evidence); err != nil {
		return c, fmt.Errorf("decode evidence: %w", err)
	}
	return c, nil
}

// Tile implements anchor.Journal.
func (s *Store) Tile(ctx context.Context, level int, index uint64) (hub.Tile, error) {
	t := hub.Tile{Level: level, Index: index}
	var b []byte
	err := s.read.QueryRowContext(ctx, `SELECT hashes FROM tiles WHERE level = ? AND idx = ?`, level, int64(index)).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return t, hub.Faultf(hub.NotFound, "anchor.no-tile", "there is no tile %d/%d", level, index)
	}
	if err != nil {
		return t, s.unavailable("read tile", err)
	}
	t.Hashes, err = splitDigests(b)
	return t, err
}

func joinDigests(ds []hub.Digest) []byte {
	b := make([]byte, 0, len(ds)*hub.DigestSize)
	for _, d := range ds {
		b = append(b, d[:]...)
	}
	return b
}

func splitDigests(b []byte) ([]hub.Digest, error) {
	if len(b)%hub.DigestSize != 0 {
		return nil, fmt.Errorf("decode tile: %d bytes are not whole digests", len(b))
	}
	ds := make([]hub.Digest, len(b)/hub.DigestSize)
	for i := range ds {
		copy(ds[i][:], b[i*hub.DigestSize:])
	}
	return ds, nil
}
