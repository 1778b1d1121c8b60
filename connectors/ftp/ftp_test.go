package ftp_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/ftp"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

func options(tb testing.TB, f folder) *ftp.Options {
	tb.Helper()
	o, ok := f.Instance(tb).Options.(*ftp.Options)
	if !ok {
		tb.Fatal("no options")
	}
	return o
}

func tryOpen(t *testing.T, o *ftp.Options, p hub.Position) (connectors.Source, error) {
	t.Helper()
	return o.Open(t.Context(), connectors.Env{Position: p, Now: time.Now})
}

func open(t *testing.T, o *ftp.Options, p hub.Position) connectors.Source {
	t.Helper()
	src, err := tryOpen(t, o, p)
	check(t, err)
	t.Cleanup(func() { check(t, src.Close()) })
	return src
}

func next(t *testing.T, src connectors.Source) connectors.Item {
	t.Helper()
	item, err := src.Next(t.Context())
	check(t, err)
	return item
}

func (f folder) write(tb testing.TB, name, content string) {
	tb.Helper()
	check(tb, os.WriteFile(f.path(name), []byte(content), 0o644))
}

func TestImplicitTLSReadsAndMoves(t *testing.T) {
	f := serve(t, "implicit").folder(t, "implicit", "move")
	f.write(t, "in/a.txt", "one")
	f.write(t, "in/empty.txt", "")
	src := open(t, options(t, f), "")
	for _, want := range []string{"one", ""} {
		item := next(t, src)
		if string(item.Body) != want {
			t.Errorf("got %q", item.Body)
		}
		check(t, src.Settle(t.Context(), item, nil))
	}
	for _, name := range []string{"archive/a.txt", "archive/empty.txt"} {
		if _, err := os.Stat(f.path(name)); err != nil {
			t.Error(err)
		}
	}
}

func TestLogin(t *testing.T) {
	f := serve(t, "explicit").folder(t, "login", "keep")
	for name, tc := range map[string]struct {
		change func(*ftp.Options)
		code   string
	}{
		"as it should be":                  {func(*ftp.Options) {}, ""},
		"wrong password":                   {func(o *ftp.Options) { o.Auth.Password = strictyaml.NewSecret("${env:P}", "guess") }, "ftp.login"},
		"an authority that we do not know": {func(o *ftp.Options) { o.TLS.CA = "" }, "ftp.certificate"},
		"another name":                     {func(o *ftp.Options) { o.TLS.ServerName = "ftp.example.test" }, "ftp.certificate"},
		"without TLS":                      {func(o *ftp.Options) { o.TLS.Mode = "none" }, "ftp.login"},
		"nobody there":                     {func(o *ftp.Options) { o.Address = "127.0.0.1:1" }, "ftp.connection"},
		"no such folder":                   {func(o *ftp.Options) { o.Paths = []string{"/nowhere/*.txt"} }, "file.folder"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, f)
			tc.change(o)
			src, err := tryOpen(t, o, "")
			code := ""
			if err == nil {
				check(t, src.Close())
			} else {
				code = hub.AsFault(err).Code
			}
			if code != tc.code || err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("code %q: %v", code, err)
			}
		})
	}
}

func TestLargeFileIsStreamed(t *testing.T) {
	f := serve(t, "explicit").folder(t, "large", "move")
	content := strings.Repeat("0123456789abcde\r\n", 300_000)
	f.write(t, "in/large.txt", content)
	src := open(t, options(t, f), "")
	item := next(t, src)
	if item.Open == nil {
		t.Fatal("in memory")
	}
	r := must[io.ReadCloser](t)(item.Open())
	got := must[[]byte](t)(io.ReadAll(r))
	check(t, errors.Join(r.Close(), src.Settle(t.Context(), item, nil)))
	if string(got) != content {
		t.Errorf("%d bytes of %d", len(got), len(content))
	}
}

// TestReplacedWhileOnItsWay: the list of this server has minutes only, and the size is the same.
func TestReplacedWhileOnItsWay(t *testing.T) {
	f := serve(t, "none").folder(t, "replaced", "move")
	f.write(t, "in/a.txt", "one")
	src := open(t, options(t, f), "")
	item := next(t, src)
	f.write(t, "in/a.txt", "two")
	check(t, os.Chtimes(f.path("in/a.txt"), time.Time{}, time.Now().Add(2*time.Second)))
	check(t, src.Settle(t.Context(), item, nil))
	if _, err := src.Next(t.Context()); !errors.Is(err, io.EOF) { // a look ends before the next begins
		t.Fatal(err)
	}
	if again := next(t, src); string(again.Body) != "two" {
		t.Errorf("the new version is lost: %q", again.Body)
	}
}

// TestServerRestartsBetweenLooks: the connection is made anew without a fault that was not there.
func TestServerRestartsBetweenLooks(t *testing.T) {
	s := serve(t, "none")
	f := s.folder(t, "restart", "move")
	f.write(t, "in/a.txt", "one")
	src := open(t, options(t, f), "")
	item := next(t, src)
	s.stop()
	if err := src.Settle(t.Context(), item, nil); hub.KindOf(err) != hub.Unavailable {
		t.Fatalf("settle: %v", err)
	}
	s.start(t, program(t, "/usr/sbin/vsftpd"))
	if again, err := open(t, options(t, f), item.Position).Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("published again: %s, %v", again.ID, err)
	}
	if _, err := os.Stat(f.path("archive/a.txt")); err != nil {
		t.Error(err)
	}
}

func TestUnreadableFileIsMovedAside(t *testing.T) {
	f := serve(t, "none").folder(t, "unreadable", "move")
	f.write(t, "in/a.txt", "one")
	check(t, os.Chmod(f.path("in/a.txt"), 0))
	f.write(t, "in/b.txt", "two")
	src := open(t, options(t, f), "")
	item := next(t, src)
	_, err := item.Open()
	if hub.KindOf(err) != hub.Invalid {
		t.Fatalf("open: %v", err)
	}
	check(t, src.Settle(t.Context(), item, err))
	if other := next(t, src); string(other.Body) != "two" {
		t.Errorf("it holds up the others: %q", other.Body)
	}
	if _, err := os.Stat(f.path("error/a.txt")); err != nil {
		t.Error(err)
	}
}

func TestExampleLoads(t *testing.T) {
	_, err := connectors.Loader{
		FS:    fstest.MapFS{"i.yaml": {Data: []byte(ftp.Kind().Example)}, "mapping.yaml": {}},
		Kinds: []connectors.Kind{ftp.Kind()}, Format: func(string, []byte) (connectors.Splitter, error) { return connectortest.Lines{}, nil },
	}.Load("i.yaml")
	check(t, err)
}

func ExampleKind() {
	fmt.Println(ftp.Kind().Summary)
	// Output: files dropped into folders of an FTP or FTPS server
}
