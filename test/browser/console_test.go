package browser

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
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

// trouble is a demo with a connector that fails with a long message, a paused one, and records that died.
func trouble(t *testing.T) *demo {
	t.Helper()
	d, err := startDemo(os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	at := func(name string) string { return filepath.Join(d.dir, "consortium", filepath.FromSlash(name)) }
	for name, text := range map[string]string{
		"connectors/partner.yaml": `id: partner-with-a-long-name-of-its-own-in-shanghai
provider: shanghai-bonded-wms
source: { sql: { driver: postgres, dsn: "${file:` + at("dsn") + `}", table: events, cursor: [id], key: [id] } }
map: ../mappings/brand-codes.yaml
`,
		"dsn":                      "postgres://erp:secret@127.0.0.1:9/a_database_with_a_name_that_does_not_end_soon?sslmode=disable",
		"inbox/wms/outbound-2.csv": "a,b\n1,2\n",
	} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestTheConsoleShowsTroubleInItsReadersWords(t *testing.T) {
	d := trouble(t)
	for _, screen := range []device{phone(), desktop()} {
		for _, lang := range []string{"zh", "en"} {
			p := open(t, screen, d.url+"/console/?lang="+lang)
			p.logIn(d.key)
			p.await(`document.querySelectorAll("#connectors .below, #dead .below").length === 2`)
			p.hold(t, screen.name+" "+lang)
			if left := eval[[]string](p, `[...document.querySelectorAll("#panels .scroll")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.innerText)`); len(left) > 0 {
				t.Errorf("%s %s: one must scroll sideways to see %q", screen.name, lang, left)
			}
			said := p.text("#panels")
			for _, word := range []string{"retrying", "waiting", "receiving", "committed", "stream", "log size"} {
				if strings.Contains(said, word) != (lang == "en") {
					t.Errorf("%s %s: %q is a word of the page: %v", screen.name, lang, word, lang != "en")
				}
			}
			if lang == "en" && !strings.Contains(said, "→ known: a, b; if it may be absent") {
				t.Errorf("the console does not say what to do about a dead letter: %s", said)
			}
			if strings.Contains(said, "secret") {
				t.Error("the console shows a password")
			}
			p.shoot(screen.name + "-trouble-" + lang)
		}
	}
}

func TestTheConsoleKeepsTheFocusOverARefresh(t *testing.T) {
	d := sharedDemo(t)
	p := open(t, desktop(), d.url+"/console/?lang=en")
	p.logIn(d.key)
	focused := `document.activeElement.getAttribute("aria-label")`
	eval[bool](p, `document.querySelector("[data-about=customs]").focus() ?? true`)
	for _, next := range []string{"Resume customs", "Pause customs"} {
		p.do(chromedp.KeyEvent(kb.Enter))
		p.await(focused + ` === "` + next + `"`)
	}
}

func TestTheConsoleSaysThatAKeyIsWrong(t *testing.T) {
	p := open(t, desktop(), sharedDemo(t).url+"/console/?lang=en")
	p.enter("#key", "suyuan_wrong")
	p.press("#login button")
	p.await(`document.getElementById("problem").textContent !== ""`)
	if said := p.text("#problem"); !strings.Contains(said, "API key is not known") || !strings.Contains(said, "→ the hub printed its admin key") {
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
