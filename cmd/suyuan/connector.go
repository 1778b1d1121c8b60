package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

func connectorCommand(std stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "connector", Short: "List kinds, run mapping tests, preview a mapping on a sample, verify an adapter"}
	cmd.AddCommand(connectorListCommand(std), connectorTestCommand(std), connectorPreviewCommand(std), connectorVerifyCommand(std))
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
	return usageError{fmt.Errorf("there is no kind %q; see: suyuan connector list", name)}
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
		return false, hub.Faultf(hub.Invalid, "file.unreadable", "cannot read %s", name).Because(err)
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

func connectorPreviewCommand(std stdio) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "preview INSTANCE SAMPLE", Short: "Show what the records of a sample file would become", Args: cobra.ExactArgs(2),
		Long: `Run a sample file through an instance's decoder, mapping and validation, exactly as the hub would, and print what each record
becomes: its events and master data, or why it would be a dead letter. Nothing is sent anywhere.`,
		Example: "  suyuan connector preview connectors/wms-outbound.yaml outbound.csv",
		RunE: func(_ *cobra.Command, args []string) error {
			return preview(std, args[0], args[1], limit)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "how many records to show, 0 for all")
	return cmd
}

// errEnough ends a preview that has shown enough.
var errEnough = errors.New("enough")

func preview(std stdio, instance, input string, limit int) error {
	l, err := loadConnectors(filepath.Dir(instance), nil)
	if l == nil {
		return err
	}
	var inst *connectors.Instance
	for _, i := range l.instances {
		if filepath.Base(i.File) == filepath.Base(instance) {
			inst = i
		}
	}
	if inst == nil {
		return noInstance(instance, err)
	}
	registry, err := schemas.Open()
	if err != nil {
		return err
	}
	c := &catalog{}
	c.byID.Store(&l.parts)
	normaliser := pipeline.NewNormaliser(c.Instance, registry.With(schemas.ValidateOptions{Rules: true}).ValidateEvent, time.Now)
	in, err := openInput(input, std.in)
	if err != nil {
		return err
	}
	defer in.Close()
	n, dead := 0, 0
	err = inst.Splitter.Split(in, func(p connectors.Piece) error {
		if limit > 0 && n >= limit {
			return errEnough
		}
		n++
		env := &hub.Envelope{
			Connector: inst.ID, Provider: inst.Provider, ReceivedAt: time.Now(), Origin: input, Preamble: p.Preamble,
			Records: []hub.Record{{ID: hub.RecordID(fmt.Sprintf("preview#%d", n)), Body: p.Body, Line: p.Line, Column: p.Column}},
		}
		out := normaliser.Normalise(env, &env.Records[0])
		if out.Dead != nil {
			dead++
		}
		return printOutcome(std, n, p, out)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	fmt.Fprintf(std.out, "%d records, %d of them would be dead letters\n", n, dead)
	return failedUnless(dead == 0, nil)
}

// printOutcome prints what one record becomes.
func printOutcome(std stdio, n int, p connectors.Piece, out hub.Outcome) error {
	fmt.Fprintf(std.out, "── record %d", n)
	if p.Line > 0 {
		fmt.Fprintf(std.out, " (line %d)", p.Line)
	}
	fmt.Fprintln(std.out)
	if d := out.Dead; d != nil {
		fmt.Fprintf(std.out, "dead letter, at %s: ", d.Stage)
		printOne(std.out, &d.Fault)
		return nil
	}
	for _, e := range out.Events {
		ev, err := epcis.ParseEvent(e.Body, nil)
		if err != nil {
			return err
		}
		bare, err := ev.JSON(time.Time{})
		if err != nil {
			return err
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, bare, "", "  "); err != nil {
			return err
		}
		fmt.Fprintln(std.out, pretty.String())
	}
	for _, m := range out.Master {
		b, err := json.MarshalIndent(m.Attributes, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%s %s %s\n", m.Kind, m.ID, b)
	}
	if len(out.Events)+len(out.Master) == 0 {
		fmt.Fprintln(std.out, "skipped")
	}
	return nil
}
