package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// writer gathers the rows of one transaction and copies them at its end.
type writer struct {
	ctx    context.Context //nolint:containedctx // lives as long as the transaction that made it
	tx     *relational.Tx
	tables [relational.Tables][][]any
	// blocks are the rows of that table, events how many are in them and in the rows of events.
	blocks binaryRows
	events int64
	// noted is where the row of a record's key stands, replaced the keys of rows that were there before.
	noted    map[int64]int
	replaced []int64
	names    *names
}

func newWriter(ctx context.Context, tx *relational.Tx, n *names) *writer {
	return &writer{ctx: ctx, tx: tx, noted: map[int64]int{}, blocks: copyOf(0, 0), names: n}
}

// Add implements [relational.Writer].
func (w *writer) Add(t relational.Table, values []any) error {
	switch t {
	case relational.Records:
		w.noted[recordKey(values)] = len(w.tables[t])
	case relational.Events:
		w.events += int64(len(values) / len(t.Columns()))
	case relational.Blocks:
		return w.addBlock(values)
	}
	width := len(t.Columns())
	for row := range slices.Chunk(values, width) {
		w.tables[t] = append(w.tables[t], escaped(row))
	}
	return nil
}

// addBlock adds a row of blocks.
func (w *writer) addBlock(values []any) error {
	w.blocks = w.blocks.row(len(values))
	for i, v := range values {
		switch v := v.(type) {
		case int64:
			w.blocks = w.blocks.integer(v)
			if i == 1 { // the column events
				w.events += v
			}
		case []byte:
			w.blocks = w.blocks.bytes(v)
		default:
			return fmt.Errorf("add a block: a value is %T", v)
		}
	}
	return nil
}

// Replace implements [relational.Writer].
func (w *writer) Replace(values []any) error {
	key := recordKey(values)
	if i, ok := w.noted[key]; ok {
		w.tables[relational.Records][i] = escaped(values)
		return nil
	}
	w.replaced = append(w.replaced, key)
	return w.Add(relational.Records, values)
}

// recordKey is the key of a row of records.
func recordKey(row []any) int64 {
	key, _ := row[0].(int64) // it is the first column
	return key
}

// Flush implements [relational.Writer].
func (w *writer) Flush() error {
	at, err := w.makeRoom()
	if err != nil {
		return fmt.Errorf("make a partition: %w", err)
	}
	if len(w.replaced) > 0 {
		if _, err := w.tx.ExecContext(w.ctx, `DELETE FROM records WHERE key = ANY(?)`, w.replaced); err != nil {
			return fmt.Errorf("replace records: %w", err)
		}
	}
	records := w.tables[relational.Records]
	for i := range records {
		records[i] = append(slices.Clip(records[i]), at)
		w.names.note(recordKey(records[i]), at)
	}
	if err := w.blocks.send(w.ctx, w.tx, relational.Blocks.Name()+" ("+strings.Join(relational.Blocks.Columns(), ", ")+")"); err != nil {
		return err
	}
	return copyRows(w.ctx, w.tx, []bulk{
		{relational.Events.Name(), relational.Events.Columns(), w.tables[relational.Events]},
		{relational.Records.Name(), append(slices.Clip(relational.Records.Columns()), "at"), records},
	})
}

// makeRoom makes the partitions that the rows need and returns the size of the log before them. A partition is made apart
// and then attached, which keeps no reader waiting.
func (w *writer) makeRoom() (at int64, err error) {
	var until, per int64
	if err := w.tx.QueryRowContext(w.ctx, `SELECT size, partitioned, per_partition FROM head`).Scan(&at, &until, &per); err != nil {
		return 0, err
	}
	last := at // records stand where the log ends
	if w.events > 0 {
		last = at + w.events - 1
	}
	if last < until {
		return at, nil
	}
	for ; last >= until; until += per {
		for _, table := range partitioned {
			if err := w.partition(table, until, until+per); err != nil {
				return 0, err
			}
		}
	}
	_, err = w.tx.ExecContext(w.ctx, `UPDATE head SET partitioned = ?`, until)
	return at, err
}

// partitioned are the tables that are.
//
//nolint:gochecknoglobals // a constant
var partitioned = []string{"events", "blocks", "records", "postings", "facets"}

func (w *writer) partition(table string, from, to int64) error {
	name := fmt.Sprintf("%s_%d", table, from)
	for _, text := range []string{
		fmt.Sprintf(`CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING STORAGE)`, name, table),
		fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`, table, name, from, to),
	} {
		if _, err := w.tx.ExecContext(w.ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// Close implements [relational.Writer].
func (w *writer) Close() {}
