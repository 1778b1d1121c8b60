package hub

import "time"

// Order is the order in which a search walks the events.
type Order uint8

// The orders. Equal times stand in the order of the log, reversed where the order is.
const (
	// NewestFirst is by event time, the latest first.
	NewestFirst Order = iota
	// OldestFirst is by event time, the earliest first.
	OldestFirst
	// LogOrder is by Seq, and so by record time.
	LogOrder
	// LogReversed is by Seq, the last first.
	LogReversed
)

// ByLog reports whether o is an order of the log.
func (o Order) ByLog() bool { return o == LogOrder || o == LogReversed }

// Descending reports whether o walks from large to small.
func (o Order) Descending() bool { return o == NewestFirst || o == LogReversed }

// Mark is a place in a walk: that of the event after which it goes on.
type Mark struct {
	EventTime time.Time
	Seq       Seq
}

// Window says which part of the events a search sees and where it begins.
type Window struct {
	// Provider limits the search to what one party stated; empty means everybody.
	Provider ProviderID
	// From and Until bound the log: From <= Seq < Until. A walk whose Until stays the same is not disturbed by new events.
	From, Until Seq
	Order       Order
	// After is where to go on, nil to begin.
	After *Mark
	// Limit is the most events that are returned.
	Limit int
	// Budget is how long the search may go through events that do not match before it returns what it has; 0 is for ever.
	Budget time.Duration
}

// Page is a part of the result of a search.
type Page struct {
	Events []Event
	// Next is where the walk goes on, nil at its end. A page that ran out of its budget may be short and still have one.
	Next *Mark
}

// Term is a kind of value by which events are grouped.
type Term uint8

// The terms.
const (
	TermType Term = iota + 1
	TermBizStep
	TermDisposition
	TermReadPoint
	TermBizLocation
)

// Content is what an event states, in short: the digest of its canonical body, and its event hash.
type Content struct {
	Body Digest
	Hash string
}

// Same reports whether two contents under one key are the same statement. The event hash decides, because it knows the
// forms of one identifier to be one (CBV 2.0 section 8.9); of an error declaration, which it does not cover, the body does.
func (c Content) Same(o Content, key EventKey) bool {
	return c.Body == o.Body || key.DeclaredAt.IsZero() && c.Hash == o.Hash && c.Hash != ""
}
