package epcisconformance_test

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

func capturing() []line {
	return []line{
		{"C1", "POST /capture answers 202 with Location and versions", func(c *client) error {
			for _, media := range []string{"application/json", "application/ld+json"} {
				r, err := c.want(http.StatusAccepted, http.MethodPost, "/capture", document(c.event(nil)), "Content-Type: "+media)
				if err != nil {
					return err
				}
				if err := r.has("GS1-EPCIS-Version", "GS1-CBV-Version"); err != nil || !strings.Contains(r.header.Get("Location"), "/capture/") {
					return fmt.Errorf("headers %v", r.header)
				}
				if _, err := c.finished(r.header.Get("Location")); err != nil {
					return err
				}
			}
			return nil
		}},
		{"C2", "an EPCISQueryDocument is accepted", func(c *client) error {
			doc := document()
			doc["type"] = "EPCISQueryDocument"
			doc["epcisBody"] = map[string]any{"queryResults": map[string]any{
				"queryName": "q", "resultsBody": map[string]any{"eventList": []any{c.event(map[string]any{"eventID": c.id("c2")})}},
			}}
			j, err := c.capture(doc)
			if err == nil && !*j.Success {
				err = fmt.Errorf("errors %v", j.Errors)
			}
			return first(err, c.finds("EQ_eventID="+esc(c.id("c2")), "c2"))
		}},
		{"C3", "XML is accepted", captureXML},
		{"C4", "malformed and invalid documents are refused with 400, nothing is stored", captureInvalid},
		{"C5", "too many events or bytes are refused with 413 and the limits", captureTooMuch},
		{"C6", "unknown media types are 415; Accept and versions that cannot be met are 406", func(c *client) error {
			return first(
				c.refused(415, "UnsupportedMediaTypeException", http.MethodPost, "/capture", "a,b", "Content-Type: text/csv"),
				c.refused(406, "NotAcceptableException", http.MethodPost, "/capture", document(c.event(nil)), "Accept: text/csv"),
				c.refused(406, "NotAcceptableException", http.MethodPost, "/capture", document(c.event(nil)), "GS1-EPCIS-Version: 9.9"),
				c.refused(406, "NotAcceptableException", http.MethodGet, "/events", nil, "GS1-EPCIS-Min: 3.0.0"),
				c.refused(406, "NotAcceptableException", http.MethodGet, "/events", nil, "GS1-EPCIS-Max: 1.2"),
				c.refused(406, "NotAcceptableException", http.MethodGet, "/events", nil, "GS1-CBV-Min: 3.0"))
		}},
		{"C7", "a capture job shows its members", func(c *client) error {
			r, err := c.want(http.StatusAccepted, http.MethodPost, "/capture", document(c.event(nil)))
			if err != nil {
				return err
			}
			j, err := c.finished(r.header.Get("Location"))
			if err != nil {
				return err
			}
			_, err1 := time.Parse(time.RFC3339, j.CreatedAt)
			_, err2 := time.Parse(time.RFC3339, j.FinishedAt)
			if j.CaptureID == "" || j.Errors == nil || len(j.Errors) != 0 || !strings.HasSuffix(r.header.Get("Location"), j.CaptureID) {
				return fmt.Errorf("job %+v", j)
			}
			return first(err1, err2)
		}},
		{"C8", "the states of a job", func(c *client) error {
			good, err := c.capture(document(c.event(map[string]any{"eventID": c.id("c8")})))
			if err != nil || *good.Running || !*good.Success {
				return fmt.Errorf("good: %+v, %w", good, err)
			}
			bad, err := c.capture(document(c.event(map[string]any{"eventID": c.id("c8"), "bizStep": "receiving"})))
			if err != nil || *bad.Running || *bad.Success || len(bad.Errors) != 1 {
				return fmt.Errorf("bad: %+v, %w", bad, err)
			}
			return nil
		}},
		{"C9", "rollback: one conflict, and none of three events is stored", func(c *client) error {
			j, err := c.conflicting("c9")
			if err != nil || *j.Success || len(j.Errors) == 0 {
				return fmt.Errorf("job %+v, %w", j, err)
			}
			return first(c.finds("EQ_eventID="+esc(c.id("c9-1")+"|"+c.id("c9-3"))), c.finds("EQ_eventID="+esc(c.id("c9-2"))+"&EQ_bizStep=receiving"))
		}},
		{"C10", "proceed: one conflict, and the two good events are stored", func(c *client) error {
			j, err := c.conflicting("c10", "GS1-Capture-Error-Behaviour: proceed")
			if err != nil || *j.Success || len(j.Errors) != 1 || !strings.Contains(fmt.Sprint(j.Errors), c.id("c10-2")) {
				return fmt.Errorf("job %+v, %w", j, err)
			}
			if j.Errors[0]["type"] != "epcisException:ResourceAlreadyExistsException" {
				return fmt.Errorf("error %v", j.Errors[0])
			}
			return first(c.finds("EQ_eventID="+esc(c.id("c10-1")+"|"+c.id("c10-3")), "c10-1", "c10-3"),
				c.finds("EQ_eventID="+esc(c.id("c10-2"))+"&EQ_bizStep=receiving"))
		}},
		{"C11", "the job states the error behaviour of the request", func(c *client) error {
			for header, want := range map[string]string{
				"X: y": "rollback", "GS1-Capture-Error-Behaviour: rollback": "rollback",
				"GS1-Capture-Error-Behaviour: proceed": "proceed", "GS1-EPCIS-Capture-Error-Behaviour: proceed": "proceed",
			} {
				j, err := c.capture(document(c.event(nil)), header)
				if err != nil || j.CaptureErrorBehaviour != want {
					return fmt.Errorf("%s: %+v, %w", header, j, err)
				}
			}
			return nil
		}},
		{"C12", "GET /capture lists jobs in pages; an unknown job is 404", func(c *client) error {
			seen := map[string]bool{}
			next := "/capture?perPage=2"
			for range 4 {
				r, err := c.want(http.StatusOK, http.MethodGet, next, nil)
				if err != nil {
					return err
				}
				ids := captureIDs.FindAllStringSubmatch(string(r.body), -1)
				if len(ids) > 2 {
					return fmt.Errorf("%d jobs in a page of 2", len(ids))
				}
				for _, id := range ids {
					if seen[id[1]] {
						return fmt.Errorf("job %s twice", id[1])
					}
					seen[id[1]] = true
				}
				if next = nextLink(r); next == "" {
					return fmt.Errorf("no next page after %d jobs", len(seen))
				}
			}
			return c.refused(404, "NoSuchNameException", http.MethodGet, "/capture/none", nil)
		}},
		{"C13", "an event without eventID gets one and is found by it", func(c *client) error {
			epc := c.epc("c13")
			if err := c.captured(c.event(map[string]any{"eventID": nil, "epcList": []string{epc}})); err != nil {
				return err
			}
			ids, err := c.query("/events", "MATCH_anyEPC="+esc(epc))
			if err != nil || len(ids) != 1 || ids[0] == "" {
				return fmt.Errorf("ids %q, %w", ids, err)
			}
			_, err = c.want(http.StatusOK, http.MethodGet, "/events/"+pathEsc(ids[0]), nil)
			return err
		}},
		{"C14", "recordTime is the server's", func(c *client) error {
			id := c.id("c14")
			if err := c.captured(c.event(map[string]any{"eventID": id, "recordTime": "2001-01-01T00:00:00Z"})); err != nil {
				return err
			}
			r, err := c.want(http.StatusOK, http.MethodGet, "/events/"+pathEsc(id), nil)
			if err != nil {
				return err
			}
			events, err := r.eventList()
			if err != nil {
				return err
			}
			text, _ := events[0]["recordTime"].(string)
			at, err := time.Parse(time.RFC3339, text)
			if err != nil || time.Since(at).Abs() > time.Hour {
				return fmt.Errorf("recordTime %q, %w", text, err)
			}
			return nil
		}},
		{"C15", "master data in the header is accepted", func(c *client) error { return c.captureMaster() }},
		{"C16", "POST /events: 201 with Location and the event; duplicates 409; error declarations pass", createOne},
		{"C17", "aggregations and associations without what they need are refused", func(c *client) error {
			bad := func(members map[string]any) error {
				members["epcList"], members["eventID"] = nil, nil
				return c.refused(400, "ValidationException", http.MethodPost, "/capture", document(c.event(members)))
			}
			parent, child := c.epc("c17p"), []string{c.epc("c17c")}
			good := c.event(map[string]any{
				"type": "AssociationEvent", "action": "ADD", "epcList": nil, "parentID": "urn:epc:id:sgln:0614141.07346.1234", "childEPCs": child,
			})
			return first(
				bad(map[string]any{"type": "AssociationEvent", "action": "ADD", "childEPCs": child}),
				bad(map[string]any{"type": "AssociationEvent", "action": "ADD", "parentID": parent}),
				bad(map[string]any{"type": "AssociationEvent", "action": "OBSERVE", "parentID": parent}),
				bad(map[string]any{"type": "AggregationEvent", "action": "ADD", "childEPCs": child}),
				bad(map[string]any{"type": "AggregationEvent", "action": "DELETE", "childEPCs": child}),
				c.captured(good))
		}},
		{"C18", "sensor elements that contradict themselves are refused", func(c *client) error {
			bad := func(element map[string]any) error {
				e := c.event(map[string]any{"eventID": nil, "sensorElementList": []any{element}})
				return c.refused(400, "ValidationException", http.MethodPost, "/capture", document(e))
			}
			report := func(members map[string]any) []any {
				m := map[string]any{"type": "Temperature", "value": 26, "uom": "CEL"}
				maps.Copy(m, members)
				return []any{m}
			}
			return first(
				bad(map[string]any{"sensorMetadata": map[string]any{"deviceID": "urn:x:1"}, "sensorReport": report(map[string]any{"deviceID": "urn:x:1"})}),
				bad(map[string]any{"sensorMetadata": map[string]any{"time": "2024-03-01T09:00:00Z"}, "sensorReport": report(map[string]any{"time": "2024-03-01T09:00:00Z"})}),
				bad(map[string]any{"sensorMetadata": map[string]any{"rawData": "urn:x:1"}, "sensorReport": report(map[string]any{"rawData": "urn:x:1"})}),
				bad(map[string]any{"sensorMetadata": map[string]any{"deviceID": "urn:x:1"}}),
				bad(map[string]any{"sensorReport": []any{}}),
				bad(map[string]any{"sensorReport": report(map[string]any{"time": "2025-03-01T10:00:00Z"})}))
		}},
		{"C19", "the same document again does not double its events", func(c *client) error {
			epc := c.epc("c19")
			doc := document(c.event(map[string]any{"eventID": nil, "epcList": []string{epc}}),
				c.event(map[string]any{"eventID": c.id("c19"), "epcList": []string{epc}}))
			for range 3 {
				if j, err := c.capture(doc); err != nil || !*j.Success {
					return fmt.Errorf("job %+v, %w", j, err)
				}
			}
			ids, err := c.query("/events", "MATCH_anyEPC="+esc(epc))
			if err != nil || len(ids) != 2 {
				return fmt.Errorf("%d events, want 2, %w", len(ids), err)
			}
			return nil
		}},
	}
}

