package system

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// in runs a command in a folder and fails the test unless it ends with the code.
func in(t *testing.T, dir string, code int, args ...string) string {
	t.Helper()
	t.Chdir(dir)
	got, out, errs := hubtest.CLI(t, args...)
	if got != code {
		t.Fatalf("suyuan %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	return out + errs
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// A connector that is made from a sample loads, passes its test, previews and reads its sample; nothing is overwritten, and
// trying it leaves the source as it was.
func TestAConnectorIsMadeFromASample(t *testing.T) {
	for name, sample := range map[string]string{
		"a.csv":    "time,gtin,serial,site_gln\n2026-03-04 08:30:00,7613035982949,A1,6934123400017\n2026-03-04 08:31:00,7613035982949,A2,6934123400017\n",
		"b.json":   `{"shippedAt":"2026-03-04T08:30:00Z","lines":[{"gtin":"7613035982949","lot":"L1","quantity":3}]}`,
		"c.ndjson": "{\"at\":1772618000,\"sscc\":\"053915200000000010\"}\n{\"at\":1772618001,\"sscc\":\"053915200000000027\"}\n",
		"d.xml":    `<move><time>2026-03-04T08:30:00Z</time><sscc>053915200000000010</sscc></move>`,
		"e.edi": "UNB+UNOC:3+5391520000003:14+6934123400024:14+260303:0815+1'UNH+1+DESADV:D:96A:UN'BGM+351+D1+9'DTM+137:202603030730:203'" +
			"CPS+1'PAC+1++201::9'PCI+33E'GIN+BJ+053915200000000010'UNT+8+1'UNZ+1+1'",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(sample), 0o600); err != nil {
				t.Fatal(err)
			}
			contains(t, in(t, dir, 0, "connector", "new", "wms", "--from", name), "wrote connectors/wms.yaml", "1 of 1 cases passed", "next:")
			contains(t, in(t, dir, 1, "connector", "new", "wms", "--from", name), "is there already")
			contains(t, in(t, dir, 0, "connector", "test", "connectors"), "1 of 1 cases passed")
			contains(t, in(t, dir, 0, "connector", "preview", "connectors/wms.yaml", name), "0 would be dead letters")
			dropped := filepath.Join(dir, "inbox", "wms", name)
			if err := os.WriteFile(dropped, []byte(sample), 0o600); err != nil {
				t.Fatal(err)
			}
			replaceIn(t, filepath.Join(dir, "connectors", "wms.yaml"), "minAge: 2s", "minAge: 0s")
			contains(t, in(t, dir, 0, "connector", "run", "connectors/wms.yaml", "--once"), "── record", "ObjectEvent", "nothing was recorded")
			if _, err := os.Stat(dropped); err != nil {
				t.Errorf("the trial took the file: %v", err)
			}
		})
	}
}

func replaceIn(t *testing.T, file, old, text string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(b), old, text)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every listed recipe can be laid out, and passes its tests where it then is.
func TestRecipesAreLaidOut(t *testing.T) {
	dir := t.TempDir()
	list := in(t, dir, 0, "connector", "recipes")
	n := 0
	for line := range strings.Lines(list) {
		name, _, _ := strings.Cut(line, " ")
		contains(t, in(t, dir, 0, "connector", "new", "--recipe", name), "wrote connectors/"+name+".yaml", "next:")
		n++
	}
	if n < 13 {
		t.Errorf("%d recipes", n)
	}
	contains(t, in(t, dir, 2, "connector", "new", "--recipe", "no-such"), "there is no recipe")
}

