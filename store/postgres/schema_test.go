package postgres_test

import (
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/postgres"
)

// A release that is put back after an upgrade does not work on a schema that it does not know, and who only reads beside hubs of an
// earlier release does not change the schema beneath them.
func TestADatabaseOfAnotherReleaseIsRefused(t *testing.T) {
	url := database(t)
	fill(t, openAt(t, url))
	conn := connect(t, url)
	refused := func(c postgres.Config, code string) {
		t.Helper()
		c.URL = url
		s, err := postgres.Open(t.Context(), c)
		if err == nil {
			_ = s.Close()
			t.Fatal("the database is opened")
		}
		if f := hub.AsFault(err); f.Code != code || f.Kind != hub.Unsupported || f.Hint == "" {
			t.Errorf("%v: %s", err, f.Code)
		}
	}
	exec(t, conn, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, true)`)
	refused(postgres.Config{}, "store.newer")
	refused(postgres.Config{Beside: true}, "store.newer")
	exec(t, conn, `DELETE FROM goose_db_version WHERE version_id > 2`)
	refused(postgres.Config{Beside: true}, "store.older")
	exec(t, conn, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (3, true)`)
	appends(t, openAt(t, url), 0, 5, hub.Repeated)
	s, err := postgres.Open(t.Context(), postgres.Config{URL: url, Beside: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}
