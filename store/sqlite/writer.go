package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// writer inserts several rows with one statement: a call of the driver costs more than a row of an index. It prepares one
// statement for each number of rows that comes up.
type writer struct {
	ctx     context.Context //nolint:containedctx // lives as long as the transaction that made it
	tx      *relational.Tx
	tables  [relational.Facets + 1]rows
	replace *sql.Stmt
}

func newWriter(ctx context.Context, tx *relational.Tx) (relational.Writer, error) {
	w := &writer{ctx: ctx, tx: tx}
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
	return w.tables[t].insert(w.ctx, w.tx, values)
}

// Replace implements [relational.Writer].
func (w *writer) Replace(values []any) error {
	if w.replace == nil {
		stmt, err := w.tx.PrepareContext(w.ctx, `INSERT OR REPLACE `+into(relational.Records)+marks(len(values))) //nolint:sqlclosecheck // Close closes it
		if err != nil {
			return err
		}
		w.replace = stmt
	}
	_, err := w.replace.ExecContext(w.ctx, values...)
	return err
}

// Flush implements [relational.Writer].
func (w *writer) Flush() error { return nil }

// Close implements [relational.Writer]. A prepared statement of a finished transaction has nothing left to lose.
func (w *writer) Close() {
	for t := range w.tables {
		for _, stmt := range w.tables[t].stmts {
			if stmt != nil {
				_ = stmt.Close()
			}
		}
	}
	if w.replace != nil {
		_ = w.replace.Close()
	}
}

// rows inserts into one table.
type rows struct {
	into  string
	width int
	stmts [maxRows + 1]*sql.Stmt
}

// maxRows is how many rows one statement inserts at most.
const maxRows = 12

// insert inserts the rows whose values stand in values one after the other.
func (r *rows) insert(ctx context.Context, tx *relational.Tx, values []any) error {
	for len(values) > 0 {
		n := min(len(values)/r.width, maxRows)
		if r.stmts[n] == nil {
			row := marks(r.width)
			stmt, err := tx.PrepareContext(ctx, `INSERT `+r.into+row+strings.Repeat(","+row, n-1)) //nolint:sqlclosecheck // writer.Close closes it
			if err != nil {
				return err
			}
			r.stmts[n] = stmt
		}
		if _, err := r.stmts[n].ExecContext(ctx, values[:n*r.width]...); err != nil {
			return err
		}
		values = values[n*r.width:]
	}
	return nil
}

// marks are the n placeholders of a row.
func marks(n int) string { return "(?" + strings.Repeat(",?", n-1) + ")" }
