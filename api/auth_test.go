package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/api"
	"github.com/suyuan-io/suyuan/hub"
)

func itoa(n int) string { return strconv.Itoa(n) }

func newServerPatterns(t *testing.T) []string {
	t.Helper()
	return api.New(depsOf()).Patterns()
}

// depsOf is a server of which only what needs no store is asked.
func depsOf() api.Deps {
	return api.Deps{Log: zap.NewNop(), Now: time.Now, Registerer: prometheus.NewRegistry()}
}

// Every operation asks for a key with one of the scopes that the document names, and for nothing more.
func TestEveryOperationAsksForItsScope(t *testing.T) {
	w := newWorld(t)
	scopeOf := map[string]string{"alpha": "query", "capture": "capture", "audit": "audit", "admin": "admin"}
	seen := map[string]bool{}
	for _, one := range calls() {
		op := readDocument(t).operations()[one.op]
		if len(op.Security) == 0 || seen[one.op] {
			continue
		}
		seen[one.op] = true
		method, _, _ := strings.Cut(one.op, " ")
		for _, key := range []string{"", "suyuan_wrong"} {
			a := w.ask(key, method, one.path, one.body)
			if p := w.problem(a); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" || p.Hint == "" || p.DetailZh == "" {
				t.Errorf("%s with key %q: %d %s", one.op, key, a.status, a.body)
			}
		}
		for key, scope := range scopeOf {
			allowed := scope == "admin" || slices.ContainsFunc(op.Security, func(s map[string][]string) bool { return slices.Contains(s["key"], scope) })
			a := w.ask(key, method, one.path, one.body)
			if (a.status != http.StatusForbidden) != allowed || a.status == http.StatusUnauthorized {
				t.Errorf("%s with scope %s: %d, allowed by the document: %v", one.op, scope, a.status, allowed)
			}
		}
	}
}

// What one party stated is not known to exist to another.
func TestAPartyNeverSeesWhatAnotherStated(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/v1/events/urn:uuid:0000-0", "/v1/events/urn:uuid:0000-0/receipt", "/v1/log/0", "/v1/log/0/receipt",
		"/v1/records/alpha-push/rec-0", "/v1/dead-letters/1", "/v1/connectors/alpha-push",
	} {
		if a := w.ask("alpha", http.MethodGet, path, ""); a.status != http.StatusOK {
			t.Errorf("%s of its own: %d %s", path, a.status, a.body)
		}
		a := w.ask("beta", http.MethodGet, path, "")
		missing := strings.NewReplacer("0000-0", "0000-9", "log/0", "log/9", "rec-0", "rec-9", "letters/1", "letters/9", "alpha-push", "omega").Replace(path)
		none := w.ask("beta", http.MethodGet, missing, "")
		p, q := w.problem(a), w.problem(none)
		if a.status != http.StatusNotFound || p.Code != q.Code || p.Title != q.Title || p.Hint != q.Hint {
			t.Errorf("%s of another: %d %s, of nobody: %d %s", path, a.status, a.body, none.status, none.body)
		}
	}
	for _, path := range []string{"/v1/connectors", "/v1/dead-letters", "/v1/dead-letters?provider=alpha", "/v1/dead-letters?connector=alpha-push"} {
		if a := w.ask("beta", http.MethodGet, path, ""); a.status != http.StatusOK || strings.Contains(string(a.body), `"alpha`) || strings.Contains(string(a.body), "of alpha") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for key, want := range map[string]bool{"beta": false, "admin": true} { // faults quote files, whosever they are
		if a := w.ask(key, http.MethodGet, "/v1/connectors", ""); strings.Contains(string(a.body), "connectors/x.yaml") != want {
			t.Errorf("/v1/connectors for %s: %s", key, a.body)
		}
	}
	if a := w.ask("capture", http.MethodPost, "/in/beta-push", "{}"); a.status != http.StatusForbidden {
		t.Errorf("alpha posts to beta's connector: %d %s", a.status, a.body)
	}
}

// A journey shows what others stated by its facets alone; an auditor reads it whole.
func TestAJourneyKeepsOthersBodiesAndReceipts(t *testing.T) {
	w := newWorld(t)
	for key, want := range map[string]int{"alpha": 1, "beta": 1, "audit": 2, "admin": 2} {
		for _, direction := range []string{"backward", "forward"} {
			a := w.ask(key, http.MethodGet, "/v1/trace/"+url.PathEscape(item)+"?direction="+direction, "")
			body := string(a.body)
			if steps := strings.Count(body, `"eventTimeZoneOffset": "+08:00"`); a.status != http.StatusOK || steps < 2 {
				t.Fatalf("%s: %d %s", key, a.status, body)
			}
			if bodies, receipts := strings.Count(body, `"event": {`), strings.Count(body, `"receipt": "`); bodies != want || receipts != want {
				t.Errorf("%s %s: %d bodies and %d receipts, want %d\n%s", key, direction, bodies, receipts, want, body)
			}
		}
	}
}

