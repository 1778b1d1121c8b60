package epcisconformance_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

var captureIDs = regexp.MustCompile(`"captureID":\s*"([^"]+)"`)

// matching has no lines of its own in the checklist: what Q3 to Q8 say is in querying.
func matching() []line { return nil }

func resources() []line {
	return []line{
		{"T1", "top-level resources list what there is, in pages", func(c *client) error {
			if err := c.captured(c.event(map[string]any{
				"eventID": c.id("t1"), "epcList": []string{c.epc("t1a"), c.epc("t1b"), c.epc("t1c")}, "disposition": "in_transit",
				"readPoint": map[string]any{"id": c.place("t1-read")}, "bizLocation": map[string]any{"id": c.place("t1-biz")},
			})); err != nil {
				return err
			}
			link := "https://id.gs1.org/01/10614141073464/21/" + c.run + "t1"
			return first(c.lists("/eventTypes", "ObjectEvent", "AggregationEvent", "AssociationEvent", "TransactionEvent", "TransformationEvent"),
				c.lists("/epcs", link+"a", link+"b", link+"c"), c.lists("/bizSteps", "shipping"), c.lists("/dispositions", "in_transit"),
				c.lists("/readPoints", c.place("t1-read")), c.lists("/bizLocations", c.place("t1-biz")))
		}},
		{"T2", "GET /epcs/{epc} has events; unknown is 404", func(c *client) error {
			for _, path := range []string{"/epcs/" + pathEsc(c.epc("t1a")), "/epcs/" + pathEsc("https://id.gs1.org/01/10614141073464/21/"+c.run+"t1a"),
				"/eventTypes/ObjectEvent", "/bizSteps/shipping", "/dispositions/in_transit", "/readPoints/" + pathEsc(c.place("t1-read")), "/bizLocations/" + pathEsc(c.place("t1-biz"))} {
				r, err := c.want(http.StatusOK, http.MethodGet, path, nil)
				if err != nil {
					return err
				}
				if m := r.json(); m["type"] != "Collection" || !slices.Contains(m["member"].([]any), any("events")) {
					return fmt.Errorf("%s: %s", path, r.body)
				}
			}
			return first(c.refused(404, "NoSuchNameException", http.MethodGet, "/epcs/"+pathEsc(c.epc("never")), nil),
				c.refused(404, "NoSuchNameException", http.MethodGet, "/bizLocations/"+pathEsc(c.place("never")), nil))
		}},
		{"T3", "the events of each top-level resource", func(c *client) error {
			only := "EQ_eventID=" + esc(c.id("t1"))
			for _, path := range []string{"/epcs/" + pathEsc(c.epc("t1b")), "/eventTypes/ObjectEvent", "/bizSteps/shipping", "/bizSteps/" + pathEsc("https://ref.gs1.org/cbv/BizStep-shipping"),
				"/dispositions/in_transit", "/readPoints/" + pathEsc(c.place("t1-read")), "/bizLocations/" + pathEsc(c.place("t1-biz"))} {
				if err := first(c.findsAt(path+"/events", only, "t1"), c.findsAt(path+"/events", only+"&EQ_action=DELETE")); err != nil {
					return err
				}
			}
			return first(c.refused(400, "QueryParameterException", http.MethodGet, "/bizSteps/shipping/events?EQ_bizStep=packing", nil),
				c.refused(400, "QueryParameterException", http.MethodGet, "/bizSteps/shipping/events?nonsense=1", nil))
		}},
	}
}

// lists checks that a collection has members, following its pages.
func (c *client) lists(path string, members ...string) error {
	var all []any
	for next := path + "?perPage=7"; next != ""; {
		r, err := c.want(http.StatusOK, http.MethodGet, next, nil)
		if err != nil {
			return err
		}
		m := r.json()
		page, ok := m["member"].([]any)
		if !ok || m["type"] != "Collection" || m["@context"] == nil || len(page) > 7 {
			return fmt.Errorf("%s: %.300s", path, r.body)
		}
		all = append(all, page...)
		next = nextLink(r)
	}
	seen := map[any]bool{}
	for _, m := range all {
		if seen[m] {
			return fmt.Errorf("%s lists %v twice", path, m)
		}
		seen[m] = true
	}
	for _, m := range members {
		if !seen[m] {
			return fmt.Errorf("%s does not list %s", path, m)
		}
	}
	return nil
}

