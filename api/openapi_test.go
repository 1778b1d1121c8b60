package api_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is openapi.json as its readers see it.
type document struct {
	OpenAPI    string
	Paths      map[string]map[string]operation
	Components struct {
		Schemas   map[string]any
		Responses map[string]response
	}
}

type operation struct {
	Summary    string
	Parameters []struct {
		Name, In string
		Required bool
	}
	Responses map[string]response
	Security  []map[string][]string
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema any }
}

func readDocument(t *testing.T) document {
	t.Helper()
	b, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// operations lists "GET /v1/keys" for every operation of the document.
func (d document) operations() map[string]operation {
	out := map[string]operation{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			out[strings.ToUpper(method)+" "+path] = op
		}
	}
	return out
}

// Every route stands in openapi.json, and the reverse.
func TestTheDocumentDescribesEveryRouteAndNoOther(t *testing.T) {
	var served []string
	for _, pattern := range newServerPatterns(t) {
		pattern = strings.ReplaceAll(pattern, "...}", "}")
		if !strings.Contains(pattern, " ") {
			pattern = "POST " + pattern // a connector answers any other method itself
		}
		if pattern != "POST /v1/" {
			served = append(served, pattern)
		}
	}
	described := slices.Collect(maps.Keys(readDocument(t).operations()))
	slices.Sort(served)
	slices.Sort(described)
	if !slices.Equal(served, described) {
		t.Errorf("served:\n%s\n\ndescribed:\n%s", strings.Join(served, "\n"), strings.Join(described, "\n"))
	}
}

