package anchor

import (
	"context"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Leaves is where the log's leaves are: the store's gapless sequence of events. Safe for concurrent use.
type Leaves interface {
	// LogSize returns how many leaves there are, that is the next Seq.
	LogSize(ctx context.Context) (uint64, error)
	// LeafHashes returns the RFC 6962 leaf hashes of n leaves from seq from; fewer only at the end of the log.
	LeafHashes(ctx context.Context, from uint64, n int) ([]hub.Digest, error)
	// EventAt returns the event at seq with its body and leaf record, or a fault of kind NotFound.
	EventAt(ctx context.Context, seq hub.Seq) (hub.Event, error)
	// RecordedAt returns when the event at seq was appended, or a fault of kind NotFound.
	RecordedAt(ctx context.Context, seq hub.Seq) (time.Time, error)
}

// Journal keeps the tree and the checkpoints. Safe for concurrent use.
type Journal interface {
	// Seal stores a checkpoint and the tiles that it adds in one durable transaction. It is a fault of kind Conflict if
	// the size is not larger than that of the last sealed checkpoint, or s.PreviousSize is another: of several processes
	// that each believe to be the one that seals, only one can follow a checkpoint.
	Seal(ctx context.Context, s Sealed, tiles []Tile) error
	// SaveProgress stores s.State, s.Pending, s.Evidence and s.CommittedAt of the checkpoint of s.Checkpoint.Size,
	// durably. It is a fault of kind Conflict if the checkpoint has come to a later state already: another process has taken
	// over.
	SaveProgress(ctx context.Context, s Sealed) error
	// SealedFrom returns up to limit sealed checkpoints with size >= size, in order; a negative limit returns that many of
	// the largest with size <= size, largest first.
	SealedFrom(ctx context.Context, size uint64, limit int) ([]Sealed, error)
	// Tile returns the stored tile, of the largest width seen, or a fault of kind NotFound.
	Tile(ctx context.Context, level int, index uint64) (Tile, error)
}

// The journal's values live in hub, because stores make them and may not import anchor.
type (
	// Tile is hub.Tile.
	Tile = hub.Tile
	// Sealed is hub.Sealed.
	Sealed = hub.Sealed
	// State is hub.SealState.
	State = hub.SealState
)

// The states of a sealed checkpoint.
const (
	StateSealed    = hub.StateSealed
	StateSubmitted = hub.StateSubmitted
	StateCommitted = hub.StateCommitted
)
