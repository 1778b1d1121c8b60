package hubtest

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/suyuan-io/suyuan/hub"
)

// Books is what a data folder holds, read without the hub's code.
type Books struct {
	// DB is the store, for queries.
	DB *sql.DB
	// seqs are the places in the log of each recorded record, by connector/id.
	seqs map[string]string
	// leaves are the leaf hashes in log order.
	leaves [][]byte
}

// Audit reads the books of a hub that runs or not and checks the invariant: each of the accepted webhooks is recorded exactly
// once, total events are recorded, and every one is anchored exactly once.
func Audit(t *testing.T, s *Site, push *Push, total int) {
	t.Helper()
	b := OpenBooks(t, s)
	defer b.Close()
	if len(b.leaves) != total {
		t.Errorf("%d events are recorded, want %d", len(b.leaves), total)
	}
	places := map[string]string{}
	for record, seqs := range b.seqs {
		if _, err := strconv.Atoi(seqs); err != nil {
			t.Errorf("record %s has the events %q, want one", record, seqs)
		}
		if other, ok := places[seqs]; ok {
			t.Errorf("%s and %s are the same event %s", record, other, seqs)
		}
		places[seqs] = record
	}
	if len(places) != total {
		t.Errorf("%d records have events of their own, want %d", len(places), total)
	}
	for i := range push.Accepted {
		if b.seqs["hook/"+HookID(i)] == "" {
			t.Errorf("push %d was accepted and is not recorded", i)
		}
	}
	b.Anchored(t, s)
}

// OpenBooks reads the books of a hub that runs or not. Close them when done.
func OpenBooks(t *testing.T, s *Site) *Books {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+s.Path("data", "hub.db")+"?_pragma=query_only(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	b := &Books{DB: db, seqs: map[string]string{}}
	note := func(rows *sql.Rows) error {
		var connector, id, seqs string
		err := rows.Scan(&connector, &id, &seqs)
		if name := connector + "/" + id; b.seqs[name] == "" {
			b.seqs[name] = seqs
		} else {
			t.Errorf("record %s is there twice", name)
		}
		return err
	}
	scan(t, db, `SELECT t.text, r.id, r.seqs FROM records r JOIN terms t ON t.id = r.connector WHERE r.verdict = ?`,
		[]any{hub.Recorded}, note)
	// A record whose events are all its own has no row: they name it.
	scan(t, db, `SELECT t.text, e.record_id, group_concat(e.seq) FROM events e JOIN terms t ON t.id = e.connector
		WHERE NOT EXISTS (SELECT 1 FROM records r WHERE r.connector = e.connector AND r.id = e.record_id)
		GROUP BY e.connector, e.record_id`, nil, note)
	leaves := map[int][]byte{}
	scan(t, db, `SELECT seq, leaf_hash FROM events`, nil, func(rows *sql.Rows) error {
		var seq int
		var leaf []byte
		err := rows.Scan(&seq, &leaf)
		leaves[seq] = leaf
		return err
	})
	b.readBlocks(t, leaves)
	for seq := range len(leaves) {
		if leaves[seq] == nil {
			t.Fatalf("of %d events there is none at %d", len(leaves), seq)
		}
		b.leaves = append(b.leaves, leaves[seq])
	}
	return b
}

// readBlocks adds what is packed together.
func (b *Books) readBlocks(t *testing.T, leaves map[int][]byte) {
	t.Helper()
	connectors := map[uint64]string{}
	scan(t, b.DB, `SELECT id, text FROM terms`, nil, func(rows *sql.Rows) error {
		var id uint64
		var text string
		err := rows.Scan(&id, &text)
		connectors[id] = text
		return err
	})
	noted := map[string]bool{}
	scan(t, b.DB, `SELECT connector, id FROM records`, nil, func(rows *sql.Rows) error {
		var connector uint64
		var id string
		err := rows.Scan(&connector, &id)
		noted[connectors[connector]+"/"+id] = true
		return err
	})
	eachBlockEvent(t, b.DB, func(e blockEvent) {
		if leaves[e.seq] != nil {
			t.Errorf("event %d is there twice", e.seq)
		}
		leaves[e.seq] = e.leaf
		if name := connectors[e.connector] + "/" + e.record; !noted[name] {
			if b.seqs[name] != "" {
				t.Errorf("record %s has two events", name)
			}
			b.seqs[name] = strconv.Itoa(e.seq)
		}
	})
}

// Close closes them.
func (b *Books) Close() { _ = b.DB.Close() }

func scan(t *testing.T, db *sql.DB, query string, args []any, row func(*sql.Rows) error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// Anchored checks that the notary's file covers the whole log by roots that the leaves give, each size once.
func (b *Books) Anchored(t *testing.T, s *Site) {
	t.Helper()
	text, err := os.ReadFile(s.Path("data", "notary.log"))
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for line := range bytes.Lines(text) {
		var entry struct{ Checkpoint string }
		if err := json.Unmarshal(line, &entry); err != nil {
			t.Fatalf("notary.log: %v", err)
		}
		fields := strings.SplitN(entry.Checkpoint, "\n", 4)
		size, err := strconv.Atoi(fields[1])
		if err != nil || size <= last || size > len(b.leaves) {
			t.Fatalf("the ledger holds size %s after %d, with %d events", fields[1], last, len(b.leaves))
		}
		if root := base64.StdEncoding.EncodeToString(rootOf(b.leaves[:size])); root != fields[2] {
			t.Errorf("the ledger holds the root %s for size %d, the events give %s", fields[2], size, root)
		}
		last = size
	}
	if last != len(b.leaves) {
		t.Errorf("%d of %d events are anchored", last, len(b.leaves))
	}
	var committed int
	if err := b.DB.QueryRowContext(t.Context(), `SELECT coalesce(max(size), 0) FROM checkpoints WHERE state = ?`,
		hub.StateCommitted).Scan(&committed); err != nil || committed != last {
		t.Errorf("the journal says %d are committed, the ledger %d: %v", committed, last, err)
	}
}

// rootOf is the Merkle tree hash of RFC 6962, section 2.1, by its definition.
func rootOf(leaves [][]byte) []byte {
	switch len(leaves) {
	case 0:
		empty := sha256.Sum256(nil)
		return empty[:]
	case 1:
		return leaves[0]
	}
	split := 1
	for split*2 < len(leaves) {
		split *= 2
	}
	node := sha256.Sum256(append(append([]byte{1}, rootOf(leaves[:split])...), rootOf(leaves[split:])...))
	return node[:]
}

// RecordTimes checks that the times of the log never go back.
func (b *Books) RecordTimes(t *testing.T) {
	t.Helper()
	last := int64(0)
	scan(t, b.DB, `SELECT recorded_at, seq FROM events UNION ALL SELECT recorded_at, first FROM blocks ORDER BY 2`, nil, func(rows *sql.Rows) error {
		var at, seq int64
		err := rows.Scan(&at, &seq)
		if at < last {
			return fmt.Errorf("the record time goes back from %d to %d", last, at)
		}
		last = at
		return err
	})
}
