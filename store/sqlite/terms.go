package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
)

// hashKey is the 63-bit key of parts in the hashed indexes. FNV is enough: a collision costs a comparison, never a wrong
// answer.
func hashKey(parts ...string) int64 {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return int64(h.Sum64() >> 1)
}

func (s *Store) loadTerms(ctx context.Context) error {
	rows, err := s.write.QueryContext(ctx, `SELECT id, text FROM terms`)
	if err != nil {
		return err
	}
	defer rows.Close()
	terms, names := map[string]int64{}, map[int64]string{}
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		terms[text], names[id] = id, text
	}
	if err := rows.Err(); err != nil {
		return err
	}
	s.terms = terms
	s.namesMu.Lock()
	s.names = names
	s.namesMu.Unlock()
	return nil
}

// term returns the id of text, adding it within tx if it is new.
func (s *Store) term(ctx context.Context, tx *sql.Tx, text string) (int64, error) {
	if id, ok := s.terms[text]; ok {
		return id, nil
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO terms (text) VALUES (?)`, text)
	if err != nil {
		return 0, fmt.Errorf("add term: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, fmt.Errorf("add term: %w", err)
	}
	s.terms[text] = id
	s.namesMu.Lock()
	s.names[id] = text
	s.namesMu.Unlock()
	return id, nil
}

// name returns the text of a term that a row refers to.
func (s *Store) name(id int64) string {
	s.namesMu.RLock()
	defer s.namesMu.RUnlock()
	return s.names[id]
}
