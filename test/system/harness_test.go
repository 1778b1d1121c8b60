// Package system runs the built binary as its users do: as a process that is configured by files, spoken to over HTTP, and
// killed at any moment.
package system

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors/webhook"
)

// binary is the path of the built command.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "suyuan-system-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "suyuan")
		if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/suyuan").CombinedOutput(); err != nil {
			panic(fmt.Sprintf("build: %v\n%s", err, out))
		}
		return m.Run()
	}())
}

// cli runs a command and returns its exit code and output.
func cli(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// site is a hub's folder: its configuration, instance files and data.
type site struct {
	t   *testing.T
	dir string
	// key is the admin key, from the first start.
	key string
}

func newSite(t *testing.T, files map[string]string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	if _, ok := files["suyuan.yaml"]; !ok {
		s.write("suyuan.yaml", "listen: 127.0.0.1:0\ndata: data\nanchor: { origin: test.example/log, maxAge: 100ms }\nlog: { level: warn }\nstream: { minFree: 1MiB }\n")
	}
	for name, text := range files {
		s.write(name, text)
	}
	return s
}

func (s *site) path(elem ...string) string { return filepath.Join(append([]string{s.dir}, elem...)...) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.path(name)), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// process is a running hub.
type process struct {
	*site
	cmd *exec.Cmd
	url string
	log *bytes.Buffer
}

// start runs the hub until it listens.
func (s *site) start() *process {
	s.t.Helper()
	p := &process{site: s, log: &bytes.Buffer{}}
	p.cmd = exec.Command(binary, "serve", "--config", s.path("suyuan.yaml"))
	p.cmd.Stderr = p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.kill)
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			p.url = url
		}
	}
	if p.url == "" {
		_ = p.cmd.Wait()
		s.t.Fatalf("the hub did not start:\n%s", p.log)
	}
	if s.key == "" && lines.Scan() {
		_, s.key, _ = strings.Cut(lines.Text(), "keep it): ")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	p.await("ready", func() bool { return p.get("/readyz", nil) == http.StatusOK })
	return p
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// stop ends the process as an operator does, and returns its exit code.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// await waits until what becomes true.
func (p *process) await(what string, done func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("waited in vain for: %s\n%s", what, p.log)
		}
	}
}

// do sends one request with the admin key and returns status and body.
func (p *process) do(method, path string, body []byte, header http.Header) (int, []byte) {
	p.t.Helper()
	status, b, err := p.try(method, path, body, header)
	if err != nil {
		p.t.Fatal(err)
	}
	return status, b
}

func (p *process) try(method, path string, body []byte, header http.Header) (int, []byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, p.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+p.key)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, b, err
}

// get decodes the JSON answer of a path into out, which may be nil.
func (p *process) get(path string, out any) int {
	p.t.Helper()
	status, b := p.do(http.MethodGet, path, nil, nil)
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			p.t.Fatalf("GET %s: %v\n%s", path, err, b)
		}
	}
	return status
}

// logSize is how many events are recorded and how many of them anchored.
func (p *process) logSize() (size, committed uint64) {
	p.t.Helper()
	var out struct {
		LogSize uint64
		Anchors []struct {
			Size  uint64
			State string
		}
	}
	p.get("/v1/anchors", &out)
	for _, a := range out.Anchors {
		if a.State == "committed" {
			committed = max(committed, a.Size)
		}
	}
	return out.LogSize, committed
}

// hook is a webhook sender with the secret of the test's instance files.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

// signed makes the headers of a Standard Webhooks request.
func signed(tb testing.TB, id string, body []byte) http.Header {
	tb.Helper()
	scheme, _ := webhook.Preset("standard-webhooks")
	v, err := webhook.NewVerifier(scheme, secret)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := v.Sign(body, "application/json", id, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return r.Header
}

// hookFiles are the instance file and mapping of a webhook connector whose records say what happened to an item.
func hookFiles() map[string]string {
	return map[string]string{
		"hook.secret": secret,
		"connectors/hook.yaml": `id: hook
provider: carrier
source: { webhook: { preset: standard-webhooks, secrets: ["${file:@DIR@/hook.secret}"] } }
decode: json
map: ../mappings/hook.yaml
limits: { record: 16KiB, body: 32KiB }
`,
		"mappings/hook.yaml": `version: 1
timezone: "+08:00"
events:
  - event:
      type: ObjectEvent
      eventTime: "= ts(row.at)"
      action: OBSERVE
      bizStep: "= row.step"
      epcList: ["= sgtin(row.gtin, row.serial)"]
`,
	}
}

// hookSite is a site with that connector.
func hookSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, hookFiles())
	s.write("connectors/hook.yaml", strings.ReplaceAll(hookFiles()["connectors/hook.yaml"], "@DIR@", s.dir))
	return s
}

// hookBody is the body of the n-th push.
func hookBody(n int) []byte {
	return fmt.Appendf(nil, `{"at":"2026-11-11T10:%02d:%02d+08:00","step":"shipping","gtin":"07613035982949","serial":"S%d"}`, n/60%60, n%60, n)
}

// receiptAt returns the receipt of the event at a place of the log.
func (p *process) receiptAt(seq uint64) []byte {
	p.t.Helper()
	status, b := p.do(http.MethodGet, "/v1/log/"+itoa(seq)+"/receipt", nil, nil)
	if status != http.StatusOK {
		p.t.Fatalf("receipt %d: %d %s", seq, status, b)
	}
	return b
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

func atoi(s string) int {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0
	}
	return int(f)
}
