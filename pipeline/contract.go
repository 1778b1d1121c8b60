package pipeline

import (
	"context"

	"github.com/suyuan-io/suyuan/hub"
)

// Normaliser says what one raw record is: its events and master data, or why not. It is pure apart from the random salt
// of each leaf, holds no state, and is called concurrently.
type Normaliser interface {
	// Normalise sets out, and never fails: what cannot be normalised is an outcome with a dead letter. A panic in it is caught by
	// the caller and becomes a dead letter with the code "internal.panic". The memory of what was in out before, its events, their
	// bodies and its raw record, may be used again.
	Normalise(env *hub.Envelope, rec *hub.Record, out *hub.Outcome)
}

// Normalised is what n says of one record.
func Normalised(n Normaliser, env *hub.Envelope, rec *hub.Record) (out hub.Outcome) {
	n.Normalise(env, rec, &out)
	return out
}

// Appender records outcomes.
type Appender interface {
	// Append records outcomes in one durable transaction and returns one verdict each, in order. It assigns every new
	// event the next Seq without a gap. It is idempotent: a record or event that is recorded already is Repeated. It
	// does not retry; after an error nothing of the batch is recorded, or all of it is: append the same batch again.
	//
	// Outcomes and all bytes in them are the caller's, who uses their memory again: keep copies.
	Append(ctx context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error)
}

// Morgue keeps dead letters.
type Morgue interface {
	// DeadLetter returns one with its raw bytes, or a fault of kind NotFound.
	DeadLetter(ctx context.Context, id hub.DeadLetterID) (hub.DeadLetter, error)
	// DeadLetters lists them by id; Preamble and Body are left out.
	DeadLetters(ctx context.Context, f hub.DeadFilter) ([]hub.DeadLetter, error)
	// UpdateDeadLetter stores d's State, Note, Preamble and Body if the stored state is still was, else a fault of kind
	// Conflict.
	UpdateDeadLetter(ctx context.Context, d hub.DeadLetter, was hub.DeadState) error
}
