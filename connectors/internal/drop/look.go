package drop

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// maxListed is how many names one look takes in. A folder beyond it would exhaust memory and time.
const maxListed = 200_000

// sighting is a file as the last looks found it.
type sighting struct {
	file  File
	polls int
	since time.Time // when it was first found like this
}

// look lists the files that are ready, in order. It also forgets what has vanished.
func (s *source) look(ctx context.Context) ([]File, error) {
	listing := listing{place: s.place, folders: map[string][]File{}, files: map[string]bool{}}
	seen := map[string]sighting{}
	var ready []File
	for _, pattern := range s.patterns {
		files, err := listing.match(ctx, pattern)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if _, twice := seen[f.Path]; twice || s.aside(f) || s.isMarker(f) {
				continue
			}
			sight := s.sight(f)
			seen[f.Path] = sight
			if s.wanted(f) && s.complete(sight, listing) {
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
	return s.inOrder(ready), nil
}

// inOrder sorts files as they are to be taken.
func (s *source) inOrder(files []File) []File {
	slices.SortFunc(files, func(a, b File) int {
		if s.files.Order == "mtime" {
			if c := a.ModTime.Compare(b.ModTime); c != 0 {
				return c
			}
		}
		return strings.Compare(a.Path, b.Path)
	})
	return files
}

// sight continues what earlier looks saw of a file.
func (s *source) sight(f File) sighting {
	if before, ok := s.seen[f.Path]; ok && before.file.same(f) {
		return sighting{f, before.polls + 1, before.since}
	}
	return sighting{f, 1, s.now()}
}

// wanted reports whether a file is to be taken, or to be moved aside at last, once it is complete.
func (s *source) wanted(f File) bool {
	v, known := s.done[f.Path]
	return !s.out[f.Path] && (!known || !v.sameStat(f) || !s.remembered(v))
}

// complete reports whether a file is no longer being written.
func (s *source) complete(sight sighting, l listing) bool {
	f := sight.file
	if s.files.Ready.Marker != "" {
		v, known := s.done[f.Path]
		if known && v.sameStat(f) {
			return true // taken already: the marker may be gone, only the move is missing
		}
		return l.files[s.marker(f.Path)]
	}
	return sight.polls >= s.files.Ready.StablePolls && s.now().Sub(sight.since) >= s.files.Ready.MinAge
}

// aside reports whether a file lies in a folder that files are moved to.
func (s *source) aside(f File) bool {
	dir := path.Dir(f.Path)
	return dir == s.success.Dir || dir == s.failure.Dir
}

// marker returns the path of the file that announces the one at p.
func (s *source) marker(p string) string {
	base := path.Base(p)
	stem := strings.TrimSuffix(base, path.Ext(base))
	return path.Join(path.Dir(p), strings.NewReplacer("{name}", base, "{stem}", stem).Replace(s.files.Ready.Marker))
}

// isMarker reports whether a file that a pattern matches is itself a marker.
func (s *source) isMarker(f File) bool {
	if s.files.Ready.Marker == "" {
		return false
	}
	plain := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s.files.Ready.Marker)
	ok, err := path.Match(strings.NewReplacer("{name}", "*", "{stem}", "*").Replace(plain), path.Base(f.Path))
	return err == nil && ok
}

// listing is what one look has listed so far: each folder once.
type listing struct {
	place   Place
	folders map[string][]File
	files   map[string]bool
}

// match returns the files that match an absolute pattern. The fixed part of the pattern must be there.
func (l listing) match(ctx context.Context, pattern string) ([]File, error) {
	dir, rest := fixed(pattern)
	dirs := []string{dir}
	var files []File
	for i, step := range rest {
		var next []string
		files = nil
		for _, d := range dirs {
			entries, err := l.list(ctx, d)
			if i > 0 && errors.Is(err, fs.ErrNotExist) {
				continue // gone since its parent was listed
			}
			if err != nil {
				return nil, folderFault(d, err)
			}
			for _, e := range named(entries, step) {
				if e.Folder {
					next = append(next, e.Path)
				} else {
					files = append(files, e)
				}
			}
		}
		dirs = next
	}
	return files, nil
}

// named returns the entries whose name matches one step of a pattern.
func named(entries []File, step string) []File {
	var out []File
	for _, e := range entries {
		if ok, err := path.Match(step, path.Base(e.Path)); err == nil && ok {
			out = append(out, e)
		}
	}
	return out
}

// fixed cuts a pattern into the folder that it names and the steps below, of which the last is for files.
func fixed(pattern string) (dir string, steps []string) {
	dir, last := path.Split(pattern)
	steps = []string{last}
	dir = path.Clean(dir)
	for strings.ContainsAny(dir, `*?[\`) {
		steps = append([]string{path.Base(dir)}, steps...)
		dir = path.Dir(dir)
	}
	return dir, steps
}

func (l listing) list(ctx context.Context, dir string) ([]File, error) {
	if entries, ok := l.folders[dir]; ok {
		return entries, nil
	}
	entries, err := l.place.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(l.files)+len(entries) > maxListed {
		f := hub.Faultf(hub.TooLarge, "file.too-many", "more than %d names in the folders", maxListed)
		f.MessageZh = "目录中的文件过多"
		return nil, f.WithHint("set after: { success: move:FOLDER }, and clear the folders")
	}
	l.folders[dir] = entries
	for _, e := range entries {
		if !e.Folder {
			l.files[e.Path] = true
		}
	}
	return entries, nil
}

// folderFault says what is wrong with a folder.
func folderFault(dir string, err error) error {
	if _, ok := errors.AsType[*hub.Fault](err); ok || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	kind := hub.Unavailable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		kind = hub.NotFound
	case errors.Is(err, fs.ErrPermission):
		kind = hub.Forbidden
	}
	f := hub.Faultf(kind, "file.folder", "cannot list the folder %s", dir).Because(err)
	f.MessageZh = "无法列出目录 " + dir
	f.Hint, f.HintZh = "check the path as the login sees it, and its permissions", "请以该登录用户核对路径与权限"
	return f
}
