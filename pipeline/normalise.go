package pipeline

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// Instance is what one connector instance's records are read with.
type Instance struct {
	// Decoder and Map turn a record into a tree and the tree into events and master data. Both are nil for an instance
	// whose records are EPCIS already, in JSON or XML.
	Decoder decode.Decoder
	Map     func(in mapping.Input, locate func(pointer string) hub.Where) (mapping.Output, error)
	// Reads are the members of a record that Map looks at, so that the others need not be decoded; nil for all.
	Reads *decode.Names
}

// NewNormaliser returns the hub's Normaliser. instances finds the instance of a record as it is configured now; validate
// says whether a JSON event is valid, with [hub.Faults] in the event's own places (schemas.Registry.ValidateEvent); now is
// the clock of dead letters.
//
// An event without an eventID gets one that depends on nothing but the record, so that a replay makes the same event:
// see [EventID].
func NewNormaliser(instances func(hub.ConnectorID) (Instance, bool), validate func(event []byte) error, now func() time.Time) Normaliser {
	return &normaliser{instances: instances, validate: validate, now: now}
}

type normaliser struct {
	instances func(hub.ConnectorID) (Instance, bool)
	validate  func(event []byte) error
	now       func() time.Time
}

// Normalise implements [Normaliser].
func (n *normaliser) Normalise(env *hub.Envelope, rec *hub.Record, o *hub.Outcome) {
	from := origin{env, rec}
	begin(o, from)
	if err := n.fill(o, from); err != nil {
		at, ok := errors.AsType[*stageError](err)
		if !ok {
			at = &stageError{stageHandle, err}
		}
		o.Events, o.Master = nil, nil
		o.Dead = deadLetter(from, at.stage, inPayload(at.err, env, rec), n.now())
	}
}

// stageError is an error and the stage at which it happened.
type stageError struct {
	stage string
	err   error
}

