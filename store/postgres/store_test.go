package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/postgres"
	"github.com/suyuan-io/suyuan/store/postgres/postgrestest"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// server is the one that all tests of the package share; nil where there is none.
var server *postgrestest.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		server, err = postgrestest.Start()
		if err != nil && !errors.Is(err, postgrestest.ErrMissing) {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if server != nil {
			defer func() { _ = server.Close() }()
		}
		return m.Run()
	}())
}

// small partitions, so that the suites cross several, and few candidates, so that searches walk.
const (
	perPartition = 37
	few          = 20
)

func database(tb testing.TB) string {
	tb.Helper()
	if server == nil {
		tb.Skip(postgrestest.ErrMissing)
	}
	return server.Database(tb)
}

func openAt(tb testing.TB, url string) *postgres.Store {
	tb.Helper()
	s, err := postgres.Open(context.Background(), postgres.Config{URL: url, PerPartition: perPartition, Connections: 8, Few: few})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// reopening returns a function that opens the same database again at each call.
func reopening(t *testing.T) func() *postgres.Store {
	url := database(t)
	var s *postgres.Store
	return func() *postgres.Store {
		if s != nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s = openAt(t, url)
		return s
	}
}

func TestStoreConforms(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() storetest.Store {
		open := reopening(t)
		return func() storetest.Store { return open() }
	})
}

func TestSearchConforms(t *testing.T) {
	storetest.RunSearch(t, func(t *testing.T) func() storetest.Searcher {
		open := reopening(t)
		return func() storetest.Searcher { return open() }
	})
}

func TestStandingConforms(t *testing.T) {
	storetest.RunStanding(t, func(t *testing.T) func() storetest.Standing {
		open := reopening(t)
		return func() storetest.Standing { return open() }
	})
}

func TestStoreKeepsTheJournal(t *testing.T) {
	anchortest.Journal(t, func(t *testing.T) anchor.Journal { return openAt(t, database(t)) })
}

func TestStoreGivesTheLeaves(t *testing.T) {
	anchortest.Leaves(t, func(t *testing.T, events []hub.Event) anchor.Leaves {
		s := openAt(t, database(t))
		for i, e := range events {
			e.Record = hub.RecordRef{Connector: e.Leaf.Connector, ID: hub.RecordID(strconv.Itoa(i))}
			verdicts, err := s.Append(t.Context(), []hub.Outcome{{
				Record: e.Record, Provider: e.Leaf.Provider, RawDigest: e.Leaf.Raw, Events: []hub.Event{e},
			}})
			if err != nil || verdicts[0] != hub.Recorded {
				t.Fatalf("append: %v, %v", verdicts, err)
			}
		}
		return s
	})
}

func TestSeveralProcessesRecordEveryRecordOnce(t *testing.T) {
	url := database(t)
	const stores, records, rounds = 3, 40, 2
	var wg sync.WaitGroup
	var mu sync.Mutex
	verdicts := map[hub.Verdict]int{}
	for range stores {
		s := openAt(t, url)
		wg.Go(func() {
			for i := range records * rounds {
				o := storetest.Outcome(t, i%records, fmt.Sprint("S", i%records%7))
				o.Provider = hub.ProviderID(fmt.Sprint("party-", i%records%5)) // each store meets terms that another one added
				o.Events[0].Leaf.Provider = o.Provider
				v, err := s.Append(t.Context(), []hub.Outcome{o})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				verdicts[v[0]]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if verdicts[hub.Recorded] != records || verdicts[hub.Repeated] != (stores*rounds-1)*records {
		t.Fatalf("verdicts: %v", verdicts)
	}
	s := openAt(t, url)
	if size, err := s.LogSize(t.Context()); err != nil || size != records {
		t.Fatalf("log size %d, %v", size, err)
	}
	for seq := range hub.Seq(records) {
		e, err := s.EventAt(t.Context(), seq)
		if err != nil || e.Leaf.Provider == "" {
			t.Fatalf("event %d: %+v, %v", seq, e.Leaf, err)
		}
	}
}

func TestARestartOfTheServerLosesNothing(t *testing.T) {
	own := postgrestest.Require(t)
	s := openAt(t, own.Database(t))
	for i := range 5 {
		if _, err := s.Append(t.Context(), []hub.Outcome{storetest.Outcome(t, i, "A")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := own.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), []hub.Outcome{storetest.Outcome(t, 5, "A")}); hub.KindOf(err) != hub.Unavailable {
		t.Fatalf("append without a server: %v", err)
	}
	if err := own.Restart(); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 20 { // each connection of the pool learns by a failure of its own
		if _, err = s.Append(t.Context(), []hub.Outcome{storetest.Outcome(t, 5, "A")}); err == nil {
			break
		}
	}
	size, sizeErr := s.LogSize(t.Context())
	if err != nil || sizeErr != nil || size != 6 {
		t.Fatalf("log size %d, %v, %v", size, err, sizeErr)
	}
}

func TestAURLIsRefusedWithoutItsPassword(t *testing.T) {
	for _, url := range []string{"postgres://u:hush@host:port/x", "hush=1 ="} {
		err := postgres.Check(t.Context(), url)
		if hub.KindOf(err) != hub.Invalid {
			t.Fatalf("%v", err)
		}
		if text := err.Error(); len(text) == 0 || strings.Contains(text, "hush") {
			t.Fatalf("the fault shows the password: %s", text)
		}
	}
}
