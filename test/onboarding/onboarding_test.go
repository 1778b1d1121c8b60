// Package onboarding runs the tutorial as a newcomer does: word by word, in one shell.
package onboarding

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limit is how long the tutorial may take, the build included.
const limit = 10 * time.Minute

func TestTheTutorialWorksWordByWord(t *testing.T) {
	for _, need := range []string{"curl", "/usr/sbin/sshd", "psql", "runuser", "iconv"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("SKIPPED, NOT PASSED: %s is missing", need)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT PASSED: the tutorial is for root")
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "onboarding.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks = append(blocks, m[1])
	}
	if len(blocks) < 15 || !strings.Contains(blocks[0], "apt-get install") {
		t.Fatalf("the page has %d blocks", len(blocks))
	}
	blocks = blocks[1:] // the packages are there, as checked above

	dir := folder(t)
	began := time.Now()
	out := run(t, dir, script(t, blocks))
	if took := time.Since(began); took > limit {
		t.Errorf("the tutorial took %s", took)
	} else {
		t.Logf("the tutorial took %s", took)
	}
	for _, want := range []string{
		"all is well: 0 connectors", "1 of 1 cases passed", "2 records, 0 would be dead letters", "shanghai-wms",
		"Organic formula 3, 900 g", "202 Accepted", `"bizStep": "shipping"`, `"bizStep": "commissioning"`, `"bizStep": "accepting"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in the output", want)
		}
	}
	for _, name := range []string{"wms", "erp", "carrier"} {
		if n := strings.Count(out, "valid "+name+".receipt.json"); n != 2 {
			t.Errorf("the receipt of %s verified %d times", name, n)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// folder is where the tutorial runs: others than root may come through, for PostgreSQL does not run as root.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "onboarding-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// script is the page's commands, with a clone of this repository and free ports in place of the page's.
func script(t *testing.T, blocks []string) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer(
		"git clone -q https://github.com/suyuan-io/suyuan\n", "git clone -q '"+root+"' suyuan 2> /dev/null || cp -r '"+root+"' suyuan\n",
		":8080", ":"+freePort(t), ":2222", ":"+freePort(t), "5499", freePort(t),
	)
	text := strings.Join(blocks, "\n")
	if !strings.Contains(text, "git clone -q https://github.com/suyuan-io/suyuan\n") {
		t.Fatal("the page does not clone the project")
	}
	// What the page starts must not outlive the test when a command fails.
	return `trap 'kill $(jobs -p) $(cat sftp/sshd.pid) 2> /dev/null; [ -d erp/db ] && runuser -u postgres -- $PGBIN/pg_ctl -D "$PWD/erp/db" -m immediate stop > /dev/null 2>&1 || true' EXIT` +
		"\n" + fill.Replace(text) + "\ntrap - EXIT\n"
}

// run runs a script as one shell and returns what it printed.
func run(t *testing.T, dir, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "hub.log"))
		sshd, _ := os.ReadFile(filepath.Join(dir, "sftp", "sshd.log"))
		t.Fatalf("%v\n%s\nthe hub's log:\n%s\nsshd's:\n%s", err, out, log, sshd)
	}
	return string(out)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
