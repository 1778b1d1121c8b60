package system

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/internal/vectors"
)

// sampleDocument is a row of the index of EPCIS samples.
type sampleDocument struct {
	File  string
	Kind  string
	Valid bool `json:"valid_2_0_1"`
	Type  string
}

// Every valid EPCIS JSON document is captured through the running hub, and each event has a receipt that verifies.
func TestEveryValidEPCISDocumentIsRecordedWithReceiptsThatVerify(t *testing.T) {
	dir := vectors.Path(t, "epcis")
	index, err := os.ReadFile(filepath.Join(dir, "index_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var docs []sampleDocument
	if err := json.Unmarshal(index, &docs); err != nil {
		t.Fatal(err)
	}
	captured := 0
	var p *process
	seen := map[string]bool{}
	for _, d := range docs {
		if d.Kind != "json" || !d.Valid {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, d.File))
		if err != nil {
			t.Fatal(err)
		}
		// Samples of different sources use one event id for different events; a hub refuses that, so they get hubs of their own.
		ids := eventIDs(body)
		if p == nil || anyIn(seen, ids) {
			if p != nil {
				p.verifyAll()
			}
			p = newSite(t, map[string]string{"connectors/epcis.yaml": "id: epcis\nprovider: partner\nsource: { epcis: {} }\n"}).start()
			clear(seen)
		}
		for _, id := range ids {
			seen[id] = true
		}
		captured++
		status, answer := p.do(http.MethodPost, "/in/epcis", body, http.Header{"Content-Type": {"application/ld+json"}})
		if status != http.StatusAccepted {
			t.Errorf("%s: %d %s", d.File, status, answer)
		}
	}
	if captured == 0 {
		t.Fatal("no valid document in the index")
	}
	p.verifyAll()
	t.Logf("%d documents", captured)
}

func anyIn(seen map[string]bool, ids []string) bool {
	for _, id := range ids {
		if seen[id] {
			return true
		}
	}
	return false
}

// eventIDs finds every eventID in a document.
func eventIDs(doc []byte) []string {
	var out []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["eventID"].(string); ok {
				out = append(out, id)
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	var v any
	if json.Unmarshal(bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf")), &v) == nil {
		walk(v)
	}
	return out
}

// verifyAll waits until everything is anchored, stops the hub, and verifies the receipt of every event.
func (p *process) verifyAll() {
	p.t.Helper()
	p.await("the pipeline is done", func() bool {
		var c struct{ Records, InFlight int }
		p.get("/v1/connectors/epcis", &c)
		size, committed := p.logSize()
		return size > 0 && size == committed && recorded(p) >= c.Records
	})
	if dead := letters(p); len(dead) > 0 {
		p.t.Errorf("%d dead letters, first %+v", len(dead), dead[0])
	}
	size, _ := p.logSize()
	var files []string
	for seq := range size {
		b := p.receiptAt(seq)
		name := p.path("receipts", json.Number(itoa(seq)).String()+".json")
		p.write(strings.TrimPrefix(name, p.dir+"/"), string(b))
		files = append(files, name)
	}
	p.stop()
	if code, out, errs := cli(p.t, append([]string{"verify"}, files...)...); code != 0 {
		p.t.Errorf("verify: %d\n%s%s", code, out, errs)
	}
}

// recorded is how many raw records have a verdict, by the hub's own metrics.
func recorded(p *process) int {
	_, b := p.do(http.MethodGet, "/metrics", nil, nil)
	n := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "suyuan_pipeline_outcomes_total{") {
			n += atoi(strings.TrimSpace(line[strings.LastIndex(line, " "):]))
		}
	}
	return n
}

// Files of ten-year-old systems become events by a mapping of at most forty lines each.
func TestLegacyFilesBecomeEventsByShortMappings(t *testing.T) {
	dir := vectors.Path(t, "legacy")
	s := newSite(t, map[string]string{"easypost.secret": "s3cret-of-the-carrier"})
	for _, sub := range []string{"connectors", "mappings"} {
		names, err := filepath.Glob(filepath.Join("testdata", "legacy", sub, "*.yaml"))
		if err != nil || len(names) == 0 {
			t.Fatal(names, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(b, []byte("\n")); n > 40 {
				t.Errorf("%s has %d lines", name, n)
			}
			s.write(sub+"/"+filepath.Base(name), strings.ReplaceAll(string(b), "@DIR@", s.dir))
		}
	}
	for from, to := range map[string]string{
		"php-edifact/D96ADESADV.edi":       "desadv.edi",
		"hmrc/notifications/09_DMSCLE.xml": "clearance.xml",
		"omniparser/posten_iftsta.edi":     "status.iftsta",
	} {
		b, err := os.ReadFile(filepath.Join(dir, from))
		if err != nil {
			t.Fatal(err)
		}
		s.write("inbox/"+to, string(b))
	}
	p := s.start()
	body, err := os.ReadFile(filepath.Join(dir, "easypost/tracking-webhook.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("body.json", string(body))
	if code, out, errs := cli(t, "webhook", "send", "--as", "easypost", "--secret", "@"+s.path("easypost.secret"), p.url+"/in/easypost", s.path("body.json")); code != 0 {
		t.Fatalf("send: %d %s%s", code, out, errs)
	}
	for _, code := range []string{"urn:example:ups:EZ4000000004", "https://id.gs1.org/01/09780738507330", "urn:example:parcel:370726206369762060"} {
		p.await("a trace of "+code, func() bool {
			return p.get("/v1/trace/"+strings.NewReplacer(":", "%3A", "/", "%2F").Replace(code), nil) == http.StatusOK
		})
	}
	p.await("customs", func() bool {
		_, b := p.do(http.MethodGet, "/v1/connectors/customs", nil, nil)
		return bytes.Contains(b, []byte(`"records": 1`))
	})
	if dead := letters(p); len(dead) > 0 {
		t.Errorf("dead letters: %+v", dead)
	}
}
