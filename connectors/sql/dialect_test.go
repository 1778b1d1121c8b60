package sql_test

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	connsql "github.com/suyuan-io/suyuan/connectors/sql"
)

// TestDialects: what databases are asked that do not run in tests.
func TestDialects(t *testing.T) {
	o := &connsql.Options{Table: "erp.goods", Columns: []string{"id", "at", "order no"}, Cursor: []string{"at", "order no"}, Batch: 50}
	for d, want := range map[connsql.Dialect]string{
		connsql.SQLServer: "SELECT TOP (50) q.id, q.at, q.[order no]\nFROM erp.goods q\n" +
			"WHERE q.at >= @p1 AND ((q.at > @p2) OR (q.at = @p3 AND q.[order no] > @p4))\nORDER BY q.at, q.[order no]",
		connsql.Oracle: "SELECT q.id, q.at, q.\"order no\"\nFROM erp.goods q\n" +
			"WHERE q.at >= :1 AND ((q.at > :2) OR (q.at = :3 AND q.\"order no\" > :4))\nORDER BY q.at, q.\"order no\"\nFETCH FIRST 50 ROWS ONLY",
	} {
		query, args := d.Page(o, []any{"2026", 7}, false)
		if diff := cmp.Diff(want, query); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]any{"2026", "2026", "2026", 7}, args); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTypes(t *testing.T) {
	for _, tc := range []struct {
		dialect    connsql.Dialect
		name, want string
	}{
		{connsql.Oracle, "DATE", "naive"}, {connsql.Oracle, "TimeStampDTY", "naive"}, {connsql.Oracle, "TimeStampTZ_DTY", "zoned"},
		{connsql.Oracle, "TimeStampLTZ_DTY", "zoned"}, {connsql.Oracle, "NUMBER", "number"}, {connsql.Oracle, "OCIBlobLocator", "bytes"},
		{connsql.SQLServer, "DATE", "date"}, {connsql.SQLServer, "DATETIME2", "naive"}, {connsql.SQLServer, "DATETIMEOFFSET", "zoned"},
		{connsql.SQLServer, "UNIQUEIDENTIFIER", "guid"}, {connsql.SQLServer, "TIME", "clock"}, {connsql.SQLServer, "MONEY", "number"},
		{connsql.MySQL, "UNSIGNED BIGINT", "number"}, {connsql.PostgreSQL, "TIMESTAMPTZ", "zoned"},
	} {
		if got := tc.dialect.KindOf(tc.name); got != tc.want {
			t.Errorf("%s of %d is %s, want %s", tc.name, tc.dialect, got, tc.want)
		}
	}
	b, _ := hex.DecodeString("00112233445566778899aabbccddeeff")
	if got := connsql.GUIDText(b); got != "33221100-5544-7766-8899-AABBCCDDEEFF" {
		t.Error(got)
	}
}
