package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// mended is a store, and what it told of damage.
type mended struct {
	*sqlite.Store
	path    string
	segment int
	whole   chan struct{}

	mu    sync.Mutex
	found []error
}

func mending(t *testing.T, segment int) *mended {
	t.Helper()
	m := &mended{path: filepath.Join(t.TempDir(), "hub.db"), segment: segment, whole: make(chan struct{}, 1)}
	m.open(t)
	return m
}

func (m *mended) open(t *testing.T) {
	t.Helper()
	var err error
	if m.Store, err = sqlite.Open(t.Context(), sqlite.Config{Path: m.path, Segment: m.segment, Damaged: m.told}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() }) // it may be closed already
}

func (m *mended) told(parts int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.found = append(m.found, err)
	}
	if parts == 0 {
		select {
		case m.whole <- struct{}{}:
		default:
		}
	}
}

// errors returns what was told.
func (m *mended) errors() []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.found)
}

// await waits until the index is whole.
func (m *mended) await(t *testing.T) {
	t.Helper()
	select {
	case <-m.whole:
	case <-time.After(time.Minute):
		t.Fatalf("the index is not whole again; it was told %v", m.errors())
	}
}

// insist asks until the answer is not that the index is damaged.
func (m *mended) insist(t *testing.T, ask func() error) {
	t.Helper()
	for {
		err := ask()
		if err == nil {
			return
		}
		if f := hub.AsFault(err); f.Code != "store.index" || f.Kind != hub.Unavailable || f.Hint == "" || f.MessageZh == "" {
			t.Fatal(err)
		}
		m.await(t)
	}
}

// wantKnown checks, though something is damaged, that n events are known when they come again, and found by what they are about.
func (m *mended) wantKnown(t *testing.T, n int) {
	t.Helper()
	var all []hub.Outcome
	var items []string
	for i := range n {
		all = append(all, storetest.Outcome(t, i, fmt.Sprintf("S%d", i)))
		items = append(items, fmt.Sprintf("https://id.gs1.org/01/07613035982949/21/S%d", i))
	}
	m.insist(t, func() error {
		verdicts, err := m.Append(t.Context(), all)
		if i := slices.IndexFunc(verdicts, func(v hub.Verdict) bool { return v != hub.Repeated }); i >= 0 {
			t.Fatalf("event %d comes again and is %v", i, verdicts[i])
		}
		return err
	})
	m.insist(t, func() error {
		found, _, err := m.EventsAbout(t.Context(), items, n+1)
		if err == nil && len(found) != n {
			t.Fatalf("%d items are in %d events", n, len(found))
		}
		return err
	})
}

