// Package postgres is the store for several hub processes: one PostgreSQL database, 15 or newer. What every event or record
// adds rows to is partitioned by ranges of the log, so that the indexes that random keys go into stay as small as one
// partition, however long the log is.
//
// Events that are recorded together are packed together, and so are the rows by which those are found that have something in common;
// docs/adr/0009-postgres-runs.md says how. Each process that appends remembers in filters what is recorded, so that it asks the database
// of few records whether they are there already, however many partitions there are (docs/adr/0011-postgres-names.md).
//
// Appends of all processes are one after another: each locks the one row of the table head, which holds the log's size, so
// that the sequence stays gapless. A batch is copied in one transaction and durable when Append returns, unless the operator
// has switched synchronous_commit off. Everything else may run side by side.
//
// It leaves to store/internal/relational what it shares with the embedded store, and grouping and retries to its callers.
package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/relational"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is an open database. It is safe for concurrent use.
type Store struct {
	*relational.Store
	write, read *sql.DB
	leases      *sql.DB // sessions that hold a lease, and end with it
}

// Config says where the database is.
type Config struct {
	// URL is a connection URL or a keyword string, as libpq takes them.
	URL string
	// Connections bounds the connections of this process, besides one for each lease; 0 is 16.
	Connections int
	// PerPartition is how many events a new partition holds when the schema is made; 0 is 2,097,152. A schema that is there
	// keeps what it was made with.
	PerPartition uint64
	// Few is how many candidates a search collects at most before it walks along them in order instead; 0 is 4,096. Tests make it
	// small.
	Few int
	// Now is the clock for recordTime; nil means time.Now.
	Now func() time.Time
	// LeafHash hashes a leaf record for the log; nil means RFC 6962 with SHA-256.
	LeafHash func(record []byte) hub.Digest
	// Resident is told how many bytes the store keeps in memory for good, about three for each event, from the first Append on; nil
	// tells nobody.
	Resident func(bytes int64)
	// Indexing is told now and then how many of the events are indexed, while an index is made again; nil tells nobody.
	Indexing func(done, of uint64)
	// Beside says that hubs may run on the database: one of an earlier schema is refused, where otherwise it is brought to the newest.
	Beside bool
}

const (
	defaultConnections  = 16
	writeConnections    = 4
	leaseConnections    = 4
	defaultPerPartition = 1 << 21
	defaultFew          = 1 << 12
)

// Open opens the database, brings it to the newest schema, and returns the store. Of several processes that open it at
// once one migrates. Faults: Invalid for a URL that is none, Unavailable when the server cannot be reached or refuses.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Connections == 0 {
		c.Connections = defaultConnections
	}
	if c.PerPartition == 0 {
		c.PerPartition = defaultPerPartition
	}
	if c.Few == 0 {
		c.Few = defaultFew
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Resident == nil {
		c.Resident = func(int64) {}
	}
	cfg, err := parse(c.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		write: open(cfg, writeConnections), read: open(cfg, max(c.Connections-writeConnections, 2)), leases: open(beating(cfg), leaseConnections),
	}
	if err := s.prepare(ctx, c); err != nil {
		return nil, errors.Join(unavailable("open store", err), s.leases.Close(), s.read.Close(), s.write.Close())
	}
	return s, nil
}

// parse reads a URL. The settings are for the hub's own sessions: every statement has an index, and the planner, which
// knows nothing of a partition that was just made, must not think otherwise. What it planned once is good for all values: to plan
// anew takes longer than most statements do, the more partitions there are. So does starting workers.
func parse(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil { // the error may hold the password
		return nil, hub.Faultf(hub.Invalid, "store.url", "the URL of the store's database cannot be read").
			WithHint("write postgres://user:password@host:5432/database?sslmode=verify-full")
	}
	settings := map[string]string{
		"application_name": "suyuan", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off",
		"max_parallel_workers_per_gather": "0",
		"plan_cache_mode":                 "force_generic_plan",
		// A machine that loses its power closes no connection, and a process that is frozen answers on none: the server would keep the
		// locks of both, for two hours by TCP's defaults, and nobody else could append.
		"tcp_keepalives_idle": "5", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "20000",
		"idle_in_transaction_session_timeout": "30s",
	}
	maps.Copy(settings, cfg.RuntimeParams)
	cfg.RuntimeParams = settings
	return cfg, nil
}

// beating is cfg for sessions that hold a lease: the server ends one that is silent, whose process is frozen or gone.
func beating(cfg *pgx.ConnConfig) *pgx.ConnConfig {
	lease := cfg.Copy()
	if lease.RuntimeParams["idle_session_timeout"] == "" {
		lease.RuntimeParams["idle_session_timeout"] = "15s"
	}
	return lease
}

