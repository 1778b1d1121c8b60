package lifecycle

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/suyuan-io/suyuan/internal/sample"
	"github.com/suyuan-io/suyuan/store/postgres/postgrestest"
	"github.com/suyuan-io/suyuan/test/hubtest"
)

// oldPostgres is what a hub of an older schema on PostgreSQL left behind, with so many events; its README says how it was made.
const (
	oldPostgres       = "testdata/upgrade-postgres"
	oldPostgresEvents = 14
	oldPushes         = 12
)

// postgresSite is a site on an address of a database, with a copy of the old hub's folder.
func postgresSite(t *testing.T, address string) *hubtest.Site {
	t.Helper()
	s := hubtest.HookSite(t)
	s.Write("store.url", address)
	s.Write("connectors/brand-plant.yaml", "id: brand-plant\nprovider: wyeth-illuma\nsource: { epcis: {} }\n")
	s.Write("suyuan.yaml", fmt.Sprintf("listen: 127.0.0.1:0\ndata: data\nanchor: { origin: test.example/log, maxAge: 100ms }\n"+
		"log: { level: warn }\nstream: { minFree: 1MiB }\nstore: { postgres: { url: \"${file:%s}\" } }\nepcis: { serve: true }\n", s.Path("store.url")))
	for _, name := range []string{"notary.log", "keys/log.key", "keys/notary.key"} {
		s.Write("data/"+name, string(read(t, filepath.Join(oldPostgres, "data", name))))
	}
	s.Key = strings.TrimSpace(string(read(t, filepath.Join(oldPostgres, "admin.key"))))
	return s
}

// A hub on PostgreSQL that is replaced by today's keeps its log, its receipts and what it knows, and goes on; its index is made
// anew.
func TestAHubOfAnOlderSchemaOnPostgresGoesOn(t *testing.T) {
	address := postgrestest.Require(t).Database(t)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), string(read(t, filepath.Join(oldPostgres, "hub.sql")))); err != nil {
		t.Fatal(err)
	}
	s := postgresSite(t, address)
	ledger := read(t, s.Path("data", "notary.log"))
	p := s.Start()
	if size, committed := p.LogSize(); size != oldPostgresEvents || committed != oldPostgresEvents {
		t.Fatalf("%d events, %d anchored", size, committed)
	}
	for question, want := range map[string]int{ // each is answered by another part of the index
		"EQ_bizStep=shipping": oldPushes, "orderBy=eventTime": oldPostgresEvents, "EQ_disposition=in_progress": 2,
		"MATCH_anyEPC=https://id.gs1.org/01/07613035982949/21/S3": 1,
	} {
		if n := count(p, question); n != want {
			t.Errorf("%s finds %d events, want %d", question, n, want)
		}
	}

	// A sender that never heard the answer sends again after the upgrade; it is known.
	header := http.Header{"Content-Type": {"application/json"}}
	if status, b := p.Do(http.MethodPost, "/in/brand-plant", sample.PlantCapture(), header); status != http.StatusAccepted {
		t.Fatalf("a resend: %d %s", status, b)
	}
	all := hubtest.NewPush()
	const more = 20
	var todo []int
	for i := range oldPushes + more {
		todo = append(todo, i)
	}
	p.Await("old and new pushes are accepted", func() bool { todo = all.All(p, todo, nil); return len(todo) == 0 })
	p.Await("new events are anchored", func() bool {
		size, committed := p.LogSize()
		return size == oldPostgresEvents+more && committed == size
	})
	if n := count(p, "EQ_bizStep=shipping"); n != oldPushes+more {
		t.Errorf("%d events are found by their step", n)
	}
	s.Write("new.json", string(p.ReceiptAt(oldPostgresEvents+more-1)))
	s.Write("again.json", string(p.ReceiptAt(0)))
	want(t, run(t, 0, "verify", filepath.Join(oldPostgres, "receipt-0.json"), s.Path("new.json"), s.Path("again.json")), "of 34")
	if p.Stop() != 0 {
		t.Errorf("stop:\n%s", p.Log)
	}
	// The ledger's own file only grew: the log was not forked.
	if now := read(t, s.Path("data", "notary.log")); len(now) <= len(ledger) || !bytes.HasPrefix(now, ledger) {
		t.Error("the ledger was rewritten")
	}
	// What the upgrade made out of the old events is what the events say.
	if said := run(t, 0, "rebuild", "--config", s.Path("suyuan.yaml")); strings.Count(said, "the same") != 4 {
		t.Errorf("the migrated store is not what its events say:\n%s", said)
	}
}

// count asks how many events a question finds.
func count(p *hubtest.Process, question string) int {
	var found struct {
		EPCISBody struct {
			QueryResults struct {
				ResultsBody struct{ EventList []map[string]any }
			}
		}
	}
	p.Get("/epcis/events?perPage=100&"+question, &found)
	return len(found.EPCISBody.QueryResults.ResultsBody.EventList)
}
