// Package postgrestest starts a PostgreSQL of a test's own from Debian's package, with its data in a temporary folder and a
// port of its own on the loopback address. It leaves what is in the databases to the test.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrMissing says that the machine has no PostgreSQL that a test could start.
var ErrMissing = errors.New("no PostgreSQL: install it with `task setup`")

// Server is a running server.
type Server struct {
	bin, dir string
	port     int
	owner    *syscall.Credential // nil when the test itself may run it
	settings []string
	cmd      *exec.Cmd
	names    atomic.Int64
}

// Start starts a server with settings such as "fsync=on" besides the suite's own: by default nothing is synced to disk, which
// a server that is killed survives as long as the machine does. It is for TestMain; [Require] is for a test.
func Start(settings ...string) (*Server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, errors.Join(ErrMissing, err)
	}
	s := &Server{bin: filepath.Dir(found[len(found)-1]), settings: settings}
	if os.Geteuid() == 0 { // the server refuses to run as root
		if s.owner, err = ownerNamed("postgres"); err != nil {
			return nil, errors.Join(ErrMissing, err)
		}
	}
	if s.dir, err = os.MkdirTemp("", "suyuan-postgres-"); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Require starts a server for one test and stops it after it. The test is skipped where there is none to start.
func Require(tb testing.TB) *Server {
	tb.Helper()
	s, err := Start()
	if errors.Is(err, ErrMissing) {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

func ownerNamed(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func (s *Server) begin() error {
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return err
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr, _ := l.Addr().(*net.TCPAddr)
	s.port = addr.Port
	if err := l.Close(); err != nil {
		return err
	}
	init := s.command("initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.Restart()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Pdeathsig: syscall.SIGQUIT}
	return cmd
}

// Restart starts the server on its data, after Kill or Stop, and waits until it answers.
func (s *Server) Restart() error {
	log, err := os.OpenFile(s.dir+"/log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// without a socket in a shared folder, two servers on one machine never meet
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB", "-c", "max_connections=200", "-c", "fsync=off"}
	for _, set := range s.settings {
		args = append(args, "-c", set)
	}
	s.cmd = s.command("postgres", args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.url())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, _ := os.ReadFile(s.dir + "/log")
			return fmt.Errorf("start PostgreSQL: %w\n%s", err, text)
		}
	}
}

// Kill ends the server at once, as a failing machine does: it recovers from its log at the next start.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	err := s.cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown; SIGKILL would leave its children behind
	_ = s.cmd.Wait()
	s.cmd = nil
	return err
}

// Close stops the server and removes its data.
func (s *Server) Close() error {
	err := s.Kill()
	return errors.Join(err, os.RemoveAll(s.dir))
}

func (s *Server) url() string {
	u := url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Database makes a fresh database, or what is one to those who know only its address, and returns that. It is a schema: a
// database costs a second.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	name := "t" + strconv.FormatInt(s.names.Add(1), 10) + "_" + strings.ToLower(strconv.FormatInt(time.Now().UnixNano(), 36))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, `CREATE SCHEMA `+name); err != nil {
		tb.Fatal(err)
	}
	return s.url() + "&search_path=" + name
}
