package epcisconformance_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

func querying() []line {
	return []line{
		{"Q1", "GET /events answers a query document with versions", func(c *client) error {
			r, err := c.want(http.StatusOK, http.MethodGet, "/events", nil)
			if err != nil {
				return err
			}
			m := r.json()
			if m["@context"] == nil || m["schemaVersion"] == nil || m["creationDate"] == nil {
				return fmt.Errorf("document %.200s", r.body)
			}
			_, err = r.eventList()
			return first(err, r.has("GS1-EPCIS-Version", "GS1-CBV-Version"), c.validDocument(r.body))
		}},
		{"Q2", "GET /events/{eventID}; unknown is 404", func(c *client) error {
			id := c.id("q2")
			if err := c.captured(c.event(map[string]any{"eventID": id})); err != nil {
				return err
			}
			r, err := c.want(http.StatusOK, http.MethodGet, "/events/"+pathEsc(id), nil)
			if err != nil {
				return err
			}
			if events, err := r.eventList(); err != nil || len(events) != 1 || events[0]["eventID"] != id {
				return fmt.Errorf("events %v, %w", events, err)
			}
			return c.refused(404, "NoSuchNameException", http.MethodGet, "/events/"+pathEsc(c.id("none")), nil)
		}},
		{"Q3", "every parameter with a fixed name", fixedNames},
		{"Q4", "every family of parameters", families},
		{"Q5", "GE is inclusive, LT exclusive", func(c *client) error {
			if err := c.captured(c.event(map[string]any{"eventID": c.id("q5"), "eventTime": "2024-05-05T05:05:05.123Z"})); err != nil {
				return err
			}
			only := "&EQ_eventID=" + esc(c.id("q5"))
			return first(
				c.finds("GE_eventTime=2024-05-05T05:05:05.123Z"+only, "q5"), c.finds("LT_eventTime=2024-05-05T05:05:05.123Z"+only),
				c.finds("GE_eventTime=2024-05-05T05:05:05.124Z"+only), c.finds("LT_eventTime=2024-05-05T05:05:05.124Z"+only, "q5"),
				c.finds("GE_eventTime=2024-05-05T07:05:05.123%2B02:00"+only, "q5"), c.finds("GE_eventTime=2024-05-05T07:05:05.123+02:00"+only, "q5"))
		}},
		{"Q6", "values are OR, parameters are AND", func(c *client) error {
			epc := c.epc("q6")
			if err := c.captured(
				c.event(map[string]any{"eventID": c.id("q6a"), "bizStep": "packing", "action": "ADD", "epcList": []string{epc}}),
				c.event(map[string]any{"eventID": c.id("q6b"), "bizStep": "picking", "epcList": []string{epc}}),
				c.event(map[string]any{"eventID": c.id("q6c"), "bizStep": "loading", "epcList": []string{epc}})); err != nil {
				return err
			}
			of := "MATCH_epc=" + esc(epc)
			return first(c.finds(of+"&EQ_bizStep=packing%7Cpicking", "q6a", "q6b"), c.finds(of+"&EQ_bizStep=packing,picking", "q6a", "q6b"),
				c.finds(of+"&EQ_bizStep=packing&EQ_bizStep=picking", "q6a", "q6b"),
				c.finds(of+"&EQ_bizStep=packing%7Cpicking&EQ_action=ADD", "q6a"), c.finds(of+"&EQ_bizStep=packing&EQ_action=DELETE"))
		}},
		{"Q7", "MATCH_ parameters, patterns, and both forms of one identity", matchEPCs},
		{"Q8", "WD_bizLocation finds the place and what lies in it", func(c *client) error {
			if err := c.captureMaster(); err != nil {
				return err
			}
			at := func(name, place string) map[string]any {
				return c.event(map[string]any{"eventID": c.id(name), "bizLocation": map[string]any{"id": c.place(place)}, "readPoint": map[string]any{"id": c.place(place)}})
			}
			if err := c.captured(at("q8r", "region"), at("q8c", "city"), at("q8d", "dock"), at("q8o", "elsewhere")); err != nil {
				return err
			}
			return first(
				c.finds("WD_bizLocation="+esc(c.place("region")), "q8r", "q8c", "q8d"), c.finds("WD_bizLocation="+esc(c.place("city")), "q8c", "q8d"),
				c.finds("WD_bizLocation="+esc(c.place("dock")), "q8d"), c.finds("WD_readPoint="+esc(c.place("city")), "q8c", "q8d"),
				c.finds("EQ_bizLocation="+esc(c.place("region")), "q8r"))
		}},
		{"Q9", "unknown parameters and bad values are refused by their name", func(c *client) error {
			bad := func(query, name string) error {
				r, err := c.want(http.StatusBadRequest, http.MethodGet, "/events?"+query, nil)
				if err != nil {
					return err
				}
				if detail, _ := r.json()["detail"].(string); !strings.Contains(detail, name) {
					return fmt.Errorf("detail %q does not name %s", detail, name)
				}
				return r.problem("QueryParameterException")
			}
			return first(bad("EQ_action=FOO", "EQ_action"), bad("orderBy=eventTime&orderDirection=UP", "orderDirection"), bad("nonsense=1", "nonsense"),
				bad("GE_eventTime=yesterday", "GE_eventTime"), bad("perPage=0", "perPage"), bad("EQ_quantity=many", "EQ_quantity"), bad("eventCountLimit=-1&orderBy=eventTime", "eventCountLimit"))
		}},
		{"Q10", "eventCountLimit cuts, maxEventCount refuses, both together are refused", func(c *client) error {
			epc := c.epc("q10")
			var events []map[string]any
			for i := range 5 {
				events = append(events, c.event(map[string]any{"eventID": c.id(fmt.Sprintf("q10-%d", i)), "epcList": []string{epc}, "eventTime": fmt.Sprintf("2024-06-01T10:00:0%dZ", i)}))
			}
			if err := c.captured(events...); err != nil {
				return err
			}
			of := "MATCH_anyEPC=" + esc(epc)
			return first(
				c.refused(400, "QueryParameterException", http.MethodGet, "/events?"+of+"&eventCountLimit=2&maxEventCount=3&orderBy=eventTime", nil),
				c.refused(413, "QueryTooLargeException", http.MethodGet, "/events?"+of+"&maxEventCount=4", nil),
				c.finds(of+"&maxEventCount=5", "q10-0", "q10-1", "q10-2", "q10-3", "q10-4"),
				c.finds(of+"&eventCountLimit=3&orderBy=eventTime&perPage=2", "q10-4", "q10-3", "q10-2"),
				c.finds(of+"&eventCountLimit=2&orderBy=eventTime&orderDirection=ASC", "q10-0", "q10-1"))
		}},
		{"Q11", "a too long URL is 414", func(c *client) error {
			return c.refused(414, "URITooLongException", http.MethodGet, "/events?EQ_bizStep="+strings.Repeat("x", 20_000), nil)
		}},
		{"Q12", "pages hold every event once, though events arrive meanwhile", pages},
		{"Q13", "DELETE /nextPageToken/{token} makes it useless", func(c *client) error {
			r, err := c.want(http.StatusOK, http.MethodGet, "/events?perPage=1", nil)
			if err != nil {
				return err
			}
			next := nextLink(r)
			_, token, _ := strings.Cut(next, "nextPageToken=")
			token, _, _ = strings.Cut(token, "&")
			if _, err := c.want(http.StatusNoContent, http.MethodDelete, "/nextPageToken/"+token, nil); err != nil {
				return err
			}
			return c.refused(400, "QueryParameterException", http.MethodGet, next, nil)
		}},
		{"Q14", "GS1-EPC-Format and GS1-CBV-XML-Format choose the form", formats},
		{"Q15", "sensor values are found in other units", func(c *client) error {
			e := c.event(map[string]any{"eventID": c.id("q15"), "sensorElementList": []any{map[string]any{"sensorReport": []any{
				map[string]any{"type": "Temperature", "value": 26.0, "uom": "CEL"},
			}}}})
			if err := c.captured(e); err != nil {
				return err
			}
			only := "&EQ_eventID=" + esc(c.id("q15"))
			return first(c.finds("EQ_type=gs1:Temperature&GE_value_KEL=299.15"+only, "q15"), c.finds("EQ_type=Temperature&GE_value_KEL=299.14"+only, "q15"),
				c.finds("EQ_type=Temperature&GE_value_KEL=299.16"+only), c.finds("EQ_value_FAH=78.8"+only, "q15"), c.finds("LT_value_CEL=26"+only), c.finds("LE_value_CEL=26"+only, "q15"))
		}},
	}
}

