package sftp

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/pkg/sftp"

	"github.com/suyuan-io/suyuan/connectors/internal/drop"
)

// place is the server's folders over one connection at a time.
type place struct {
	options *Options
	pins    pins
	line    *line
}

// live returns a connection that has not ended: one that the server closed while it was idle is made anew.
func (p *place) live(ctx context.Context) (*line, error) {
	if p.line != nil && !p.line.isDead() {
		return p.line, nil
	}
	if err := p.Close(); err != nil {
		return nil, drop.Lost("sftp", "hang up", err)
	}
	l, err := p.options.dial(ctx, p.pins)
	p.line = l
	return l, err
}

// Close implements [drop.Reader].
func (p *place) Close() error {
	l := p.line
	p.line = nil
	if l == nil {
		return nil
	}
	return l.close()
}

// lose closes the place after an error in opening it.
func lose(p *place, err error) error { return errors.Join(err, p.Close()) }

// do runs one exchange under the watch of ctx and the time limit.
func (p *place) do(ctx context.Context, what string, exchange func(*sftp.Client) error) error {
	return p.within(ctx, p.options.Timeout, what, exchange)
}

// listingShare is how many times the limit of one answer a listing may take: it is many answers.
const listingShare = 10

func (p *place) within(ctx context.Context, limit time.Duration, what string, exchange func(*sftp.Client) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := p.live(ctx)
	if err != nil {
		return err
	}
	guard := drop.Watch(ctx, limit, func() { _ = l.net.Close() })
	defer guard.Stop()
	return told(what, exchange(l.files))
}

// told makes the fault of a lost line; what the server says of one file stays as it is.
func told(what string, err error) error {
	if err != nil && isNetwork(err) {
		return drop.Lost("sftp", what, err)
	}
	return err
}

// List implements [drop.Reader].
func (p *place) List(ctx context.Context, dir string) ([]drop.File, error) {
	var out []drop.File
	err := p.within(ctx, listingShare*p.options.Timeout, "list "+dir, func(c *sftp.Client) error {
		entries, err := c.ReadDirContext(ctx, dir)
		for _, e := range entries {
			if (e.Mode().IsRegular() || e.IsDir()) && drop.NameIsSafe(e.Name()) {
				out = append(out, entry(path.Join(dir, e.Name()), e))
			}
		}
		return err
	})
	return out, err
}

func entry(p string, info fs.FileInfo) drop.File {
	return drop.File{Path: p, Size: info.Size(), ModTime: info.ModTime(), Folder: info.IsDir()}
}

// Stat implements [drop.Reader].
func (p *place) Stat(ctx context.Context, name string) (drop.File, error) {
	var f drop.File
	err := p.do(ctx, "look at "+name, func(c *sftp.Client) error {
		info, err := c.Lstat(name)
		if err == nil {
			f = entry(name, info)
		}
		return err
	})
	return f, err
}

// Open implements [drop.Reader].
func (p *place) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	var file *sftp.File
	err := p.do(ctx, "open "+name, func(c *sftp.Client) error {
		info, err := c.Lstat(name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fs.ErrNotExist // a link has taken its place
		}
		if file, err = c.Open(name); err == nil {
			_, err = file.Seek(offset, io.SeekStart)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	l := p.line
	guard := drop.Watch(ctx, p.options.Timeout, func() { _ = l.net.Close() })
	return &stream{file, guard}, nil
}

// stream is an open file, watched.
type stream struct {
	file  *sftp.File
	guard *drop.Guard
}

// Read implements io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.file.Read(b)
	s.guard.Touch()
	if errors.Is(err, io.EOF) {
		return n, err
	}
	return n, told("read", err)
}

// WriteTo implements io.WriterTo: several requests are under way at once.
func (s *stream) WriteTo(w io.Writer) (int64, error) {
	n, err := s.file.WriteTo(touching{w, s.guard})
	return n, told("read", err)
}

type touching struct {
	io.Writer

	guard *drop.Guard
}

func (t touching) Write(b []byte) (int, error) {
	t.guard.Touch()
	return t.Writer.Write(b)
}

// Close implements io.Closer.
func (s *stream) Close() error {
	defer s.guard.Stop()
	return told("close a file", s.file.Close())
}

// Move implements [drop.Changer].
func (p *place) Move(ctx context.Context, from, to string) error {
	return p.do(ctx, "move "+from, func(c *sftp.Client) error {
		if err := c.MkdirAll(path.Dir(to)); err != nil {
			return err
		}
		return c.Rename(from, to) // of version 3: it never replaces
	})
}

// Remove implements [drop.Changer].
func (p *place) Remove(ctx context.Context, name string) error {
	return p.do(ctx, "delete "+name, func(c *sftp.Client) error { return c.Remove(name) })
}
