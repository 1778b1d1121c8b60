//go:build unix

package child

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the child the leader of a group, so that what it starts can be ended with it.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills everything in the group that a child led.
func killGroup(pid int) {
	if pid > 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // an empty group is as good as a killed one
	}
}
