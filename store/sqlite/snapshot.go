package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/suyuan-io/suyuan/hub"
)

// Snapshot writes a copy of the database as it is at one moment to the new file path, while others read and write.
func (s *Store) Snapshot(ctx context.Context, path string) error {
	// A connection of its own: the readers' may only query, and VACUUM is none to SQLite.
	db, err := sql.Open("sqlite", dsn(s.path, "mode=ro"))
	if err != nil {
		return fmt.Errorf("copy store: %w", err)
	}
	defer db.Close()
	forItsUser(path)
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, path); err != nil {
		if f := fault("copy store", err); f != nil {
			return f
		}
		return hub.Faultf(hub.Unavailable, "store.copy", "the store cannot be copied").Because(err)
	}
	return nil
}
