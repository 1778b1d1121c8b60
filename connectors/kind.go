package connectors

import (
	"context"
	"log/slog"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Kind is one kind of source: a row in the list that cmd passes to the [Loader]. There is no registration.
type Kind struct {
	// Name is the key under "source:" in an instance file.
	Name string
	// Summary is one line for the list of kinds.
	Summary string
	// Example is a whole instance file of this kind, with comments; the tests load it.
	Example string
	// Decode is the format of an instance that states none; "" makes stating one necessary.
	Decode string
	// Interval is that of an instance that states none, 10s when it is 0. A kind that waits for news inside Next states a
	// short one.
	Interval time.Duration
	// Options returns a pointer to the kind's options with their defaults. It is filled strictly from the instance file
	// (see internal/strictyaml for the tags) and implements exactly one of [Opener] and [Listener].
	Options func() any
}

// Opener is implemented by the options of a kind that reads a place with a position.
type Opener interface {
	// Open connects and returns a source that begins after env.Position. It does not retry. Faults: Unavailable for a
	// passing condition, anything else when only a person can help. Ctx bounds opening, not the source's life.
	Open(ctx context.Context, env Env) (Source, error)
}

// Resumer is implemented by the options of an [Opener] that can tell without its server where it can be opened.
type Resumer interface {
	// CheckPosition returns nil for a position that Open takes, "" among them, and for any other a fault of kind Invalid:
	// [BadPosition], or [NoPosition] for every position where the hub has no say in it. It does no I/O.
	CheckPosition(p hub.Position) error
}

// Listener is implemented by the options of a kind that is pushed to over HTTP.
type Listener interface {
	// Listen returns the receiver. It does no I/O.
	Listen(env Env) (Receiver, error)
}

// Keyed is implemented by the options of a [Listener] whose own protocol does not authenticate the sender: whoever mounts
// the host asks for an API key of the instance's provider first.
type Keyed interface {
	NeedsKey() bool
}

// Env is what the host tells a driver about its instance.
type Env struct {
	Connector hub.ConnectorID
	// Position is the source's own last position that was stored, "" at first; empty for a receiver.
	Position hub.Position
	// Dir is the folder that relative paths in the options are relative to.
	Dir string
	// Now is the clock.
	Now func() time.Time
	// Note passes on what a program of the source's own says, such as a child process on its standard error; the host
	// logs it. It may be nil, and called from any goroutine.
	Note func(level slog.Level, text string)
}

// FormatEPCIS is the format whose records are EPCIS events already: an instance that decodes it needs no mapping.
const FormatEPCIS = "epcis"
