package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/textproto"
	"path"
	"time"

	"github.com/jlaffaye/ftp"

	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// idle is how long a connection is trusted without asking the server whether it is still there.
const idle = 15 * time.Second

// place is the server's folders over one connection at a time.
type place struct {
	options  *Options
	security *tls.Config
	now      func() time.Time
	line     *line
}

// live returns a connection: one that the server closed while it was idle is made anew.
func (p *place) live(ctx context.Context) (*line, error) {
	if p.line != nil && !p.line.isDown() {
		if p.now().Sub(p.line.used) < idle {
			return p.line, nil
		}
		guard := p.line.watch(ctx, p.options.Timeout)
		err := p.line.ftp.NoOp()
		guard.Stop()
		if err == nil {
			return p.line, nil
		}
	}
	if err := p.Close(); err != nil {
		return nil, err
	}
	l, err := p.options.dial(ctx, p.security)
	p.line = l
	return l, err
}

// Close implements [drop.Reader].
func (p *place) Close() error {
	if p.line != nil {
		if !p.line.isDown() {
			guard := p.line.watch(context.Background(), time.Second)
			_ = p.line.ftp.Quit() // a courtesy
			guard.Stop()
		}
		p.line.hangUp()
		p.line = nil
	}
	return nil
}

func lose(p *place, err error) error { return errors.Join(err, p.Close()) }

// do runs one exchange under the watch of ctx and the time limit. A connection whose state is not known afterwards is
// not used again.
func (p *place) do(ctx context.Context, what string, exchange func(*line) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := p.live(ctx)
	if err != nil {
		return err
	}
	guard := l.watch(ctx, p.options.Timeout)
	defer guard.Stop()
	err = exchange(l)
	l.used = p.now()
	return p.told(l, what, err)
}

// told makes the fault of a lost line. What the server says of one path stays an error of this path.
func (p *place) told(l *line, what string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return err
	}
	said, ok := errors.AsType[*textproto.Error](err)
	if ok && said.Code != ftp.StatusNotAvailable && !l.isDown() {
		return err
	}
	if errors.Is(err, ftp.ErrInvalidCommand) {
		return err
	}
	l.hangUp()
	if _, already := errors.AsType[*hub.Fault](err); already {
		return err
	}
	return drop.Lost("ftp", what, err)
}

// whole makes an error that concerns one path a fault, where there is only one path.
func whole(err error) error {
	if _, ok := errors.AsType[*hub.Fault](err); ok {
		return err
	}
	return drop.Lost("ftp", "begin", err)
}

// unknown reports whether the server says that it cannot act on a path: it is not there, or not ours to touch.
func unknown(err error) bool {
	said, ok := errors.AsType[*textproto.Error](err)
	return ok && said.Code == ftp.StatusFileUnavailable
}

// List implements [drop.Reader]. It enters the folder first: servers take what follows LIST for options or patterns.
func (p *place) List(ctx context.Context, dir string) ([]drop.File, error) {
	var out []drop.File
	err := p.do(ctx, "list "+dir, func(l *line) error {
		if err := l.ftp.ChangeDir(dir); err != nil {
			if unknown(err) {
				return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
			}
			return err
		}
		entries, err := l.ftp.List("")
		rough := !l.ftp.IsTimePreciseInList()
		for _, e := range entries {
			if e.Type == ftp.EntryTypeLink || !drop.NameIsSafe(e.Name) {
				continue
			}
			out = append(out, drop.File{
				Path: path.Join(dir, e.Name), Size: int64(min(e.Size, 1<<62)), ModTime: e.Time, Rough: rough,
				Folder: e.Type == ftp.EntryTypeFolder,
			})
		}
		return err
	})
	return out, err
}