// validDocument captures what a query answered: a document that is valid can be posted again.
func (c *client) validDocument(doc []byte) error {
	j, err := c.capture(doc)
	if err == nil && !*j.Success {
		err = fmt.Errorf("what a query answered is not accepted again: %v", j.Errors)
	}
	return err
}

func pages(c *client) error {
	epc := c.epc("q12")
	one := func(i int) map[string]any {
		return c.event(map[string]any{"eventID": c.id(fmt.Sprintf("q12-%03d", i)), "epcList": []string{epc}, "eventTime": fmt.Sprintf("2024-07-01T10:%02d:00Z", i%7)})
	}
	var events []map[string]any
	for i := range 40 {
		events = append(events, one(i))
	}
	if err := c.captured(events...); err != nil {
		return err
	}
	for _, order := range []string{"", "&orderBy=eventTime", "&orderBy=eventTime&orderDirection=ASC", "&orderBy=recordTime", "&orderBy=recordTime&orderDirection=ASC"} {
		var ids []string
		var arriving sync.WaitGroup
		next, page := "/events?perPage=7&MATCH_anyEPC="+esc(epc)+order, 0
		for next != "" {
			r, err := c.want(http.StatusOK, http.MethodGet, next, nil)
			if err != nil {
				return err
			}
			list, err := r.eventList()
			if err != nil || len(list) > 7 {
				return fmt.Errorf("page of %d, %w", len(list), err)
			}
			for _, e := range list {
				id, _ := e["eventID"].(string)
				ids = append(ids, id)
			}
			if next = nextLink(r); next != "" {
				if err := r.has("GS1-Next-Page-Token-Expires"); err != nil {
					return err
				}
			}
			if page++; page == 2 { // another event of the same result arrives
				late := c.event(map[string]any{"epcList": []string{epc}, "eventTime": "2024-07-01T10:03:00Z"})
				if err := c.captured(late); err != nil {
					return err
				}
			}
		}
		arriving.Wait()
		slices.Sort(ids)
		if n := len(slices.Compact(slices.Clone(ids))); n != len(ids) {
			return fmt.Errorf("%q: %d events, %d of them different", order, len(ids), n)
		}
		count := 0
		for _, id := range ids {
			if strings.HasPrefix(id, c.id("q12-")) {
				count++
			}
		}
		if count != 40 {
			return fmt.Errorf("%q: %d of 40 events in the pages", order, count)
		}
	}
	r, err := c.want(http.StatusOK, http.MethodGet, "/events?MATCH_anyEPC="+esc(epc), nil)
	if err != nil {
		return err
	}
	if list, err := r.eventList(); err != nil || len(list) != 30 {
		return fmt.Errorf("a page has %d events by default, want 30, %w", len(list), err)
	}
	return first(
		c.refused(400, "QueryParameterException", http.MethodGet, "/events?nextPageToken=nonsense", nil),
		c.refused(400, "QueryParameterException", http.MethodGet, strings.Replace(nextLink(r), "q12", "q13", 1), nil))
}

