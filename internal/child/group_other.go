//go:build !unix

package child

import "os/exec"

// ownGroup does nothing: there are no groups of processes here, only the child itself is killed.
func ownGroup(*exec.Cmd) {}

func killGroup(int) {}
