package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/trace"
	"github.com/suyuan-io/suyuan/web"
)

const item = "https://id.gs1.org/01/07613035982949/21/T1"

// hubStub tells one journey and proves what is not pending.
type hubStub struct {
	trace   *trace.Trace
	err     error
	pending map[hub.Seq]bool
	opened  []time.Time
	padding int // of receipts, in bytes
}

// Trace implements web.Tracer.
func (h *hubStub) Trace(_ context.Context, _ string, at time.Time) (*trace.Trace, error) {
	h.opened = append(h.opened, at)
	return h.trace, h.err
}

// Receipt implements web.Prover.
func (h *hubStub) Receipt(_ context.Context, seq hub.Seq) ([]byte, error) {
	if h.pending[seq] {
		return nil, hub.Faultf(hub.Unavailable, "receipt.pending", "not yet")
	}
	return fmt.Appendf(nil, `{"seq":%d,"text":"</script><script>alert(1)</script> 溯源 `+"\u2028"+strings.Repeat("x", h.padding)+`"}`, seq), nil
}

// Certificate implements web.Prover.
func (h *hubStub) Certificate(context.Context) (string, time.Time, error) {
	return "log #3", time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC), nil
}

// Key implements web.Prover.
func (h *hubStub) Key() string { return "log+key" }

// step is an event of the journey.
func step(seq hub.Seq, bizStep, provider, body string) trace.Step {
	e := hub.Event{
		Seq: seq, Body: []byte(body), Leaf: hub.LeafRecord{Provider: hub.ProviderID(provider)},
		Facets: hub.Facets{Type: "ObjectEvent", BizStep: bizStep, EventTime: time.Date(2026, 5, 1, int(seq), 0, 0, 0, time.UTC)},
	}
	return trace.Step{Event: e, View: trace.ViewOf(e), Relation: trace.Direct}
}

func story() *trace.Trace {
	return &trace.Trace{
		Code: "T1", ID: item,
		Product: trace.Attributes{"name@zh": {{Value: "奶粉", Provider: "brand"}}, "name@en": {{Value: "Milk <b>powder</b>", Provider: "brand"}}, "gtin": {{Value: "7613035982949", Provider: "brand"}}},
		Places:  map[string]trace.Attributes{},
		Parties: map[string]trace.Attributes{"brand": {"name@en": {{Value: "The Brand"}}}},
		Steps: []trace.Step{
			step(0, "commissioning", "brand", `{"eventTimeZoneOffset":"+08:00","epcList":["`+item+`"],"ilmd":{"cbvmda:lotNumber":"L1","cbvmda:countryOfOrigin":"IE"}}`),
			step(1, "packing", "brand", `{"eventTimeZoneOffset":"+08:00"}`),
			step(2, "shipping", "carrier", `{"eventTimeZoneOffset":"+08:00"}`),
		},
		Contradictions: []trace.Contradiction{{Code: "x", Message: "odd", MessageZh: "怪", Events: []hub.Seq{2}}},
	}
}

const fields = `blocks:
  - id: all
    title: { zh: 全部, en: All }
    fields:
      - { label: { zh: 编码, en: Code }, code: true }
      - { label: { zh: 条码, en: Barcode }, product: gtin }
      - { label: { zh: 名称, en: Name }, product: name }
      - { label: { zh: 批号, en: Lot }, event: { bizStep: commissioning }, show: lotNumber }
      - { label: { zh: 产地, en: Origin }, event: { bizStep: commissioning }, show: countryOfOrigin, format: country }
      - { label: { zh: 打包, en: Packed }, event: { bizStep: packing } }
      - { label: { zh: 发货, en: Shipped }, event: { bizStep: shipping }, show: date }
      - { label: { zh: 缺, en: Missing }, event: { bizStep: storing } }
      - { label: { zh: 登记, en: Recorded }, anchor: date }
journey: [commissioning, shipping]
`