// refused checks that a request is refused with a status and an exception.
func (c *client) refused(status int, name, method, path string, body any, headers ...string) error {
	r, err := c.want(status, method, path, body, headers...)
	if err != nil {
		return err
	}
	return r.problem(name)
}

// conflicting captures three events of which the second is recorded already with other content.
func (c *client) conflicting(name string, headers ...string) (job, error) {
	one := func(n int, step string) map[string]any {
		return c.event(map[string]any{"eventID": c.id(fmt.Sprintf("%s-%d", name, n)), "bizStep": step, "epcList": []string{c.epc(name)}})
	}
	if err := c.captured(one(2, "shipping")); err != nil {
		return job{}, err
	}
	return c.capture(document(one(1, "receiving"), one(2, "receiving"), one(3, "receiving")), headers...)
}

func captureXML(c *client) error {
	xml := func(id, extra string) string {
		return `<?xml version="1.0" encoding="UTF-8"?>
<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:2" schemaVersion="2.0" creationDate="2024-03-01T10:00:00Z"><EPCISBody><EventList>
<ObjectEvent><eventTime>2024-03-01T10:00:00Z</eventTime><eventTimeZoneOffset>+00:00</eventTimeZoneOffset><eventID>` + id + `</eventID>
<epcList><epc>` + c.epc("c3") + `</epc></epcList><action>OBSERVE</action><bizStep>urn:epcglobal:cbv:bizstep:shipping</bizStep>` + extra + `</ObjectEvent>
</EventList></EPCISBody></epcis:EPCISDocument>`
	}
	for i, media := range []string{"application/xml", "text/xml"} {
		j, err := c.capture(xml(c.id(fmt.Sprintf("c3-%d", i)), ""), "Content-Type: "+media)
		if err != nil || !*j.Success {
			return fmt.Errorf("job %+v, %w", j, err)
		}
	}
	if err := c.finds("EQ_bizStep=shipping&EQ_eventID="+esc(c.id("c3-0")+"|"+c.id("c3-1")), "c3-0", "c3-1"); err != nil {
		return err
	}
	r, err := c.want(http.StatusOK, http.MethodGet, "/events?EQ_eventID="+esc(c.id("c3-0")), nil, "Accept: application/xml")
	if err != nil || !strings.Contains(string(r.body), "EPCISQueryDocument") || !strings.Contains(string(r.body), "urn:epcglobal:cbv:bizstep:shipping") {
		return fmt.Errorf("as XML: %.400s, %w", r.body, err)
	}
	return c.refused(400, "ValidationException", http.MethodPost, "/capture", xml(c.id("c3-bad"), "<nonsense/>"), "Content-Type: application/xml")
}

