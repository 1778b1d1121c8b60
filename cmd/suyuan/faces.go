package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/epcis/gs1"
	"github.com/suyuan-io/suyuan/hub"
)

// candidates lists the canonical identities that a code's form alone may stand for.
func candidates(code string) []string {
	var out []string
	add := func(id string, err error) {
		if err == nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	if id, ok := gs1.Canonical(code); ok {
		add(id, nil)
	}
	dl, err := gs1.Convert(code, gs1.DigitalLink, gs1.Options{})
	if err == nil {
		id, _ := gs1.Canonical(dl)
		add(id, nil)
	}
	switch len(code) {
	case 8, 12, 13, 14:
		add(gs1.GTIN(code))
	case 18, 20:
		add(gs1.SSCC(code[len(code)-18:]))
	}
	return append(out, code)
}

// intake shows the host to the API.
type intake struct{ h *Hub }

// Receive implements api.Intake.
func (i intake) Receive(w http.ResponseWriter, r *http.Request, id hub.ConnectorID, authorize func(hub.ProviderID) error) error {
	inst, err := i.h.host.Instance(id)
	if err != nil {
		return err
	}
	if k, ok := inst.Options.(connectors.Keyed); ok && k.NeedsKey() {
		if err := authorize(inst.Provider); err != nil {
			return err
		}
	}
	return i.h.host.ServeIn(w, r, id)
}

// Connectors implements api.Intake.
func (i intake) Connectors(only ...hub.ConnectorID) []api.Connector {
	var statuses []connectors.Status
	for _, id := range only {
		if s, err := i.h.host.Status(id); err == nil { // the fault says that there is none
			statuses = append(statuses, s)
		}
	}
	if len(only) == 0 {
		statuses = i.h.host.Statuses()
	}
	out := make([]api.Connector, len(statuses))
	for n, s := range statuses {
		out[n] = connectorOf(s)
	}
	return out
}

func connectorOf(s connectors.Status) api.Connector {
	c := api.Connector{
		ID: s.ID, Provider: s.Provider, Kind: s.Kind, State: s.State.String(), Silent: s.Silent, Position: string(s.Position),
		Items: s.Counts.Items, Records: s.Counts.Records, Refused: s.Counts.Refused, InFlight: s.InFlight,
	}
	if s.LastError != nil {
		c.LastError, c.LastErrorZh = s.LastError.Error(), s.LastError.Zh()
	}
	if s.Tripped != nil {
		c.Tripped, c.TrippedZh, c.TrippedAt = s.Tripped.String(), s.Tripped.Zh(), &s.Tripped.At
	}
	for _, t := range []struct {
		from time.Time
		into **time.Time
	}{{s.LastErrorAt, &c.LastErrorAt}, {s.LastSuccessAt, &c.LastTakenAt}} {
		if !t.from.IsZero() {
			*t.into = &t.from
		}
	}
	return c
}

// Pause implements api.Intake.
func (i intake) Pause(ctx context.Context, id hub.ConnectorID) error { return i.h.host.Pause(ctx, id) }

// Resume implements api.Intake.
func (i intake) Resume(ctx context.Context, id hub.ConnectorID) error {
	return i.h.host.Resume(ctx, id)
}

// Rewind implements api.Rewinder.
func (i intake) Rewind(ctx context.Context, id hub.ConnectorID, to hub.Position) error {
	return i.h.host.SetPosition(ctx, id, to)
}

// setup shows the folder of instance files to the API.
type setup struct{ h *Hub }

// Folder implements api.Setup.
func (s setup) Folder() api.Folder {
	at, faults := s.h.folder.state()
	return api.Folder{AppliedAt: at, Faults: faults}
}

// Files implements api.Setup.
func (s setup) Files(id hub.ConnectorID) map[string]string { return s.h.folder.texts()[id] }

// Latest implements api.Setup.
func (s setup) Latest(ctx context.Context, id hub.ConnectorID, n int) ([]hub.Envelope, error) {
	if _, err := s.h.host.Instance(id); err != nil {
		return nil, err
	}
	items, err := s.h.pipeline.Latest(ctx, id, n)
	out := make([]hub.Envelope, len(items))
	for i, item := range items {
		out[i] = item.Envelope
	}
	return out, err
}

// morgue shows dead letters to the API.
type morgue struct{ h *Hub }

// DeadLetter implements api.Morgue.
func (m morgue) DeadLetter(ctx context.Context, id hub.DeadLetterID) (hub.DeadLetter, error) {
	return m.h.store.DeadLetter(ctx, id)
}

// DeadLetters implements api.Morgue.
func (m morgue) DeadLetters(ctx context.Context, f hub.DeadFilter) ([]hub.DeadLetter, error) {
	return m.h.store.DeadLetters(ctx, f)
}

// Replay implements api.Morgue.
func (m morgue) Replay(ctx context.Context, id hub.DeadLetterID) error {
	return m.h.pipeline.Replay(ctx, id)
}

// Change implements api.Morgue.
func (m morgue) Change(ctx context.Context, id hub.DeadLetterID, c api.Change) error {
	if c.Drop {
		return m.h.pipeline.Drop(ctx, id, c.Note)
	}
	return m.h.pipeline.Edit(ctx, id, c.Body, c.Note)
}

// prover shows the anchor to the API and to pages.
type prover struct{ h *Hub }

// Receipt implements api.Anchors.
func (p *prover) Receipt(ctx context.Context, seq hub.Seq, by ...string) ([]byte, error) {
	r, err := p.h.anchor.Receipt(ctx, seq, by...)
	if err != nil {
		return nil, err
	}
	return anchor.EncodeReceipt(r)
}

// pageProver shows the anchor to pages.
type pageProver struct{ *prover }

// Receipt implements web.Prover.
func (p pageProver) Receipt(ctx context.Context, seq hub.Seq) ([]byte, error) {
	return p.prover.Receipt(ctx, seq)
}

// Consistency implements api.Anchors.
func (p *prover) Consistency(ctx context.Context, from, to uint64) (hub.Consistency, error) {
	return p.h.anchor.Consistency(ctx, from, to)
}

// SealedFrom implements api.Anchors.
func (p *prover) SealedFrom(ctx context.Context, size uint64, limit int) ([]hub.Sealed, error) {
	return p.h.store.SealedFrom(ctx, size, limit)
}

// Trust implements api.Anchors.
func (p *prover) Trust() []byte {
	b := fmt.Appendf(nil, "# The keys of this hub's log and ledgers. Compare them with what the operator tells you by another way.\n"+
		"origin: %s\nkeys:\n  - %s\nhash: %v\n", p.h.anchor.Origin(), p.h.anchor.Key(), p.h.cfg.Anchor.hash())
	b = append(b, p.h.pins()...)
	if q := p.h.cfg.Anchor.Quorum; q > 0 {
		b = fmt.Appendf(b, "require: %d\n", q)
	}
	return b
}

// Key implements web.Prover.
func (p *prover) Key() string { return p.h.anchor.Key().String() }

// Certificate implements web.Prover.
func (p *prover) Certificate(ctx context.Context) (string, time.Time, error) {
	for _, limit := range []int{-1, -8} { // the newest may still be on its way
		sealed, err := p.h.store.SealedFrom(ctx, math.MaxInt64, limit)
		if err != nil {
			return "", time.Time{}, err
		}
		for _, c := range sealed {
			if c.State == hub.StateCommitted {
				return fmt.Sprintf("%s #%d %x", c.Checkpoint.Origin, c.Checkpoint.Size, c.Checkpoint.Root[:8]), c.CommittedAt, nil
			}
		}
	}
	return "", time.Time{}, nil
}

// anchorStatus is what /v1/anchors says of the log as a whole: to everyone, so that it names sizes, ages and costs, and no errors.
func (h *Hub) anchorStatus(ctx context.Context) (api.AnchorStatus, error) {
	st, err := h.anchor.Status(ctx)
	if err != nil {
		return api.AnchorStatus{}, err
	}
	out := api.AnchorStatus{
		Origin: st.Origin, Size: st.Size, Sealed: st.Sealed, Committed: st.Committed,
		OldestUnanchoredSeconds: st.OldestUnanchored.Seconds(), TransactionsPerMillion: st.TransactionsPerMillion,
	}
	for _, l := range st.Ledgers {
		out.Ledgers = append(out.Ledgers, api.LedgerStatus{Name: l.Name, Holds: l.Holds})
	}
	return out, nil
}

// checks runs the readiness checks, in the order in which data flows.
func (h *Hub) checks(ctx context.Context) []api.Check {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	check := func(name string, err error) api.Check {
		if err != nil {
			return api.Check{Name: name, Reason: err.Error(), ReasonZh: hub.AsFault(err).Zh(), Later: h.cfg.later(name, err)}
		}
		return api.Check{Name: name, OK: true}
	}
	out := []api.Check{
		check("stream", h.pipeline.Ready(ctx)), check("store", h.store.Ping(ctx)), check("anchor", h.anchor.Ready()),
	}
	h.index.note(&out[1])
	if st, err := h.anchor.Status(ctx); err == nil {
		out[2].Reason += fmt.Sprintf("log size %d, committed %d", st.Size, st.Committed)
		out[2].ReasonZh += fmt.Sprintf("日志 %d 条，已登记到账本 %d 条", st.Size, st.Committed)
	}
	return out
}

// later reports whether a check that fails leaves the process ready: a load balancer that takes all processes away turns a ledger
// that is down, or a database that is away from those that only take, into an outage of the hub.
func (c *Config) later(check string, err error) bool {
	switch check {
	case "store":
		return c.hasRole(roleIngest) && !c.hasRole(rolePipeline) && !c.hasRole(roleWeb)
	case "anchor":
		return hub.AsFault(err).Code == "anchor.failing" // not an alarm
	}
	return false
}
