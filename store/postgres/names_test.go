package postgres_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/postgres"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// appends appends the outcomes of records from one number up to another.
func appends(t *testing.T, s *postgres.Store, from, to int, want hub.Verdict) {
	t.Helper()
	var batch []hub.Outcome
	for i := from; i < to; i++ {
		batch = append(batch, storetest.Outcome(t, i, fmt.Sprint("S", i%9)))
	}
	verdicts, err := s.Append(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range verdicts {
		if v != want {
			t.Fatalf("record %d of %d to %d: %v, want %v", from+i, from, to, v, want)
		}
	}
}

// letters appends records that cannot be mapped, which are noted without events.
func letters(t *testing.T, s *postgres.Store, from, to int, body string, want hub.Verdict) {
	t.Helper()
	for i := from; i < to; i++ {
		v, err := s.Append(t.Context(), []hub.Outcome{storetest.Letter(fmt.Sprint("letter-", i), body)})
		if err != nil || v[0] != want {
			t.Fatalf("letter %d: %v, %v, want %v", i, v, err, want)
		}
	}
}

func rowsOf(t *testing.T, url, table string) (n int) {
	t.Helper()
	if err := connect(t, url).QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Whoever recorded it, and however many partitions ago: a record is known to every process, one that was not there included.
func TestEveryProcessKnowsWhatWasRecorded(t *testing.T) {
	url := database(t)
	busy, idle := openAt(t, url), openAt(t, url)
	appends(t, idle, 0, 5, hub.Recorded)
	for from := 5; from < 20*perPartition; from += 50 {
		appends(t, busy, from, from+50, hub.Recorded)
		letters(t, busy, from, from+1, "x", hub.Dead)
		if from < 4*perPartition { // within the same partition and the next ones; then it sleeps for a dozen
			appends(t, idle, from, from+50, hub.Repeated)
		}
	}
	late := openAt(t, url)
	for i, s := range []*postgres.Store{idle, late, busy} {
		for from := 5; from < 20*perPartition; from += 50 {
			appends(t, s, from, from+50, hub.Repeated)
			letters(t, s, from, from+1, fmt.Sprint("other ", i), hub.Conflicting)
		}
	}
	closed := (int(size(t, late)) - 1) / perPartition
	if n := rowsOf(t, url, "filters"); n != closed {
		t.Errorf("%d filters of %d partitions that are full", n, closed)
	}
	if n := rowsOf(t, url, "names WHERE part < "+fmt.Sprint(closed-1)); n > 0 {
		t.Errorf("%d rows of names stand in filters as well", n)
	}
}

func size(t *testing.T, s *postgres.Store) uint64 {
	t.Helper()
	n, err := s.LogSize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A commit may land while its answer does not: the process then does not know what it has added.
func TestWhatACommitAddedIsKnownWhereItsAnswerIsLost(t *testing.T) {
	direct := database(t)
	var lose atomic.Bool
	s := openAt(t, behind(t, direct, func(client net.Conn, server string) { relayUntilCommit(client, server, &lose) }))
	for round := range 3 * perPartition / 10 { // partitions are filled, and closed, by commits of both kinds
		from := 20 * round
		appends(t, s, from, from+10, hub.Recorded)
		lose.Store(true)
		batch := []hub.Outcome{}
		for i := range 10 {
			batch = append(batch, storetest.Outcome(t, from+10+i, "S"))
		}
		if _, err := s.Append(t.Context(), batch); hub.KindOf(err) != hub.Unavailable {
			t.Fatalf("an append whose answer is lost: %v", err)
		}
		lose.Store(false)
		for {
			verdicts, err := s.Append(t.Context(), batch)
			if hub.KindOf(err) == hub.Unavailable { // another connection of the pool that was cut
				continue
			}
			if err != nil || verdicts[0] != hub.Repeated || verdicts[9] != hub.Repeated {
				t.Fatalf("the same again: %v, %v", verdicts, err)
			}
			break
		}
	}
	if n := size(t, openAt(t, direct)); n != 20*(3*perPartition/10) {
		t.Errorf("%d events", n)
	}
}

// relayUntilCommit copies between a client and a server. While lose is set, the answer to a commit ends both connections.
func relayUntilCommit(client net.Conn, server string, lose *atomic.Bool) {
	defer client.Close()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer conn.Close()
	var committing atomic.Bool
	go func() {
		defer conn.Close()
		b := make([]byte, 1<<16)
		for {
			n, err := client.Read(b)
			if lose.Load() && bytes.Contains(bytes.ToLower(b[:n]), []byte("commit\x00")) {
				committing.Store(true)
			}
			if _, writing := conn.Write(b[:n]); err != nil || writing != nil {
				return
			}
		}
	}()
	_, _ = io.Copy(writerFunc(func(b []byte) (int, error) {
		if committing.Load() {
			return 0, io.ErrClosedPipe
		}
		return client.Write(b)
	}), conn)
}

type writerFunc func(b []byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// A database that is put back to an earlier state, as by a replica that had not everything, has forgotten what this process remembers.
func TestADatabaseThatWasPutBackIsReadAnew(t *testing.T) {
	url := database(t)
	s := openAt(t, url)
	appends(t, s, 0, 10, hub.Recorded)
	conn := connect(t, url)
	var last int64
	if err := conn.QueryRow(t.Context(), `SELECT max(id) FROM names`).Scan(&last); err != nil {
		t.Fatal(err)
	}
	appends(t, s, 10, 20, hub.Recorded)
	for _, text := range []string{
		`DELETE FROM blocks WHERE first >= 10`, `DELETE FROM events WHERE seq >= 10`, `DELETE FROM postings WHERE seq >= 10`,
		`DELETE FROM facets WHERE first >= 10`, fmt.Sprintf(`DELETE FROM names WHERE id > %d`, last), `UPDATE head SET size = 10`,
		fmt.Sprintf(`SELECT setval('names_id_seq', %d)`, last),
	} {
		exec(t, conn, text)
	}
	appends(t, openAt(t, url), 20, 30, hub.Recorded) // under the ids of the rows that are gone
	appends(t, s, 20, 30, hub.Repeated)
	appends(t, s, 10, 20, hub.Recorded)
}

// What was recorded, and what was only noted, before the filters were introduced is known after.
func TestNamesOfAnOlderSchemaAreKnown(t *testing.T) {
	url := database(t)
	s := openAt(t, url)
	const n = 3*perPartition + 5
	letters(t, s, 0, 2, "x", hub.Dead)
	appends(t, s, 0, n, hub.Recorded)
	letters(t, s, 2, 4, "x", hub.Dead)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	exec(t, conn, `DROP TABLE names, filters, postings`)
	exec(t, conn, `CREATE TABLE things (key BIGINT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (key, seq)) PARTITION BY RANGE (seq)`)
	exec(t, conn, `DELETE FROM goose_db_version WHERE version_id = 3`)
	s = openAt(t, url)
	letters(t, s, 0, 4, "y", hub.Conflicting)
	appends(t, s, 0, n, hub.Repeated)
	if _, _, err := s.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	letters(t, s, 0, 4, "z", hub.Conflicting)
	appends(t, openAt(t, url), 0, n, hub.Repeated)
	appends(t, s, n, n+1, hub.Recorded)
}