func captureInvalid(c *client) error {
	bad := func(doc any) error { return c.refused(400, "ValidationException", http.MethodPost, "/capture", doc) }
	noVersion, noContext, noBody := document(c.event(nil)), document(c.event(nil)), document(c.event(nil))
	delete(noVersion, "schemaVersion")
	delete(noContext, "@context")
	delete(noBody, "epcisBody")
	return first(
		bad(`{"@context":`), bad(`[]`), bad(`nonsense`), bad(noVersion), bad(noContext), bad(noBody),
		bad(document(c.event(map[string]any{"eventID": c.id("c4-1")}), c.event(map[string]any{"eventID": c.id("c4-2"), "action": "THROW"}))),
		bad(document(c.event(map[string]any{"eventTimeZoneOffset": nil}))),
		bad(document(c.event(map[string]any{"unknownField": 1}))),
		bad(document(c.event(map[string]any{"bizStep": "urn:epcglobal:cbv:bizstep:shipping"}))),
		c.finds("EQ_eventID="+esc(c.id("c4-1"))))
}

func captureTooMuch(c *client) error {
	r, err := c.want(http.StatusNoContent, http.MethodOptions, "/capture", nil)
	if err != nil {
		return err
	}
	events, _ := strconv.Atoi(r.header.Get("GS1-EPCIS-Capture-Limit"))
	bytes, _ := strconv.Atoi(r.header.Get("GS1-EPCIS-Capture-File-Size-Limit"))
	if events > 5000 || bytes > 8<<20 {
		return fmt.Errorf("the limits of this hub (%d events, %d bytes) are too large to be passed by a test", events, bytes)
	}
	many := make([]map[string]any, events+1)
	for i := range many {
		many[i] = c.event(map[string]any{"eventID": nil})
	}
	large := document(c.event(nil))
	large["example:padding"] = strings.Repeat("x", bytes)
	for _, doc := range []any{document(many...), large} {
		r, err := c.want(http.StatusRequestEntityTooLarge, http.MethodPost, "/capture", doc)
		if err != nil {
			return err
		}
		if err := first(r.problem("CaptureLimitExceededException"), r.has("GS1-EPCIS-Capture-Limit", "GS1-EPCIS-Capture-File-Size-Limit")); err != nil {
			return err
		}
	}
	return nil
}

