package relational

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Kinds of keys in the facets index. Type and action share one, because most queries for a rare type or action name both.
const (
	facetProvider       = "provider"
	facetWhat           = "what"
	facetDisposition    = "disposition"
	facetReadPoint      = "readPoint"
	facetBizLocation    = "bizLocation"
	facetTransformation = "transformationID"
	facetStem           = "stem"
	facetStep           = "bizStep"
)

// vocabularyStem is the kind of stems in the vocabulary table, beside those of [hub.Term].
const vocabularyStem hub.Term = 100

// word is one row of the vocabulary table.
type word struct {
	kind            hub.Term
	value, provider string
}

// facetKeys are the keys of an event's facets, but for the business step. Each stands once: its kind and value do.
func facetKeys(f *hub.Facets, provider hub.ProviderID) []int64 {
	keys := make([]int64, 2, 8)
	keys[0], keys[1] = hashKey(facetProvider, string(provider)), hashKey(facetWhat, f.Type, f.Action)
	for _, p := range [...]struct{ kind, value string }{
		{facetDisposition, f.Disposition}, {facetReadPoint, f.ReadPoint}, {facetBizLocation, f.BizLocation},
		{facetTransformation, f.TransformationID},
	} {
		if p.value != "" {
			keys = append(keys, hashKey(p.kind, p.value))
		}
	}
	last := ""
	for i := range f.Things {
		st := stem(f.Things[i].ID)
		if st == "" || st == last {
			continue
		}
		last = st
		if key := hashKey(facetStem, st); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// know notes the values that were not seen before.
func (s *Store) know(ctx context.Context, tx *Tx, f *hub.Facets, provider hub.ProviderID) error {
	for _, w := range [...]word{
		{hub.TermType, f.Type, string(provider)},
		{hub.TermBizStep, f.BizStep, string(provider)},
		{hub.TermDisposition, f.Disposition, string(provider)},
		{hub.TermReadPoint, f.ReadPoint, string(provider)},
		{hub.TermBizLocation, f.BizLocation, string(provider)},
	} {
		if err := s.knowWord(ctx, tx, w); err != nil {
			return err
		}
	}
	last := ""
	for i := range f.Things {
		st := stem(f.Things[i].ID)
		if st == last {
			continue
		}
		last = st
		if err := s.knowWord(ctx, tx, word{vocabularyStem, st, ""}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) knowWord(ctx context.Context, tx *Tx, w word) error {
	if w.value == "" || s.words[w] {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO vocabulary (kind, value, provider) VALUES (?,?,?) ON CONFLICT DO NOTHING`,
		w.kind, w.value, w.provider); err != nil {
		return fmt.Errorf("note a value: %w", err)
	}
	s.words[w] = true
	return nil
}

// loadWords reads which values are known already.
func (s *Store) loadWords(ctx context.Context) error {
	rows, err := s.write.QueryContext(ctx, `SELECT kind, value, provider FROM vocabulary`)
	if err != nil {
		return err
	}
	defer rows.Close()
	words := map[word]bool{}
	for rows.Next() {
		var w word
		if err := rows.Scan(&w.kind, &w.value, &w.provider); err != nil {
			return err
		}
		words[w] = true
	}
	s.words = words
	return rows.Err()
}

// stem is what the identifiers of one class of things or one company begin with: of a GTIN the key without its check
// digit, which a Digital Link may state wrongly, of others the first eight characters. There are few of them, so that a
// pattern finds the stems that it covers, and they the events.
func stem(id string) string {
	rest, ok := strings.CutPrefix(id, canonicalStem)
	if !ok {
		return ""
	}
	key, value, _ := strings.Cut(rest, "/")
	value, _, _ = strings.Cut(value, "/")
	keep := 8
	if key == "01" {
		keep = 13
	}
	return canonicalStem + key + "/" + value[:min(len(value), keep)]
}

const canonicalStem = "https://id.gs1.org/"
