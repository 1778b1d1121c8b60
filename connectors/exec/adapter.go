package exec

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/child"
)

// adapter is a running adapter.
type adapter struct {
	*child.Process[message]

	maxLine int
}

// launch starts an adapter without a word.
func launch(ctx context.Context, p child.Program) (*adapter, error) {
	process, err := child.Start(ctx, p, parseMessage)
	if err != nil {
		f := hub.Faultf(hub.Invalid, "exec.start", "cannot start %s", filepath.Base(p.Command[0])).Because(err)
		f.MessageZh = "无法启动适配器 " + filepath.Base(p.Command[0])
		f.Hint, f.HintZh = "check command, and that the hub's user may run it", "请检查 command，以及系统用户是否有权执行"
		return nil, f
	}
	return &adapter{process, p.MaxLine}, nil
}

// begin sends init and waits for ready. It sets name to the adapter's own.
func (c *adapter) begin(ctx context.Context, hello initMessage, patience time.Duration, name *string) error {
	if err := c.send(hello); err != nil {
		return err
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case m, ok := <-c.Messages():
		switch {
		case !ok:
			return c.why(ctx)
		case m.T == "error":
			return m.fault()
		case m.T != "ready":
			return broken("exec.not-ready", "it begins with %q in place of ready", m.T)
		}
		*name = cmp.Or(m.Spec.Name, *name)
		return nil
	case <-t.C:
		f := hub.Faultf(hub.Unavailable, "exec.not-ready", "the adapter is not ready after %s", patience)
		f.MessageZh = "适配器未在规定时间内就绪"
		return f.WithHint("raise start, or see what it waits for")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// send queues a message. It does not wait for the adapter to read it. An ack stands for all before it.
func (c *adapter) send(m any) error {
	line, err := encode(m)
	if err != nil {
		return err
	}
	_, isAck := m.(ackMessage)
	c.Send(line, isAck)
	return nil
}

// why says why there are no more messages.
func (c *adapter) why(ctx context.Context) error {
	switch err := c.End(); {
	case errors.Is(err, child.ErrLongLine):
		return broken("exec.line", "a line has more than %d bytes", c.maxLine).WithHint("raise maxLine, or make records smaller")
	case hub.KindOf(err) == hub.Invalid:
		return err
	}
	return c.died(ctx)
}

// died says how the process ended, or that its output did.
func (c *adapter) died(ctx context.Context) error {
	return c.Died(ctx, "the adapter", "适配器已退出")
}

// close asks the adapter to stop, waits for grace, and kills its group. It reports whether it ended by itself.
func (c *adapter) close(grace time.Duration) (itself bool) {
	line, err := encode(stopMessage{"stop"})
	if err != nil { // cannot happen: it is a word
		line = nil
	}
	return c.Close(line, grace)
}
