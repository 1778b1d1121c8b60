package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

func checkCommand(std stdio) *cobra.Command {
	var configFile string
	var offline bool
	cmd := &cobra.Command{
		Use: "check --config FILE [--offline]", Short: "Lint the configuration, instance files and mappings, and probe what they name", Args: cobra.NoArgs,
		Long: `Check the configuration, every instance file, every mapping with its tests, and the page templates, and report all faults
at once with file, line and column. Then, unless --offline, probe what they name: folders, the address, servers, ledgers, sources.

Exit codes: 0 all is well, 2 a file is wrong, 3 something around the hub is missing or down.`,
		Example: "  suyuan check --config suyuan.yaml\n  suyuan check --config suyuan.yaml --offline   # in CI",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := checker{std: std, offline: offline}
			return c.run(cmd.Context(), configFile)
		},
	}
	cmd.Flags().StringVar(&configFile, "config", "suyuan.yaml", "configuration file")
	cmd.Flags().BoolVar(&offline, "offline", false, "check the files only: no secrets, no network")
	return cmd
}

// checker gathers the faults of files and of the environment.
type checker struct {
	std     stdio
	offline bool
	files   hub.Faults
	around  hub.Faults
}

func (c *checker) run(ctx context.Context, configFile string) error {
	cfg, err := loadConfig(configFile)
	c.files = appendFaults(c.files, err)
	if hub.KindOf(err) == hub.NotFound {
		return err
	}
	var lookup strictyaml.Lookup
	if !c.offline {
		lookup = secrets()
	}
	l, err := loadConnectors(cfg.path(cfg.Connectors), lookup)
	c.files = appendFaults(c.files, err)
	c.mappingsOfBroken(cfg, l)
	c.mappingTests(cfg, l)
	_, err = cfg.templates()
	c.files = appendFaults(c.files, err)
	if !c.offline && len(c.files) == 0 {
		c.probe(ctx, cfg, l)
	}
	return c.report(l)
}

// mappingsOfBroken checks the mappings of instance files that do not load, so that one run reports the faults of both.
func (c *checker) mappingsOfBroken(cfg Config, l *loaded) {
	if l == nil {
		return
	}
	dir := filepath.Clean(cfg.path(cfg.Connectors))
	root := filepath.Dir(dir)
	names, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return // the pattern has no special characters but its own
	}
	for _, name := range names {
		if slices.ContainsFunc(l.instances, func(inst *connectors.Instance) bool { return filepath.Base(inst.File) == filepath.Base(name) }) {
			continue
		}
		var file struct {
			Map string `yaml:"map"`
		}
		b, err := readRegular(os.DirFS(dir), filepath.Base(name))
		if err != nil {
			continue // reported already
		}
		_ = strictyaml.Decode(name, b, &file, strictyaml.Options{}) // what else is in it is reported already
		if file.Map == "" {
			continue
		}
		at := path.Join(filepath.Base(dir), file.Map)
		if _, err := mapping.Load(&reading{FS: os.DirFS(root), files: texts{}}, at); hub.KindOf(err) == hub.Invalid {
			c.files = appendNew(c.files, withRoot(appendFaults(nil, err), root))
		}
	}
}

// appendNew appends the faults that are not there already: two instances may share a mapping.
func appendNew(to, faults hub.Faults) hub.Faults {
	for _, f := range faults {
		if !slices.ContainsFunc(to, func(g *hub.Fault) bool { return g.Code == f.Code && g.Where == f.Where }) {
			to = append(to, f)
		}
	}
	return to
}

