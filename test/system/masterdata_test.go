package system

import (
	"net/http"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// A record that needs master data which nobody has stated is a dead letter; once it is stated, its replay is recorded.
func TestALookupFindsWhatWasStated(t *testing.T) {
	s := hubtest.HookSite(t)
	s.Write("mappings/hook.yaml", `version: 1
lookup:
  site: { master: alias, value: id }
skip:
  - when: "= not present(row?.step) and not present(row?.alias)"
    reason: neither
events:
  - when: "= present(row?.step)"
    event:
      type: ObjectEvent
      eventTime: "= ts(row.at)"
      action: OBSERVE
      bizStep: "= row.step"
      epcList: ["= sgtin(row.gtin, row.serial)"]
      readPoint: { id: "= lookup('site', 'SH-1')" }
master:
  - when: "= present(row?.alias)"
    alias: "= row.alias"
    attributes: { id: "= sgln(row.gln)" }
`)
	p := s.Start()
	post := func(id, body string) {
		t.Helper()
		if status, b := p.Do(http.MethodPost, "/in/hook", []byte(body), hubtest.Signed(t, id, []byte(body))); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, b)
		}
	}
	post("early", string(hubtest.HookBody(1)))
	p.Await("a dead letter", func() bool { return len(letters(p)) == 1 })
	if l := letters(p)[0]; l.Problem.Code != "map.lookup" {
		t.Errorf("%+v", l)
	}
	post("site", `{"alias":"SH-1","gln":"9521321000018"}`)
	p.Await("the master data", func() bool { return p.Get("/v1/records/hook/site", nil) == http.StatusOK })
	p.Await("the replay finds it", func() bool {
		code, out, errs := hubtest.CLI(t, "dead", "replay", "--all", "--url", p.URL, "--key", p.Key)
		if code != 0 {
			t.Fatalf("%d %s%s", code, out, errs)
		}
		size, _ := p.LogSize()
		return size == 1
	})
	var entry struct {
		Event struct{ ReadPoint struct{ ID string } }
	}
	p.Get("/v1/log/0", &entry)
	if want := "https://id.gs1.org/414/9521321000018"; entry.Event.ReadPoint.ID != want {
		t.Errorf("read point %q, want %s", entry.Event.ReadPoint.ID, want)
	}
}
