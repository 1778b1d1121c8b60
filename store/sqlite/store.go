// Package sqlite is the embedded store: one SQLite database in WAL mode with synchronous=FULL, so that what Append
// returned survives a power failure. It records outcomes with a gapless sequence, keeps dead letters, master data,
// positions, API keys, and the Merkle log's tiles and checkpoints.
//
// There is one writer at a time and any number of readers. It leaves the meaning of events to epcis, the walk of the
// trace graph to trace, and grouping and retries to those who call it.
package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // the driver "sqlite", and its error type

	"github.com/suyuan-io/suyuan/hub"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open database. It is safe for concurrent use.
type Store struct {
	write    *sql.DB // one connection
	read     *sql.DB
	now      func() time.Time
	heap     *heap
	leafHash func(record []byte) hub.Digest

	mu    sync.Mutex // held by the one writing transaction
	size  uint64     // next seq
	terms map[string]int64
	words map[int64]bool // keys of the vocabulary table
	last  time.Time      // the newest record time
	stale bool           // size and terms are to be read again: a transaction failed, or its commit's outcome is unknown

	namesMu sync.RWMutex
	names   map[int64]string // the reverse of terms, for readers
}

// Config says where the database is.
type Config struct {
	// Path is the database file; its folder is made if it is missing.
	Path string
	// Now is the clock for recordTime; nil means time.Now.
	Now func() time.Time
	// LeafHash is the log's hash of a leaf record, for a log that is not of SHA-256; nil means RFC 6962 with SHA-256.
	LeafHash func(record []byte) hub.Digest
}

// sha256Leaf is the leaf hash of RFC 6962, section 2.1.
func sha256Leaf(record []byte) hub.Digest {
	return sha256.Sum256(append(make([]byte, 1, 1+len(record)), record...))
}

// Open opens the database, brings it to the newest schema, and returns the store.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.LeafHash == nil {
		c.LeafHash = sha256Leaf
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{now: c.Now, leafHash: c.LeafHash, terms: map[string]int64{}, names: map[int64]string{}}
	var err error
	if s.write, err = sql.Open("sqlite", dsn(c.Path, writing)); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", c.Path, err), s.write.Close())
	}
	if s.read, err = sql.Open("sqlite", dsn(c.Path, "_pragma=query_only(1)&_pragma=cache_size(-8192)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.write.Close())
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(8)
	s.heap = pinHeap()
	return s, nil
}

// writing is for the writer. It checkpoints every 32 MiB, not every 4: pages that many transactions change are brought home
// once for all of them.
const writing = "_txlock=immediate&_pragma=wal_autocheckpoint(8000)&_pragma=journal_size_limit(33554432)"

func dsn(path, extra string) string {
	return "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)" +
		"&_pragma=cache_size(-65536)&_pragma=temp_store(MEMORY)&_pragma=mmap_size(268435456)&" + extra
}

// prepare migrates the schema and loads what the writer keeps in memory.
func (s *Store) prepare(ctx context.Context) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, sub)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := s.reload(ctx); err != nil {
		return err
	}
	return s.backfill(ctx)
}

// reload reads what the writer keeps in memory: after a failed commit only the database knows what is true.
func (s *Store) reload(ctx context.Context) error {
	var n sql.NullInt64
	if err := s.write.QueryRowContext(ctx, `SELECT max(seq) FROM events`).Scan(&n); err != nil {
		return err
	}
	s.size = 0
	if n.Valid {
		s.size = uint64(n.Int64) + 1
	}
	var last sql.NullInt64
	if err := s.write.QueryRowContext(ctx, `SELECT recorded_at FROM events ORDER BY seq DESC LIMIT 1`).Scan(&last); err != nil &&
		!errors.Is(err, sql.ErrNoRows) {
		return err
	}
	s.last = fromMicros(last.Int64)
	if err := s.loadTerms(ctx); err != nil {
		return err
	}
	if err := s.loadWords(ctx); err != nil {
		return err
	}
	s.stale = false
	return nil
}

// Close closes the database after a checkpoint of its write-ahead log.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.Join(s.read.Close(), s.write.Close())
	s.heap.release()
	return err
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return unavailable("ping store", err)
	}
	return nil
}

// inTx runs fn in the one writing transaction. When it fails, what the writer keeps in memory is read again before the
// next one.
func (s *Store) inTx(ctx context.Context, what string, fn func(tx *sql.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale {
		if err := s.reload(ctx); err != nil {
			return unavailable(what, err)
		}
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return unavailable(what, err)
	}
	if err := fn(tx); err != nil {
		s.stale = true
		return classify(what, errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		s.stale = true
		return classify(what, err)
	}
	return nil
}

// classify keeps faults as they are and makes the rest Unavailable: a database that fails is a passing condition, and
// the caller repeats the same call.
func classify(what string, err error) error {
	if _, ok := errors.AsType[*hub.Fault](err); ok {
		return fmt.Errorf("%s: %w", what, err)
	}
	return unavailable(what, err)
}

// Codes of SQLite's documentation (sqlite.org/rescode.html).
const sqliteFull = 13

func unavailable(what string, err error) error {
	var se *sqlite.Error
	if errors.As(err, &se) && se.Code()&0xff == sqliteFull {
		return hub.Faultf(hub.Unavailable, "store.full", "%s", what).
			WithHint("free space on the disk of the database; the hub resumes by itself").Because(err)
	}
	return hub.Faultf(hub.Unavailable, "store.unavailable", "%s", what).Because(err)
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
