package sql_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	connsql "github.com/suyuan-io/suyuan/connectors/sql"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

func drivers() []connsql.Driver {
	return []connsql.Driver{{Name: "sqlite", Register: "sqlite", Dialect: connsql.SQLite}}
}

// table is an upstream for the conformance kit.
type table struct{ dsn string }

func openTable(tb testing.TB, dir string) connectortest.Upstream {
	tb.Helper()
	t := &table{"file:" + filepath.Join(dir, "brand.db") + "?_pragma=busy_timeout(5000)"}
	t.exec(tb, `CREATE TABLE IF NOT EXISTS codes (id INTEGER PRIMARY KEY, code TEXT, printed_at TEXT)`)
	return t
}

func (t *table) exec(tb testing.TB, query string, args ...any) {
	tb.Helper()
	db, err := sql.Open("sqlite", t.dsn)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	}()
	if _, err := db.ExecContext(context.Background(), query, args...); err != nil {
		tb.Fatal(err)
	}
}

func (t *table) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		t.exec(tb, `INSERT INTO codes (code, printed_at) VALUES (?, '2019-05-01 08:30:00')`, text)
	}
}

func (t *table) options() *connsql.Options {
	o, ok := connsql.Kind(drivers()).Options().(*connsql.Options)
	if !ok {
		panic("not the options of this kind")
	}
	o.Driver, o.DSN, o.Table = "sqlite", strictyaml.NewSecret("${env:DSN}", t.dsn), "codes"
	o.Cursor, o.Key, o.Batch = []string{"printed_at", "id"}, []string{"code"}, 7
	return o
}

func (t *table) Instance(testing.TB) *connectors.Instance {
	return &connectors.Instance{
		ID: "codes", Provider: "brand", Kind: "sql", Options: t.options(), Splitter: connectortest.Whole{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 5 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	connectortest.Source(t, openTable, connectortest.Traits{Remembers: true, Secrets: []string{"brand.db"}})
}

// read opens the options at p and returns everything up to io.EOF.
func read(t *testing.T, o *connsql.Options, p hub.Position) ([]connectors.Item, error) {
	t.Helper()
	src, err := o.Open(t.Context(), connectors.Env{Connector: "codes", Position: p, Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}()
	return drain(t, src)
}

func drain(t *testing.T, src connectors.Source) ([]connectors.Item, error) {
	t.Helper()
	var items []connectors.Item
	for {
		item, err := src.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return items, err
		}
		items = append(items, item)
	}
}

func newTable(t *testing.T, schema string, rows ...string) *table {
	t.Helper()
	tab := &table{"file:" + filepath.Join(t.TempDir(), "x.db")}
	tab.exec(t, schema)
	for _, r := range rows {
		tab.exec(t, r)
	}
	return tab
}

func TestRowsKeepTheirValuesExactly(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, big BIGINT, price NUMERIC, r REAL, name TEXT, raw BLOB,
		ok BOOLEAN, at DATETIME, day DATE, none TEXT)`,
		`INSERT INTO codes VALUES (1, 9007199254740993, 12.50, 0.1, '启赋 <&> "3"', x'00ff', 1, '2019-05-01 08:30:00', '2019-05-01', NULL)`)
	o := tab.options()
	o.Cursor, o.Key = []string{"id"}, nil
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	o.Timezone = shanghai
	items, err := read(t, o, "")
	if err != nil || len(items) != 1 {
		t.Fatal(items, err)
	}
	want := `{"id":1,"big":9007199254740993,"price":12.5,"r":0.1,"name":"启赋 <&> \"3\"","raw":"AP8=","ok":1,` +
		`"at":"2019-05-01T08:30:00+08:00","day":"2019-05-01","none":null}`
	if diff := cmp.Diff(want, string(items[0].Body)); diff != "" {
		t.Error(diff)
	}
	if items[0].ID != "1" || !json.Valid(items[0].Body) {
		t.Errorf("id %s", items[0].ID)
	}
}

func TestNaiveTimeWithoutTimezoneIsRefused(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, at DATETIME)`, `INSERT INTO codes VALUES (1, '2019-05-01 08:30:00')`)
	o := tab.options()
	o.Cursor, o.Key = []string{"id"}, nil
	_, err := read(t, o, "")
	if f := hub.AsFault(err); f.Code != "sql.timezone" || f.Kind != hub.Invalid || !strings.Contains(f.Message, `"at"`) {
		t.Errorf("got %v", err)
	}
}

