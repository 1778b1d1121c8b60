package system

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/internal/sample"
	"github.com/suyuan-io/suyuan/test/hubtest"
)

// The commands of both READMEs do what they say, in order: demo, three curl calls, and the receipt with the hub stopped.
func TestTheReadmesCommandsWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED, NOT PASSED: curl is missing")
	}
	for _, name := range []string{"README.md", "README.zh.md"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", name))
			if err != nil {
				t.Fatal(err)
			}
			runReadme(t, string(text))
		})
	}
}

func runReadme(t *testing.T, text string) {
	t.Helper()
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(m[1], "task test") {
			blocks = append(blocks, m[1])
		}
	}
	if len(blocks) != 6 {
		t.Fatalf("the README has %d blocks to run", len(blocks))
	}
	addr := freeAddr(t)
	dir := t.TempDir()
	fill := strings.NewReplacer("go run ./cmd/suyuan demo", "exec "+hubtest.Binary()+" demo --listen "+addr, "go run ./cmd/suyuan", hubtest.Binary(), "127.0.0.1:8080", addr)
	shell := func(ctx context.Context, script string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", fill.Replace(script))
		cmd.Dir = dir
		return cmd
	}
	demo := shell(context.Background(), blocks[0])
	demo.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- demo.Wait() }()
	t.Cleanup(func() { _ = demo.Process.Kill() })
	waitFor(t, "the demo's page", func() bool {
		out, err := exec.CommandContext(t.Context(), "curl", "-sf", "http://"+addr+"/t/02130081810167359142").Output()
		return err == nil && strings.Contains(string(out), "9121755841")
	})
	// the blocks between are one session: the first sets KEY
	out, err := shell(t.Context(), strings.Join(blocks[1:5], "\nsleep 1\n")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"accepted":1`) && !strings.Contains(string(out), `"accepted": 1`) ||
		!strings.Contains(string(out), "inspecting") {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := demo.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("Ctrl-C: %v", err)
	}
	out, err = shell(t.Context(), blocks[5]).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "valid receipt.json") {
		t.Fatalf("verify: %v\n%s", err, out)
	}
}

// The commands that connect a system work on a sample, and both READMEs have the same.
func TestTheReadmesConnectASystem(t *testing.T) {
	commands := map[string]string{}
	for _, name := range []string{"README.md", "README.zh.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile("(?s)```\n(go install.*?)```").FindStringSubmatch(string(text))
		if m == nil {
			t.Fatalf("%s does not connect a system", name)
		}
		commands[name] = regexp.MustCompile(` +#.*`).ReplaceAllString(m[1], "")
	}
	script := commands["README.md"]
	if script != commands["README.zh.md"] {
		t.Fatalf("the READMEs differ:\n%s\n%s", script, commands["README.zh.md"])
	}
	dir := t.TempDir()
	rows, err := fs.ReadFile(sample.Files(), "data/wms-outbound.csv")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "outbound.csv"), rows, 0o600); err != nil {
		t.Fatal(err)
	}
	_, script, _ = strings.Cut(script, "\n") // the binary is built already
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", "suyuan() { "+hubtest.Binary()+` "$@"; }`+"\n"+script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "all is well: 1 connector") || !strings.Contains(string(out), `"eventID"`) {
		t.Fatalf("%v\n%s", err, out)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
