package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver "mysql"
	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/brokertest"
	connsql "github.com/suyuan-io/suyuan/connectors/sql"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const dbPassword = "database-password-in-tests"

// server is a database server of a test's own.
type server struct {
	driver connsql.Driver
	// reader is the DSN of the hub's user, who may only read; owner is that of who fills the table.
	reader, owner string
	// table declares the columns id, code and printed_at of the table with the name.
	table string
	// param is the first parameter of a statement.
	param string
}

// envServers tells the processes of the crash check where the server of the first one listens.
const envServers = "SUYUAN_TEST_SQL_ADDRESS"

// servers start a server each and return what the tests need of it.
func servers() map[string]func(*testing.T) *server {
	return map[string]func(*testing.T) *server{"PostgreSQL": startPostgres, "MariaDB": startMariaDB}
}

// address returns where the server listens, and starts it unless the process above this one did.
func address(t *testing.T, start func(address string)) string {
	t.Helper()
	if known := os.Getenv(envServers); known != "" {
		return known
	}
	at := brokertest.Loopback(brokertest.Port(t))
	start(at)
	t.Setenv(envServers, at)
	return at
}

// unprivileged returns a folder of a user who is not root, and how a command becomes that user: servers refuse to be root.
func unprivileged(t *testing.T, name string) (dir string, become func(*exec.Cmd) *exec.Cmd) {
	t.Helper()
	dir = t.TempDir()
	if os.Getuid() != 0 {
		return dir, func(c *exec.Cmd) *exec.Cmd { return c }
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Skipf("SKIPPED: there is no user %s: install the package", name)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	check(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	check(t, err)
	check(t, os.Chown(dir, int(uid), int(gid)))
	for up := filepath.Dir(dir); up != filepath.Clean(os.TempDir()); up = filepath.Dir(up) {
		check(t, os.Chmod(up, 0o755))
	}
	return dir, func(c *exec.Cmd) *exec.Cmd {
		c.Dir = dir
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return c
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// command runs a program to its end.
func command(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, out)
	}
}

func startPostgres(t *testing.T) *server {
	t.Helper()
	at := address(t, func(at string) {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
		bin := ""
		if len(found) > 0 {
			bin = found[len(found)-1]
		}
		initdb := brokertest.Program(t, filepath.Join(bin, "initdb"), "postgresql")
		dir, become := unprivileged(t, "postgres")
		data := filepath.Join(dir, "data")
		command(t, become(exec.CommandContext(t.Context(), initdb, "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N")))
		_, port, _ := net.SplitHostPort(at)
		brokertest.Run(t, become(exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(bin, "postgres"), "-D", data,
			"-p", port, "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")))
		owner := "postgres://postgres@" + at + "/postgres"
		await(t, "pgx", owner)
		execute(t, "pgx", owner, "CREATE ROLE hub LOGIN PASSWORD '"+dbPassword+"'")
		execute(t, "pgx", owner, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO hub")
	})
	return &server{
		driver: connsql.Driver{Name: "postgres", Register: "pgx", Dialect: connsql.PostgreSQL},
		reader: "postgres://hub:" + dbPassword + "@" + at + "/postgres?connect_timeout=30", owner: "postgres://postgres@" + at + "/postgres",
		table: "id BIGSERIAL PRIMARY KEY, code TEXT, printed_at TIMESTAMPTZ(3)", param: "$1",
	}
}

func startMariaDB(t *testing.T) *server {
	t.Helper()
	at := address(t, func(at string) {
		install := brokertest.Program(t, "mariadb-install-db", "mariadb-server")
		mariadbd := brokertest.Program(t, "/usr/sbin/mariadbd", "mariadb-server")
		dir, become := unprivileged(t, "mysql")
		data := filepath.Join(dir, "data")
		command(t, become(exec.CommandContext(t.Context(), install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal",
			"--skip-test-db", "--skip-name-resolve")))
		_, port, _ := net.SplitHostPort(at)
		brokertest.Run(t, become(exec.CommandContext(context.WithoutCancel(t.Context()), mariadbd, "--no-defaults", "--datadir="+data,
			"--bind-address=127.0.0.1", "--port="+port, "--socket="+filepath.Join(dir, "s"), "--pid-file="+filepath.Join(dir, "pid"),
			"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M", "--skip-name-resolve")))
		owner := mariaOwner(at, "")
		await(t, "mysql", owner)
		for _, statement := range []string{
			"CREATE DATABASE erp CHARACTER SET utf8mb4",
			"CREATE USER hub@'%' IDENTIFIED BY '" + dbPassword + "'", "GRANT SELECT ON erp.* TO hub@'%'",
		} {
			execute(t, "mysql", owner, statement)
		}
	})
	return &server{
		driver: connsql.Driver{Name: "mysql", Register: "mysql", Dialect: connsql.MySQL},
		reader: "hub:" + dbPassword + "@tcp(" + at + ")/erp?parseTime=true", owner: mariaOwner(at, "erp"),
		table: "id BIGINT AUTO_INCREMENT PRIMARY KEY, code TEXT, printed_at DATETIME(3)", param: "?",
	}
}

// mariaOwner is the DSN of root, who comes from this machine.
func mariaOwner(at, database string) string { return "root@tcp(" + at + ")/" + database }

// await waits until a server answers.
func await(t *testing.T, driver, dsn string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	check(t, err)
	defer db.Close()
	connectortest.WaitFor(t, driver+" answers", func() bool { return db.PingContext(t.Context()) == nil }, func() any { return db.PingContext(t.Context()) })
}

// execute runs a statement over a connection of its own.
func execute(tb testing.TB, driver, dsn, statement string, args ...any) {
	tb.Helper()
	db, err := sql.Open(driver, dsn)
	check(tb, err)
	defer db.Close()
	if _, err := db.ExecContext(tb.Context(), statement, args...); err != nil {
		tb.Fatalf("%s: %v", statement, err)
	}
}

func (s *server) options(table string) *connsql.Options {
	o, ok := connsql.Kind([]connsql.Driver{s.driver}).Options().(*connsql.Options)
	if !ok {
		panic("not the options of this kind")
	}
	o.Driver, o.DSN, o.Table = s.driver.Name, strictyaml.NewSecret("${env:DSN}", s.reader), table
	o.Cursor, o.Batch, o.Timezone = []string{"printed_at", "id"}, 7, time.UTC
	return o
}

// relation is a table of the server's, one for each folder of the kit.
type relation struct {
	*server

	name string
}

func (s *server) open(tb testing.TB, dir string) connectortest.Upstream {
	tb.Helper()
	sum := hub.Sum([]byte(dir))
	r := relation{s, fmt.Sprintf("t%x", sum[:8])}
	execute(tb, s.driver.Register, s.owner, "CREATE TABLE IF NOT EXISTS "+r.name+" ("+s.table+")")
	return r
}

func (r relation) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		execute(tb, r.driver.Register, r.owner, "INSERT INTO "+r.name+" (code, printed_at) VALUES ("+r.param+", '2019-05-01 08:30:00.125')", text)
	}
}