// serve answers one request for the page of the story.
func serve(t *testing.T, h *hubStub, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	templates, err := web.LoadTemplates(fstest.MapFS{"all.yaml": {Data: []byte(fields)}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := web.New(web.Options{Tracer: h, Prover: h, Templates: templates, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	return w
}

func get(path string) *http.Request { return httptest.NewRequest(http.MethodGet, path, nil) }

// shown reads the fields of a page: value, and what binds it to a record.
func shown(page string) map[string][2]string {
	out := map[string][2]string{}
	for _, m := range regexp.MustCompile(`<dt>(.*?)</dt><dd(.*?)>(.*?)</dd>`).FindAllStringSubmatch(page, -1) {
		out[m[1]] = [2]string{html.UnescapeString(m[3]), strings.TrimSpace(m[2])}
	}
	return out
}

func TestAPageShowsWhatItsTemplatePublishesBoundToItsRecords(t *testing.T) {
	w := serve(t, &hubStub{trace: story()}, get("/t/T1?lang=en"))
	want := map[string][2]string{
		"Code": {"T1", `data-seq="0" data-path="item/serial"`}, "Barcode": {"7613035982949", `data-seq="0" data-path="item/gtin"`},
		"Name": {"Milk <b>powder</b>", ""}, "Lot": {"L1", `data-seq="0" data-path="ilmd/lotNumber"`}, "Origin": {"Ireland", ""},
		"Packed": {"2026-05-01 09:00:00", `data-seq="1" data-path="eventTime"`}, "Shipped": {"2026-05-01", `data-seq="2" data-path="eventDate"`},
		"Recorded": {"2026-05-02 08:00:00 +08:00", ""},
	}
	if got := shown(w.Body.String()); !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
	page := w.Body.String()
	for _, part := range []string{"Stated by <bdi>The Brand</bdi>, <bdi>carrier</bdi>", "<b><bdi>The Brand</bdi></b>", "odd", `data-id="` + item + `"`} {
		if !strings.Contains(page, part) {
			t.Errorf("the page lacks %s", part)
		}
	}
	if steps := strings.Count(page, "<li data-step="); steps != 2 {
		t.Errorf("%d steps in the journey, want the 2 that the template publishes", steps)
	}
}

// The receipts stand in the page byte for byte, whatever an event holds; what a field shows has one, too.
func TestReceiptsTravelUnchangedAndCannotBreakThePage(t *testing.T) {
	h := &hubStub{trace: story()}
	w := serve(t, h, get("/t/T1?lang=zh"))
	found := regexp.MustCompile(`<script type="application/json" class="receipt" data-seq="(\d)">(.*?)</script>`).FindAllStringSubmatch(w.Body.String(), -1)
	var seqs []string
	for _, m := range found {
		seqs = append(seqs, m[1])
		var text string
		if err := json.Unmarshal([]byte(m[2]), &text); err != nil {
			t.Fatalf("%v: %s", err, m[2])
		}
		want, _ := h.Receipt(t.Context(), hub.Seq(m[1][0]-'0'))
		if text != string(want) {
			t.Errorf("receipt %s:\n%s\nwant\n%s", m[1], text, want)
		}
	}
	if !slices.Equal(seqs, []string{"0", "1", "2"}) {
		t.Errorf("receipts of %v, want those of every record that is shown", seqs)
	}
	if strings.Contains(w.Body.String(), "alert(1)</script>") {
		t.Error("a receipt ends its script element")
	}
}

func TestWhatIsNotAnchoredIsPending(t *testing.T) {
	w := serve(t, &hubStub{trace: story(), pending: map[hub.Seq]bool{2: true}}, get("/t/T1?lang=en"))
	page := w.Body.String()
	if !strings.Contains(page, "1 event is on its way") || !strings.Contains(page, "· pending") || strings.Contains(page, `data-seq="2">"{`) {
		t.Errorf("the page does not say what is pending:\n%s", page)
	}
	w = serve(t, &hubStub{trace: story(), pending: map[hub.Seq]bool{0: true, 1: true, 2: true}}, get("/t/T1?lang=en"))
	if !regexp.MustCompile(`id="verify" type="button" disabled`).MatchString(w.Body.String()) {
		t.Error("there is nothing to verify, and a button for it")
	}
}

// An event that an error declaration took back is no longer shown as a field.
func TestWhatWasTakenBackIsNotShownAsAField(t *testing.T) {
	tr := story()
	tr.Steps = append(tr.Steps, step(3, "packing", "brand", `{"eventTimeZoneOffset":"+08:00","errorDeclaration":{"reason":"x"}}`))
	if got := shown(serve(t, &hubStub{trace: tr}, get("/t/T1?lang=en")).Body.String())["Packed"]; !strings.Contains(got[1], `data-seq="1"`) {
		t.Errorf("packed: %v", got)
	}
}

// A time of the hub's own says in which zone it is: nobody has stated it.
func TestATimeOfTheHubsOwnHasItsOffset(t *testing.T) {
	for offset, want := range map[string]string{"+08:00": "2026-05-02 08:00:00 +08:00", "": "2026-05-02 00:00:00 UTC"} {
		tr := story()
		tr.Steps = append(tr.Steps, step(3, "accepting", "brand", `{"eventTimeZoneOffset":"`+offset+`"}`))
		if got := shown(serve(t, &hubStub{trace: tr}, get("/t/T1?lang=en")).Body.String())["Recorded"][0]; got != want {
			t.Errorf("%q: %q, want %q", offset, got, want)
		}
	}
}

func TestOnlyReadersWhoOpenThePageAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		path    string
		method  string
		purpose string
		counted bool
	}{
		"opened": {"/t/T1", http.MethodGet, "", true}, "language changed": {"/t/T1?lang=en&again=1", http.MethodGet, "", false},
		"prefetched": {"/t/T1", http.MethodGet, "prefetch", false}, "asked for by HEAD": {"/t/T1", http.MethodHead, "", false},
	} {
		h := &hubStub{trace: story()}
		r := httptest.NewRequest(c.method, c.path, nil)
		if c.purpose != "" {
			r.Header.Set("Sec-Purpose", c.purpose)
		}
		serve(t, h, r)
		if len(h.opened) != 1 || h.opened[0].IsZero() == c.counted {
			t.Errorf("%s: counted at %v", name, h.opened)
		}
	}
}

// A mistyped address is a page for people, with a way on, and a plain 404 for programs.
func TestAnAddressThatNothingIsAt(t *testing.T) {
	r := get("/414/6934123400017?lang=en")
	if w := serve(t, &hubStub{trace: story()}, r); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "<") {
		t.Errorf("a program gets %d %s", w.Code, w.Body)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	w := serve(t, &hubStub{trace: story()}, r)
	if page := w.Body.String(); w.Code != http.StatusNotFound || !strings.Contains(page, "There is no such page") || !strings.Contains(page, `name="code"`) {
		t.Errorf("a person gets %d %s", w.Code, page)
	}
}

// A wrong method is no wrong address: it is refused with those that are allowed, also beside the page for people.
func TestAWrongMethodIsToldTheRightOnes(t *testing.T) {
	for _, accept := range []string{"*/*", "text/html"} {
		r := httptest.NewRequest(http.MethodPost, "/t/1", http.NoBody)
		r.Header.Set("Accept", accept)
		w := serve(t, &hubStub{trace: story()}, r)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow: %q", accept, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestFailuresAreSaidToShoppersInTheirLanguage(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		lang   string
		status int
		say    string
	}{
		"unknown":    {hub.Faultf(hub.NotFound, "x", "secret words"), "zh-CN,zh;q=0.9", 404, "没有找到该追溯码"},
		"unknown en": {hub.Faultf(hub.NotFound, "x", "secret words"), "en-GB,en;q=0.9", 404, "This code is not known"},
		"down":       {errors.New("secret words"), "en", 503, "Please try again"},
	} {
		r := get("/t/T1")
		r.Header.Set("Accept-Language", c.lang)
		w := serve(t, &hubStub{err: c.err}, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.say) || strings.Contains(w.Body.String(), "secret words") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if (w.Header().Get("Retry-After") != "") != (c.status == 503) {
			t.Errorf("%s: Retry-After %q", name, w.Header().Get("Retry-After"))
		}
	}
}

// A page runs no script but its own and connects nowhere; the console only to its own hub.
func TestPagesMayNotConnectAnywhere(t *testing.T) {
	for path, connect := range map[string]string{"/t/T1": "'none'", "/": "'none'", "/console/": "'self'"} {
		w := serve(t, &hubStub{trace: story()}, get(path))
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "connect-src "+connect) || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: %s", path, policy)
		}
		if regexp.MustCompile(`(?i) on[a-z]+=|style=|javascript:`).MatchString(w.Body.String()) {
			t.Errorf("%s has inline code or style, which its policy forbids", path)
		}
	}
}

