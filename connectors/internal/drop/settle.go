package drop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
)

// Settle implements [connectors.Source]: it moves, deletes or keeps the file. A file that is gone was settled before; one
// that has changed meanwhile is left for the next look.
//
// The position holds the file already. After a crash before the move, or in it, the next look finds it there, fetches it
// for its digest only, and moves it.
func (s *source) Settle(ctx context.Context, item connectors.Item, refused error) error {
	c, ok := item.Token.(claim)
	if !ok {
		return hub.Faultf(hub.Internal, "file.token", "settle %s: not an item of this source", item.Origin)
	}
	act := s.success
	if refused != nil {
		act = s.failure
	}
	p := c.listed.Path
	delete(s.out, p)
	if act.Keep {
		v := versionOf(c.listed, c.digest)
		v.Refused = refused != nil
		s.done[p] = v
		return nil
	}
	now, err := s.place.Stat(ctx, p)
	if err == nil && now.same(c.exact) {
		err = s.clear(ctx, c, act)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		delete(s.done, p)
		return nil
	}
	return s.settleFault(item.Origin, err)
}

func (s *source) settleFault(origin string, err error) error {
	if _, whole := errors.AsType[*hub.Fault](err); whole || errors.Is(err, context.Canceled) {
		return err
	}
	kind := hub.Unavailable
	if errors.Is(err, fs.ErrPermission) {
		kind = hub.Forbidden
	}
	f := hub.Faultf(kind, "file.settle", "cannot move or delete the file").At(hub.Where{File: origin}).Because(err)
	f.MessageZh = "无法移动或删除该文件"
	f.Hint, f.HintZh = "let the login change both folders, or set after to keep", "请授予登录用户对两个目录的写权限，或将 after 设为 keep"
	return f
}

// clear removes the file from its folder, its marker first: what is left without marker is known from the position, but
// a marker left alone would announce the next file of the name.
func (s *source) clear(ctx context.Context, c claim, act Action) error {
	p := c.listed.Path
	if s.files.Ready.Marker != "" {
		if err := s.place.Remove(ctx, s.marker(p)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if act.Remove {
		return s.place.Remove(ctx, p)
	}
	to := path.Join(act.Dir, path.Base(p))
	there, err := s.place.Stat(ctx, to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.place.Move(ctx, p, to)
	case err != nil:
		return err
	}
	same, err := s.holds(ctx, there, c)
	if err != nil {
		return err
	}
	if same {
		return s.place.Remove(ctx, p) // moved half, or sent again
	}
	ext := path.Ext(to)
	return s.place.Move(ctx, p, strings.TrimSuffix(to, ext)+"."+s.now().UTC().Format(moment)+ext)
}

// moment is the layout of the suffix that keeps two files of one name apart.
const moment = "20060102T150405.000000000"

// holds reports whether the file that is there has the claimed content.
func (s *source) holds(ctx context.Context, there File, c claim) (bool, error) {
	if there.Size != c.exact.Size || c.digest == "" {
		return false, nil
	}
	r, err := s.place.Open(ctx, there.Path, 0)
	if err != nil {
		return false, err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, io.LimitReader(r, there.Size))
	if err := errors.Join(err, r.Close()); err != nil {
		return false, err
	}
	return hex.EncodeToString(sum.Sum(nil)) == c.digest, nil
}
