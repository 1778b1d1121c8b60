package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// Durability says when Publish answers, and so what a 202 means.
type Durability string

// The settings of durability. Neither loses anything to kill -9: they differ in what a power cut can take.
const (
	// Strict answers after the frame is synced to disk. It is the default.
	Strict Durability = "strict"
	// Relaxed answers after the frame is written to the operating system and syncs every [RelaxedSync]: a power cut can
	// take what was acknowledged in that time.
	Relaxed Durability = "relaxed"
)

// RelaxedSync is how often the embedded server syncs under [Relaxed].
const RelaxedSync = 100 * time.Millisecond

// Config is how the raw stream is kept and consumed. The zero value of every field but Dir is good.
type Config struct {
	// Dir holds the embedded server's files; one process at a time may have it. It is required unless Cluster.URL is set.
	Dir string `yaml:"dir"`
	// Locked says that the caller holds the lock of Dir already, by [Lock].
	Locked bool `yaml:"-"`
	// Durability of the embedded server; empty is Strict. A cluster's durability is the cluster's own setting.
	Durability Durability `yaml:"durability"`
	// Listen lets other processes reach the embedded server over TCP, "host:port"; empty, the default, opens no port.
	Listen string `yaml:"listen"`
	// Token is what they must present; required unless Listen is a loopback address.
	Token string `yaml:"token"`
	// Cluster is a NATS cluster to use in place of the embedded server.
	Cluster Cluster `yaml:"cluster"`
	// Partition is the part of the stream that this process publishes to and consumes, a name as in [hub.CheckName]; empty
	// is "0".
	Partition string `yaml:"partition"`
	// Retain is how long raw records are kept after they were processed, for replay and preview; 0 is 7 days, negative
	// for ever. What is not processed yet is never removed.
	Retain time.Duration `yaml:"retain"`
	// MaxBytes bounds the raw stream on disk; 0 is no bound. At the bound processed records are removed before their
	// time; when there are none, Publish refuses with Unavailable.
	MaxBytes int64 `yaml:"maxBytes"`
	// MinFree is the free space in bytes on Dir's file system below which Publish refuses, so that what was accepted can
	// still be recorded; 0 is 512 MiB, negative is no reserve. A cluster watches its own disks.
	MinFree int64 `yaml:"minFree"`
	// MaxLag is how far recording may fall behind acceptance before [Pipeline.Busy] says so; 0 is 20 s.
	MaxLag time.Duration `yaml:"maxLag"`
	// MaxFrame bounds one stream message before compression, in bytes; 0 is almost 8 MiB, at most 48 MiB. It also bounds one
	// record with its preamble.
	MaxFrame int `yaml:"maxFrame"`
	// MaxQueue bounds the bytes that wait to be published; 0 is 64 MiB. Beyond it Publish refuses with Unavailable.
	MaxQueue int `yaml:"maxQueue"`
	// InFlight bounds the bytes of frames, before compression, that are being processed; 0 is 8 MiB. Memory in use is about
	// ten times that.
	InFlight int `yaml:"inFlight"`
	// Batch is how many outcomes one append may hold; 0 is 5,000.
	Batch int `yaml:"batch"`
	// Drain is how long a stop waits for what is in flight; 0 is 20 s.
	Drain time.Duration `yaml:"drain"`
}

