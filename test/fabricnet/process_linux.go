package fabricnet

import "syscall"

// dieWithParent has the kernel kill a child when we die, however we die.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
