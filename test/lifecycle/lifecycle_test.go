// Package lifecycle takes the built hub through what happens to it over the years: backups, lost disks, restores, damaged
// indexes, and upgrades from older releases.
package lifecycle

import (
	"bytes"
	"database/sql"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m)) }

// push posts the webhooks from to to-1 and waits until they are anchored.
func push(t *testing.T, p *hubtest.Process, all *hubtest.Push, from, to int) {
	t.Helper()
	var todo []int
	for i := from; i < to; i++ {
		todo = append(todo, i)
	}
	p.Await("everything is accepted", func() bool { todo = all.All(p, todo, nil); return len(todo) == 0 })
	p.Await("everything is anchored", func() bool {
		size, committed := p.LogSize()
		return size == uint64(to) && committed == size
	})
}

// run runs a command and returns what it said; it must end with the code.
func run(t *testing.T, code int, args ...string) string {
	t.Helper()
	got, out, errs := hubtest.CLI(t, args...)
	if got != code {
		t.Fatalf("suyuan %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out + errs
}

func want(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// backUp writes a backup of a running hub while others write, and returns its folder.
func backUp(t *testing.T, p *hubtest.Process, name string) string {
	t.Helper()
	want(t, run(t, 0, "backup", "--config", p.Path("suyuan.yaml"), "--url", p.URL, "--key", p.Key, name), "backed up ")
	return p.Path("suyuan-backups", name)
}

// lose moves the data folder away, as a disk that is lost but for its files.
func lose(t *testing.T, s *hubtest.Site, to string) {
	t.Helper()
	if err := os.Rename(s.Path("data"), s.Path(to)); err != nil {
		t.Fatal(err)
	}
}

// A backup that is taken while the hub works becomes the same hub: same places in the log, same receipts, same keys.
func TestARestoredHubIsTheSameHub(t *testing.T) {
	s := hubtest.HookSite(t)
	all := hubtest.NewPush()
	p := s.Start()
	push(t, p, all, 0, 150)
	dir := backUp(t, p, "one")
	receipt := p.ReceiptAt(149)
	if code := p.Stop(); code != 0 {
		t.Fatalf("stop: %d\n%s", code, p.Log)
	}
	config := s.Path("suyuan.yaml")
	want(t, run(t, 1, "restore", "--config", config, "--nothing-since", dir), "restore.not-empty")
	lose(t, s, "lost")
	want(t, run(t, 1, "restore", "--config", config, dir), "restore.since", "--ledger")
	want(t, run(t, 0, "restore", "--config", config, "--ledger", s.Path("lost", "notary.log"), dir), "restored 150 events")

	p = s.Start()
	if !bytes.Equal(p.ReceiptAt(149), receipt) {
		t.Error("the receipt of the restored hub differs")
	}
	push(t, p, all, 150, 200)
	if status, b := p.Do(http.MethodPost, "/in/hook", hubtest.HookBody(7), hubtest.Signed(t, hubtest.HookID(7), hubtest.HookBody(7))); status != http.StatusAccepted {
		t.Errorf("a resend is answered with %d %s", status, b)
	}
	hubtest.Audit(t, s, all, 200)
	p.Stop()
}

// A backup that is older than the ledger is refused; with another origin it begins a new log, and receipts of the old one
// keep verifying.
func TestAnOldBackupDoesNotForkTheLog(t *testing.T) {
	s := hubtest.HookSite(t)
	all := hubtest.NewPush()
	p := s.Start()
	push(t, p, all, 0, 60)
	dir := backUp(t, p, "old")
	push(t, p, all, 60, 100)
	s.Write("old-receipt.json", string(p.ReceiptAt(99)))
	p.Stop()
	lose(t, s, "lost")
	config := s.Path("suyuan.yaml")
	want(t, run(t, 1, "restore", "--config", config, "--ledger", s.Path("lost", "notary.log"), dir), "restore.fork", "ends at 60", "--new-log")
	if left, err := os.ReadDir(s.Path("data")); err == nil && len(left) > 0 {
		t.Errorf("a refused restore leaves %v", left)
	}
	want(t, run(t, 1, "restore", "--config", config, "--new-log", dir), "restore.origin")

	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	s.Write("suyuan.yaml", strings.Replace(string(text), "test.example/log", "test.example/log2", 1))
	want(t, run(t, 0, "restore", "--config", config, "--new-log", dir), "restored 60 events")
	p = s.Start()
	p.Await("the events are in the new log", func() bool { size, committed := p.LogSize(); return size == 60 && committed == 60 })
	s.Write("new-receipt.json", string(p.ReceiptAt(59)))
	p.Stop()
	want(t, run(t, 0, "verify", s.Path("old-receipt.json"), s.Path("new-receipt.json")), "valid ")
}

// A store that is put back by hand beside a newer ledger makes the hub stop anchoring and say so, before it signs anything.
func TestAStorePutBackByHandRaisesTheAlarm(t *testing.T) {
	s := hubtest.HookSite(t)
	all := hubtest.NewPush()
	p := s.Start()
	push(t, p, all, 0, 40)
	dir := backUp(t, p, "old")
	push(t, p, all, 40, 60)
	p.Stop()
	for _, name := range []string{"hub.db", "hub.db-wal", "hub.db-shm"} {
		_ = os.Remove(s.Path("data", name)) // the latter two are there after a crash only
	}
	db, err := os.ReadFile(filepath.Join(dir, "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	s.Write("data/hub.db", string(db))
	before, err := os.ReadFile(s.Path("data", "notary.log"))
	if err != nil {
		t.Fatal(err)
	}
	p = s.Launch()
	p.Await("the alarm", func() bool {
		status, b := p.Do(http.MethodGet, "/readyz", nil, nil)
		return status == http.StatusServiceUnavailable && bytes.Contains(b, []byte("holds checkpoint 60"))
	})
	if status, b := p.Do(http.MethodPost, "/in/hook", hubtest.HookBody(90), hubtest.Signed(t, hubtest.HookID(90), hubtest.HookBody(90))); status != http.StatusAccepted {
		t.Errorf("%d %s", status, b)
	}
	p.Stop()
	after, err := os.ReadFile(s.Path("data", "notary.log"))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the ledger changed: %v", err)
	}
}

// A file of a backup that changed is named, and nothing is restored.
func TestADamagedBackupIsRefused(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	push(t, p, hubtest.NewPush(), 0, 5)
	dir := backUp(t, p, "one")
	want(t, run(t, 1, "backup", "--config", s.Path("suyuan.yaml"), "--url", p.URL, "--key", p.Key, "one"), "backup.exists")
	p.Stop()
	lose(t, s, "lost")
	db, err := os.ReadFile(filepath.Join(dir, "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	db[len(db)/2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "hub.db"), db, 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, run(t, 2, "restore", "--config", s.Path("suyuan.yaml"), "--nothing-since", dir), "backup.damaged", "hub.db")
	if _, err := os.Stat(s.Path("data")); err == nil {
		t.Error("a data folder was made")
	}
}

// What indexes and tiles lack or hold wrongly is made again from the events; an event whose bytes changed is named.
func TestRebuildMakesIndexesAndTilesAgain(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	push(t, p, hubtest.NewPush(), 0, 300)
	var before, after map[string]any
	p.Get("/v1/trace/https:%2F%2Fid.gs1.org%2F01%2F07613035982949%2F21%2FS7", &before)
	p.Stop()
	config := s.Path("suyuan.yaml")
	whole := run(t, 0, "rebuild", "--config", config)
	if strings.Count(whole, "was the same")+strings.Count(whole, "were the same") != 3 {
		t.Errorf("a sound store is not rebuilt as it was:\n%s", whole)
	}
	change(t, s, `INSERT INTO postings VALUES (7, zeroblob(12))`, `INSERT INTO vocabulary VALUES (1, 'x', 'y')`,
		`UPDATE tiles SET hashes = zeroblob(32) WHERE level = 0`)
	said := run(t, 0, "rebuild", "--config", config)
	if strings.Contains(said, "the same") {
		t.Errorf("the damage is not seen:\n%s", said)
	}
	if again := run(t, 0, "rebuild", "--config", config); again != whole {
		t.Errorf("rebuilt:\n%s\nit was:\n%s", again, whole)
	}
	p = s.Start()
	p.Get("/v1/trace/https:%2F%2Fid.gs1.org%2F01%2F07613035982949%2F21%2FS7", &after)
	if len(before) == 0 || len(before) != len(after) {
		t.Errorf("the trace is %v, it was %v", after, before)
	}
	p.Stop()
	// It stands by itself, or in a block, where each event has 112 bytes that begin with the digest of its record.
	change(t, s, `UPDATE events SET received_at = received_at + 1000000 WHERE seq = 17`,
		`UPDATE blocks SET packed = CAST(substr(packed, 1, 13+112*(17-first)) || zeroblob(8) || substr(packed, 13+112*(17-first)+9) AS BLOB)
			WHERE 17 BETWEEN first AND first + events - 1`)
	want(t, run(t, 1, "rebuild", "--config", config), "event 17 of the log is damaged")
}

// A damaged row of the index keeps no hub from its start: the index is made again, and the operator learns of it.
func TestADamagedIndexIsMadeAgainAtTheStart(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	push(t, p, hubtest.NewPush(), 0, 30)
	p.Stop()
	change(t, s, `INSERT INTO segments VALUES (5, 10, 0, 0, 1, 1, x'', x'')`)
	p = s.Start()
	var trace map[string]any
	if code := p.Get("/v1/trace/https:%2F%2Fid.gs1.org%2F01%2F07613035982949%2F21%2FS7", &trace); code != http.StatusOK {
		t.Errorf("the trace is answered with %d", code)
	}
	_, metrics := p.Do(http.MethodGet, "/metrics", nil, nil)
	want(t, string(metrics), "suyuan_store_index_damage_total 1", "suyuan_store_index_damaged_parts 0")
	want(t, p.Log.String(), "the index of recorded events is damaged")
	p.Stop()
	change(t, s, `INSERT INTO segments VALUES (5, 10, 0, 0, 1, 1, x'', x'')`)
	want(t, run(t, 0, "rebuild", "--config", s.Path("suyuan.yaml")), "it was damaged")
}

// change changes the database of a hub that is stopped.
func change(t *testing.T, s *hubtest.Site, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", s.Path("data", "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, text := range statements {
		if _, err := db.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}
