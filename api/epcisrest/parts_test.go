package epcisrest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/api/epcisrest"
	"github.com/suyuan-io/suyuan/hub"
)

func TestASkeletonHasEverythingButTheEvents(t *testing.T) {
	for _, c := range []struct{ doc, want string }{
		{`{"a":1,"epcisBody":{"eventList":[{"x":[1,{"eventList":[]}]},{"y":"]}\"["}]}}`, `{"a":1,"epcisBody":{"eventList":[]}}`},
		{`{"epcisBody":{"queryResults":{"resultsBody":{"eventList":[{}]},"queryName":"q"}},"z":[{"eventList":[1]}]}`,
			`{"epcisBody":{"queryResults":{"resultsBody":{"eventList":[]},"queryName":"q"}},"z":[{"eventList":[1]}]}`},
		{`{"eventList":[1],"epcisBody":{"other":{"eventList":[2]}}}`, `{"eventList":[1],"epcisBody":{"other":{"eventList":[2]}}}`},
		{"{\"epcisBody\" : { \"eventList\" : [ 1 , 2 ] } }", "{\"epcisBody\" : { \"eventList\" : [] } }"},
	} {
		got, err := epcisrest.Skeleton([]byte(c.doc), 1<<20)
		if err != nil || string(got) != c.want {
			t.Errorf("%s\ngives %s, %v\nwant  %s", c.doc, got, err, c.want)
		}
	}
	if _, err := epcisrest.Skeleton([]byte(`{"a":"`+strings.Repeat("x", 100)+`"}`), 50); hub.KindOf(err) != hub.TooLarge {
		t.Errorf("a large header: %v", err)
	}
	if _, err := epcisrest.Skeleton([]byte(strings.Repeat("[", 10_000)), 1<<20); hub.KindOf(err) != hub.Invalid {
		t.Errorf("deep nesting: %v", err)
	}
}

func FuzzSkeleton(f *testing.F) {
	f.Add([]byte(`{"a":1,"epcisBody":{"eventList":[{"x":[1,{"eventList":[]}]},{"y":"]}\"["}]}}`))
	f.Add([]byte(`{"epcisBody":{"queryResults":{"resultsBody":{"eventList":[{}]}}}}`))
	f.Add([]byte(`{"\u0065pcisBody":{"eventList":[1]}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		out, err := epcisrest.Skeleton(doc, 1<<16)
		var tree any
		if err != nil || json.Unmarshal(doc, &tree) != nil {
			return
		}
		var got any
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%s becomes %s: %v", doc, out, err)
		}
		if bytes.ContainsAny(doc, `\`) || strings.Count(string(doc), "epcisBody") > 1 || strings.Count(string(doc), "eventList") > 1 {
			return // names that are escaped or repeated are of no matter: they only let more stand
		}
		root, _ := tree.(map[string]any)
		if body, _ := root["epcisBody"].(map[string]any); body != nil {
			if _, ok := body["eventList"].([]any); ok {
				body["eventList"] = []any{}
			}
			if results, _ := body["queryResults"].(map[string]any); results != nil {
				if r, _ := results["resultsBody"].(map[string]any); r != nil {
					if _, ok := r["eventList"].([]any); ok {
						r["eventList"] = []any{}
					}
				}
			}
		}
		if !reflect.DeepEqual(tree, got) {
			t.Fatalf("%s becomes %s", doc, out)
		}
	})
}

func TestTokensAreOnlyGoodAsGiven(t *testing.T) {
	same := func(s string) string { return s }
	for name, c := range map[string]struct {
		asked  string
		change func(string) string
		later  time.Duration
		code   string
	}{
		"as given":       {"list", same, time.Minute, ""},
		"another list":   {"other", same, time.Minute, "epcis.token.other"},
		"expired":        {"list", same, 2 * time.Hour, "epcis.token.expired"},
		"changed":        {"list", func(s string) string { return s[:len(s)-2] + "AA" }, 0, "epcis.token.unknown"},
		"changed seal":   {"list", func(s string) string { return "AAAA" + s[4:] }, 0, "epcis.token.unknown"},
		"cut":            {"list", func(s string) string { return s[:10] }, 0, "epcis.token.unknown"},
		"no base64":      {"list", func(string) string { return "%%%" }, 0, "epcis.token.unknown"},
		"nothing at all": {"list", func(string) string { return "" }, 0, "epcis.token.unknown"},
	} {
		err := epcisrest.SealAndOpen("list", c.asked, c.change, c.later)
		if (err == nil) != (c.code == "") || err != nil && hub.AsFault(err).Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestAcceptChoosesWhatIsLikedBest(t *testing.T) {
	const j, x = "application/json", "application/xml"
	for header, want := range map[string]string{
		"": j, "*/*": j, "application/*": j, x: x, "application/xml, application/json;q=0.5": x, "application/json;q=0.2, */*;q=0.9": x,
		"text/html": "", "application/json;q=0": "", "text/html, */*;q=0.1": j, "application/json ; q=1": j, ";;;": "",
	} {
		got, ok := epcisrest.Accepts(header, j, x)
		if got != want || ok != (want != "") {
			t.Errorf("%q chooses %q, want %q", header, got, want)
		}
	}
}

func TestPathsAreCutBeforeTheyAreDecoded(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          []string
		ok            bool
	}{
		{"events/{}", "events/https%3A%2F%2Fid.gs1.org%2F01%2F1", []string{"https://id.gs1.org/01/1"}, true},
		{"events/{}", "events/urn:uuid:1", []string{"urn:uuid:1"}, true},
		{"events/{}", "events/", nil, false},
		{"events/{}", "events/a/b", nil, false},
		{"epcs/{}/events", "epcs/urn%3Ax/events", []string{"urn:x"}, true},
		{"events/{}", "events/%zz", nil, false},
	} {
		got, ok := epcisrest.Route(c.pattern, c.path)
		if ok != c.ok || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s with %s: %q, %v", c.pattern, c.path, got, ok)
		}
	}
}

func TestCaptureConnectorsHaveNames(t *testing.T) {
	for _, p := range []hub.ProviderID{"a", "shanghai-bonded-wms", hub.ProviderID(strings.Repeat("x", 63)), hub.ProviderID(strings.Repeat("x", 62) + "y")} {
		id := epcisrest.ConnectorID(p)
		if err := hub.CheckName(string(id)); err != nil || !epcisrest.IsCapture(id) {
			t.Errorf("%s has the connector %s: %v", p, id, err)
		}
	}
	if epcisrest.ConnectorID(hub.ProviderID(strings.Repeat("x", 63))) == epcisrest.ConnectorID(hub.ProviderID(strings.Repeat("x", 62)+"y")) {
		t.Error("two providers share a connector")
	}
}

// A method that somebody made up is no label of its own: each would be kept for ever, for whoever asks without a key.
func TestMadeUpMethodsAreCountedAsOne(t *testing.T) {
	registry := prometheus.NewRegistry()
	s, err := epcisrest.New(epcisrest.Deps{Log: zap.NewNop(), Now: time.Now, Registerer: registry, Dir: t.TempDir()}, epcisrest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 100 {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(fmt.Sprintf("METHOD%d", n), "/epcis/events", nil))
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if n := len(family.GetMetric()); n > 1 {
			t.Errorf("%s has %d series", family.GetName(), n)
		}
	}
}
