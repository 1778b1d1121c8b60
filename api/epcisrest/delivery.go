package epcisrest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
)

// delivery posts the results of standing queries to their subscribers, one worker a subscription. What is true after a
// crash: a result that was posted and answered with 2xx but not noted is posted again, with the same webhook-id.
type delivery struct {
	s       *Server
	client  *http.Client
	changed chan struct{}
	// dropped tells WebSockets that queries may be gone.
	dropped notifier

	mu      sync.Mutex
	workers map[string]context.CancelFunc
}

const (
	deliverTimeout = 30 * time.Second
	// lookInterval is how often the log and the list of subscriptions are looked at though nobody said that they changed.
	lookInterval = time.Second
	listInterval = 15 * time.Second
	firstBackoff = 500 * time.Millisecond
	lastBackoff  = 5 * time.Minute
	deliverBatch = 100
)

func newDelivery(s *Server) *delivery {
	return &delivery{
		s: s, changed: make(chan struct{}, 1), workers: map[string]context.CancelFunc{},
		client: &http.Client{
			Timeout:       deliverTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     destinations(s.DeliverTo),
		},
	}
}

// change says that subscriptions came or went.
func (d *delivery) change() {
	d.dropped.notify()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// run keeps one worker for every subscription until ctx ends.
func (d *delivery) run(ctx context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	tick := time.NewTicker(listInterval)
	defer tick.Stop()
	for {
		all, err := d.entitled(ctx)
		if err == nil {
			d.reconcile(ctx, all, &workers)
		} else if ctx.Err() == nil {
			d.s.log.Warn("subscriptions cannot be read", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-d.changed:
		case <-tick.C:
		}
	}
}

// entitled lists the subscriptions whose party still has a key that may ask for what they deliver. A subscription outlives the key
// that it was made with, but not the party's last one.
func (d *delivery) entitled(ctx context.Context) ([]hub.Subscription, error) {
	all, err := d.s.Deliveries.AllSubscriptions(ctx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	keys, err := d.s.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(sub hub.Subscription) bool {
		return !slices.ContainsFunc(keys, func(k hub.Key) bool { return maySubscribe(k, sub) })
	}), nil
}

// maySubscribe reports whether a key may ask for what a subscription delivers.
func maySubscribe(k hub.Key, sub hub.Subscription) bool {
	if k.Provider != sub.Provider || !k.RevokedAt.IsZero() {
		return false
	}
	everybody := slices.Contains(k.Scopes, hub.ScopeAdmin) || slices.Contains(k.Scopes, hub.ScopeAudit)
	return everybody || sub.View != "" && slices.Contains(k.Scopes, hub.ScopeQuery)
}

// reconcile starts workers for subscriptions without one and stops those whose subscription is gone.
func (d *delivery) reconcile(ctx context.Context, all []hub.Subscription, workers *sync.WaitGroup) {
	d.mu.Lock()
	defer d.mu.Unlock()
	there := map[string]bool{}
	for _, sub := range all {
		there[sub.ID] = true
		if d.workers[sub.ID] != nil {
			continue
		}
		life, cancel := context.WithCancel(ctx)
		d.workers[sub.ID] = cancel
		workers.Go(func() {
			defer cancel()
			w := subscriber{d: d, sub: sub, batch: deliverBatch, log: d.s.log.With(zap.String("subscription", sub.ID))}
			w.run(life)
		})
	}
	for id, cancel := range d.workers {
		if !there[id] {
			cancel()
			delete(d.workers, id)
		}
	}
}

// feed reads the events of a standing query, each once, in the order of the log.
type feed struct {
	s    *Server
	q    *epcis.Query
	view hub.ProviderID
	next hub.Seq
}

// read returns up to limit events below until and where to go on after them.
func (f *feed) read(ctx context.Context, until hub.Seq, limit int) ([]hub.Event, hub.Seq, error) {
	if f.next >= until {
		return nil, f.next, nil
	}
	page, err := f.s.Events.Find(ctx, f.q, hub.Window{
		Provider: f.view, From: f.next, Until: until, Order: hub.LogOrder, Limit: limit, Budget: pageBudget,
	})
	if err != nil {
		return nil, f.next, err
	}
	if page.Next == nil {
		return page.Events, until, nil
	}
	return page.Events, page.Next.Seq + 1, nil
}

// size is the size of the log.
func (f *feed) size(ctx context.Context) (hub.Seq, error) {
	n, err := f.s.Size.LogSize(ctx)
	return hub.Seq(n), err
}

// wait returns when events may have been recorded, false when ctx ended.
func (f *feed) wait(ctx context.Context, recorded <-chan struct{}) bool {
	t := time.NewTimer(lookInterval)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-recorded:
	case <-t.C:
	}
	return true
}

// subscriber delivers one subscription.
type subscriber struct {
	d     *delivery
	sub   hub.Subscription
	feed  feed
	batch int
	wait  time.Duration // before the next try
	log   *zap.Logger
}

func (w *subscriber) run(ctx context.Context) {
	named, err := w.d.s.Queries.Query(ctx, w.sub.Provider, w.sub.Query)
	var q epcis.Query
	if err == nil {
		q, err = epcis.ParseQueryJSON(named.Definition)
	}
	if err != nil {
		if ctx.Err() == nil {
			w.log.Warn("a subscription cannot be delivered", zap.Error(err))
		}
		return
	}
	w.feed = feed{s: w.d.s, q: &q, view: w.sub.View, next: w.sub.Progress.Next}
	if w.sub.Stream {
		w.stream(ctx)
		return
	}
	sched, err := parseScheduleJSON(w.sub.Schedule)
	if err != nil {
		w.log.Warn("a subscription's schedule cannot be read", zap.Error(err))
		return
	}
	w.scheduled(ctx, sched)
}

// stream delivers events as they are recorded.
func (w *subscriber) stream(ctx context.Context) {
	for ctx.Err() == nil {
		recorded := w.d.s.recording.wait()
		until, err := w.feed.size(ctx)
		if err == nil && w.feed.next < until {
			err = w.pass(ctx, until)
			if err == nil {
				continue
			}
		}
		if err != nil {
			if !w.backOff(ctx, err) {
				return
			}
			continue
		}
		if !w.feed.wait(ctx, recorded) {
			return
		}
	}
}

// scheduled delivers at the times of a schedule. Runs that a stop or a dead destination made impossible become one.
func (w *subscriber) scheduled(ctx context.Context, sched schedule) {
	last := w.sub.CreatedAt
	if t := w.sub.Progress.LastRunAt; t.After(last) {
		last = t
	}
	for {
		at, ok := sched.next(last)
		if !ok || !pause(ctx, max(0, at.Sub(w.d.s.Now()))) {
			return
		}
		if now := w.d.s.Now(); now.After(at) {
			at = now
		}
		until, err := w.feed.size(ctx)
		for err = w.runAt(ctx, at, until, err); err != nil; err = w.runAt(ctx, at, until, nil) {
			if !w.backOff(ctx, err) {
				return
			}
		}
		last = at
	}
}

// runAt is one run of a scheduled query.
func (w *subscriber) runAt(ctx context.Context, at time.Time, until hub.Seq, err error) error {
	if err != nil {
		return err
	}
	before := w.sub.Progress.LastNotifiedAt
	for w.feed.next < until {
		if err := w.pass(ctx, until); err != nil {
			return err
		}
	}
	if w.sub.ReportIfEmpty && w.sub.Progress.LastNotifiedAt.Equal(before) {
		if err := w.post(ctx, nil, fmt.Sprintf("%s-at-%d", w.sub.ID, at.Unix())); err != nil {
			return err
		}
		w.sub.Progress.LastNotifiedAt = w.d.s.Now().UTC()
	}
	w.sub.Progress.LastRunAt = at
	return w.save(ctx)
}

// pass delivers the next batch of events below until, if there are any, and moves on only when it was taken.
func (w *subscriber) pass(ctx context.Context, until hub.Seq) error {
	events, next, err := w.feed.read(ctx, until, w.batch)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		if err := w.post(ctx, events, fmt.Sprintf("%s-%d-%d", w.sub.ID, events[0].Seq, events[len(events)-1].Seq)); err != nil {
			return err
		}
		w.sub.Progress.LastNotifiedAt = w.d.s.Now().UTC()
	}
	w.feed.next, w.sub.Progress.Next = next, next
	if len(events) == 0 && w.sub.Progress.Failures == 0 {
		return nil // nothing worth a write: what did not match does not match again
	}
	w.sub.Progress.Failures, w.sub.Progress.LastError, w.wait = 0, "", 0
	return w.save(ctx)
}