// A Digital Link, a bare code and an escaped code all reach the tracer; assets carry validators, and nothing else is served.
func TestRoutes(t *testing.T) {
	for path, want := range map[string]int{
		"/01/07613035982949/21/T1": 200, "/t/a%2Fb": 200, "/assets/page.js": 200, "/assets/nothing.js": 404, "/assets/../page.go": 307,
		"/t": 307, "/elsewhere": 404, "/?code=T1": 303, "/console/": 200,
	} {
		if w := serve(t, &hubStub{trace: story()}, get(path)); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	first := serve(t, &hubStub{}, get("/assets/style.css"))
	again := get("/assets/style.css")
	again.Header.Set("If-None-Match", first.Header().Get("ETag"))
	if w := serve(t, &hubStub{}, again); w.Code != http.StatusNotModified {
		t.Errorf("an unchanged asset is sent again: %d", w.Code)
	}
}

// The receipts of a page are bounded: a journey whose records are large or many ends where they do, and what its blocks show stays.
func TestAPageHasNoMoreReceiptsThanAPhoneTakes(t *testing.T) {
	h := &hubStub{trace: story(), padding: 1 << 20}
	for seq := hub.Seq(3); seq < 40; seq++ {
		h.trace.Steps = append(h.trace.Steps, step(seq, "shipping", "carrier", `{"eventTimeZoneOffset":"+08:00"}`))
	}
	w := serve(t, h, get("/t/T1?lang=en"))
	page := w.Body.String()
	if n := strings.Count(page, `class="receipt"`); n < 3 || n > 6 || strings.Count(page, "data-step=") > n {
		t.Errorf("%d receipts of 1 MiB, %d steps", n, strings.Count(page, "data-step="))
	}
	if !strings.Contains(page, "There are more events than are shown") {
		t.Error("the page does not say that its journey is cut")
	}
	for _, label := range []string{"Lot", "Packed", "Shipped"} { // the last step is beyond the journey that is shown
		seq := regexp.MustCompile(`data-seq="(\d+)"`).FindStringSubmatch(shown(page)[label][1])
		if seq == nil || !strings.Contains(page, `class="receipt" data-seq="`+seq[1]+`"`) {
			t.Errorf("%s is shown without a receipt", label)
		}
	}
}

// slowHub takes its time for every trace.
type slowHub struct {
	hubStub

	asked chan struct{}
	free  chan struct{}
}

func (h *slowHub) Trace(context.Context, string, time.Time) (*trace.Trace, error) {
	h.asked <- struct{}{}
	<-h.free
	return story(), nil
}

// Pages are made some at a time, so that however many are asked for take bounded memory.
func TestPagesWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		templates, err := web.LoadTemplates(nil)
		if err != nil {
			t.Fatal(err)
		}
		h := &slowHub{asked: make(chan struct{}, 1000), free: make(chan struct{})}
		s, err := web.New(web.Options{Tracer: h, Prover: h, Templates: templates, Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		status := make(chan int, 1000)
		for range cap(status) {
			go func() {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, get("/t/T1"))
				status <- w.Code
			}()
		}
		time.Sleep(time.Minute) // of the bubble: nobody waits for longer
		making := len(h.asked)
		if making < 8 || making+len(status) != cap(status) {
			t.Errorf("%d pages are being made, %d were refused", making, len(status))
		}
		close(h.free)
		for n := range cap(status) {
			if code := <-status; n < cap(status)-making && code != http.StatusServiceUnavailable || n >= cap(status)-making && code != http.StatusOK {
				t.Fatalf("answer %d is %d", n, code)
			}
		}
	})
}

