package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

const tracerName = "github.com/suyuan-io/suyuan/pipeline"

// handler turns a frame into outcomes.
type handler struct {
	normaliser Normaliser
	slots      chan struct{} // one for each processor: frames share them
	log        *zap.Logger
	metrics    *metrics
	now        func() time.Time
	tracer     trace.Tracer
}

// room is the memory of one frame: where it is unpacked, and what becomes of its records. It is megabytes, which the collector and
// the kernel would have to clear for every frame.
type room struct {
	unpacked []byte
	batch    batch
}

//nolint:gochecknoglobals // a pool of scratch space
var rooms = sync.Pool{New: func() any { return new(room) }}

// handle decodes a frame, normalises its records and has them appended. It returns when they are recorded.
func (h *handler) handle(msg *message.Message) error {
	r, _ := rooms.Get().(*room)
	envelopes, err := decodeFrame(msg.Payload, frameCeiling, &r.unpacked)
	if err != nil {
		return err
	}
	r.batch.index(envelopes)
	h.metrics.consumed.Add(float64(len(r.batch.origins)))
	defer h.continueTraces(msg.Context(), envelopes)()
	h.normalise(r.batch)
	if err := turnOf(msg.Context()).submit(msg.Context(), r.batch); err != nil {
		return err // the append may go on
	}
	rooms.Put(r)
	return nil
}

// index lays the records of envelopes out in order, with outcomes to be set.
func (b *batch) index(envelopes []hub.Envelope) {
	b.origins = b.origins[:0]
	for i := range envelopes {
		for j := range envelopes[i].Records {
			b.origins = append(b.origins, origin{&envelopes[i], &envelopes[i].Records[j]})
		}
	}
	all, n := b.outcomes[:cap(b.outcomes)], len(b.origins)
	if len(all) < n {
		all = append(all, make([]hub.Outcome, n-len(all))...)
	}
	b.outcomes = all[:n]
}

// share is how many records one worker takes at a time.
const share = 16

// normalise fills in b's outcomes. Records of one frame are normalised side by side, up to one a processor over all
// frames; each outcome stands where its record stands.
func (h *handler) normalise(b batch) {
	var taken atomic.Int64
	work := func() {
		h.slots <- struct{}{}
		defer func() { <-h.slots }()
		for {
			end := int(taken.Add(share))
			for i := end - share; i < min(end, len(b.origins)); i++ {
				h.one(b.origins[i], &b.outcomes[i])
			}
			if end >= len(b.origins) {
				return
			}
		}
	}
	var others sync.WaitGroup
	for range min(cap(h.slots), (len(b.origins)+share-1)/share) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

// one normalises one record. A panic costs that record only.
func (h *handler) one(from origin, o *hub.Outcome) {
	defer func() {
		if r := recover(); r != nil {
			h.metrics.panics.Inc()
			h.log.Error("panic while normalising a record", zap.String("connector", string(from.env.Connector)),
				zap.String("record", string(from.rec.ID)), zap.Any("panic", r), zap.ByteString("stack", debug.Stack()))
			begin(o, from)
			o.Dead = deadLetter(from, stageHandle, hub.Faultf(hub.Internal, "internal.panic", "the hub failed on this record: %v", r).
				WithHint("this is a defect of the hub: report it, and replay the record after an upgrade"), h.now())
		}
	}()
	h.normaliser.Normalise(from.env, from.rec, o)
}

// observe is the outermost middleware: a span and a correlation id a frame, and its turn given up whatever happens.
func (h *handler) observe(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		defer turnOf(msg.Context()).release()
		ctx, span := h.tracer.Start(msg.Context(), "suyuan.pipeline.frame", trace.WithSpanKind(trace.SpanKindConsumer),
			trace.WithAttributes(
				attribute.String("messaging.message.id", msg.UUID),
				attribute.Int("messaging.message.body.size", len(msg.Payload)),
			))
		defer span.End()
		msg.SetContext(ctx)
		middleware.SetCorrelationID(streamName+"/"+msg.UUID, msg)
		out, err := next(msg)
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return out, err
	}
}

// continueTraces continues the trace that brought each envelope with a span that lasts until its outcomes are recorded
// and is linked to the frame's. The function that it returns ends them.
func (h *handler) continueTraces(ctx context.Context, envelopes []hub.Envelope) (end func()) {
	frame := trace.SpanFromContext(ctx)
	if !frame.IsRecording() {
		return func() {}
	}
	var spans []trace.Span
	for i := range envelopes {
		env := &envelopes[i]
		if env.TraceParent == "" {
			continue
		}
		carrier := propagation.MapCarrier{"traceparent": env.TraceParent}
		_, span := h.tracer.Start(propagation.TraceContext{}.Extract(context.Background(), carrier), "suyuan.pipeline.records",
			trace.WithLinks(trace.Link{SpanContext: frame.SpanContext()}),
			trace.WithAttributes(
				attribute.String("suyuan.connector", string(env.Connector)),
				attribute.String("suyuan.provider", string(env.Provider)),
				attribute.Int("suyuan.records", len(env.Records)),
			))
		spans = append(spans, span)
	}
	return func() {
		for _, s := range spans {
			s.End()
		}
	}
}

// The metadata in which a failed frame carries its fault to the undertaker.
const (
	metaFaultCode = "fault_code"
	metaFaultText = "fault_text"
)

// noteFault writes the fault of a frame that will not be handled into its metadata, because the poison queue passes on
// only the message.
func noteFault(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		out, err := next(msg)
		if permanent(err) {
			code, text := "internal.panic", fmt.Sprint(err)
			if f := hub.AsFault(err); f.Kind != hub.Internal {
				code, text = f.Code, f.Error()
			}
			msg.Metadata.Set(metaFaultCode, code)
			msg.Metadata.Set(metaFaultText, text)
		}
		return out, err
	}
}
