package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/hub"
)

func connectorCommand(std stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "connector", Short: "Make, test, preview, try, watch and steer connectors; list kinds and recipes; verify adapters"}
	cmd.AddCommand(connectorListCommand(std), connectorRecipesCommand(std), connectorNewCommand(std), connectorTestCommand(std),
		connectorPreviewCommand(std), connectorRunCommand(std), connectorPlanCommand(std), connectorVerifyCommand(std),
		connectorStatusCommand(std), connectorPauseCommand(std), connectorResumeCommand(std), connectorRewindCommand(std))
	return cmd
}

func connectorListCommand(std stdio) *cobra.Command {
	var example string
	cmd := &cobra.Command{
		Use: "list [DIR]", Short: "List the kinds of sources and the formats, or the instances in a folder", Args: cobra.MaximumNArgs(1),
		Example: "  suyuan connector list\n  suyuan connector list --example sql\n  suyuan connector list ./connectors",
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case example != "":
				return printExample(std, example)
			case len(args) == 1:
				return listInstances(std, args[0])
			}
			fmt.Fprintln(std.out, "kinds (under source:)")
			for _, k := range kinds() {
				fmt.Fprintf(std.out, "  %-12s %s\n", k.Name, k.Summary)
			}
			fmt.Fprintln(std.out, "formats (under decode:)")
			for _, f := range decode.Formats() {
				fmt.Fprintf(std.out, "  %-12s %s\n", f.Name, f.Summary)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&example, "example", "", "print a whole instance file of this kind")
	return cmd
}

func printExample(std stdio, name string) error {
	for _, k := range kinds() {
		if k.Name == name {
			_, err := fmt.Fprint(std.out, k.Example)
			return err
		}
	}
	return usageError{fmt.Errorf("there is no kind %q\n    → see: suyuan connector list", name)}
}

func listInstances(std stdio, dir string) error {
	l, err := loadConnectors(dir, nil)
	if l != nil {
		for _, inst := range l.instances {
			fmt.Fprintf(std.out, "%-24s %-10s %-10s %-24s %s\n", inst.ID, inst.Kind, inst.Format, inst.Provider, inst.Map)
		}
	}
	return err
}

func connectorTestCommand(std stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use: "test PATH…", Short: "Run the tests beside the mappings of instance files", Args: cobra.MinimumNArgs(1),
		Long: `Run the mapping tests (NAME.test.yaml beside NAME.yaml) of instance files, or of every instance file in a folder, and say
which branches of the mapping no test reached.`,
		Example: "  suyuan connector test ./connectors\n  suyuan connector test connectors/wms-outbound.yaml",
		RunE: func(_ *cobra.Command, args []string) error {
			ok := true
			for _, name := range args {
				good, err := testPath(std, name)
				if err != nil {
					return err
				}
				ok = ok && good
			}
			return failedUnless(ok, nil)
		},
	}
	return cmd
}

// testPath runs the tests of one instance file, or of a folder of them.
func testPath(std stdio, name string) (bool, error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, unreadable(name, err)
	}
	dir, only := name, ""
	if !info.IsDir() {
		dir, only = filepath.Dir(name), filepath.Base(name)
	}
	l, err := loadConnectors(dir, nil)
	if err != nil && (l == nil || only == "") {
		return false, err
	}
	fsys := os.DirFS(filepath.Dir(filepath.Clean(dir)))
	ok, found := true, false
	for _, inst := range l.instances {
		if only != "" && filepath.Base(inst.File) != only {
			continue
		}
		found = true
		if inst.Map == "" {
			fmt.Fprintf(std.out, "%s: speaks EPCIS, no mapping\n", inst.ID)
			continue
		}
		if _, err := fs.Stat(fsys, mapping.TestsOf(inst.Map)); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(std.out, "%s: no tests (%s)\n", inst.ID, mapping.TestsOf(inst.Map))
			continue
		}
		r, err := mapping.RunTests(fsys, inst.Map, testDecoder(inst))
		if err != nil {
			fmt.Fprint(std.err, mapping.Explain(fsys, err, "en"))
			return false, errFailed
		}
		fmt.Fprintf(std.out, "%s\n%s", inst.ID, r)
		ok = ok && r.Passed()
	}
	if !found {
		return false, noInstance(name, err)
	}
	return ok, nil
}

// noInstance says why a name is not that of an instance: its own faults, or that there is no such file.
func noInstance(name string, err error) error {
	var own hub.Faults
	for _, f := range appendFaults(nil, err) {
		if filepath.Base(f.Where.File) == filepath.Base(name) {
			own = append(own, f)
		}
	}
	if len(own) > 0 {
		return own
	}
	if _, missing := os.Stat(name); missing == nil && err != nil {
		return err // its mapping is wrong
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return hub.Faultf(hub.NotFound, "instance.unknown", "there is no instance file in %s", name).
			WithHint("name the folder that connectors: names, or make a connector: suyuan connector new --help")
	}
	return hub.Faultf(hub.NotFound, "instance.unknown", "there is no instance file %s", name).
		WithHint("see: suyuan connector list " + filepath.Dir(name))
}

// testDecoder decodes a test's input with the instance's decoder.
func testDecoder(inst *connectors.Instance) mapping.Decode {
	return func(body []byte) ([]mapping.Record, error) {
		d, err := decode.New(inst.Format, inst.Settings)
		if err != nil {
			return nil, err
		}
		var out []mapping.Record
		err = decode.All(d, bytes.NewReader(body), func(p connectors.Piece, t decode.Tree) error {
			out = append(out, mapping.Record{Row: t.Value, Locate: func(pointer string) hub.Where { return decode.Shift(t.Locate(pointer), p) }})
			return nil
		})
		return out, err
	}
}
