package ftp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/ftp"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
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

const password = "open-sesame-7541"

// server is vsftpd on a port of its own. Its folder holds its settings, its certificate and, in "drops", the files that
// it serves. The only login is the anonymous one, whose password must be ours.
type server struct {
	dir, address, mode string
	process            *exec.Cmd
}

// envServer names the folder of the server that a parent process started.
const envServer = "SUYUAN_TEST_FTP"

// serve starts a server for the test, or finds the one that the parent process started.
func serve(t *testing.T, mode string) *server {
	t.Helper()
	vsftpd := program(t, "/usr/sbin/vsftpd")
	if dir := os.Getenv(envServer); dir != "" {
		return &server{dir: dir, mode: mode, address: string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "address"))))}
	}
	s := &server{dir: t.TempDir(), mode: mode}
	check(t, os.Chmod(filepath.Dir(s.dir), 0o755))
	check(t, os.MkdirAll(s.path("drops"), 0o755))
	check(t, os.MkdirAll(s.path("empty"), 0o555))
	certificate(t, s.dir)
	probe := must[net.Listener](t)((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))
	s.address = probe.Addr().String()
	check(t, probe.Close())
	s.configure(t)
	s.start(t, vsftpd)
	check(t, os.WriteFile(s.path("address"), []byte(s.address), 0o600))
	t.Cleanup(s.stop)
	t.Setenv(envServer, s.dir)
	return s
}

func (s *server) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// certificate writes a certificate that is its own authority.
func certificate(tb testing.TB, dir string) {
	tb.Helper()
	key := must[*ecdsa.PrivateKey](tb)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der := must[[]byte](tb)(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	private := must[[]byte](tb)(x509.MarshalPKCS8PrivateKey(key))
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		check(tb, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
}

func (s *server) configure(tb testing.TB) {
	tb.Helper()
	host, port, err := net.SplitHostPort(s.address)
	check(tb, err)
	yes := map[bool]string{true: "YES", false: "NO"}
	check(tb, os.WriteFile(s.path("passwords"), []byte(password+"\n"), 0o600))
	check(tb, os.WriteFile(s.path("vsftpd.conf"), fmt.Appendf(nil, `listen=YES
listen_address=%s
listen_port=%s
background=NO
anonymous_enable=YES
secure_email_list_enable=YES
email_password_file=%s
anon_root=%s
allow_writeable_chroot=YES
secure_chroot_dir=%s
write_enable=YES
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_world_readable_only=NO
anon_umask=022
seccomp_sandbox=NO
xferlog_enable=NO
ssl_enable=%s
implicit_ssl=%s
allow_anon_ssl=YES
force_anon_logins_ssl=YES
force_anon_data_ssl=YES
require_ssl_reuse=YES
ssl_ciphers=HIGH
rsa_cert_file=%s
rsa_private_key_file=%s
`, host, port, s.path("passwords"), s.path("drops"), s.path("empty"), yes[s.mode != "none"], yes[s.mode == "implicit"],
		s.path("cert.pem"), s.path("key.pem")), 0o600))
}

func (s *server) start(tb testing.TB, vsftpd string) {
	tb.Helper()
	if os.Getuid() != 0 {
		tb.Skip("SKIPPED: vsftpd wants to be started as root")
	}
	s.process = exec.Command(vsftpd, s.path("vsftpd.conf"))
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log := must[*os.File](tb)(os.Create(s.path("vsftpd.log")))
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	check(tb, s.process.Start())
	connectortest.WaitFor(tb, "vsftpd listens", func() bool {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			err = conn.Close()
		}
		return err == nil
	}, func() any { log, _ := os.ReadFile(s.path("vsftpd.log")); return string(log) })
}

// stop ends the server and every connection. Each has a process, in a group of its own.
func (s *server) stop() {
	if s.process == nil {
		return
	}
	for _, pid := range append(descendants(s.process.Process.Pid), s.process.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = s.process.Wait()
	s.process = nil
}

// descendants are the processes that a process started, and those that they started.
func descendants(pid int) []int {
	var out []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var child, parent int
		var state string
		_, rest, _ := strings.Cut(string(stat), ") ")
		if _, err := fmt.Sscan(rest, &state, &parent); err != nil || parent != pid {
			continue
		}
		if _, err := fmt.Sscan(string(stat), &child); err == nil {
			out = append(append(out, descendants(child)...), child)
		}
	}
	return out
}

// options are those of an instance that reads the server.
func (s *server) options(tb testing.TB) *ftp.Options {
	tb.Helper()
	o, ok := ftp.Kind().Options().(*ftp.Options)
	if !ok {
		tb.Fatal("no options")
	}
	o.Address, o.Timeout = s.address, time.Minute
	o.TLS.Mode = s.mode
	if s.mode != "none" {
		o.TLS.CA = s.path("cert.pem")
	}
	o.Auth = ftp.Auth{User: "anonymous", Password: strictyaml.NewSecret("${env:PASS}", password)}
	o.Ready = drop.Ready{StablePolls: 1}
	return o
}

// folder is an upstream for the conformance kit: a folder that the server serves.
type folder struct {
	*server

	name, after string
}

// folder returns the folder for a name of the kit's, the same for every process.
func (s *server) folder(tb testing.TB, name, after string) folder {
	tb.Helper()
	f := folder{s, strings.NewReplacer("/", "-", " ", "_").Replace(name), after}
	check(tb, os.MkdirAll(f.path("in"), 0o755))
	for _, dir := range []string{f.path(), f.path("in")} {
		check(tb, os.Chmod(dir, 0o777)) // the server's login is another user
	}
	return f
}

func (f folder) path(elem ...string) string {
	return f.server.path(append([]string{"drops", f.name}, elem...)...)
}

func (f folder) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	names := must[[]string](tb)(filepath.Glob(f.path("*", "*.txt")))
	name := f.path("in", fmt.Sprintf("%03d.txt", len(names)))
	check(tb, os.WriteFile(name+".part", []byte(strings.Join(texts, "\n")), 0o644))
	check(tb, os.Rename(name+".part", name))
}

func (f folder) Instance(tb testing.TB) *connectors.Instance {
	o := f.options(tb)
	o.Paths = []string{"/" + f.name + "/in/*.txt"}
	if f.after == "move" {
		o.After = drop.After{Success: "move:/" + f.name + "/archive", Failure: "move:/" + f.name + "/error"}
	}
	return &connectors.Instance{
		ID: "drops", Provider: "tester", Kind: "ftp", Options: o, Splitter: connectortest.Lines{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 5 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	for _, tc := range []struct{ mode, after string }{{"none", "keep"}, {"explicit", "move"}} {
		t.Run(tc.mode, func(t *testing.T) {
			s := serve(t, tc.mode)
			connectortest.Source(t, func(tb testing.TB, dir string) connectortest.Upstream {
				tb.Helper()
				return s.folder(tb, dir, tc.after)
			}, connectortest.Traits{Remembers: true, Splits: true, Secrets: []string{password}})
		})
	}
}
