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

// traits are what an event has in common with others: mostly with the one before it, from which they are taken then.
type traits struct {
	provider hub.ProviderID
	facets   hub.Facets // without its things
	stems    []string
	keys     []int64
	spare    []string
}

// of makes t those of an event, and reports whether they were before.
func (t *traits) of(f *hub.Facets, provider hub.ProviderID) (alike bool) {
	t.spare = stems(t.spare[:0], f)
	b := &t.facets
	if t.keys != nil && t.provider == provider && b.Type == f.Type && b.Action == f.Action && b.BizStep == f.BizStep &&
		b.Disposition == f.Disposition && b.ReadPoint == f.ReadPoint && b.BizLocation == f.BizLocation &&
		b.TransformationID == f.TransformationID && slices.Equal(t.stems, t.spare) {
		return true
	}
	t.provider, t.facets = provider, *f
	t.facets.Things = nil
	t.stems, t.spare = t.spare, t.stems
	t.keys = facetKeys(f, provider, t.stems)
	return false
}

// stems adds to out those of the identifiers that an event speaks of, each once.
func stems(out []string, f *hub.Facets) []string {
	for i := range f.Things {
		if st := stem(f.Things[i].ID); st != "" {
			out = append(out, st)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// facetKeys are the keys of an event's facets. Each stands once: its kind and value do.
func facetKeys(f *hub.Facets, provider hub.ProviderID, stems []string) []int64 {
	keys := make([]int64, 2, 8)
	keys[0], keys[1] = hashKey(facetProvider, string(provider)), hashKey(facetWhat, f.Type, f.Action)
	for _, p := range [...]struct{ kind, value string }{
		{facetDisposition, f.Disposition}, {facetReadPoint, f.ReadPoint}, {facetBizLocation, f.BizLocation},
		{facetTransformation, f.TransformationID}, {facetStep, f.BizStep},
	} {
		if p.value != "" {
			keys = append(keys, hashKey(p.kind, p.value))
		}
	}
	for _, st := range stems {
		keys = append(keys, hashKey(facetStem, st))
	}
	return keys
}

// unknown adds to words those values of an event that were not seen before.
func (s *Store) unknown(words []word, f *hub.Facets, provider hub.ProviderID, stems []string) []word {
	add := func(w word) {
		if w.value != "" && !s.words[w] {
			words = append(words, w)
		}
	}
	add(word{hub.TermType, f.Type, string(provider)})
	add(word{hub.TermBizStep, f.BizStep, string(provider)})
	add(word{hub.TermDisposition, f.Disposition, string(provider)})
	add(word{hub.TermReadPoint, f.ReadPoint, string(provider)})
	add(word{hub.TermBizLocation, f.BizLocation, string(provider)})
	for _, st := range stems {
		add(word{vocabularyStem, st, ""})
	}
	return words
}

// know notes values.
func (s *Store) know(ctx context.Context, tx *Tx, words []word) error {
	for _, w := range words {
		if s.words[w] { // it stands twice in words
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO vocabulary (kind, value, provider) VALUES (?,?,?) ON CONFLICT DO NOTHING`,
			w.kind, w.value, w.provider); err != nil {
			return fmt.Errorf("note a value: %w", err)
		}
		s.words[w] = true
	}
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
	key, value, ok := strings.Cut(rest, "/")
	if !ok {
		return canonicalStem + key + "/"
	}
	value, _, _ = strings.Cut(value, "/")
	keep := 8
	if key == "01" {
		keep = 13
	}
	return id[:len(canonicalStem)+len(key)+1+min(len(value), keep)]
}

const canonicalStem = "https://id.gs1.org/"
