package sql

import "github.com/suyuan-io/suyuan/hub"

// Page is what a dialect asks for a page of rows.
func (d Dialect) Page(o *Options, from []any, inclusive bool) (query string, args []any) {
	return d.page(o, from, inclusive)
}

// KindOf names how a column of a type is written, for types of which no server runs in tests.
func (d Dialect) KindOf(name string) string {
	return [...]string{"plain", "number", "json", "bytes", "date", "zoned", "naive", "clock", "guid"}[d.kindOf(name)]
}

// GUIDText is a UUID as SQL Server shows it.
func GUIDText(b []byte) string { return guidText(b) }

// Again reads a position of so many cursor columns and writes it.
func Again(p hub.Position, columns int) (hub.Position, error) {
	values, err := decodeCursor(p, columns)
	if err != nil || values == nil {
		return "", err
	}
	return encodeCursor(values)
}
