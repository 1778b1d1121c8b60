package sqlite_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/store/sqlite"
)

// A release that is put back after an upgrade does not work on a schema that it does not know.
func TestADatabaseOfALaterReleaseIsRefused(t *testing.T) {
	path := filled(t)
	change(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, 1)`)
	refused(t, sqlite.Config{Path: path}, "store.newer")
}

// Who only reads beside a hub of an earlier release does not change the schema beneath it.
func TestADatabaseBesideItsHubIsNotUpgraded(t *testing.T) {
	path := filled(t)
	change(t, path, `DELETE FROM goose_db_version WHERE version_id > 4`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, sqlite.Config{Path: path, Beside: true}, "store.older")
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database was changed: %v", err)
	}
}

// What partners said is for the hub's user alone, whatever its folder lets others do.
func TestOthersCannotReadTheDatabase(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED, NOT PASSED: Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "hub.db")
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Snapshot(t.Context(), path+".copy"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + ".copy"} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
}

// filled is the path of a database that was used and closed.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.db")
	s := segmented(t, path, 2)
	fill(t, s, 0, 3, 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func refused(t *testing.T, c sqlite.Config, code string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), c)
	if err == nil {
		_ = s.Close()
		t.Fatal("the database is opened")
	}
	if f := hub.AsFault(err); f.Code != code || f.Kind != hub.Unsupported || f.Hint == "" {
		t.Errorf("%v: %s", err, f.Code)
	}
}
