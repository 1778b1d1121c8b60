package epcisrest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// socketControls are the controls of a subscription by WebSocket, in parameters of the URL or in headers.
type socketControls struct {
	sched         *schedule
	reportIfEmpty bool
	initial       time.Time
}

// socketControlsOf reads them: stream=true, or the fields of a schedule.
func socketControlsOf(r *request, values url.Values) (c socketControls, err error) {
	get := func(name, header string) string {
		if v := values.Get(name); v != "" {
			return v
		}
		return r.Header.Get(header)
	}
	texts := map[string]string{}
	var s schedule
	for _, f := range s.fields() {
		if v := get(f.name, f.header); v != "" {
			texts[f.name] = v
		}
	}
	stream := strings.EqualFold(get("stream", "GS1-Query-Stream"), "true")
	switch {
	case stream && len(texts) > 0:
		return c, badControls("stream", "controls", "stream and a schedule exclude each other", "stream 与 schedule 不能同时使用")
	case !stream && len(texts) == 0:
		return c, badControls("stream", "controls", "neither stream=true nor a schedule is stated", "必须指定 stream=true 或 schedule")
	case !stream:
		if s, err = parseSchedule(texts); err != nil {
			return c, err
		}
		c.sched = &s
	}
	c.reportIfEmpty = strings.EqualFold(get("reportIfEmpty", "GS1-Query-ReportIfEmpty"), "true")
	if text := get("initialRecordTime", "GS1-Query-InitialRecordTime"); text != "" {
		if c.initial, err = epcis.ParseTime(text); err != nil {
			return c, badControls("initialRecordTime", "time", "initialRecordTime is no time with a zone", "initialRecordTime 不是带时区的时间")
		}
	}
	return c, nil
}

// socket is one subscription by WebSocket. It lives as long as its connection and its query.
type socket struct {
	s     *Server
	conn  *websocket.Conn
	feed  feed
	named hub.NamedQuery
	view  view
}

// pingInterval is how often a connection is tried, and its key looked at again.
const pingInterval = 30 * time.Second

// serveSocket upgrades the connection and serves it until either side ends it.
func (s *Server) serveSocket(w http.ResponseWriter, r *request, named hub.NamedQuery, values url.Values, v view) error {
	c, err := socketControlsOf(r, values)
	if err != nil {
		return err
	}
	if err := standing(named.Definition); err != nil {
		return err
	}
	q, err := epcis.ParseQueryJSON(named.Definition)
	if err != nil {
		return err
	}
	k := &socket{s: s, named: named, view: v, feed: feed{s: s, q: &q, view: r.sees()}}
	k.view.format, k.view.media = epcis.JSON, mediaJSON
	if c.initial.IsZero() {
		c.initial = s.Now()
		k.feed.next, err = k.feed.size(r.Context())
	} else {
		k.feed.next, err = s.Size.FirstSince(r.Context(), c.initial)
	}
	if err != nil {
		return err
	}
	w.Header().Set("GS1-Query-Min-Record-Time", stamp(c.initial))
	// Who may subscribe is decided by an API key, which a browser does not add by itself, so any origin may connect.
	if k.conn, err = websocket.Accept(w, r.Request, &websocket.AcceptOptions{OriginPatterns: []string{"*"}}); err != nil {
		s.log.Debug("a WebSocket was not opened", zap.Error(err))
		return nil // Accept has answered
	}
	ctx, cancel := context.WithCancel(k.conn.CloseRead(r.Context()))
	defer cancel()
	go k.watch(ctx, cancel, r.Request)
	k.serve(ctx, c)
	_ = k.conn.Close(websocket.StatusNormalClosure, "the subscription ended") // the client may be gone
	return nil
}

// watch ends the subscription with its query or its key, and keeps the connection alive.
func (k *socket) watch(ctx context.Context, cancel context.CancelFunc, r *http.Request) {
	t := time.NewTicker(pingInterval)
	defer t.Stop()
	for {
		dropped := k.s.delivery.dropped.wait()
		_, err := k.s.Queries.Query(ctx, k.named.Provider, k.named.Name)
		if err == nil {
			_, err = k.s.Authorize(r, hub.ScopeQuery, hub.ScopeAudit)
		}
		if kind := hub.KindOf(err); err != nil && (kind == hub.NotFound || kind == hub.Unauthorized || kind == hub.Forbidden) {
			cancel()
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-k.s.stopped:
			cancel()
			return
		case <-dropped:
		case <-t.C:
			if err := k.conn.Ping(ctx); err != nil {
				cancel()
				return
			}
		}
	}
}

func (k *socket) serve(ctx context.Context, c socketControls) {
	last := k.s.Now()
	for ctx.Err() == nil {
		if c.sched != nil {
			at, ok := c.sched.next(last)
			if !ok || !pause(ctx, max(0, at.Sub(k.s.Now()))) {
				return
			}
			last = at
		}
		recorded := k.s.recording.wait()
		sent, err := k.drain(ctx)
		if err == nil && sent == 0 && c.sched != nil && c.reportIfEmpty {
			err = k.send(ctx, nil)
		}
		if err != nil || c.sched == nil && !k.feed.wait(ctx, recorded) {
			return
		}
	}
}

// drain sends everything that was recorded.
func (k *socket) drain(ctx context.Context) (sent int, err error) {
	until, err := k.feed.size(ctx)
	for err == nil && k.feed.next < until {
		var events []hub.Event
		var next hub.Seq
		if events, next, err = k.feed.read(ctx, until, deliverBatch); err != nil {
			break
		}
		if len(events) > 0 {
			if err = k.send(ctx, events); err != nil {
				break
			}
			sent += len(events)
		}
		k.feed.next = next
	}
	return sent, err
}

func (k *socket) send(ctx context.Context, events []hub.Event) error {
	body, err := k.s.document(events, k.view, &epcis.Header{QueryName: k.named.Name})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTimeout)
	defer cancel()
	return k.conn.Write(ctx, websocket.MessageText, body)
}