// Stat implements [drop.Reader], by MLST, or by SIZE and MDTM (RFC 3659), or by what the folder's list says.
func (p *place) Stat(ctx context.Context, name string) (drop.File, error) {
	f := drop.File{Path: name}
	err := p.do(ctx, "look at "+name, func(l *line) error {
		if l.ftp.IsTimePreciseInList() {
			e, err := l.ftp.GetEntry(name)
			if err == nil {
				f.Size, f.ModTime, f.Folder = int64(min(e.Size, 1<<62)), e.Time, e.Type == ftp.EntryTypeFolder
			}
			return err
		}
		var err error
		if f.Size, err = l.ftp.FileSize(name); err != nil || !l.ftp.IsGetTimeSupported() {
			return err
		}
		f.ModTime, err = l.ftp.GetTime(name)
		return err
	})
	if _, said := errors.AsType[*textproto.Error](err); !said {
		return f, err
	}
	return p.listed(ctx, name)
}

// listed finds a file in its folder's list.
func (p *place) listed(ctx context.Context, name string) (drop.File, error) {
	entries, err := p.List(ctx, path.Dir(name))
	for _, e := range entries {
		if e.Path == name && err == nil {
			return e, nil
		}
	}
	if err == nil {
		err = fs.ErrNotExist
	}
	return drop.File{}, err
}

// Open implements [drop.Reader].
func (p *place) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	var r *ftp.Response
	err := p.do(ctx, "open "+name, func(l *line) (err error) {
		r, err = l.ftp.RetrFrom(name, uint64(offset))
		return err
	})
	if unknown(err) { // not there, or not for us: the folder's list tells
		if _, lerr := p.listed(ctx, name); lerr != nil {
			return nil, lerr
		}
		return nil, fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	if err != nil {
		return nil, err
	}
	return &stream{p: p, line: p.line, r: r, guard: p.line.watch(ctx, p.options.Timeout)}, nil
}

// stream is a data connection, watched.
type stream struct {
	p     *place
	line  *line
	r     *ftp.Response
	guard *drop.Guard
	ended bool
}

// Read implements io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if errors.Is(err, io.EOF) {
		s.ended = true
		return n, err
	}
	return n, s.p.told(s.line, "read", err)
}

// Close implements io.Closer. After a file that was not read to its end the server's answer may come late or never, so
// the connection is given up.
func (s *stream) Close() error {
	defer s.guard.Stop()
	if !s.ended {
		s.line.hangUp()
		return nil
	}
	err := s.r.Close()
	s.line.used = s.p.now()
	return s.p.told(s.line, "end reading", err)
}

// Move implements [drop.Changer].
func (p *place) Move(ctx context.Context, from, to string) error {
	return p.change(ctx, from, func(l *line) error {
		err := l.ftp.Rename(from, to)
		if err == nil || !unknown(err) {
			return err
		}
		if merr := makeAll(l, path.Dir(to)); merr != nil {
			return errors.Join(err, merr)
		}
		return l.ftp.Rename(from, to)
	})
}

// makeAll makes a folder and those above it. That one is there already is no error; what follows tells.
func makeAll(l *line, dir string) error {
	if dir == "/" || l.ftp.ChangeDir(dir) == nil {
		return nil
	}
	if err := makeAll(l, path.Dir(dir)); err != nil {
		return err
	}
	if err := l.ftp.MakeDir(dir); err != nil && !unknown(err) {
		return err
	}
	return nil
}

// Remove implements [drop.Changer].
func (p *place) Remove(ctx context.Context, name string) error {
	return p.change(ctx, name, func(l *line) error { return l.ftp.Delete(name) })
}

// change runs what changes the file at name. A refusal means that the file is gone, or that we may not.
func (p *place) change(ctx context.Context, name string, exchange func(*line) error) error {
	err := p.do(ctx, "change "+name, exchange)
	if !unknown(err) {
		return err
	}
	if _, lerr := p.listed(ctx, name); lerr != nil {
		return lerr
	}
	return fmt.Errorf("%w: %w", fs.ErrPermission, err)
}