func open(cfg *pgx.ConnConfig, connections int) *sql.DB {
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

// Check connects to a database, without changing anything, and says why it cannot be used; nil if it can.
func Check(ctx context.Context, url string) error {
	cfg, err := parse(url)
	if err != nil {
		return err
	}
	db := open(cfg, 1)
	defer func() { _ = db.Close() }()
	var version int
	if err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return unavailable("reach the store's database", err)
	}
	if version < oldest {
		return hub.Faultf(hub.Unavailable, "store.version", "PostgreSQL %d is too old", version/10000).WithHint("15 or newer is needed")
	}
	return nil
}

const oldest = 150000

// prepare migrates the schema and loads what is remembered.
func (s *Store) prepare(ctx context.Context, c Config) error {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, s.write, sub, goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	if err := relational.Migrate(ctx, p, c.Beside); err != nil {
		return err
	}
	if _, err := s.write.ExecContext(ctx, `INSERT INTO head (per_partition) VALUES ($1) ON CONFLICT DO NOTHING`,
		int64(c.PerPartition)); err != nil {
		return err
	}
	known := &names{resident: c.Resident}
	if err := s.write.QueryRowContext(ctx, `SELECT per_partition FROM head`).Scan(&known.per); err != nil {
		return err
	}
	s.Store, err = relational.New(ctx, dialect(known), relational.Config{
		Write: s.write, Read: s.read, Now: c.Now, LeafHash: c.LeafHash, Indexing: c.Indexing,
		Index: func(write, read relational.DB, _ relational.Entries) relational.Index {
			return &index{write: write, read: read, few: c.Few, names: known}
		},
	})
	return err
}

// Close closes the connections after the transaction at hand.
func (s *Store) Close() error {
	defer s.Hold()()
	return errors.Join(s.leases.Close(), s.read.Close(), s.write.Close())
}

// dialect is what PostgreSQL does its own way.
func dialect(known *names) relational.Dialect {
	return relational.Dialect{
		Bind: bind, Values: escaped, Text: unescaped, Arrays: true, Advance: advance, Fault: fault,
		Noted: func(keys []int64) (from string, args []any) {
			p := known.places(keys)
			return `unnest(?::bigint[], ?::bigint[], ?::bigint[]) k (of, low, high),
				LATERAL (SELECT * FROM records WHERE key = k.of AND at >= k.low AND at < k.high) r`, []any{p.keys, p.from, p.to}
		},
		Head: func(ctx context.Context, tx *relational.Tx) (uint64, time.Time, error) {
			size, last, err := head(ctx, tx)
			known.at = int64(size)
			return size, last, err
		},
		Writer: func(ctx context.Context, tx *relational.Tx) (relational.Writer, error) {
			return newWriter(ctx, tx, known), nil
		},
		Lock: `LOCK TABLE checkpoints IN SHARE ROW EXCLUSIVE MODE`,
	}
}

// bind numbers the placeholders of a statement. None of our statements has a ? in a literal.
func bind(text string) string {
	var b strings.Builder
	b.Grow(len(text) + 16)
	n := 0
	for {
		before, after, found := strings.Cut(text, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		text = after
	}
}

// head locks the row that every append locks, until the transaction ends.
func head(ctx context.Context, tx *relational.Tx) (uint64, time.Time, error) {
	var size, at int64
	var whole bool
	if err := tx.QueryRowContext(ctx, `SELECT size, recorded_at, indexed >= to_index FROM head FOR UPDATE`).Scan(&size, &at, &whole); err != nil {
		return 0, time.Time{}, fmt.Errorf("lock the log: %w", err)
	}
	if !whole { // what is recorded already could not be told
		return 0, time.Time{}, hub.Faultf(hub.Unavailable, "store.rebuild", "another process makes the index again").
			WithHint("wait until it has; if it was stopped, start it again or restart this one, which goes on with it")
	}
	if at == 0 {
		return uint64(size), time.Time{}, nil
	}
	return uint64(size), time.UnixMicro(at).UTC(), nil
}

func advance(ctx context.Context, tx *relational.Tx, size uint64, last time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE head SET size = ?, recorded_at = ?`, int64(size), last.UnixMicro())
	return err
}

func unavailable(what string, err error) error {
	if f, ok := errors.AsType[*hub.Fault](err); ok {
		return f
	}
	if f := fault(what, err); f != nil {
		return f
	}
	return hub.Faultf(hub.Unavailable, "store.unavailable", "%s", what).Because(err).
		WithHint("check that the database server runs, and the address under store.postgres")
}

// fault says what of an error of PostgreSQL the operator can do something about, by the classes of its documentation
// (appendix A, error codes). What the database refuses for the value of the data is no passing condition.
func fault(what string, err error) *hub.Fault {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return nil
	}
	switch pe.Code[:2] {
	case "53":
		return hub.Faultf(hub.Unavailable, "store.full", "%s", what).
			WithHint("the database has no room left, on its disk or for connections; the hub resumes by itself").Because(err)
	case "28", "3D":
		return hub.Faultf(hub.Unavailable, "store.refused", "%s: the database does not let the hub in", what).
			WithHint("check user, password and database under store.postgres").Because(err)
	case "22", "23":
		return hub.Faultf(hub.Internal, "store.value", "%s: the database does not take a value", what).Because(err)
	}
	return nil
}