func standing() []line {
	return []line{
		{"N1", "named queries are made, listed, shown, deleted", namedQueries},
		{"N2", "GET /queries/{q}/events answers in pages", func(c *client) error {
			q, epc := "n2-"+c.run, c.epc("n2")
			var events []map[string]any
			for i := range 5 {
				events = append(events, c.event(map[string]any{"eventID": c.id(fmt.Sprintf("n2-%d", i)), "epcList": []string{epc}}))
			}
			if err := first(c.captured(events...), c.define(q, map[string]any{"MATCH_anyEPC": []string{epc}})); err != nil {
				return err
			}
			return first(c.findsAt("/queries/"+q+"/events", "perPage=2", "n2-0", "n2-1", "n2-2", "n2-3", "n2-4"),
				c.refused(400, "QueryParameterException", http.MethodGet, "/queries/"+q+"/events?EQ_action=ADD", nil))
		}},
		{"S1", "a stream subscription is made without showing its secret", func(c *client) error {
			return c.subscribed("s1", map[string]any{"signatureToken": "secret-of-s1", "stream": true}, func(r *receiver, loc string, body reply) error {
				m := body.json()
				if m["subscriptionID"] == nil || m["dest"] != r.URL || m["createdAt"] == nil || m["stream"] != true || strings.Contains(string(body.body), "secret-of-s1") {
					return fmt.Errorf("subscription %s", body.body)
				}
				return nil
			})
		}},
		{"S2", "schedules are taken; no controls, both, and bad ones are refused", func(c *client) error {
			q := "s2-" + c.run
			if err := c.define(q, map[string]any{"EQ_action": []string{"OBSERVE"}}); err != nil {
				return err
			}
			bad := func(controls map[string]any) error {
				controls["dest"] = "http://127.0.0.1:9/"
				return c.refused(400, "SubscriptionControlsException", http.MethodPost, "/queries/"+q+"/subscriptions", controls)
			}
			good := map[string]any{"dest": "http://127.0.0.1:9/", "schedule": map[string]any{"hour": "1", "minute": "5"}, "reportIfEmpty": true}
			r, err := c.want(http.StatusCreated, http.MethodPost, "/queries/"+q+"/subscriptions", good)
			if err == nil && (r.json()["schedule"] == nil || r.json()["stream"] != nil) {
				err = fmt.Errorf("subscription %s", r.body)
			}
			return first(err, bad(map[string]any{}), bad(map[string]any{"stream": true, "schedule": map[string]any{"minute": "5"}}),
				bad(map[string]any{"stream": false}), bad(map[string]any{"schedule": map[string]any{}}), bad(map[string]any{"schedule": map[string]any{"minute": "60"}}),
				bad(map[string]any{"schedule": map[string]any{"month": "0"}}), bad(map[string]any{"schedule": map[string]any{"second": "[5-1]"}}),
				bad(map[string]any{"schedule": map[string]any{"dayOfMonth": "31", "month": "2"}}),
				c.refused(400, "ValidationException", http.MethodPost, "/queries/"+q+"/subscriptions", map[string]any{"dest": "ftp://x/", "stream": true}),
				c.remove("/queries/"+q))
		}},
		{"S3", "results are posted signed, and in smaller batches where the receiver asks for it", deliveries},
		{"S4", "schedules report, empty results only if asked, each event once", scheduled},
		{"S5", "subscriptions are listed, shown with lastNotifiedAt, deleted", func(c *client) error {
			return c.subscribed("s5", map[string]any{"stream": true}, func(r *receiver, loc string, _ reply) error {
				if err := c.captured(c.event(map[string]any{"eventID": c.id("s5"), "epcList": []string{c.epc("s5")}})); err != nil {
					return err
				}
				if err := r.wait(func() bool { return slices.Contains(r.ids(), c.id("s5")) }); err != nil {
					return err
				}
				q, _, _ := strings.Cut(loc, "/subscriptions/")
				list, err := c.want(http.StatusOK, http.MethodGet, q+"/subscriptions", nil)
				if err != nil || !strings.Contains(string(list.body), `"subscriptionID"`) {
					return fmt.Errorf("list %s, %w", list.body, err)
				}
				var one reply
				for range 200 {
					if one, err = c.want(http.StatusOK, http.MethodGet, loc, nil); err != nil || one.json()["lastNotifiedAt"] != nil {
						break
					}
					time.Sleep(10 * time.Millisecond)
				}
				if err != nil || one.json()["lastNotifiedAt"] == nil {
					return fmt.Errorf("subscription %s, %w", one.body, err)
				}
				if err := c.remove(loc); err != nil {
					return err
				}
				if err := c.captured(c.event(map[string]any{"eventID": c.id("s5-after"), "epcList": []string{c.epc("s5")}})); err != nil {
					return err
				}
				time.Sleep(300 * time.Millisecond)
				if slices.Contains(r.ids(), c.id("s5-after")) {
					return errors.New("a deleted subscription was served")
				}
				return c.refused(404, "NoSuchNameException", http.MethodGet, loc, nil)
			})
		}},
		{"S6", "a WebSocket streams events", webSocket},
		{"S7", "dayOfWeek is 1 to 7", func(c *client) error {
			q := "s7-" + c.run
			if err := c.define(q, map[string]any{"EQ_action": []string{"OBSERVE"}}); err != nil {
				return err
			}
			for value, status := range map[string]int{"1": 201, "7": 201, "[1-5]": 201, "0": 400, "8": 400} {
				if _, err := c.want(status, http.MethodPost, "/queries/"+q+"/subscriptions", map[string]any{
					"dest": "http://127.0.0.1:9/", "schedule": map[string]any{"dayOfWeek": value},
				}); err != nil {
					return err
				}
			}
			return c.remove("/queries/" + q)
		}},
	}
}

