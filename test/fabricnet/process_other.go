//go:build !linux

package fabricnet

import "syscall"

// dieWithParent leaves it to Close: only Linux kills the children of a parent that died.
func dieWithParent() *syscall.SysProcAttr { return nil }
