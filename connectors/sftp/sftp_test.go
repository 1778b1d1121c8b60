package sftp_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/connectors/sftp"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// yard is a folder that the server serves.
type yard struct {
	*server

	t   *testing.T
	dir string
}

func newYard(t *testing.T) yard {
	t.Helper()
	y := yard{serve(t), t, t.TempDir()}
	check(t, os.MkdirAll(filepath.Join(y.dir, "in"), 0o750))
	return y
}

func (y yard) write(name, content string) {
	y.t.Helper()
	check(y.t, os.WriteFile(filepath.Join(y.dir, name), []byte(content), 0o600))
}

func (y yard) settings() *sftp.Options {
	o := y.options(y.t)
	o.Paths = []string{filepath.Join(y.dir, "in", "*.txt")}
	o.After.Success, o.After.Failure = "move:"+filepath.Join(y.dir, "archive"), "move:"+filepath.Join(y.dir, "error")
	return o
}

func (y yard) tryOpen(o *sftp.Options, p hub.Position) (connectors.Source, error) {
	return o.Open(y.t.Context(), connectors.Env{Position: p, Dir: y.dir, Now: time.Now})
}

func (y yard) open(o *sftp.Options, p hub.Position) connectors.Source {
	y.t.Helper()
	src, err := y.tryOpen(o, p)
	check(y.t, err)
	y.t.Cleanup(func() { check(y.t, src.Close()) })
	return src
}

func (y yard) next(src connectors.Source) connectors.Item {
	y.t.Helper()
	item, err := src.Next(y.t.Context())
	check(y.t, err)
	return item
}

func (y yard) tree() string {
	y.t.Helper()
	files, err := filepath.Glob(filepath.Join(y.dir, "*", "*"))
	check(y.t, err)
	for i, f := range files {
		files[i], err = filepath.Rel(y.dir, f)
		check(y.t, err)
	}
	return strings.Join(files, " ")
}

// TestHostKey: no key is believed that nobody pinned, and the fault names the one to pin.
func TestHostKey(t *testing.T) {
	y := newYard(t)
	y.write("known", must[string](t)(knownLine(y.server)))
	other := "SHA256:uNiVztksCsDhcc0u9e8BrwQ9EvXlXOSRSLL/4SDM0tE"
	public := string(must[[]byte](t)(os.ReadFile(y.path("keys/host.pub"))))
	for name, tc := range map[string]struct {
		pins  []string
		known string
		code  string
	}{
		"nothing is pinned":  {nil, "", "sftp.host-key-unknown"},
		"another is pinned":  {[]string{other}, "", "sftp.host-key-changed"},
		"one of two":         {[]string{other, y.hostKey}, "", ""},
		"the key itself":     {[]string{public}, "", ""},
		"known hosts":        {nil, "known", ""},
		"known hosts, other": {nil, "other", "sftp.host-key-unknown"},
		"no known hosts":     {nil, "nowhere", "sftp.known-hosts"},
	} {
		t.Run(name, func(t *testing.T) {
			y.write("other", strings.Replace(must[string](t)(knownLine(y.server)), "127.0.0.1", "127.0.0.2", 1))
			o := y.settings()
			o.HostKey, o.KnownHosts = tc.pins, tc.known
			src, err := y.tryOpen(o, "")
			if err == nil {
				check(t, src.Close())
			}
			if code := codeOf(err); code != tc.code {
				t.Fatalf("code %q: %v", code, err)
			}
			if tc.code == "sftp.host-key-unknown" && !strings.Contains(hub.AsFault(err).Hint, "hostKey: ["+y.hostKey+"]") {
				t.Errorf("the fault does not tell the fingerprint: %v", err)
			}
		})
	}
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return hub.AsFault(err).Code
}

// knownLine is the server's line of a known hosts file.
func knownLine(s *server) (string, error) {
	public, err := os.ReadFile(s.path("keys/host.pub"))
	host, port, _ := strings.Cut(s.address, ":")
	return "[" + host + "]:" + port + " " + string(public), err
}

func TestLogin(t *testing.T) {
	y := newYard(t)
	stranger := filepath.Join(y.dir, "stranger")
	newKey(t, stranger, "")
	locked := filepath.Join(y.dir, "locked")
	newKey(t, locked, passphrase)
	secret := func(name string) strictyaml.Secret {
		return strictyaml.NewSecret("${file:"+name+"}", string(must[[]byte](t)(os.ReadFile(name))))
	}
	authorized := string(must[[]byte](t)(os.ReadFile(y.path("keys/login.pub"))))
	check(t, os.WriteFile(y.path("keys/login.pub"), []byte(authorized+string(must[[]byte](t)(os.ReadFile(locked+".pub")))), 0o600))

	for name, tc := range map[string]struct {
		key        strictyaml.Secret
		passphrase string
		code       string
	}{
		"a key that the server does not know": {secret(stranger), "", "sftp.login"},
		"an encrypted key":                    {secret(locked), passphrase, ""},
		"with the wrong passphrase":           {secret(locked), "wrong", "sftp.private-key"},
	} {
		t.Run(name, func(t *testing.T) {
			o := y.settings()
			o.Auth.PrivateKey, o.Auth.Passphrase = tc.key, strictyaml.NewSecret("${env:P}", tc.passphrase)
			src, err := y.tryOpen(o, "")
			if err == nil {
				check(t, src.Close())
			}
			if code := codeOf(err); code != tc.code {
				t.Errorf("code %q: %v", code, err)
			}
		})
	}
}

