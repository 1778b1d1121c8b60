package hub

import (
	"encoding/json"
	"time"
)

// CaptureJob is one document that was posted to EPCIS capture, and what became of it (EPCIS 2.0 section 12.6).
//
//	running success
//	true    true     checking, or recording; no error so far
//	true    false    an error; proceeding with the rest, or giving up
//	false   true     every event is recorded
//	false   false    rolled back: no event is recorded; proceed: some are not
type CaptureJob struct {
	ID       string
	Provider ProviderID
	// Connector is the reserved connector under which its records are in the raw stream.
	Connector ConnectorID
	// Proceed is true for the error behaviour "proceed", false for "rollback".
	Proceed bool
	// ContentType is as stated; File is the name of the spooled document while the job runs.
	ContentType string
	File        string
	// Events is how many the document has, Failed how many of them are not recorded; Errors tells of the first of these.
	Events, Failed   int
	Errors           []JobError
	Running, Success bool
	CreatedAt        time.Time
	FinishedAt       time.Time
}

// JobError is why one event of a document was not recorded.
type JobError struct {
	// EventID is as stated, or empty.
	EventID string `json:"eventID,omitempty"`
	Kind    Kind   `json:"kind"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// MessageZh, Hint and HintZh are as in [Fault].
	MessageZh string `json:"messageZh,omitempty"`
	Hint      string `json:"hint,omitempty"`
	HintZh    string `json:"hintZh,omitempty"`
	Where     Where  `json:"where"`
}

// NamedQuery is an EPCIS query that a party gave a name (EPCIS 2.0, POST /queries). Names are the party's own.
type NamedQuery struct {
	Provider ProviderID
	Name     string
	// Definition is the JSON object of the query as it was stated.
	Definition json.RawMessage
	CreatedAt  time.Time
}

// Subscription is a standing named query whose results are posted to its destination.
type Subscription struct {
	ID       string
	Provider ProviderID
	Query    string
	// View is whose events it sees; empty means everybody's.
	View ProviderID
	Dest string
	// Secret signs what is posted; empty signs nothing.
	Secret string
	// Stream and Schedule exclude each other. Schedule is the JSON object as stated.
	Stream   bool
	Schedule json.RawMessage
	// ReportIfEmpty asks for a result at every scheduled time.
	ReportIfEmpty bool
	// Format is the GS1-EPC-Format of its results.
	Format            string
	InitialRecordTime time.Time
	CreatedAt         time.Time
	// Progress is where the delivery is.
	Progress Progress
}

// Progress is how far a subscription's delivery came. It is saved after each delivery that was answered with 2xx.
type Progress struct {
	// Next is the first Seq that was not delivered.
	Next Seq
	// LastRunAt is the scheduled time of the last run, LastNotifiedAt when the destination last answered with 2xx.
	LastRunAt, LastNotifiedAt time.Time
	// Failures counts deliveries that failed since then; LastError is why the last one did.
	Failures  int
	LastError string
}
