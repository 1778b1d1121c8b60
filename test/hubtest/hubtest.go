// Package hubtest runs the built binary as its users do: as a process that is configured by files, spoken to over HTTP, and
// killed at any moment. It is for tests of the whole; what they check is theirs.
package hubtest

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the path of the built command.
var binary string

// Binary returns the path of the command that [Main] built.
func Binary() string { return binary }

// Main builds the command, runs the tests and returns their exit code: os.Exit(hubtest.Main(m)) in TestMain.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "suyuan-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "suyuan")
	if err := Build(binary); err != nil {
		panic(err)
	}
	return m.Run()
}

// Build builds the command with extra flags for the Go tool, such as -tags.
func Build(path string, flags ...string) error {
	args := append(append([]string{"build"}, flags...), "-o", path, "github.com/suyuan-io/suyuan/cmd/suyuan")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return nil
}

// CLI runs a command and returns its exit code and output.
func CLI(t *testing.T, args ...string) (code int, stdout, stderr string) {
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

// Site is a hub's folder: its configuration, instance files and data.
type Site struct {
	T   *testing.T
	Dir string
	// Key is the admin key, from the first start.
	Key string
	// Binary is the command that Start runs; the default is [Binary]. Env is added to its environment.
	Binary string
	Env    []string
}

// NewSite makes a site with the files, and a suyuan.yaml for tests unless it is one of them.
func NewSite(t *testing.T, files map[string]string) *Site {
	t.Helper()
	s := &Site{T: t, Dir: t.TempDir(), Binary: binary}
	if _, ok := files["suyuan.yaml"]; !ok {
		s.Write("suyuan.yaml", "listen: 127.0.0.1:0\ndata: data\nanchor: { origin: test.example/log, maxAge: 100ms }\nlog: { level: warn }\nstream: { minFree: 1MiB }\n")
	}
	for name, text := range files {
		s.Write(name, text)
	}
	return s
}

// Path is a path below the site's folder.
func (s *Site) Path(elem ...string) string { return filepath.Join(append([]string{s.Dir}, elem...)...) }

// Write writes a file of the site and makes its folder.
func (s *Site) Write(name, text string) {
	s.T.Helper()
	if err := os.MkdirAll(filepath.Dir(s.Path(name)), 0o700); err != nil {
		s.T.Fatal(err)
	}
	if err := os.WriteFile(s.Path(name), []byte(text), 0o600); err != nil {
		s.T.Fatal(err)
	}
}

// Process is a running hub.
type Process struct {
	*Site
	Cmd *exec.Cmd
	URL string
	// Log is what the process wrote to its standard error.
	Log *Log
}

// Log collects what a process writes. It is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

// String returns what was written so far, at most the last 16 KiB of it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-16<<10):])
}

// All returns all that was written so far.
func (l *Log) All() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// Start runs the hub until it is ready.
func (s *Site) Start() *Process {
	s.T.Helper()
	p := s.Launch()
	p.Await("ready", func() bool { return p.Get("/readyz", nil) == http.StatusOK })
	return p
}

// Launch runs the hub until it listens.
func (s *Site) Launch() *Process {
	s.T.Helper()
	p, err := s.TryLaunch()
	if err != nil {
		s.T.Fatal(err)
	}
	return p
}

// TryLaunch is Launch for a hub that may find what it needs missing.
func (s *Site) TryLaunch() (*Process, error) {
	s.T.Helper()
	p := &Process{Site: s, Log: &Log{}}
	p.Cmd = exec.Command(s.Binary, "serve", "--config", s.Path("suyuan.yaml"))
	p.Cmd.Stderr = p.Log
	p.Cmd.Env = append(os.Environ(), s.Env...)
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := p.Cmd.StdoutPipe()
	if err != nil {
		s.T.Fatal(err)
	}
	if err := p.Cmd.Start(); err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(p.Kill)
	lines := bufio.NewScanner(out)
	for p.URL == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
			p.URL = url
		}
	}
	if p.URL == "" {
		_ = p.Cmd.Wait()
		return nil, fmt.Errorf("the hub did not start:\n%s", p.Log)
	}
	if s.Key == "" && lines.Scan() {
		_, s.Key, _ = strings.Cut(lines.Text(), "keep it): ")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return p, nil
}

// Kill ends the process as kill -9 does.
func (p *Process) Kill() {
	if p.Cmd.ProcessState == nil {
		_ = p.Cmd.Process.Kill()
		_ = p.Cmd.Wait()
	}
}

// Stop ends the process as an operator does, and returns its exit code.
func (p *Process) Stop() int {
	p.T.Helper()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.T.Fatal(err)
	}
	_ = p.Cmd.Wait()
	return p.Cmd.ProcessState.ExitCode()
}

// Await waits until what becomes true.
func (p *Process) Await(what string, done func() bool) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.T.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.T.Fatalf("waited in vain for: %s\n%s", what, p.Log)
		}
	}
}

// Do sends one request with the admin key and returns status and body.
func (p *Process) Do(method, path string, body []byte, header http.Header) (int, []byte) {
	p.T.Helper()
	status, b, err := p.Try(method, path, body, header)
	if err != nil {
		p.T.Fatalf("%v\n%s", err, p.Log)
	}
	return status, b
}

// Try is Do for a hub that may be dead.
func (p *Process) Try(method, path string, body []byte, header http.Header) (int, []byte, error) {
	r, err := http.NewRequestWithContext(context.Background(), method, p.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header = header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+p.Key)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	return a.StatusCode, b, err
}

// Get decodes the JSON answer of a path into out, which may be nil, and returns the status.
func (p *Process) Get(path string, out any) int {
	p.T.Helper()
	status, b := p.Do(http.MethodGet, path, nil, nil)
	if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			p.T.Fatalf("GET %s: %v\n%s", path, err, b)
		}
	}
	return status
}

// LogSize is how many events are recorded and how many of them anchored.
func (p *Process) LogSize() (size, committed uint64) {
	p.T.Helper()
	var out struct {
		LogSize uint64
		Anchors []struct {
			Size  uint64
			State string
		}
	}
	p.Get("/v1/anchors", &out)
	for _, a := range out.Anchors {
		if a.State == "committed" {
			committed = max(committed, a.Size)
		}
	}
	return out.LogSize, committed
}

// ReceiptAt returns the receipt of the event at a place of the log.
func (p *Process) ReceiptAt(seq uint64) []byte {
	p.T.Helper()
	status, b := p.Do(http.MethodGet, fmt.Sprintf("/v1/log/%d/receipt", seq), nil, nil)
	if status != http.StatusOK {
		p.T.Fatalf("receipt %d: %d %s", seq, status, b)
	}
	return b
}
