package hub

import "time"

// DeadLetterID names a dead letter; it is assigned by the store and counts up.
type DeadLetterID uint64

// DeadLetter is a record that could not be recorded: its raw bytes and why. Nothing that was accepted is ever lost; it
// is recorded or it is here.
type DeadLetter struct {
	ID         DeadLetterID
	Record     RecordRef
	Provider   ProviderID
	ReceivedAt time.Time
	// DiedAt is when the last attempt failed, Attempts how many failed.
	DiedAt   time.Time
	Attempts int
	// Stage is where it failed: "receive", "decode", "map", "validate", "append" or "handle".
	Stage string
	Fault Fault
	// ContentType, Origin, Preamble, Body, Line and Column are the record as it arrived, or as it was last edited.
	ContentType  string
	Origin       string
	Preamble     []byte
	Body         []byte
	Line, Column int
	// State is what became of it.
	State DeadState
	// Note is the operator's reason for dropping or editing it.
	Note string
}

// DeadState is the state of a dead letter.
//
//	           replay                recorded
//	Waiting ──────────▶ Replaying ─────────────▶ Resolved
//	   ▲  │                 │
//	   │  │ drop            │ failed again
//	   │  ▼                 │
//	   │ Dropped            │
//	   └────────────────────┘
type DeadState uint8

// The states of a dead letter.
const (
	DeadWaiting DeadState = iota + 1
	DeadReplaying
	DeadResolved
	DeadDropped
)

// String returns the stable lower-case name of s.
func (s DeadState) String() string {
	switch s {
	case DeadWaiting:
		return "waiting"
	case DeadReplaying:
		return "replaying"
	case DeadResolved:
		return "resolved"
	case DeadDropped:
		return "dropped"
	}
	return "unknown"
}

// DeadFilter selects dead letters. Zero fields select everything, except State: zero is DeadWaiting.
type DeadFilter struct {
	Provider  ProviderID
	Connector ConnectorID
	Code      string
	State     DeadState
	// After is the last id of the page before; Limit is the most that are returned, 0 for 100.
	After DeadLetterID
	Limit int
}