func matchEPCs(c *client) error {
	n := func(name string) string { return c.epc("q7" + name) }
	link := func(name string) string { return "https://id.gs1.org/01/10614141073464/21/" + c.run + "q7" + name }
	class := "urn:epc:class:lgtin:0614141.107346." + c.run + "lot"
	if err := c.captured(
		c.event(map[string]any{"eventID": c.id("q7o"), "epcList": []string{n("a")}}),
		c.event(map[string]any{"eventID": c.id("q7dl"), "epcList": []string{link("b")}}),
		c.event(map[string]any{"eventID": c.id("q7agg"), "type": "AggregationEvent", "action": "ADD", "epcList": nil, "parentID": n("p"), "childEPCs": []string{n("a"), n("c")}}),
		c.event(map[string]any{"eventID": c.id("q7t"), "type": "TransformationEvent", "action": nil, "epcList": nil, "inputEPCList": []string{n("a")}, "outputEPCList": []string{n("z")}}),
		c.event(map[string]any{"eventID": c.id("q7q"), "epcList": nil, "quantityList": []any{map[string]any{"epcClass": class, "quantity": 3, "uom": "KGM"}}}),
	); err != nil {
		return err
	}
	ids, err := c.query("/events", "MATCH_epc="+esc("urn:epc:idpat:sgtin:0614141.107346.*"))
	if err != nil {
		return err
	}
	for _, want := range []string{"q7o", "q7dl", "q7agg"} {
		if !slices.Contains(ids, c.id(want)) {
			return fmt.Errorf("the pattern does not find %s", want)
		}
	}
	return first(
		c.finds("MATCH_epc="+esc(n("a")), "q7o", "q7agg"), c.finds("MATCH_epc="+esc(link("a")), "q7o", "q7agg"),
		c.finds("MATCH_anyEPC="+esc(n("a")), "q7o", "q7agg", "q7t"), c.finds("MATCH_anyEPC="+esc(link("p")), "q7agg"),
		c.finds("MATCH_epc="+esc(n("b")), "q7dl"), c.finds("MATCH_parentID="+esc(n("p")), "q7agg"), c.finds("MATCH_epc="+esc(n("p"))),
		c.finds("MATCH_inputEPC="+esc(link("a")), "q7t"), c.finds("MATCH_outputEPC="+esc(n("z")), "q7t"), c.finds("MATCH_inputEPC="+esc(n("z"))),
		c.finds("MATCH_epcClass="+esc(class), "q7q"), c.finds("MATCH_anyEPCClass="+esc("https://id.gs1.org/01/10614141073464/10/"+c.run+"lot"), "q7q"),
		c.finds("MATCH_inputEPCClass="+esc(class)), c.finds("MATCH_anyEPC="+esc(n("a")+"|"+n("b")), "q7o", "q7agg", "q7t", "q7dl"),
		c.finds("MATCH_anyEPC="+esc("urn:epc:idpat:sgtin:9999999.107346.*")))
}

