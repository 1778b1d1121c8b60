package fault

import (
	"bufio"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/suyuan-io/suyuan/test/hubtest"
)

// inject makes system calls of a running hub fail or take long until end is called: strace holds each of them and changes its
// outcome. files limits it to calls on these files; without any it is every file. what is as in strace's -e inject=, such as
// "fsync,fdatasync:error=EIO" or "fsync:delay_exit=50000".
func inject(t *testing.T, p *hubtest.Process, what string, files ...string) (end func()) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		skipLoudly(t, "strace is missing (task setup installs it)")
	}
	calls, _, _ := strings.Cut(what, ":")
	args := []string{"-f", "-o", "/dev/null", "-p", strconv.Itoa(p.Cmd.Process.Pid), "-e", "trace=" + calls, "-e", "inject=" + what}
	for _, f := range files {
		args = append(args, "-P", f)
	}
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	attached, said := false, ""
	lines := bufio.NewScanner(stderr)
	for !attached && lines.Scan() {
		said += lines.Text() + "\n"
		attached = strings.Contains(lines.Text(), " attached")
	}
	if !attached {
		_ = cmd.Wait()
		skipLoudly(t, "this machine does not let strace attach: %s", said)
	}
	done := make(chan struct{})
	go func() { // strace tells of every new thread
		defer close(done)
		for lines.Scan() {
		}
	}()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM) // strace detaches
		<-done
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	return end
}
