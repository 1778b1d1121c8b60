// Package brokertest starts real message brokers for the tests of the kinds that read them. A broker lives in a folder and
// on a port of its own, on the loopback, and dies with its test.
package brokertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
)

// Program returns the path of a program of a Debian package. Without it the test is skipped; CI has to have it.
func Program(tb testing.TB, path, debianPackage string) string {
	tb.Helper()
	found, err := exec.LookPath(path)
	if err == nil {
		return found
	}
	if os.Getenv("CI") == "true" {
		tb.Fatalf("%s is not there: install the package %s", path, debianPackage)
	}
	tb.Skipf("SKIPPED: %s is not there: install the package %s", path, debianPackage)
	return ""
}

// Run starts a program in a process group of its own and ends the group with the test.
func Run(tb testing.TB, cmd *exec.Cmd) {
	tb.Helper()
	log, err := os.CreateTemp(tb.TempDir(), "output")
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended
		_ = cmd.Wait()                                      // by that signal
		if tb.Failed() {
			out, _ := os.ReadFile(log.Name())
			tb.Logf("%s:\n%s", cmd.Path, out[max(0, len(out)-4000):])
		}
		_ = log.Close()
	})
}

// Port returns a free port of the loopback.
func Port(tb testing.TB) int {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	at, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		tb.Fatalf("listening on %v", l.Addr())
	}
	return at.Port
}

// Await waits until something listens at the address.
func Await(tb testing.TB, address string, patience time.Duration) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for time.Now().Before(deadline) {
		if conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", address); err == nil {
			_ = conn.Close()
			return
		}
		<-tick.C
	}
	tb.Fatalf("nothing listens at %s after %s", address, patience)
}

// Address returns where the broker of a folder is. It starts one when there is none: the crash check opens the same
// folder from several processes, and the first has the broker.
func Address(tb testing.TB, dir string, start func() string) string {
	tb.Helper()
	name := filepath.Join(dir, "address")
	if known, err := os.ReadFile(name); err == nil {
		return string(known)
	}
	address := start()
	if err := os.WriteFile(name, []byte(address), 0o600); err != nil {
		tb.Fatal(err)
	}
	return address
}

// Instance returns an instance for the conformance kit.
func Instance(kind string, options any) *connectors.Instance {
	return &connectors.Instance{
		ID: "kit", Provider: "tester", Kind: kind, Options: options, Splitter: connectortest.Lines{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 50 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 10 * time.Millisecond,
	}
}

// Loopback is an address of this machine.
func Loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// Lines joins the lines of a configuration file.
func Lines(lines ...string) []byte { return []byte(strings.Join(lines, "\n") + "\n") }
