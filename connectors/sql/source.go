package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// source is one opening of an instance.
type source struct {
	options *Options
	dialect Dialect
	db      *sql.DB

	// newest is the furthest cursor that was read; it becomes the position. at is where the next page begins: after a
	// row, or, with inclusive set, at a time before the newest row.
	newest, at []any
	inclusive  bool
	// ended is set when a page came back short: the next call says io.EOF and the one after begins a new round.
	ended bool
	rows  []row
	seen  window
}

// row is one row, read.
type row struct {
	id     string
	cursor []any
	body   []byte
	// older rows were passed before and are read again because of the look-back.
	older bool
}

// maxPage bounds the bytes of one page; what is left of it is fetched again.
const maxPage = 16 << 20

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	for {
		for len(s.rows) > 0 {
			r := s.rows[0]
			s.rows = s.rows[1:]
			if !s.seen.add(r.id, r.cursor[0]) {
				continue
			}
			if !r.older {
				s.newest = r.cursor
			}
			return s.item(r)
		}
		if s.ended {
			s.ended = false
			s.restart()
			return connectors.Item{}, io.EOF
		}
		if err := s.fetch(ctx); err != nil {
			return connectors.Item{}, err
		}
	}
}

func (s *source) item(r row) (connectors.Item, error) {
	position, err := encodeCursor(s.newest)
	if err != nil {
		return connectors.Item{}, err
	}
	origin := s.options.Table
	if origin == "" {
		origin = "query"
	}
	return connectors.Item{ID: r.id, Origin: origin, ContentType: "application/json", Body: r.body, Position: position}, nil
}

// begin connects and sets the first page's beginning.
func (s *source) begin(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return s.options.fault("connect", err)
	}
	if s.options.LookBack > 0 && len(s.newest) > 0 {
		if _, err := before(s.newest[0], s.options.LookBack); err != nil {
			return err
		}
	}
	s.restart()
	return nil
}

// restart sets where a round begins: after the newest row, or a look-back before it.
func (s *source) restart() {
	s.at, s.inclusive = s.newest, false
	if s.options.LookBack == 0 || len(s.newest) == 0 {
		return
	}
	if from, err := before(s.newest[0], s.options.LookBack); err == nil { // begin and fetch have checked it
		s.at, s.inclusive = []any{from}, true
	}
}

// fetch reads the next page.
func (s *source) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	query, args := s.dialect.page(s.options, s.at, s.inclusive)
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return s.options.fault("query", err)
	}
	defer rows.Close()
	reader, err := s.newReader(rows)
	if err != nil {
		return err
	}
	var page []row
	size, full := 0, false
	for !full && rows.Next() {
		r, err := reader.read(rows)
		if err != nil {
			return err
		}
		page = append(page, r)
		size += len(r.body)
		full = size >= maxPage
	}
	if err := rows.Err(); err != nil {
		return s.options.fault("read rows", err)
	}
	s.ended = !full && len(page) < s.options.Batch
	if len(page) > 0 {
		s.at, s.inclusive = page[len(page)-1].cursor, false
	}
	if s.options.LookBack > 0 && len(page) > 0 {
		if _, err := before(page[0].cursor[0], s.options.LookBack); err != nil {
			return err
		}
	}
	s.rows = page
	return nil
}

// Settle implements [connectors.Source]: the database is not told anything.
func (s *source) Settle(context.Context, connectors.Item, error) error { return nil }

// Close implements [connectors.Source].
func (s *source) Close() error { return s.db.Close() }

func closing(db *sql.DB, err error) error {
	if cerr := db.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

// fault classifies a driver's error. Its text is kept without what the DSN holds.
func (o *Options) fault(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	text := redact(err.Error(), o.DSN)
	f := hub.Faultf(hub.Unavailable, "sql.unavailable", "cannot %s", doing).Because(errors.New(text))
	f.MessageZh = "数据库暂时不可用"
	if forPeople(err, text) {
		f.Kind, f.Code, f.MessageZh = hub.Invalid, "sql.refused", "数据库拒绝了该查询或登录"
		f.Hint, f.HintZh = "check driver, dsn, table, query and the rights of the user", "请检查 driver、dsn、table、query 及用户权限"
	}
	return f
}

// redact removes the DSN, its password and its parts from a text.
func redact(text string, dsn strictyaml.Secret) string {
	secret := dsn.Reveal()
	if secret == "" {
		return text
	}
	text = strings.ReplaceAll(text, secret, dsn.String())
	if password := passwordOf(secret); password != "" {
		text = strings.ReplaceAll(text, password, "***")
	}
	return text
}

// passwordOf finds the password in "scheme://user:password@host", "user:password@tcp(host)" and "password=…".
func passwordOf(dsn string) string {
	if at := strings.LastIndexByte(dsn, '@'); at >= 0 {
		credentials := dsn[:at]
		if _, after, ok := strings.Cut(credentials, "://"); ok {
			credentials = after
		}
		if _, password, ok := strings.Cut(credentials, ":"); ok {
			return password
		}
	}
	lower := strings.ToLower(dsn)
	for _, key := range []string{"password=", "pwd="} {
		if i := strings.Index(lower, key); i >= 0 {
			value := dsn[i+len(key):]
			if end := strings.IndexAny(value, " ;&"); end >= 0 {
				value = value[:end]
			}
			return strings.Trim(value, `'"`)
		}
	}
	return ""
}

// forPeople reports whether only a person can help: SQLSTATE classes 0A (not supported), 22 (data), 28 (login), 3D (catalogue),
// 42 (syntax, rights), or what the drivers without SQLSTATE say in their place.
func forPeople(err error, text string) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		code := state.SQLState()
		return len(code) == 5 && (code[:2] == "0A" || code[:2] == "22" || code[:2] == "28" || code[:2] == "3D" || code[:2] == "42")
	}
	for _, s := range []string{
		"syntax error", "no such table", "no such column", "doesn't exist", "Unknown column", "Unknown database",
		"Access denied", "error in your SQL syntax", "Invalid object name", "Invalid column name", "Login failed", "ORA-00942",
		"ORA-00904", "ORA-01017", "invalid DSN", "unknown driver",
	} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// window remembers which rows of the look-back were given already.
type window struct {
	back  time.Duration
	seed  maphash.Seed
	known map[uint64]bool
	queue []passed
}

type passed struct {
	hash uint64
	at   time.Time
}

// add reports whether a row is new. It forgets rows that lie further back than any round will begin.
func (w *window) add(id string, first any) bool {
	at, err := timeOf(first)
	if w.back == 0 || err != nil {
		return true
	}
	if w.known == nil {
		w.seed, w.known = maphash.MakeSeed(), map[uint64]bool{}
	}
	h := maphash.String(w.seed, id)
	if w.known[h] {
		return false
	}
	w.known[h] = true
	w.queue = append(w.queue, passed{h, at})
	// Late rows stand behind newer ones in the queue and stay a little longer: harmless.
	for len(w.queue) > 0 && at.Sub(w.queue[0].at) > 2*w.back {
		delete(w.known, w.queue[0].hash)
		w.queue = w.queue[1:]
	}
	return true
}

func noColumn(name string, columns []string) error {
	f := hub.Faultf(hub.Invalid, "sql.no-column", "the result has no column %q, which cursor, key or version names", name)
	f.MessageZh = fmt.Sprintf("结果中没有 cursor、key 或 version 所指的列 %q", name)
	if near := spelling.Nearest(name, columns, spelling.Typed); near != "" {
		return f.WithHint(fmt.Sprintf("did you mean %q?", near))
	}
	return f.WithHint("columns: " + strings.Join(columns, ", "))
}
