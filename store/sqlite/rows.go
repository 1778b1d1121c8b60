package sqlite

import (
	"context"
	"database/sql"
	"strings"
)

// rows inserts several rows with one statement: a call of the driver costs more than a row of an index. It prepares one
// statement for each number of rows that comes up.
type rows struct {
	into  string
	width int
	stmts [maxRows + 1]*sql.Stmt
}

// maxRows is how many rows one statement inserts at most.
const maxRows = 12

// insert inserts the rows whose values stand in values one after the other.
func (r *rows) insert(ctx context.Context, tx *sql.Tx, values []any) error {
	for len(values) > 0 {
		n := min(len(values)/r.width, maxRows)
		if r.stmts[n] == nil {
			row := "(?" + strings.Repeat(",?", r.width-1) + ")"
			stmt, err := tx.PrepareContext(ctx, r.into+row+strings.Repeat(","+row, n-1)) //nolint:sqlclosecheck // close closes it
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

func (r *rows) close() {
	for _, stmt := range r.stmts {
		if stmt != nil {
			_ = stmt.Close() // as those of appender
		}
	}
}
