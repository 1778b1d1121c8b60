package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// source is one opening of an instance.
type source struct {
	options          *Options
	now              func() time.Time
	success, failure drop.Action
	folders          []*folder

	// seen is what the last look found, out what was given to the host and is not settled, done what is to stay where it
	// is and must not be read again.
	seen map[string]sighting
	out  map[string]bool
	done map[string]version
	// round is what is ready.
	round drop.Round[found]
}

// version tells two states of one file apart without reading it, and by its content.
type version struct {
	Size   int64  `json:"s"`
	MTime  int64  `json:"m"` // Unix nanoseconds
	Digest string `json:"d"` // the first 16 hexadecimal digits
}

func (v version) sameStat(info fs.FileInfo) bool {
	return v.Size == info.Size() && v.MTime == info.ModTime().UnixNano()
}

// memory is the largest file that is handed over in memory; a larger one is read twice: for its digest, then by the host.
const memory = 1 << 20

// digestDigits is how much of a digest a position keeps: enough to tell a file's versions apart.
const digestDigits = 16

// maxKept is how many files a position remembers. More make every stored position slow.
const maxKept = 10_000

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	for {
		f, err := s.round.Head(s.look)
		if err != nil {
			return connectors.Item{}, err
		}
		item, err := s.item(ctx, f)
		switch {
		case err == nil:
			s.round.Pass(nil)
			return item, nil
		case errors.Is(err, errSkip):
			s.round.Pass(nil)
		case ctx.Err() == nil && hub.KindOf(err) == hub.Unavailable:
			s.round.Pass(err)
		default:
			return connectors.Item{}, err // the file stays at the head: an interrupted call loses nothing
		}
	}
}

// errSkip says that a file is not to be taken now.
var errSkip = errors.New("skip this file")

// item reads a file for its digest.
func (s *source) item(ctx context.Context, f found) (connectors.Item, error) {
	origin := strings.ToValidUTF8(f.name, "�")
	digest, body, print, err := f.read(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, errChanged):
		return connectors.Item{}, errSkip
	case errors.Is(err, fs.ErrPermission):
		return s.refused(f, origin, err)
	case err != nil:
		return connectors.Item{}, err
	}
	if v, known := s.done[f.path()]; known && v.Digest == digest[:digestDigits] { // touched, not changed
		s.done[f.path()] = f.version(digest)
		return connectors.Item{}, errSkip
	}
	item := connectors.Item{ID: digest, Origin: origin, Body: body, Token: claim{f, digest}}
	if body == nil {
		item.Open = func() (io.ReadCloser, error) { return f.open(print) }
	}
	if s.success.Keep {
		s.done[f.path()] = f.version(digest)
	}
	s.out[f.path()] = true
	item.Position, err = s.position()
	return item, err
}

// refused hands over a file that cannot be opened, so that it is moved aside and does not hold up the others.
func (s *source) refused(f found, origin string, cause error) (connectors.Item, error) {
	fault := hub.Faultf(hub.Invalid, "file.unreadable", "the file cannot be read").
		At(hub.Where{File: origin}).WithHint("let the hub's user read it").Because(plain(cause))
	fault.MessageZh, fault.HintZh = "无法读取该文件", "请授予系统用户读取权限"
	s.out[f.path()] = true
	position, err := s.position()
	return connectors.Item{
		ID: "unreadable-" + hex.EncodeToString([]byte(f.name)), Origin: origin, Position: position, Token: claim{f, ""},
		Open: func() (io.ReadCloser, error) { return nil, fault },
	}, err
}

