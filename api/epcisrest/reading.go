package epcisrest

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// Limits of the parts of a posted document.
const (
	// maxEvent bounds one event, so that with its preamble it fits a frame of the raw stream.
	maxEvent = 1 << 20
	// maxHeader bounds everything else.
	maxHeader = 4 << 20
)

func limits() epcis.Limits { return epcis.Limits{Event: maxEvent, Header: maxHeader} }

// maxReported is how many faults of one document are told.
const maxReported = 20

// reading checks a document event by event while it streams by.
type reading struct {
	s       *Server
	proceed bool

	events, invalid int
	faults          hub.Faults
}

// statement is an event's key and content, in short.
type statement struct {
	key     [16]byte
	content uint64
	nth     int32
}

// visit checks one event. An invalid one ends the reading unless the rest is to be captured without it.
func (c *reading) visit(it epcis.Item) error {
	c.events++
	if c.events > c.s.MaxEvents {
		return refuse(captureLimitExceeded, http.StatusRequestEntityTooLarge, "capture.events",
			"the document has more than "+strconv.Itoa(c.s.MaxEvents)+" events", "文档中的事件超过 "+strconv.Itoa(c.s.MaxEvents)+" 个").
			hint("split the document", "请拆分文档")
	}
	err := c.check(it)
	if err == nil {
		return nil
	}
	if hub.KindOf(err) == hub.TooLarge {
		return err
	}
	c.invalid++
	for _, f := range faultsOf(err) {
		if len(c.faults) < maxReported {
			c.faults = append(c.faults, hub.AsFault(it.Locate(f)))
		}
	}
	return nil
}

func (c *reading) check(it epcis.Item) error {
	e, err := it.Event()
	if err != nil {
		return unlocated(it, err)
	}
	defer e.Release()
	body, err := e.Canonical()
	if err != nil {
		return err
	}
	raw := it.Raw
	if it.Header.Format != "json" {
		raw = body
	}
	if err := c.s.ValidateEvent(raw); err != nil {
		if it.Header.Format != "json" { // places in the canonical form mean nothing to the sender
			for _, f := range faultsOf(err) {
				f.Where.Line, f.Where.Column = 0, 0
			}
		}
		return err
	}
	if _, err := e.Facets(); err != nil {
		return err
	}
	return nil
}

// unlocated takes the place within the document away again, which visit adds.
func unlocated(it epcis.Item, err error) error {
	f := *hub.AsFault(err)
	f.Where.Line -= it.Line - 1
	if f.Where.Line == 1 {
		f.Where.Column -= it.Column - 1
	}
	if n := len(it.Pointer); len(f.Where.Pointer) >= n && f.Where.Pointer[:n] == it.Pointer {
		f.Where.Pointer = f.Where.Pointer[n:]
	}
	return &f
}

// stored is a key with its time as stores keep it.
func stored(k hub.EventKey) hub.EventKey {
	k.DeclaredAt = k.DeclaredAt.Truncate(time.Microsecond)
	return k
}

// contentOf is what an event states, in short.
func contentOf(e *epcis.Event) (hub.Content, error) {
	body, err := e.Canonical()
	if err != nil {
		return hub.Content{}, err
	}
	hash, err := e.Hash(epcis.CBV20)
	return hub.Content{Body: hub.Sum(body), Hash: hash}, err
}

func statementOf(key hub.EventKey, c hub.Content, nth int) statement {
	id := hub.Sum([]byte(key.ID + "\x00" + key.DeclaredAt.UTC().String()))
	content := c.Body
	if key.DeclaredAt.IsZero() {
		content = hub.Sum([]byte(c.Hash))
	}
	st := statement{content: binary.BigEndian.Uint64(content[:]), nth: int32(nth)}
	copy(st.key[:], id[:])
	return st
}

// contradictions returns the numbers, from 1, of events whose key the document states before with other content.
func contradictions(stated []statement) []int {
	slices.SortFunc(stated, func(a, b statement) int {
		return cmp.Or(slices.Compare(a.key[:], b.key[:]), cmp.Compare(a.nth, b.nth))
	})
	var out []int
	for i := 1; i < len(stated); i++ {
		if a, b := stated[i-1], stated[i]; a.key == b.key && a.content != b.content {
			out = append(out, int(b.nth))
		}
	}
	return out
}

// faultsOf returns the faults of err, which is one fault, several, or anything else.
func faultsOf(err error) hub.Faults {
	if many, ok := errors.AsType[hub.Faults](err); ok {
		return many
	}
	return hub.Faults{hub.AsFault(err)}
}

// pointersOnly takes lines and columns away where they are those of a part of the document.
func pointersOnly(err error) error {
	var many hub.Faults
	if !errors.As(err, &many) {
		return err
	}
	for _, f := range many {
		f.Where.Line, f.Where.Column = 0, 0
	}
	return many
}
