package anchor

import (
	"context"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Commitment is what is put before a ledger: a checkpoint, and the proof that it extends the one before.
type Commitment struct {
	Checkpoint hub.Checkpoint
	// PreviousSize is the size of the last checkpoint that the ledger holds for this origin, 0 for none.
	PreviousSize uint64
	// Consistency is the RFC 6962 consistency proof from PreviousSize to Checkpoint.Size; empty when PreviousSize is 0.
	Consistency []hub.Digest
}

// Ledger witnesses checkpoints for parties who do not trust the hub. A driver does one thing a call and never retries.
// Methods may be called concurrently, but for one origin the hub commits one checkpoint at a time.
type Ledger interface { //nolint:interfacebloat // Name and Close are of every driver; what a ledger does are three
	// Name is the ledger's name as it stands in [hub.Evidence] and in trust files: the driver's kind, such as "notary" or
	// "fabric", and if there are several of a kind, a slash and what tells this one from the others.
	Name() string
	// Commit puts c on the ledger and returns its evidence. It blocks until the ledger has decided or ctx is done.
	// Committing the same checkpoint again returns the first evidence. Errors by kind:
	//
	//	Conflict     the ledger holds another root for this size, or a larger size: never retry, raise an alarm
	//	Unavailable  nothing was committed: retry later
	//	otherwise    the outcome is unknown: call Lookup before anything else, never Commit blindly
	Commit(ctx context.Context, c Commitment) (hub.Evidence, error)
	// Lookup returns the evidence of the checkpoint of this origin and size, and the checkpoint as the ledger holds it.
	// A fault of kind NotFound means that the ledger certainly does not hold it.
	Lookup(ctx context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error)
	// Latest returns the newest checkpoint that the ledger holds for origin, or a fault of kind NotFound.
	Latest(ctx context.Context, origin string) (hub.Checkpoint, error)
	// Close releases what the ledger holds.
	Close() error
}

// Watcher is a [Ledger] that tells what it takes, by whoever it was brought.
type Watcher interface {
	// Watch calls saw for every checkpoint of origin that the ledger takes, in order, until ctx is done, the news end, or saw
	// returns an error. It goes on where it was when it last returned: a checkpoint may be seen twice, none is missed, but for
	// those before the first call. Errors by kind: Conflict says that the ledger's own history is not the one that was seen
	// before; after any other, and after nil, it may be called again.
	Watch(ctx context.Context, origin string, saw func(hub.Checkpoint) error) error
}

// LedgerKind returns the kind of a ledger's name: "witness" of "witness/customs".
func LedgerKind(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	return kind
}

// Named returns l under its name, a slash and instance, for a hub that has several ledgers of its kind.
func Named(l Ledger, instance string) Ledger {
	return named{Ledger: l, name: l.Name() + "/" + instance}
}

type named struct {
	Ledger

	name string
}

// Name implements [Ledger].
func (n named) Name() string { return n.name }

// Commit implements [Ledger].
func (n named) Commit(ctx context.Context, c Commitment) (hub.Evidence, error) {
	e, err := n.Ledger.Commit(ctx, c)
	return n.rename(e), err
}

// Lookup implements [Ledger].
func (n named) Lookup(ctx context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error) {
	c, e, err := n.Ledger.Lookup(ctx, origin, size)
	return c, n.rename(e), err
}

func (n named) rename(e hub.Evidence) hub.Evidence {
	if e.Ledger != "" {
		e.Ledger = n.name
	}
	return e
}
