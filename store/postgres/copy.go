package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/suyuan-io/suyuan/store/internal/relational"
)

// bulk is rows of one table.
type bulk struct {
	table   string
	columns []string
	rows    [][]any
}

// copyRows copies rows within a transaction.
func copyRows(ctx context.Context, tx *relational.Tx, all []bulk) error {
	return onConn(tx, func(conn *pgx.Conn) error {
		for _, b := range all {
			if len(b.rows) == 0 {
				continue
			}
			if _, err := conn.CopyFrom(ctx, pgx.Identifier{b.table}, b.columns, pgx.CopyFromRows(b.rows)); err != nil {
				return fmt.Errorf("copy %s: %w", b.table, err)
			}
		}
		return nil
	})
}

// onConn runs fn with the connection of a transaction.
func onConn(tx *relational.Tx, fn func(*pgx.Conn) error) error {
	return tx.Conn.Raw(func(driver any) error {
		conn, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("copy: the connection is not one of pgx")
		}
		return fn(conn.Conn())
	})
}

// integers are rows of BIGINTs in the binary form of COPY (PostgreSQL, COPY, File Formats). The index has nine such rows an
// event: to box and look up the type of each value took a tenth of the hub's processor time.
type integers []byte

// copyHead is the signature, no flags, and no extension.
const copyHead = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// copyOf has room for rows of so many columns.
func copyOf(rows, columns int) integers {
	const trailer = 2
	return append(make(integers, 0, len(copyHead)+rows*(2+columns*(4+8))+trailer), copyHead...)
}

// row appends a row.
func (b integers) row(values []int64) integers {
	b = binary.BigEndian.AppendUint16(b, uint16(len(values)))
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	return b
}

// send copies the rows within a transaction. into is the table and its columns.
func (b integers) send(ctx context.Context, tx *relational.Tx, into string) error {
	if len(b) == len(copyHead) {
		return nil
	}
	b = binary.BigEndian.AppendUint16(b, 0xffff)
	return onConn(tx, func(conn *pgx.Conn) error {
		if _, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(b), "COPY "+into+" FROM STDIN BINARY"); err != nil {
			return fmt.Errorf("copy into %s: %w", into, err)
		}
		return nil
	})
}
