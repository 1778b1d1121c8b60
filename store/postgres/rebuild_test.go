package postgres_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/postgres"
	"github.com/suyuan-io/suyuan/store/storetest"
)

// fill records events together and one by one.
func fill(t *testing.T, s *postgres.Store) {
	t.Helper()
	const together, alone = 150, 10
	var batch []hub.Outcome
	for i := range together {
		batch = append(batch, storetest.Outcome(t, i, fmt.Sprint("S", i%40)))
	}
	if _, err := s.Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	for i := range alone {
		if _, err := s.Append(t.Context(), []hub.Outcome{storetest.Outcome(t, together+i, "S1")}); err != nil {
			t.Fatal(err)
		}
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, text string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

func TestAnIndexIsMadeAgain(t *testing.T) {
	url := database(t)
	s := openAt(t, url)
	fill(t, s)
	same := func(when string) {
		t.Helper()
		before, after, err := s.Rebuild(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, is := range after {
			if before[name] != is {
				t.Errorf("%s: %s was %s, is %s", when, name, before[name], is)
			}
		}
	}
	same("as it was recorded")
	same("as it was made again")
	exec(t, connect(t, url), `DELETE FROM facets WHERE key = (SELECT min(key) FROM facets)`)
	before, after, err := s.Rebuild(t.Context())
	if err != nil || before["facets"] == after["facets"] || before["postings"] != after["postings"] {
		t.Errorf("a facet was lost: %v, made again: %v, %v", before, after, err)
	}
	if damaged, err := s.Damaged(t.Context()); err != nil || len(damaged) > 0 {
		t.Errorf("damaged: %v, %v", damaged, err)
	}
}

func TestWhileTheIndexIsMadeAgainNothingIsRecorded(t *testing.T) {
	url := database(t)
	s := openAt(t, url)
	fill(t, s)
	conn := connect(t, url)
	exec(t, conn, `TRUNCATE postings, facets`) // another process began to, and was stopped
	exec(t, conn, `UPDATE head SET indexed = 0, to_index = size`)
	again := []hub.Outcome{storetest.Outcome(t, 3, "S3")}
	fresh, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fresh.Close() }()
	if v, err := fresh.Append(t.Context(), again); err != nil || v[0] != hub.Repeated {
		t.Errorf("the next start completes the index: %v, %v", v, err)
	}
	exec(t, conn, `UPDATE head SET indexed = 0`)
	exec(t, conn, `TRUNCATE postings, facets`)
	if _, err := s.Append(t.Context(), again); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("append beside a rebuild: %v", err)
	}
	if v, err := s.Append(t.Context(), again); err != nil || v[0] != hub.Repeated {
		t.Errorf("the next try completes the index: %v, %v", v, err)
	}
}
