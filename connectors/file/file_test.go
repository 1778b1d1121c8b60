package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/file"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// yard is a folder with files and a clock.
type yard struct {
	t   *testing.T
	dir string
	now time.Time
}

func newYard(t *testing.T) *yard {
	t.Helper()
	return &yard{t, t.TempDir(), time.Now()}
}

func (y *yard) path(elem ...string) string { return filepath.Join(append([]string{y.dir}, elem...)...) }

func (y *yard) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

func (y *yard) write(name, content string) {
	y.t.Helper()
	y.must(os.MkdirAll(filepath.Dir(y.path(name)), 0o750))
	y.must(os.WriteFile(y.path(name), []byte(content), 0o600))
}

func (y *yard) options() *file.Options {
	return &file.Options{
		Paths: []string{"in/*.csv"}, Order: "name", Ready: drop.Ready{StablePolls: 1},
		After: drop.After{Success: "move:archive", Failure: "move:error"},
	}
}

func (y *yard) open(o *file.Options, p hub.Position) connectors.Source {
	y.t.Helper()
	y.must(os.MkdirAll(y.path("in"), 0o750))
	src, err := o.Open(y.t.Context(), connectors.Env{Position: p, Dir: y.dir, Now: func() time.Time { return y.now }})
	y.must(err)
	y.t.Cleanup(func() { y.must(src.Close()) })
	return src
}

// look takes everything up to io.EOF.
func (y *yard) look(src connectors.Source) []connectors.Item {
	y.t.Helper()
	var items []connectors.Item
	for {
		item, err := src.Next(y.t.Context())
		if errors.Is(err, io.EOF) {
			return items
		}
		y.must(err)
		items = append(items, item)
	}
}

func origins(items []connectors.Item) string {
	var out []string
	for _, i := range items {
		out = append(out, i.Origin)
	}
	return strings.Join(out, " ")
}

// tree lists the files below a folder.
func (y *yard) tree() string {
	y.t.Helper()
	var out []string
	y.must(filepath.WalkDir(y.dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, rerr := filepath.Rel(y.dir, p)
			out = append(out, rel)
			return rerr
		}
		return err
	}))
	return strings.Join(out, " ")
}

func (y *yard) settle(src connectors.Source, items []connectors.Item, refused error) {
	y.t.Helper()
	for _, i := range items {
		y.must(src.Settle(y.t.Context(), i, refused))
	}
}

func TestHalfWrittenFileWaits(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.Ready = drop.Ready{MinAge: 30 * time.Second, StablePolls: 2}
	src := y.open(o, "")
	y.write("in/a.csv", "one")
	if got := y.look(src); len(got) != 0 {
		t.Errorf("taken at first sight: %s", origins(got))
	}
	y.now = y.now.Add(time.Minute)
	y.write("in/a.csv", "one and two")
	if got := y.look(src); len(got) != 0 {
		t.Errorf("taken while it grows: %s", origins(got))
	}
	if got := y.look(src); len(got) != 1 || string(got[0].Body) != "one and two" {
		t.Errorf("not taken when it is stable: %s", origins(got))
	}
	if got := y.look(src); len(got) != 0 {
		t.Errorf("taken twice: %s", origins(got))
	}
}

func TestYoungFileWaitsHoweverStable(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.Ready = drop.Ready{MinAge: 30 * time.Second, StablePolls: 1}
	src := y.open(o, "")
	y.write("in/a.csv", "one")
	for range 3 {
		if got := y.look(src); len(got) != 0 {
			t.Errorf("taken too young: %s", origins(got))
		}
	}
	y.now = y.now.Add(31 * time.Second)
	if got := y.look(src); len(got) != 1 {
		t.Error("not taken when it is old enough")
	}
}

func TestMarkerAnnouncesAFile(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.Paths, o.Ready = []string{"in/*"}, drop.Ready{StablePolls: 5, MinAge: time.Hour, Marker: "{stem}.ok"}
	src := y.open(o, "")
	y.write("in/a.csv", "one")
	y.write("in/b.csv", "two")
	y.write("in/b.ok", "")
	got := y.look(src)
	if origins(got) != "b.csv" {
		t.Fatalf("taken: %s", origins(got))
	}
	y.settle(src, got, nil)
	if tree := y.tree(); tree != "archive/b.csv in/a.csv" {
		t.Errorf("left: %s", tree)
	}
}

