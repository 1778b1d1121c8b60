package exec

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/child"
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
	c, err := launch(ctx, o.program(env))
	if err != nil {
		return nil, err
	}
	s := &source{o: o, adapter: c, name: filepath.Base(o.Command[0])}
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

func (o *Options) program(env connectors.Env) child.Program {
	return child.Program{
		Command: o.Command, Dir: env.Dir, Env: child.Environment(o.Env), MaxLine: int(o.MaxLine),
		Said: child.NewListener(env.Note, o.redact).Hear,
	}
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
