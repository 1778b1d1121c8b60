package system

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// Each thing that can be wrong with a record gives its documented answer (docs/connectors.md).
func TestWhatIsWrongWithARecordGetsItsDocumentedAnswer(t *testing.T) {
	s := hookSite(t)
	p := s.start()
	post := func(id, body string) (int, []byte) {
		return p.do(http.MethodPost, "/in/hook", []byte(body), signed(t, id, []byte(body)))
	}

	good := string(hookBody(1))
	status, first := post("msg_good", good)
	if status != http.StatusAccepted {
		t.Fatalf("good: %d %s", status, first)
	}
	if status, again := post("msg_good", good); status != http.StatusAccepted || !bytes.Equal(first, again) {
		t.Errorf("repeated: %d %s, first %s", status, again, first)
	}
	bad := signed(t, "msg_bad", []byte(good))
	bad.Set("webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	wantProblem(t, p, bad, good, http.StatusUnauthorized)
	large := `{"at":"` + strings.Repeat("x", 40<<10) + `"}`
	wantProblem(t, p, signed(t, "msg_large", []byte(large)), large, http.StatusRequestEntityTooLarge)

	unmappable := `{"at":"yesterday","step":"shipping","gtin":"07613035982949","serial":"1"}`
	invalid := `{"at":"2026-11-11T10:00:00+08:00","step":"shiping","gtin":"07613035982949","serial":"1"}`
	for id, body := range map[string]string{"msg_map": unmappable, "msg_invalid": invalid} {
		if status, b := post(id, body); status != http.StatusAccepted {
			t.Fatalf("%s: %d %s", id, status, b)
		}
	}
	p.await("two dead letters", func() bool { return len(letters(p)) == 2 })
	for _, l := range letters(p) {
		var full letterJSON
		p.get("/v1/dead-letters/"+l.ID.String(), &full)
		want, stage := unmappable, "map"
		if l.Record == "msg_invalid" {
			want, stage = invalid, "validate"
		}
		if full.Body != want || full.Stage != stage || full.Problem.Code == "" || full.Problem.Where.Pointer == "" {
			t.Errorf("dead letter %s: %+v", l.Record, full)
		}
	}

	// The mapping is corrected, the hub told, the letters replayed: both are recorded.
	m := hookFiles()["mappings/hook.yaml"]
	m = strings.Replace(m, "= ts(row.at)", "= row.at == 'yesterday' ? '2026-11-10T00:00:00+08:00' : ts(row.at)", 1)
	m = strings.Replace(m, "= row.step", "= replace(row.step, 'shiping', 'shipping')", 1)
	s.write("mappings/hook.yaml", m)
	if code := p.stop(); code != 0 {
		t.Fatalf("stop: %d", code)
	}
	p = s.start()
	if code, out, errs := cli(t, "dead", "replay", "--all", "--url", p.url, "--key", p.key); code != 0 {
		t.Fatalf("replay: %d %s%s", code, out, errs)
	}
	p.await("the letters are recorded", func() bool { size, _ := p.logSize(); return size == 3 && len(letters(p)) == 0 })
}

func wantProblem(t *testing.T, p *process, h http.Header, body string, want int) {
	t.Helper()
	status, b := p.do(http.MethodPost, "/in/hook", []byte(body), h)
	var problem struct {
		Code   string
		Detail string
		Status int
	}
	if err := json.Unmarshal(b, &problem); err != nil || status != want || problem.Status != want || problem.Code == "" || problem.Detail == "" {
		t.Errorf("want %d, got %d %s", want, status, b)
	}
}

type letterJSON struct {
	ID      json.Number
	Record  string
	Stage   string
	Body    string
	Problem struct {
		Code  string
		Where struct{ Pointer string }
	}
}

func letters(p *process) []letterJSON {
	var out struct{ DeadLetters []letterJSON }
	p.get("/v1/dead-letters", &out)
	return out.DeadLetters
}

// A receipt that the API gave verifies with the hub stopped, and no longer once a bit of it is flipped.
func TestAReceiptVerifiesWithTheHubStopped(t *testing.T) {
	s := hookSite(t)
	p := s.start()
	body := hookBody(7)
	if status, b := p.do(http.MethodPost, "/in/hook", body, signed(t, "msg_7", body)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, b)
	}
	var rec struct{ Events []struct{ Href string } }
	p.await("recorded", func() bool { return p.get("/v1/records/hook/msg_7", &rec) == http.StatusOK })
	var receipt []byte
	p.await("anchored", func() bool {
		status, b := p.do(http.MethodGet, rec.Events[0].Href+"/receipt", nil, nil)
		receipt = b
		return status == http.StatusOK
	})
	_, trust := p.do(http.MethodGet, "/v1/trust", nil, nil)
	p.stop()

	name, trustFile := s.path("receipt.json"), s.path("trust.yaml")
	s.write("receipt.json", string(receipt))
	s.write("trust.yaml", string(trust))
	for _, args := range [][]string{{"verify", name}, {"verify", "--trust", trustFile, name}} {
		if code, out, errs := cli(t, args...); code != 0 || !strings.HasPrefix(out, "valid ") {
			t.Fatalf("%v: %d\n%s%s", args, code, out, errs)
		}
	}
	for _, at := range []int{bytes.Index(receipt, []byte("shipping")), bytes.Index(receipt, []byte(`"salt"`)) + 10, len(receipt) - 20} {
		broken := bytes.Clone(receipt)
		broken[at] ^= 1
		if err := os.WriteFile(name, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, _ := cli(t, "verify", name); code != 1 || !strings.Contains(out, "FAILED") {
			t.Errorf("bit flipped at %d: exit %d\n%s", at, code, out)
		}
	}
}
