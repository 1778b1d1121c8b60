package sql

import (
	"fmt"
	"regexp"
	"strings"
)

// Dialect is how a database writes what differs between databases.
type Dialect uint8

// The dialects.
const (
	SQLite Dialect = iota + 1
	PostgreSQL
	MySQL
	SQLServer
	Oracle
)

// placeholder returns the n-th parameter, from 1.
func (d Dialect) placeholder(n int) string {
	switch d {
	case PostgreSQL:
		return fmt.Sprintf("$%d", n)
	case SQLServer:
		return fmt.Sprintf("@p%d", n)
	case Oracle:
		return fmt.Sprintf(":%d", n)
	default:
		return "?"
	}
}

// plainNameRE is a name that every database takes without quotes.
var plainNameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// name writes a column's name. A plain one stays as it is, so that the database folds its case as it does elsewhere.
func (d Dialect) name(s string) string {
	if plainNameRE.MatchString(s) {
		return s
	}
	switch d {
	case MySQL:
		return "`" + strings.ReplaceAll(s, "`", "``") + "`"
	case SQLServer:
		return "[" + strings.ReplaceAll(s, "]", "]]") + "]"
	default:
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
}

// rawColumn names the hidden columns in which SQLite gives a cursor's value as it is stored.
const rawColumn = "suyuan_cursor_"

// columns is what stands after SELECT. SQLite's driver makes times of columns that are declared so, which do not compare
// with what is stored; behind a unary plus a column has no declared type.
func (d Dialect) columns(o *Options) string {
	list := "q.*"
	if len(o.Columns) > 0 {
		names := make([]string, len(o.Columns))
		for i, c := range o.Columns {
			names[i] = "q." + d.name(c)
		}
		list = strings.Join(names, ", ")
	}
	if d != SQLite {
		return list
	}
	for i, c := range o.Cursor {
		list += fmt.Sprintf(", +q.%s AS %s%d", d.name(c), rawColumn, i)
	}
	return list
}

// page writes the query for the next page: rows at or after a value of the first cursor column, or strictly after a
// whole cursor. The number of its parameters is that of args.
func (d Dialect) page(o *Options, from []any, inclusive bool) (query string, args []any) {
	var b strings.Builder
	b.WriteString("SELECT ")
	if d == SQLServer {
		fmt.Fprintf(&b, "TOP (%d) ", o.Batch)
	}
	b.WriteString(d.columns(o) + "\nFROM " + o.from() + " q")
	if len(from) > 0 {
		var where string
		where, args = d.after(o, from, inclusive)
		b.WriteString("\nWHERE " + where)
	}
	b.WriteString("\nORDER BY ")
	for i, c := range o.Cursor {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("q." + d.name(c))
	}
	switch d {
	case SQLServer:
	case Oracle:
		fmt.Fprintf(&b, "\nFETCH FIRST %d ROWS ONLY", o.Batch)
	default:
		fmt.Fprintf(&b, "\nLIMIT %d", o.Batch)
	}
	return b.String(), args
}

// after writes the keyset condition. (a, b) > (1, 2) is spelled a > 1 OR (a = 1 AND b > 2): not every database compares
// rows. The leading a >= 1 says the same again, so that an index on a is used.
func (d Dialect) after(o *Options, from []any, inclusive bool) (where string, args []any) {
	add := func(i int) string {
		args = append(args, from[i])
		return d.placeholder(len(args))
	}
	first := "q." + d.name(o.Cursor[0])
	where = first + " >= " + add(0)
	if inclusive {
		return where, args
	}
	alternatives := make([]string, len(o.Cursor))
	for i := range o.Cursor {
		var terms []string
		for j := range i {
			terms = append(terms, "q."+d.name(o.Cursor[j])+" = "+add(j))
		}
		terms = append(terms, "q."+d.name(o.Cursor[i])+" > "+add(i))
		alternatives[i] = "(" + strings.Join(terms, " AND ") + ")"
	}
	return where + " AND (" + strings.Join(alternatives, " OR ") + ")", args
}