// plain strips the machine's path from an error: Where names the file as its owner knows it.
func plain(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// position is what is known of kept files.
func (s *source) position() (hub.Position, error) {
	if len(s.done) == 0 {
		return "", nil
	}
	if len(s.done) > maxKept {
		f := hub.Faultf(hub.Invalid, "file.too-many-kept", "more than %d kept files match", maxKept)
		f.MessageZh = fmt.Sprintf("保留的文件超过 %d 个", maxKept)
		return "", f.WithHint("set after: { success: move:FOLDER }")
	}
	b, err := json.Marshal(s.done)
	if err != nil {
		return "", fmt.Errorf("encode position: %w", err)
	}
	return hub.Position(b), nil
}

func decodePosition(p hub.Position) (map[string]version, error) {
	done := map[string]version{}
	if p == "" {
		return done, nil
	}
	err := json.Unmarshal([]byte(p), &done)
	if err == nil && done == nil {
		err = errors.New("it is null")
	}
	if err != nil {
		return nil, badPosition(err)
	}
	return done, nil
}

func badPosition(err error) error {
	return connectors.BadPosition("file.position", `{"/drop/in/orders.csv":{"s":812,"m":1767225600000000000,"d":"00112233445566ff"}}`, err)
}

// CheckPosition implements [connectors.Resumer].
func (o *Options) CheckPosition(p hub.Position) error {
	return connectors.CheckPosition(p, badPosition, decodePosition)
}

// Close implements [connectors.Source].
func (s *source) Close() error {
	var errs []error
	for _, f := range s.folders {
		errs = append(errs, f.root.Close())
	}
	return errors.Join(errs...)
}

func joinClose(err error, s *source) error {
	if cerr := s.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	return err
}

// found is a file that is ready.
type found struct {
	folder *folder
	name   string // relative to the folder
	info   fs.FileInfo
}

func (f found) path() string { return path.Join(f.folder.dir, f.name) }

func (f found) version(digest string) version {
	return version{Size: f.info.Size(), MTime: f.info.ModTime().UnixNano(), Digest: digest[:digestDigits]}
}

// errChanged says that a file is not what the look found.
var errChanged = errors.New("changed since it was looked at")

// read returns the file's digest, and its content if it is small, else its fingerprint, by which this process knows it again.
func (f found) read(ctx context.Context) (digest string, body []byte, print uint64, err error) {
	file, err := f.openAsFound()
	if err != nil {
		return "", nil, 0, err
	}
	defer file.Close()
	h := sha256.New()
	if f.info.Size() <= memory {
		body, err = io.ReadAll(io.LimitReader(file, memory+1))
		if err != nil {
			return "", nil, 0, passing(err)
		}
		if int64(len(body)) != f.info.Size() {
			return "", nil, 0, errChanged
		}
		h.Write(body)
		return hex.EncodeToString(h.Sum(nil)), body, 0, nil
	}
	p := fingerprint()
	n, err := io.CopyBuffer(io.MultiWriter(h, p), contextReader{ctx, file}, make([]byte, copyBuffer))
	if err != nil {
		return "", nil, 0, passing(err)
	}
	if n != f.info.Size() {
		return "", nil, 0, errChanged
	}
	return hex.EncodeToString(h.Sum(nil)), nil, p.Sum64(), nil
}

// copyBuffer is how much of a file is read at once for its digest.
const copyBuffer = 256 << 10

// seed makes the fingerprints of this process its own: nobody can write another file with the same one.
//
//nolint:gochecknoglobals // one for all files
var seed = maphash.MakeSeed()

// fingerprint begins one. A file is identified by its SHA-256, which is taken once; that it is the same when it is read again is known
// for a tenth of the cost.
func fingerprint() *maphash.Hash {
	h := &maphash.Hash{}
	h.SetSeed(seed)
	return h
}

// openAsFound opens the file if it is still the one that the look found, a regular file.
func (f found) openAsFound() (*os.File, error) {
	file, err := f.folder.root.Open(f.name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && (!os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime())) {
		err = errChanged
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// open returns the content for the host. Where it is not what the fingerprint says, the reader ends with a passing fault: the
// records that were taken have the old version's ids, and the new version comes as an item of its own.
func (f found) open(print uint64) (io.ReadCloser, error) {
	file, err := f.openAsFound()
	if err != nil {
		return nil, passing(err)
	}
	return &checkedFile{file: file, h: fingerprint(), want: print}, nil
}

type checkedFile struct {
	file *os.File
	h    *maphash.Hash
	want uint64
}

func (c *checkedFile) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	_, _ = c.h.Write(p[:n]) // a hash takes everything
	switch {
	case errors.Is(err, io.EOF) && c.h.Sum64() != c.want:
		return n, passing(errChanged)
	case err != nil && !errors.Is(err, io.EOF):
		return n, passing(err)
	}
	return n, err
}

func (c *checkedFile) Close() error { return c.file.Close() }

func passing(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f := hub.Faultf(hub.Unavailable, "file.read", "cannot read the file now").Because(plain(err))
	f.MessageZh = "暂时无法读取该文件"
	f.Hint, f.HintZh = "it is tried again by itself", "系统会自动重试"
	if errors.Is(err, fs.ErrPermission) {
		f.Hint, f.HintZh = "let the hub's user read it", "请授予平台用户读取权限"
	}
	return f
}

// contextReader ends a long read when its call is cancelled.
type contextReader struct {
	ctx context.Context //nolint:containedctx // lives for one call
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// sameContent reports whether two open files hold the same bytes.
func sameContent(a, b io.Reader) (bool, error) {
	left, right := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		if !bytes.Equal(left[:n], right[:m]) {
			return false, nil
		}
		if errA != nil || errB != nil {
			ended := func(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
			if ended(errA) && ended(errB) {
				return true, nil
			}
			return false, errors.Join(errA, errB)
		}
	}
}
