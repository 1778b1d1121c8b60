package drop

import (
	"context"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Place is a tree of folders on another machine. Paths are absolute and have slashes. Its methods are called one at a
// time, and none while what Open returned is open. They do not retry; a connection that was lost since the last call may
// be made anew.
//
// Errors: [fs.ErrNotExist], [fs.ErrPermission] and [fs.ErrExist], wrapped, for what they say; a [*hub.Fault] where the
// whole place cannot be used, of kind Unavailable if that may pass; anything else concerns this one path only.
type Place interface {
	Reader
	Changer
}

// Reader is how files are found and read.
type Reader interface {
	// List returns the regular files and the folders of one folder, in any order. Links are left out.
	List(ctx context.Context, dir string) ([]File, error)
	// Stat returns one file with its exact time.
	Stat(ctx context.Context, path string) (File, error)
	// Open streams a file from an offset. Ctx bounds the reading too.
	Open(ctx context.Context, path string, offset int64) (io.ReadCloser, error)
	// Close ends the connection.
	io.Closer
}

// Changer is how files are moved aside.
type Changer interface {
	// Move gives a file a new path, whose folder it makes if there is none. That the new path is free was checked before;
	// a crash within leaves the file whole under one of the two paths, or under both.
	Move(ctx context.Context, from, to string) error
	// Remove deletes a file.
	Remove(ctx context.Context, path string) error
}

// File is a file as a place knows it.
type File struct {
	Path string
	Size int64
	// ModTime is by the place's own clock. Rough says that a listing shortens it, so that only Stat can be compared.
	ModTime time.Time
	Rough   bool
	// Tag is the place's own mark of the content, or empty.
	Tag    string
	Folder bool
}

// same reports whether two looks, or two calls of Stat, found the same. Where the place marks contents, the mark decides:
// some stores round the time in a listing otherwise than in an answer about one object.
func (f File) same(g File) bool {
	if f.Tag != "" && g.Tag != "" {
		return f.Size == g.Size && f.Tag == g.Tag
	}
	return f.Size == g.Size && f.ModTime.Equal(g.ModTime) && f.Tag == g.Tag
}

// NameIsSafe reports whether a name that a server states is one name: no path, no way up, nothing that a protocol's line
// would end at. Others are to be left out of a listing.
func NameIsSafe(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsFunc(name, func(r rune) bool {
		return r == '/' || r < ' ' || r == 0x7f
	})
}

// Absolute returns p as an absolute path, relative to the folder base.
func Absolute(p, base string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join("/", base, p)
}

// grace is how long a call goes on when its context is done: most end by themselves, and the connection stays.
const grace = 2 * time.Second

// Watch calls abort when nothing was touched for limit, or a moment after ctx is done. It serves libraries whose calls
// know no context. Stop must be called.
func Watch(ctx context.Context, limit time.Duration, abort func()) *Guard {
	g := &Guard{limit: limit, timer: time.AfterFunc(limit, abort)}
	g.unhook = context.AfterFunc(ctx, func() { g.extend(min(grace, limit), true) })
	return g
}

// Guard is a running watch.
type Guard struct {
	limit  time.Duration
	unhook func() bool

	mu    sync.Mutex
	timer *time.Timer
	last  bool // there will be no further extension
}

// Touch says that there was progress.
func (g *Guard) Touch() { g.extend(g.limit, false) }

// Stop ends the watch.
func (g *Guard) Stop() {
	g.unhook()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timer.Stop()
	g.last = true
}

func (g *Guard) extend(by time.Duration, last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.last {
		g.timer.Reset(by)
		g.last = last
	}
}

// Lost returns the fault for a place that cannot be reached now.
func Lost(kind, doing string, cause error) *hub.Fault {
	f := hub.Faultf(hub.Unavailable, kind+".connection", "cannot %s", doing).Because(cause)
	f.MessageZh = "暂时无法连接服务器"
	return f
}