func (w *subscriber) save(ctx context.Context) error {
	return w.d.s.Deliveries.SaveDelivery(ctx, w.sub.ID, w.sub.Progress)
}

// backOff notes a failure and waits, longer each time.
func (w *subscriber) backOff(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	w.d.s.metrics.deliveries.WithLabelValues("failed").Inc()
	w.sub.Progress.Failures++
	w.sub.Progress.LastError = err.Error()
	if w.sub.Progress.Failures == 1 {
		w.log.Warn("a subscriber does not take its events", zap.String("dest", w.sub.Dest), zap.Error(err))
	}
	if err := w.save(ctx); err != nil && ctx.Err() == nil {
		w.log.Warn("a delivery's progress cannot be stored", zap.Error(err))
	}
	w.wait = min(max(2*w.wait, firstBackoff), lastBackoff)
	return pause(ctx, w.wait/2+rand.N(w.wait/2+1)) //nolint:gosec // jitter needs no secrecy
}

// post posts one result. A destination that finds it too large gets half as many events next time.
func (w *subscriber) post(ctx context.Context, events []hub.Event, id string) error {
	v := view{format: epcis.JSON, media: mediaJSON, epcs: w.sub.Format}
	media := mediaJSON
	body, err := w.d.s.document(events, v, &epcis.Header{QueryName: w.sub.Query, SubscriptionID: w.sub.ID})
	if err != nil { // what went wrong here is told in the words that an answer would have
		media = "application/problem+json"
		if body, err = json.Marshal(problemOf(err)); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.sub.Dest, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", media)
	req.Header.Set("User-Agent", "suyuan/"+w.d.s.Version)
	w.d.s.stateVersions(req.Header)
	req.Header.Set("GS1-EPC-Format", w.sub.Format)
	sign(req.Header, w.sub.Secret, id, w.d.s.Now(), body)
	res, err := w.d.client.Do(req)
	if err != nil {
		return unreached(err)
	}
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	_ = res.Body.Close()
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		w.d.s.metrics.deliveries.WithLabelValues("delivered").Inc()
		return nil
	case res.StatusCode == http.StatusRequestEntityTooLarge && len(events) > 1:
		w.batch, w.wait = len(events)/2, 0
	}
	return hub.Faultf(hub.Unavailable, "subscription.answer", "the destination answered %d", res.StatusCode)
}

// sign signs a result as Standard Webhooks does: HMAC-SHA256 of "id.timestamp.body" under the subscriber's token, in the
// header that EPCIS names. A token that begins with whsec_ is base64, any other is taken as it is.
func sign(h http.Header, secret, id string, now time.Time, body []byte) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", stamp)
	if secret == "" {
		return
	}
	key := []byte(secret)
	if text, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil {
			key = raw
		}
	}
	m := hmac.New(sha256.New, key)
	_, _ = io.WriteString(m, id+"."+stamp+".") // a hash never fails
	_, _ = m.Write(body)
	signature := "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
	h.Set("GS1-Signature", signature)
	h.Set("Webhook-Signature", signature)
}