// TestCursorOnDeclaredTime: the driver makes a time of the column; the cursor must still compare with what is stored.
func TestCursorOnDeclaredTime(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT, at DATETIME)`)
	for i := range 25 {
		tab.exec(t, `INSERT INTO codes VALUES (?, ?, ?)`, i, fmt.Sprint("c", i), fmt.Sprintf("2019-05-01 08:%02d:00", i/2))
	}
	o := tab.options()
	o.Cursor, o.Key, o.Timezone = []string{"at", "id"}, []string{"code"}, time.UTC
	items, err := read(t, o, "")
	if err != nil || len(items) != 25 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	rest, err := read(t, o, items[9].Position)
	if err != nil || len(rest) != 15 || rest[0].ID != items[10].ID {
		t.Fatalf("%d items from the middle, %v", len(rest), err)
	}
}

// TestLateRow: a row that is committed after a newer one was read lies before the cursor and is found by the look-back.
func TestLateRow(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT, printed_at TEXT)`,
		`INSERT INTO codes VALUES (2, 'b', '2019-05-01 08:30:00')`)
	o := tab.options()
	o.LookBack = 10 * time.Minute
	src, err := o.Open(t.Context(), connectors.Env{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	first, err := drain(t, src)
	if err != nil || len(first) != 1 {
		t.Fatal(first, err)
	}
	tab.exec(t, `INSERT INTO codes VALUES (1, 'a', '2019-05-01 08:25:00'), (0, 'too old', '2019-05-01 08:00:00')`)
	late, err := drain(t, src)
	if err != nil || len(late) != 1 || late[0].ID != "a@2019-05-01 08:25:00" {
		t.Fatalf("late rows %v, %v", late, err)
	}
	if late[0].Position != first[0].Position {
		t.Errorf("the position went back to %s", late[0].Position)
	}
	if again, err := drain(t, src); err != nil || len(again) != 0 {
		t.Errorf("rows of the look-back come again: %v, %v", again, err)
	}
}

func TestChangedRowIsANewRecord(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT, printed_at TEXT)`,
		`INSERT INTO codes VALUES (1, 'a', '2019-05-01 08:30:00')`)
	o := tab.options()
	before, err := read(t, o, "")
	if err != nil {
		t.Fatal(err)
	}
	tab.exec(t, `UPDATE codes SET printed_at = '2019-05-01 09:00:00'`)
	after, err := read(t, o, before[0].Position)
	if err != nil || len(after) != 1 || after[0].ID == before[0].ID {
		t.Errorf("%v, %v", after, err)
	}
}

func TestQueryIsWrapped(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT, printed_at TEXT)`,
		`INSERT INTO codes VALUES (1, 'a', '2019'), (2, 'b', '2019'), (3, 'c', '2020')`)
	o := tab.options()
	o.Table, o.Query, o.Batch = "", "SELECT code, id, printed_at FROM codes -- all\n;\n", 1
	items, err := read(t, o, "")
	if err != nil || len(items) != 3 {
		t.Fatalf("%d items, %v", len(items), err)
	}
}

func TestFaultsTellWhoCanHelp(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT, printed_at TEXT)`,
		`INSERT INTO codes VALUES (1, 'a', NULL)`)
	for name, tc := range map[string]struct {
		change func(o *connsql.Options)
		code   string
	}{
		"no such table":  {func(o *connsql.Options) { o.Table = "coeds" }, "sql.refused"},
		"no such column": {func(o *connsql.Options) { o.Key = []string{"cod"} }, "sql.no-column"},
		"null cursor":    {func(*connsql.Options) {}, "sql.cursor-null"},
		"no folder": {func(o *connsql.Options) {
			o.DSN = strictyaml.NewSecret("${env:X}", "file:/nowhere/hunter2/x.db")
		}, "sql.unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			o := tab.options()
			tc.change(o)
			_, err := read(t, o, "")
			if f := hub.AsFault(err); err == nil || f.Code != tc.code {
				t.Errorf("got %v, want %s", err, tc.code)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the DSN shows: %v", err)
			}
		})
	}
}

func TestPositionOfAnotherCursorIsRefused(t *testing.T) {
	tab := newTable(t, `CREATE TABLE codes (id INTEGER PRIMARY KEY, code TEXT, printed_at TEXT)`)
	for _, p := range []hub.Position{`[{"t":"int","v":"1"}]`, `[{"t":"int","v":"x"},{"t":"int","v":"1"}]`, `x`, `[{"t":"?"},{"t":"?"}]`} {
		if _, err := read(t, tab.options(), p); hub.AsFault(err).Code != "sql.position" {
			t.Errorf("%s: %v", p, err)
		}
		f := hub.AsFault(tab.options().CheckPosition(p))
		if f.Code != "sql.position" || !strings.Contains(f.Hint, `[{"t":"int","v":"4711"},{"t":"int","v":"4711"}]`) {
			t.Errorf("%s is not refused before it is read from: %+v", p, f)
		}
	}
	for _, p := range []hub.Position{"", `[{"t":"text","v":"2026-01-01"},{"t":"int","v":"4711"}]`} {
		if err := tab.options().CheckPosition(p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
}
