package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// writer gathers the rows of a transaction and inserts them in the order of their keys, many with one statement: rows that
// follow each other lie on the same page of their tree, and a call of the driver costs more than a row.
type writer struct {
	ctx    context.Context //nolint:containedctx // lives as long as the transaction that made it
	tx     *relational.Tx
	tables [relational.Tables]rows
	// added says where a record that was added is among the rows of Records, by its key.
	added   map[int64]int
	replace *sql.Stmt
}

func newWriter(ctx context.Context, tx *relational.Tx) (relational.Writer, error) {
	w := &writer{ctx: ctx, tx: tx, added: map[int64]int{}}
	for t := range w.tables {
		table := relational.Table(t)
		w.tables[t] = rows{width: len(table.Columns()), into: into(table)}
	}
	return w, nil
}

func into(t relational.Table) string {
	return `INTO ` + t.Name() + ` (` + strings.Join(t.Columns(), `, `) + `) VALUES `
}

// Add implements [relational.Writer].
func (w *writer) Add(t relational.Table, values []any) error {
	r := &w.tables[t]
	if t == relational.Records {
		for at := 0; at < len(values); at += r.width {
			w.added[key(values[at])] = len(r.values) + at
		}
	}
	r.values = append(r.values, values...)
	return nil
}

// Replace implements [relational.Writer].
func (w *writer) Replace(values []any) error {
	if at, ok := w.added[key(values[0])]; ok {
		copy(w.tables[relational.Records].values[at:], values)
		return nil
	}
	if w.replace == nil {
		stmt, err := w.tx.PrepareContext(w.ctx, `INSERT OR REPLACE `+into(relational.Records)+marks(len(values)))
		if err != nil {
			return err
		}
		w.replace = stmt
	}
	_, err := w.replace.ExecContext(w.ctx, values...)
	return err
}

// Flush implements [relational.Writer].
func (w *writer) Flush() error {
	for t := range w.tables {
		if err := w.tables[t].insert(w.ctx, w.tx); err != nil {
			return err
		}
	}
	return nil
}

// Close implements [relational.Writer]. A prepared statement of a finished transaction has nothing left to lose.
func (w *writer) Close() {
	if w.replace != nil {
		_ = w.replace.Close()
	}
}

// rows are those of one table; each begins with its key.
type rows struct {
	into   string
	width  int
	values []any
}

// perStatement is how many values one statement takes at most. The driver looks for each value among all of its statement, so that
// more cost more than they spare.
const perStatement = 48

// insert inserts the rows in the order of their keys.
func (r *rows) insert(ctx context.Context, tx *relational.Tx) error {
	order := make([]int, 0, len(r.values)/r.width)
	for at := 0; at < len(r.values); at += r.width {
		order = append(order, at)
	}
	slices.SortStableFunc(order, func(a, b int) int { return r.compare(a, b) })
	for _, n := range []int{perStatement / r.width, 1} {
		whole := len(order) - len(order)%n
		if err := r.insertEach(ctx, tx, order[:whole], n); err != nil {
			return err
		}
		order = order[whole:]
	}
	r.values = r.values[:0]
	return nil
}

// compare orders two rows by their first values, which are their keys.
func (r *rows) compare(a, b int) int { return cmp.Compare(key(r.values[a]), key(r.values[b])) }

// insertEach inserts the rows at order, n with each statement; n divides their number.
func (r *rows) insertEach(ctx context.Context, tx *relational.Tx, order []int, n int) error {
	if len(order) == 0 {
		return nil
	}
	row := marks(r.width)
	stmt, err := tx.PrepareContext(ctx, `INSERT `+r.into+row+strings.Repeat(","+row, n-1))
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // as those of writer
	args := make([]any, 0, n*r.width)
	for group := range slices.Chunk(order, n) {
		args = args[:0]
		for _, at := range group {
			args = append(args, r.values[at:at+r.width]...)
		}
		if _, err := stmt.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func key(v any) int64 {
	k, _ := v.(int64)
	return k
}

// marks are the n placeholders of a row.
func marks(n int) string { return "(?" + strings.Repeat(",?", n-1) + ")" }