// TestServerRestartsBetweenLooks: the connection is made anew, and what was seen is not forgotten.
func TestServerRestartsBetweenLooks(t *testing.T) {
	y := newYard(t)
	o := y.settings()
	o.Ready.StablePolls = 2
	src := y.open(o, "")
	y.write("in/a.txt", "one")
	if _, err := src.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Fatalf("first look: %v", err)
	}
	y.stop()
	connectortest.WaitFor(t, "the loss is noticed", func() bool {
		_, err := src.Next(t.Context())
		return hub.KindOf(err) == hub.Unavailable
	}, func() any { return nil })
	y.start(t, program(t, "/usr/sbin/sshd"))
	if item := y.next(src); string(item.Body) != "one" {
		t.Errorf("got %q", item.Body)
	}
}

// TestLineLostWhileMoving: the file is durable, so it is moved after the restart and not published again.
func TestLineLostWhileMoving(t *testing.T) {
	y := newYard(t)
	src := y.open(y.settings(), "")
	y.write("in/a.txt", "one")
	item := y.next(src)
	y.stop()
	if err := src.Settle(t.Context(), item, nil); hub.KindOf(err) != hub.Unavailable {
		t.Fatalf("settle: %v", err)
	}
	y.start(t, program(t, "/usr/sbin/sshd"))
	if again, err := y.open(y.settings(), item.Position).Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("published again: %s, %v", again.ID, err)
	}
	if got := y.tree(); got != "archive/a.txt" {
		t.Errorf("left: %s", got)
	}
}

func TestLargeFileIsStreamed(t *testing.T) {
	y := newYard(t)
	content := strings.Repeat("0123456789abcde\n", 400_000)
	y.write("in/large.txt", content)
	item := y.next(y.open(y.settings(), ""))
	if item.Open == nil || item.Body != nil {
		t.Fatal("in memory")
	}
	r := must[io.ReadCloser](t)(item.Open())
	got := must[[]byte](t)(io.ReadAll(r))
	check(t, r.Close())
	if string(got) != content {
		t.Errorf("%d bytes of %d", len(got), len(content))
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	y := newYard(t)
	y.write("secret", "secret")
	check(t, os.Symlink(filepath.Join(y.dir, "secret"), filepath.Join(y.dir, "in", "link.txt")))
	if item, err := y.open(y.settings(), "").Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("%s, %v", item.Origin, err)
	}
}

// load reads an instance file.
func load(text string) (*connectors.Instance, error) {
	return connectors.Loader{
		FS:    fstest.MapFS{"i.yaml": {Data: []byte(text)}, "mapping.yaml": {}},
		Kinds: []connectors.Kind{sftp.Kind()}, Format: func(string, []byte) (connectors.Splitter, error) { return connectortest.Lines{}, nil },
	}.Load("i.yaml")
}

func TestExampleLoads(t *testing.T) {
	inst, err := load(sftp.Kind().Example)
	check(t, err)
	if o, ok := inst.Options.(*sftp.Options); !ok || o.Ready.MinAge != 30*time.Second || len(o.HostKey) != 1 {
		t.Errorf("%+v", inst.Options)
	}
}

func TestMistakesInTheOptions(t *testing.T) {
	_, err := load("id: a\nprovider: b\nsource:\n  sftp:\n    address: h\n    hostKey: [SHA256:short]\n    auth: { user: u }\n" +
		"    paths: [\"/in/[\"]\n    after: { success: archive }\n    timeout: 0s\ndecode: csv\nmap: ./mapping.yaml\n")
	for _, code := range []string{"sftp.host-key-form", "sftp.auth", "file.pattern", "file.after", "file.timeout"} {
		found := false
		var faults hub.Faults
		errors.As(err, &faults)
		for _, f := range faults {
			found = found || f.Code == code && f.Where.Line > 1
		}
		if !found {
			t.Errorf("no fault %s with its place in: %v", code, err)
		}
	}
}

func FuzzHostKey(f *testing.F) {
	f.Add("SHA256:uNiVztksCsDhcc0u9e8BrwQ9EvXlXOSRSLL/4SDM0tE")
	f.Add("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJv2 x")
	f.Fuzz(func(t *testing.T, text string) {
		o := &sftp.Options{HostKey: []string{text}, Files: drop.Files{Paths: []string{"/a"}, Timeout: 1}}
		_ = o.Check(func(string) hub.Where { return hub.Where{} })
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text)); err == nil && strings.HasPrefix(text, "SHA256:") {
			t.Errorf("%q is both", text)
		}
	})
}
