package hub

import "time"

// Seq is an event's place in the log: gapless, from 0, and the leaf index in the Merkle tree.
type Seq uint64

// EventKey is what makes an event the same event. Neither the event id nor the event hash alone is one: an EPCIS error
// declaration repeats both (EPCIS 2.0, 7.4.1.2), so its declaration time is part of the key.
type EventKey struct {
	ID string
	// DeclaredAt is the error declaration's time, zero for an event that is no declaration.
	DeclaredAt time.Time
}

// Role is the place that an identifier has in an event.
type Role uint8

// The roles, in the order of EPCIS 2.0 section 7.4.
const (
	RoleEPC Role = iota + 1
	RoleParent
	RoleChild
	RoleInput
	RoleOutput
)

// String returns the EPCIS field that stands for the role.
func (r Role) String() string {
	switch r {
	case RoleEPC:
		return "epcList"
	case RoleParent:
		return "parentID"
	case RoleChild:
		return "childEPCs"
	case RoleInput:
		return "inputEPCList"
	case RoleOutput:
		return "outputEPCList"
	}
	return "unknown"
}

// Thing is one identifier that an event speaks of, in its canonical form: a GS1 Digital Link under https://id.gs1.org
// for GS1 keys, the URI as stated otherwise. URN and Digital Link of one identity have one canonical form.
type Thing struct {
	Role Role
	ID   string
	// Class is true for a class-level identifier (quantity lists): a GTIN, or a GTIN with lot.
	Class bool
}

// Facets are the parts of an event by which stores find it.
type Facets struct {
	// Type is the EPCIS event type, such as "ObjectEvent".
	Type      string
	EventTime time.Time
	// Action is ADD, OBSERVE, DELETE, or empty for a TransformationEvent.
	Action string
	// BizStep and Disposition are bare CBV words where the CBV has one, URIs otherwise.
	BizStep     string
	Disposition string
	// ReadPoint and BizLocation are canonical ids.
	ReadPoint   string
	BizLocation string
	// TransformationID links the inputs and outputs of a transformation that was stated in several events.
	TransformationID string
	Things           []Thing
}

// Event is one canonical event on its way into the log, or out of it.
type Event struct {
	Key    EventKey
	Facets Facets
	// Body is the canonical event: RFC 8785 (JCS) bytes of the EPCIS 2.0 JSON object with the @context that its
	// extensions need and without recordTime, which is the hub's own statement.
	Body []byte
	// Hash is the CBV 2.0 event hash URI, "ni:///sha-256;…?ver=CBV2.0".
	Hash string
	// Leaf is the leaf record that the log commits to.
	Leaf LeafRecord
	// Record is the raw record that the event came from.
	Record RecordRef
	// Seq and RecordedAt are assigned by the store's Append; RecordedAt is EPCIS recordTime.
	Seq        Seq
	RecordedAt time.Time
}

// Outcome is the verdict on one raw record: what it became. Events and Master are recorded together or not at all; a
// non-nil Dead excludes both.
type Outcome struct {
	Record     RecordRef
	Provider   ProviderID
	ReceivedAt time.Time
	RawDigest  Digest
	Attempt    int
	Events     []Event
	Master     []Statement
	Dead       *DeadLetter
	// Raw is the record as it arrived, so that a store that must refuse the outcome (Conflicting) keeps the bytes.
	Raw *RawRecord
}

// RawRecord is a record with what its envelope says of it.
type RawRecord struct {
	ContentType, Origin string
	Preamble, Body      []byte
	Line, Column        int
}

// Verdict is what the store did with an outcome.
type Verdict uint8

// The verdicts of Append.
const (
	// Recorded: the events are in the log now.
	Recorded Verdict = iota + 1
	// Repeated: the record, or every event of it, was recorded before; nothing changed.
	Repeated
	// Dead: the record is a dead letter now.
	Dead
	// Conflicting: the record's id was seen before with other bytes, or an event's key with another body. It is a dead
	// letter now.
	Conflicting
)

// String returns the stable lower-case name of v, used in metrics and the records API.
func (v Verdict) String() string {
	switch v {
	case Recorded:
		return "recorded"
	case Repeated:
		return "repeated"
	case Dead:
		return "dead"
	case Conflicting:
		return "conflicting"
	}
	return "unknown"
}

// StatementKind is what a master data statement is about.
type StatementKind uint8

// The kinds of master data.
const (
	// AboutProduct: attributes of a GTIN, a GTIN with lot, or one item.
	AboutProduct StatementKind = iota + 1
	// AboutParty: attributes of an organisation, by GLN, PGLN or provider id.
	AboutParty
	// AboutPlace: attributes of a location, by SGLN or URI; "parent" places it within another.
	AboutPlace
	// AboutAlias: a foreign code that stands for a GS1 identity: ID is the code, Attributes["id"] the identity.
	AboutAlias
)

// String returns "product", "party", "place" or "alias".
func (k StatementKind) String() string {
	switch k {
	case AboutProduct:
		return "product"
	case AboutParty:
		return "party"
	case AboutPlace:
		return "place"
	case AboutAlias:
		return "alias"
	}
	return "unknown"
}

// Statement is master data as one provider states it. Providers never overwrite one another: the key is (kind, id,
// provider), and the newest statement of a provider replaces its older one attribute by attribute.
type Statement struct {
	Kind StatementKind
	// ID is canonical, as in [Thing], except for an alias, where it is the foreign code as printed.
	ID       string
	Provider ProviderID
	StatedAt time.Time
	// Attributes are named as in CBV master data or GS1 Web vocabulary, camelCase; language variants end in "@zh" or "@en".
	Attributes map[string]string
}
