// Package relational is what the stores on SQL databases share: how outcomes are decided on and appended, how searches are
// planned, and every table that is nothing but rows. A [Dialect] says what a database does its own way.
//
// It leaves opening, migrating and tuning a database, and how rows are inserted in bulk, to the store on it.
package relational

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Dialect is what a database does its own way. Statements are written with ? for their values.
type Dialect struct {
	// Bind makes a statement one that the database takes; nil leaves it as it is.
	Bind func(text string) string
	// Values makes the values of a statement ones that the database takes, in place; nil leaves them as they are.
	Values func(args []any) []any
	// Text undoes what Values did to a text that comes from outside; nil leaves it as it is.
	Text func(text string) string
	// Arrays is true where a list of keys is one value. Otherwise each key is a value of its own.
	Arrays bool
	// Noted is what a statement selects rows of records from that have one of the keys, within a transaction of Append; nil
	// selects from all rows. Its columns are those of records.
	Noted func(keys []int64) (from string, args []any)
	// Head reads how many events there are and the newest record time, and keeps every other transaction of Append waiting
	// until this one ends; Advance stores them. Both are nil where one process is the only writer: what it remembers is true.
	Head    func(ctx context.Context, tx *Tx) (size uint64, last time.Time, err error)
	Advance func(ctx context.Context, tx *Tx, size uint64, last time.Time) error
	// Writer begins the bulk insert of one transaction.
	Writer func(ctx context.Context, tx *Tx) (Writer, error)
	// Fault is what an error of the database means to the operator, nil when there is nothing more to say than that the
	// database failed.
	Fault func(what string, err error) *hub.Fault
	// Bytes is true where a column of texts may hold bytes as well.
	Bytes bool
	// Lock begins a transaction that reads checkpoints and writes what follows from them; it may be empty.
	Lock string
}

// DB is a pool of connections.
type DB struct {
	*sql.DB
	dialect *Dialect
}

// QueryContext is that of [sql.DB].
func (d DB) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return d.DB.QueryContext(ctx, d.dialect.Bind(text), d.dialect.Values(args)...)
}

// QueryRowContext is that of [sql.DB].
func (d DB) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	return d.DB.QueryRowContext(ctx, d.dialect.Bind(text), d.dialect.Values(args)...)
}

// Tx is a transaction.
type Tx struct {
	*sql.Tx
	// Conn is the connection that it runs on.
	Conn    *sql.Conn
	dialect *Dialect
}

// QueryContext is that of [sql.Tx].
func (t *Tx) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return t.Tx.QueryContext(ctx, t.dialect.Bind(text), t.dialect.Values(args)...)
}

// QueryRowContext is that of [sql.Tx].
func (t *Tx) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	return t.Tx.QueryRowContext(ctx, t.dialect.Bind(text), t.dialect.Values(args)...)
}

// ExecContext is that of [sql.Tx].
func (t *Tx) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	return t.Tx.ExecContext(ctx, t.dialect.Bind(text), t.dialect.Values(args)...)
}

// Store is an open database with its schema. It is safe for concurrent use.
type Store struct {
	dialect Dialect
	write   DB
	read    DB
	config  Config
	index   Index

	mu    sync.Mutex // held by the one transaction of Append, and by every transaction where one process is the only writer
	size  uint64     // next seq
	terms map[string]int64
	words map[word]bool // the vocabulary table
	last  time.Time     // the newest record time
	// noted are the keys of the rows of records where one process is the only writer: most records have none, and need not be
	// asked for. Nil when there are more than [maxNoted].
	noted map[int64]struct{}
	stale bool // what is remembered is to be read again: a transaction failed, or its commit's outcome is unknown

	// visible is how many events there are that readers find, where one process is the only writer.
	visible atomic.Uint64

	leaves recentLeaves
	block  block // of the one transaction of Append

	scans scanGroup

	namesMu sync.RWMutex
	names   map[int64]string // the reverse of terms, for readers
}

// Config is what a store works with. All fields but LeafHash are required.
type Config struct {
	// Write and Read are two pools on one database, so that who reads within a transaction of Append waits for nobody. The
	// caller closes them after the store's last call.
	Write, Read *sql.DB
	// Now is the clock for record times.
	Now func() time.Time
	// LeafHash hashes a leaf record for the log; nil means RFC 6962 with SHA-256.
	LeafHash func(record []byte) hub.Digest
	// Index makes the index on the two pools. entries reads committed events at any time.
	Index func(write, read DB, entries Entries) Index
	// Indexing is told now and then how many of the events the index has read when it reads many of them; nil tells nobody.
	Indexing func(done, of uint64)
}

// sha256Leaf is the leaf hash of RFC 6962, section 2.1.
func sha256Leaf(record []byte) hub.Digest {
	return sha256.Sum256(append(make([]byte, 1, 1+len(record)), record...))
}