// mappingTests runs the tests beside the mappings.
func (c *checker) mappingTests(cfg Config, l *loaded) {
	if l == nil {
		return
	}
	root := filepath.Dir(filepath.Clean(cfg.path(cfg.Connectors)))
	fsys := os.DirFS(root)
	for _, inst := range l.instances {
		if inst.Map == "" {
			continue
		}
		if _, err := fs.Stat(fsys, mapping.TestsOf(inst.Map)); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		r, err := mapping.RunTests(fsys, inst.Map, testDecoder(inst))
		if err != nil {
			c.files = withRoot(appendFaults(c.files, err), root)
			continue
		}
		if !r.Passed() {
			c.files = append(c.files, hub.Faultf(hub.Invalid, "mapping.tests", "%s of the mapping failed", counted(r.Failures(), "test")).
				At(hub.Where{File: filepath.Join(root, r.Tests)}).WithHint("see: suyuan connector test"))
		}
	}
}

// probe asks what the configuration names whether it is there.
func (c *checker) probe(ctx context.Context, cfg Config, l *loaded) {
	add := func(err error) { c.around = appendFaults(c.around, err) }
	data := probeFolder(cfg.path(cfg.Data))
	add(data)
	if data == nil {
		add(cfg.stream().CheckSpace())
	}
	add(probeKey(&cfg))
	add(cfg.checkTLS())
	add(probeListen(ctx, cfg.Listen))
	add(probeStream(ctx, &cfg))
	add(probeStore(ctx, &cfg))
	add(probeLedgers(ctx, &cfg))
	for _, inst := range l.instances {
		if o, ok := inst.Options.(connectors.Opener); ok && !inst.Retired {
			add(probeSource(ctx, inst, o))
		}
	}
}

const dataHint = "let the hub's user write there, or name another folder with data:"

func probeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return hub.Faultf(hub.Unavailable, "data.folder", "cannot make the folder %s", dir).Because(cause(err)).WithHint(dataHint)
	}
	f, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return hub.Faultf(hub.Unavailable, "data.folder", "cannot write into the data folder %s", dir).Because(cause(err)).WithHint(dataHint)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// probeKey asks whether the hub can take the log's key, if there is one already.
func probeKey(cfg *Config) error {
	name := cfg.keys("log.key")
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, err := cfg.Anchor.algorithm().LoadOrCreateKey(name, cfg.Anchor.Origin)
	return err
}

func probeListen(ctx context.Context, addr string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return unlistenable(addr, err, "a running hub holds its own address: stop it, or use --offline")
	}
	return l.Close()
}

// probeTimeout bounds the probe of one source.
const probeTimeout = 10 * time.Second

// probeStream asks the NATS cluster of the configuration whether it can be used.
func probeStream(ctx context.Context, cfg *Config) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return cfg.stream().CheckCluster(ctx)
}

// probeSource opens and closes a source without reading from it.
func probeSource(ctx context.Context, inst *connectors.Instance, o connectors.Opener) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	src, err := o.Open(ctx, connectors.Env{Connector: inst.ID, Dir: inst.Dir, Now: time.Now})
	if err != nil {
		f := *hub.AsFault(err)
		f.Message = fmt.Sprintf("connector %s: %s", inst.ID, f.Message)
		return &f
	}
	return src.Close()
}

// report prints what was found. A fault of a file wins over one of the environment.
func (c *checker) report(l *loaded) error {
	for _, f := range append(c.files, c.around...) {
		if f.Code == "secret.unresolved" {
			f.Hint += "; to check the files alone: --offline"
		}
		printOne(c.std.out, f)
	}
	switch {
	case len(c.files) > 0:
		fmt.Fprintf(c.std.out, "\n%s in the files\n", counted(len(c.files), "fault"))
		return codeError(exitInvalid)
	case len(c.around) > 0:
		fmt.Fprintf(c.std.out, "\nthe files are good; %s around the hub\n", counted(len(c.around), "fault"))
		return codeError(exitEnvironment)
	}
	fmt.Fprintf(c.std.out, "all is well: %s\n", counted(len(l.instances), "connector"))
	return nil
}

// counted is "1 fault" or "5 faults".
func counted[N int | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// codeError ends a command with an exit code after it has said why itself.
type codeError int

// Error implements error.
func (c codeError) Error() string { return fmt.Sprintf("exit code %d", int(c)) }
