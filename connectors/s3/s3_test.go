package s3_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
	"github.com/suyuan-io/suyuan/connectors/s3"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

const secret = "wJalrXUtnFEMI-test"

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// store is an S3 server in this process, or in the parent process, with a bucket for each folder of the kit's.
type store struct {
	address string
	client  *minio.Client
	// fault decides whether a request is refused before it is served.
	fault atomic.Pointer[func(*http.Request) bool]
}

// envServer is the address of the server in the parent process.
const envServer = "SUYUAN_TEST_S3"

func serve(t *testing.T) *store {
	t.Helper()
	s := &store{address: os.Getenv(envServer)}
	if s.address == "" {
		handler := gofakes3.New(s3mem.New()).Server()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if fault := s.fault.Load(); fault != nil && (*fault)(r) {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			handler.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		s.address = strings.TrimPrefix(server.URL, "http://")
		t.Setenv(envServer, s.address)
	}
	transport := &http.Transport{DisableKeepAlives: true} // what stays open would look like a leak of the kind's
	var err error
	s.client, err = minio.New(s.address, &minio.Options{
		Creds: credentials.NewStaticV4("hub", secret, ""), Region: "us-east-1", Transport: transport, BucketLookup: minio.BucketLookupPath,
	})
	check(t, err)
	return s
}

// bucket is an upstream for the conformance kit.
type bucket struct {
	*store

	name, after string
}

func (s *store) bucket(tb testing.TB, dir, after string) bucket {
	tb.Helper()
	sum := sha256.Sum256([]byte(dir))
	b := bucket{s, hex.EncodeToString(sum[:16]), after}
	ok, err := s.client.BucketExists(tb.Context(), b.name)
	if err == nil && !ok {
		err = s.client.MakeBucket(tb.Context(), b.name, minio.MakeBucketOptions{})
	}
	check(tb, err)
	return b
}

func (b bucket) write(tb testing.TB, key, content string) {
	tb.Helper()
	_, err := b.client.PutObject(tb.Context(), b.name, key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	check(tb, err)
}

// keys lists the bucket.
func (b bucket) keys(tb testing.TB) string {
	tb.Helper()
	var out []string
	for o := range b.client.ListObjectsIter(tb.Context(), b.name, minio.ListObjectsOptions{Recursive: true}) {
		check(tb, o.Err)
		out = append(out, o.Key)
	}
	return strings.Join(out, " ")
}

func (b bucket) Put(tb testing.TB, texts ...string) {
	tb.Helper()
	n := len(strings.Fields(b.keys(tb)))
	b.write(tb, fmt.Sprintf("in/%03d.txt", n), strings.Join(texts, "\n"))
}

func (b bucket) options() *s3.Options {
	o, ok := s3.Kind().Options().(*s3.Options)
	if !ok {
		panic("no options")
	}
	o.Address, o.TLS, o.Bucket, o.Region, o.Style, o.Timeout = b.address, false, b.name, "us-east-1", "path", time.Minute
	o.Auth = s3.Auth{AccessKey: "hub", SecretKey: strictyaml.NewSecret("${env:S3}", secret)}
	o.Paths = []string{"in/*.txt"}
	if b.after == "move" {
		o.After = drop.After{Success: "move:archive", Failure: "move:error"}
	}
	return o
}

func (b bucket) Instance(testing.TB) *connectors.Instance {
	return &connectors.Instance{
		ID: "objects", Provider: "tester", Kind: "s3", Options: b.options(), Splitter: connectortest.Lines{},
		Retry:    connectors.Retry{Initial: time.Millisecond, Max: 10 * time.Millisecond},
		Limits:   connectors.Limits{InFlight: 100, Record: 1 << 20, Body: 1 << 20},
		Interval: 5 * time.Millisecond,
	}
}

func TestConformance(t *testing.T) {
	s := serve(t)
	for _, after := range []string{"move", "keep"} {
		t.Run(after, func(t *testing.T) {
			connectortest.Source(t, func(tb testing.TB, dir string) connectortest.Upstream {
				tb.Helper()
				return s.bucket(tb, dir, after)
			}, connectortest.Traits{Remembers: true, Splits: true, Secrets: []string{secret}})
		})
	}
}

func open(t *testing.T, o *s3.Options, p hub.Position) connectors.Source {
	t.Helper()
	src, err := o.Open(t.Context(), connectors.Env{Position: p, Now: time.Now})
	check(t, err)
	t.Cleanup(func() { check(t, src.Close()) })
	return src
}

func next(t *testing.T, src connectors.Source) connectors.Item {
	t.Helper()
	item, err := src.Next(t.Context())
	check(t, err)
	return item
}

// TestCrashBetweenCopyAndDeletion: the object stands under both keys, and is neither published again nor kept twice.
func TestCrashBetweenCopyAndDeletion(t *testing.T) {
	b := serve(t).bucket(t, t.Name(), "move")
	b.write(t, "in/a.txt", "one")
	src := open(t, b.options(), "")
	item := next(t, src)
	fault := func(r *http.Request) bool { return r.Method == http.MethodDelete }
	b.fault.Store(&fault)
	if err := src.Settle(t.Context(), item, nil); hub.KindOf(err) != hub.Unavailable {
		t.Errorf("settle: %v", err)
	}
	b.fault.Store(nil)
	if got := b.keys(t); got != "archive/a.txt in/a.txt" {
		t.Fatalf("half moved: %s", got)
	}
	if _, err := open(t, b.options(), item.Position).Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("published again: %v", err)
	}
	if got := b.keys(t); got != "archive/a.txt" {
		t.Errorf("left: %s", got)
	}
}

func TestLargeObjectIsStreamed(t *testing.T) {
	b := serve(t).bucket(t, t.Name(), "move")
	content := strings.Repeat("0123456789abcde\n", 200_000)
	b.write(t, "in/large.txt", content)
	item := next(t, open(t, b.options(), ""))
	if item.Open == nil {
		t.Fatal("in memory")
	}
	r, err := item.Open()
	check(t, err)
	got, err := io.ReadAll(r)
	check(t, errors.Join(err, r.Close()))
	if !bytes.Equal(got, []byte(content)) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestExampleLoads(t *testing.T) {
	_, err := load(s3.Kind().Example)
	check(t, err)
}

// load reads an instance file.
func load(text string) (*connectors.Instance, error) {
	return connectors.Loader{
		FS:    fstest.MapFS{"i.yaml": {Data: []byte(text)}, "mapping.yaml": {}},
		Kinds: []connectors.Kind{s3.Kind()}, Format: func(string, []byte) (connectors.Splitter, error) { return connectortest.Lines{}, nil },
	}.Load("i.yaml")
}

func TestFaultsOfTheStore(t *testing.T) {
	s := serve(t)
	gone := s.bucket(t, t.Name(), "keep").options()
	gone.Bucket = "no-such-bucket"
	down := s.bucket(t, t.Name(), "keep").options()
	down.Address = "127.0.0.1:1"
	for name, tc := range map[string]struct {
		o    *s3.Options
		kind hub.Kind
	}{"no bucket": {gone, hub.NotFound}, "unreachable": {down, hub.Unavailable}} {
		_, err := tc.o.Open(t.Context(), connectors.Env{Now: time.Now})
		if hub.KindOf(err) != tc.kind || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
