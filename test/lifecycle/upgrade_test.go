package lifecycle

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/sample"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/test/hubtest"
)

// old is what a hub of an older schema left behind: testdata/upgrade/README.md says how it was made.
const old = "testdata/upgrade"

// oldEvents is how many events it had recorded and anchored.
const oldEvents = 19

// A hub that is replaced by today's keeps its log, its receipts, its keys and what it knows, and goes on.
func TestAHubOfAnOlderSchemaGoesOn(t *testing.T) {
	s := upgradeSite(t)
	ledger := read(t, s.Path("data", "notary.log"))
	p := s.Start()
	checkOldIsThere(t, p)

	// A sender that never heard the answer sends again after the upgrade; it is known.
	header := http.Header{"Content-Type": {"application/json"}}
	if status, b := p.Do(http.MethodPost, "/in/brand-plant", sample.PlantCapture(), header); status != http.StatusAccepted {
		t.Fatalf("a resend: %d %s", status, b)
	}
	all := hubtest.NewPush()
	todo := []int{0, 1, 2, 3, 4}
	p.Await("new events are accepted", func() bool { todo = all.All(p, todo, nil); return len(todo) == 0 })
	p.Await("new events are anchored", func() bool {
		size, committed := p.LogSize()
		return size == oldEvents+5 && committed == size
	})
	s.Write("new.json", string(p.ReceiptAt(oldEvents+4)))
	s.Write("again.json", string(p.ReceiptAt(0)))
	want(t, run(t, 0, "verify", "--trust", filepath.Join(old, "trust.yaml"), filepath.Join(old, "receipt-0.json"),
		filepath.Join(old, "receipt-18.json"), s.Path("new.json"), s.Path("again.json")), "of 24", "of 19")

	if p.Stop() != 0 {
		t.Errorf("stop:\n%s", p.Log)
	}
	// The ledger's own file only grew, and every root in it is that of the events: the log was not forked.
	if now := read(t, s.Path("data", "notary.log")); len(now) <= len(ledger) || !bytes.HasPrefix(now, ledger) {
		t.Error("the ledger was rewritten")
	}
	b := hubtest.OpenBooks(t, s)
	defer b.Close()
	b.Anchored(t, s)
	b.RecordTimes(t)
	var events, last int
	if err := b.DB.QueryRowContext(t.Context(), `SELECT count(*), max(seq) FROM events`).Scan(&events, &last); err != nil ||
		events != oldEvents+5 || last != events-1 {
		t.Errorf("%d events up to %d: %v", events, last, err)
	}
	// What the migration made out of the old events is what the events say.
	if said := run(t, 0, "rebuild", "--config", s.Path("suyuan.yaml")); strings.Count(said, "the same") != 3 {
		t.Errorf("the migrated store is not what its events say:\n%s", said)
	}
}

// A newer release that comes beside a hub that runs, as a backup at night after an upgrade of the package does, leaves the store as it
// is: the hub that has it knows no other schema.
func TestTheStoreOfARunningHubIsNotUpgraded(t *testing.T) {
	s := upgradeSite(t)
	lock, err := pipeline.Lock(s.Path("data", "stream"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	before := read(t, s.Path("data", "hub.db"))
	config := s.Path("suyuan.yaml")
	want(t, run(t, 3, "serve", "--config", config), "pipeline.dir-in-use")
	want(t, run(t, 3, "rebuild", "--config", config), "pipeline.dir-in-use")
	want(t, run(t, 3, "backup", "--config", config, "--url", "http://127.0.0.1:1", "nightly"), "hub.unreachable")
	want(t, run(t, 2, "export", "--config", config, s.Path("log")), "store.older")
	if !bytes.Equal(before, read(t, s.Path("data", "hub.db"))) {
		t.Error("the store was changed")
	}
}

// upgradeSite is a site with a copy of the old hub's folder.
func upgradeSite(t *testing.T) *hubtest.Site {
	t.Helper()
	s := hubtest.HookSite(t)
	s.Write("connectors/brand-plant.yaml", "id: brand-plant\nprovider: wyeth-illuma\nsource: { epcis: {} }\n")
	s.Write("suyuan.yaml", "listen: 127.0.0.1:0\ndata: data\nanchor: { origin: demo.suyuan.local/log, maxAge: 100ms }\n"+
		"log: { level: warn }\nstream: { minFree: 1MiB }\n")
	for _, name := range []string{"hub.db", "notary.log", "keys/log.key", "keys/notary.key"} {
		s.Write("data/"+name, string(read(t, filepath.Join(old, "data", name))))
	}
	s.Key = strings.TrimSpace(string(read(t, filepath.Join(old, "admin.key"))))
	return s
}

// checkOldIsThere checks that what the old hub knew is answered as it answered it.
func checkOldIsThere(t *testing.T, p *hubtest.Process) {
	t.Helper()
	if size, committed := p.LogSize(); size != oldEvents || committed != oldEvents {
		t.Errorf("%d events, %d anchored", size, committed)
	}
	type journey struct {
		ID    string
		Steps []struct {
			EventID, BizStep, Receipt string
			Seq                       hub.Seq
			Provider                  hub.ProviderID
			Event                     map[string]any
		}
		Product map[string]any
	}
	var before, after journey
	if err := json.Unmarshal(read(t, filepath.Join(old, "trace.json")), &before); err != nil {
		t.Fatal(err)
	}
	p.Get("/v1/trace/02130081810167359142", &after)
	if len(before.Steps) == 0 {
		t.Fatal("the old trace says nothing")
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the trace of the sample changed: %s", diff)
	}
	// Searches use the tables that the old schema did not have.
	var found struct {
		EPCISBody struct {
			QueryResults struct {
				ResultsBody struct{ EventList []map[string]any }
			}
		}
	}
	p.Get("/epcis/events?EQ_disposition=active&perPage=100", &found)
	if len(found.EPCISBody.QueryResults.ResultsBody.EventList) == 0 {
		t.Error("no old event is found by its disposition")
	}
	var dead struct {
		DeadLetters []struct{ Connector, State string }
	}
	p.Get("/v1/dead-letters", &dead)
	if len(dead.DeadLetters) != 1 || dead.DeadLetters[0].Connector != "brand-plant" || dead.DeadLetters[0].State != "waiting" {
		t.Errorf("dead letters: %+v", dead)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
