package relational

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// hashKey is the 63-bit key of parts in the hashed indexes: FNV-1a, by hand because hash/fnv is a call a part. It is enough: a collision costs a comparison, never a wrong
// answer.
func hashKey(parts ...string) int64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, p := range parts {
		for i := range len(p) {
			h = (h ^ uint64(p[i])) * prime
		}
		h *= prime // a zero ends each part
	}
	return int64(h >> 1)
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
func (s *Store) term(ctx context.Context, tx *Tx, text string) (int64, error) {
	if id, ok := s.terms[text]; ok {
		return id, nil
	}
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT id FROM terms WHERE text = ?`, text).Scan(&id) // another process may have added it
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRowContext(ctx, `INSERT INTO terms (text) VALUES (?) RETURNING id`, text).Scan(&id)
	}
	if err != nil {
		return 0, fmt.Errorf("add term: %w", err)
	}
	s.terms[text] = id
	s.namesMu.Lock()
	s.names[id] = text
	s.namesMu.Unlock()
	return id, nil
}

// name returns the text of a term that a row refers to. One that another process added is read when it is first met.
func (s *Store) name(id int64) (string, error) {
	s.namesMu.RLock()
	text, ok := s.names[id]
	s.namesMu.RUnlock()
	if ok {
		return text, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), termTimeout)
	defer cancel()
	if err := s.read.QueryRowContext(ctx, `SELECT text FROM terms WHERE id = ?`, id).Scan(&text); err != nil {
		return "", fmt.Errorf("read term %d: %w", id, err)
	}
	s.namesMu.Lock()
	defer s.namesMu.Unlock()
	s.names[id] = text
	return text, nil
}

// termTimeout bounds the read of one term.
const termTimeout = 10 * time.Second