// A changed mapping is compared on the last records of a running hub, and the plan says what the change would do.
func TestAChangeIsPreviewedOnARunningHub(t *testing.T) {
	s := hubtest.HookSite(t)
	p := s.Start()
	for i := range 30 {
		if status, b := p.Do(http.MethodPost, "/in/hook", hubtest.HookBody(i), hubtest.Signed(t, hubtest.HookID(i), hubtest.HookBody(i))); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, b)
		}
	}
	checkout := t.TempDir()
	if err := os.CopyFS(checkout, os.DirFS(s.Dir)); err != nil && !strings.Contains(err.Error(), "data") {
		t.Fatal(err)
	}
	t.Setenv("SUYUAN_URL", p.URL)
	t.Setenv("SUYUAN_KEY", p.Key)
	instance := filepath.Join(checkout, "connectors", "hook.yaml")
	contains(t, in(t, checkout, 0, "connector", "plan", "--config", "suyuan.yaml"), "0 of 1 connectors change")
	contains(t, in(t, checkout, 0, "connector", "preview", instance), "20 records, 20 same, 0 would be dead letters")

	mapping := filepath.Join(checkout, "mappings", "hook.yaml")
	replaceIn(t, mapping, "= row.step", "= row.serial == 'S29' ? 'receiving' : row.step")
	contains(t, in(t, checkout, 0, "connector", "plan", "--config", "suyuan.yaml"), "remap    hook", "mappings/hook.yaml", "1 of 1 connectors change")
	contains(t, in(t, checkout, 0, "connector", "preview", instance, "--last", "5"), "5 records, 4 same, 1 changed",
		"-     bizStep: shipping", "+     bizStep: receiving")
	replaceIn(t, mapping, "'receiving'", "'no such step'")
	contains(t, in(t, checkout, 1, "connector", "preview", instance, "--last", "5"), "1 changed, 1 would be dead letters")
	replaceIn(t, mapping, "row.gtin", "row.no_such_field")
	contains(t, in(t, checkout, 1, "connector", "preview", instance, "--last", "5"), "5 broken", "map.missing")

	replaceIn(t, instance, "16KiB", "15KiB")
	contains(t, in(t, checkout, 0, "connector", "plan", "--config", "suyuan.yaml"), "restart  hook", "connectors/hook.yaml, mappings/hook.yaml")
	if err := os.Rename(instance, filepath.Join(checkout, "connectors", "other.yaml")); err != nil {
		t.Fatal(err)
	}
	replaceIn(t, filepath.Join(checkout, "connectors", "other.yaml"), "id: hook", "id: other")
	contains(t, in(t, checkout, 0, "connector", "plan", "--config", "suyuan.yaml"), "start    other", "stop     hook")
}

// What a partner pushes can be looked at without a hub.
func TestAPushedConnectorIsTriedAlone(t *testing.T) {
	s := hubtest.HookSite(t)
	contains(t, in(t, s.Dir, 0, "connector", "preview", "connectors/hook.yaml", writeSample(t, s, hubtest.HookBody(1)), "--against", "mappings/hook.yaml"), "1 same")
	contains(t, in(t, s.Dir, 2, "connector", "preview", "connectors/none.yaml", "x.json"), "there is no instance file")
}

func writeSample(t *testing.T, s *hubtest.Site, body []byte) string {
	t.Helper()
	s.Write("sample.json", string(body))
	return s.Path("sample.json")
}

// The debugging tool does as a sender that fetches a token before it sends.
func TestASenderThatFetchesATokenIsPlayed(t *testing.T) {
	s := hubtest.HookSite(t)
	s.Write("ups.secret", "s%cret of ups")
	s.Write("connectors/ups.yaml", "id: ups\nprovider: carrier\nsource:\n  webhook: { preset: ups, secrets: [\"${file:"+s.Path("ups.secret")+
		"}\"], oauth2: { clientId: \"ups:alerts\" } }\ndecode: json\nmap: ../mappings/hook.yaml\n")
	p := s.Start()
	body := writeSample(t, s, hubtest.HookBody(1))
	contains(t, in(t, s.Dir, 0, "webhook", "send", "--as", "ups", "--client-id", "ups:alerts", "--secret", "@ups.secret", p.URL+"/in/ups", body), "202 Accepted")
	contains(t, in(t, s.Dir, 3, "webhook", "send", "--as", "ups", "--client-id", "ups-alerts", "--secret", "@ups.secret", p.URL+"/in/ups", body),
		"invalid_client", "compare the client id")
	p.Await("the record", func() bool { size, _ := p.LogSize(); return size == 1 })
}
