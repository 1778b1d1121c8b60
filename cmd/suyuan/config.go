package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/web"
)

// Config is the hub's configuration file; docs/operations.md is its reference. The zero value of a field that is not
// named required is its default.
type Config struct {
	// Listen is the address of the one HTTP listener; the default is 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	// TLS is the listener's certificate; without it the listener speaks plain HTTP, for a proxy in front.
	TLS *TLSConfig `yaml:"tls"`
	// Data is the folder of what this process keeps: everything, unless Store and Stream are elsewhere; one process may have
	// it. The default is ./suyuan-data.
	Data string `yaml:"data"`
	// Connectors is the folder of instance files; the default is ./connectors.
	Connectors string `yaml:"connectors"`
	// Backups is the folder of the backups that the hub writes, best on another disk; the default is ./suyuan-backups.
	Backups string `yaml:"backups"`
	// Pages is a folder of page templates; empty means the built-in ones.
	Pages string `yaml:"pages"`
	// PublicURL is the address under which others reach the hub; the default is made from Listen.
	PublicURL string `yaml:"publicURL"`
	// Roles are what this process does of the hub, beside others on the same stream.url and store.postgres; the default is
	// everything. --roles overrides it.
	Roles     []string        `yaml:"roles"`
	Store     StoreConfig     `yaml:"store"`
	Stream    StreamConfig    `yaml:"stream"`
	Anchor    AnchorConfig    `yaml:"anchor"`
	EPCIS     EPCISConfig     `yaml:"epcis"`
	Log       LogConfig       `yaml:"log"`
	Telemetry TelemetryConfig `yaml:"telemetry"`
	// Drain is how long a stop waits for what is in flight; the default is 20s.
	Drain time.Duration `yaml:"drain"`

	dir string // of the file; relative paths are relative to it
	at  strictyaml.Locator
}

// TLSConfig names PEM files.
type TLSConfig struct {
	Cert string `yaml:"cert,required"`
	Key  string `yaml:"key,required"`
}

// StreamConfig is the raw stream.
type StreamConfig struct {
	// Durability is strict (202 means synced to disk; the default) or relaxed (a power cut can take the last 100 ms; a
	// killed process loses nothing either way).
	Durability string `yaml:"durability" enum:"strict,relaxed"`
	// URL is a NATS cluster with JetStream in place of the embedded server, with its credentials file and replicas.
	URL         string `yaml:"url"`
	Credentials string `yaml:"credentials"`
	CA          string `yaml:"ca"`
	Replicas    int    `yaml:"replicas" min:"1" max:"5"`
	// Retain is how long raw records are kept for replay after they are recorded; the default is 168h.
	Retain time.Duration `yaml:"retain"`
	// MaxBytes bounds the stream on disk; 0 is no bound.
	MaxBytes strictyaml.Size `yaml:"maxBytes"`
	// MinFree is the free disk space below which new data is refused; the default is 512MiB.
	MinFree strictyaml.Size `yaml:"minFree"`
	// MaxLag is how far recording may fall behind acceptance before senders are refused with 429 and sources wait; the
	// default is 20s. While nothing can be recorded at all, and until that is caught up with, everything is accepted.
	MaxLag time.Duration `yaml:"maxLag"`
}

// AnchorConfig is the log and its ledgers.
type AnchorConfig struct {
	// Keys is the folder of the signing keys; the default is keys in the data folder. Processes that share a store share it.
	Keys string `yaml:"keys"`
	// Origin names the log for ever, like a URL without a scheme; the default is "suyuan.local/log".
	Origin string `yaml:"origin"`
	// Hash is the hash function of the log, for ever: sha-256, the default, with Ed25519 signatures, or sm3 with SM2 ones.
	Hash string `yaml:"hash" enum:"sha-256,sm3"`
	// Ledgers witness every checkpoint; the default is the embedded notary alone. Quorum is how many of them must have
	// witnessed a checkpoint before receipts are given out; 0 means all.
	Ledgers []LedgerConfig `yaml:"ledgers"`
	Quorum  int            `yaml:"quorum" min:"0"`
	// MaxLeaves and MaxAge seal a batch by size or age; the defaults are 65536 and 1s.
	MaxLeaves int           `yaml:"maxLeaves" min:"1"`
	MaxAge    time.Duration `yaml:"maxAge"`
	// TargetCost is how many ledger transactions a million events may cost on average, all ledgers together; 0, the default,
	// sets no target. A batch that is old enough and would cost more waits for more events, but no longer than MaxDelay, 10m
	// by default.
	TargetCost float64       `yaml:"targetCost"`
	MaxDelay   time.Duration `yaml:"maxDelay"`
}

// LogConfig is how the hub logs.
type LogConfig struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error"`
	Format string `yaml:"format" enum:"json,console"`
}

// TelemetryConfig is where spans go.
type TelemetryConfig struct {
	// OTLP is an OTLP/HTTP endpoint, such as http://127.0.0.1:4318; empty sends no spans.
	OTLP string `yaml:"otlp"`
}

func defaultConfig() Config {
	return Config{
		Listen: "127.0.0.1:8080", Data: "suyuan-data", Backups: "suyuan-backups", Connectors: "connectors", Drain: 20 * time.Second,
		Stream: StreamConfig{Durability: string(pipeline.Strict), Replicas: 1, Retain: 7 * 24 * time.Hour, MinFree: 512 << 20},
		Anchor: AnchorConfig{Origin: "suyuan.local/log", MaxLeaves: 65536, MaxAge: time.Second, MaxDelay: 10 * time.Minute},
		Log:    LogConfig{Level: "info", Format: "json"},
	}
}

