package system

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// folderState is what GET /v1/connectors says of the folder.
type folderState struct {
	Folder struct {
		AppliedAt string
		Faults    []struct {
			Code  string
			Where struct {
				File string
				Line int
			}
		}
	}
	Connectors []struct{ ID, State string }
}

func (p *process) folder() (f folderState) {
	p.t.Helper()
	p.get("/v1/connectors", &f)
	return f
}

// A changed mapping takes effect while webhooks flow, and nothing is lost; a broken one changes nothing and is reported.
func TestChangedMappingsTakeEffectWhileWebhooksFlow(t *testing.T) {
	s := hookSite(t)
	p := s.start()
	const total = 600
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted := map[int]bool{}
	changes := map[int]string{
		total / 4:     strings.Replace(hookFiles()["mappings/hook.yaml"], "row.step", "'receiving'", 1),
		total / 2:     "version: 1\nevents: [ {",
		total * 3 / 4: strings.Replace(hookFiles()["mappings/hook.yaml"], "row.step", "'storing'", 1),
	}
	for i := range total {
		if text, ok := changes[i]; ok {
			applied, broken := p.folder().Folder.AppliedAt, i == total/2
			p.write("mappings/hook.yaml", text)
			p.await("the change is noticed", func() bool {
				f := p.folder().Folder
				return broken && len(f.Faults) > 0 || !broken && f.AppliedAt != applied
			})
			if broken {
				p.checkRefusal(applied)
			}
		}
		wg.Go(func() {
			status, body, err := p.try(http.MethodPost, "/in/hook", hookBody(i), signed(t, hookID(i), hookBody(i)))
			mu.Lock()
			defer mu.Unlock()
			if accepted[i] = err == nil && status == http.StatusAccepted; !accepted[i] {
				t.Errorf("request %d: %d %s %v", i, status, body, err)
			}
		})
		if i%16 == 0 {
			wg.Wait()
		}
	}
	wg.Wait()
	p.await("everything is recorded", func() bool { size, _ := p.logSize(); return size >= total })
	for i, want := range map[int]string{0: "shipping", total/4 + 20: "receiving", total/2 + 20: "receiving", total - 1: "storing"} {
		if got := p.stepOf(i); got != want {
			t.Errorf("record %d says %q, want %q", i, got, want)
		}
	}
	if code := p.stop(); code != 0 {
		t.Fatalf("drain ended with %d\n%s", code, p.log)
	}
}

// checkRefusal checks that a broken file is reported with its place, leaves the hub ready, and is logged once.
func (p *process) checkRefusal(applied string) {
	p.t.Helper()
	f := p.folder().Folder
	if at := f.Faults[0].Where; f.AppliedAt != applied || !strings.HasSuffix(at.File, "mappings/hook.yaml") || at.Line == 0 {
		p.t.Errorf("the fault of a broken mapping is shown as %+v", f)
	}
	if status := p.get("/readyz", nil); status != http.StatusOK {
		p.t.Errorf("a broken file makes the hub not ready: %d", status)
	}
	if status, b := p.do(http.MethodGet, "/metrics", nil, nil); status != http.StatusOK ||
		!strings.Contains(string(b), "suyuan_connectors_folder_faults 1") {
		p.t.Errorf("the metrics do not count the fault: %d", status)
	}
}

// stepOf is the step of the event of the i-th push.
func (p *process) stepOf(i int) string {
	p.t.Helper()
	var rec struct{ Events []struct{ EventID string } }
	p.get("/v1/records/hook/"+hookID(i), &rec)
	if len(rec.Events) != 1 {
		p.t.Fatalf("record %d made %d events", i, len(rec.Events))
	}
	var found struct {
		Events []struct{ Event struct{ BizStep string } }
	}
	p.get("/v1/events/"+rec.Events[0].EventID, &found)
	return found.Events[0].Event.BizStep
}

// A file that was read half stays where it was when its instance changes; a new instance starts, a missing one stops.
func TestChangedInstancesGoOnAtTheirPosition(t *testing.T) {
	s := hookSite(t)
	drop := "id: drop\nprovider: warehouse\nsource: { file: { paths: [\"../in/*.ndjson\"], ready: { minAge: 0s, stablePolls: 1 } } }\n" +
		"decode: ndjson\nmap: ../mappings/hook.yaml\ninterval: 100ms\n"
	p := s.start()
	s.write("in/1.ndjson", string(hookBody(1))+"\n"+string(hookBody(2))+"\n")
	s.write("connectors/drop.yaml", drop)
	p.await("the new instance read its file", func() bool { size, _ := p.logSize(); return size == 2 })
	s.write("connectors/drop.yaml", drop+"limits: { rate: 900/s }\n")
	s.write("in/2.ndjson", string(hookBody(3))+"\n")
	p.await("the changed instance goes on", func() bool { size, _ := p.logSize(); return size == 3 })
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.write("connectors/other.yaml", strings.Replace(drop, "id: drop", "id: other", 1))
	p.await("another reads the same files by itself", func() bool { return len(p.folder().Connectors) == 3 })
	if err := os.Remove(s.path("connectors/other.yaml")); err != nil {
		t.Fatal(err)
	}
	p.await("the missing instance is gone", func() bool { return len(p.folder().Connectors) == 2 })
	var letters struct{ DeadLetters []any }
	if p.get("/v1/dead-letters", &letters); len(letters.DeadLetters) != 0 {
		t.Errorf("there are dead letters: %v", letters)
	}
}
