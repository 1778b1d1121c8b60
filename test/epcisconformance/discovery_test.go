package epcisconformance_test

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var abilities = []string{
	"Allow", "GS1-EPCIS-Version", "GS1-EPCIS-Min", "GS1-EPCIS-Max", "GS1-CBV-Version", "GS1-CBV-Min", "GS1-CBV-Max",
	"GS1-EPC-Format", "GS1-CBV-XML-Format", "GS1-Extensions", "GS1-Vendor-Version",
}

var topLevelNames = []string{"eventTypes", "epcs", "bizSteps", "bizLocations", "readPoints", "dispositions"}

func discovery() []line {
	return []line{
		{"D1", "OPTIONS / answers 204 with versions and formats", func(c *client) error {
			r, err := c.want(http.StatusNoContent, http.MethodOptions, "/", nil)
			if err != nil {
				return err
			}
			return r.has(abilities...)
		}},
		{"D2", "GET / lists nine resources", func(c *client) error {
			r, err := c.want(http.StatusOK, http.MethodGet, "/", nil)
			if err != nil {
				return err
			}
			m := r.json()
			members, _ := m["member"].([]any)
			if m["@context"] == nil || m["type"] != "Collection" || len(members) < 9 {
				return fmt.Errorf("collection %s", r.body)
			}
			for _, name := range append([]string{"queries", "capture", "events"}, topLevelNames...) {
				if !slices.Contains(members, any(name)) {
					return fmt.Errorf("%s is not a member", name)
				}
			}
			return nil
		}},
		{"D3", "OPTIONS on every resource answers 204 with Allow", optionsEverywhere},
		{"D4", "OPTIONS /capture states limits and error behaviours", func(c *client) error {
			r, err := c.want(http.StatusNoContent, http.MethodOptions, "/capture", nil)
			if err != nil {
				return err
			}
			events, err1 := strconv.Atoi(r.header.Get("GS1-EPCIS-Capture-Limit"))
			bytes, err2 := strconv.Atoi(r.header.Get("GS1-EPCIS-Capture-File-Size-Limit"))
			if events < 1 || bytes < 1 || r.header.Get("GS1-Capture-Error-Behaviour") != "all" {
				return fmt.Errorf("headers %v", r.header)
			}
			return errors.Join(err1, err2)
		}},
		{"D5", "OPTIONS on a subscription answers 204", func(c *client) error {
			_, err := c.want(http.StatusNoContent, http.MethodOptions, "/queries/q/subscriptions/s", nil)
			return err
		}},
		{"D6", "versions are numbers with dots", func(c *client) error {
			r, err := c.want(http.StatusNoContent, http.MethodOptions, "/events", nil)
			if err != nil {
				return err
			}
			for _, h := range []string{"GS1-EPCIS-Version", "GS1-EPCIS-Min", "GS1-EPCIS-Max", "GS1-CBV-Version", "GS1-CBV-Min", "GS1-CBV-Max"} {
				if v := r.header.Get(h); !regexp.MustCompile(`^\d+(\.\d+)*$`).MatchString(v) {
					return fmt.Errorf("%s: %q", h, v)
				}
			}
			return nil
		}},
	}
}

func optionsEverywhere(c *client) error {
	want := map[string]string{
		"/capture": "POST", "/capture/x": "GET", "/events": "GET", "/events/urn:x": "GET", "/queries": "POST", "/queries/q": "DELETE",
		"/queries/q/events": "GET", "/queries/q/subscriptions": "POST", "/queries/q/subscriptions/s": "DELETE",
	}
	for _, name := range topLevelNames {
		want["/"+name], want["/"+name+"/x"], want["/"+name+"/x/events"] = "GET", "GET", "GET"
	}
	for path, method := range want {
		r, err := c.want(http.StatusNoContent, http.MethodOptions, path, nil)
		if err != nil {
			return err
		}
		if allow := r.header.Get("Allow"); !strings.Contains(allow, "OPTIONS") || !strings.Contains(allow, method) {
			return fmt.Errorf("%s allows %q", path, allow)
		}
	}
	return nil
}
