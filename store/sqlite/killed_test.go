package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/internal/postings"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// killedFile names the database that TestAppendUntilKilled appends to, killedFrom the first event that it appends.
const (
	killedFile = "SUYUAN_SQLITE_KILLED"
	killedFrom = "SUYUAN_SQLITE_KILLED_FROM"
)

// killedItems is how many items there are events about.
const killedItems = 40

// An append makes a segment of the event of the one before: every sixteenth merges, every 256th merges runs.
const killedSize = 1

// killedEvents are the outcomes of every step-th event from <= n < to.
func killedEvents(t *testing.T, from, to, step int) (all []hub.Outcome) {
	t.Helper()
	for ; from < to; from += step {
		all = append(all, storetest.Outcome(t, from, fmt.Sprintf("S%d", from%killedItems)))
	}
	return all
}

// TestAppendUntilKilled is no test but the child of the one below: it appends, and after each append prints how many events there are.
func TestAppendUntilKilled(t *testing.T) {
	path := os.Getenv(killedFile)
	if path == "" {
		t.Skip("it is the child of TestKilledDuringMerges")
	}
	n, err := strconv.Atoi(os.Getenv(killedFrom))
	if err != nil {
		t.Fatal(err)
	}
	s := segmented(t, path, killedSize)
	for {
		_, err := s.Append(context.Background(), killedEvents(t, n, n+1, 1))
		switch {
		case err == nil:
			n++
			fmt.Println(n)
		case hub.AsFault(err).Code != "store.index":
			t.Fatal(err)
		}
	}
}

// A process that merges, and mends, is killed again and again: what it said is recorded is, nothing else is but for its last append, and
// the index answers what reading every event answers.
func TestKilledDuringMerges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := segmented(t, path, killedSize)
	n := 250
	if _, err := s.Append(t.Context(), killedEvents(t, 0, n, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	const kills, atMost = 8, 80
	round, under, about := 0, 0, map[string][]hub.Seq{}
	for ; (round < kills || under == 0) && round < atMost; round++ {
		if round%4 == 3 && change(t, path, `UPDATE postings SET part = x'00'
			WHERE id = (SELECT max(id) FROM postings WHERE id >> 24 & 3 < 2 AND id >> 26 & 7 > 0)`) != 1 {
			t.Fatal("nothing was there to damage")
		}
		accepted := appendUntilKilled(t, path, n)
		under += count(t, path, `SELECT count(*) FROM runs WHERE step = 1`) // of 2
		m := &mended{path: path, segment: killedSize, whole: make(chan struct{}, 1)}
		m.open(t)
		recorded, err := m.LeafHashes(t.Context(), 0, 100_000)
		if n = len(recorded); err != nil || n < accepted || n > accepted+1 {
			t.Fatalf("%d events were accepted, %d are recorded: %v", accepted, n, err)
		}
		m.wantScanned(t, n, about)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d events; %d of %d kills left a merge under way", n, under, round)
	if runs := count(t, path, `SELECT count(*) FROM runs WHERE level = 2`); under == 0 || runs == 0 {
		t.Errorf("%d kills left %d merges under way, and there are %d runs of runs: the test tries nothing", round, under, runs)
	}
	s = segmented(t, path, killedSize)
	defer s.Close()
	wantSame(t, s)
}

// appendUntilKilled runs the child until about when a merge begins or ends, and returns how many events it said there are, at least n.
func appendUntilKilled(t *testing.T, path string, n int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAppendUntilKilled$")
	cmd.Env = append(os.Environ(), killedFile+"="+path, fmt.Sprintf("%s=%d", killedFrom, n))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var began time.Time
	for killed := false; lines.Scan(); began = time.Now() {
		if n, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatalf("the child says: %s", lines.Text())
		}
		// Of the next two appends the one writes a run, the other deletes what it was merged from. They take longer than the last.
		if !killed && !began.IsZero() && n%postings.Fan == 1 {
			killed = true
			time.AfterFunc(rand.N(2*time.Since(began)<<rand.IntN(4)+1), func() { _ = cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return n
}

// wantScanned checks that the index finds of each item what reading each of n events finds, and that events come again as known. Those
// that are in about, by what they are about, are read already.
func (m *mended) wantScanned(t *testing.T, n int, about map[string][]hub.Seq) {
	t.Helper()
	from := 0
	for _, seqs := range about {
		from += len(seqs)
	}
	for i := from; i < n; i++ {
		e, err := m.EventAt(t.Context(), hub.Seq(i))
		if err != nil || len(e.Facets.Things) != 1 {
			t.Fatalf("event %d: %+v, %v", i, e.Facets.Things, err)
		}
		id := e.Facets.Things[0].ID
		about[id] = append(about[id], hub.Seq(i))
	}
	for id, want := range about {
		m.insist(t, func() error {
			found, _, err := m.EventsAbout(t.Context(), []string{id}, n)
			var got []hub.Seq
			for i := range found {
				got = append(got, found[i].Seq)
			}
			if slices.Sort(got); err == nil && !slices.Equal(got, want) {
				t.Fatalf("%s is found in %v, it is in %v", id, got, want)
			}
			return err
		})
	}
	again := killedEvents(t, n%5, n, 5)
	m.insist(t, func() error {
		verdicts, err := m.Append(t.Context(), again)
		if slices.ContainsFunc(verdicts, func(v hub.Verdict) bool { return v != hub.Repeated }) {
			t.Fatalf("some of %d events come again and are %v", n, verdicts)
		}
		return err
	})
}
