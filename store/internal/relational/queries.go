package relational

import (
	"context"
	"database/sql"
	"errors"

	"github.com/suyuan-io/suyuan/hub"
)

// AddQuery stores a new named query; a fault of kind Conflict says that the party has one of the name.
func (s *Store) AddQuery(ctx context.Context, q hub.NamedQuery) error {
	return s.inTx(ctx, "store query", func(tx *Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO named_queries (provider, name, definition, created_at) VALUES (?,?,?,?)
			ON CONFLICT DO NOTHING`,
			string(q.Provider), q.Name, string(q.Definition), micros(q.CreatedAt))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err == nil && n == 0 {
			err = hub.Faultf(hub.Conflict, "query.exists", "there is a query %q already", q.Name).
				WithHint("delete it first, or choose another name")
		}
		return err
	})
}

// Query returns a party's named query, or a fault of kind NotFound.
func (s *Store) Query(ctx context.Context, provider hub.ProviderID, name string) (hub.NamedQuery, error) {
	q := hub.NamedQuery{Provider: provider, Name: name}
	var definition string
	var created int64
	err := s.read.QueryRowContext(ctx, `SELECT definition, created_at FROM named_queries WHERE provider = ? AND name = ?`,
		string(provider), name).Scan(&definition, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return q, hub.Faultf(hub.NotFound, "query.unknown-name", "there is no query %q", name).WithHint("list them with GET /queries")
	}
	if err != nil {
		return q, s.unavailable("read query", err)
	}
	q.Definition, q.CreatedAt = []byte(definition), fromMicros(created)
	return q, nil
}

// Queries lists a party's named queries by name, those behind after, at most limit.
func (s *Store) Queries(ctx context.Context, provider hub.ProviderID, after string, limit int) ([]hub.NamedQuery, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT name, definition, created_at FROM named_queries WHERE provider = ? AND name > ?
		ORDER BY name LIMIT ?`, string(provider), after, limit)
	if err != nil {
		return nil, s.unavailable("list queries", err)
	}
	defer rows.Close()
	var out []hub.NamedQuery
	for rows.Next() {
		q := hub.NamedQuery{Provider: provider}
		var definition string
		var created int64
		if err := rows.Scan(&q.Name, &definition, &created); err != nil {
			return nil, s.unavailable("list queries", err)
		}
		q.Definition, q.CreatedAt = []byte(definition), fromMicros(created)
		out = append(out, q)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("list queries", err)
	}
	return out, nil
}

// DeleteQuery deletes a party's named query and its subscriptions; a fault of kind NotFound says that there is none.
func (s *Store) DeleteQuery(ctx context.Context, provider hub.ProviderID, name string) error {
	return s.inTx(ctx, "delete query", func(tx *Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM named_queries WHERE provider = ? AND name = ?`, string(provider), name)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, hub.Faultf(hub.NotFound, "query.unknown-name", "there is no query %q", name))
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM subscriptions WHERE provider = ? AND query = ?`, string(provider), name)
		return err
	})
}
