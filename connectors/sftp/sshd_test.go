package sftp_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/connectors/sftp"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// program finds a program of Debian's packages, or skips; where CI=true it must be there.
func program(tb testing.TB, path string) string {
	tb.Helper()
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("%s is missing: run the task setup", path)
		}
		tb.Skipf("SKIPPED: %s is missing: run the task setup", path)
	}
	return path
}

func must[T any](tb testing.TB) func(T, error) T {
	tb.Helper()
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// server is OpenSSH's server on a port of its own. Its folder holds its keys and the files that it serves.
type server struct {
	dir, address string
	hostKey      string // the fingerprint
	process      *exec.Cmd
}

const passphrase = "correct horse battery staple"

// newKey writes a key pair, the private half encrypted if there is a passphrase.
func newKey(tb testing.TB, name, passphrase string) ssh.PublicKey {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	check(tb, err)
	block := must[*pem.Block](tb)(ssh.MarshalPrivateKey(private, "test"))
	if passphrase != "" {
		block = must[*pem.Block](tb)(ssh.MarshalPrivateKeyWithPassphrase(private, "test", []byte(passphrase)))
	}
	check(tb, os.WriteFile(name, pem.EncodeToMemory(block), 0o600))
	key := must[ssh.PublicKey](tb)(ssh.NewPublicKey(public))
	check(tb, os.WriteFile(name+".pub", ssh.MarshalAuthorizedKey(key), 0o600))
	return key
}

// envServer names the folder of the server that a parent process started.
const envServer = "SUYUAN_TEST_SFTP"

// serve starts a server for the test, or finds the one that the parent process started.
func serve(t *testing.T) *server {
	t.Helper()
	sshd := program(t, "/usr/sbin/sshd")
	if dir := os.Getenv(envServer); dir != "" {
		s := &server{dir: dir}
		s.address, s.hostKey, _ = strings.Cut(string(must[[]byte](t)(os.ReadFile(s.path("address")))), " ")
		return s
	}
	s := &server{dir: t.TempDir()}
	check(t, os.MkdirAll(s.path("keys"), 0o750))
	s.hostKey = ssh.FingerprintSHA256(newKey(t, s.path("keys/host"), ""))
	newKey(t, s.path("keys/login"), "")
	probe := must[net.Listener](t)((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))
	s.address = probe.Addr().String()
	check(t, probe.Close())
	s.configure(t, "")
	s.start(t, sshd)
	check(t, os.WriteFile(s.path("address"), []byte(s.address+" "+s.hostKey), 0o600))
	t.Cleanup(s.stop)
	t.Setenv(envServer, s.dir)
	return s
}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

func (s *server) configure(tb testing.TB, more string) {
	tb.Helper()
	host, port, err := net.SplitHostPort(s.address)
	check(tb, err)
	check(tb, os.WriteFile(s.path("sshd_config"), fmt.Appendf(nil, `ListenAddress %s
Port %s
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 100
Subsystem sftp internal-sftp
%s
`, host, port, s.path("keys/host"), s.path("keys/login.pub"), more), 0o600))
}

func (s *server) start(tb testing.TB, sshd string) {
	tb.Helper()
	if os.Getuid() == 0 {
		check(tb, os.MkdirAll("/run/sshd", 0o755)) // where it gives up its rights
	}
	s.process = exec.Command(sshd, "-D", "-e", "-f", s.path("sshd_config"))
	log := must[*os.File](tb)(os.Create(s.path("sshd.log")))
	defer log.Close()
	s.process.Stderr = log
	check(tb, s.process.Start())
	connectortest.WaitFor(tb, "sshd listens", func() bool {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	}, func() any { log, _ := os.ReadFile(s.path("sshd.log")); return string(log) })
}

// stop ends the server and every connection.
func (s *server) stop() {
	if s.process == nil {
		return
	}
	pid := strconv.Itoa(s.process.Process.Pid)
	// The process of a connection begins a session of its own, so that the group's signal does not reach it.
	children, _ := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	_ = s.process.Process.Kill()
	for child := range strings.FieldsSeq(string(children)) {
		if n, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(n, syscall.SIGKILL)
		}
	}
	_ = s.process.Wait()
	s.process = nil
}

// options are those of an instance that reads the server.
func (s *server) options(tb testing.TB) *sftp.Options {
	tb.Helper()
	o, ok := sftp.Kind().Options().(*sftp.Options)
	if !ok {
		tb.Fatal("no options")
	}
	me := must[*user.User](tb)(user.Current())
	key := must[[]byte](tb)(os.ReadFile(s.path("keys/login")))
	o.Address, o.HostKey, o.Timeout, o.KeepAlive = s.address, []string{s.hostKey}, time.Minute, time.Second
	o.Auth = sftp.Auth{
		User:       me.Username,
		PrivateKey: strictyaml.NewSecret("${file:login}", string(key)),
	}
	o.Ready = drop.Ready{StablePolls: 1}
	return o
}

// folder is an upstream for the conformance kit.
type folder struct {
	*server

	dir, after string
}

func (f folder) path(elem ...string) string {
	return filepath.Join(append([]string{f.dir}, elem...)...)
}

func (f folder) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	names := must[[]string](tb)(filepath.Glob(f.path("*", "*.txt")))
	name := f.path("in", fmt.Sprintf("%03d.txt", len(names)))
	check(tb, os.WriteFile(name+".part", []byte(strings.Join(texts, "\n")), 0o600))
	check(tb, os.Rename(name+".part", name))
}

func (f folder) Instance(tb testing.TB) *connectors.Instance {
	o := f.options(tb)
	o.Paths = []string{f.path("in", "*.txt")}
	if f.after == "move" {
		o.After = drop.After{Success: "move:" + f.path("archive"), Failure: "move:" + f.path("error")}
	}
	return &connectors.Instance{
		ID: "drops", Provider: "tester", Kind: "sftp", Options: o, Splitter: connectortest.Lines{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 5 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	s := serve(t)
	for _, after := range []string{"move", "keep"} {
		t.Run(after, func(t *testing.T) {
			connectortest.Source(t, func(tb testing.TB, dir string) connectortest.Upstream {
				tb.Helper()
				check(tb, os.MkdirAll(filepath.Join(dir, "in"), 0o750))
				return folder{s, dir, after}
			}, connectortest.Traits{Remembers: true, Splits: true, Secrets: []string{"PRIVATE KEY"}})
		})
	}
}
