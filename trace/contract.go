package trace

import (
	"context"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Library is what a trace reads. Every id is canonical (see [hub.Thing]). Safe for concurrent use.
type Library interface {
	// EventsAbout returns the recorded events in which any of ids stands in any role, oldest event time first, at most
	// limit, with body, facets, leaf and seq; fewer where they are tens of megabytes. The second result is true when there are more.
	EventsAbout(ctx context.Context, ids []string, limit int) ([]hub.Event, bool, error)
	// Statements returns every provider's master data about any of ids, each once, oldest first.
	Statements(ctx context.Context, kind hub.StatementKind, ids ...string) ([]hub.Statement, error)
	// CountScan adds one opening of the page of id at the given time and returns the totals; a zero time only reads.
	CountScan(ctx context.Context, id string, at time.Time) (hub.Scans, error)
}