func refusing() []line {
	return []line{{"E1", "errors are problem details with the exceptions of EPCIS", func(c *client) error {
		anonymous, wrong := *c, *c
		anonymous.key, wrong.key = "", "wrong"
		r, err := c.want(http.StatusBadRequest, http.MethodGet, "/events?nonsense=1", nil, "Accept: application/xml")
		if err != nil || !strings.Contains(string(r.body), "epcisException:QueryParameterException") || r.header.Get("Content-Type") != "application/problem+xml" {
			return fmt.Errorf("as XML: %s %s, %w", r.header.Get("Content-Type"), r.body, err)
		}
		return first(
			anonymous.refused(401, "SecurityException", http.MethodGet, "/events", nil), wrong.refused(401, "SecurityException", http.MethodPost, "/capture", document()),
			c.refused(404, "NoSuchNameException", http.MethodGet, "/queries/none-"+c.run, nil), c.refused(404, "NoSuchNameException", http.MethodGet, "/nonsense", nil),
			c.refused(404, "NoSuchNameException", http.MethodGet, "/queries/none-"+c.run+"/events", nil))
	}}}
}

// define makes a named query.
func (c *client) define(name string, query map[string]any) error {
	_, err := c.want(http.StatusCreated, http.MethodPost, "/queries", map[string]any{"name": name, "query": query})
	return err
}

func (c *client) remove(path string) error {
	_, err := c.want(http.StatusNoContent, http.MethodDelete, path, nil)
	return err
}