func TestSameNameWithNewContentIsANewFile(t *testing.T) {
	for _, after := range []string{"move:archive", "keep"} {
		t.Run(after, func(t *testing.T) {
			y := newYard(t)
			o := y.options()
			o.After.Success = after
			src := y.open(o, "")
			y.write("in/a.csv", "one")
			first := y.look(src)
			y.settle(src, first, nil)
			y.write("in/a.csv", "other")
			second := y.look(src)
			y.settle(src, second, nil)
			if len(first) != 1 || len(second) != 1 || first[0].ID == second[0].ID {
				t.Fatalf("%v then %v", first, second)
			}
			files := strings.Fields(y.tree())
			if after == "keep" && len(files) != 1 || after != "keep" && len(files) != 2 {
				t.Errorf("left: %v", files)
			}
		})
	}
}

func TestSameContentAgainIsTheSameItem(t *testing.T) {
	y := newYard(t)
	src := y.open(y.options(), "")
	y.write("in/a.csv", "one")
	first := y.look(src)
	y.settle(src, first, nil)
	y.write("in/a.csv", "one")
	second := y.look(src)
	y.settle(src, second, nil)
	if first[0].ID != second[0].ID || y.tree() != "archive/a.csv" {
		t.Errorf("%s, %s, left %s", first[0].ID, second[0].ID, y.tree())
	}
}

// TestChangedBeforeSettle: a file that is replaced while its records are on their way is not moved away unread.
func TestChangedBeforeSettle(t *testing.T) {
	y := newYard(t)
	src := y.open(y.options(), "")
	y.write("in/a.csv", "one")
	items := y.look(src)
	y.write("in/a.csv", "replaced meanwhile")
	y.settle(src, items, nil)
	if got := y.look(src); len(got) != 1 || string(got[0].Body) != "replaced meanwhile" {
		t.Errorf("the new version is lost: %s, %s", origins(got), y.tree())
	}
}

func TestRefusedFileIsMovedAside(t *testing.T) {
	y := newYard(t)
	src := y.open(y.options(), "")
	y.write("in/a.csv", "one")
	y.write("in/b.csv", "two")
	items := y.look(src)
	y.settle(src, items[:1], errors.New("bad"))
	y.settle(src, items[1:], nil)
	if got := y.tree(); got != "archive/b.csv error/a.csv" {
		t.Errorf("left %s", got)
	}
}

func TestRefusedFileThatIsKeptDoesNotComeRoundAndRound(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.After.Failure = "keep"
	src := y.open(o, "")
	y.write("in/a.csv", "one")
	y.settle(src, y.look(src), errors.New("bad"))
	if got := y.look(src); len(got) != 0 {
		t.Errorf("it comes again: %s", origins(got))
	}
}

func TestKeptFilesAreRememberedByThePosition(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.After.Success = "keep"
	src := y.open(o, "")
	y.write("in/a.csv", "one")
	y.write("in/b.csv", "two")
	items := y.look(src)
	again := y.look(y.open(o, items[0].Position))
	if origins(again) != "b.csv" {
		t.Errorf("after the first: %s", origins(again))
	}
	y.must(os.Chtimes(y.path("in/a.csv"), time.Time{}, y.now.Add(-time.Hour)))
	if got := y.look(y.open(o, items[1].Position)); len(got) != 0 {
		t.Errorf("a touched file is taken as new: %s", origins(got))
	}
}

func TestPositionThatIsNoneIsRefused(t *testing.T) {
	y := newYard(t)
	for p, ok := range map[hub.Position]bool{
		"": true, `{}`: true, `{"in/a.csv":{"s":3,"m":1,"d":"00112233445566ff"}}`: true,
		`7`: false, `null`: false, `{"since":"2026"}`: false, `{"in/a.csv":{"size":3}}`: false,
	} {
		err := y.options().CheckPosition(p)
		if ok && err != nil || !ok && hub.AsFault(err).Code != "file.position" {
			t.Errorf("%s: %v", p, err)
		}
	}
	// stored all the same, by whom ever: a fault, and no panic at the first file
	if _, err := y.options().Open(t.Context(), connectors.Env{Position: "null", Dir: y.dir, Now: time.Now}); hub.AsFault(err).Code != "file.position" {
		t.Error(err)
	}
}