// wantPages checks, though something is damaged, that a search without conditions finds n events.
func (m *mended) wantPages(t *testing.T, n int) {
	t.Helper()
	m.insist(t, func() error {
		q, err := epcis.ParseQuery(map[string][]string{"EQ_bizStep": {"shipping"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		page, err := m.Find(t.Context(), &q, hub.Window{Until: hub.Seq(n), Limit: n + 1})
		if err == nil && len(page.Events) != n {
			t.Fatalf("a search finds %d of %d events", len(page.Events), n)
		}
		return err
	})
}

// kept is everything that is kept of an index.
func kept(t *testing.T, path string) string {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all string
	if err := db.QueryRowContext(t.Context(), `SELECT
		(SELECT group_concat(first || ' ' || events || ' ' || earliest || ' ' || latest || hex(keys) || hex(times), x'0a') FROM segments) ||
		(SELECT coalesce(group_concat(level || ' ' || first || ' ' || events || ' ' || names || ' ' || things || ' ' || step, x'0a'), '') FROM runs) ||
		(SELECT group_concat(id || ' ' || hex(part), x'0a') FROM postings)`).Scan(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever part of the index is damaged or lost: no answer is wrong, the operator is told, and it is made again from the events as it was,
// while the hub goes on.
func TestDamageIsMended(t *testing.T) {
	const n = 310
	whole := map[int]string{} // by the size of the segments
	for _, size := range []int{1, 10, 150} {
		m := mending(t, size)
		fill(t, m.Store, 0, n, 10)
		wantSame(t, m.Store) // and is merged as far as it can be
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		whole[size] = m.path
	}
	// The first byte of a part becomes its last.
	const of = `UPDATE postings SET part = unhex(substr(hex(part), 3) || substr(hex(part), 1, 2)) WHERE id >> 26 & 7 = %d AND id >> 24 & 3 = %d`
	for name, c := range map[string]struct {
		segment int
		damage  string
		reopen  bool // it is met at a start only
	}{
		"names of a segment":            {1, fmt.Sprintf(of, 0, 0), false},
		"things of a segment":           {1, fmt.Sprintf(of, 0, 1), false},
		"names of a run":                {1, fmt.Sprintf(of, 1, 0), false},
		"things of a run":               {1, fmt.Sprintf(of, 1, 1), false},
		"names of a run of runs":        {1, fmt.Sprintf(of, 2, 0), false},
		"things of a run of runs, lost": {1, `DELETE FROM postings WHERE id >> 26 & 7 = 2 AND id >> 24 & 3 = 1`, false},
		"all but the sets":              {1, `DELETE FROM postings WHERE id >> 24 & 3 < 2`, false},
		"a filter of a segment, lost":   {1, `DELETE FROM postings WHERE id >> 26 & 7 = 0 AND id >> 24 & 3 = 2`, true},
		"a filter of a run of runs":     {1, fmt.Sprintf(of, 2, 2), true},
		"sets":                          {150, fmt.Sprintf(of, 0, 3), false},
		"sets that would be empty":      {150, `UPDATE postings SET part = x'00' WHERE id >> 24 & 3 = 3`, false},
		"times":                         {150, `UPDATE segments SET times = x'ff'`, false},
		"the keys of a segment":         {10, `UPDATE segments SET keys = x'00' WHERE first = 30`, true},
		"the row of a segment, lost":    {10, `DELETE FROM segments WHERE first = 30`, true},
		"the bounds of a segment":       {10, `UPDATE segments SET earliest = latest + 1 WHERE first = 30`, true},
		"the row of a run":              {10, `UPDATE runs SET names = names + 1 WHERE level = 1`, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := &mended{path: filepath.Join(t.TempDir(), "hub.db"), segment: c.segment, whole: make(chan struct{}, 1)}
			copyDatabase(t, whole[c.segment], m.path)
			if !c.reopen {
				m.open(t)
			}
			if change(t, m.path, c.damage) == 0 {
				t.Fatal("nothing was there to damage")
			}
			if c.reopen {
				m.open(t)
				m.await(t)
			}
			m.wantKnown(t, n)
			m.wantPages(t, n)
			if len(m.errors()) == 0 {
				t.Error("nobody was told")
			}
			if kept(t, m.path) != kept(t, whole[c.segment]) {
				t.Error("the index is not what it was")
			}
		})
	}
}

// What was to be merged and is damaged does not keep the hub from recording, and is merged when it is whole again.
func TestMergingGoesOnWhenItIsMended(t *testing.T) {
	m := mending(t, 2)
	fill(t, m.Store, 0, 12, 1)
	if change(t, m.path, `UPDATE postings SET part = x'00' WHERE id & (3 << 24) = 1 << 24 AND id < 1 << 30`) != 1 {
		t.Fatal("nothing was there to damage")
	}
	fill(t, m.Store, 12, 50, 3)
	m.await(t)
	fill(t, m.Store, 50, 100, 3)
	if n := count(t, m.path, `SELECT count(*) FROM runs`); n == 0 {
		t.Error("nothing is merged any more")
	}
	wantAll(t, m.Store, 100)
	wantSame(t, m.Store)
	if n := count(t, m.path, `SELECT count(*) FROM runs WHERE step = 2`); n != 3 {
		t.Errorf("%d runs, want 3", n)
	}
}

// Where the events are damaged as well nothing can be mended: that is told, and the rest of the hub goes on.
func TestWhatCannotBeMendedIsTold(t *testing.T) {
	m := mending(t, 2)
	fill(t, m.Store, 0, 12, 1)
	change(t, m.path, `DELETE FROM events WHERE seq = 1`)
	change(t, m.path, `DELETE FROM postings WHERE id & (3 << 24) = 1 << 24 AND id < 1 << 29`)
	for !slices.ContainsFunc(m.errors(), func(err error) bool { return strings.Contains(err.Error(), "event 1 is missing") }) {
		_, _, err := m.EventsAbout(t.Context(), []string{"https://id.gs1.org/01/07613035982949/21/S0"}, 5)
		if hub.AsFault(err).Code != "store.index" {
			t.Fatalf("a part that is missing: %v", err)
		}
	}
	fill(t, m.Store, 12, 20, 1)
	if err := m.Close(); err != nil || errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
