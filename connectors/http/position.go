package http

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// position is how far an API has been read. An operator may set it: {"since":"2026-01-01T00:00:00Z"}.
type position struct {
	// Since is where the round began, High the furthest value so far where it is another: the next round begins there, or a
	// look-back before.
	Since string `json:"since,omitempty"`
	High  string `json:"high,omitempty"`
	// Page is the page to read next; without it a round begins.
	Page *page `json:"page,omitempty"`
	// ETag and Modified are the validators of the only page of the last round.
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	// Known are the records that the next round may see again, in short.
	Known []string `json:"known,omitempty"`
}

// page says which page it is.
type page struct {
	// URL is the path and query of the page, Token its token: what the page before named.
	URL   string `json:"url,omitempty"`
	Token string `json:"token,omitempty"`
	// Pages and Records are how many came before it in the round.
	Pages   int `json:"pages,omitempty"`
	Records int `json:"records,omitempty"`
}

func (p position) encode() (hub.Position, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode position: %w", err)
	}
	return hub.Position(b), nil
}

func decodePosition(p hub.Position) (position, error) {
	var out position
	if p == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(p), &out); err != nil {
		return out, badPosition(err)
	}
	return out, nil
}

func badPosition(err error) error {
	return connectors.BadPosition("http.position", `{"since":"2026-01-01T00:00:00Z"}`, err)
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(p hub.Position) error {
	if p == "" {
		return nil
	}
	var at position
	if err := connectors.StrictPosition(p, &at); err != nil {
		return badPosition(err)
	}
	if _, err := back(at.Since, o.Since.LookBack); err != nil {
		return badPosition(err)
	}
	return nil
}

// further returns the one of two values that lies further on: of times and numbers the larger, else the new one.
func further(old, value string) string {
	if old == "" || value == "" {
		return old + value
	}
	if a, err := time.Parse(time.RFC3339Nano, old); err == nil {
		if b, err := time.Parse(time.RFC3339Nano, value); err == nil {
			if b.Before(a) {
				return old
			}
			return value
		}
	}
	a, errA := strconv.ParseFloat(old, 64)
	b, errB := strconv.ParseFloat(value, 64)
	if errA == nil && errB == nil && b < a {
		return old
	}
	return value
}

// back returns the time that lies d before value.
func back(value string, d time.Duration) (string, error) {
	if d == 0 || value == "" {
		return value, nil
	}
	t, err := time.Parse(time.RFC3339Nano, value)
	if err != nil {
		f := hub.Faultf(hub.Invalid, "http.look-back", "lookBack needs RFC 3339 times, found %.50q", value)
		f.MessageZh = "使用 lookBack 时，取值必须是 RFC 3339 时间"
		return "", f.WithHint("remove lookBack")
	}
	return t.Add(-d).Format(time.RFC3339Nano), nil
}

// digestDigits is how much of a digest tells two versions of a record apart, knownDigits how much one of a few hundred.
const (
	digestDigits = 32
	knownDigits  = 16
)

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// memory knows which records came lately, so that what an API lists again is not published again.
type memory struct {
	// now are the records of this round, before those of the last one or of the stored position.
	now, before map[string]bool
	// tail are the records of this round in order, for the position.
	tail []sighting
}

type sighting struct{ short, since string }

const (
	// maxKnown is how many records a position remembers, maxMemory how many the source does. What is forgotten comes
	// again under the same id, which is harmless.
	maxKnown  = 256
	maxMemory = 200_000
)

// newMemory remembers what a stored position does.
func newMemory(at position) memory {
	m := memory{now: map[string]bool{}, before: map[string]bool{}}
	for _, short := range at.Known {
		m.before[short] = true
		if at.Page != nil { // they are of the round that goes on
			m.tail = append(m.tail, sighting{short, at.High})
		}
	}
	return m
}

// see reports whether a record is new, and remembers it.
func (m *memory) see(id, since string) bool {
	short := digest([]byte(id))[:knownDigits]
	fresh := !m.now[short] && !m.before[short]
	if !m.now[short] && len(m.now) < maxMemory {
		m.now[short] = true
	}
	if len(m.tail) >= 2*maxKnown {
		m.tail = append(m.tail[:0], m.tail[maxKnown:]...)
	}
	m.tail = append(m.tail, sighting{short, since})
	return fresh
}

// known lists the records that a round from since may see again.
func (m *memory) known(since string, all bool) []string {
	var out []string
	for _, s := range m.tail {
		if all || further(since, s.since) == s.since {
			out = append(out, s.short)
		}
	}
	return out[max(0, len(out)-maxKnown):]
}

// turn begins a new round.
func (m *memory) turn() {
	m.before, m.now, m.tail = m.now, map[string]bool{}, nil
}
