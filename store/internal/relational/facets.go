package relational

import (
	"context"
	"fmt"
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
)

// vocabularyStem is the kind of stems in the vocabulary table, beside those of [hub.Term].
const vocabularyStem hub.Term = 100

// word is one row of the vocabulary table.
type word struct {
	kind            hub.Term
	value, provider string
}

// index makes an event findable by its facets.
func (a *appender) index(f *hub.Facets, provider hub.ProviderID, seq hub.Seq) error {
	at := micros(f.EventTime)
	values := make([]any, 0, 24)
	add := func(key int64) { values = append(values, key, at, int64(seq)) } // each key once: its kind and value are
	add(hashKey(facetProvider, string(provider)))
	add(hashKey(facetWhat, f.Type, f.Action))
	for _, p := range [...]struct{ kind, value string }{
		{facetDisposition, f.Disposition}, {facetReadPoint, f.ReadPoint}, {facetBizLocation, f.BizLocation},
		{facetTransformation, f.TransformationID},
	} {
		if p.value != "" {
			add(hashKey(p.kind, p.value))
		}
	}
	stems := map[string]bool{}
	for i := range f.Things {
		if s := stem(f.Things[i].ID); s != "" && !stems[s] {
			stems[s] = true
			add(hashKey(facetStem, s))
		}
	}
	if err := a.rows.Add(Facets, values); err != nil {
		return fmt.Errorf("index event: %w", err)
	}
	return a.know(f, provider, stems)
}

// know notes the values that were not seen before.
func (a *appender) know(f *hub.Facets, provider hub.ProviderID, stems map[string]bool) error {
	words := []word{
		{hub.TermType, f.Type, string(provider)},
		{hub.TermBizStep, f.BizStep, string(provider)},
		{hub.TermDisposition, f.Disposition, string(provider)},
		{hub.TermReadPoint, f.ReadPoint, string(provider)},
		{hub.TermBizLocation, f.BizLocation, string(provider)},
	}
	for s := range stems {
		words = append(words, word{vocabularyStem, s, ""})
	}
	for _, w := range words {
		key := hashKey(string(rune(w.kind)), w.value, w.provider)
		if w.value == "" || a.s.words[key] {
			continue
		}
		if _, err := a.tx.ExecContext(a.ctx, `INSERT INTO vocabulary (kind, value, provider) VALUES (?,?,?) ON CONFLICT DO NOTHING`,
			w.kind, w.value, w.provider); err != nil {
			return fmt.Errorf("note a value: %w", err)
		}
		a.s.words[key] = true
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
	words := map[int64]bool{}
	for rows.Next() {
		var w word
		if err := rows.Scan(&w.kind, &w.value, &w.provider); err != nil {
			return err
		}
		words[hashKey(string(rune(w.kind)), w.value, w.provider)] = true
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

// backfillBatch is how many events of an older database one transaction indexes.
const backfillBatch = 2000

// Backfill indexes the events that were recorded before the index existed. A crash loses the batch at hand; the next start
// goes on.
func (s *Store) Backfill(ctx context.Context) error {
	for {
		var next, until int64
		if err := s.write.QueryRowContext(ctx, `SELECT next, until FROM unindexed`).Scan(&next, &until); err != nil {
			return err
		}
		if next >= until {
			return nil
		}
		end := min(next+backfillBatch, until)
		err := s.inTx(ctx, "index events", func(tx *Tx) error { return s.backfillRange(ctx, tx, next, end) })
		if err != nil {
			return err
		}
	}
}

func (s *Store) backfillRange(ctx context.Context, tx *Tx, from, end int64) error {
	w, err := s.dialect.Writer(ctx, tx)
	if err != nil {
		return err
	}
	defer w.Close()
	a := appender{s: s, tx: tx, ctx: ctx, rows: w}
	rows, err := tx.QueryContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE e.seq >= ? AND e.seq < ?`, from, end)
	if err != nil {
		return err
	}
	found, err := s.scanEvents(rows)
	if err != nil {
		return err
	}
	for i := range found {
		if err := a.index(&found[i].Facets, found[i].Leaf.Provider, found[i].Seq); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE unindexed SET next = ?`, end)
	return err
}
