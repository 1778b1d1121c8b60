package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

const (
	// Quiet is how long Next waits for a message before it says that there is none: short, because what is settled
	// meanwhile and what the status shows wait for it.
	Quiet = 250 * time.Millisecond
	// Interval is what a kind states as its pause after that: a broker pushes, so there is nothing to wait for.
	Interval = 10 * time.Millisecond
	// Timeout is how long a broker may take to answer one request.
	Timeout = 10 * time.Second
)

// Await returns the next message. It returns io.EOF when none came for a while, the context's error when ctx is done, and
// what stands in ended when the connection is over: a closed channel of messages means so too. Messages that are there
// go first. A message is never taken and lost.
func Await[M any](ctx context.Context, messages <-chan M, ended <-chan error) (m M, err error) {
	select {
	case m, ok := <-messages:
		return received(m, ok, ended)
	default:
	}
	t := time.NewTimer(Quiet)
	defer t.Stop()
	select {
	case m, ok := <-messages:
		return received(m, ok, ended)
	case err = <-ended:
		return m, Unavailable("read", err)
	case <-t.C:
		return m, io.EOF
	case <-ctx.Done():
		return m, ctx.Err()
	}
}

func received[M any](m M, ok bool, ended <-chan error) (M, error) {
	if ok {
		return m, nil
	}
	select {
	case err := <-ended:
		return m, Unavailable("read", err)
	default:
		return m, Unavailable("read", io.ErrUnexpectedEOF)
	}
}

// Unavailable is the fault of a broker that cannot be reached or has gone. A certificate that does not fit is for a
// person to mend. A fault stays what it is.
func Unavailable(doing string, err error) *hub.Fault {
	if known, ok := errors.AsType[*hub.Fault](err); ok {
		return known
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		f := hub.Faultf(hub.Unauthorized, "broker.certificate", "the broker's certificate is not trusted").Because(err)
		f.MessageZh = "消息服务器的证书不受信任"
		f.Hint, f.HintZh = "name the authority that issued it under tls.ca", "请在 tls.ca 中指明签发它的机构"
		return f
	}
	f := hub.Faultf(hub.Unavailable, "broker.unavailable", "cannot %s: the broker does not answer as it should", doing).Because(err)
	f.MessageZh = "消息服务器暂时不可用"
	return f
}

// Unauthorized is the fault of a broker that refuses the instance's credentials or what it asks for.
func Unauthorized(what string, err error) *hub.Fault {
	f := hub.Faultf(hub.Unauthorized, "broker.unauthorized", "the broker refuses %s", what).Because(err)
	f.MessageZh = "消息服务器拒绝访问"
	f.Hint, f.HintZh = "check user, password and what the broker grants this user", "请检查 user、password 以及该用户的权限"
	return f
}

// Missing is the fault of a queue, topic or stream that does not exist: a kind never creates one in a foreign broker.
func Missing(thing, name string, err error) *hub.Fault {
	f := hub.Faultf(hub.NotFound, "broker.missing", "the broker has no %s %q", thing, name).Because(err)
	f.MessageZh = "消息服务器上没有 " + name
	f.Hint, f.HintZh = "correct the name, or have it created by who runs the broker", "请更正名称，或请消息服务器的管理者创建它"
	return f
}

// NoPosition is the fault of setting where an instance reads on: what is acknowledged is gone from the queue.
func NoPosition() error {
	return connectors.NoPosition("the broker keeps what is not acknowledged, and hands that out", "未确认的消息由服务端保存并重新投递")
}
