// Package deploy checks the material of deploy/ and the metrics of docs/operations.md against a running hub.
package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/suyuan-io/suyuan/test/hubtest"
	"github.com/suyuan-io/suyuan/web"
)

const root = "../../deploy"

func TestMain(m *testing.M) { os.Exit(hubtest.Main(m)) }

// files calls check for every file of deploy/ with one of the endings.
func files(t *testing.T, check func(name string, text []byte), endings ...string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || len(endings) > 0 && !slices.Contains(endings, filepath.Ext(path)) {
			return err
		}
		text, err := os.ReadFile(path)
		n++
		check(path, text)
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files: %v", n, err)
	}
}

// Every metric that a rule, the dashboard or the page of operations names is exported by a hub at work.
func TestEveryMetricIsExported(t *testing.T) {
	exported := metrics(t)
	named := regexp.MustCompile(`\b(suyuan|process)_[a-z][a-z0-9]*_[a-z0-9_]+\b`)
	check := func(name string, text []byte) {
		for _, m := range named.FindAllString(string(text), -1) {
			if !exported[m] {
				t.Errorf("%s names the metric %s, which the hub does not export", name, m)
			}
		}
	}
	files(t, check, ".yaml", ".json")
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	check("docs/operations.md", page)
}

// metrics are the names that a hub exports after a record, a dead letter and an anchor.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	s := hubtest.HookSite(t)
	p := s.Start()
	p.Await("the first dead letter increases something", func() bool {
		_, text := p.Do(http.MethodGet, "/metrics", nil, nil)
		return strings.Contains(string(text), "\nsuyuan_pipeline_outcomes_total{connector=\"hook\",verdict=\"dead\"} 0\n")
	})
	for i, body := range [][]byte{hubtest.HookBody(1), []byte(`{"at":"never"}`)} {
		if status, b := p.Do(http.MethodPost, "/in/hook", body, hubtest.Signed(t, hubtest.HookID(i), body)); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, b)
		}
	}
	names := map[string]bool{}
	p.Await("a record, a dead letter and an anchor", func() bool {
		if _, committed := p.LogSize(); committed != 1 {
			return false
		}
		_, text := p.Do(http.MethodGet, "/metrics", nil, nil)
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, "#") {
				names[line[:strings.IndexAny(line, "{ ")]] = true
			}
		}
		return strings.Contains(string(text), `verdict="dead"} 1`)
	})
	return names
}