func namedQueries(c *client) error {
	q := "n1-" + c.run
	r, err := c.want(http.StatusCreated, http.MethodPost, "/queries", map[string]any{"name": q, "query": map[string]any{"EQ_bizStep": []string{"shipping", "receiving"}, "eventType": []string{"ObjectEvent"}}})
	if err != nil {
		return err
	}
	location := c.resolve(r.header.Get("Location"))
	if !strings.HasSuffix(location, "/queries/"+q) {
		return fmt.Errorf("Location %s", location)
	}
	one, err := c.want(http.StatusOK, http.MethodGet, location, nil)
	if err != nil || one.json()["name"] != q || one.json()["query"] == nil {
		return fmt.Errorf("query %s, %w", one.body, err)
	}
	if _, err := c.want(http.StatusCreated, http.MethodPost, "/queries/"+q+"/subscriptions", map[string]any{"dest": "http://127.0.0.1:9/", "stream": true}); err != nil {
		return err
	}
	list, err := c.want(http.StatusOK, http.MethodGet, "/queries?perPage=1000", nil)
	if err != nil || !strings.Contains(string(list.body), q) {
		return fmt.Errorf("list %s, %w", list.body, err)
	}
	return first(
		c.refused(409, "ResourceAlreadyExistsException", http.MethodPost, "/queries", map[string]any{"name": q, "query": map[string]any{}}),
		c.refused(400, "QueryParameterException", http.MethodPost, "/queries", map[string]any{"name": q + "x", "query": map[string]any{"EQ_action": []string{"FOO"}}}),
		c.remove(location), c.refused(404, "NoSuchNameException", http.MethodGet, location, nil),
		c.refused(404, "NoSuchNameException", http.MethodGet, location+"/subscriptions", nil), c.refused(404, "NoSuchNameException", http.MethodDelete, location, nil))
}

// receiver is a subscriber's end point.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	limit    int // events that one delivery may have; 0 is any number
	fail     int // how many deliveries to refuse with 500 first
	requests []*http.Request
	bodies   [][]byte
}

func newReceiver() *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		events, _ := reply{body: body}.eventList()
		switch {
		case r.fail > 0:
			r.fail--
			w.WriteHeader(http.StatusInternalServerError)
			return
		case r.limit > 0 && len(events) > r.limit:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		r.requests, r.bodies = append(r.requests, req), append(r.bodies, body)
	}))
	return r
}

// ids are the events that were taken, in order.
func (r *receiver) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for _, b := range r.bodies {
		events, _ := reply{body: b}.eventList()
		for _, e := range events {
			id, _ := e["eventID"].(string)
			ids = append(ids, id)
		}
	}
	return ids
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

