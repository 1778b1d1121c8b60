package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/backup"
)

// A disk that gets full is not kept full by what of a backup was written until then.
func TestABackupThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	full := hub.Faultf(hub.Unavailable, "store.full", "the disk is full")
	err := backup.Write(t.Context(), filepath.Join(dir, "nightly"), &backup.Manifest{}, []backup.Part{
		{Name: "hub.db", Write: func(_ context.Context, path string) error { return os.WriteFile(path, []byte("events"), 0o600) }},
		{Name: "keys/log.key", Write: func(context.Context, string) error { return full }},
	})
	if hub.AsFault(err).Code != full.Code {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
