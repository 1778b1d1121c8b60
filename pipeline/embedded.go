package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/hub"
)

// embedded is the nats-server inside this process. It owns its directory by a lock that the kernel drops with the
// process. A server whose disk failed it does not recover by itself; restart replaces it under the same directory, and
// the clients of this process reconnect through [embedded.InProcessConn].
type embedded struct {
	opts  server.Options
	lock  io.Closer
	dir   string
	spare int64 // bytes that must be free
	log   *zap.Logger

	full atomic.Bool // less than spare is free
	sick int         // looks in a row that found srv not well; only lookAfter uses it

	mu  sync.Mutex
	srv *server.Server
	// healthy ends when srv is found broken.
	healthy context.Context //nolint:containedctx // it is the server's state, not a call's
	broken  context.CancelFunc
}

// startEmbedded locks cfg.Dir and starts the server in it. Recovery after a crash is what the server does when it opens
// its files: a torn last message is cut off, and it was never acknowledged.
func startEmbedded(cfg Config, log *zap.Logger) (*embedded, error) {
	e := &embedded{opts: serverOptions(cfg), lock: io.NopCloser(nil), dir: cfg.Dir, spare: cfg.MinFree, log: log}
	if !cfg.Locked {
		var err error
		if e.lock, err = Lock(cfg.Dir); err != nil {
			return nil, err
		}
	}
	e.checkSpace()
	if err := e.start(); err != nil {
		_ = e.lock.Close()
		return nil, err
	}
	return e, nil
}

// Lock makes dir and takes the lock of its one process until it is closed. Open does so itself; who has more to keep from other
// processes than the stream takes it before and says so with [Config.Locked].
func Lock(dir string) (io.Closer, error) {
	unusable := func(err error) error {
		return hub.Faultf(hub.Unavailable, "pipeline.dir", "the data directory %s cannot be used", dir).Because(err).
			WithHint("let the hub's user own it and what is in it")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unusable(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unusable(err)
	}
	held, err := lockFile(f)
	if err == nil && held {
		return f, nil
	}
	_ = f.Close()
	if err != nil {
		return nil, unusable(fmt.Errorf("lock %s: %w", f.Name(), err))
	}
	fault := hub.Faultf(hub.Unavailable, "pipeline.dir-in-use", "another process is using the data directory %s", dir).
		WithHint("stop the other suyuan, or give this one a directory of its own")
	fault.MessageZh = fmt.Sprintf("另一个进程正在使用数据目录 %s", dir)
	fault.HintZh = "请停止另一个 suyuan，或为本进程指定另一个目录"
	return nil, fault
}

func serverOptions(cfg Config) server.Options {
	o := server.Options{
		ServerName: "suyuan",
		DontListen: true,
		JetStream:  true,
		StoreDir:   cfg.Dir,
		// The stream has its own bound, and the disk is watched: the server's are out of the way.
		JetStreamMaxStore:  1 << 60,
		JetStreamMaxMemory: 64 << 20,
		MaxPayload:         int32(cfg.MaxFrame + frameOverhead + headroom),
		MaxPending:         128 << 20,
		SyncAlways:         cfg.Durability == Strict,
		SyncInterval:       RelaxedSync,
		NoSigs:             true,
		NoSystemAccount:    true,
		Authorization:      cfg.Token,
	}
	if host, port, err := hostPort(cfg.Listen); err == nil {
		o.DontListen, o.Host, o.Port = false, host, port
	}
	return o
}

func (e *embedded) start() error {
	opts := e.opts // the server changes what it is given
	srv, err := server.NewServer(&opts)
	if err != nil {
		return fmt.Errorf("make the embedded NATS server: %w", err)
	}
	srv.SetLoggerV2(serverLog{e.log.Sugar()}, false, false, false)
	srv.Start()
	if !srv.ReadyForConnections(30*time.Second) || !srv.JetStreamEnabled() {
		srv.Shutdown()
		srv.WaitForShutdown()
		return hub.Faultf(hub.Unavailable, "pipeline.embedded", "the embedded NATS server did not start in %s", e.dir).
			WithHint("the log says why: often the disk is full or the files belong to another user")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv = srv
	e.healthy, e.broken = context.WithCancel(context.Background())
	return nil
}

func (e *embedded) server() *server.Server {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv
}

// InProcessConn connects a client to the server that runs now; it implements nats.InProcessConnProvider.
func (e *embedded) InProcessConn() (net.Conn, error) { return e.server().InProcessConn() }

// whileHealthy returns a context that ends with ctx or when the server is found broken: a server whose storage failed
// answers nothing, and nobody shall wait for it.
func (e *embedded) whileHealthy(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	e.mu.Lock()
	healthy := e.healthy
	e.mu.Unlock()
	stop := context.AfterFunc(healthy, func() { cancel(errBroken) })
	return ctx, func() { stop(); cancel(nil) }
}

var errBroken = errors.New("the embedded server cannot write to its disk")

// sickLooks is how many looks in a row must find a server not well. One is not enough: the server allows itself a millisecond to
// say that it is, which it does not have where the processors are busy. A server whose storage failed stays as it is.
const sickLooks = 3

// lookAfter watches the free space, and replaces a server that can no longer write once there is space. What it
// acknowledged is in its files and comes back with them.
func (e *embedded) lookAfter() {
	e.checkSpace()
	status := e.server().Healthz(nil)
	if status.Status == "ok" {
		e.sick = 0
		return
	}
	if e.sick++; e.sick < sickLooks {
		return
	}
	e.mu.Lock()
	e.broken()
	e.mu.Unlock()
	if e.full.Load() {
		return
	}
	e.log.Warn("the embedded server failed and is restarted", zap.String("reason", status.Error))
	e.sick = 0
	e.stopServer()
	if err := e.start(); err != nil {
		e.log.Error("the embedded server does not restart", zap.Error(err))
	}
}

func (e *embedded) stopServer() {
	srv := e.server()
	srv.Shutdown()
	srv.WaitForShutdown()
}

// close stops the server and gives the directory up.
func (e *embedded) close() error {
	e.stopServer()
	e.broken()
	return e.lock.Close()
}

// checkSpace looks at the disk and remembers whether the reserve is used up.
func (e *embedded) checkSpace() {
	if e.spare < 0 {
		return
	}
	free, err := freeBytes(e.dir)
	if err != nil {
		e.log.Warn("cannot read the free space", zap.String("dir", e.dir), zap.Error(err))
		return
	}
	full := free < e.spare
	if e.full.Swap(full) == full {
		return
	}
	said := "enough space is free again: new data is accepted"
	if full {
		said = "less space is free than minFree: new data is refused until space is freed or minFree lowered"
	}
	e.log.Warn(said, zap.String("dir", e.dir), zap.Int64("free", free), zap.Int64("min_free", e.spare))
}

// serverLog passes the server's log on. Its notices are about starting and stopping, so they are debug lines here.
type serverLog struct{ z *zap.SugaredLogger }

func (l serverLog) Noticef(format string, v ...any) { l.z.Debugf(format, v...) }
func (l serverLog) Warnf(format string, v ...any)   { l.z.Warnf(format, v...) }
func (l serverLog) Fatalf(format string, v ...any)  { l.z.Errorf(format, v...) }
func (l serverLog) Errorf(format string, v ...any)  { l.z.Errorf(format, v...) }
func (l serverLog) Debugf(format string, v ...any)  { l.z.Debugf(format, v...) }
func (l serverLog) Tracef(string, ...any)           {}
