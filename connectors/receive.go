package connectors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// ServeIn takes one request for the instance id: it authenticates and reads it, makes its records durable, and only then
// answers. When it returns nil the answer has been written; otherwise nothing has, apart from headers, and the caller
// writes the problem details of the error, a [hub.Fault] or a [Refusal] around one:
//
// A request whose path ends in ID/token is for the instance's [TokenIssuer].
//
//	404 no such instance, or it is none that receives     410 it is retired
//	401 bad signature    400 bad request    405 method    408 slow body    413 too large    415 media type or encoding
//	429 over the rate or in-flight limit, or the hub serves too many requests, with Retry-After and mostly the body unread
//	503 paused, or the stream cannot take it, with Retry-After: nothing is known to be durable, send it again
func (h *Host) ServeIn(w http.ResponseWriter, req *http.Request, id hub.ConnectorID) error {
	r, err := h.runner(id)
	if err != nil {
		return err
	}
	answer, err := r.take(w, req)
	if err != nil {
		return r.refuse(w, err)
	}
	header := w.Header()
	for name, values := range answer.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	values := []string{answer.ContentType, strconv.Itoa(len(answer.Body))}
	if answer.ContentType != "" {
		header["Content-Type"] = values[:1:1]
	}
	if len(answer.Body) > 0 { // a longer answer would be sent in chunks
		header["Content-Length"] = values[1:]
	}
	w.WriteHeader(answer.Status)
	if _, err := w.Write(answer.Body); err != nil { // the sender is gone; its records are durable and it will repeat
		r.log.Debug("answer not delivered", zap.Error(err))
	}
	return nil
}

// refuse counts a refused request and sets the headers of its refusal.
func (r *runner) refuse(w http.ResponseWriter, err error) error {
	var refusal *Refusal
	if asRefusal(err, &refusal) {
		maps.Copy(w.Header(), refusal.Header)
	}
	limited := refusal != nil && refusal.Status == http.StatusTooManyRequests
	r.board.change(func(s *Status) {
		if limited {
			s.Counts.Limited++
			return
		}
		s.Counts.Refused++
	})
	if !limited {
		r.board.failed(err)
	}
	return err
}

// take does the whole way of one request up to its answer.
func (r *runner) take(w http.ResponseWriter, req *http.Request) (Answer, error) {
	if err := r.open(); err != nil {
		return Answer{}, err
	}
	slot, err := r.enter()
	if err != nil {
		r.host.answerFirst(w, req)
		return Answer{}, err
	}
	defer r.leave(slot)
	body, err := r.host.limitBody(w, req, bound{int64(r.inst.Limits.Body), slot})
	if err != nil {
		return Answer{}, err
	}
	defer body.release()
	if strings.HasSuffix(req.URL.Path, "/"+string(r.inst.ID)+"/token") {
		return r.token(req)
	}
	reception, err := r.receiver.Receive(req)
	if err != nil {
		return Answer{}, err
	}
	envelopes, ids, err := r.envelopes(req, reception.Items)
	if err != nil {
		return Answer{}, err
	}
	if err := r.admit(req.Context(), len(ids)); err != nil {
		return Answer{}, err
	}
	defer r.dismiss(len(ids))
	if len(envelopes) > 0 {
		if err := r.publish(req.Context(), envelopes); err != nil {
			return Answer{}, err
		}
	}
	if reception.Answer.Status != 0 {
		return reception.Answer, nil
	}
	return r.accepted(ids), nil
}

// worthReading is how large a body may be for its connection to be worth more than the time to read it away.
const worthReading = 256 << 10

// answerFirst has a request that is refused unread answered before its body is read away, which net/http does first by
// default. Whoever writes the answer flushes it and reads the body away afterwards, as far as that is worth it; a longer body ends
// the connection.
func (h *Host) answerFirst(w http.ResponseWriter, req *http.Request) {
	conn := http.NewResponseController(w)
	_ = errors.Join(conn.EnableFullDuplex(), conn.SetReadDeadline(time.Now().Add(h.cfg.BodyTime)))
	if req.ContentLength < 0 || req.ContentLength > worthReading {
		w.Header().Set("Connection", "close")
	}
}

// token answers a request for a token. A refusal in the protocol's own words counts as one.
func (r *runner) token(req *http.Request) (Answer, error) {
	issuer, ok := r.receiver.(TokenIssuer)
	if !ok {
		f := hub.Faultf(hub.NotFound, "connector.no-tokens", "this connector gives no tokens")
		f.MessageZh = "此连接器不签发令牌"
		return Answer{}, f
	}
	answer, err := issuer.Token(req)
	if answer.Status >= http.StatusBadRequest {
		r.board.change(func(s *Status) { s.Counts.Refused++ })
	}
	return answer, err
}

// open refuses what the instance's state does not allow.
func (r *runner) open() error {
	switch r.board.state() {
	case StateReceiving:
		return nil
	case StateRetired:
		return &Refusal{http.StatusGone, nil, &hub.Fault{
			Kind: hub.NotFound, Code: "connector.retired",
			Message: "this connector is retired, stop sending to it", MessageZh: "此连接器已停用，请勿再发送",
		}}
	case StatePaused, StateStopped:
		return tryLater(http.StatusServiceUnavailable, time.Minute, &hub.Fault{
			Code: "connector.paused", Message: "this connector is paused", MessageZh: "此连接器已暂停",
		})
	default:
		return &hub.Fault{
			Kind: hub.NotFound, Code: "connector.not-pushed",
			Message: "this connector reads its source by itself, nothing can be sent to it", MessageZh: "此连接器自行读取数据源，不能向其发送",
		}
	}
}