// A revoked key is refused after the few seconds that a good verdict is remembered, and at once where it is new.
func TestARevokedKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	if a := w.ask("alpha", http.MethodGet, "/v1/dead-letters", ""); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	keys, err := w.store.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Note == "alpha" || k.Note == "beta" {
			if a := w.ask("admin", http.MethodDelete, "/v1/keys/"+k.ID, ""); a.status != http.StatusNoContent {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
	}
	if a := w.ask("beta", http.MethodGet, "/v1/dead-letters", ""); a.status != http.StatusUnauthorized {
		t.Errorf("a revoked key that was not used before: %d", a.status)
	}
	w.clock.pass(6 * time.Second)
	if a := w.ask("alpha", http.MethodGet, "/v1/dead-letters", ""); a.status != http.StatusUnauthorized {
		t.Errorf("a revoked key after 6 s: %d", a.status)
	}
}

// A key may be sent as a bearer token, as X-API-Key, or as the password of Basic.
func TestAKeyMayBeSentInThreeWays(t *testing.T) {
	w := newWorld(t)
	for name, set := range map[string]func(r *http.Request){
		"bearer": func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+w.keys["admin"]) },
		"header": func(r *http.Request) { r.Header.Set("X-Api-Key", w.keys["admin"]) },
		"basic":  func(r *http.Request) { r.SetBasicAuth("anyone", w.keys["admin"]) },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/v1/keys", nil)
		if err != nil {
			t.Fatal(err)
		}
		set(r)
		a, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = a.Body.Close()
		if a.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", name, a.StatusCode)
		}
	}
}

