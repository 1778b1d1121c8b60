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

// binaryRows are rows of BIGINTs and BYTEAs in the binary form of COPY (PostgreSQL, COPY, File Formats). The index has several such
// rows an event: to box and look up the type of each value took a tenth of the hub's processor time.
type binaryRows []byte

// copyHead is the signature, no flags, and no extension.
const copyHead = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// copyOf has room for so many rows of so many integers.
func copyOf(rows, columns int) binaryRows {
	const trailer = 2
	return append(make(binaryRows, 0, len(copyHead)+rows*(2+columns*(4+8))+trailer), copyHead...)
}

// row begins a row; its values follow.
func (b binaryRows) row(columns int) binaryRows {
	return binary.BigEndian.AppendUint16(b, uint16(columns))
}

func (b binaryRows) integer(v int64) binaryRows {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, 8), uint64(v))
}

func (b binaryRows) bytes(v []byte) binaryRows {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

// send copies the rows within a transaction. into is the table and its columns.
func (b binaryRows) send(ctx context.Context, tx *relational.Tx, into string) error {
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