// Cluster names a NATS cluster with JetStream.
type Cluster struct {
	// URL is one or more server URLs, separated by commas; empty means the embedded server.
	URL string `yaml:"url"`
	// Credentials is the path of a NATS credentials file; empty for none.
	Credentials string `yaml:"credentials"`
	// CA, Cert and Key are paths of PEM files: the authority to trust and the client's own certificate; empty for none.
	CA   string `yaml:"ca"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	// Replicas is how many servers hold the stream; 0 is 1. Use 3 on a cluster of three or more.
	Replicas int `yaml:"replicas"`
}

const (
	defaultRetain   = 7 * 24 * time.Hour
	defaultMinFree  = 512 << 20
	defaultMaxFrame = 8<<20 - frameOverhead - headroom // a message of 8 MiB, beyond which servers warn
	// frameCeiling stays under the 64 MiB that a server lets one connection have pending.
	frameCeiling = 48 << 20
	// headroom is for the message's subject and headers.
	headroom        = 1024
	defaultMaxQueue = 64 << 20
	defaultInFlight = 8 << 20
	defaultBatch    = 5000
	defaultDrain    = 20 * time.Second
	defaultMaxLag   = 20 * time.Second
)

// CheckSpace returns nil when Dir's file system has MinFree to spare, or the fault with which Publish would refuse. Dir need
// not exist, its parent must.
func (c Config) CheckSpace() error {
	c = c.withDefaults()
	if c.MinFree < 0 || !c.embedded() {
		return nil
	}
	free, err := freeBytes(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		free, err = freeBytes(filepath.Dir(c.Dir))
	}
	if err != nil {
		return fmt.Errorf("read the free space of %s: %w", c.Dir, err)
	}
	if free < c.MinFree {
		return c.diskFull(c.Dir)
	}
	return nil
}

// diskFull is the fault of a disk with less than MinFree. Senders are not told the folder.
func (c Config) diskFull(dir string) *hub.Fault {
	where := "on the hub's disk"
	if dir != "" {
		where = "in " + dir
	}
	f := hub.Faultf(hub.Unavailable, "pipeline.disk-full", "less than the reserve of %d bytes is free %s", c.MinFree, where).
		WithHint("free space there, or lower minFree; nothing accepted is lost, and records are taken again by themselves")
	f.MessageZh, f.HintZh = "系统磁盘空间不足", "请清理磁盘或调小 minFree；已接收的数据不会丢失，空间恢复后自动继续接收"
	return f
}

// withDefaults returns c with every zero field at its default.
func (c Config) withDefaults() Config {
	setZero(&c.Durability, Strict)
	setZero(&c.Partition, "0")
	setZero(&c.Retain, defaultRetain)
	setZero(&c.MinFree, defaultMinFree)
	setZero(&c.MaxLag, defaultMaxLag)
	setZero(&c.MaxFrame, defaultMaxFrame)
	setZero(&c.MaxQueue, defaultMaxQueue)
	setZero(&c.InFlight, defaultInFlight)
	setZero(&c.Batch, defaultBatch)
	setZero(&c.Drain, defaultDrain)
	setZero(&c.Cluster.Replicas, 1)
	return c
}

func setZero[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault in c at once, as [hub.Faults]. Where.Pointer names the field.
func (c Config) Validate() error {
	c = c.withDefaults()
	var fs hub.Faults
	refuse := func(bad bool, field, format string, args ...any) {
		if bad {
			fs = append(fs, hub.Faultf(hub.Invalid, "pipeline.config", format, args...).At(hub.Where{Pointer: "/" + field}))
		}
	}
	refuse(c.Dir == "" && c.Cluster.URL == "", "dir", "dir or cluster.url is needed")
	refuse(c.Durability != Strict && c.Durability != Relaxed, "durability", "%q is neither strict nor relaxed", c.Durability)
	refuse(hub.CheckName(c.Partition) != nil, "partition", "%q is not a name", c.Partition)
	refuse(c.MaxBytes < 0, "maxBytes", "%d is negative", c.MaxBytes)
	refuse(c.MaxFrame < 1<<10 || c.MaxFrame > frameCeiling, "maxFrame", "%d is not between 1 KiB and 48 MiB", c.MaxFrame)
	refuse(c.MaxQueue < 0, "maxQueue", "%d is negative", c.MaxQueue)
	refuse(c.InFlight < 0, "inFlight", "%d is negative", c.InFlight)
	refuse(c.Batch < 1, "batch", "%d is less than 1", c.Batch)
	refuse(c.MaxLag < 0, "maxLag", "%s is negative", c.MaxLag)
	refuse(c.Drain < 0, "drain", "%s is negative", c.Drain)
	refuse(c.Cluster.Replicas < 1 || c.Cluster.Replicas > 5, "cluster/replicas", "%d is not between 1 and 5", c.Cluster.Replicas)
	refuse((c.Cluster.Cert == "") != (c.Cluster.Key == ""), "cluster/cert", "cert and key belong together")
	refuse(c.Listen != "" && c.Cluster.URL != "", "listen", "listen is for the embedded server; cluster.url excludes it")
	host, _, err := hostPort(c.Listen)
	refuse(c.Listen != "" && err != nil, "listen", "%q is not host:port", c.Listen)
	open := c.Listen != "" && err == nil && !net.ParseIP(host).IsLoopback()
	refuse(open && c.Token == "", "token", "a token is needed to listen on %q, which is not a loopback address", host)
	return fs.Err()
}

func hostPort(addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(p)
	return host, port, err
}

func (c Config) embedded() bool { return strings.TrimSpace(c.Cluster.URL) == "" }