func (e *stageError) Error() string { return e.stage + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

// at says at which stage err happened.
func at(stage string, err error) error {
	if err == nil {
		return nil
	}
	return &stageError{stage, err}
}

// meaning is what a record says, before it is checked.
type meaning struct {
	events []statedEvent
	master []hub.Statement
}

// statedEvent is an event and, when the record holds its very JSON, those bytes, so that what is wrong with it is found at
// its place there.
type statedEvent struct {
	*epcis.Event
	raw    []byte
	locate func(error) error // from places in raw to places in the record; nil when they are the same
}

// fill finds out what from's record means and puts it into o.
func (n *normaliser) fill(o *hub.Outcome, from origin) error {
	if from.rec.Refused != nil {
		return at(stageReceive, from.rec.Refused)
	}
	inst, ok := n.instances(from.env.Connector)
	if !ok {
		return at(stageHandle, hub.Faultf(hub.NotFound, "connector.unknown", "there is no connector %s", from.env.Connector).
			WithHint("its instance file was removed or renamed: put it back, then replay"))
	}
	read := readEPCIS
	if inst.Map != nil {
		read = inst.readMapped
	}
	m, err := read(from)
	if err != nil {
		return err
	}
	o.Events = slices.Grow(o.Events, len(m.events))[:len(m.events)]
	for i := range m.events {
		if err := n.event(&o.Events[i], m.events[i], from, i); err != nil {
			return err
		}
		o.Events[i].Record, o.Events[i].Leaf.Raw = o.Record, o.RawDigest
	}
	o.Master = m.master
	return nil
}

// readMapped decodes and maps the record.
func (inst Instance) readMapped(from origin) (meaning, error) {
	m, err := inst.glance(from)
	if err != nil { // explained with all of the record in sight
		m, err = inst.read(from)
	}
	return m, err
}

// input is what Map is told of a record.
func input(from origin, tree decode.Tree) mapping.Input {
	return mapping.Input{
		Row: tree.Value, Provider: from.env.Provider, Connector: from.env.Connector, RecordID: from.rec.ID,
		Origin: from.env.Origin, ReceivedAt: from.env.ReceivedAt,
	}
}

// errWhole says that all of a record has to be decoded.
var errWhole = errors.New("decode the whole record")

// glance decodes and maps no more of the record than Map looks at. Its errors explain nothing.
func (inst Instance) glance(from origin) (meaning, error) {
	p, ok := inst.Decoder.(decode.Picker)
	if !ok || inst.Reads == nil {
		return meaning{}, errWhole
	}
	tree, err := p.Pick(from.env.Preamble, from.rec.Body, inst.Reads)
	if err != nil {
		return meaning{}, err
	}
	defer tree.Release()
	return inst.statedBy(from, tree)
}

// read decodes and maps the whole record.
func (inst Instance) read(from origin) (meaning, error) {
	tree, err := inst.Decoder.Decode(from.env.Preamble, from.rec.Body)
	if err != nil {
		return meaning{}, at(stageDecode, err)
	}
	return inst.statedBy(from, tree)
}

// statedBy maps a record and is what it means then.
func (inst Instance) statedBy(from origin, tree decode.Tree) (meaning, error) {
	out, err := inst.Map(input(from, tree), tree.Locate)
	if err != nil {
		return meaning{}, at(stageMap, err)
	}
	defer out.Release()
	env := from.env
	m := meaning{master: out.Master, events: make([]statedEvent, len(out.Events))}
	for i, t := range out.Events {
		if t.Get("eventID") == nil { // here it costs less than in the finished event
			t = t.With("eventID", EventID(hub.RecordRef{Connector: env.Connector, ID: from.rec.ID}, i))
		}
		if m.events[i].Event, err = epcis.FromMembers(t, nil); err != nil {
			return meaning{}, at(stageMap, err)
		}
	}
	for i := range m.master {
		setZero(&m.master[i].Provider, env.Provider)
		setZero(&m.master[i].StatedAt, env.ReceivedAt)
	}
	return m, nil
}

// event checks e and makes it the index-th event of the record.
func (n *normaliser) event(dst *hub.Event, e statedEvent, from origin, index int) error {
	if e.ID() == "" {
		e.SetID(EventID(hub.RecordRef{Connector: from.env.Connector, ID: from.rec.ID}, index))
	}
	body, err := e.AppendCanonical(dst.Body[:0])
	if err != nil {
		return at(stageValidate, err)
	}
	if err := n.check(e, body); err != nil {
		return at(stageValidate, err)
	}
	facets, err := e.Facets()
	if err != nil {
		return at(stageValidate, err)
	}
	hash, err := e.Hash(epcis.CBV20)
	if err != nil {
		return at(stageValidate, err)
	}
	*dst = hub.Event{
		Key: e.Key(), Facets: facets, Body: body, Hash: hash,
		Leaf: hub.LeafRecord{
			Connector: from.env.Connector, Event: hub.Sum(body), EventHash: hash, Provider: from.env.Provider,
			ReceivedAt: hub.Instant(from.env.ReceivedAt), Version: hub.LeafVersion,
		},
	}
	_, _ = rand.Read(dst.Leaf.Salt[:]) // never fails
	e.Release()
	return nil
}

// check validates e: as it was sent when it was sent as JSON, else in its canonical form, whose places mean nothing to
// its sender: only the pointers are kept.
func (n *normaliser) check(e statedEvent, canonical []byte) error {
	if e.raw != nil {
		err := n.validate(e.raw)
		if err != nil && e.locate != nil {
			err = e.locate(err)
		}
		return err
	}
	err := n.validate(canonical)
	if fs, ok := errors.AsType[hub.Faults](err); ok {
		for _, f := range fs {
			f.Where = hub.Where{Pointer: f.Where.Pointer}
		}
	}
	return err
}

// inPayload is err as the fault of a dead letter: the first fault, with the others in brief, at its place in what the
// sender sent. rec begins at its line and column there.
func inPayload(err error, env *hub.Envelope, rec *hub.Record) *hub.Fault {
	fault := *hub.AsFault(err)
	if all, ok := errors.AsType[hub.Faults](err); ok && len(all) > 0 {
		fault = *all[0]
		fault.Message += others(all[1:])
	}
	w := &fault.Where
	switch {
	case rec.Line == 0:
	case w.Line == 0:
		w.Line, w.Column = rec.Line, rec.Column
	case w.Line == 1:
		w.Line, w.Column = rec.Line, w.Column+max(rec.Column-1, 0)
	default:
		w.Line += rec.Line - 1
	}
	setZero(&w.File, env.Origin)
	return &fault
}

// maxOthers is how many further faults a dead letter names.
const maxOthers = 10

// others names further faults in brief.
func others(fs hub.Faults) string {
	if len(fs) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, " (and %d more:", len(fs))
	for _, f := range fs[:min(len(fs), maxOthers)] {
		fmt.Fprintf(&b, " %s %s;", f.Code, f.Where.Pointer)
	}
	return strings.TrimSuffix(b.String(), ";") + ")"
}
