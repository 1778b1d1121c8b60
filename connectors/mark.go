package connectors

import (
	"encoding/json"

	"github.com/suyuan-io/suyuan/hub"
)

// mark is what the host stores as an instance's position: how far its source has been read, how far into the item after
// that, and whether an operator has paused it.
//
//	at     everything up to here is durable and may be forgotten upstream
//	item   the item after at, of which the first done records are durable
//
// After a crash the source is opened at the stored position; if its next item is the one named, its first done records
// are skipped. If it is another one (the file was replaced), all of its records are new.
type mark struct {
	At     hub.Position `json:"at,omitempty"`
	Item   string       `json:"item,omitempty"`
	Done   int          `json:"done,omitempty"`
	Paused bool         `json:"paused,omitempty"`
}

func (m mark) encode() hub.Position {
	if m == (mark{}) {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil { // cannot happen: strings, an int and a bool
		panic("connectors: marshal mark: " + err.Error())
	}
	return hub.Position(b)
}

func decodeMark(p hub.Position) (mark, error) {
	var m mark
	if p == "" {
		return m, nil
	}
	if err := json.Unmarshal([]byte(p), &m); err != nil {
		return m, hub.Faultf(hub.Invalid, "position.unreadable", "the stored position is not one of this hub").
			WithHint("suyuan connector pause ID && suyuan connector rewind ID && suyuan connector resume ID: it reads from the beginning").Because(err)
	}
	return m, nil
}
