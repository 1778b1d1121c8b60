package hub

import "time"

// RecordStatus is what became of one raw record, for the sender who asks by the id that the 202 gave.
type RecordStatus struct {
	Record     RecordRef
	Provider   ProviderID
	ReceivedAt time.Time
	// Verdict is Recorded or Dead (or Conflicting); an accepted record that the pipeline has not reached is not known.
	Verdict Verdict
	// Events are the keys and sequence numbers of what it became.
	Events []EventRef
	// DeadLetter is set when Verdict is Dead or Conflicting.
	DeadLetter DeadLetterID
}

// EventRef names a recorded event.
type EventRef struct {
	Key EventKey
	Seq Seq
}

// Scans is how often the page of one identity was opened, without a trace of who opened it.
type Scans struct {
	Count   uint64
	FirstAt time.Time
	LastAt  time.Time
}

// Scope is what an API key may do.
type Scope string

// The scopes.
const (
	// ScopeCapture: post to the provider's connectors and to EPCIS capture.
	ScopeCapture Scope = "capture"
	// ScopeQuery: read the provider's own events, records, receipts and dead letters.
	ScopeQuery Scope = "query"
	// ScopeAudit: read every provider's events and receipts.
	ScopeAudit Scope = "audit"
	// ScopeAdmin: everything, for every provider.
	ScopeAdmin Scope = "admin"
)

// Key is an API key as stored: never the secret, only its SHA-256.
type Key struct {
	// ID is public and names the key in lists and logs.
	ID       string
	Hash     Digest
	Provider ProviderID
	Scopes   []Scope
	Note     string
	// CreatedAt, RevokedAt (zero while it is good) and LastUsedAt (to the hour) are in UTC.
	CreatedAt  time.Time
	RevokedAt  time.Time
	LastUsedAt time.Time
}
