package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// claim is the token of an item.
type claim struct {
	found

	digest string
}

// Settle implements [connectors.Source]: it moves, deletes or keeps the file. A file that is gone was settled before a
// crash; one that has changed meanwhile is left for the next look.
func (s *source) Settle(_ context.Context, item connectors.Item, refused error) error {
	c, ok := item.Token.(claim)
	if !ok {
		return hub.Faultf(hub.Internal, "file.token", "settle %s: not an item of this source", item.Origin)
	}
	act := s.success
	if refused != nil {
		act = s.failure
	}
	delete(s.out, c.path())
	if act.Keep {
		if c.digest != "" {
			s.done[c.path()] = c.version(c.digest)
			return nil
		}
		s.done[c.path()] = version{Size: c.info.Size(), MTime: c.info.ModTime().UnixNano()}
		return nil
	}
	delete(s.done, c.path())
	info, err := c.folder.root.Lstat(c.name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !(version{c.info.Size(), c.info.ModTime().UnixNano(), ""}).sameStat(info) {
		return nil
	}
	if err == nil {
		err = s.clear(c, act)
	}
	if err != nil {
		f := hub.Faultf(hub.Unavailable, "file.settle", "cannot move or delete the file").At(hub.Where{File: item.Origin}).Because(plain(err))
		f.MessageZh = "无法移动或删除该文件"
		f.Hint, f.HintZh = "let the hub's user change both folders, or set after to keep", "请授予平台用户对两个目录的写权限，或将 after 设为 keep"
		return f
	}
	return nil
}

// clear removes the file from its folder, and its marker.
func (s *source) clear(c claim, act drop.Action) error {
	if act.Remove {
		if err := c.folder.root.Remove(c.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if err := s.move(c, act.Dir); err != nil {
		return err
	}
	if s.options.Ready.Marker == "" {
		return nil
	}
	if err := c.folder.root.Remove(s.marker(c.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// move puts the file into dir under its own name. Another content under that name is not overwritten: the newcomer gets
// a suffix.
func (s *source) move(c claim, dir string) error {
	from := filepath.Join(filepath.FromSlash(c.folder.dir), filepath.FromSlash(c.name))
	base := path.Base(c.name)
	to := filepath.Join(dir, base)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		same, err := s.sameFile(c, to)
		if err != nil {
			return err
		}
		if same {
			return c.folder.root.Remove(c.name)
		}
		ext := path.Ext(base)
		to = filepath.Join(dir, strings.TrimSuffix(base, ext)+"."+stamp(s.now())+ext)
	}
	err := os.Rename(from, to)
	if errors.Is(err, syscall.EXDEV) {
		err = s.copyOver(c, to)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

func (s *source) sameFile(c claim, to string) (same bool, err error) {
	a, err := c.folder.root.Open(c.name)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(to)
	if err != nil {
		return false, err
	}
	defer b.Close()
	return sameContent(a, b)
}

// copyOver moves between file systems: the copy is complete and synced under a hidden name before it gets its own.
func (s *source) copyOver(c claim, to string) error {
	in, err := c.folder.root.Open(c.name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".suyuan-copy-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	if err := os.Rename(out.Name(), to); err != nil {
		return err
	}
	return c.folder.root.Remove(c.name)
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || runtime.GOOS == "windows" {
		err = nil // a file system without it
	}
	return errors.Join(err, d.Close())
}