// captureMaster captures a document that says which places lie within which.
func (c *client) captureMaster() error {
	doc := document()
	doc["epcisHeader"] = map[string]any{"epcisMasterData": map[string]any{"vocabularyList": []any{map[string]any{
		"type": "urn:epcglobal:epcis:vtype:BusinessLocation",
		"vocabularyElementList": []any{
			map[string]any{"id": c.place("region"), "attributes": []any{map[string]any{"id": "urn:epcglobal:cbv:mda:name", "attribute": "Region"}}, "children": []any{c.place("city")}},
			map[string]any{"id": c.place("city"), "attributes": []any{map[string]any{"id": "urn:epcglobal:cbv:mda:name", "attribute": "City"}}, "children": []any{c.place("dock")}},
		},
	}}}}
	j, err := c.capture(doc)
	if err == nil && !*j.Success {
		err = fmt.Errorf("job %+v", j)
	}
	return err
}

func createOne(c *client) error {
	e := c.event(map[string]any{"eventID": c.id("c16")})
	r, err := c.want(http.StatusCreated, http.MethodPost, "/events", bare(e))
	if err != nil {
		return err
	}
	location := c.resolve(r.header.Get("Location"))
	if m := r.json(); m["eventID"] != c.id("c16") || m["type"] != "ObjectEvent" {
		return fmt.Errorf("body %s", r.body)
	}
	got, err := c.want(http.StatusOK, http.MethodGet, location, nil)
	if err != nil {
		return err
	}
	if events, err := got.eventList(); err != nil || len(events) != 1 {
		return fmt.Errorf("%d events at %s, %w", len(events), location, err)
	}
	declared := mapsClone(e)
	declared["errorDeclaration"] = map[string]any{"declarationTime": "2024-03-02T10:00:00Z", "reason": "incorrect_data"}
	changed := mapsClone(e)
	changed["bizStep"] = "receiving"
	if err := first(
		c.refused(409, "ResourceAlreadyExistsException", http.MethodPost, "/events", bare(e)),
		c.refused(409, "ResourceAlreadyExistsException", http.MethodPost, "/events", bare(changed)),
		c.refused(400, "ValidationException", http.MethodPost, "/events", bare(c.event(map[string]any{"action": "X"}))),
		c.refused(400, "ValidationException", http.MethodPost, "/events", c.event(nil)), // without @context
	); err != nil {
		return err
	}
	if _, err := c.want(http.StatusCreated, http.MethodPost, "/events", bare(declared)); err != nil {
		return err
	}
	got, err = c.want(http.StatusOK, http.MethodGet, location, nil)
	if err != nil {
		return err
	}
	if events, err := got.eventList(); err != nil || len(events) != 2 {
		return fmt.Errorf("%d events with the error declaration, %w", len(events), err)
	}
	noID := c.event(map[string]any{"eventID": nil})
	r, err = c.want(http.StatusCreated, http.MethodPost, "/events", bare(noID))
	if err == nil && r.json()["eventID"] == nil {
		err = fmt.Errorf("no eventID was given: %s", r.body)
	}
	return err
}
