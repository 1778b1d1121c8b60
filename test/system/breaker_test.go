package system

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// Records that die in a row stop their source, kill -9 does not start it again, and the operator does when the cause is mended.
func TestABreakerStopsASourceOverKill(t *testing.T) {
	s := hubtest.NewSite(t, map[string]string{
		"connectors/drop.yaml": `id: drop
provider: carrier
source: { file: { paths: [../drop/*.json], ready: { minAge: 0s, stablePolls: 1 } } }
decode: json
map: ../mappings/drop.yaml
interval: 20ms
breaker: { dead: 3 }
`,
		"mappings/drop.yaml": hubtest.HookFiles()["mappings/hook.yaml"],
		"drop/1-bad.json":    `{"at":"yesterday"}`,
		"drop/2-bad.json":    `{"at":"the day before"}`,
		"drop/3-bad.json":    `{"at":"long ago"}`,
	})
	p := s.Start()
	connector := func() (c struct{ State, Tripped string }) {
		p.Get("/v1/connectors/drop", &c)
		return c
	}
	p.Await("the breaker opens", func() bool { return connector().State == "tripped" })
	p.Kill()

	s.Write("drop/4-good.json", string(hubtest.HookBody(4)))
	p = s.Start()
	if c := connector(); c.State != "tripped" || !strings.HasPrefix(c.Tripped, "3 records in a row became dead letters, the last with map.time") {
		t.Fatalf("after kill -9: %+v", c)
	}
	if _, metrics := p.Do(http.MethodGet, "/metrics", nil, nil); !strings.Contains(string(metrics), `suyuan_connectors_tripped{connector="drop",kind="file",provider="carrier"} 1`) {
		t.Error("the metrics do not tell it")
	}
	t.Setenv("SUYUAN_URL", p.URL)
	t.Setenv("SUYUAN_KEY", p.Key)
	contains(t, in(t, s.Dir, 0, "connector", "status"), "drop", "tripped", "breaker: 3 records in a row", "suyuan connector resume drop")
	contains(t, in(t, s.Dir, 0, "dead", "drop", "--all", "--connector", "drop", "--reason", "they were tests"), "dropped 3 dead letters")
	if size, _ := p.LogSize(); size != 0 {
		t.Errorf("%d events although the source is stopped", size)
	}
	runs(t, in(t, s.Dir, 0, "connector", "resume", "drop"))
	p.Await("the source goes on", func() bool { size, _ := p.LogSize(); return size == 1 })

	// The same files from the beginning are recognised: nothing is recorded twice, and what was dropped stays dropped.
	contains(t, in(t, s.Dir, 1, "connector", "rewind", "drop"), "suyuan connector pause drop")
	contains(t, in(t, s.Dir, 0, "connector", "pause", "drop"), "paused")
	contains(t, in(t, s.Dir, 0, "connector", "rewind", "drop"), "paused")
	runs(t, in(t, s.Dir, 0, "connector", "resume", "drop"))
	contains(t, in(t, s.Dir, 0, "dead", "list", "--state", "dropped"), "map.time")
}

// runs checks that a connector's line says that its source runs. How far it has come when it is asked is the machine's.
func runs(t *testing.T, line string) {
	t.Helper()
	fields := strings.Fields(line)
	if len(fields) < 3 || !slices.Contains([]string{"starting", "reading", "waiting"}, fields[2]) {
		t.Errorf("the source does not run:\n%s", line)
	}
}
