package pipeline

import (
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// The stages at which a record can die, as [hub.DeadLetter] names them.
const (
	stageReceive  = "receive"
	stageDecode   = "decode"
	stageMap      = "map"
	stageValidate = "validate"
	stageAppend   = "append"
	stageHandle   = "handle"
)

// deadLetter is the record of from as a dead letter, with everything that is needed to look at it and replay it.
func deadLetter(from origin, stage string, fault *hub.Fault, now time.Time) *hub.DeadLetter {
	env, rec := from.env, from.rec
	return &hub.DeadLetter{
		Record:      hub.RecordRef{Connector: env.Connector, ID: rec.ID},
		Provider:    env.Provider,
		ReceivedAt:  env.ReceivedAt,
		DiedAt:      now.UTC(),
		Attempts:    rec.Attempt + 1,
		Stage:       stage,
		Fault:       *fault,
		ContentType: env.ContentType,
		Origin:      env.Origin,
		Preamble:    env.Preamble,
		Body:        rec.Body,
		Line:        rec.Line,
		Column:      rec.Column,
		State:       hub.DeadWaiting,
	}
}

// begin makes out the outcome of from's record before anything is known of it, in the memory of the one that it was.
func begin(out *hub.Outcome, from origin) {
	env, rec := from.env, from.rec
	raw := out.Raw
	if raw == nil {
		raw = new(hub.RawRecord)
	}
	*raw = hub.RawRecord{
		ContentType: env.ContentType, Origin: env.Origin, Preamble: env.Preamble,
		Body: rec.Body, Line: rec.Line, Column: rec.Column,
	}
	*out = hub.Outcome{
		Record:     hub.RecordRef{Connector: env.Connector, ID: rec.ID},
		Provider:   env.Provider,
		ReceivedAt: env.ReceivedAt,
		RawDigest:  hub.RawDigest(env.Preamble, rec.Body),
		Attempt:    rec.Attempt,
		Events:     out.Events[:0],
		Raw:        raw,
	}
}
