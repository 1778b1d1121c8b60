package sql

import (
	"bytes"
	"cmp"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

// rowReader turns the rows of one result into JSON objects.
type rowReader struct {
	source  *source
	columns []column
	// key, version and cursor are indexes into columns; raw are those of the hidden cursor columns, or none.
	key, version, cursor, raw []int
	values                    []any
	into                      []any
}

// column is one column of a result.
type column struct {
	name   string
	label  []byte // the name as a JSON string
	kind   columnKind
	hidden bool
}

// columnKind says how a column's values are written.
type columnKind uint8

const (
	plainColumn columnKind = iota
	numberColumn
	jsonColumn
	bytesColumn
	dateColumn
	zonedColumn // a time with an offset
	naiveColumn // a time without
	clockColumn // a time of day
	guidColumn  // a UUID as SQL Server sends it
)

func (s *source) newReader(rows *sql.Rows) (*rowReader, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, s.options.fault("read columns", err)
	}
	r := &rowReader{source: s, values: make([]any, len(types)), into: make([]any, len(types))}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name()
		label, err := json.Marshal(t.Name())
		if err != nil {
			return nil, fmt.Errorf("encode column name: %w", err)
		}
		hidden := strings.HasPrefix(t.Name(), rawColumn)
		r.columns = append(r.columns, column{t.Name(), label, s.dialect.kindOf(t.DatabaseTypeName()), hidden})
		r.into[i] = &r.values[i]
		if hidden {
			r.raw = append(r.raw, i)
		}
	}
	for _, set := range []struct {
		names []string
		into  *[]int
	}{{s.options.key(), &r.key}, {s.options.version(), &r.version}, {s.options.Cursor, &r.cursor}} {
		for _, name := range set.names {
			i := slices.IndexFunc(names, func(have string) bool { return strings.EqualFold(have, name) })
			if i < 0 {
				return nil, noColumn(name, names)
			}
			*set.into = append(*set.into, i)
		}
	}
	return r, nil
}

func (r *rowReader) read(rows *sql.Rows) (row, error) {
	clear(r.values)
	if err := rows.Scan(r.into...); err != nil {
		return row{}, r.source.options.fault("read a row", err)
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, c := range r.columns {
		if c.hidden {
			continue
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(c.label)
		b.WriteByte(':')
		text, err := r.encode(c, r.values[i])
		if err != nil {
			return row{}, err
		}
		b.Write(text)
	}
	b.WriteByte('}')
	out := row{body: b.Bytes(), id: r.id()}
	at := r.cursor
	if len(r.raw) == len(r.cursor) {
		at = r.raw
	}
	for _, i := range at {
		v := cursorValue(r.values[i])
		if v == nil {
			f := hub.Faultf(hub.Invalid, "sql.cursor-null", "the cursor column %q is NULL in row %s", r.columns[i].name, out.id)
			f.MessageZh = "cursor 列含有 NULL"
			return row{}, f.WithHint("add WHERE … IS NOT NULL to a query, or choose another cursor column")
		}
		out.cursor = append(out.cursor, v)
	}
	out.older = len(r.source.newest) > 0 && r.source.inclusiveRound(out.cursor)
	return out, nil
}

// inclusiveRound reports whether a row lies at or before the newest one, in a round that began before it.
func (s *source) inclusiveRound(cursor []any) bool {
	if s.options.LookBack == 0 {
		return false
	}
	for i := range cursor {
		switch c := compare(cursor[i], s.newest[i]); {
		case c < 0:
			return true
		case c > 0:
			return false
		}
	}
	return true
}

// compare orders two values of one column.
func compare(a, b any) int {
	switch a := a.(type) {
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b)
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case uint64:
		if b, ok := b.(uint64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	}
	return 0
}

// cursorValue is a value as it is given back to the database.
func cursorValue(v any) any {
	switch v := v.(type) {
	case []byte:
		return string(v)
	case float32:
		return float64(v)
	}
	return v
}

// id is the key's values and the version, as text.
func (r *rowReader) id() string {
	var b strings.Builder
	for n, i := range r.key {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(idText(r.values[i]))
	}
	for _, i := range r.version {
		b.WriteString("@" + idText(r.values[i]))
	}
	return b.String()
}

func idText(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return base64.RawURLEncoding.EncodeToString(v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	default:
		return fmt.Sprint(v)
	}
}

// numberRE is a number in JSON (RFC 8259, section 6).
var numberRE = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)

// encode writes one value as JSON.
func (r *rowReader) encode(c column, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte("null"), nil
	case int64:
		return strconv.AppendInt(nil, v, 10), nil
	case uint64: // an unsigned BIGINT of MySQL
		return strconv.AppendUint(nil, v, 10), nil
	case float32:
		return json.Marshal(v)
	case bool:
		return strconv.AppendBool(nil, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return json.Marshal(strconv.FormatFloat(v, 'g', -1, 64))
		}
		return json.Marshal(v)
	case time.Time:
		return r.encodeTime(c, v)
	case []byte:
		if c.kind == guidColumn && len(v) == 16 {
			return json.Marshal(guidText(v))
		}
		if c.kind == bytesColumn || !utf8.Valid(v) {
			return json.Marshal(base64.StdEncoding.EncodeToString(v))
		}
		return r.encodeText(c, string(v))
	case string:
		return r.encodeText(c, v)
	default:
		return json.Marshal(fmt.Sprint(v))
	}
}

// naiveLayout is how a driver that does not read times hands one over, as MySQL's without parseTime.
const naiveLayout = "2006-01-02 15:04:05.999999999"

// encodeText writes a text: as a number with every digit where the column is one, as JSON where it holds JSON, as a time
// where it is one that the driver left as text.
func (r *rowReader) encodeText(c column, s string) ([]byte, error) {
	if c.kind == naiveColumn {
		if t, err := time.Parse(naiveLayout, s); err == nil {
			return r.encodeTime(c, t)
		}
	}
	switch {
	case c.kind == numberColumn && numberRE.MatchString(s):
		return []byte(s), nil
	case c.kind == jsonColumn && json.Valid([]byte(s)):
		return []byte(s), nil
	default:
		return marshalPlain(strings.ToValidUTF8(s, "�"))
	}
}

// marshalPlain is json.Marshal without escaping <, > and &.
func marshalPlain(s string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("encode text: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encodeTime writes a time with its offset. One without is in the instance's time zone, which must be stated: the
// machine's own would make the same row mean different things in two places.
func (r *rowReader) encodeTime(c column, t time.Time) ([]byte, error) {
	switch c.kind {
	case dateColumn:
		return json.Marshal(t.Format(time.DateOnly))
	case clockColumn:
		return json.Marshal(t.Format("15:04:05.999999999"))
	case zonedColumn:
		return json.Marshal(t.UTC().Format(time.RFC3339Nano))
	default:
		// The driver read an offset; that of Oracle puts the session's.
		if _, offset := t.Zone(); offset != 0 && r.source.dialect != Oracle {
			return json.Marshal(t.Format(time.RFC3339Nano))
		}
		loc := r.source.options.Timezone
		if loc == nil {
			f := hub.Faultf(hub.Invalid, "sql.timezone", "the column %q holds times without offset, and timezone is not given", c.name)
			f.MessageZh = fmt.Sprintf("列 %q 的时间没有时区，且未给出 timezone", c.name)
			return nil, f.WithHint("say timezone: Asia/Shanghai, or wherever the database's clock is")
		}
		local := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc)
		return json.Marshal(local.Format(time.RFC3339Nano))
	}
}
