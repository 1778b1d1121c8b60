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
	// the size is not larger than that of the last sealed checkpoint.
	Seal(ctx context.Context, s Sealed, tiles []Tile) error
	// SaveProgress stores s.State, s.Pending, s.Evidence and s.CommittedAt of the checkpoint of s.Checkpoint.Size,
	// durably.
	SaveProgress(ctx context.Context, s Sealed) error
	// SealedFrom returns up to limit sealed checkpoints with size >= size, in order; a negative limit returns that many of
	// the largest with size <= size, largest first.
	SealedFrom(ctx context.Context, size uint64, limit int) ([]Sealed, error)
	// Tile returns the stored tile, of the largest width seen, or a fault of kind NotFound.
	Tile(ctx context.Context, level int, index uint64) (Tile, error)
}

// Tile is a tile of the Merkle tree of height 8 (c2sp.org/tlog-tiles): up to 256 consecutive node hashes of level
// 8*Level, from node 256*Index.
type Tile struct {
	Level  int
	Index  uint64
	Hashes []hub.Digest
}

// State is where a sealed checkpoint is on its way to the ledger.
//
//	StateSealed ──submit──▶ StateSubmitted ──evidence──▶ StateCommitted
//	                          │        ▲
//	                          └ lookup ┘ (outcome unknown)
type State uint8

// The states of a sealed checkpoint.
const (
	StateSealed State = iota + 1
	StateSubmitted
	StateCommitted
)

// String returns "sealed", "submitted" or "committed".
func (s State) String() string {
	switch s {
	case StateSealed:
		return "sealed"
	case StateSubmitted:
		return "submitted"
	case StateCommitted:
		return "committed"
	}
	return "unknown"
}

// Sealed is a checkpoint and its way to the ledger.
type Sealed struct {
	Checkpoint hub.Checkpoint
	// PreviousSize is the size of the sealed checkpoint before, 0 for the first.
	PreviousSize uint64
	SealedAt     time.Time
	State        State
	// Pending is what a driver needs to find an unknown outcome again, such as a signed transaction; opaque.
	Pending     []byte
	Evidence    []hub.Evidence
	CommittedAt time.Time
}
