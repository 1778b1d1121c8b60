package system

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/suyuan-io/suyuan/store/postgres/postgrestest"
	"github.com/suyuan-io/suyuan/test/hubtest"
)

// The way of an event on PostgreSQL: a hub that is killed and a database that is restarted lose nothing of what was answered.
func TestOnPostgresEvery202IsRecordedAndAnchoredOnce(t *testing.T) {
	server := postgrestest.Require(t)
	s := hubtest.HookSite(t)
	s.Write("store.url", server.Database(t))
	s.Write("suyuan.yaml", fmt.Sprintf(`listen: 127.0.0.1:0
data: data
anchor: { origin: test.example/log, maxAge: 100ms }
log: { level: warn }
stream: { minFree: 1MiB }
store: { postgres: { url: "${file:%s}" } }
`, s.Path("store.url")))
	if code, out, _ := hubtest.CLI(t, "check", "--config", s.Path("suyuan.yaml")); code != 0 {
		t.Fatalf("check: %d\n%s", code, out)
	}
	p := s.Start()
	push := hubtest.NewPush()
	const part = 200
	pushed := 0
	more := func() {
		t.Helper()
		todo := make([]int, part)
		for i := range todo {
			todo[i] = pushed + i
		}
		if left := push.All(p, todo, nil); len(left) > 0 {
			t.Fatalf("%d pushes were not accepted", len(left))
		}
		pushed += part
	}
	more()
	p.Kill()
	p = s.Start()
	more()
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	more() // accepted without a database: the raw stream keeps it
	if code, out, _ := hubtest.CLI(t, "check", "--config", s.Path("suyuan.yaml")); code != 3 {
		t.Errorf("check without a database: %d\n%s", code, out)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	p.Await("everything recorded and anchored", func() bool {
		var out struct{ LogSize uint64 }
		if p.Get("/v1/anchors", &out) != http.StatusOK {
			return false
		}
		size, committed := p.LogSize()
		return size >= uint64(pushed) && committed == size
	})
	if size, _ := p.LogSize(); size != uint64(pushed) {
		t.Fatalf("%d events for %d pushes", size, pushed)
	}
	receipt := s.Path("receipt.json")
	s.Write("receipt.json", string(p.ReceiptAt(uint64(pushed-1))))
	if code, out, errs := hubtest.CLI(t, "verify", receipt); code != 0 {
		t.Fatalf("verify: %d\n%s%s", code, out, errs)
	}
	if code := p.Stop(); code != 0 {
		t.Fatalf("drain ended with %d\n%s", code, p.Log)
	}
}

// The benchmark on PostgreSQL finds everything that it sent, and leaves nothing behind: neither of itself nor of one that was
// killed. What a running one has made, and what others have, it leaves alone.
func TestBenchOnPostgres(t *testing.T) {
	server := postgrestest.Require(t)
	at := server.Database(t)
	conn, err := pgx.Connect(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, text := range []string{
		`CREATE SCHEMA suyuan_bench_1`, `CREATE TABLE suyuan_bench_1.events (seq bigint)`, // killed
		`CREATE SCHEMA suyuan_bench_2`, `SELECT pg_advisory_lock(hashtextextended('suyuan_bench_2', 0))`, // running
		`CREATE SCHEMA suyuan_bench_mine`, // somebody's
	} {
		if _, err := conn.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := hubtest.CLI(t, "bench", "ingest", "--records", "500", "--batch", "50", "--connections", "4", "--dir", t.TempDir(), "--postgres", at)
	if code != 0 || !strings.Contains(out, "accepted = recorded = anchored = 500") {
		t.Fatalf("%d\n%s%s", code, out, errs)
	}
	var schemas []string
	var tables int
	if err := conn.QueryRow(t.Context(), `SELECT (SELECT array_agg(nspname::text ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE 'suyuan_bench_%'),
		(SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace)`).Scan(&schemas, &tables); err != nil {
		t.Fatal(err)
	}
	if want := []string{"suyuan_bench_2", "suyuan_bench_mine"}; !slices.Equal(schemas, want) || tables != 0 {
		t.Errorf("the schemas %v and %d tables are left, want %v", schemas, tables, want)
	}
}
