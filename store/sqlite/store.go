// Package sqlite is the embedded store: one SQLite database in WAL mode with synchronous=FULL, so that what Append
// returned survives a power failure. It records outcomes with a gapless sequence, keeps dead letters, master data,
// positions, API keys, and the Merkle log's tiles and checkpoints.
//
// There is one writer at a time and any number of readers. It leaves the meaning of events to epcis, the walk of the
// trace graph to trace, and grouping and retries to those who call it.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // the driver "sqlite", and its error type

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/postings"
	"github.com/suyuan-io/suyuan/store/internal/relational"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open database. It is safe for concurrent use.
type Store struct {
	*relational.Store
	path  string
	write *sql.DB // one connection
	read  *sql.DB
	index *index
	heap  *heap
}

// Config says where the database is.
type Config struct {
	// Path is the database file; its folder is made if it is missing.
	Path string
	// Now is the clock for recordTime; nil means time.Now.
	Now func() time.Time
	// LeafHash is the log's hash of a leaf record, for a log that is not of SHA-256; nil means RFC 6962 with SHA-256.
	LeafHash func(record []byte) hub.Digest
	// Segment is how many events one segment of the index holds, at most 65,536; 0 is that many. Tests make it small.
	Segment int
	// Resident is told how many bytes the index keeps in memory for good, about two and a half for each event and ten for each of the
	// newest, whenever they have changed; nil tells nobody.
	Resident func(bytes int64)
	// Damaged is told that some parts of the index are damaged, and what was found or why one cannot be made again yet; nil when one of
	// them is whole again. It must not call the store; nil tells nobody.
	Damaged func(parts int, err error)
	// Indexing is told now and then how many of the events are indexed, while an index is made again; nil tells nobody.
	Indexing func(done, of uint64)
	// Beside says that a hub may run on the database: one of an earlier schema is refused, where otherwise it is brought to the newest.
	Beside bool
}

// Open opens the database, brings it to the newest schema, and returns the store.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Segment == 0 {
		c.Segment = postings.Size
	}
	if c.Resident == nil {
		c.Resident = func(int64) {}
	}
	if c.Damaged == nil {
		c.Damaged = func(int, error) {}
	}
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	forItsUser(c.Path)
	s := &Store{path: c.Path}
	var err error
	if s.write, err = sql.Open("sqlite", dsn(c.Path, writing)); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn(c.Path, "_pragma=query_only(1)&_pragma=cache_size(-2048)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), s.write.Close())
	}
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(8)
	if err := s.prepare(ctx, c); err != nil {
		what := "open store " + c.Path
		if f := fault(what, err); f != nil {
			return nil, errors.Join(f, s.read.Close(), s.write.Close())
		}
		return nil, errors.Join(fmt.Errorf("%s: %w", what, err), s.read.Close(), s.write.Close())
	}
	s.heap = pinHeap()
	return s, nil
}

// forItsUser makes the file of a new database readable for the hub's user alone, since it holds what partners said; SQLite gives its
// other files the same permissions. A file that is there is not touched, because closing it would drop the locks that this process has
// on it; why none can be made says SQLite.
func forItsUser(path string) {
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		_ = f.Close()
	}
}

// dialect is what SQLite does its own way.
func dialect() relational.Dialect {
	return relational.Dialect{
		Writer: newWriter, Fault: fault, Bytes: true,
	}
}

// writing is for the writer. It checkpoints every 32 MiB, not every 4: pages that many transactions change are brought home
// once for all of them.
const writing = "_txlock=immediate&_pragma=wal_autocheckpoint(8000)&_pragma=journal_size_limit(33554432)"

// dsn opens the database with caches of 16 MiB for the writer and, by extra, 2 MiB for each of eight readers. A page of 4 KiB takes 8
// of the allocator's; what is not in a cache is in the kernel's, a call away, which no benchmark here has seen.
func dsn(path, extra string) string {
	return "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)" +
		"&_pragma=cache_size(-16384)&_pragma=temp_store(MEMORY)&" + extra
}

// prepare migrates the schema and loads what the writer keeps in memory.
func (s *Store) prepare(ctx context.Context, c Config) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, s.write, sub)
	if err != nil {
		return err
	}
	if err := relational.Migrate(ctx, p, c.Beside); err != nil {
		return err
	}
	s.Store, err = relational.New(ctx, dialect(), relational.Config{
		Write: s.write, Read: s.read, Now: c.Now, LeafHash: c.LeafHash, Indexing: c.Indexing,
		Index: func(write, read relational.DB, entries relational.Entries) relational.Index {
			s.index = newIndex(write, read, entries, c)
			return s.index
		},
	})
	if err != nil {
		return err
	}
	s.index.mender.start(func(ctx context.Context, p place) error { return s.index.mend(ctx, p, s.Hold) })
	return nil
}

// Close closes the database after a checkpoint of its write-ahead log.
func (s *Store) Close() error {
	s.index.mender.stop()
	defer s.Hold()()
	err := errors.Join(s.read.Close(), s.write.Close())
	s.heap.release()
	return err
}

// Codes of SQLite's documentation (sqlite.org/rescode.html).
const (
	sqliteReadOnly = 8
	sqliteCorrupt  = 11
	sqliteFull     = 13
	sqliteCantOpen = 14
	sqliteNotADB   = 26
)

// fault says what of an error of SQLite the operator can do something about.
func fault(what string, err error) *hub.Fault {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return nil
	}
	var code, hint string
	switch se.Code() & 0xff {
	case sqliteFull:
		code, hint = "store.full", "free space on the disk of the database; the hub resumes by itself"
	case sqliteReadOnly, sqliteCantOpen:
		code, hint = "store.permission", "let the hub's user read and write the database and its folder"
	case sqliteCorrupt, sqliteNotADB:
		code, hint = "store.damaged", "keep the file as it is, and restore a backup beside it: suyuan restore --help"
	default:
		return nil
	}
	return hub.Faultf(hub.Unavailable, code, "%s", what).WithHint(hint).Because(err)
}
