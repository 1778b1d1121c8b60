package exec

import (
	stdjson "encoding/json"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

const (
	// Protocol is the version that this package speaks.
	Protocol = 1
	// maxLine bounds a line of a program, maxEvidence the evidence in it.
	maxLine     = 1 << 20
	maxEvidence = 256 << 10
)

// Log is a log that a ledger serves.
type Log struct {
	Key  anchor.VerifierKey
	Hash anchor.Hash
}

// request is what the hub says. A member is there only where it means something.
type request struct {
	T  string `json:"t"`
	ID uint64 `json:"id,omitzero"`

	Protocol int               `json:"protocol,omitzero"`
	Config   map[string]string `json:"config,omitzero"`
	Logs     []logMessage      `json:"logs,omitzero"`

	Origin      string              `json:"origin,omitzero"`
	Size        uint64              `json:"size,omitzero"`
	Root        string              `json:"root,omitzero"`
	Note        string              `json:"note,omitzero"`
	Previous    *uint64             `json:"previous,omitzero"`
	Consistency []hub.Digest        `json:"consistency,omitzero"`
	Evidence    jsontext.Value      `json:"evidence,omitzero"`
	Pinned      *stdjson.RawMessage `json:"pinned,omitzero"`
}

type logMessage struct {
	Key  string `json:"key"`
	Hash string `json:"hash"`
}

// encode renders a request as a line.
func (r request) encode() ([]byte, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	return append(line, '\n'), nil
}

// commitRequest asks for a commitment.
func commitRequest(c anchor.Commitment) request {
	return request{
		T: "commit", Origin: c.Checkpoint.Origin, Size: c.Checkpoint.Size, Root: c.Checkpoint.Root.String(), Note: string(c.Checkpoint.Note),
		Previous: &c.PreviousSize, Consistency: append([]hub.Digest{}, c.Consistency...),
	}
}

// message is what a program says. Other members are its own.
type message struct {
	T  string `json:"t"`
	ID uint64 `json:"id"`
	// Spec is what a program says of itself when it is ready.
	Spec Spec `json:"spec"`
	// Note and Evidence are of what the ledger holds.
	Note     string         `json:"note"`
	Evidence jsontext.Value `json:"evidence"`
	// By says who witnessed, in words.
	By string `json:"by"`
	// Code and Message are an error's.
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Spec is what a program says of itself.
type Spec struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Kind is the form of its evidence; it has to be that of the configuration.
	Kind string `json:"kind"`
	// Unsigned is true for a ledger that leaves the log's signature to its verifiers, NewestOnly for one that remembers only
	// the newest checkpoint of a log.
	Unsigned   bool `json:"unsigned"`
	NewestOnly bool `json:"newestOnly"`
	// Pin is what a reader may pin of the ledger in a trust file, a JSON object.
	Pin jsontext.Value `json:"pin"`
}

// parseMessage parses one line.
func parseMessage(line []byte) (message, error) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		f := broken("a line on standard output is no message: %.100q", line)
		f.Hint, f.HintZh = "standard output is for messages only; write logs to standard error", "标准输出仅用于消息，日志请写到标准错误"
		return m, f
	}
	var missing string
	switch m.T {
	case "ready", "none":
	case "evidence":
		missing = m.lacks(m.Evidence != nil, "evidence")
	case "held":
		missing = m.lacks(m.Note != "", "note")
	case "genuine":
		missing = m.lacks(m.By != "", "by")
	case "error":
		missing = m.lacks(m.Code != "", "code")
	default:
		return m, broken("%.50q is no kind of message: ready, evidence, held, none, genuine or error", m.T)
	}
	if missing != "" {
		return m, broken("%s lacks %s: %.100q", m.T, missing, line)
	}
	if len(m.Evidence) > maxEvidence {
		return m, broken("its evidence has %d bytes, at most %d are read", len(m.Evidence), maxEvidence)
	}
	return m, nil
}

func (m *message) lacks(there bool, name string) string {
	if there {
		return ""
	}
	return name
}

// broken is a fault of the program. Who knows what it did: the outcome of what was asked is unknown.
func broken(format string, args ...any) *hub.Fault {
	f := hub.Faultf(hub.Internal, "exec.protocol", "the ledger's program does not keep to the protocol: "+format, args...)
	f.MessageZh = "账本程序未遵守协议"
	return f
}

// reported turns an error that a program reports into what the hub is to do: the code is that of a kind, and any other
// means that the outcome is unknown.
func (m *message) reported() *hub.Fault {
	kind := hub.Internal
	for _, k := range []hub.Kind{hub.Conflict, hub.Invalid, hub.Forbidden, hub.Unavailable, hub.NotFound} {
		if m.Code == k.String() {
			kind = k
		}
	}
	f := hub.Faultf(kind, "exec.reported", "the ledger's program reports %.60s", m.Code)
	f.MessageZh = fmt.Sprintf("账本程序报告 %.60s", m.Code)
	if m.Message != "" {
		f.Err = fmt.Errorf("%.500s", m.Message)
	}
	return f
}

// evidence returns the evidence in a message, in its canonical form.
func (m *message) evidence() (stdjson.RawMessage, error) {
	v := m.Evidence.Clone()
	if len(v) == 0 || v.Kind() == 'n' {
		return nil, broken("%s lacks evidence", m.T)
	}
	if err := v.Canonicalize(); err != nil {
		return nil, broken("its evidence cannot be written in its canonical form").Because(err)
	}
	return stdjson.RawMessage(v), nil
}

// checkpoint returns the checkpoint in a message, which must be of origin, and of size unless that is 0.
func (m *message) checkpoint(origin string, size uint64) (hub.Checkpoint, error) {
	c, _, err := anchor.ParseCheckpoint([]byte(m.Note))
	if err != nil {
		return hub.Checkpoint{}, broken("its note is no checkpoint").Because(err)
	}
	if c.Origin != origin || size != 0 && c.Size != size {
		return hub.Checkpoint{}, broken("it was asked for size %d of %.100q, and holds out size %d of %.100q", size, origin, c.Size, c.Origin)
	}
	return c, nil
}

// errClosed is why a ledger that was closed answers nothing.
var errClosed = errors.New("the ledger is closed")
