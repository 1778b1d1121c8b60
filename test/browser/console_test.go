package browser

import (
	"slices"
	"strings"
	"testing"
)

// logIn types the admin key and waits for the panels.
func (p *tab) logIn(key string) {
	p.t.Helper()
	p.enter("#key", key)
	p.press("#login button")
	p.await(`!document.getElementById("panels").hidden`)
}

// table is the text of a table's body, cell by cell.
func (p *tab) table(id string) [][]string {
	p.t.Helper()
	return eval[[][]string](p, `[...document.querySelectorAll("#`+id+` tr")].slice(1).map((r) => [...r.cells].map((c) => c.innerText))`)
}

func TestTheConsoleShowsConnectorsDeadLettersAndAnchors(t *testing.T) {
	d := sharedDemo(t)
	p := open(t, desktop(), d.url+"/console/?lang=en")
	p.logIn(d.key)
	var ids []string
	for _, row := range p.table("connectors") {
		ids = append(ids, row[0])
	}
	slices.Sort(ids)
	if want := []string{"brand-codes", "brand-plant", "customs", "retail-logistics", "wms-inbound", "wms-outbound"}; !slices.Equal(ids, want) {
		t.Errorf("connectors %v, want %v", ids, want)
	}
	if rows := p.table("dead"); len(rows) != 1 || rows[0][0] != "none" {
		t.Errorf("dead letters %v", rows)
	}
	rows := p.table("anchors")
	if len(rows) == 0 || rows[0][0] != "19" || rows[0][2] != "committed" {
		t.Errorf("anchors %v", rows)
	}
	for _, row := range p.table("ready") {
		if row[1] != "✓" {
			t.Errorf("not ready: %v", row)
		}
	}
}

func TestTheConsoleSaysThatAKeyIsWrong(t *testing.T) {
	p := open(t, desktop(), sharedDemo(t).url+"/console/?lang=en")
	p.enter("#key", "suyuan_wrong")
	p.press("#login button")
	p.await(`document.getElementById("problem").textContent !== ""`)
	if said := p.text("#problem"); !strings.Contains(said, "API key is not known") {
		t.Errorf("it says %q", said)
	}
	if !eval[bool](p, `document.getElementById("panels").hidden`) {
		t.Error("the panels are open")
	}
}

func TestTheConsolePausesAndResumesAConnector(t *testing.T) {
	d := sharedDemo(t)
	p := open(t, desktop(), d.url+"/console/?lang=en")
	p.logIn(d.key)
	row := `[...document.querySelectorAll("#connectors tr")].find((r) => r.cells[0].innerText === "wms-inbound")`
	for _, next := range []string{"Resume", "Pause"} {
		eval[bool](p, row+`.querySelector("button").click() ?? true`)
		p.await(row + `.querySelector("button").innerText === "` + next + `"`)
	}
}
