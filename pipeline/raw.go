package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/suyuan-io/suyuan/hub"
)

// RawFilter selects raw records that are still in the stream. Zero fields select everything.
type RawFilter struct {
	// Connector selects the envelopes of one instance.
	Connector hub.ConnectorID
	// From is the first sequence, Since the earliest time at which a frame was written; the later of the two counts.
	From  uint64
	Since time.Time
}

// RawItem is one envelope of the raw stream and where it stands.
type RawItem struct {
	Sequence uint64
	hub.Envelope
}

// Raw calls yield for every envelope that f selects, oldest first, up to what is in the stream when Raw is called. An
// error of yield ends it and is returned. A frame that cannot be read is left out: it is a dead letter.
func (p *Pipeline) Raw(ctx context.Context, f RawFilter, yield func(RawItem) error) error {
	return p.rawFrames(ctx, f, func(seq uint64, envelopes []hub.Envelope) error {
		for i := range envelopes {
			if err := yield(RawItem{seq, envelopes[i]}); err != nil {
				return err
			}
		}
		return nil
	})
}

// rawFrames calls yield for the envelopes of each frame that f selects.
func (p *Pipeline) rawFrames(ctx context.Context, f RawFilter, yield func(uint64, []hub.Envelope) error) error {
	info, err := p.link.stream.Info(ctx)
	if err != nil {
		return unreadable(err)
	}
	last := info.State.LastSeq
	if info.State.Msgs == 0 || f.From > last {
		return nil
	}
	consumer, err := p.link.js.OrderedConsumer(ctx, streamName, rawConsumer(f, info.State.FirstSeq))
	if err != nil {
		return unreadable(err)
	}
	if ci := consumer.CachedInfo(); ci != nil && ci.NumPending == 0 {
		return nil
	}
	it, err := consumer.Messages(jetstream.PullMaxBytes(p.cfg.InFlight))
	if err != nil {
		return fmt.Errorf("read the raw stream: %w", err)
	}
	defer it.Stop()
	for {
		frame, meta, err := nextRaw(ctx, it)
		if err != nil || meta.Sequence.Stream > last {
			return err
		}
		if envelopes, err := DecodeFrame(frame, frameCeiling); err == nil {
			if err := yield(meta.Sequence.Stream, selectEnvelopes(envelopes, f.Connector)); err != nil {
				return err
			}
		}
		if meta.NumPending == 0 {
			return nil
		}
	}
}

// unreadable is the fault of a raw stream that gives no answer.
func unreadable(err error) *hub.Fault {
	f := hub.Faultf(hub.Unavailable, "pipeline.raw-failed", "the raw stream does not answer").Because(err).
		WithHint("ask again in a moment; if it stays so, the hub's log says why: often a full disk, or a cluster that is not reached")
	f.MessageZh, f.HintZh = "原始数据流没有响应", "请稍后重试；若仍无响应，请查看平台日志，常见原因是磁盘已满或连不上集群"
	return f
}

func nextRaw(ctx context.Context, it jetstream.MessagesContext) ([]byte, *jetstream.MsgMetadata, error) {
	m, err := it.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, nil, unreadable(err)
	}
	meta, err := m.Metadata()
	if err != nil {
		return nil, nil, fmt.Errorf("read the raw stream: %w", err)
	}
	return m.Data(), meta, nil
}

// rawConsumer reads from the later of f.From and f.Since.
func rawConsumer(f RawFilter, first uint64) jetstream.OrderedConsumerConfig {
	c := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(f.From, first, 1)}
	if f.Connector != "" {
		c.FilterSubjects = []string{rawSubject("*", string(f.Connector)), rawSubject("*", mixed)}
	}
	if f.From == 0 && !f.Since.IsZero() {
		since := f.Since
		c.DeliverPolicy, c.OptStartSeq, c.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &since
	}
	return c
}

func selectEnvelopes(envelopes []hub.Envelope, c hub.ConnectorID) []hub.Envelope {
	if c == "" {
		return envelopes
	}
	kept := envelopes[:0]
	for i := range envelopes {
		if envelopes[i].Connector == c {
			kept = append(kept, envelopes[i])
		}
	}
	return kept
}

// Latest returns the newest n records of a connector that are still in the stream, oldest first, each in an envelope of
// its own: what a preview maps. It reads backwards in growing steps, so that it costs about n records however long the
// stream is.
func (p *Pipeline) Latest(ctx context.Context, connector hub.ConnectorID, n int) ([]RawItem, error) {
	info, err := p.link.stream.Info(ctx)
	if err != nil {
		return nil, unreadable(err)
	}
	for span := uint64(16); ; span *= 4 {
		from := info.State.FirstSeq
		if info.State.LastSeq > from+span {
			from = info.State.LastSeq - span
		}
		var found []RawItem
		err := p.Raw(ctx, RawFilter{Connector: connector, From: from}, func(item RawItem) error {
			for i := range item.Records {
				one := item
				one.Records = item.Records[i : i+1 : i+1]
				found = append(found, one)
			}
			found = found[max(0, len(found)-n):]
			return nil
		})
		if err != nil || len(found) >= n || from == info.State.FirstSeq {
			return found, err
		}
	}
}

// RawReplay is what ReplayRaw did.
type RawReplay struct {
	Frames, Records int
	Verdicts        map[hub.Verdict]int
	// Last is the last sequence that was read: resume after it.
	Last uint64
}

// ReplayRaw normalises again what f selects and appends the outcomes, while Run goes on or not. What is recorded already
// is Repeated and stays as it is; a record that is a dead letter is resolved if it can be recorded now. It returns what it
// did also when it ends early.
func (p *Pipeline) ReplayRaw(ctx context.Context, f RawFilter) (RawReplay, error) {
	done := RawReplay{Verdicts: make(map[hub.Verdict]int)}
	counter := &countingAppender{p.deps.Appender, done.Verdicts}
	group := newAppendGroup(counter, p.cfg.Batch, p.deps.Log, p.metrics, p.deps.Now)
	h := &handler{
		normaliser: p.deps.Normaliser, slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
		log: p.deps.Log, metrics: p.metrics, now: p.deps.Now,
	}
	var b batch
	err := p.rawFrames(ctx, f, func(seq uint64, envelopes []hub.Envelope) error {
		b.index(envelopes)
		for i := range b.origins {
			b.origins[i].rec.Attempt++
		}
		h.normalise(b)
		if err := group.record(ctx, b); err != nil {
			return errors.Join(err, ctx.Err())
		}
		done.Frames, done.Records, done.Last = done.Frames+1, done.Records+len(b.origins), seq
		return nil
	})
	return done, err
}

// countingAppender counts the verdicts of appends that succeeded.
type countingAppender struct {
	Appender
	verdicts map[hub.Verdict]int
}

// Append implements [Appender].
func (c *countingAppender) Append(ctx context.Context, outcomes []hub.Outcome) ([]hub.Verdict, error) {
	verdicts, err := c.Appender.Append(ctx, outcomes)
	for _, v := range verdicts {
		c.verdicts[v]++
	}
	return verdicts, err
}
