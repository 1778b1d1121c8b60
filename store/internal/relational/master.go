package relational

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// attribute is one stored master data attribute and when its provider stated it.
type attribute struct {
	Value string `json:"v"`
	At    int64  `json:"t"`
}

// state merges a statement into what its provider stated before, attribute by attribute; the newer one stands.
func (a *appender) state(st *hub.Statement) error {
	var text string
	var at int64
	err := a.tx.QueryRowContext(a.ctx, `SELECT attributes, stated_at FROM statements WHERE kind = ? AND id = ? AND provider = ?`,
		st.Kind, st.ID, string(st.Provider)).Scan(&text, &at)
	attrs := map[string]attribute{}
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return fmt.Errorf("read statement: %w", err)
	default:
		if err := json.Unmarshal([]byte(text), &attrs); err != nil {
			return fmt.Errorf("decode statement: %w", err)
		}
	}
	stated := micros(st.StatedAt)
	for name, value := range st.Attributes {
		if old, ok := attrs[name]; !ok || old.At <= stated {
			attrs[name] = attribute{Value: value, At: stated}
		}
	}
	out, err := json.Marshal(attrs)
	if err != nil {
		return fmt.Errorf("encode statement: %w", err)
	}
	_, err = a.tx.ExecContext(a.ctx, `INSERT INTO statements (kind, id, provider, stated_at, attributes) VALUES (?,?,?,?,?)
		ON CONFLICT (kind, id, provider) DO UPDATE SET stated_at = excluded.stated_at, attributes = excluded.attributes`,
		st.Kind, st.ID, string(st.Provider), max(at, stated), string(out))
	if err != nil {
		return fmt.Errorf("store statement: %w", err)
	}
	return nil
}

// Statements implements trace.Library.
func (s *Store) Statements(ctx context.Context, kind hub.StatementKind, ids ...string) ([]hub.Statement, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := []any{kind}
	for _, id := range ids {
		args = append(args, id)
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id, provider, stated_at, attributes FROM statements WHERE kind = ? AND id IN (?`+
		strings.Repeat(`,?`, len(ids)-1)+`) ORDER BY stated_at, id, provider`, args...)
	if err != nil {
		return nil, s.unavailable("read statements", err)
	}
	defer rows.Close()
	var out []hub.Statement
	for rows.Next() {
		st := hub.Statement{Kind: kind, Attributes: map[string]string{}}
		var at int64
		var text string
		if err := rows.Scan(&st.ID, &st.Provider, &at, &text); err != nil {
			return nil, s.unavailable("read statements", err)
		}
		st.ID = s.dialect.Text(st.ID)
		attrs := map[string]attribute{}
		if err := json.Unmarshal([]byte(text), &attrs); err != nil {
			return nil, fmt.Errorf("decode statement about %s: %w", st.ID, err)
		}
		for name, a := range attrs {
			st.Attributes[name] = a.Value
		}
		st.StatedAt = fromMicros(at)
		out = append(out, st)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable("read statements", err)
	}
	return out, nil
}

// Position implements connectors.Positions.
func (s *Store) Position(ctx context.Context, id hub.ConnectorID) (hub.Position, error) {
	var p hub.Position
	err := s.read.QueryRowContext(ctx, `SELECT position FROM positions WHERE connector = ?`, string(id)).Scan(&p)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", s.unavailable("read position", err)
	}
	return p, nil
}

// SavePosition implements connectors.Positions.
func (s *Store) SavePosition(ctx context.Context, id hub.ConnectorID, p hub.Position) error {
	return s.inTx(ctx, "save position", func(tx *Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO positions (connector, position, saved_at) VALUES (?,?,?)
			ON CONFLICT (connector) DO UPDATE SET position = excluded.position, saved_at = excluded.saved_at`,
			string(id), string(p), micros(s.config.Now()))
		return err
	})
}
