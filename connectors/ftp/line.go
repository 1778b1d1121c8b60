package ftp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jlaffaye/ftp"

	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// security returns how connections are protected, nil for not at all.
func (o *Options) security(dir string) (*tls.Config, error) {
	if o.TLS.Mode == "none" {
		return nil, nil //nolint:nilnil // no TLS is a choice
	}
	host, _, err := net.SplitHostPort(o.address())
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "ftp.address", "the address is not valid").Because(err)
	}
	config := &tls.Config{
		ServerName: host, MinVersion: tls.VersionTLS12,
		// Servers ask that a data connection continues the session of the control connection, as proof that both are ours.
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
	if o.TLS.ServerName != "" {
		config.ServerName = o.TLS.ServerName
	}
	if o.TLS.CA == "" {
		return config, nil
	}
	name := o.TLS.CA
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	pem, err := os.ReadFile(name)
	config.RootCAs = x509.NewCertPool()
	if err != nil || !config.RootCAs.AppendCertsFromPEM(pem) {
		f := hub.Faultf(hub.Invalid, "ftp.ca", "cannot read a certificate from tls.ca").At(hub.Where{File: o.TLS.CA}).Because(err)
		f.MessageZh = "无法从 tls.ca 读取证书"
		f.Hint, f.HintZh = "name a PEM file that the hub's user can read", "请指定平台用户可读的 PEM 文件"
		return nil, f
	}
	return config, nil
}

// line is one control connection with its data connections.
type line struct {
	ftp  *ftp.ServerConn
	used time.Time // when the server was last heard

	mu     sync.Mutex
	guard  *drop.Guard
	conns  []net.Conn
	closed bool
}

// watch hangs up when nothing is heard for limit, or when ctx is done, until the guard is stopped.
func (l *line) watch(ctx context.Context, limit time.Duration) *drop.Guard {
	guard := drop.Watch(ctx, limit, l.hangUp)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guard = guard
	return guard
}

func (l *line) touch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.guard != nil {
		l.guard.Touch()
	}
}

// dial connects and logs in.
func (o *Options) dial(ctx context.Context, security *tls.Config) (*line, error) {
	l := &line{}
	guard := l.watch(ctx, o.Timeout)
	defer guard.Stop()
	dialer := net.Dialer{Timeout: o.Timeout}
	control := true
	options := []ftp.DialOption{ftp.DialWithDialFunc(func(network, address string) (net.Conn, error) {
		// Data connections are made later than this context lasts: their time limit is the dialer's.
		conn, err := dialer.DialContext(context.WithoutCancel(ctx), network, address)
		if err != nil {
			return nil, err
		}
		conn = heard{conn, l}
		l.add(conn)
		encrypt := security != nil && (!control || o.TLS.Mode == "implicit")
		control = false
		if encrypt {
			return tls.Client(conn, security), nil
		}
		return conn, nil
	})}
	switch o.TLS.Mode {
	case "explicit":
		options = append(options, ftp.DialWithExplicitTLS(security))
	case "implicit":
		options = append(options, ftp.DialWithTLS(security))
	}
	var err error
	if l.ftp, err = ftp.Dial(o.address(), options...); err == nil {
		err = answered(l.ftp.Login(o.Auth.User, o.Auth.Password.Reveal()))
	}
	if err != nil {
		l.hangUp()
		return nil, o.refused(err)
	}
	return l, nil
}

// answered gives a refused login its code: the library keeps only the words of a server that refuses the user's name.
// What ends a connection, or TLS on it, has an error of its own type.
func answered(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "tls:") {
		return err
	}
	var lost net.Error
	if _, coded := errors.AsType[*textproto.Error](err); coded || errors.As(err, &lost) {
		return err
	}
	return &textproto.Error{Code: ftp.StatusNotLoggedIn, Msg: err.Error()}
}

// heard is a connection whose bytes are progress for the line's watch.
type heard struct {
	net.Conn

	line *line
}

// Read implements io.Reader.
func (h heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	if n > 0 {
		h.line.touch()
	}
	return n, err
}

// refused says why a login failed.
func (o *Options) refused(err error) error {
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		f := hub.Faultf(hub.Unauthorized, "ftp.certificate", "the server's certificate cannot be trusted").Because(certificate)
		f.MessageZh = "无法信任服务器的证书"
		f.Hint, f.HintZh = "set tls.ca to its authority, and tls.serverName if the name differs", "请将 tls.ca 设为其签发机构；若名称不同，请设置 tls.serverName"
		return f
	}
	said, ok := errors.AsType[*textproto.Error](err)
	switch {
	case ok && said.Code == ftp.StatusNotLoggedIn:
		f := hub.Faultf(hub.Unauthorized, "ftp.login", "the server refuses the login of %s", o.Auth.User).Because(err)
		f.MessageZh = "服务器拒绝 " + o.Auth.User + " 登录"
		f.Hint, f.HintZh = "check user, password and tls.mode with the server's owner", "请与服务器所有者核对用户、密码和 tls.mode"
		return f
	case ok && said.Code >= 500:
		f := hub.Faultf(hub.Unsupported, "ftp.refused", "the server refuses the connection").Because(err)
		f.MessageZh = "服务器拒绝连接"
		f.Hint, f.HintZh = "check tls.mode: not every server speaks TLS", "请检查 tls.mode：并非每个服务器都支持 TLS"
		return f
	}
	return drop.Lost("ftp", "connect to "+o.address(), err)
}

func (l *line) add(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = conn.Close()
		return
	}
	if len(l.conns) > 1 { // the control connection and the last data connection, which is closed by now
		l.conns = l.conns[:1]
	}
	l.conns = append(l.conns, conn)
}

// hangUp ends every connection at once, so that whatever waits for one returns.
func (l *line) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, c := range l.conns {
		_ = c.Close()
	}
}

func (l *line) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}
