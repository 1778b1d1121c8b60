package drop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"runtime"

	"github.com/suyuan-io/suyuan/hub"
)

// claim is a file whose content is known: the token of an item.
type claim struct {
	listed, exact File
	digest        string
}

// errChanged says that a file is not what the look found.
var errChanged = errors.New("changed since it was looked at")

// memory is the largest file that is held in memory; a larger one is spooled.
const memory = 1 << 20

// fetch is the content of one file on its way here.
type fetch struct {
	ctx    context.Context //nolint:containedctx // of the call that goes on with it
	exact  File
	sum    hash.Hash
	small  bytes.Buffer
	to     *spool // nil for a small file
	length int64
}

// fetch brings a file here. Its content is in the returned bytes, or spooled in s.held. A file that changes meanwhile
// gives errChanged; an interrupted fetch goes on where it was when the same file is fetched next.
func (s *source) fetch(ctx context.Context, f File) (claim, []byte, error) {
	exact := f
	if f.Rough {
		var err error
		if exact, err = s.place.Stat(ctx, f.Path); err != nil {
			return claim{}, nil, err
		}
		if exact.Size != f.Size {
			return claim{}, nil, errChanged
		}
	}
	part, err := s.begin(exact)
	if err != nil {
		return claim{}, nil, err
	}
	if err := part.run(ctx, s.place); err != nil {
		if ctx.Err() == nil {
			return claim{}, nil, errors.Join(err, s.drop())
		}
		return claim{}, nil, err
	}
	after, err := s.place.Stat(ctx, f.Path)
	if err == nil && (!after.same(exact) || part.length != exact.Size) {
		err = errChanged
	}
	if err != nil {
		return claim{}, nil, errors.Join(err, s.drop())
	}
	s.part, s.held = nil, part.to
	body := part.small.Bytes()
	if part.to != nil {
		body = nil
	} else if body == nil {
		body = []byte{}
	}
	return claim{listed: f, exact: exact, digest: hex.EncodeToString(part.sum.Sum(nil))}, body, nil
}

// begin returns the fetch that was interrupted if it is of the same file, else a new one.
func (s *source) begin(exact File) (*fetch, error) {
	if s.part != nil && s.part.exact.Path == exact.Path && s.part.exact.same(exact) {
		return s.part, nil
	}
	if err := s.drop(); err != nil {
		return nil, err
	}
	if s.held != nil {
		if err := s.held.discard(); err != nil {
			return nil, err
		}
	}
	part := &fetch{exact: exact, sum: sha256.New()}
	if exact.Size > memory {
		var err error
		if part.to, err = newSpool(s.files.Spool.Dir); err != nil {
			return nil, err
		}
	}
	s.part = part
	return part, nil
}

// drop forgets an unfinished fetch.
func (s *source) drop() error {
	part := s.part
	s.part = nil
	if part == nil {
		return nil
	}
	return part.to.discard()
}

// run copies what is missing.
func (p *fetch) run(ctx context.Context, place Place) error {
	if p.length == p.exact.Size && p.length > 0 {
		return nil
	}
	r, err := place.Open(ctx, p.exact.Path, p.length)
	if err != nil {
		return err
	}
	p.ctx = ctx
	_, err = io.Copy(p, r)
	return errors.Join(err, r.Close())
}

// Write implements io.Writer for the place's reader, which may write itself (io.WriterTo).
func (p *fetch) Write(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	if p.length+int64(len(b)) > p.exact.Size {
		return 0, errChanged
	}
	var err error
	if p.to != nil {
		err = p.to.write(b)
	} else {
		p.small.Write(b)
	}
	if err != nil {
		return 0, err
	}
	p.sum.Write(b)
	p.length += int64(len(b))
	return len(b), nil
}

// spool is a file of this machine that holds a fetched one. Nothing is left of it when the process dies, where the
// system lets an open file be removed.
type spool struct {
	file *os.File
	name string // while it is still to be removed
}

func newSpool(dir string) (*spool, error) {
	file, err := os.CreateTemp(dir, "suyuan-spool-*")
	if err != nil {
		return nil, spoolFault(err)
	}
	s := &spool{file: file, name: file.Name()}
	if runtime.GOOS != "windows" {
		if err := os.Remove(s.name); err != nil {
			return nil, spoolFault(errors.Join(err, file.Close()))
		}
		s.name = ""
	}
	return s, nil
}

func (s *spool) write(b []byte) error {
	if _, err := s.file.Write(b); err != nil {
		return spoolFault(err)
	}
	return nil
}

// open returns the whole content. The spool is gone when the reader is closed.
func (s *spool) open() (io.ReadCloser, error) {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, spoolFault(err)
	}
	return spoolReader{s}, nil
}

type spoolReader struct{ s *spool }

func (r spoolReader) Read(b []byte) (int, error) { return r.s.file.Read(b) }

func (r spoolReader) Close() error { return r.s.discard() }

// discard may be called again, and on no spool.
func (s *spool) discard() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	s.file = nil
	if err != nil {
		return spoolFault(err)
	}
	return nil
}

func spoolFault(err error) *hub.Fault {
	f := hub.Faultf(hub.Unavailable, "file.spool", "cannot hold a fetched file on this machine").Because(err)
	f.MessageZh = "无法在本机暂存文件"
	f.Hint, f.HintZh = "free some room, or set spool: { dir: FOLDER }", "请释放空间，或设置 spool: { dir: 目录 }"
	return f
}
