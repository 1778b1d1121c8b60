package epcisconformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// client speaks to a hub as a partner's program would: plain HTTP, nothing of ours.
type client struct {
	base string // of the binding: http://host/epcis
	key  string
	// run is different for each run, so that the same hub can be tested again.
	run string
	n   int
}

// reply is an HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request. headers are "Name: value".
func (c *client) do(method, path string, body any, headers ...string) (reply, error) {
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	case []byte:
		r = bytes.NewReader(b)
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return reply{}, err
		}
		r = bytes.NewReader(data)
	}
	if !strings.HasPrefix(path, "http") {
		path = c.base + path
	}
	req, err := http.NewRequest(method, path, r)
	if err != nil {
		return reply{}, err
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, res.Header, data}, err
}

// want sends a request and checks the status.
func (c *client) want(status int, method, path string, body any, headers ...string) (reply, error) {
	r, err := c.do(method, path, body, headers...)
	if err == nil && r.status != status {
		err = fmt.Errorf("%s %s: status %d, want %d: %.300s", method, path, r.status, status, r.body)
	}
	return r, err
}

// json decodes the body.
func (r reply) json() map[string]any {
	var m map[string]any
	_ = json.Unmarshal(r.body, &m)
	return m
}

// problem checks that the answer is a problem detail of an EPCIS exception.
func (r reply) problem(name string) error {
	m := r.json()
	if ct := r.header.Get("Content-Type"); ct != "application/problem+json" {
		return fmt.Errorf("content type %q of a problem", ct)
	}
	if m["type"] != "epcisException:"+name || m["title"] == "" || m["status"] != float64(r.status) {
		return fmt.Errorf("problem %s, want %s with status %d", r.body, name, r.status)
	}
	return nil
}

// has checks that headers are there.
func (r reply) has(headers ...string) error {
	for _, h := range headers {
		if r.header.Get(h) == "" {
			return fmt.Errorf("no header %s", h)
		}
	}
	return nil
}

// event makes an ObjectEvent with an id of this run; members overwrite.
func (c *client) event(members map[string]any) map[string]any {
	c.n++
	e := map[string]any{
		"type": "ObjectEvent", "eventID": c.id(fmt.Sprintf("e%d", c.n)), "action": "OBSERVE", "bizStep": "shipping",
		"eventTime": "2024-03-01T10:00:00.000Z", "eventTimeZoneOffset": "+00:00",
		"epcList": []string{c.epc(fmt.Sprintf("default%d", c.n))},
	}
	for name, v := range members {
		if v == nil {
			delete(e, name)
		} else {
			e[name] = v
		}
	}
	return e
}

// id makes an event id of this run, epc an EPC URN.
func (c *client) id(name string) string  { return "urn:example:event:" + c.run + ":" + name }
func (c *client) epc(name string) string { return "urn:epc:id:sgtin:0614141.107346." + c.run + name }

// place makes a location id of this run.
func (c *client) place(name string) string { return "urn:example:place:" + c.run + ":" + name }

// bare is an event with its own context, as POST /events wants it.
func bare(e map[string]any) map[string]any {
	e = mapsClone(e)
	e["@context"] = contexts
	return e
}

func mapsClone(m map[string]any) map[string]any {
	return maps.Clone(m)
}

var contexts = []any{"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld", map[string]any{"example": "http://ns.example.com/epcis/"}}

// document puts events into an EPCISDocument.
func document(events ...map[string]any) map[string]any {
	if events == nil {
		events = []map[string]any{}
	}
	return map[string]any{
		"@context": contexts, "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2024-03-01T10:00:00.000Z",
		"epcisBody": map[string]any{"eventList": events},
	}
}

// job is a capture job as it is shown.
type job struct {
	CaptureID, CreatedAt, FinishedAt, CaptureErrorBehaviour string
	Running, Success                                        *bool
	Errors                                                  []map[string]any
}

// capture posts a document, which must be accepted, and waits for its job.
func (c *client) capture(doc any, headers ...string) (job, error) {
	r, err := c.want(http.StatusAccepted, http.MethodPost, "/capture", doc, headers...)
	if err != nil {
		return job{}, err
	}
	return c.finished(r.header.Get("Location"))
}

// captured is capture of events that must all be recorded.
func (c *client) captured(events ...map[string]any) error {
	j, err := c.capture(document(events...))
	if err == nil && !*j.Success {
		err = fmt.Errorf("capture failed: %v", j.Errors)
	}
	return err
}

func (c *client) finished(location string) (job, error) {
	for range 3000 {
		r, err := c.want(http.StatusOK, http.MethodGet, c.resolve(location), nil)
		if err != nil {
			return job{}, err
		}
		var j job
		if err := json.Unmarshal(r.body, &j); err != nil {
			return job{}, err
		}
		if j.Running == nil || j.Success == nil {
			return j, fmt.Errorf("job without running or success: %s", r.body)
		}
		if !*j.Running {
			return j, nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return job{}, errors.New("the job does not end")
}

func (c *client) resolve(location string) string {
	u, err := url.Parse(c.base + "/x")
	if err != nil {
		return location
	}
	ref, err := u.Parse(location)
	if err != nil {
		return location
	}
	return ref.String()
}

// eventList reads the events of a query document.
func (r reply) eventList() ([]map[string]any, error) {
	var doc struct {
		Type      string
		EpcisBody struct {
			QueryResults struct {
				QueryName      *string
				SubscriptionID string
				ResultsBody    struct{ EventList []map[string]any }
			}
		}
	}
	if err := json.Unmarshal(r.body, &doc); err != nil {
		return nil, err
	}
	if doc.Type != "EPCISQueryDocument" || doc.EpcisBody.QueryResults.QueryName == nil {
		return nil, fmt.Errorf("no query document: %.200s", r.body)
	}
	return doc.EpcisBody.QueryResults.ResultsBody.EventList, nil
}

// query returns the ids of the events that match, all pages, in their order.
func (c *client) query(path, query string, headers ...string) ([]string, error) {
	var ids []string
	next := path + "?" + query
	for next != "" {
		r, err := c.want(http.StatusOK, http.MethodGet, next, nil, headers...)
		if err != nil {
			return nil, err
		}
		events, err := r.eventList()
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			id, _ := e["eventID"].(string)
			ids = append(ids, id)
		}
		next = nextLink(r)
	}
	return ids, nil
}

var linkRE = regexp.MustCompile(`<([^>]+)>; rel="next"`)

func nextLink(r reply) string {
	m := linkRE.FindStringSubmatch(r.header.Get("Link"))
	if m == nil {
		return ""
	}
	return m[1]
}

// finds checks that a query of /events finds exactly the events of this run with the given short names, in any order.
func (c *client) finds(query string, names ...string) error {
	return c.findsAt("/events", query, names...)
}

func (c *client) findsAt(path, query string, names ...string) error {
	ids, err := c.query(path, query)
	if err != nil {
		return err
	}
	var got []string
	for _, id := range ids {
		if name, ok := strings.CutPrefix(id, c.id("")); ok {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		return fmt.Errorf("%s?%s finds %v, want %v", path, query, got, names)
	}
	return nil
}

// esc escapes a value for a path or a query.
func esc(s string) string { return url.QueryEscape(s) }

func pathEsc(s string) string {
	return strings.NewReplacer("+", "%20").Replace(url.QueryEscape(s))
}

func first(errs ...error) error { return errors.Join(errs...) }
