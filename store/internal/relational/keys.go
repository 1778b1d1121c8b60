package relational

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

const keyColumns = `id, hash, provider, scopes, note, created_at, revoked_at, last_used_at`

func scanKey(row interface{ Scan(...any) error }) (hub.Key, error) {
	var k hub.Key
	var hash []byte
	var scopes string
	var created, revoked, used int64
	if err := row.Scan(&k.ID, &hash, &k.Provider, &scopes, &k.Note, &created, &revoked, &used); err != nil {
		return k, err
	}
	copy(k.Hash[:], hash)
	for sc := range strings.FieldsSeq(scopes) {
		k.Scopes = append(k.Scopes, hub.Scope(sc))
	}
	k.CreatedAt, k.RevokedAt, k.LastUsedAt = fromMicros(created), fromMicros(revoked), fromMicros(used)
	return k, nil
}

// PutKey stores a new key, or the new state of one that is there.
func (s *Store) PutKey(ctx context.Context, k hub.Key) error {
	scopes := make([]string, len(k.Scopes))
	for i, sc := range k.Scopes {
		scopes[i] = string(sc)
	}
	return s.inTx(ctx, "store key", func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO keys (`+keyColumns+`) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id)`+replacing(keyColumns),
			k.ID, k.Hash[:], string(k.Provider), strings.Join(scopes, " "), k.Note,
			micros(k.CreatedAt), micros(k.RevokedAt), micros(k.LastUsedAt))
		return err
	})
}

// KeyByHash returns the key whose secret has this hash, revoked or not, or a fault of kind NotFound.
func (s *Store) KeyByHash(ctx context.Context, h hub.Digest) (hub.Key, error) {
	k, err := scanKey(s.read.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM keys WHERE hash = ?`, h[:]))
	if errors.Is(err, sql.ErrNoRows) {
		return k, hub.Faultf(hub.NotFound, "key.unknown", "the key is not known")
	}
	if err != nil {
		return k, s.unavailable("read key", err)
	}
	return k, nil
}

// Keys lists all keys by id.
func (s *Store) Keys(ctx context.Context) ([]hub.Key, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM keys ORDER BY id`)
	if err != nil {
		return nil, s.unavailable("list keys", err)
	}
	defer rows.Close()
	var out []hub.Key
	for rows.Next() {
		k, err := scanKey(rows)
		if err != nil {
			return nil, s.unavailable("list keys", err)
		}
		out = append(out, k)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("list keys", err)
	}
	return out, nil
}

// RevokeKey makes a key useless from now on.
func (s *Store) RevokeKey(ctx context.Context, id string, at time.Time) error {
	return s.inTx(ctx, "revoke key", func(tx *Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at = 0`, micros(at), id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, hub.Faultf(hub.NotFound, "key.unknown", "there is no good key %q", id))
		}
		return nil
	})
}
