package file

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// folder is the fixed part of one pattern, opened so that nothing below it leads out, and the rest.
type folder struct {
	dir     string // with slashes
	pattern string // relative to dir
	root    *os.Root
}

func openFolder(pattern string) (*folder, error) {
	full := filepath.ToSlash(pattern)
	dir, rest := path.Dir(full), path.Base(full)
	for strings.ContainsAny(dir, `*?[\`) {
		dir, rest = path.Dir(dir), path.Join(path.Base(dir), rest)
	}
	root, err := os.OpenRoot(filepath.FromSlash(dir))
	if err != nil {
		f := hub.Faultf(hub.NotFound, "file.folder", "cannot open the folder %s", dir).Because(plain(err))
		f.MessageZh = "无法打开目录 " + dir
		f.Hint, f.HintZh = "create it, and let the hub's user read and change it", "请创建该目录并授予系统用户读写权限"
		return nil, f
	}
	return &folder{dir: dir, pattern: rest, root: root}, nil
}

// sighting is a file as the last looks found it.
type sighting struct {
	version

	polls int
	// since is when it was first found like this, or its time of change if that lies before: a file from a machine whose
	// clock is ahead gets old too.
	since time.Time
}

// look lists the files that are ready, in order. It also forgets what has vanished.
func (s *source) look() ([]found, error) {
	seen := map[string]sighting{}
	var ready []found
	for _, folder := range s.folders {
		names, err := fs.Glob(folder.root.FS(), folder.pattern)
		if err != nil {
			return nil, passing(err)
		}
		for _, name := range names {
			f, ok := s.examine(folder, name, seen)
			if ok {
				ready = append(ready, f)
			}
		}
	}
	s.seen = seen
	for p := range s.done {
		if _, there := seen[p]; !there && !s.out[p] {
			delete(s.done, p)
		}
	}
	slices.SortFunc(ready, func(a, b found) int {
		if s.options.Order == "mtime" {
			if c := a.info.ModTime().Compare(b.info.ModTime()); c != 0 {
				return c
			}
		}
		return strings.Compare(a.path(), b.path())
	})
	return ready, nil
}

// examine notes one file in seen and reports whether it is ready.
func (s *source) examine(folder *folder, name string, seen map[string]sighting) (found, bool) {
	f := found{folder: folder, name: name}
	info, err := folder.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || s.aside(f) || s.isMarker(f) {
		return f, false
	}
	f.info = info
	p := f.path()
	if _, twice := seen[p]; twice {
		return f, false // two patterns match it
	}
	now := version{Size: info.Size(), MTime: info.ModTime().UnixNano()}
	sight := sighting{version: now, polls: 1, since: s.now()}
	if before, ok := s.seen[p]; ok && before.version == now {
		sight.polls, sight.since = before.polls+1, before.since
	}
	if info.ModTime().Before(sight.since) {
		sight.since = info.ModTime()
	}
	seen[p] = sight
	if v, done := s.done[p]; s.out[p] || done && v.sameStat(info) {
		return f, false
	}
	if s.options.Ready.Marker != "" {
		_, err := folder.root.Lstat(s.marker(name))
		return f, err == nil
	}
	return f, s.now().Sub(sight.since) >= s.options.Ready.MinAge && sight.polls >= s.options.Ready.StablePolls
}

// aside reports whether a file lies in a folder that files are moved to.
func (s *source) aside(f found) bool {
	for _, a := range []drop.Action{s.success, s.failure} {
		if a.Dir != "" && path.Dir(f.path()) == filepath.ToSlash(a.Dir) {
			return true
		}
	}
	return false
}

// marker returns the name of the file that announces name.
func (s *source) marker(name string) string {
	base := path.Base(name)
	stem := strings.TrimSuffix(base, path.Ext(base))
	return path.Join(path.Dir(name), strings.NewReplacer("{name}", base, "{stem}", stem).Replace(s.options.Ready.Marker))
}

// isMarker reports whether a file that the pattern matches is itself a marker.
func (s *source) isMarker(f found) bool {
	template := s.options.Ready.Marker
	if template == "" {
		return false
	}
	marker := strings.NewReplacer("{name}", "*", "{stem}", "*").Replace(escapeMeta(template))
	ok, err := path.Match(marker, path.Base(f.name))
	return err == nil && ok
}

func escapeMeta(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// probe checks that files can be moved at all and leaves nothing behind. Otherwise every file would be read, published
// and read again.
func (s *source) probe() error {
	for _, a := range []drop.Action{s.success, s.failure} {
		if a.Keep {
			continue
		}
		dirs := []string{}
		if a.Dir != "" {
			dirs = append(dirs, existing(a.Dir))
		}
		for _, f := range s.folders {
			if !strings.Contains(f.pattern, "/") { // otherwise the files lie deeper, in folders of any number
				dirs = append(dirs, filepath.FromSlash(f.dir))
			}
		}
		for _, dir := range dirs {
			if err := tryWrite(dir); err != nil {
				return unwritable(dir, err)
			}
		}
	}
	return nil
}

// existing returns dir, or the nearest folder above it that there is: dir is made when the first file is moved there.
func existing(dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() || filepath.Dir(dir) == dir {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".suyuan-probe-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func unwritable(dir string, err error) error {
	f := hub.Faultf(hub.Forbidden, "file.folder", "cannot write into the folder %s", dir).Because(plain(err))
	f.MessageZh = "无法写入目录 " + dir
	f.Hint, f.HintZh = "let the hub's user change it, or set after to keep", "请授予写权限，或将 after 设为 keep"
	return f
}

// moment is the layout of the suffix that keeps two files of one name apart.
const moment = "20060102T150405.000000000"

func stamp(t time.Time) string { return t.UTC().Format(moment) }
