package system

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// Each thing that can be wrong with a record gives its documented answer (docs/connectors.md).
func TestWhatIsWrongWithARecordGetsItsDocumentedAnswer(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	post := func(id, body string) (int, []byte) {
		return p.Do(http.MethodPost, "/in/hook", []byte(body), hubtest.Signed(t, id, []byte(body)))
	}

	good := string(hubtest.HookBody(1))
	status, first := post("msg_good", good)
	if status != http.StatusAccepted {
		t.Fatalf("good: %d %s", status, first)
	}
	if status, again := post("msg_good", good); status != http.StatusAccepted || !bytes.Equal(first, again) {
		t.Errorf("repeated: %d %s, first %s", status, again, first)
	}
	bad := hubtest.Signed(t, "msg_bad", []byte(good))
	bad.Set("webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	wantProblem(t, p, bad, good, http.StatusUnauthorized)
	large := `{"at":"` + strings.Repeat("x", 40<<10) + `"}`
	wantProblem(t, p, hubtest.Signed(t, "msg_large", []byte(large)), large, http.StatusRequestEntityTooLarge)

	unmappable := `{"at":"yesterday","step":"shipping","gtin":"07613035982949","serial":"1"}`
	invalid := `{"at":"2026-11-11T10:00:00+08:00","step":"sailing","gtin":"07613035982949","serial":"1"}`
	for id, body := range map[string]string{"msg_map": unmappable, "msg_invalid": invalid} {
		if status, b := post(id, body); status != http.StatusAccepted {
			t.Fatalf("%s: %d %s", id, status, b)
		}
	}
	p.Await("two dead letters", func() bool { return len(letters(p)) == 2 })
	for _, l := range letters(p) {
		var full letterJSON
		p.Get("/v1/dead-letters/"+l.ID.String(), &full)
		want, stage := unmappable, "map"
		if l.Record == "msg_invalid" {
			want, stage = invalid, "validate"
		}
		if full.Body != want || full.Stage != stage || full.Problem.Code == "" || full.Problem.Where.Pointer == "" {
			t.Errorf("dead letter %s: %+v", l.Record, full)
		}
	}

	// The mapping is corrected, the hub told, the letters replayed: both are recorded.
	m := hubtest.HookFiles()["mappings/hook.yaml"]
	m = strings.Replace(m, "= ts(row.at)", "= row.at == 'yesterday' ? '2026-11-10T00:00:00+08:00' : ts(row.at)", 1)
	m = strings.Replace(m, "= row.step", "= replace(row.step, 'sailing', 'shipping')", 1)
	s.Write("mappings/hook.yaml", m)
	if code := p.Stop(); code != 0 {
		t.Fatalf("stop: %d", code)
	}
	p = s.Start()
	if code, out, errs := hubtest.CLI(t, "dead", "replay", "--all", "--url", p.URL, "--key", p.Key); code != 0 {
		t.Fatalf("replay: %d %s%s", code, out, errs)
	}
	p.Await("the letters are recorded", func() bool { size, _ := p.LogSize(); return size == 3 && len(letters(p)) == 0 })
}

func wantProblem(t *testing.T, p *hubtest.Process, h http.Header, body string, want int) {
	t.Helper()
	status, b := p.Do(http.MethodPost, "/in/hook", []byte(body), h)
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

func letters(p *hubtest.Process) []letterJSON {
	var out struct{ DeadLetters []letterJSON }
	p.Get("/v1/dead-letters", &out)
	return out.DeadLetters
}

// A receipt that the API gave verifies with the hub stopped, and no longer once a bit of it is flipped.
func TestAReceiptVerifiesWithTheHubStopped(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	body := hubtest.HookBody(7)
	if status, b := p.Do(http.MethodPost, "/in/hook", body, hubtest.Signed(t, "msg_7", body)); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, b)
	}
	var rec struct{ Events []struct{ Href string } }
	p.Await("recorded", func() bool { return p.Get("/v1/records/hook/msg_7", &rec) == http.StatusOK })
	var receipt []byte
	p.Await("anchored", func() bool {
		status, b := p.Do(http.MethodGet, rec.Events[0].Href+"/receipt", nil, nil)
		receipt = b
		return status == http.StatusOK
	})
	_, trust := p.Do(http.MethodGet, "/v1/trust", nil, nil)
	p.Stop()

	name, trustFile := s.Path("receipt.json"), s.Path("trust.yaml")
	s.Write("receipt.json", string(receipt))
	s.Write("trust.yaml", string(trust))
	for _, args := range [][]string{{"verify", name}, {"verify", "--trust", trustFile, name}} {
		if code, out, errs := hubtest.CLI(t, args...); code != 0 || !strings.HasPrefix(out, "valid ") {
			t.Fatalf("%v: %d\n%s%s", args, code, out, errs)
		}
	}
	for _, at := range []int{bytes.Index(receipt, []byte("shipping")), bytes.Index(receipt, []byte(`"salt"`)) + 10, len(receipt) - 20} {
		broken := bytes.Clone(receipt)
		broken[at] ^= 1
		if err := os.WriteFile(name, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, _ := hubtest.CLI(t, "verify", name); code != 1 || !strings.Contains(out, "FAILED") {
			t.Errorf("bit flipped at %d: exit %d\n%s", at, code, out)
		}
	}
}