// A secret is shown once, and neither it nor its hash ever again.
func TestASecretIsShownOnce(t *testing.T) {
	w := newWorld(t)
	a := w.ask("admin", http.MethodPost, "/v1/keys", `{"provider":"gamma","scopes":["query"]}`)
	if a.status != http.StatusCreated || !strings.Contains(string(a.body), `"secret": "suyuan_`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if list := w.ask("admin", http.MethodGet, "/v1/keys", ""); strings.Contains(string(list.body), "suyuan_") || strings.Contains(string(list.body), "hash") {
		t.Errorf("%s", list.body)
	}
}

// The first start makes one admin key, the next none.
func TestTheFirstStartMakesAnAdminKey(t *testing.T) {
	w := newWorld(t)
	for _, k := range mustKeys(t, w) {
		if slices.Contains(k.Scopes, hub.ScopeAdmin) {
			if err := w.store.RevokeKey(t.Context(), k.ID, w.clock.now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, err := api.EnsureAdmin(t.Context(), w.store, w.clock.now())
	if err != nil || first == "" {
		t.Fatalf("%q %v", first, err)
	}
	if again, err := api.EnsureAdmin(t.Context(), w.store, w.clock.now()); err != nil || again != "" {
		t.Errorf("%q %v", again, err)
	}
	if a := w.ask(first, http.MethodGet, "/v1/keys", ""); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func mustKeys(t *testing.T, w *world) []hub.Key {
	t.Helper()
	keys, err := w.store.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Kinds of faults become statuses in one table; what is our own doing keeps its cause to itself.
func TestEachKindOfFaultHasItsStatus(t *testing.T) {
	for kind, want := range map[hub.Kind]int{
		hub.Invalid: 400, hub.Unauthorized: 401, hub.Forbidden: 403, hub.NotFound: 404, hub.Conflict: 409, hub.TooLarge: 413,
		hub.Unsupported: 415, hub.Internal: 500, hub.Unavailable: 503,
	} {
		f := hub.Faultf(kind, "some.code", "words").WithHint("do this").At(hub.Where{Line: 3, Pointer: "/a"}).Because(fmt.Errorf("secret cause"))
		p := api.ProblemOf(f)
		if p.Status != want || p.Code != "some.code" || p.Hint != "do this" || p.Where == nil || p.Type != "https://suyuan.dev/problems/some.code" {
			t.Errorf("%v: %+v", kind, p)
		}
		if strings.Contains(p.Detail, "secret cause") == (kind == hub.Internal) {
			t.Errorf("%v: detail %q", kind, p.Detail)
		}
	}
	many := api.ProblemOf(hub.Faults{hub.Faultf(hub.Invalid, "a", "first"), hub.Faultf(hub.Invalid, "b", "second")})
	if many.Code != "a" || len(many.Errors) != 2 || many.Errors[1].Code != "b" {
		t.Errorf("%+v", many)
	}
}

func TestWhatCannotBeServedSaysWhenToComeBackAndNoSecrets(t *testing.T) {
	w := newWorld(t)
	busy := w.ask("", http.MethodPost, "/in/signed", "busy")
	if p := w.problem(busy); busy.status != http.StatusTooManyRequests || busy.header.Get("Retry-After") == "" || p.Code != "host.busy" || p.Instance != "/in/signed" {
		t.Errorf("%d %v %s", busy.status, busy.header, busy.body)
	}
	broken := w.ask("", http.MethodPost, "/in/signed", "broken")
	if w.problem(broken); broken.status != http.StatusInternalServerError || strings.Contains(string(broken.body), "/secret/path") {
		t.Errorf("%d %s", broken.status, broken.body)
	}
}

func TestWhatIsWrongWithARequestIsSaid(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code               string
	}{
		"no such route":        {"GET", "/v1/nothing", "", 404, "route.unknown"},
		"no body":              {"POST", "/v1/keys", "", 400, "body.empty"},
		"no JSON":              {"POST", "/v1/keys", "{", 400, "body.json"},
		"unknown member":       {"POST", "/v1/keys", `{"provider":"a","scope":["query"]}`, 400, "body.json"},
		"a number for a text":  {"POST", "/v1/keys", `{"provider":5}`, 400, "body.json"},
		"two values":           {"POST", "/v1/keys", `{"provider":"a","scopes":["query"]} {}`, 400, "body.json"},
		"a bad name":           {"POST", "/v1/keys", `{"provider":"A B","scopes":["query"]}`, 400, "name.invalid"},
		"no scopes":            {"POST", "/v1/keys", `{"provider":"a"}`, 400, "key.scopes"},
		"an unknown scope":     {"POST", "/v1/keys", `{"provider":"a","scopes":["root"]}`, 400, "key.scopes"},
		"17 MiB":               {"POST", "/v1/keys", `{"note":"` + strings.Repeat("x", 17<<20) + `"}`, 413, "body.too-large"},
		"no number":            {"GET", "/v1/log/last", "", 400, "path.seq"},
		"a negative number":    {"GET", "/v1/log/-1", "", 400, "path.seq"},
		"an unknown direction": {"GET", "/v1/trace/x?direction=up", "", 400, "query.direction"},
		"an unknown state":     {"GET", "/v1/dead-letters?state=gone", "", 400, "query.state"},
		"a limit of words":     {"GET", "/v1/dead-letters?limit=all", "", 400, "query.limit"},
		"before nothing":       {"GET", "/v1/anchors?before=0", "", 400, "query.before"},
		"a foreign sequence":   {"GET", "/v1/events/urn:uuid:0000-0/receipt?seq=1", "", 404, "event.unknown"},
		"edited and dropped":   {"PATCH", "/v1/dead-letters/1", `{"body":"x","drop":true,"note":"n"}`, 400, "dead-letter.change"},
		"edited to nothing":    {"PATCH", "/v1/dead-letters/1", `{"note":"n"}`, 400, "dead-letter.change"},
		"edited to no text":    {"PATCH", "/v1/dead-letters/1", `{"body":"","note":"n"}`, 400, "dead-letter.empty"},
		"edited to no bytes":   {"PATCH", "/v1/dead-letters/1", `{"bodyBase64":"","note":"n"}`, 400, "dead-letter.empty"},
		"dropped for nothing":  {"PATCH", "/v1/dead-letters/1", `{"drop":true}`, 400, "dead-letter.reason"},
	} {
		a := w.ask("admin", c.method, c.path, c.body)
		if p := w.problem(a); a.status != c.status || p.Code != c.code || p.Detail == "" {
			t.Errorf("%s: %d %s, want %d %s", name, a.status, a.body, c.status, c.code)
		} else if strings.Contains(p.Detail, "json:") || strings.Contains(p.Detail, "Go ") {
			t.Errorf("%s: speaks of the hub's inside: %s", name, p.Detail)
		}
	}
}

// A hub that is not ready says why, and with which status a load balancer should stop sending.
func TestReadinessNamesWhatIsBroken(t *testing.T) {
	d := depsOf()
	d.Checks = func(context.Context) []api.Check {
		return []api.Check{{Name: "store", OK: true}, {Name: "stream", Reason: "the disk is full"}}
	}
	w := httptest.NewRecorder()
	api.New(d).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "the disk is full") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	d = depsOf()
	d.Checks = func(context.Context) []api.Check {
		return []api.Check{{Name: "store", OK: true}, {Name: "anchor", Reason: "the ledger is down", Later: true}}
	}
	w = httptest.NewRecorder()
	api.New(d).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"ok": false`) {
		t.Errorf("what waits until later: %d %s", w.Code, w.Body)
	}
}

// Who asks what became of a record that died is led to the reason.
func TestADeadRecordLeadsToItsReason(t *testing.T) {
	w := newWorld(t)
	var record struct{ Status, DeadLetterHref string }
	if err := json.Unmarshal(w.ask("alpha", "GET", "/v1/records/alpha-push/bad-0", "").body, &record); err != nil {
		t.Fatal(err)
	}
	if record.Status != "dead" || record.DeadLetterHref == "" {
		t.Fatalf("%+v", record)
	}
	if a := w.ask("alpha", "GET", record.DeadLetterHref, ""); a.status != 200 || !strings.Contains(string(a.body), `"problem"`) {
		t.Errorf("%s: %d %s", record.DeadLetterHref, a.status, a.body)
	}
}
