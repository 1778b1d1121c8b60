package exec

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/child"
)

// process is one run of the program. Requests may be under way side by side; answers bear their ids.
type process struct {
	*child.Process[message]

	spec  Spec
	grace time.Duration
	// stop asks serve to end the process. gone is closed when it has ended; why says then why it did.
	stop, gone chan struct{}
	why        error

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan message
	// answered is true once it has answered something.
	answered bool
}

// launch starts a program and waits until it is ready.
func launch(ctx context.Context, program child.Program, hello request, c Config) (*process, error) {
	started, err := child.Start(ctx, program, parseMessage)
	if err != nil {
		f := hub.Faultf(hub.Unavailable, "exec.start", "cannot start %s", filepath.Base(program.Command[0])).Because(err)
		f.MessageZh = "无法启动账本程序 " + filepath.Base(program.Command[0])
		f.Hint, f.HintZh = "check command, and that the hub's user may run it", "请检查 command，以及系统用户是否有权执行"
		return nil, f
	}
	p := &process{
		Process: started, grace: c.Stop, stop: make(chan struct{}), gone: make(chan struct{}), waiting: make(map[uint64]chan message),
	}
	if err := p.begin(ctx, hello, c.Start); err != nil {
		p.Close(stopLine(), c.Stop)
		return nil, err
	}
	if p.spec.Kind != c.Kind {
		p.Close(stopLine(), c.Stop)
		return nil, hub.Faultf(hub.Unavailable, "exec.kind", "the program's evidence is of the kind %.60q, not %q", p.spec.Kind, c.Kind).
			WithHint("correct kind")
	}
	go p.serve(context.WithoutCancel(ctx))
	return p, nil
}

// begin sends init and waits for ready.
func (p *process) begin(ctx context.Context, hello request, patience time.Duration) error {
	line, err := hello.encode()
	if err != nil {
		return err
	}
	p.Send(line, false)
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case m, ok := <-p.Messages():
		switch {
		case !ok:
			return p.died(ctx)
		case m.T == "error":
			f := m.reported()
			f.Kind = hub.Unavailable // nothing was asked of it yet
			return f
		case m.T != "ready":
			return broken("it begins with %q in place of ready", m.T)
		}
		p.spec = m.Spec
		return nil
	case <-t.C:
		f := hub.Faultf(hub.Unavailable, "exec.not-ready", "the ledger's program is not ready after %s", patience)
		f.MessageZh = "账本程序未在规定时间内就绪"
		return f.WithHint("raise start, or see what it waits for")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve hands answers to those who wait for them, until the process ends or is to end.
func (p *process) serve(ctx context.Context) {
	defer close(p.gone)
	for {
		select {
		case m, ok := <-p.Messages():
			if !ok {
				p.end(p.died(ctx))
				return
			}
			if err := p.deliver(m); err != nil {
				p.end(err)
				return
			}
		case <-p.stop:
			p.end(errClosed)
			return
		}
	}
}

func (p *process) end(why error) {
	p.why = why
	p.Close(stopLine(), p.grace)
}

// deliver hands on one answer. One that nobody waits for any more is dropped.
func (p *process) deliver(m message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case m.ID == 0 && m.T == "error":
		return m.reported()
	case m.T == "ready":
		return broken("it says ready twice")
	case m.ID == 0 || m.ID > p.last:
		return broken("it answers the request %d, which was not made", m.ID)
	}
	p.answered = true
	if answer := p.waiting[m.ID]; answer != nil {
		answer <- m // it has room for one
		delete(p.waiting, m.ID)
	}
	return nil
}

// ask makes one request. An error means that it was not answered, whatever became of it.
func (p *process) ask(ctx context.Context, r request, patience time.Duration) (message, error) {
	answer := make(chan message, 1)
	p.mu.Lock()
	p.last++
	r.ID = p.last
	p.waiting[r.ID] = answer
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.waiting, r.ID)
		p.mu.Unlock()
	}()
	line, err := r.encode()
	if err != nil {
		return message{}, err
	}
	p.Send(line, false)
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case m := <-answer:
		return m, nil
	case <-p.gone:
		return message{}, p.why
	case <-t.C:
		p.Kill()
		f := hub.Faultf(hub.Unavailable, "exec.hangs", "the ledger's program has not answered for %s and was killed", patience)
		f.MessageZh = "账本程序长时间未应答，已被终止"
		return message{}, f
	case <-ctx.Done():
		return message{}, ctx.Err()
	}
}

// died says how the process ended, or what of its output makes no sense.
func (p *process) died(ctx context.Context) error {
	err := p.End()
	if errors.Is(err, child.ErrLongLine) {
		return broken("a line has more than %d bytes", maxLine)
	}
	if f, ok := errors.AsType[*hub.Fault](err); ok {
		return f
	}
	return p.Died(ctx, "the ledger's program", "账本程序已退出")
}

// stopLine is the last line that a program gets.
func stopLine() []byte { return []byte(`{"t":"stop"}` + "\n") }
