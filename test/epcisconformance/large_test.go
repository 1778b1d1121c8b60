package epcisconformance_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/api/epcisrest"
)

// largeDocument is an EPCISDocument of about size bytes, made while it is read. Each event has about each bytes.
type largeDocument struct {
	size, each int
	made, n    int
	run        string
	rest       string
	ended      bool
}

func (d *largeDocument) Read(p []byte) (int, error) {
	if d.rest == "" {
		if d.ended {
			return 0, io.EOF
		}
		d.next()
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	d.made += n
	return n, nil
}

func (d *largeDocument) next() {
	switch {
	case d.n == 0:
		d.rest = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",{"example":"http://ns.example.com/epcis/"}],
"type":"EPCISDocument","schemaVersion":"2.0","creationDate":"2024-03-01T10:00:00Z","epcisBody":{"eventList":[` + "\n"
	case d.made >= d.size:
		d.rest, d.ended = "]}}", true
		return
	default:
		d.rest = ",\n"
	}
	d.n++
	event := fmt.Sprintf(`{"type":"ObjectEvent","eventID":"urn:x:%s:%d","eventTime":"2024-03-01T10:00:00Z","eventTimeZoneOffset":"+00:00","action":"OBSERVE",
"bizStep":"shipping","disposition":"in_transit","epcList":["urn:epc:id:sgtin:0614141.107346.%d","urn:epc:id:sgtin:0614141.107346.9%d"],
"readPoint":{"id":"urn:epc:id:sgln:0614141.07346.%d"},"bizTransactionList":[{"type":"po","bizTransaction":"http://transaction.acme.com/po/%d"}],"example:note":"`,
		d.run, d.n, d.n, d.n, d.n%100, d.n/50)
	d.rest += event + strings.Repeat("n", max(1, d.each-len(event)-2)) + `"}`
}

// TestLargeDocument captures a document of SUYUAN_CAPTURE_BYTES bytes, 1 MiB by default, with events of SUYUAN_CAPTURE_EVENT
// bytes, and looks at the memory of this process, which is the client, the server, the stream and the store together. With
// SUYUAN_CAPTURE_BYTES the process must stay below 300 MiB; without, it may carry the race detector and what other tests left.
func TestLargeDocument(t *testing.T) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	size, each := number("SUYUAN_CAPTURE_BYTES", 1<<20), number("SUYUAN_CAPTURE_EVENT", 2000)
	h := start(t, t.TempDir(), epcisrest.Config{})
	doc := &largeDocument{size: size, each: each, run: "large"}
	began := time.Now()
	req, err := http.NewRequest(http.MethodPost, h.URL+"/epcis/capture", doc)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer plant")
	req.Header.Set("Content-Type", "application/ld+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	accepted := time.Since(began)
	peakAccepted := peak(t)
	c := &client{base: h.URL + "/epcis", key: "plant"}
	for {
		r, err := c.want(http.StatusOK, http.MethodGet, res.Header.Get("Location"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(r.body), `"running":false`) {
			if !strings.Contains(string(r.body), `"success":true`) {
				t.Fatalf("job %.2000s", r.body)
			}
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	recorded := time.Since(began)
	n, err := h.store.LogSize(t.Context())
	if err != nil || int(n) != doc.n {
		t.Errorf("%d events are recorded, want %d, %v", n, doc.n, err)
	}
	all := peak(t)
	t.Logf("%d MiB with %d events: accepted after %s (%.0f MiB/s) at a peak of %d MiB, recorded after %s (%.0f events/s) at %d MiB",
		doc.made>>20, doc.n, accepted.Round(time.Millisecond), float64(doc.made)/(1<<20)/accepted.Seconds(), peakAccepted>>20,
		recorded.Round(time.Millisecond), float64(doc.n)/recorded.Seconds(), all>>20)
	if os.Getenv("SUYUAN_CAPTURE_BYTES") != "" && all > 300<<20 {
		t.Errorf("the process had %d MiB resident, want at most 300", all>>20)
	}
}

// peak is the most memory that this process ever had resident, 0 where the system does not tell.
func peak(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib << 10
		}
	}
	return 0
}

// A document stops coming when the disk has no room for it but what recording needs, and nothing of it stays: 40 kB can be a document
// of 40 MB.
func TestADocumentDoesNotFillTheDisk(t *testing.T) {
	h := start(t, t.TempDir(), epcisrest.Config{})
	asked := 0
	h.space = func() error {
		if asked++; asked > 2 {
			return errors.New("the disk under /secret is full")
		}
		return nil
	}
	c := partner(h, "plant")
	packed := func(events int, between string) []byte {
		var all []map[string]any
		for n := range events {
			all = append(all, c.event(map[string]any{"eventID": c.id(strconv.Itoa(n))}))
		}
		text, err := json.Marshal(document(all...))
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		zw := gzip.NewWriter(&b)
		_, _ = zw.Write(bytes.ReplaceAll(text, []byte(`"action"`), []byte(between+`"action"`)))
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	post := func(body []byte) reply {
		r, err := c.do(http.MethodPost, "/capture", body, "Content-Type: application/json", "Content-Encoding: gzip")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := post(packed(40, strings.Repeat(" ", 1_000_000)))
	if r.status != http.StatusServiceUnavailable || strings.Contains(string(r.body), "secret") {
		t.Errorf("%d %s", r.status, r.body)
	}
	left, err := filepath.Glob(filepath.Join(h.dir, "capture", "*.doc"))
	if err != nil || len(left) > 0 || asked != 3 {
		t.Errorf("%v is left, %v; the disk was asked %d times", left, err, asked)
	}
}

// What is too large besides its events is too large, not something to be sent again later.
func TestADocumentsHeaderThatIsTooLargeSaysSo(t *testing.T) {
	h := start(t, t.TempDir(), epcisrest.Config{})
	c := partner(h, "plant")
	doc := document(c.event(nil))
	doc["x"] = strings.Repeat("x", 5<<20)
	if err := c.refused(http.StatusRequestEntityTooLarge, "CaptureLimitExceededException", http.MethodPost, "/capture", doc); err != nil {
		t.Error(err)
	}
}

// A page of events that are large is short, and has a next one: a thousand of them may be a gigabyte in the hub's memory. Those that
// would all have to be sorted are refused.
func TestPagesOfLargeEventsAreShort(t *testing.T) {
	h := start(t, t.TempDir(), epcisrest.Config{})
	c := partner(h, "plant")
	const events = 120
	padding := strings.Repeat("x", 700_000)
	for part := range 4 {
		var all []map[string]any
		for n := range events / 4 {
			all = append(all, c.event(map[string]any{"eventID": c.id(fmt.Sprintf("%d-%d", part, n)), "example:padding": padding, "example:n": n}))
		}
		if err := c.captured(all...); err != nil {
			t.Fatal(err)
		}
	}
	seen, pages := map[string]bool{}, 0
	for next := "/events?perPage=1000"; next != ""; pages++ {
		r, err := c.want(http.StatusOK, http.MethodGet, next, nil)
		if err != nil || len(r.body) > 50<<20 {
			t.Fatalf("page %d has %d bytes, %v", pages, len(r.body), err)
		}
		found, err := r.eventList()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			seen[fmt.Sprint(e["eventID"])] = true
		}
		next = nextLink(r)
	}
	if len(seen) != events || pages < 2 {
		t.Errorf("%d events on %d pages", len(seen), pages)
	}
	if err := first(
		c.refused(http.StatusRequestEntityTooLarge, "QueryTooComplexException", http.MethodGet, "/events?orderBy="+esc("https://ns.example.com/epcis/n"), nil),
		c.refused(http.StatusRequestEntityTooLarge, "QueryTooLargeException", http.MethodGet, "/events?maxEventCount=119", nil),
	); err != nil {
		t.Error(err)
	}
}