func formats(c *client) error {
	urn, link := c.epc("q14"), "https://id.gs1.org/01/10614141073464/21/"+c.run+"q14"
	if err := c.captured(
		c.event(map[string]any{"eventID": c.id("q14u"), "epcList": []string{urn}}),
		c.event(map[string]any{"eventID": c.id("q14d"), "epcList": []string{link}})); err != nil {
		return err
	}
	for _, f := range []struct{ header, stored, want string }{
		{"X: y", "q14u", link}, {"GS1-EPC-Format: Always_GS1_Digital_Link", "q14u", link}, {"GS1-EPC-Format: Always_EPC_URN", "q14u", urn},
		{"GS1-EPC-Format: Never_Translates", "q14u", urn}, {"GS1-EPC-Format: Never_Translates", "q14d", link},
		{"GS1-EPC-Format: Always_GS1_Digital_Link", "q14d", link},
	} {
		r, err := c.want(http.StatusOK, http.MethodGet, "/events/"+pathEsc(c.id(f.stored)), nil, f.header)
		if err != nil {
			return err
		}
		if !strings.Contains(string(r.body), `"`+f.want+`"`) {
			return fmt.Errorf("%s of %s is not %s: %.600s", f.header, f.stored, f.want, r.body)
		}
	}
	for header, want := range map[string]string{
		"GS1-CBV-XML-Format: Always_Web_URI": "https://ref.gs1.org/cbv/BizStep-shipping", "GS1-CBV-XML-Format: Always_URN": "urn:epcglobal:cbv:bizstep:shipping",
	} {
		r, err := c.want(http.StatusOK, http.MethodGet, "/events/"+pathEsc(c.id("q14u")), nil, header, "Accept: text/xml")
		if err != nil || !strings.Contains(string(r.body), want) {
			return fmt.Errorf("%s: %.600s, %w", header, r.body, err)
		}
	}
	return c.refused(406, "NotAcceptableException", http.MethodGet, "/events", nil, "GS1-EPC-Format: Sometimes")
}
