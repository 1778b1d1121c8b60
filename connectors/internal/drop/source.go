package drop

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// source is one opening of an instance.
type source struct {
	place            Place
	files            Files
	patterns         []string
	now              func() time.Time
	success, failure Action

	// seen is what the last look found, out what was given to the host and is not settled, done what must not be published
	// again: what is kept, what is out, and what is still to be moved.
	seen map[string]sighting
	out  map[string]bool
	done map[string]version
	// round is what is ready.
	round Round[File]
	// part is a fetch that was interrupted, held the spooled content that the host reads or has read last.
	part *fetch
	held *spool
}

// version tells two states of one file apart without fetching it, and by its content.
type version struct {
	Size   int64  `json:"s"`
	MTime  int64  `json:"m"` // Unix nanoseconds
	Tag    string `json:"t,omitempty"`
	Digest string `json:"d,omitempty"` // the first 16 hexadecimal digits; none of a file that cannot be read
	// Refused says that the file was refused and is kept where it is.
	Refused bool `json:"r,omitempty"`
}

func (v version) sameStat(f File) bool {
	return v.Size == f.Size && v.MTime == f.ModTime.UnixNano() && v.Tag == f.Tag
}

func versionOf(f File, digest string) version {
	return version{Size: f.Size, MTime: f.ModTime.UnixNano(), Tag: f.Tag, Digest: digest[:min(len(digest), digestDigits)]}
}

const (
	// digestDigits is how much of a digest a position keeps: enough to tell a file's versions apart.
	digestDigits = 16
	// maxKept is how many files a position remembers. More make every stored position slow.
	maxKept = 10_000
)