// New returns a store on a database whose schema is the newest.
func New(ctx context.Context, d Dialect, c Config) (*Store, error) {
	if c.LeafHash == nil {
		c.LeafHash = sha256Leaf
	}
	if c.Indexing == nil {
		c.Indexing = func(uint64, uint64) {}
	}
	if d.Bind == nil {
		d.Bind = func(text string) string { return text }
	}
	if d.Text == nil {
		d.Text = func(text string) string { return text }
	}
	if d.Values == nil {
		d.Values = func(args []any) []any { return args }
	}
	s := &Store{
		dialect: d, config: c, terms: map[string]int64{}, names: map[int64]string{},
	}
	s.write, s.read = DB{c.Write, &s.dialect}, DB{c.Read, &s.dialect}
	s.index = c.Index(s.write, s.read, s.entries)
	return s, s.reload(ctx)
}

// reload reads what is remembered: after a failed commit only the database knows what is true.
func (s *Store) reload(ctx context.Context) error {
	size, last, err := s.end(ctx, s.write)
	if err != nil {
		return err
	}
	s.size, s.last, s.block = size, fromMicros(last), block{}
	if err := s.loadTerms(ctx); err != nil {
		return err
	}
	if err := s.loadWords(ctx); err != nil {
		return err
	}
	if err := s.loadNoted(ctx); err != nil {
		return err
	}
	if err := s.index.Load(ctx, s.told()); err != nil {
		return err
	}
	s.leaves.forget(s.size)
	s.visible.Store(s.size)
	s.stale = false
	return nil
}

// Hold returns when no transaction of Append runs, and keeps new ones waiting until release is called.
func (s *Store) Hold() (release func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return s.unavailable("ping store", err)
	}
	return nil
}

// inTx runs fn in a writing transaction. Where there is only one at a time, what is remembered is read again after a
// failure.
func (s *Store) inTx(ctx context.Context, what string, fn func(tx *Tx) error) error {
	if s.dialect.Head == nil {
		return s.inOne(ctx, what, fn, func() {})
	}
	return s.inAny(ctx, what, fn)
}

// inOne runs fn in a transaction that may use what is remembered, and done when it is committed.
func (s *Store) inOne(ctx context.Context, what string, fn func(tx *Tx) error, done func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale {
		if err := s.reload(ctx); err != nil {
			return s.unavailable(what, err)
		}
	}
	if err := s.inAny(ctx, what, fn); err != nil {
		s.stale = true
		return err
	}
	done()
	s.visible.Store(s.size)
	return nil
}

func (s *Store) inAny(ctx context.Context, what string, fn func(tx *Tx) error) error {
	if err := s.write.InTx(ctx, fn); err != nil {
		return s.classify(what, err)
	}
	return nil
}

// InTx runs fn in a transaction.
func (d DB) InTx(ctx context.Context, fn func(tx *Tx) error) error {
	conn, err := d.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	begun, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(&Tx{begun, conn, d.dialect}); err != nil {
		return errors.Join(err, ended(begun.Rollback()))
	}
	return begun.Commit()
}

// ended drops the error of rolling back a transaction that its context has rolled back already.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// classify keeps faults as they are and makes the rest Unavailable: a database that fails is a passing condition, and
// the caller repeats the same call.
func (s *Store) classify(what string, err error) error {
	if _, ok := errors.AsType[*hub.Fault](err); ok {
		return fmt.Errorf("%s: %w", what, err)
	}
	return s.unavailable(what, err)
}

func (s *Store) unavailable(what string, err error) error {
	if s.dialect.Fault != nil {
		if f := s.dialect.Fault(what, err); f != nil {
			return f
		}
	}
	return hub.Faultf(hub.Unavailable, "store.unavailable", "%s", what).Because(err)
}

// in is a condition that a column is one of keys, with its values.
func (d *Dialect) in(column string, keys []int64) (text string, args []any) {
	if d.Arrays {
		return column + ` = ANY(?)`, []any{keys}
	}
	args = make([]any, len(keys))
	for i, k := range keys {
		args[i] = k
	}
	return column + ` IN (?` + strings.Repeat(`,?`, len(keys)-1) + `)`, args
}

// recordsOf is what the rows of records that have one of the keys are selected from, with its values.
func (d *Dialect) recordsOf(keys []int64) (from string, args []any) {
	if d.Noted != nil {
		return d.Noted(keys)
	}
	condition, args := d.in(`key`, keys)
	return `records WHERE ` + condition, args
}

// replacing ends an upsert: the row that is there takes the new one's values.
func replacing(columns string) string {
	var b strings.Builder
	b.WriteString(` DO UPDATE SET `)
	for i, column := range strings.Split(columns, ",") {
		if i > 0 {
			b.WriteString(", ")
		}
		column = strings.TrimSpace(column)
		b.WriteString(column + " = excluded." + column)
	}
	return b.String()
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
