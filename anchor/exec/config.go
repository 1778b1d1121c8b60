package exec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Config is a ledger's program.
type Config struct {
	// Kind is what its evidence is called in receipts and trust files, such as "jdchain": the form that the evidence has.
	Kind string `yaml:"kind,required"`
	// Name tells it from other ledgers of its kind, as KIND/NAME; the default is none.
	Name string `yaml:"name"`
	// Command is the program and its arguments; a program with a slash is relative to the configuration file, which is also
	// where it runs. There is no shell.
	Command []string `yaml:"command,required"`
	// Config and Secrets are what the program gets as its config.
	Config  map[string]string            `yaml:"config"`
	Secrets map[string]strictyaml.Secret `yaml:"secrets"`
	// Env is added to the few variables that the program inherits: PATH, HOME, LANG, LC_ALL, TZ, TMPDIR and what Windows
	// needs.
	Env map[string]string `yaml:"env"`
	// Start is how long the program may take to be ready, 30s by default; Answer how long to answer, 25s by default: then it
	// is killed; Stop how long to end when asked, 5s by default.
	Start  time.Duration `yaml:"start"`
	Answer time.Duration `yaml:"answer"`
	Stop   time.Duration `yaml:"stop"`
}

// LedgerName returns what the ledger is called in receipts and trust files: KIND, or KIND/NAME.
func (c *Config) LedgerName() string {
	if c.Name == "" {
		return c.Kind
	}
	return c.Kind + "/" + c.Name
}

// Check implements [strictyaml.Checker].
func (c *Config) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, code, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path)))
	}
	if len(c.Command) == 0 || c.Command[0] == "" {
		refuse("command", "exec.command", "command names no program", "command 未指明程序")
	}
	if err := hub.CheckName(c.Kind); err != nil {
		faults = append(faults, hub.AsFault(err).At(at("kind")))
	}
	if slices.Contains([]string{"notary", "witness"}, c.Kind) {
		refuse("kind", "exec.kind", fmt.Sprintf("%q is a kind of ledger that the hub has itself", c.Kind), fmt.Sprintf("%q 是系统自带的账本类型", c.Kind))
	}
	if err := hub.CheckName(c.Name); c.Name != "" && err != nil {
		faults = append(faults, hub.AsFault(err).At(at("name")))
	}
	for name := range c.Secrets {
		if _, twice := c.Config[name]; twice {
			refuse("secrets", "exec.twice", fmt.Sprintf("%q stands in config and in secrets", name), fmt.Sprintf("%q 同时出现在 config 与 secrets 中", name))
		}
	}
	return faults
}

// complete sets defaults.
func (c *Config) complete() {
	for d, value := range map[*time.Duration]time.Duration{
		&c.Start: 30 * time.Second, &c.Answer: 25 * time.Second, &c.Stop: 5 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
}

// settings are what the program gets as its config.
func (c *Config) settings() map[string]string {
	all := make(map[string]string)
	maps.Copy(all, c.Config)
	for name, secret := range c.Secrets {
		all[name] = secret.Reveal()
	}
	return all
}

// redact puts the reference of each secret in its place.
func (c *Config) redact(text string) string {
	for _, secret := range c.Secrets {
		if value := secret.Reveal(); value != "" {
			text = strings.ReplaceAll(text, value, secret.String())
		}
	}
	return text
}
