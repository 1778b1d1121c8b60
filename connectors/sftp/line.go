package sftp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// line is one connection.
type line struct {
	net   net.Conn
	ssh   *ssh.Client
	files *sftp.Client
	// gone is closed when the connection has ended; closing stops the keep-alive.
	gone    chan struct{}
	closing chan struct{}
	running sync.WaitGroup
}

// dial connects, checks the host key, logs in and starts the file transfer.
func (o *Options) dial(ctx context.Context, pins pins) (*line, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	dialer := net.Dialer{}
	conn, err := dialer.DialContext(ctx, "tcp", o.address())
	if err != nil {
		return nil, drop.Lost("sftp", "connect to "+o.address(), err)
	}
	guard := drop.Watch(ctx, o.Timeout, func() { _ = conn.Close() })
	defer guard.Stop()
	client, err := o.login(conn, pins)
	if err != nil {
		return nil, errors.Join(err, ignoreClosed(conn.Close()))
	}
	files, err := sftp.NewClient(client)
	if err != nil {
		f := hub.Faultf(hub.Unsupported, "sftp.subsystem", "the login works, but the server gives it no file transfer").Because(err)
		f.MessageZh = "登录成功，但服务器未提供文件传输"
		return nil, errors.Join(f.WithHint("ask the server's owner to enable SFTP for this login"), ignoreClosed(client.Close()))
	}
	l := &line{net: conn, ssh: client, files: files, gone: make(chan struct{}), closing: make(chan struct{})}
	l.running.Go(func() {
		_ = client.Wait() // why it ended shows in the call that meets it
		close(l.gone)
	})
	if o.KeepAlive > 0 {
		l.running.Go(func() { l.keepAlive(o.KeepAlive, o.Timeout) })
	}
	return l, nil
}

// login is the SSH handshake.
func (o *Options) login(conn net.Conn, pins pins) (*ssh.Client, error) {
	signer, err := o.signer()
	if err != nil {
		return nil, hub.Faultf(hub.Unauthorized, "sftp.private-key", "the private key cannot be used").Because(err)
	}
	var refused error // what the host key check said: the library hides it
	shown := false
	config := &ssh.ClientConfig{
		User: o.Auth.User, Auth: o.methods(signer), Timeout: o.Timeout,
		HostKeyAlgorithms: pins.algorithms(o.address(), conn.RemoteAddr()),
		HostKeyCallback: func(host string, remote net.Addr, key ssh.PublicKey) error {
			shown = true
			refused = pins.check(host, remote, key)
			return refused
		},
	}
	c, channels, requests, err := ssh.NewClientConn(conn, o.address(), config)
	switch {
	case err == nil:
		return ssh.NewClient(c, channels, requests), nil
	case refused != nil:
		return nil, refused
	case isNetwork(err):
		return nil, drop.Lost("sftp", "talk to "+o.address(), err)
	case shown:
		f := hub.Faultf(hub.Unauthorized, "sftp.login", "the server refuses the login of %s", o.Auth.User).Because(err)
		f.MessageZh = "服务器拒绝 " + o.Auth.User + " 登录"
		f.Hint, f.HintZh = "check user, password or key with the server's owner", "请与服务器所有者核对用户、密码或密钥"
		return nil, f
	}
	f := hub.Faultf(hub.Unsupported, "sftp.handshake", "no common ground with the server").Because(err)
	f.MessageZh = "无法与服务器协商"
	return nil, f.WithHint("the server or its settings are too old, or what answers is no SSH server")
}

// methods are the ways to log in, the key first.
func (o *Options) methods(signer ssh.Signer) []ssh.AuthMethod {
	var out []ssh.AuthMethod
	if signer != nil {
		out = append(out, ssh.PublicKeys(signer))
	}
	if password := o.Auth.Password.Reveal(); password != "" {
		out = append(out, ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range answers {
					answers[i] = password
				}
				return answers, nil
			}))
	}
	return out
}

// keepAlive asks the server for a sign of life from time to time, and hangs up when none comes.
func (l *line) keepAlive(every, timeout time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-l.gone:
			return
		case <-l.closing:
			return
		case <-tick.C:
		}
		overdue := time.AfterFunc(timeout, func() { _ = l.net.Close() })
		_, _, err := l.ssh.SendRequest("keepalive@openssh.com", true, nil)
		overdue.Stop()
		if err != nil {
			return
		}
	}
}

// isDead reports whether the connection has ended.
func (l *line) isDead() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

func (l *line) close() error {
	close(l.closing)
	err := errors.Join(ignoreClosed(l.files.Close()), ignoreClosed(l.ssh.Close()))
	l.running.Wait()
	return err
}

// ignoreClosed drops what closing says of a connection that has ended already.
func ignoreClosed(err error) error {
	if err == nil || isNetwork(err) {
		return nil
	}
	return err
}

// isNetwork reports whether an error is the line's, not the server's answer.
func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed) || errors.Is(err, sftp.ErrSSHFxConnectionLost) ||
		errors.Is(err, sftp.ErrSSHFxNoConnection)
}