func (r relation) Instance(testing.TB) *connectors.Instance {
	inst := brokertest.Instance("sql", r.options(r.name))
	inst.Splitter = connectortest.Whole{}
	return inst
}

// TestServers starts each server once: that takes longer than what is asked of it.
func TestServers(t *testing.T) {
	for name, start := range servers() {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			t.Run("conformance", func(t *testing.T) {
				connectortest.Source(t, s.open, connectortest.Traits{Remembers: true, Secrets: []string{dbPassword}})
			})
			t.Run("rows", func(t *testing.T) { rowsAreExact(t, s, rows()[name]) })
			t.Run("faults", func(t *testing.T) { faultsSayWhoCanHelp(t, s) })
			t.Run("look-back", func(t *testing.T) { lateRowsAreRead(t, s) })
		})
	}
}

// rowCase is one row, and how it reads as JSON.
type rowCase struct{ columns, values, want string }

func rows() map[string]rowCase {
	return map[string]rowCase{
		"PostgreSQL": {
			"id bigint PRIMARY KEY, big numeric(38,10), small smallint, real8 double precision, yes boolean, day date, at timestamp, " +
				"seen timestamptz, doc jsonb, raw bytea, name text, gone text, key uuid, tags text[], money numeric, clock time",
			`9007199254740993, 12345678901234567890.1234567890, -7, 0.1, true, '2019-05-01', '2019-05-01 08:30:00.5', ` +
				`'2019-05-01 08:30:00+08', '{"a": [1, 2.50]}', '\x00ff', '启赋 <&> "q"', NULL, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '{a,b}', 'NaN', '08:30:00'`,
			`{"id":9007199254740993,"big":12345678901234567890.1234567890,"small":-7,"real8":0.1,"yes":true,"day":"2019-05-01",` +
				`"at":"2019-05-01T08:30:00.5+08:00","seen":"2019-05-01T00:30:00Z","doc":{"a": [1, 2.50]},"raw":"AP8=",` +
				`"name":"启赋 <&> \"q\"","gone":null,"key":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","tags":"{a,b}","money":"NaN","clock":"08:30:00"}`,
		},
		"MariaDB": {
			"id bigint unsigned PRIMARY KEY, big decimal(38,10), small smallint, real8 double, yes tinyint(1), day date, at datetime(1), " +
				"seen timestamp NULL, doc json, raw varbinary(9), name text, gone text, kind enum('OUT','IN'), clock time",
			`18446744073709551615, 12345678901234567890.1234567890, -7, 0.1, 1, '2019-05-01', '2019-05-01 08:30:00.5', ` +
				`'2019-05-01 08:30:00', '{"a": [1, 2.50]}', X'00ff', '启赋 <&> "q"', NULL, 'OUT', '08:30:00'`,
			`{"id":18446744073709551615,"big":12345678901234567890.1234567890,"small":-7,"real8":0.1,"yes":1,"day":"2019-05-01",` +
				`"at":"2019-05-01T08:30:00.5+08:00","seen":"2019-05-01T08:30:00+08:00","doc":"{\"a\": [1, 2.50]}","raw":"AP8=",` +
				`"name":"启赋 <&> \"q\"","gone":null,"kind":"OUT","clock":"08:30:00"}`,
		},
	}
}

