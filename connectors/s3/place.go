package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/hub"
)

// place is one bucket.
type place struct {
	options   *Options
	client    *minio.Client
	transport *http.Transport
}

// Close implements [drop.Reader].
func (p *place) Close() error {
	p.transport.CloseIdleConnections()
	return nil
}

// key is the key of an absolute path.
func key(p string) string { return strings.TrimPrefix(p, "/") }

// do runs one request under the time limit.
func (p *place) do(ctx context.Context, request func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	return p.told(ctx, request(limited))
}

// told turns the store's answer into what [drop.Place] promises.
func (p *place) told(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	said, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok || said.StatusCode >= 500 || said.StatusCode == http.StatusTooManyRequests {
		return drop.Lost("s3", "reach the store", err)
	}
	switch said.Code {
	case minio.NoSuchKey:
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	case minio.NoSuchBucket:
		f := hub.Faultf(hub.NotFound, "s3.bucket", "there is no bucket %s", p.options.Bucket).Because(err)
		f.MessageZh = "不存在存储桶 " + p.options.Bucket
		f.Hint, f.HintZh = "check bucket: and address: with the store's owner", "请与存储服务方核对 bucket 与 address"
		return f
	case minio.AccessDenied:
		return fmt.Errorf("%w: %w", fs.ErrPermission, err)
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed":
		f := hub.Faultf(hub.Unauthorized, "s3.login", "the store refuses the key %s", p.options.Auth.AccessKey).Because(err)
		f.MessageZh = "存储服务拒绝密钥 " + p.options.Auth.AccessKey
		f.Hint, f.HintZh = "check auth, region and this machine's clock", "请检查 auth、region 和本机时钟"
		return f
	}
	return err
}

// List implements [drop.Reader]. A folder without objects is empty, not missing.
func (p *place) List(ctx context.Context, dir string) ([]drop.File, error) {
	prefix := strings.TrimSuffix(key(dir), "/") + "/"
	if prefix == "/" {
		prefix = ""
	}
	var out []drop.File
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for o := range p.client.ListObjectsIter(ctx, p.options.Bucket, minio.ListObjectsOptions{Prefix: prefix}) {
		if o.Err != nil {
			return nil, p.told(ctx, o.Err)
		}
		folder := strings.HasSuffix(o.Key, "/")
		name := strings.TrimSuffix(strings.TrimPrefix(o.Key, prefix), "/")
		if !drop.NameIsSafe(name) || folder && o.Key == prefix {
			continue
		}
		f := entry(o)
		f.Path, f.Folder = path.Join("/", dir, name), folder
		out = append(out, f)
	}
	return out, ctx.Err()
}

func entry(o minio.ObjectInfo) drop.File {
	// Times differ between listing and asking by what is below a second; the tag tells contents apart.
	return drop.File{Path: "/" + o.Key, Size: o.Size, ModTime: o.LastModified.UTC().Truncate(1e9), Tag: strings.Trim(o.ETag, `"`)}
}

// Stat implements [drop.Reader].
func (p *place) Stat(ctx context.Context, name string) (f drop.File, err error) {
	err = p.do(ctx, func(ctx context.Context) error {
		o, err := p.client.StatObject(ctx, p.options.Bucket, key(name), minio.StatObjectOptions{})
		f = entry(o)
		f.Path = name
		return err
	})
	return f, err
}

// Open implements [drop.Reader].
func (p *place) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	if offset > 0 {
		if err := options.SetRange(offset, 0); err != nil {
			return nil, fmt.Errorf("read from %d: %w", offset, err)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	core := minio.Core{Client: p.client} // its GetObject is one request; the client's own reads ahead in a goroutine
	guard := drop.Watch(ctx, p.options.Timeout, stop)
	body, _, _, err := core.GetObject(ctx, p.options.Bucket, key(name), options)
	if err != nil {
		guard.Stop()
		err = p.told(ctx, err)
		stop()
		return nil, err
	}
	return &stream{p: p, body: body, guard: guard, stop: stop}, nil
}

// stream is an object's body, watched.
type stream struct {
	p     *place
	body  io.ReadCloser
	guard *drop.Guard
	stop  func()
}

// Read implements io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.body.Read(b)
	s.guard.Touch()
	if err == nil || errors.Is(err, io.EOF) {
		return n, err
	}
	return n, drop.Lost("s3", "read", err)
}

// Close implements io.Closer.
func (s *stream) Close() error {
	s.guard.Stop()
	s.stop()
	return s.body.Close()
}

// maxCopy is the largest object that a store copies in one request; larger ones are copied in parts.
const maxCopy = 5 << 30

// Move implements [drop.Changer]: a copy within the store, then the deletion.
func (p *place) Move(ctx context.Context, from, to string) error {
	source, err := p.Stat(ctx, from)
	if err != nil {
		return err
	}
	src := minio.CopySrcOptions{Bucket: p.options.Bucket, Object: key(from), MatchETag: source.Tag}
	dst := minio.CopyDestOptions{Bucket: p.options.Bucket, Object: key(to)}
	if source.Size > maxCopy {
		_, err = p.client.ComposeObject(ctx, dst, src)
	} else {
		_, err = p.client.CopyObject(ctx, dst, src)
	}
	if err != nil {
		return p.told(ctx, err)
	}
	return p.Remove(ctx, from)
}

// Remove implements [drop.Changer].
func (p *place) Remove(ctx context.Context, name string) error {
	return p.do(ctx, func(ctx context.Context) error {
		return p.client.RemoveObject(ctx, p.options.Bucket, key(name), minio.RemoveObjectOptions{})
	})
}
