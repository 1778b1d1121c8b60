package pipeline

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// Replay sends a dead letter the way of its record once more, as it is stored now. It returns when the record is in the
// raw stream again, not when it is recorded. Faults: NotFound, Conflict for a letter that is resolved or dropped, that
// changed meanwhile, or that holds only a part of its record, Unavailable.
//
// A crash after the letter is marked leaves it Replaying: Run takes it up again. A crash after the publish leaves the
// record in the stream, where its outcome resolves or refreshes the letter. Twice in the stream is harmless.
func (p *Pipeline) Replay(ctx context.Context, id hub.DeadLetterID) error {
	d, err := p.deps.Morgue.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	was := d.State
	switch was {
	case hub.DeadWaiting, hub.DeadReplaying:
	case hub.DeadResolved, hub.DeadDropped:
		f := hub.Faultf(hub.Conflict, "dead-letter.state", "dead letter %d is %s, only a waiting one can be replayed", id, was)
		f.MessageZh = fmt.Sprintf("死信 %d 已处理，只能重放等待中的死信", id)
		return f
	}
	if d.Stage == stageReceive && d.Note == "" {
		f := hub.Faultf(hub.Conflict, "dead-letter.incomplete", "dead letter %d holds only the beginning of its record", id).
			WithHint("have its sender send it again within the limit, or edit the letter to hold the whole record")
		f.MessageZh, f.HintZh = fmt.Sprintf("死信 %d 只保存了记录的开头", id), "请让发送方在限额内重新发送，或将死信编辑为完整的记录"
		return f
	}
	d.State = hub.DeadReplaying
	if err := p.deps.Morgue.UpdateDeadLetter(ctx, d, was); err != nil {
		return err
	}
	if d.Record.Connector == FrameConnector {
		err = p.replayFrame(ctx, d)
	} else {
		err = p.Publish(ctx, envelopeOf(d))
	}
	if err != nil {
		return p.putBack(ctx, d, err)
	}
	return nil
}

// envelopeOf is d as it goes into the raw stream again: the same record, one attempt later.
func envelopeOf(d hub.DeadLetter) hub.Envelope {
	return hub.Envelope{
		Connector: d.Record.Connector, Provider: d.Provider, ReceivedAt: d.ReceivedAt,
		ContentType: d.ContentType, Origin: d.Origin, Preamble: d.Preamble,
		Records: []hub.Record{{ID: d.Record.ID, Body: d.Body, Line: d.Line, Column: d.Column, Attempt: max(d.Attempts, 1)}},
	}
}

// replayFrame publishes the envelopes of a frame that could not be read before, and resolves its letter: no outcome will.
func (p *Pipeline) replayFrame(ctx context.Context, d hub.DeadLetter) error {
	envelopes, err := DecodeFrame(d.Body, frameCeiling)
	if err != nil {
		return err
	}
	if err := p.Publish(ctx, envelopes...); err != nil {
		return err
	}
	d.State = hub.DeadResolved
	return p.deps.Morgue.UpdateDeadLetter(ctx, d, hub.DeadReplaying)
}

// putBack marks d as waiting again after its replay failed with err, and returns err. The caller's context may be over.
func (p *Pipeline) putBack(ctx context.Context, d hub.DeadLetter, err error) error {
	d.State = hub.DeadWaiting
	if back := p.deps.Morgue.UpdateDeadLetter(context.WithoutCancel(ctx), d, hub.DeadReplaying); back != nil {
		return errors.Join(err, back)
	}
	return err
}

// ReplayAll replays every dead letter that f selects, page after page, and returns how many. f.State must be zero or
// [hub.DeadWaiting]; f.Limit is the size of a page. A letter that cannot be replayed any more is skipped; an Unavailable
// fault ends the replay.
func (p *Pipeline) ReplayAll(ctx context.Context, f hub.DeadFilter) (int, error) {
	if f.State != 0 && f.State != hub.DeadWaiting {
		return 0, hub.Faultf(hub.Invalid, "dead-letter.state", "dead letters that are %s cannot be replayed", f.State)
	}
	return p.replayEach(ctx, f)
}

func (p *Pipeline) replayEach(ctx context.Context, f hub.DeadFilter) (replayed int, err error) {
	for {
		page, err := p.deps.Morgue.DeadLetters(ctx, f)
		if err != nil || len(page) == 0 {
			return replayed, err
		}
		for i := range page {
			f.After = page[i].ID
			switch err := p.Replay(ctx, page[i].ID); hub.KindOf(err) {
			case hub.Conflict, hub.NotFound: // somebody was faster
			case hub.Invalid, hub.TooLarge: // a frame that still cannot be read, a limit that shrank
				p.deps.Log.Warn("a dead letter cannot be replayed", zap.Uint64("id", uint64(page[i].ID)), zap.Error(err))
			default:
				if err != nil {
					return replayed, err
				}
				replayed++
			}
		}
	}
}

// resume takes up replays that a crash interrupted between marking the letter and publishing its record.
func (p *Pipeline) resume(ctx context.Context) {
	n, err := p.replayEach(ctx, hub.DeadFilter{State: hub.DeadReplaying})
	if err != nil && ctx.Err() == nil {
		p.deps.Log.Warn("cannot resume the replays that were interrupted", zap.Error(err))
	}
	if n > 0 {
		p.deps.Log.Info("resumed replays that were interrupted", zap.Int("count", n))
	}
}

// Edit replaces the body of a waiting dead letter, for a record that its sender cannot send again; note says why, "edited"
// when it is empty. Faults as for Replay.
func (p *Pipeline) Edit(ctx context.Context, id hub.DeadLetterID, body []byte, note string) error {
	setZero(&note, "edited") // a letter with a note was looked at
	if len(body) > p.limit {
		return hub.Faultf(hub.TooLarge, "record.too-large", "the body has %d bytes, at most %d are allowed", len(body), p.limit)
	}
	return p.change(ctx, id, func(d *hub.DeadLetter) { d.Body, d.Note = body, note })
}

// Drop gives a waiting dead letter up; it stays listed with the reason. Faults as for Replay.
func (p *Pipeline) Drop(ctx context.Context, id hub.DeadLetterID, reason string) error {
	return p.change(ctx, id, func(d *hub.DeadLetter) { d.State, d.Note = hub.DeadDropped, reason })
}

// change applies edit to a waiting dead letter.
func (p *Pipeline) change(ctx context.Context, id hub.DeadLetterID, edit func(*hub.DeadLetter)) error {
	d, err := p.deps.Morgue.DeadLetter(ctx, id)
	if err != nil {
		return err
	}
	if d.State != hub.DeadWaiting {
		return hub.Faultf(hub.Conflict, "dead-letter.state", "dead letter %d is %s, only a waiting one can be changed", id, d.State)
	}
	edit(&d)
	return p.deps.Morgue.UpdateDeadLetter(ctx, d, hub.DeadWaiting)
}