// Source returns a source over a place, which it closes when it is closed or when opening fails; base is the folder that the
// login leads to. The fixed folders of the patterns must be there.
func (f *Files) Source(ctx context.Context, place Place, base string, env connectors.Env) (connectors.Source, error) {
	s := &source{place: place, files: *f, now: env.Now, seen: map[string]sighting{}, out: map[string]bool{}}
	s.success, s.failure = action(f.After.Success, base), action(f.After.Failure, base)
	var err error
	s.done, err = decodePosition(env.Position)
	checked := listing{place: place, folders: map[string][]File{}, files: map[string]bool{}}
	for _, p := range f.Paths {
		p = Absolute(p, base)
		s.patterns = append(s.patterns, p)
		if dir, _ := fixed(p); err == nil {
			if _, err = checked.list(ctx, dir); err != nil {
				err = folderFault(dir, err)
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Next implements [connectors.Source].
func (s *source) Next(ctx context.Context) (connectors.Item, error) {
	for {
		f, err := s.round.Head(func() ([]File, error) { return s.look(ctx) })
		if err != nil {
			return connectors.Item{}, err
		}
		item, err := s.take(ctx, f)
		if ctx.Err() != nil && err != nil {
			return connectors.Item{}, ctx.Err() // the file stays at the head: an interrupted call loses nothing
		}
		if _, whole := errors.AsType[*hub.Fault](err); whole {
			return connectors.Item{}, err
		}
		switch {
		case err == nil:
			s.round.Pass(nil)
			return item, nil
		case errors.Is(err, errSkip):
			s.round.Pass(nil)
		default:
			s.round.Pass(hub.Faultf(hub.Unavailable, "file.read", "cannot take the file now").
				At(hub.Where{File: text(f.Path)}).Because(err))
		}
	}
}

// errSkip says that a file is not to be taken now.
var errSkip = errors.New("skip this file")

// take fetches a file and makes it an item, unless its content was taken before. A returned fault concerns the place, any
// other error this file.
func (s *source) take(ctx context.Context, f File) (connectors.Item, error) {
	if f.Size > int64(s.files.Spool.Max) {
		fault := hub.Faultf(hub.TooLarge, "file.too-large", "the file has %d bytes, at most %s are fetched", f.Size, s.files.Spool.Max)
		fault.MessageZh = fmt.Sprintf("文件有 %d 字节，最多获取 %s", f.Size, s.files.Spool.Max)
		return s.refused(ctx, f, fault.WithHint("raise spool.max if there is room for it"))
	}
	c, body, err := s.fetch(ctx, f)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errChanged):
		return connectors.Item{}, errSkip
	case errors.Is(err, fs.ErrPermission):
		fault := hub.Faultf(hub.Invalid, "file.unreadable", "the file cannot be read").Because(err)
		fault.MessageZh, fault.HintZh = "无法读取该文件", "请授予登录用户读取权限"
		return s.refused(ctx, f, fault.WithHint("let the login read it"))
	case err != nil:
		return connectors.Item{}, err
	}
	if v, known := s.done[f.Path]; known && v.Digest == versionOf(f, c.digest).Digest && v.Digest != "" {
		if again, err := s.meetAgain(ctx, c, v); !again {
			return connectors.Item{}, err
		}
	}
	item := connectors.Item{ID: c.digest, Origin: text(f.Path), Token: c}
	if body != nil {
		item.Body = body
	} else {
		item.Open = s.held.open
	}
	s.done[f.Path], s.out[f.Path] = versionOf(f, c.digest), true
	item.Position, err = s.position()
	return item, err
}

// meetAgain decides about a file whose very content was published before: a kept one was only touched, and one that was
// to be moved when the connection or the process ended is moved now. Whether it had been refused is not known any more,
// so it goes where the taken ones go; where refused files stay in place, it is given to the host again to find out.
func (s *source) meetAgain(ctx context.Context, c claim, v version) (again bool, err error) {
	if s.remembered(v) {
		kept := versionOf(c.listed, c.digest)
		kept.Refused = v.Refused
		s.done[c.listed.Path] = kept
		return false, errSkip
	}
	if s.failure.Keep {
		return true, nil
	}
	if err := s.clear(ctx, c, s.success); err != nil {
		return false, fmt.Errorf("move it aside: %w", err)
	}
	delete(s.done, c.listed.Path)
	return false, errSkip
}

// remembered reports whether a file that is done stays where it is.
func (s *source) remembered(v version) bool { return s.success.Keep || v.Refused }

// refused hands over a file that cannot be taken, so that it is moved aside and does not hold up the others.
func (s *source) refused(ctx context.Context, f File, fault *hub.Fault) (connectors.Item, error) {
	fault.Where = hub.Where{File: text(f.Path)}
	exact := f
	if f.Rough { // settling compares what Stat says
		var err error
		if exact, err = s.place.Stat(ctx, f.Path); err != nil {
			return connectors.Item{}, err
		}
	}
	s.out[f.Path] = true
	position, err := s.position()
	return connectors.Item{
		ID: fmt.Sprintf("unread-%x-%d", f.Path, f.Size), Origin: text(f.Path), Position: position,
		Token: claim{listed: f, exact: exact},
		Open:  func() (io.ReadCloser, error) { return nil, fault },
	}, err
}

// text makes a name fit for showing.
func text(name string) string { return strings.ToValidUTF8(name, "�") }

// position is what must not be published again.
func (s *source) position() (hub.Position, error) {
	if len(s.done) > maxKept {
		f := hub.Faultf(hub.Invalid, "file.too-many-kept", "more than %d kept files match", maxKept)
		f.MessageZh = fmt.Sprintf("保留的文件超过 %d 个", maxKept)
		return "", f.WithHint("set after: { success: move:FOLDER }")
	}
	keyed := make(map[string]version, len(s.done))
	for p, v := range s.done {
		keyed[key(p)] = v
	}
	b, err := json.Marshal(keyed)
	if err != nil {
		return "", fmt.Errorf("encode position: %w", err)
	}
	return hub.Position(b), nil
}

// A path that is no UTF-8 stands in hexadecimal in a position; other paths begin with a slash.
func key(p string) string {
	if utf8.ValidString(p) {
		return p
	}
	return hex.EncodeToString([]byte(p))
}

func decodePosition(p hub.Position) (map[string]version, error) {
	done := map[string]version{}
	if p == "" {
		return done, nil
	}
	keyed := map[string]version{}
	err := json.Unmarshal([]byte(p), &keyed)
	for k, v := range keyed {
		if !path.IsAbs(k) {
			raw, herr := hex.DecodeString(k)
			if k = string(raw); herr == nil && !path.IsAbs(k) {
				herr = errors.New("a path in it does not begin with a slash")
			}
			err = errors.Join(err, herr)
		}
		done[k] = v
	}
	if err != nil {
		return nil, badPosition(err)
	}
	return done, nil
}

func badPosition(err error) error {
	return connectors.BadPosition("file.position", `{"/in/orders.csv":{"s":812,"m":1767225600000000000,"d":"00112233445566ff"}}`, err)
}

// CheckPosition implements [connectors.Resumer].
func (f *Files) CheckPosition(p hub.Position) error {
	return connectors.CheckPosition(p, badPosition, decodePosition)
}

// Close implements [connectors.Source].
func (s *source) Close() error {
	var errs []error
	if s.part != nil {
		errs = append(errs, s.part.to.discard())
	}
	if s.held != nil {
		errs = append(errs, s.held.discard())
	}
	return errors.Join(append(errs, s.place.Close())...)
}
