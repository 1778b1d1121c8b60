package relational

import (
	"context"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/suyuan-io/suyuan/hub"
)

// Migrate brings the database to the newest schema, and refuses what that would break: one of a later release, and, where
// beside is set, one of an earlier release: its hub may run, and the caller only wants to read.
func Migrate(ctx context.Context, p *goose.Provider, beside bool) error {
	has, knows, err := p.GetVersions(ctx)
	switch {
	case err != nil:
	case has > knows:
		return hub.Faultf(hub.Unsupported, "store.newer", "a later release has used the database: its schema is %d, this release knows %d", has, knows).
			WithHint("run the release that has used it, or restore the backup from before the upgrade: suyuan restore --help")
	case has < knows && beside:
		return hub.Faultf(hub.Unsupported, "store.older", "the database is of an earlier release: its schema is %d, that of this release %d", has, knows).
			WithHint("start the hub with this release first, which brings it to the new schema")
	default:
		_, err = p.Up(ctx)
	}
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