// loadConfig reads the configuration file strictly. Every fault in it is reported at once.
func loadConfig(path string) (Config, error) {
	c := defaultConfig()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, hub.Faultf(hub.NotFound, "config.missing", "there is no configuration file %s", path).
			WithHint("see docs/operations.md for one to begin with, or try: suyuan demo")
	}
	if err != nil {
		f := *hub.AsFault(unreadable(path, err))
		f.Code = "config.unreadable"
		return c, &f
	}
	c.dir = filepath.Dir(path)
	return c, strictyaml.Decode(path, data, &c, strictyaml.Options{Lookup: secrets()}).Err()
}

// Check implements [strictyaml.Checker].
func (c *Config) Check(at strictyaml.Locator) hub.Faults {
	c.at = at
	var faults hub.Faults
	refuse := func(path, code, message, hint string) {
		faults = append(faults, hub.Faultf(hub.Invalid, code, "%s", message).WithHint(hint).At(at(path)))
	}
	if err := anchor.CheckOrigin(c.Anchor.Origin); err != nil {
		faults = append(faults, hub.AsFault(err).At(at("anchor.origin")))
	}
	if err := checkListen(c.Listen); err != nil {
		faults = append(faults, hub.AsFault(err).At(at("listen")))
	}
	if c.PublicURL != "" && !isURL(c.PublicURL) {
		refuse("publicURL", "config.public-url", fmt.Sprintf("%q is no address under which others reach the hub", c.PublicURL), "write it like https://trace.example.com")
	}
	if c.Telemetry.OTLP != "" && !isURL(c.Telemetry.OTLP) {
		refuse("telemetry.otlp", "config.otlp", fmt.Sprintf("%q is no address of a collector", c.Telemetry.OTLP), "write it like http://127.0.0.1:4318")
	}
	if c.Anchor.MaxAge <= 0 {
		refuse("anchor.maxAge", "config.max-age", "maxAge must be longer than 0", "1s is the default")
	}
	if c.Anchor.MaxDelay < c.Anchor.MaxAge {
		refuse("anchor.maxDelay", "config.max-delay", "maxDelay must not be shorter than maxAge", "10m is the default")
	}
	if n := float64(len(c.Anchor.ledgers())); c.Anchor.TargetCost != 0 && c.Anchor.TargetCost*float64(c.Anchor.MaxLeaves) < n*1e6 {
		refuse("anchor.targetCost", "config.target-cost", "batches of at most maxLeaves events cost more than targetCost", "raise maxLeaves or targetCost")
	}
	faults = append(faults, c.Anchor.checkLedgers(at)...)
	faults = append(faults, c.checkRoles(at)...)
	if c.Stream.MaxLag < 0 {
		refuse("stream.maxLag", "config.max-lag", "maxLag must not be negative", "20s is the default")
	}
	if c.Drain <= 0 {
		refuse("drain", "config.drain", "drain must be longer than 0", "20s is the default")
	}
	return faults
}

// checkListen refuses what is no address to listen on.
func checkListen(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if _, bad := strconv.ParseUint(port, 10, 16); err == nil && bad == nil {
		return nil
	}
	return hub.Faultf(hub.Invalid, "config.listen", "%q is no address to listen on", addr).
		WithHint(`write host:port with a port up to 65535, such as "0.0.0.0:8080"`)
}

// isURL reports whether text is the address of something that speaks HTTP.
func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// checkTLS refuses a certificate and a key that cannot be served with.
func (c *Config) checkTLS() error {
	if c.TLS == nil {
		return nil
	}
	_, err := c.certificate()
	return err
}

// certificate is that of the listener, with its key.
func (c *Config) certificate() (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.path(c.TLS.Cert), c.path(c.TLS.Key))
	if err != nil {
		return pair, hub.Faultf(hub.Invalid, "config.tls", "cannot serve with the files of tls:").Because(err).
			WithHint("cert: and key: are PEM files that the hub's user can read, and the key is that of the certificate")
	}
	return pair, nil
}

// templates are the page templates: those of the folder that is named, or the built-in ones.
func (c *Config) templates() ([]web.Template, error) {
	if c.Pages == "" {
		return web.LoadTemplates(nil)
	}
	dir := c.path(c.Pages)
	if _, err := os.Stat(dir); err != nil {
		return nil, hub.Faultf(hub.Invalid, "page.folder", "cannot read the page templates in %s", dir).Because(cause(err)).
			WithHint("make the folder, or leave pages: out for the built-in ones")
	}
	t, err := web.LoadTemplates(os.DirFS(dir))
	return t, withRoot(appendFaults(nil, err), dir).Err()
}

// path resolves a path of the configuration.
func (c *Config) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.dir, p)
}

// data is a path below the data folder.
func (c *Config) data(elem ...string) string {
	return filepath.Join(append([]string{c.path(c.Data)}, elem...)...)
}

// keys is a path below the folder of the signing keys.
func (c *Config) keys(name string) string {
	if c.Anchor.Keys == "" {
		return c.data("keys", name)
	}
	return filepath.Join(c.path(c.Anchor.Keys), name)
}

// stream is the pipeline's configuration.
func (c *Config) stream() pipeline.Config {
	return pipeline.Config{
		Dir: c.data("stream"), Durability: pipeline.Durability(c.Stream.Durability), Retain: c.Stream.Retain,
		MaxBytes: int64(c.Stream.MaxBytes), MinFree: int64(c.Stream.MinFree), MaxLag: c.Stream.MaxLag, Drain: c.Drain,
		Cluster: pipeline.Cluster{
			URL: c.Stream.URL, Credentials: c.path(c.Stream.Credentials), CA: c.path(c.Stream.CA), Replicas: c.Stream.Replicas,
		},
	}
}

// secrets resolves ${env:NAME} and ${file:PATH}.
func secrets() strictyaml.Lookup { return strictyaml.NewLookup(os.LookupEnv, os.ReadFile) }
