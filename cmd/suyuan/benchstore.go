package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/bench"
)

// benchStore is the schema of a PostgreSQL database that one measured hub has for itself; nil is the embedded store.
type benchStore struct {
	conn   *pgx.Conn
	schema string
	// server is the pid of the server where it runs on this machine, "" otherwise.
	server string
}

// openBenchStore makes a schema in the database at an address, and returns its address for the hub; "" for an empty one.
func openBenchStore(ctx context.Context, address string) (string, *benchStore, error) {
	if address == "" {
		return "", nil, nil
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil { // the error may hold the password
		return "", nil, usageError{fmt.Errorf("--postgres is no URL of a database: write postgres://user:password@host:5432/database")}
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return "", nil, hub.Faultf(hub.Unavailable, "bench.postgres", "cannot reach the database of --postgres").Because(err).
			WithHint("check that its server runs, and the URL's user, password and database")
	}
	b := &benchStore{conn: conn, schema: fmt.Sprintf(benchSchema+"%d", time.Now().UnixNano())}
	if err := b.make(ctx); err != nil {
		_ = conn.Close(ctx)
		return "", nil, hub.Faultf(hub.Unavailable, "bench.postgres", "cannot make a schema in the database of --postgres").Because(err).
			WithHint("the user of the URL needs CREATE on the database")
	}
	// The process of our session has the server as its parent, if the pid is one of this machine at all.
	pid := strconv.FormatUint(uint64(conn.PgConn().PID()), 10)
	if name, err := os.ReadFile("/proc/" + pid + "/comm"); err == nil && strings.HasPrefix(string(name), "postgres") {
		if fields, _, err := processorTime(pid); err == nil {
			b.server = fields[parentPID]
		}
	}
	return within(address, b.schema), b, nil
}

// benchSchema is what the names of schemas begin with that benchmarks make.
const benchSchema = "suyuan_bench_"

// make makes the schema, and drops those of runs that were killed. A run holds a lock of its schema's name from before there is
// the schema: one whose lock can be had belongs to nobody.
func (b *benchStore) make(ctx context.Context) error {
	if _, err := b.lock(ctx, b.schema); err != nil {
		return err
	}
	rows, err := b.conn.Query(ctx, `SELECT nspname FROM pg_namespace WHERE nspname ~ $1 AND nspowner = current_user::regrole`,
		"^"+benchSchema+"[0-9]+$")
	if err != nil {
		return err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, left := range found {
		free, err := b.lock(ctx, left)
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		if _, err := b.conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+left+` CASCADE`); err != nil {
			return err
		}
	}
	_, err = b.conn.Exec(ctx, `CREATE SCHEMA `+b.schema)
	return err
}

// lock takes the lock of a schema's name until the session ends; false when another session has it.
func (b *benchStore) lock(ctx context.Context, schema string) (free bool, err error) {
	err = b.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, schema).Scan(&free)
	return free, err
}

// within is the address of a database, a URL or a keyword string, with a schema to work in.
func within(address, schema string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return address + " search_path=" + schema
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// add adds the database's figures to the hub's: what the schema's tables hold, and the server's processor time if it runs on
// this machine.
func (b *benchStore) add(u bench.Usage, err error) (bench.Usage, error) {
	if b == nil || err != nil {
		return u, err
	}
	if err := b.conn.QueryRow(context.Background(), `SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
		WHERE relnamespace = $1::regnamespace AND relkind = 'r'`, b.schema).Scan(&u.Disk); err != nil {
		return u, fmt.Errorf("ask the database for its size: %w", err)
	}
	if b.server != "" {
		u.Database, err = b.processorTime()
	}
	return u, err
}

// processorTime is what the server has used and its processes, those that have ended as well.
func (b *benchStore) processorTime() (time.Duration, error) {
	_, sum, err := processorTime(b.server, userTime, systemTime, childrenUserTime, childrenSystemTime)
	if err != nil {
		return 0, err
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, p := range processes {
		fields, t, err := processorTime(filepath.Base(p), userTime, systemTime)
		if err == nil && fields[parentPID] == b.server { // one that has just ended counts as its parent's
			sum += t
		}
	}
	return sum, nil
}

// close drops the schema.
func (b *benchStore) close() error {
	if b == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer func() { _ = b.conn.Close(ctx) }()
	_, err := b.conn.Exec(ctx, `DROP SCHEMA `+b.schema+` CASCADE`)
	return err
}