// Every alert has a runbook, and the page of operations has its anchor.
func TestEveryAlertHasItsRunbook(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "prometheus", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations struct {
					Summary string
					Runbook string `yaml:"runbook_url"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	for _, r := range rules.Groups[0].Rules {
		_, anchor, ok := strings.Cut(r.Annotations.Runbook, "#")
		if !ok || r.Annotations.Summary == "" || !bytes.Contains(page, []byte(`<a id="`+anchor+`">`)) {
			t.Errorf("alert %s: docs/operations.md has no entry %q", r.Alert, anchor)
		}
	}
}

func TestTheFilesParse(t *testing.T) {
	files(t, func(name string, text []byte) {
		dec := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc map[string]any
			err := dec.Decode(&doc)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
		}
	}, ".yaml")
	files(t, func(name string, text []byte) {
		var dashboard struct {
			Panels []struct {
				ID      int
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(text, &dashboard); err != nil || len(dashboard.Panels) == 0 {
			t.Errorf("%s: %d panels, %v", name, len(dashboard.Panels), err)
		}
		for _, p := range dashboard.Panels {
			if len(p.Targets) == 0 || p.Targets[0].Expr == "" {
				t.Errorf("%s: panel %d asks nothing", name, p.ID)
			}
		}
	}, ".json")
}

// The configuration of the containers, and those inside the Kubernetes manifests, pass the hub's own check.
func TestTheConfigurationIsGood(t *testing.T) {
	t.Setenv("SUYUAN_STORE_URL", "postgres://suyuan@db/suyuan") // the Secret of cluster.yaml
	configs := map[string]string{}
	files(t, func(name string, text []byte) {
		if filepath.Base(name) == "suyuan.yaml" {
			configs[name] = string(text)
		}
		dec := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc struct {
				Kind     string
				Metadata struct{ Name string }
				Data     map[string]string
			}
			if err := dec.Decode(&doc); err != nil {
				return
			}
			if c, ok := doc.Data["suyuan.yaml"]; ok && doc.Kind == "ConfigMap" {
				configs[name+" "+doc.Metadata.Name] = c
			}
		}
	}, ".yaml")
	if len(configs) < 4 {
		t.Fatalf("%d configurations found", len(configs))
	}
	for name, text := range configs {
		dir := t.TempDir()
		text = strings.NewReplacer("/var/lib/suyuan", dir+"/data", "/etc/suyuan/connectors", dir).Replace(text)
		file := filepath.Join(dir, "suyuan.yaml.txt")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := hubtest.CLI(t, "check", "--offline", "--config", file); code != 0 {
			t.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
		}
	}
}

// Every container of a hub can write where its hub writes, has the memory that one takes, is asked whether it is ready for longer
// than the hub takes to answer, and is given longer to stop than it drains.
func TestTheContainersFitTheHub(t *testing.T) {
	hubs := 0
	files(t, func(name string, text []byte) {
		dec := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc struct {
				Metadata struct{ Name string }
				Spec     struct{ Template struct{ Spec pod } }
			}
			if err := dec.Decode(&doc); err != nil {
				return
			}
			for _, c := range doc.Spec.Template.Spec.Containers {
				if c.Image == "suyuan" {
					hubs++
					if s := doc.Spec.Template.Spec.Security; s.Group != 0 && s.Policy != "OnRootMismatch" {
						t.Errorf("%s, %s: every start of a pod makes the signing keys readable for the group", name, doc.Metadata.Name)
					}
					for _, fault := range c.faults(doc.Spec.Template.Spec.Grace) {
						t.Errorf("%s, %s: %s", name, doc.Metadata.Name, fault)
					}
				}
			}
		}
	}, ".yaml")
	if hubs < 6 {
		t.Errorf("%d containers of a hub found", hubs)
	}
}

// The image has the folder of instance files that its configuration names, without which the hub does not start; others on a machine
// cannot read what the unit's hub writes.
func TestTheImageAndTheUnitFitTheHub(t *testing.T) {
	for name, lines := range map[string][]string{
		"Dockerfile":             {"COPY deploy/suyuan.yaml /etc/suyuan/suyuan.yaml", "COPY deploy/connectors /etc/suyuan/connectors"},
		"suyuan.yaml":            {"connectors: /etc/suyuan/connectors"},
		"compose.yaml":           {"      - ./connectors:/etc/suyuan/connectors:ro", "      - ./mappings:/etc/suyuan/mappings:ro"},
		"systemd/suyuan.service": {"UMask=0077", "StateDirectoryMode=0700", "StartLimitIntervalSec=0"},
	} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !slices.Contains(strings.Split(string(text), "\n"), line) {
				t.Errorf("%s lacks %q", name, line)
			}
		}
	}
}

type pod struct {
	Grace    int `yaml:"terminationGracePeriodSeconds"`
	Security struct {
		Group  int    `yaml:"fsGroup"`
		Policy string `yaml:"fsGroupChangePolicy"`
	} `yaml:"securityContext"`
	Containers []container
}

type container struct {
	Image     string
	Args      []string
	Env       []struct{ Name string }
	Readiness struct {
		Timeout int `yaml:"timeoutSeconds"`
	} `yaml:"readinessProbe"`
	Lifecycle struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	Resources struct{ Limits struct{ Memory string } }
	Mounts    []mount `yaml:"volumeMounts"`
}

type mount struct {
	Path string `yaml:"mountPath"`
}

func (c container) faults(grace int) (faults []string) {
	const drain, probe = 20, 5 // the defaults of the configuration, and of /readyz
	if grace < 3*drain+c.Lifecycle.PreStop.Sleep.Seconds {
		faults = append(faults, fmt.Sprintf("%d s to stop", grace))
	}
	if c.Readiness.Timeout <= probe {
		faults = append(faults, fmt.Sprintf("%d s for /readyz", c.Readiness.Timeout))
	}
	if c.Resources.Limits.Memory != "1Gi" {
		faults = append(faults, "memory limit "+c.Resources.Limits.Memory)
	}
	for _, e := range c.Env {
		if e.Name == "GOMEMLIMIT" {
			faults = append(faults, "GOMEMLIMIT turns off the hub's own limit")
		}
	}
	for path, fault := range map[string]string{
		"/var/lib/suyuan": "cannot be written", "/tmp": "cannot be written",
		"/etc/suyuan/connectors": "is not there", "/etc/suyuan/mappings": "is not there, where instance files have their mappings",
	} {
		if !slices.ContainsFunc(c.Mounts, func(m mount) bool { return m.Path == path }) {
			faults = append(faults, path+" "+fault)
		}
	}
	if i := slices.Index(c.Args, "--roles"); i >= 0 && !slices.Contains([]string{"ingest", "pipeline", "anchor", "web"}, c.Args[i+1]) {
		faults = append(faults, "role "+c.Args[i+1])
	} else if i >= 0 && c.Lifecycle.PreStop.Sleep.Seconds == 0 {
		faults = append(faults, "it stops listening while senders are still led to it")
	}
	return faults
}

// Prometheus' own tool accepts the rules and their tests.
func TestPrometheusAcceptsTheRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED, NOT PASSED: promtool is missing (task setup installs it)")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"check", "config", "prometheus.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = filepath.Join(root, "prometheus")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// What faces the internet passes on every page and interface, and nothing that tells of the hub's own machines.
func TestTheIngressShowsWhatIsForOthers(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "kubernetes", "cluster.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	passed := map[string]bool{} // by path: whether what is below it is passed on, too
	for _, m := range regexp.MustCompile(`\{ path: (\S+), pathType: (\w+),`).FindAllStringSubmatch(string(text), -1) {
		passed[m[1]] = m[2] == "Prefix"
	}
	shown := func(path string) bool {
		for at, below := range passed {
			if path == at || below && (at == "/" || strings.HasPrefix(path, at+"/")) {
				return true
			}
		}
		return false
	}
	for _, pattern := range append((&web.Server{}).Patterns(), "POST /in/{connector}", "GET /epcis", "GET /v1/trust") {
		_, path, _ := strings.Cut(pattern, " ")
		if path = strings.NewReplacer("{$}", "", "{code...}", "x", "{file}", "x", "{connector}", "x").Replace(path); !shown(path) {
			t.Errorf("%s is not passed on", path)
		}
	}
	for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
		if shown(path) {
			t.Errorf("%s is passed on", path)
		}
	}
}