// A party's name cannot turn the words around it: what writes from right to left stays within the name.
func TestANameDoesNotTurnTheWordsAroundIt(t *testing.T) {
	const turned = "\u202eevil"
	tr := story()
	tr.Parties["brand"]["name@en"][0].Value = turned
	tr.Code = turned
	page := serve(t, &hubStub{trace: tr}, get("/t/T1?lang=en")).Body.String()
	within := regexp.MustCompile(`(?:<bdi>|<dd[^>]*>|<h1>|<title>|value=")` + turned)
	if all, isolated := strings.Count(page, turned), len(within.FindAllString(page, -1)); all < 5 || isolated != all {
		t.Errorf("%d of %d names are by themselves", isolated, all)
	}
}

// Of a code that was looked up so often that it may have been copied no page says that the item at hand is genuine.
func TestACodeThatMayBeCopiedIsInDoubt(t *testing.T) {
	for lang, words := range map[string][3]string{"en": {"Genuine", "In doubt", "looked up many times"}, "zh": {"正品", "存疑", "该编码已被查询很多次"}} {
		for scans, doubtful := range map[uint64]bool{20: false, 21: true} {
			tr := story()
			tr.Scans.Count = scans
			page := serve(t, &hubStub{trace: tr}, get("/t/T1?lang="+lang)).Body.String()
			for i, wanted := range []bool{!doubtful, doubtful, doubtful} {
				if strings.Contains(page, words[i]) != wanted {
					t.Errorf("%s, %d look-ups: that the page says %q is not %v", lang, scans, words[i], wanted)
				}
			}
		}
	}
}
