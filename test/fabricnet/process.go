package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// Process is one program of the network. It can be killed, frozen and started again; its files stay.
type Process struct {
	// Name is that of its folder and its log file, such as "peer1".
	Name string
	// Address is where it listens for others.
	Address string

	program string
	args    []string
	env     []string
	dir     string // where it keeps everything
	log     string

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// Start starts it and waits until it listens.
func (p *Process) Start(ctx context.Context) error {
	if err := p.launch(); err != nil {
		return err
	}
	return p.await(ctx)
}

// launch starts it.
func (p *Process) launch() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return fmt.Errorf("start %s: it runs", p.Name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.program, p.args...)
	cmd.Dir, cmd.Env = p.dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir}, p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed at the end, and its log says why it ended earlier
		close(done)
	}()
	p.cmd, p.done = cmd, done
	return nil
}

// await waits until it listens, and fails if it ends before.
func (p *Process) await(ctx context.Context) error {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", p.Name, ctx.Err())
		case <-done:
			return fmt.Errorf("%s has ended: %s", p.Name, p.Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill ends it as kill -9 does, and returns when it is gone. A process that does not run stays as it is.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-p.done
	p.cmd = nil
	return err
}

// Tail returns the end of its log.
func (p *Process) Tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return filepath.Base(p.log) + ": " + string(b[max(0, len(b)-2000):])
}

// reserve takes n free ports of the loopback interface. They stay taken until release is called, just before the
// processes that shall have them start.
func reserve(ctx context.Context, n int) (addresses []string, release func(), err error) {
	var taken []net.Listener
	release = func() {
		for _, l := range taken {
			_ = l.Close() // nothing was accepted
		}
	}
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			release()
			return nil, nil, fmt.Errorf("reserve ports: %w", err)
		}
		taken = append(taken, l)
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, release, nil
}

// Running reports whether it was started and not killed.
func (p *Process) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd != nil
}
