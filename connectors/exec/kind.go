package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name: "exec", Summary: "an adapter in any language, as a child process", Example: example,
		Options: func() any { return defaults() },
	}
}

func defaults() *Options {
	return &Options{Quiet: 250 * time.Millisecond, Start: 30 * time.Second, Stop: 5 * time.Second, MaxLine: 32 << 20}
}

const example = `id: legacy-orders
provider: brand
source:
  exec:
    command: [python3, ./csv_tail.py]     # relative to this file
    config: { path: /srv/erp/orders.csv }
    secrets: { password: "${env:ERP_PASSWORD}" }
decode: json
map: ./mapping.yaml
interval: 1s
`

// Options are the settings of an exec instance.
type Options struct {
	// Command is the program and its arguments; a program with a slash is relative to the instance file, which is also where
	// it runs. There is no shell.
	Command []string `yaml:"command,required"`
	// Config and Secrets are what the adapter gets as its config.
	Config  map[string]string            `yaml:"config"`
	Secrets map[string]strictyaml.Secret `yaml:"secrets"`
	// Env is added to the few variables that the child inherits: PATH, HOME, LANG, LC_ALL, TZ, TMPDIR and what Windows needs.
	Env map[string]string `yaml:"env"`
	// Quiet is how long nothing must come for the source to count as read to its end, 250ms by default.
	Quiet time.Duration `yaml:"quiet"`
	// Start is how long the adapter may take to be ready, 30s by default; Stop how long to end when asked, 5s by default.
	// Then its whole process group is killed.
	Start time.Duration `yaml:"start"`
	Stop  time.Duration `yaml:"stop"`
	// RestartAfter starts an adapter anew that has said nothing for so long; never by default.
	RestartAfter time.Duration `yaml:"restartAfter"`
	// MaxLine is the longest line of the adapter, 32MiB by default: a record takes a third more than its bytes.
	MaxLine strictyaml.Size `yaml:"maxLine"`
}

// Bounds of MaxLine.
const (
	leastLine   = 1 << 10
	longestLine = 128 << 20
)

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, code, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path)))
	}
	if len(o.Command) == 0 || o.Command[0] == "" {
		refuse("command", "exec.command", "command names no program", "command 未指明程序")
	}
	for name := range o.Secrets {
		if _, twice := o.Config[name]; twice {
			refuse("secrets", "exec.twice", fmt.Sprintf("%q stands in config and in secrets", name), fmt.Sprintf("%q 同时出现在 config 与 secrets 中", name))
		}
	}
	for path, d := range map[string]time.Duration{"quiet": o.Quiet, "start": o.Start, "stop": o.Stop} {
		if d <= 0 {
			refuse(path, "exec.duration", path+" must be longer than 0s", path+" 必须大于 0s")
		}
	}
	if o.MaxLine < leastLine || o.MaxLine > longestLine {
		refuse("maxLine", "exec.max-line", "maxLine must be from 1KiB to 128MiB", "maxLine 必须在 1KiB 到 128MiB 之间")
	}
	return faults
}

// Open implements [connectors.Opener]: it starts the adapter and waits until it is ready.
func (o *Options) Open(ctx context.Context, env connectors.Env) (connectors.Source, error) {
	c, err := start(ctx, o.program(env))
	if err != nil {
		return nil, err
	}
	s := &source{o: o, child: c, name: filepath.Base(o.Command[0])}
	config := maps.Clone(o.Config)
	if config == nil {
		config = map[string]string{}
	}
	for name, secret := range o.Secrets {
		config[name] = secret.Reveal()
	}
	if err := c.begin(ctx, initMessage{"init", Protocol, config, string(env.Position)}, o.Start, &s.name); err != nil {
		c.close(o.Stop)
		return nil, s.clean(err)
	}
	return s, nil
}

// begin sends init and waits for ready. It sets name to the adapter's own.
func (c *child) begin(ctx context.Context, hello initMessage, patience time.Duration, name *string) error {
	if err := c.send(hello); err != nil {
		return err
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case m, ok := <-c.messages:
		switch {
		case !ok:
			return c.why(ctx)
		case m.T == "error":
			return m.fault()
		case m.T != "ready":
			return broken("exec.not-ready", "it begins with %q in place of ready", m.T)
		}
		*name = cmp.Or(m.Spec.Name, *name)
		return nil
	case <-t.C:
		f := hub.Faultf(hub.Unavailable, "exec.not-ready", "the adapter is not ready after %s", patience)
		f.MessageZh = "适配器未在规定时间内就绪"
		return f.WithHint("raise start, or see what it waits for")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// why says why there are no more messages.
func (c *child) why(ctx context.Context) error {
	if hub.KindOf(c.end) == hub.Invalid {
		return c.end
	}
	return c.died(ctx)
}

func (o *Options) program(env connectors.Env) program {
	return program{
		command: o.Command, dir: env.Dir, env: environment(o.Env), maxLine: int(o.MaxLine),
		said: (&listener{note: env.Note, redact: o.redact, limit: rate.NewLimiter(linesPerSecond, linesAtOnce)}).hear,
	}
}

// environment is what a child inherits: nothing that may hold the hub's secrets.
func environment(more map[string]string) []string {
	var out []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", "SystemRoot", "TEMP", "TMP":
			out = append(out, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		out = append(out, name+"="+more[name])
	}
	return out
}

// redact puts the reference of each secret in its place.
func (o *Options) redact(text string) string {
	for _, secret := range o.Secrets {
		if value := secret.Reveal(); value != "" {
			text = strings.ReplaceAll(text, value, secret.String())
		}
	}
	return text
}

// clean takes the secrets out of a fault's texts.
func (s *source) clean(err error) error {
	f, ok := errors.AsType[*hub.Fault](err)
	if !ok {
		return err
	}
	f.Message = s.o.redact(f.Message)
	f.MessageZh = s.o.redact(f.MessageZh)
	if f.Err != nil {
		f.Err = errors.New(s.o.redact(f.Err.Error()))
	}
	return err
}

// How much of what adapters say goes to the log.
const (
	linesPerSecond = 10
	linesAtOnce    = 200
)

// listener passes on what an adapter says, within limits.
type listener struct {
	note   func(slog.Level, string)
	redact func(string) string
	limit  *rate.Limiter

	mu      sync.Mutex
	dropped int
}

func (l *listener) hear(line string) {
	if l.note == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.limit.Allow() {
		l.dropped++
		return
	}
	if l.dropped > 0 {
		l.note(slog.LevelWarn, fmt.Sprintf("%d lines were left out", l.dropped))
		l.dropped = 0
	}
	level, text := levelOf(line)
	l.note(level, l.redact(text))
}

// levelOf reads the level that a line begins with; a line without one is information.
func levelOf(line string) (slog.Level, string) {
	for prefix, level := range map[string]slog.Level{
		"E!": slog.LevelError, "W!": slog.LevelWarn, "I!": slog.LevelInfo, "D!": slog.LevelDebug,
	} {
		if text, ok := strings.CutPrefix(line, prefix); ok {
			return level, strings.TrimSpace(text)
		}
	}
	return slog.LevelInfo, line
}
