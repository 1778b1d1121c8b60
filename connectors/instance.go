package connectors

import (
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Instance is one connector as its file states it. It is not changed after loading.
type Instance struct {
	// ID owns the state: position, metrics, dead letters. Everything else may change without losing it.
	ID hub.ConnectorID
	// Provider is the party whose statements the records are.
	Provider hub.ProviderID
	// Kind is the kind's name, Options its decoded options ([Opener] or [Listener]).
	Kind    string
	Options any
	// Format and Settings are the decoder; Settings is YAML, padded so that its places are the file's, or nil. Splitter
	// is the decoder's splitter.
	Format   string
	Settings []byte
	Splitter Splitter
	// Map is the mapping's path within the loader's file system, "" for the format epcis.
	Map string
	// File is the instance file's path, Dir the folder on disk that relative paths in the options are relative to.
	File string
	Dir  string
	// Retired makes a receiver answer 410 Gone and keeps a source from running.
	Retired bool

	Retry    Retry
	Limits   Limits
	Breaker  Breaker
	Interval time.Duration
	// Silence is how long nothing may arrive before the instance counts as silent; 0 is never.
	Silence time.Duration
	// Version changes with the file's content and with the secrets that it refers to.
	Version hub.Digest
}

// Pushed reports whether the instance receives over HTTP.
func (i *Instance) Pushed() bool { _, ok := i.Options.(Listener); return ok }

// Retry is the back-off after a fault: exponential with jitter.
type Retry struct {
	// Initial is the first delay, 1s by default; Max the longest, 5m by default. A fault that only a person can mend is
	// tried again after Max, so that mending the cause is enough.
	Initial time.Duration `yaml:"initial"`
	Max     time.Duration `yaml:"max"`
}

// Limits bound what one instance may take.
type Limits struct {
	// InFlight is how many records may be read but not yet durable, 1024 by default.
	InFlight int `yaml:"inFlight" min:"1" max:"100000"`
	// Record is the largest record, 1MiB by default. A larger one goes to dead letters with its beginning; over HTTP the
	// request is refused with 413.
	Record strictyaml.Size `yaml:"record"`
	// Body is the largest request body after decompression, 16MiB by default.
	Body strictyaml.Size `yaml:"body"`
	// Rate is how many records may come in a second; not set is no limit.
	Rate strictyaml.Rate `yaml:"rate"`
}

// instanceFile is the shape of an instance file.
type instanceFile struct {
	ID       string            `yaml:"id,required"`
	Provider string            `yaml:"provider,required"`
	Source   strictyaml.Choice `yaml:"source,required"`
	Decode   strictyaml.Choice `yaml:"decode"`
	Map      strictyaml.Text   `yaml:"map"`
	Retired  bool              `yaml:"retired"`
	Retry    Retry             `yaml:"retry"`
	Limits   Limits            `yaml:"limits"`
	Breaker  Breaker           `yaml:"breaker"`
	Interval time.Duration     `yaml:"interval"`
	Silence  time.Duration     `yaml:"silence"`
}

func defaults() instanceFile {
	return instanceFile{
		Retry:    Retry{Initial: time.Second, Max: 5 * time.Minute},
		Limits:   Limits{InFlight: 1024, Record: 1 << 20, Body: 16 << 20},
		Interval: unstated,
	}
}

// Bounds of what an instance file may ask for.
const (
	maxRecord   = 7 << 20 // with its envelope it fits a message of the raw stream
	maxBody     = 256 << 20
	minInterval = 10 * time.Millisecond
)

const (
	defaultInterval = 10 * time.Second
	// unstated marks an interval that is the kind's to say.
	unstated = -1
)

// Check implements [strictyaml.Checker].
func (f *instanceFile) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, code, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path)))
	}
	for _, name := range []struct{ path, value string }{{"id", f.ID}, {"provider", f.Provider}} {
		if err := hub.CheckName(name.value); err != nil {
			fault := hub.AsFault(err).At(at(name.path))
			fault.MessageZh = `"` + name.value + `" 不是有效名称`
			fault.HintZh = "请用 1 到 63 个 a-z、0-9 和 '-'，以字母或数字开头"
			faults = append(faults, fault)
		}
	}
	if f.Retry.Initial <= 0 || f.Retry.Max < f.Retry.Initial {
		refuse("retry", "instance.retry", "retry needs 0 < initial <= max", "retry 要求 0 < initial <= max")
	}
	if f.Limits.Record < 1 || f.Limits.Record > maxRecord {
		refuse("limits.record", "instance.record-limit", "record must be from 1B to 7MiB", "record 必须在 1B 到 7MiB 之间")
	}
	if f.Limits.Record <= maxRecord && f.Limits.Body < f.Limits.Record || f.Limits.Body > maxBody {
		refuse("limits.body", "instance.body-limit", "body must be from the record limit to 256MiB",
			"body 必须在 record 限制到 256MiB 之间")
	}
	if f.Interval != unstated && f.Interval < minInterval {
		refuse("interval", "instance.interval", "interval must be at least 10ms", "interval 至少为 10ms")
	}
	return faults
}
