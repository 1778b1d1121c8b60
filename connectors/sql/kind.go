package sql

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Driver is one database/sql driver that the binary holds.
type Driver struct {
	// Name is the value of "driver" in an instance file, Register the name that it has with database/sql.
	Name, Register string
	Dialect        Dialect
}

// Kind is the row of this kind in the list of kinds.
func Kind(drivers []Driver) connectors.Kind {
	return connectors.Kind{
		Name:    "sql",
		Summary: "rows of a table or query, polled by keyset",
		Example: example,
		Decode:  "json",
		Options: func() any {
			return &Options{Batch: 500, Timeout: time.Minute, drivers: drivers}
		},
	}
}

const example = `id: brand-codes
provider: brand
source:
  sql:
    driver: sqlite
    dsn: ${env:BRAND_DSN}
    table: trace_codes              # or query: SELECT … without ORDER BY
    cursor: [updated_at, id]        # never NULL, and unique together
    key: [code]                     # the row's identity; its version is the first cursor column
    lookBack: 5m                    # read again what may have been committed late
    timezone: Asia/Shanghai         # of timestamps without offset
map: ./mapping.yaml
interval: 30s
`

// Options are the settings of a sql instance.
type Options struct {
	Driver string            `yaml:"driver,required"`
	DSN    strictyaml.Secret `yaml:"dsn,required"`
	// Table with Columns (all by default), or Query: a SELECT without ORDER BY, which is wrapped as a subquery.
	Table   string   `yaml:"table"`
	Columns []string `yaml:"columns"`
	Query   string   `yaml:"query"`
	// Cursor are the columns that order the rows: none is ever NULL, together they are unique.
	Cursor []string `yaml:"cursor,required"`
	// Key are the columns that name the row, the cursor by default. Version is the column that changes with it: the first
	// cursor column, unless that is in the key.
	Key     []string `yaml:"key"`
	Version string   `yaml:"version"`
	// LookBack is how far before the newest row each poll begins, for rows that were committed later than they are dated.
	// The first cursor column must then be a time.
	LookBack time.Duration `yaml:"lookBack"`
	// Timezone is that of timestamps without offset. A column of that kind is a fault where it is not given.
	Timezone *time.Location `yaml:"timezone"`
	// Batch is how many rows one query fetches, 500 by default; Timeout how long it may take, 1m by default.
	Batch   int           `yaml:"batch" min:"1" max:"10000"`
	Timeout time.Duration `yaml:"timeout"`

	drivers []Driver
}

// selectRE is what a query must begin with. It is a guard against mistakes: what the hub may do in the database is for
// its user's rights to say.
var selectRE = regexp.MustCompile(`(?is)^\s*(?:--[^\n]*\n\s*)*(?:select|with)\b`)

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, code, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path)))
	}
	names := make([]string, len(o.drivers))
	for i, d := range o.drivers {
		names[i] = d.Name
	}
	if f := strictyaml.Unknown("driver", o.Driver, names); f != nil {
		faults = append(faults, f.At(at("driver")))
	}
	switch {
	case (o.Table == "") == (o.Query == ""):
		refuse("", "sql.table-or-query", "give either table or query", "table 与 query 须且只须给出一个")
	case o.Query != "" && len(o.Columns) > 0:
		refuse("columns", "sql.columns", "columns goes with table; name the columns in the query", "columns 只能与 table 一起使用")
	case o.Query != "" && !selectRE.MatchString(o.Query):
		refuse("query", "sql.query", "the query must be one SELECT", "query 必须是一条 SELECT 语句")
	}
	if len(o.Cursor) == 0 {
		refuse("cursor", "sql.cursor", "cursor needs at least one column", "cursor 至少需要一列")
	}
	if len(o.Columns) > 0 {
		for _, c := range slices.Concat(o.Cursor, o.key(), o.version()) {
			if !slices.Contains(o.Columns, c) {
				refuse("columns", "sql.columns", fmt.Sprintf("columns must hold %q, which cursor, key or version names", c),
					fmt.Sprintf("columns 须包含 %q", c))
			}
		}
	}
	if o.Timeout <= 0 {
		refuse("timeout", "sql.timeout", "timeout must be longer than 0s", "timeout 必须大于 0s")
	}
	return faults
}

func (o *Options) key() []string {
	if len(o.Key) > 0 {
		return o.Key
	}
	return o.Cursor
}

// version returns the version column, or nothing when the key says it all.
func (o *Options) version() []string {
	switch {
	case o.Version != "":
		return []string{o.Version}
	case len(o.Cursor) > 0 && !slices.Contains(o.key(), o.Cursor[0]):
		return o.Cursor[:1]
	}
	return nil
}

// from is what stands after FROM.
func (o *Options) from() string {
	if o.Query != "" {
		return "(\n" + strings.TrimRight(o.Query, "; \t\r\n") + "\n)"
	}
	return o.Table
}

// Open implements [connectors.Opener].
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	i := slices.IndexFunc(o.drivers, func(d Driver) bool { return d.Name == o.Driver })
	if i < 0 {
		return nil, hub.Faultf(hub.Invalid, "sql.driver", "there is no driver %q", o.Driver)
	}
	at, err := decodeCursor(env.Position, len(o.Cursor))
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(o.drivers[i].Register, o.DSN.Reveal())
	if err != nil {
		return nil, o.fault("connect", err)
	}
	db.SetMaxOpenConns(1)
	s := &source{options: o, dialect: o.drivers[i].Dialect, db: db, newest: at, seen: window{back: o.LookBack}}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if err := s.begin(ctx); err != nil {
		return nil, closing(db, err)
	}
	return s, nil
}
