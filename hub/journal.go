package hub

import "time"

// Tile is a tile of the Merkle tree of height 8 (c2sp.org/tlog-tiles): up to 256 consecutive node hashes of level
// 8*Level, from node 256*Index.
type Tile struct {
	Level  int
	Index  uint64
	Hashes []Digest
}

// SealState is where a sealed checkpoint is on its way to the ledger.
//
//	StateSealed ──submit──▶ StateSubmitted ──evidence──▶ StateCommitted
//	                          │        ▲
//	                          └ lookup ┘ (outcome unknown)
type SealState uint8

// The states of a sealed checkpoint.
const (
	StateSealed SealState = iota + 1
	StateSubmitted
	StateCommitted
)

// String returns "sealed", "submitted" or "committed".
func (s SealState) String() string {
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
	Checkpoint Checkpoint
	// PreviousSize is the size of the sealed checkpoint before, 0 for the first.
	PreviousSize uint64
	SealedAt     time.Time
	State        SealState
	// Pending is what a driver needs to find an unknown outcome again, such as a signed transaction; opaque.
	Pending     []byte
	Evidence    []Evidence
	CommittedAt time.Time
}
