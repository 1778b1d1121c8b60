//go:build unix

package fabricnet

import (
	"fmt"
	"os"
	"syscall"
)

// Freeze stops it from answering while its connections stay open, as a partitioned network does.
func (p *Process) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(s os.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return fmt.Errorf("signal %s: it does not run", p.Name)
	}
	return p.cmd.Process.Signal(s)
}
