package hub

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// LeafVersion is the version that a leaf record of this format states.
const LeafVersion = 1

// LeafRecord is what the log commits to for one event. Its bytes are RFC 8785 (JCS) JSON and specified, with vectors,
// in docs/formats.md. The salt keeps a neighbour's low-entropy event from being guessed from a proof.
type LeafRecord struct {
	Connector  ConnectorID `json:"connector"`
	Event      Digest      `json:"event"`      // SHA-256 of the canonical event
	EventHash  string      `json:"eventHash"`  // CBV 2.0 event hash URI
	Provider   ProviderID  `json:"provider"`   //
	Raw        Digest      `json:"raw"`        // RawDigest of the record
	ReceivedAt Instant     `json:"receivedAt"` //
	Salt       Digest      `json:"salt"`       // 32 random bytes
	Version    int         `json:"version"`    // LeafVersion
}

// Bytes returns the JCS form of l. The fields stand in the order of their names.
func (l LeafRecord) Bytes() []byte { return l.Append(make([]byte, 0, 512)) }

// Append appends the JCS form of l to b. It is written by hand because every event needs it; what encoding/json would have
// to escape stands in no leaf record (ids are checked by [CheckName], an event hash is ASCII without '<', '>', '&'), and
// is left to encoding/json where it does all the same.
func (l LeafRecord) Append(b []byte) []byte {
	if !l.Plain() {
		slow, err := json.Marshal(l)
		if err != nil { // cannot happen: every field marshals
			panic("hub: marshal leaf record: " + err.Error())
		}
		return append(b, slow...)
	}
	b = append(append(b, `{"connector":"`...), l.Connector...)
	b = hex.AppendEncode(append(b, `","event":"`...), l.Event[:])
	b = append(append(b, `","eventHash":"`...), l.EventHash...)
	b = append(append(b, `","provider":"`...), l.Provider...)
	b = hex.AppendEncode(append(b, `","raw":"`...), l.Raw[:])
	b = l.ReceivedAt.append(append(b, `","receivedAt":"`...))
	b = hex.AppendEncode(append(b, `","salt":"`...), l.Salt[:])
	b = strconv.AppendInt(append(b, `","version":`...), int64(l.Version), 10)
	return append(b, '}')
}

// Plain reports whether all of l stands in JSON as it is: then alone are its bytes the same in every language.
func (l LeafRecord) Plain() bool {
	return plainJSON(string(l.Connector)) && plainJSON(l.EventHash) && plainJSON(string(l.Provider))
}

// plainJSON reports whether s stands in JSON as it is, also as encoding/json writes it, which escapes HTML.
func plainJSON(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// Instant is a time whose JSON form is UTC RFC 3339 with exactly 3 decimals, so that it has one spelling.
type Instant time.Time

const instantLayout = "2006-01-02T15:04:05.000Z"

// String returns the text form of i.
func (i Instant) String() string { return string(i.append(make([]byte, 0, len(instantLayout)))) }

// append appends the text form of i.
func (i Instant) append(b []byte) []byte {
	t := time.Time(i).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, instantLayout)
	}
	two := func(n int, after byte) { b = append(b, '0'+byte(n/10), '0'+byte(n%10), after) }
	b = append(b, '0'+byte(year/1000), '0'+byte(year/100%10))
	two(year%100, '-')
	two(int(month), '-')
	two(day, 'T')
	two(hour, ':')
	two(minute, ':')
	two(second, '.')
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(b, '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z')
}

// MarshalText implements [encoding.TextMarshaler].
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]; it accepts exactly the text form.
func (i *Instant) UnmarshalText(b []byte) error {
	t, err := time.Parse(instantLayout, string(b))
	if err == nil && t.Year() < 1 {
		err = errors.New("there is no year 0")
	}
	if err != nil {
		return err
	}
	*i = Instant(t)
	return nil
}

// Checkpoint is a commitment to the first Size leaves of the log Origin.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Digest
	// Note is the C2SP signed note that states origin, size and root (c2sp.org/tlog-checkpoint).
	Note []byte
}

// Proof is an RFC 6962 inclusion proof, from the leaf's sibling up to the root.
type Proof struct {
	LeafIndex uint64   `json:"leafIndex"`
	TreeSize  uint64   `json:"treeSize"`
	Hashes    []Digest `json:"hashes"`
}

// Evidence is what one ledger says of a committed checkpoint, in that ledger's own form.
type Evidence struct {
	// Ledger is the driver that understands Entry: "notary", "fabric".
	Ledger string `json:"ledger"`
	// Entry is the ledger's evidence.
	Entry json.RawMessage `json:"entry"`
}

// ReceiptType is the type that a receipt of this format states.
const ReceiptType = "https://suyuan.dev/receipt/v1"

// Receipt is everything that is needed to check, offline and without the hub, that an event is in the log and that the
// log was witnessed by a ledger. docs/formats.md specifies it.
type Receipt struct {
	Type string `json:"type"`
	// Event is the canonical event.
	Event json.RawMessage `json:"event"`
	// Leaf is the leaf record whose JCS bytes are the log's leaf.
	Leaf  LeafRecord `json:"leaf"`
	Proof Proof      `json:"proof"`
	// Checkpoint is the signed note.
	Checkpoint string `json:"checkpoint"`
	// Key is the verifier key of the log (c2sp.org/signed-note). It makes a receipt checkable in itself; to know whose
	// log it is, a verifier pins the key in its trust file.
	Key    string     `json:"key"`
	Ledger []Evidence `json:"ledger"`
}

// Consistency is the proof that one checkpoint of a log extends another: the RFC 6962 consistency proof between them.
type Consistency struct {
	// From and To are the signed checkpoints.
	From   string   `json:"from"`
	To     string   `json:"to"`
	Hashes []Digest `json:"hashes"`
}
