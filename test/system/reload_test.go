package system

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
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

func folder(p *hubtest.Process) (f folderState) {
	p.T.Helper()
	p.Get("/v1/connectors", &f)
	return f
}

// A changed mapping takes effect while webhooks flow, and nothing is lost; a broken one changes nothing and is reported.
func TestChangedMappingsTakeEffectWhileWebhooksFlow(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	const total = 600
	var wg sync.WaitGroup
	var mu sync.Mutex
	accepted := map[int]bool{}
	changes := map[int]string{
		total / 4:     strings.Replace(hubtest.HookFiles()["mappings/hook.yaml"], "row.step", "'receiving'", 1),
		total / 2:     "version: 1\nevents: [ {",
		total * 3 / 4: strings.Replace(hubtest.HookFiles()["mappings/hook.yaml"], "row.step", "'storing'", 1),
	}
	for i := range total {
		if text, ok := changes[i]; ok {
			applied, broken := folder(p).Folder.AppliedAt, i == total/2
			p.Write("mappings/hook.yaml", text)
			p.Await("the change is noticed", func() bool {
				f := folder(p).Folder
				return broken && len(f.Faults) > 0 || !broken && f.AppliedAt != applied
			})
			if broken {
				checkRefusal(p, applied)
			}
		}
		wg.Go(func() {
			status, body, err := p.Try(http.MethodPost, "/in/hook", hubtest.HookBody(i), hubtest.Signed(t, hubtest.HookID(i), hubtest.HookBody(i)))
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
	p.Await("everything is recorded", func() bool { size, _ := p.LogSize(); return size >= total })
	for i, want := range map[int]string{0: "shipping", total/4 + 20: "receiving", total/2 + 20: "receiving", total - 1: "storing"} {
		if got := stepOf(p, i); got != want {
			t.Errorf("record %d says %q, want %q", i, got, want)
		}
	}
	if code := p.Stop(); code != 0 {
		t.Fatalf("drain ended with %d\n%s", code, p.Log)
	}
}

// checkRefusal checks that a broken file is reported with its place, leaves the hub ready, and is logged once.
func checkRefusal(p *hubtest.Process, applied string) {
	p.T.Helper()
	f := folder(p).Folder
	if at := f.Faults[0].Where; f.AppliedAt != applied || !strings.HasSuffix(at.File, "mappings/hook.yaml") || at.Line == 0 {
		p.T.Errorf("the fault of a broken mapping is shown as %+v", f)
	}
	if status := p.Get("/readyz", nil); status != http.StatusOK {
		p.T.Errorf("a broken file makes the hub not ready: %d", status)
	}
	if status, b := p.Do(http.MethodGet, "/metrics", nil, nil); status != http.StatusOK ||
		!strings.Contains(string(b), "suyuan_connectors_folder_faults 1") {
		p.T.Errorf("the metrics do not count the fault: %d", status)
	}
	contains(p.T, in(p.T, p.Dir, 0, "connector", "status", "--url", p.URL, "--key", p.Key), "would not start again", "mappings/hook.yaml:2:11: ", "mapping.yaml")
}

// stepOf is the step of the event of the i-th push.
func stepOf(p *hubtest.Process, i int) string {
	p.T.Helper()
	var rec struct{ Events []struct{ EventID string } }
	p.Get("/v1/records/hook/"+hubtest.HookID(i), &rec)
	if len(rec.Events) != 1 {
		p.T.Fatalf("record %d made %d events", i, len(rec.Events))
	}
	var found struct {
		Events []struct{ Event struct{ BizStep string } }
	}
	p.Get("/v1/events/"+rec.Events[0].EventID, &found)
	return found.Events[0].Event.BizStep
}

// A file that was read half stays where it was when its instance changes; a new instance starts, a missing one stops.
func TestChangedInstancesGoOnAtTheirPosition(t *testing.T) {
	s := hubtest.HookSite(t)
	drop := "id: drop\nprovider: warehouse\nsource: { file: { paths: [\"../in/*.ndjson\"], ready: { minAge: 0s, stablePolls: 1 } } }\n" +
		"decode: ndjson\nmap: ../mappings/hook.yaml\ninterval: 100ms\n"
	p := s.Start()
	s.Write("in/1.ndjson", string(hubtest.HookBody(1))+"\n"+string(hubtest.HookBody(2))+"\n")
	s.Write("connectors/drop.yaml", drop)
	p.Await("the new instance read its file", func() bool { size, _ := p.LogSize(); return size == 2 })
	s.Write("connectors/drop.yaml", drop+"limits: { rate: 900/s }\n")
	s.Write("in/2.ndjson", string(hubtest.HookBody(3))+"\n")
	p.Await("the changed instance goes on", func() bool { size, _ := p.LogSize(); return size == 3 })
	if err := p.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.Write("connectors/other.yaml", strings.Replace(drop, "id: drop", "id: other", 1))
	p.Await("another reads the same files by itself", func() bool { return len(folder(p).Connectors) == 3 })
	if err := os.Remove(s.Path("connectors/other.yaml")); err != nil {
		t.Fatal(err)
	}
	p.Await("the missing instance is gone", func() bool { return len(folder(p).Connectors) == 2 })
	var letters struct{ DeadLetters []any }
	if p.Get("/v1/dead-letters", &letters); len(letters.DeadLetters) != 0 {
		t.Errorf("there are dead letters: %v", letters)
	}
}