func TestTheDocumentIsWellFormed(t *testing.T) {
	d := readDocument(t)
	if d.OpenAPI != "3.1.0" {
		t.Errorf("version %q", d.OpenAPI)
	}
	for name, op := range d.operations() {
		if op.Summary == "" || len(op.Responses) == 0 {
			t.Errorf("%s has no summary or no answer", name)
		}
		for part := range strings.SplitSeq(name, "/") {
			param, is := strings.CutPrefix(strings.TrimSuffix(part, "}"), "{")
			if is && !slices.ContainsFunc(op.Parameters, func(p struct {
				Name, In string
				Required bool
			},
			) bool {
				return p.Name == param && p.In == "path" && p.Required
			}) {
				t.Errorf("%s does not declare {%s}", name, param)
			}
		}
		for _, alternative := range op.Security {
			if len(alternative["key"]) != 1 {
				t.Errorf("%s: %v means all of these at once; scopes are alternatives", name, alternative)
			}
		}
	}
	c := strictCompiler(t)
	for name := range d.Components.Schemas {
		if _, err := c.Compile("openapi.json#/components/schemas/" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// strictCompiler compiles schemas of the document as strictly as its readers take them: an object has no members but
// those that are described.
func strictCompiler(t *testing.T) *jsonschema.Compiler {
	t.Helper()
	b, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(whole)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("openapi.json", whole); err != nil {
		t.Fatal(err)
	}
	return c
}

func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, described := v["properties"]; described && v["type"] == "object" {
			if _, said := v["additionalProperties"]; !said {
				v["additionalProperties"] = false
			}
		}
		for _, x := range v {
			closeObjects(x)
		}
	case []any:
		for _, x := range v {
			closeObjects(x)
		}
	}
}

// call is one request whose answer is held to the document.
type call struct{ op, key, path, body, status string }

// calls has at least one request of every operation.
func calls() []call {
	return []call{
		{"POST /in/{connector}", "capture", "/in/alpha-push", "{}", "202"},
		{"POST /in/{connector}", "beta", "/in/alpha-push", "{}", "403"},
		{"POST /in/{connector}", "", "/in/nothing", "{}", "404"},
		{"POST /in/{connector}", "", "/in/signed", "busy", "429"},
		{"POST /in/{connector}/token", "", "/in/nothing/token", "", "404"},
		{"GET /v1/trace/{code}", "alpha", "/v1/trace/" + url.PathEscape(item), "", "200"},
		{"GET /v1/trace/{code}", "audit", "/v1/trace/" + url.PathEscape(item) + "?direction=forward", "", "200"},
		{"GET /v1/trace/{code}", "alpha", "/v1/trace/nothing", "", "404"},
		{"GET /v1/events/{id}", "alpha", "/v1/events/urn:uuid:0000-0", "", "200"},
		{"GET /v1/events/{id}", "alpha", "/v1/events/nothing", "", "404"},
		{"GET /v1/events/{id}/receipt", "alpha", "/v1/events/urn:uuid:0000-0/receipt", "", "200"},
		{"GET /v1/log/{seq}", "audit", "/v1/log/0", "", "200"},
		{"GET /v1/log/{seq}", "alpha", "/v1/log/99", "", "404"},
		{"GET /v1/log/{seq}/receipt", "audit", "/v1/log/1/receipt", "", "200"},
		{"GET /v1/records/{connector}/{id}", "capture", "/v1/records/alpha-push/rec-0", "", "200"},
		{"GET /v1/records/{connector}/{id}", "alpha", "/v1/records/alpha-push/bad-0", "", "200"},
		{"GET /v1/anchors", "", "/v1/anchors", "", "200"},
		{"GET /v1/anchors/{size}", "", "/v1/anchors/2", "", "200"},
		{"GET /v1/anchors/{size}", "", "/v1/anchors/7", "", "404"},
		{"GET /v1/anchors/{size}/consistency", "", "/v1/anchors/2/consistency?from=2", "", "200"},
		{"GET /v1/anchors/{size}/consistency", "", "/v1/anchors/7/consistency?from=2", "", "404"},
		{"GET /v1/anchors/{size}/consistency", "", "/v1/anchors/2/consistency?from=3", "", "400"},
		{"GET /v1/trust", "", "/v1/trust", "", "200"},
		{"GET /v1/connectors", "admin", "/v1/connectors", "", "200"},
		{"GET /v1/connectors", "alpha", "/v1/connectors", "", "200"},
		{"GET /v1/connectors/{id}", "beta", "/v1/connectors/beta-push", "", "200"},
		{"GET /v1/connectors/{id}/files", "admin", "/v1/connectors/alpha-push/files", "", "200"},
		{"GET /v1/connectors/{id}/files", "admin", "/v1/connectors/nothing/files", "", "404"},
		{"GET /v1/connectors/{id}/raw", "admin", "/v1/connectors/alpha-push/raw?n=5", "", "200"},
		{"GET /v1/connectors/{id}/raw", "admin", "/v1/connectors/alpha-push/raw?n=many", "", "400"},
		{"POST /v1/connectors/{id}/pause", "admin", "/v1/connectors/alpha-push/pause", "", "200"},
		{"PUT /v1/connectors/{id}/position", "admin", "/v1/connectors/alpha-push/position", `{"position":""}`, "200"},
		{"PUT /v1/connectors/{id}/position", "admin", "/v1/connectors/alpha-push/position", `{}`, "400"},
		{"PUT /v1/connectors/{id}/position", "admin", "/v1/connectors/beta-push/position", `{"position":"7"}`, "409"},
		{"PUT /v1/connectors/{id}/position", "alpha", "/v1/connectors/alpha-push/position", `{"position":""}`, "403"},
		{"POST /v1/connectors/{id}/resume", "admin", "/v1/connectors/alpha-push/resume", "", "200"},
		{"POST /v1/connectors/{id}/pause", "admin", "/v1/connectors/nothing/pause", "", "404"},
		{"GET /v1/dead-letters", "alpha", "/v1/dead-letters", "", "200"},
		{"GET /v1/dead-letters/{id}", "alpha", "/v1/dead-letters/1", "", "200"},
		{"PATCH /v1/dead-letters/{id}", "admin", "/v1/dead-letters/1", `{"body":"fixed","note":"typo"}`, "200"},
		{"PATCH /v1/dead-letters/{id}", "admin", "/v1/dead-letters/1", `{"drop":true}`, "400"},
		{"POST /v1/dead-letters/{id}/replay", "admin", "/v1/dead-letters/1/replay", "", "202"},
		{"POST /v1/dead-letters/{id}/replay", "admin", "/v1/dead-letters/1/replay", "", "409"},
		{"POST /v1/dead-letters/replay", "admin", "/v1/dead-letters/replay", "", "202"},
		{"POST /v1/dead-letters/drop", "admin", "/v1/dead-letters/drop?connector=beta-push", `{"note":"test data"}`, "200"},
		{"POST /v1/dead-letters/drop", "admin", "/v1/dead-letters/drop", `{"note":""}`, "400"},
		{"POST /v1/dead-letters/drop", "alpha", "/v1/dead-letters/drop", `{"note":"x"}`, "403"},
		{"GET /v1/keys", "admin", "/v1/keys", "", "200"},
		{"POST /v1/keys", "admin", "/v1/keys", `{"provider":"gamma","scopes":["query"],"note":"n"}`, "201"},
		{"POST /v1/keys", "admin", "/v1/keys", `{"provider":"gamma","scopes":["all"]}`, "400"},
		{"DELETE /v1/keys/{id}", "admin", "/v1/keys/nothing", "", "404"},
		{"POST /v1/backups", "admin", "/v1/backups", `{"name":"nightly"}`, "201"},
		{"POST /v1/backups", "admin", "/v1/backups", `{"name":"../nightly"}`, "400"},
		{"POST /v1/backups", "alpha", "/v1/backups", `{"name":"nightly"}`, "403"},
		{"GET /v1/openapi.json", "", "/v1/openapi.json", "", "200"},
		{"GET /healthz", "", "/healthz", "", "200"},
		{"GET /readyz", "", "/readyz", "", "200"},
		{"GET /metrics", "", "/metrics", "", "200"},
	}
}

// Real answers of a running server are what the document says.
func TestAnswersAreAsDescribed(t *testing.T) {
	w := newWorld(t)
	d := readDocument(t)
	todo := d.operations()
	c := strictCompiler(t)
	for _, one := range calls() {
		method, _, _ := strings.Cut(one.op, " ")
		a := w.ask(one.key, method, one.path, one.body)
		if got := http.StatusText(a.status); got == "" || one.status != itoa(a.status) {
			t.Errorf("%s %s: %d, want %s: %s", method, one.path, a.status, one.status, a.body)
			continue
		}
		delete(todo, one.op)
		described, ok := d.operations()[one.op].Responses[one.status]
		if !ok {
			t.Errorf("%s: %s is not described", one.op, one.status)
			continue
		}
		at := "/paths/" + strings.ReplaceAll(strings.ReplaceAll(one.op[len(method)+1:], "~", "~0"), "/", "~1") + "/" + strings.ToLower(method) + "/responses/" + one.status
		if described.Ref != "" {
			at = strings.TrimPrefix(described.Ref, "#")
			described = d.Components.Responses[described.Ref[strings.LastIndex(described.Ref, "/")+1:]]
		}
		media, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		if _, ok := described.Content[media]; !ok {
			t.Errorf("%s: %s answers with %q, which is not described", one.op, one.status, media)
			continue
		}
		if strings.HasSuffix(media, "json") && described.Content[media].Schema != nil {
			holdTo(t, c, "openapi.json#"+at+"/content/"+strings.ReplaceAll(media, "/", "~1")+"/schema", one, a.body)
		}
	}
	for op := range todo {
		t.Errorf("%s is never asked", op)
	}
}

func holdTo(t *testing.T, c *jsonschema.Compiler, schema string, one call, body []byte) {
	t.Helper()
	s, err := c.Compile(strings.ReplaceAll(strings.ReplaceAll(schema, "{", "%7B"), "}", "%7D"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s (%s): %v\n%s", one.path, one.key, err, body)
	}
}
