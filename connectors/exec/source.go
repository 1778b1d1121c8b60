package exec

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// source is one run of an adapter.
type source struct {
	o       *Options
	adapter *adapter
	name    string
}

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	t := time.NewTimer(s.o.Quiet)
	defer t.Stop()
	select {
	case m, ok := <-s.adapter.Messages():
		switch {
		case !ok:
			return connectors.Item{}, s.clean(s.adapter.why(ctx))
		case m.T == "error":
			return connectors.Item{}, s.clean(m.fault())
		case m.T == "ready":
			return connectors.Item{}, broken("exec.ready-twice", "it says ready twice")
		}
		return connectors.Item{
			ID: m.ID, Origin: cmp.Or(m.Origin, s.name), ContentType: m.CT, Body: m.body, Position: hub.Position(m.Pos),
		}, nil
	case <-t.C:
		if limit := s.o.RestartAfter; limit > 0 && s.adapter.QuietFor() > limit {
			f := hub.Faultf(hub.Unavailable, "exec.hangs", "the adapter has said nothing for %s: it is started anew", limit)
			f.MessageZh = "适配器长时间无输出，将重新启动"
			return connectors.Item{}, f
		}
		return connectors.Item{}, io.EOF
	case <-ctx.Done():
		return connectors.Item{}, ctx.Err()
	}
}

// Settle implements [connectors.Source]. A refused record is durable too, as a dead letter.
func (s *source) Settle(_ context.Context, item connectors.Item, _ error) error {
	return s.adapter.send(ackMessage{"ack", string(item.Position)})
}

// Close implements [connectors.Source].
func (s *source) Close() error {
	s.adapter.close(s.o.Stop)
	return nil
}
