package sql

import (
	"encoding/hex"
	"slices"
	"strings"
)

// kindOf classifies a column by the name that its database, or its driver, gives its type.
func (d Dialect) kindOf(name string) columnKind {
	name = strings.ToUpper(name)
	base, _, _ := strings.Cut(name, "(")
	base = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(base, "UNSIGNED "), " UNSIGNED"))
	switch base {
	case "NUMERIC", "DECIMAL", "NUMBER", "MONEY", "SMALLMONEY", "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "MEDIUMINT",
		"INT2", "INT4", "INT8", "FLOAT", "FLOAT4", "FLOAT8", "DOUBLE", "REAL", "YEAR", "IBFLOAT", "IBDOUBLE":
		return numberColumn
	case "JSON", "JSONB":
		return jsonColumn
	case "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BYTEA", "BINARY", "VARBINARY", "IMAGE", "RAW", "LONG RAW", "LONGRAW",
		"VARRAW", "LONGVARRAW", "OCIBLOBLOCATOR":
		return bytesColumn
	case "TIME":
		return clockColumn
	case "UNIQUEIDENTIFIER":
		return guidColumn
	case "DATE":
		if d == Oracle { // its dates have a time of day
			return naiveColumn
		}
		return dateColumn
	case "TIMESTAMPTZ", "DATETIMEOFFSET", "TIMESTAMPTZ_DTY", "TIMESTAMPLTZ_DTY", "TIMESTAMPELTZ", "TIMETZ":
		return zonedColumn
	case "TIMESTAMP", "DATETIME", "DATETIME2", "SMALLDATETIME", "TIMESTAMPDTY", "OCIDATE":
		if strings.Contains(name, "WITH TIME ZONE") || strings.Contains(name, "WITH LOCAL TIME ZONE") {
			return zonedColumn
		}
		return naiveColumn
	}
	return plainColumn
}

// guidText writes a UUID of SQL Server, whose first three groups are little-endian, as the database shows it.
func guidText(b []byte) string {
	b = slices.Clone(b)
	slices.Reverse(b[:4])
	slices.Reverse(b[4:6])
	slices.Reverse(b[6:8])
	h := strings.ToUpper(hex.EncodeToString(b))
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