// envelopes cuts the items into records. One record over the limit refuses the whole request: its sender is there to
// mend it, and half a request is hard to send again.
func (r *runner) envelopes(req *http.Request, items []Item) ([]hub.Envelope, []hub.RecordID, error) {
	t := &taking{head: hub.Envelope{
		Connector: r.inst.ID, Provider: r.inst.Provider, ReceivedAt: r.host.cfg.Now().UTC(), TraceParent: traceParent(req),
	}}
	t.envelopes, t.ids = t.envelope[:0], t.id[:0]
	c := cutter{splitter: r.inst.Splitter, limit: int(r.inst.Limits.Record)}
	for i := range items {
		t.head.ContentType, t.head.Origin, t.size = items[i].ContentType, items[i].Origin, len(items[i].Body)
		if err := c.bytes(items[i].ID, items[i].Body, t.add); err != nil {
			return nil, nil, err
		}
	}
	return t.envelopes, t.ids, nil
}

// maxGuess is how many records there is room made for on the word of the first.
const maxGuess = 256

// taking is the records of one request, and room for the one that most requests hold.
type taking struct {
	head      hub.Envelope // of the item that is being cut
	size      int          // of that item, in bytes
	envelopes []hub.Envelope
	ids       []hub.RecordID

	envelope [1]hub.Envelope
	record   [1]hub.Record
	id       [1]hub.RecordID
}

// add puts a record into the last envelope, or begins another.
func (t *taking) add(c cut) error {
	if c.record.Refused != nil {
		return c.record.Refused
	}
	t.ids = append(t.ids, c.record.ID)
	n := len(t.envelopes)
	if n > 0 && t.envelopes[n-1].ContentType == t.head.ContentType && bytes.Equal(t.envelopes[n-1].Preamble, c.preamble) {
		records := t.envelopes[n-1].Records
		if len(records) == 1 { // the others are about as long as the first
			more := min(t.size/max(len(records[0].Body), 1), maxGuess)
			records, t.ids = slices.Grow(records, more), slices.Grow(t.ids, more)
		}
		t.envelopes[n-1].Records = append(records, c.record)
		return nil
	}
	t.head.Preamble = c.preamble
	t.envelopes = append(t.envelopes, t.head)
	var records []hub.Record
	if n == 0 {
		records = t.record[:0]
	}
	t.envelopes[n].Records = append(records, c.record)
	return nil
}

// publish makes the records durable. A sender that hangs up does not stop it: what is on its way is let through.
func (r *runner) publish(ctx context.Context, envelopes []hub.Envelope) error {
	err := r.host.cfg.Publisher.Publish(context.WithoutCancel(ctx), envelopes...)
	if err == nil {
		records, size := 0, 0
		for i := range envelopes {
			records += len(envelopes[i].Records)
			for j := range envelopes[i].Records {
				size += len(envelopes[i].Records[j].Body)
			}
		}
		r.board.published(1, records, size)
		return nil
	}
	if itemsOwn(err) {
		return err
	}
	code := "stream.unavailable"
	if f := hub.AsFault(err); f.Kind == hub.Unavailable { // a full disk, a full stream and a timeout are to be told apart
		code = f.Code
	}
	return tryLater(http.StatusServiceUnavailable, time.Second, &hub.Fault{
		Code: code, Message: "the records could not be made durable", MessageZh: "记录未能持久保存", Err: err,
	})
}

// accepted is the host's own answer: {"accepted":N,"records":[{"id":…,"status":…},…]}.
func (r *runner) accepted(ids []hub.RecordID) Answer {
	b := make([]byte, 0, 64+len(ids)*128)
	b = strconv.AppendInt(append(b, `{"accepted":`...), int64(len(ids)), 10)
	b = append(b, `,"records":[`...)
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(append(b, `{"id":`...), string(id))
		b = append(append(append(b, `,"status":"/v1/records/`...), r.inst.ID...), '/')
		for j := range len(id) {
			b = append(b, inPath[id[j]]...)
		}
		b = append(b, `"}`...)
	}
	return Answer{Status: http.StatusAccepted, ContentType: "application/json", Body: append(b, "]}\n"...)}
}

// inPath are the bytes of an id as they stand in a path.
//
//nolint:gochecknoglobals // read-only table
var inPath = func() (all [256]string) {
	for c := range all {
		all[c] = url.PathEscape(string([]byte{byte(c)}))
	}
	return all
}()

// appendJSON appends s as a JSON string.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // cannot happen: a string marshals
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// traceParent returns the W3C trace context that the request is part of: that of the span around it, or what its sender
// stated.
func traceParent(r *http.Request) string {
	ctx, w3c := r.Context(), propagation.TraceContext{}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		if len(r.Header["Traceparent"]) == 0 { // most senders trace nothing
			return ""
		}
		ctx = w3c.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	carrier := propagation.MapCarrier{}
	w3c.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}
