package epcisconformance_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
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
