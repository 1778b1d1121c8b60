package fabricnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Proxy passes TCP connections on to an address, until it is cut: then nothing passes any more in either direction,
// while connections stay open and new ones are accepted, as when a network drops packets.
type Proxy struct {
	// Address is where it listens.
	Address string

	listener net.Listener
	to       string
	work     sync.WaitGroup

	mu    sync.Mutex
	heal  chan struct{} // closed while it is not cut
	conns []net.Conn
}

// NewProxy returns a proxy for an address. It has to be closed.
func NewProxy(ctx context.Context, to string) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open proxy: %w", err)
	}
	p := &Proxy{Address: l.Addr().String(), listener: l, to: to, heal: make(chan struct{})}
	close(p.heal)
	p.work.Go(p.accept)
	return p, nil
}

// Cut drops what comes until Heal is called.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heal = make(chan struct{})
}

// Heal lets everything pass again.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.heal:
	default:
		close(p.heal)
	}
}

// Close ends it with its connections.
func (p *Proxy) Close() error {
	p.Heal()
	err := p.listener.Close()
	p.mu.Lock()
	for _, c := range p.conns {
		err = errors.Join(err, ignoreClosed(c.Close()))
	}
	p.mu.Unlock()
	p.work.Wait()
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.pass(from) })
	}
}

// pass connects one connection through.
func (p *Proxy) pass(from net.Conn) {
	p.keep(from)
	defer from.Close()
	<-p.passing()
	to, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.to)
	if err != nil {
		return
	}
	p.keep(to)
	defer to.Close()
	var both sync.WaitGroup
	both.Go(func() { p.copy(to, from) })
	both.Go(func() { p.copy(from, to) })
	both.Wait()
}

// copy passes on what comes, while it is not cut.
func (p *Proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		<-p.passing()
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil && !errors.Is(err, io.EOF) || n == 0 {
			return
		}
	}
}

func (p *Proxy) passing() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heal
}

func (p *Proxy) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
}
