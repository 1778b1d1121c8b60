package system

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/internal/vectors"
	"github.com/suyuan-io/suyuan/test/hubtest"
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
	var p *hubtest.Process
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
				verifyAll(p)
			}
			p = hubtest.NewSite(t, map[string]string{"connectors/epcis.yaml": "id: epcis\nprovider: partner\nsource: { epcis: {} }\n"}).Start()
			clear(seen)
		}
		for _, id := range ids {
			seen[id] = true
		}
		captured++
		status, answer := p.Do(http.MethodPost, "/in/epcis", body, http.Header{"Content-Type": {"application/ld+json"}})
		if status != http.StatusAccepted {
			t.Errorf("%s: %d %s", d.File, status, answer)
		}
	}
	if captured == 0 {
		t.Fatal("no valid document in the index")
	}
	verifyAll(p)
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
func verifyAll(p *hubtest.Process) {
	p.T.Helper()
	p.Await("the pipeline is done", func() bool {
		var c struct{ Records, InFlight int }
		p.Get("/v1/connectors/epcis", &c)
		size, committed := p.LogSize()
		return size > 0 && size == committed && recorded(p) >= c.Records
	})
	if dead := letters(p); len(dead) > 0 {
		p.T.Errorf("%d dead letters, first %+v", len(dead), dead[0])
	}
	size, _ := p.LogSize()
	var files []string
	for seq := range size {
		b := p.ReceiptAt(seq)
		name := p.Path("receipts", strconv.FormatUint(seq, 10)+".json")
		p.Write(strings.TrimPrefix(name, p.Dir+"/"), string(b))
		files = append(files, name)
	}
	p.Stop()
	if code, out, errs := hubtest.CLI(p.T, append([]string{"verify"}, files...)...); code != 0 {
		p.T.Errorf("verify: %d\n%s%s", code, out, errs)
	}
}

// recorded is how many raw records have a verdict, by the hub's own metrics.
func recorded(p *hubtest.Process) int {
	_, b := p.Do(http.MethodGet, "/metrics", nil, nil)
	n := 0
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "suyuan_pipeline_outcomes_total{") {
			n += whole(strings.TrimSpace(line[strings.LastIndex(line, " "):]))
		}
	}
	return n
}

// Files of ten-year-old systems become events by a mapping of at most forty lines each.
func TestLegacyFilesBecomeEventsByShortMappings(t *testing.T) {
	dir := vectors.Path(t, "legacy")
	s := hubtest.NewSite(t, map[string]string{"easypost.secret": "s3cret-of-the-carrier"})
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
			s.Write(sub+"/"+filepath.Base(name), strings.ReplaceAll(string(b), "@DIR@", s.Dir))
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
		s.Write("inbox/"+to, string(b))
	}
	p := s.Start()
	body, err := os.ReadFile(filepath.Join(dir, "easypost/tracking-webhook.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.Write("body.json", string(body))
	if code, out, errs := hubtest.CLI(t, "webhook", "send", "--as", "easypost", "--secret", "@"+s.Path("easypost.secret"), p.URL+"/in/easypost", s.Path("body.json")); code != 0 {
		t.Fatalf("send: %d %s%s", code, out, errs)
	}
	for _, code := range []string{"urn:example:ups:EZ4000000004", "https://id.gs1.org/01/09780738507330", "urn:example:parcel:370726206369762060"} {
		p.Await("a trace of "+code, func() bool {
			return p.Get("/v1/trace/"+strings.NewReplacer(":", "%3A", "/", "%2F").Replace(code), nil) == http.StatusOK
		})
	}
	p.Await("customs", func() bool {
		_, b := p.Do(http.MethodGet, "/v1/connectors/customs", nil, nil)
		return bytes.Contains(b, []byte(`"records": 1`))
	})
	if dead := letters(p); len(dead) > 0 {
		t.Errorf("dead letters: %+v", dead)
	}
}

func whole(s string) int {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return int(f)
}