func (r *receiver) wait(until func() bool) error {
	for range 1500 {
		if until() {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("nothing more came after %d deliveries: %v", r.count(), r.ids())
}

// subscribed makes a query for the EPC of that name, subscribes to it, and runs fn.
func (c *client) subscribed(name string, controls map[string]any, fn func(r *receiver, location string, body reply) error) error {
	r := newReceiver()
	defer r.Close()
	q := name + "-" + c.run
	if err := c.define(q, map[string]any{"MATCH_anyEPC": []string{c.epc(name)}}); err != nil {
		return err
	}
	controls["dest"] = r.URL
	body, err := c.want(http.StatusCreated, http.MethodPost, "/queries/"+q+"/subscriptions", controls)
	if err != nil {
		return err
	}
	return first(fn(r, c.resolve(body.header.Get("Location")), body), c.remove("/queries/"+q))
}

func deliveries(c *client) error {
	return c.subscribed("s3", map[string]any{"signatureToken": "tok-" + c.run, "stream": true}, func(r *receiver, _ string, body reply) error {
		r.mu.Lock()
		r.limit, r.fail = 3, 1
		r.mu.Unlock()
		var want []string
		var events []map[string]any
		for i := range 10 {
			want = append(want, c.id(fmt.Sprintf("s3-%d", i)))
			events = append(events, c.event(map[string]any{"eventID": want[i], "epcList": []string{c.epc("s3")}}))
		}
		if err := c.captured(events...); err != nil {
			return err
		}
		if err := r.wait(func() bool { return len(r.ids()) >= 10 }); err != nil {
			return err
		}
		if got := r.ids(); !slices.Equal(got, want) {
			return fmt.Errorf("delivered %v, want %v", got, want)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, req := range r.requests {
			h := req.Header
			m := hmac.New(sha256.New, []byte("tok-"+c.run))
			m.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "."))
			m.Write(r.bodies[i])
			if h.Get("GS1-Signature") != "v1,"+base64Of(m.Sum(nil)) {
				return fmt.Errorf("signature %q", h.Get("GS1-Signature"))
			}
			if !strings.Contains(string(r.bodies[i]), fmt.Sprint(body.json()["subscriptionID"])) || !strings.Contains(string(r.bodies[i]), `"queryName":"s3-`+c.run) {
				return fmt.Errorf("body %.300s", r.bodies[i])
			}
		}
		return nil
	})
}

func scheduled(c *client) error {
	every := map[string]any{"second": "[0-59]"}
	if err := c.captured(c.event(map[string]any{"eventID": c.id("s4-old"), "epcList": []string{c.epc("s4")}})); err != nil {
		return err
	}
	empty := make(chan error, 1)
	go func() {
		own := *c
		empty <- own.subscribed("s4e", map[string]any{"schedule": every, "reportIfEmpty": true}, func(r *receiver, _ string, _ reply) error {
			return r.wait(func() bool { return r.count() >= 2 })
		})
	}()
	return first(
		c.subscribed("s4", map[string]any{"schedule": every, "initialRecordTime": "2000-01-01T00:00:00Z"}, func(r *receiver, _ string, _ reply) error {
			if err := r.wait(func() bool { return len(r.ids()) >= 1 }); err != nil {
				return err
			}
			if err := c.captured(c.event(map[string]any{"eventID": c.id("s4-new"), "epcList": []string{c.epc("s4")}})); err != nil {
				return err
			}
			if err := r.wait(func() bool { return len(r.ids()) >= 2 }); err != nil {
				return err
			}
			time.Sleep(1500 * time.Millisecond)
			if got := r.ids(); !slices.Equal(got, []string{c.id("s4-old"), c.id("s4-new")}) || r.count() != 2 {
				return fmt.Errorf("%d deliveries with %v", r.count(), got)
			}
			return nil
		}),
		<-empty)
}

func webSocket(c *client) error {
	q := "s6-" + c.run
	if err := c.define(q, map[string]any{"MATCH_anyEPC": []string{c.epc("s6")}}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	dial := func(query string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(ctx, c.base+"/queries/"+q+"/events?"+query, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + c.key}}})
	}
	if _, r, err := dial("stream=true&minute=5"); err == nil || r == nil || r.StatusCode != http.StatusBadRequest {
		return fmt.Errorf("stream and schedule together: %w", err)
	}
	if _, r, err := dial(""); err == nil || r == nil || r.StatusCode != http.StatusBadRequest {
		return fmt.Errorf("no controls: %w", err)
	}
	for _, controls := range []string{"stream=true", "second=" + esc("[0-59]")} {
		conn, r, err := dial(controls)
		if err != nil || r.StatusCode != http.StatusSwitchingProtocols {
			return fmt.Errorf("dial: %w", err)
		}
		conn.SetReadLimit(1 << 20)
		id := c.id("s6-" + esc(controls))
		if err := c.captured(c.event(map[string]any{"eventID": id, "epcList": []string{c.epc("s6")}})); err != nil {
			return err
		}
		_, data, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		events, err := reply{body: data}.eventList()
		if err != nil || len(events) != 1 || events[0]["eventID"] != id {
			return fmt.Errorf("message %s, %w", data, err)
		}
		if controls == "stream=true" {
			_ = conn.CloseNow()
			continue
		}
		if err := c.remove("/queries/" + q); err != nil {
			return err
		}
		if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
			return fmt.Errorf("a deleted query's socket ends with %w", err)
		}
	}
	return nil
}