func TestLinksAndFoldersAreNotRead(t *testing.T) {
	y := newYard(t)
	outside := t.TempDir()
	y.must(os.WriteFile(filepath.Join(outside, "secret.csv"), []byte("secret"), 0o600))
	y.must(os.MkdirAll(y.path("in", "folder.csv"), 0o750))
	y.must(os.Symlink(filepath.Join(outside, "secret.csv"), y.path("in", "link.csv")))
	y.must(os.Symlink(outside, y.path("in", "sub")))
	y.write("in/real.csv", "x")
	o := y.options()
	o.Paths = []string{"in/*.csv", "in/*/*.csv", "in/../in/*.csv"}
	if got := origins(y.look(y.open(o, ""))); got != "real.csv" {
		t.Errorf("taken: %s", got)
	}
}

func TestArchiveWithinThePatternIsNotRead(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.Paths, o.After.Success = []string{"*/*.csv"}, "move:archive"
	src := y.open(o, "")
	y.write("in/a.csv", "one")
	y.settle(src, y.look(src), nil)
	if got := y.look(src); len(got) != 0 {
		t.Errorf("the archive is read: %s", origins(got))
	}
}

func TestOrderByTime(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.Order = "mtime"
	for i, name := range []string{"c", "a", "b"} {
		y.write("in/"+name+".csv", name)
		y.must(os.Chtimes(y.path("in", name+".csv"), time.Time{}, y.now.Add(time.Duration(i-10)*time.Minute)))
	}
	if got := origins(y.look(y.open(o, ""))); got != "c.csv a.csv b.csv" {
		t.Errorf("order %s", got)
	}
}

func TestLargeFileIsStreamedAndChecked(t *testing.T) {
	y := newYard(t)
	src := y.open(y.options(), "")
	content := strings.Repeat("0123456789abcde\n", 100_000)
	y.write("in/a.csv", content)
	items := y.look(src)
	if len(items) != 1 || items[0].Open == nil || items[0].Body != nil {
		t.Fatalf("%d items", len(items))
	}
	r, err := items[0].Open()
	y.must(err)
	got, err := io.ReadAll(r)
	y.must(err)
	y.must(r.Close())
	if diff := cmp.Diff(len(content), len(got)); diff != "" || string(got) != content {
		t.Error("the content differs", diff)
	}
	// The same size and time with other bytes: only the digest tells.
	info, err := os.Stat(y.path("in/a.csv"))
	y.must(err)
	f, err := os.OpenFile(y.path("in/a.csv"), os.O_WRONLY, 0)
	y.must(err)
	_, err = f.WriteAt([]byte("X"), 5)
	y.must(errors.Join(err, f.Close()))
	y.must(os.Chtimes(y.path("in/a.csv"), time.Time{}, info.ModTime()))
	r, err = items[0].Open()
	y.must(err)
	if _, err := io.ReadAll(r); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("changed bytes pass: %v", err)
	}
	y.must(r.Close())
}

func TestFaultsOfTheFolders(t *testing.T) {
	y := newYard(t)
	for name, tc := range map[string]struct {
		o    file.Options
		kind hub.Kind
	}{
		"no folder": {file.Options{Paths: []string{"nowhere/*.csv"}, After: drop.After{Success: "keep", Failure: "keep"}}, hub.NotFound},
		"position":  {file.Options{Paths: []string{"*.csv"}, After: drop.After{Success: "keep", Failure: "keep"}}, hub.Invalid},
	} {
		p := hub.Position("")
		if name == "position" {
			p = "x"
		}
		_, err := tc.o.Open(t.Context(), connectors.Env{Dir: y.dir, Now: time.Now, Position: p})
		if hub.KindOf(err) != tc.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpeningChangesNothing(t *testing.T) {
	y := newYard(t)
	y.open(y.options(), "")
	entries, err := os.ReadDir(y.dir)
	y.must(err)
	if got := fmt.Sprint(entries); got != "[d in/]" {
		t.Errorf("opening left %s", got)
	}
}

func TestFileFromAClockThatIsAheadGetsOldToo(t *testing.T) {
	y := newYard(t)
	o := y.options()
	o.Ready.MinAge = 30 * time.Second
	src := y.open(o, "")
	y.write("in/a.csv", "one")
	y.must(os.Chtimes(y.path("in/a.csv"), time.Time{}, y.now.Add(24*time.Hour)))
	if got := y.look(src); len(got) != 0 {
		t.Errorf("taken too young: %s", origins(got))
	}
	y.now = y.now.Add(31 * time.Second)
	if got := y.look(src); len(got) != 1 {
		t.Error("never taken")
	}
}