// rowsAreExact: numbers with every digit, times with their offset, bytes as base64, and text as it is.
func rowsAreExact(t *testing.T, s *server, tc rowCase) {
	t.Helper()
	execute(t, s.driver.Register, s.owner, "CREATE TABLE kinds ("+tc.columns+")")
	execute(t, s.driver.Register, s.owner, "INSERT INTO kinds VALUES ("+tc.values+")")
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	check(t, err)
	o := s.options("kinds")
	o.Cursor, o.Timezone = []string{"id"}, shanghai
	for _, dsn := range []string{s.reader, strings.Replace(s.reader, "?parseTime=true", "", 1)} {
		o.DSN = strictyaml.NewSecret("${env:DSN}", dsn)
		items, err := read(t, o, "")
		if err != nil || len(items) != 1 {
			t.Fatal(len(items), err)
		}
		if diff := cmp.Diff(tc.want, string(items[0].Body)); diff != "" {
			t.Error(diff)
		}
		if again, err := read(t, o, items[0].Position); err != nil || len(again) != 0 {
			t.Errorf("again: %d, %v", len(again), err)
		}
	}
	o.Timezone = nil
	if _, err := read(t, o, ""); hub.AsFault(err).Code != "sql.timezone" {
		t.Errorf("without timezone: %v", err)
	}
}

// faultsSayWhoCanHelp, with no password in the words.
func faultsSayWhoCanHelp(t *testing.T, s *server) {
	t.Helper()
	execute(t, s.driver.Register, s.owner, "CREATE TABLE goods ("+s.table+")")
	for name, tc := range map[string]struct {
		change func(*connsql.Options)
		code   string
	}{
		"as it should be": {func(*connsql.Options) {}, ""},
		"no such table":   {func(o *connsql.Options) { o.Table = "good" }, "sql.refused"},
		"no such column":  {func(o *connsql.Options) { o.Cursor = []string{"printed"} }, "sql.refused"},
		"not a query":     {func(o *connsql.Options) { o.Table, o.Query = "", "SELECT * FORM goods" }, "sql.refused"},
		"may only read": {func(o *connsql.Options) {
			o.Table, o.Query = "", "WITH x AS (DELETE FROM goods RETURNING *) SELECT * FROM x"
		}, "sql.refused"},
		"no such database": {func(o *connsql.Options) {
			o.DSN = strictyaml.NewSecret("${env:DSN}", strings.NewReplacer("/postgres?", "/nothing?", "/erp?", "/nothing?").Replace(s.reader))
		}, "sql.refused"},
		"nobody there": {func(o *connsql.Options) {
			at := os.Getenv(envServers)
			o.DSN = strictyaml.NewSecret("${env:DSN}", strings.Replace(s.reader, at, "127.0.0.1:1", 1))
		}, "sql.unavailable"},
	} {
		o := s.options("goods")
		tc.change(o)
		_, err := read(t, o, "")
		code := ""
		if err != nil {
			code = hub.AsFault(err).Code
		}
		if code != tc.code || err != nil && strings.Contains(err.Error(), dbPassword) {
			t.Errorf("%s: code %q: %v", name, code, err)
		}
	}
}

// lateRowsAreRead: a row that is committed late, and dated before the newest.
func lateRowsAreRead(t *testing.T, s *server) {
	t.Helper()
	execute(t, s.driver.Register, s.owner, "CREATE TABLE late ("+s.table+")")
	insert := func(code, at string) {
		execute(t, s.driver.Register, s.owner, "INSERT INTO late (code, printed_at) VALUES ('"+code+"', '"+at+"')")
	}
	insert("a", "2019-05-01 08:30:00")
	o := s.options("late")
	o.LookBack = time.Minute
	first, err := read(t, o, "")
	if err != nil || len(first) != 1 {
		t.Fatal(len(first), err)
	}
	insert("late", "2019-05-01 08:29:30")
	insert("too late", "2019-05-01 08:20:00")
	again, err := read(t, o, first[0].Position)
	if err != nil || len(again) != 2 || !strings.Contains(string(again[0].Body), `"late"`) || again[1].ID != first[0].ID {
		t.Fatalf("%v, %v", again, err)
	}
}
