package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/connectors/recipes"
	"github.com/suyuan-io/suyuan/hub"
)

func connectorRecipesCommand(std stdio) *cobra.Command {
	return &cobra.Command{
		Use: "recipes", Short: "List the ready connectors for well-known senders", Args: cobra.NoArgs,
		Example: "  suyuan connector recipes",
		Long:    "List the ready connectors. Each has an instance file, a mapping, its tests and test data:\n\n  suyuan connector new --recipe NAME",
		RunE: func(*cobra.Command, []string) error {
			for _, r := range recipes.All() {
				fmt.Fprintf(std.out, "%-22s %s\n", r.Name, r.Summary)
			}
			return nil
		},
	}
}

func connectorNewCommand(std stdio) *cobra.Command {
	n := scaffold{std: std}
	cmd := &cobra.Command{
		Use: "new NAME --from SAMPLE | new --recipe RECIPE", Short: "Make a connector from a sample of what it will read, or from a recipe", Args: cobra.MaximumNArgs(1),
		Long: `Make the files of a new connector in a hub's folder: connectors/NAME.yaml, mappings/NAME.yaml and mappings/NAME.test.yaml.

With --from the mapping is guessed from a sample file: GTINs, GLNs and SSCCs are known by their check digits, times by their
form, the rest by names. The mapping works and its test passes at once; what could only be guessed is marked with CHECK.
With --recipe the files are those of a ready connector (suyuan connector recipes). Nothing that is there is overwritten.`,
		Example: `  suyuan connector new wms-outbound --from outbound.csv --provider shanghai-bonded-wms
  suyuan connector new erp --from row.json --kind sql
  suyuan connector new --recipe easypost`,
		RunE: func(_ *cobra.Command, args []string) error {
			switch {
			case (n.from == "") == (n.recipe == ""):
				return usageError{errors.New("say --from SAMPLE or --recipe RECIPE")}
			case n.recipe != "" && len(args) == 1:
				return usageError{errors.New("a recipe has its own name; --dir says where to put it")}
			case n.recipe != "":
				return n.copy()
			case len(args) == 0:
				return usageError{errors.New("name the connector: suyuan connector new NAME --from SAMPLE")}
			}
			n.name = args[0]
			return n.make()
		},
	}
	cmd.Flags().StringVar(&n.from, "from", "", "sample file")
	cmd.Flags().StringVar(&n.format, "format", "", "format of the sample; found out when not given")
	cmd.Flags().StringVar(&n.recipe, "recipe", "", "name of a recipe")
	cmd.Flags().StringVar(&n.dir, "dir", ".", "the hub's folder, in which connectors/ and mappings/ are")
	cmd.Flags().StringVar(&n.kind, "kind", "file", "kind of source; see: suyuan connector list")
	cmd.Flags().StringVar(&n.provider, "provider", "", "the party whose statements the records are; the name when not given")
	cmd.Flags().StringVar(&n.timezone, "timezone", "+08:00", "where times without a zone were written")
	return cmd
}

// scaffold makes the files of a new connector.
type scaffold struct {
	std                                                                 stdio
	name, from, format, encoding, recipe, dir, kind, provider, timezone string
}

// copy lays a recipe out in the hub's folder.
func (n *scaffold) copy() error {
	files, ok := recipes.Layout(n.recipe)
	if !ok {
		return hub.Faultf(hub.NotFound, "recipe.unknown", "there is no recipe %q", n.recipe).WithHint("see: suyuan connector recipes")
	}
	n.name = n.recipe
	if err := n.write(files); err != nil {
		return err
	}
	return n.next("correct what is marked CHECK in connectors/" + n.name + ".yaml and mappings/" + n.name + ".yaml")
}

// make writes a connector for a sample.
func (n *scaffold) make() error {
	if err := hub.CheckName(n.name); err != nil {
		return err
	}
	body, err := readInput(n.from, n.std.in)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return noRecord()
	}
	if n.format == "" {
		var ok bool
		if n.format, ok = decode.Detect(body[:min(len(body), 64<<10)]); !ok {
			return hub.Faultf(hub.Invalid, "decode.unknown", "no format is recognised in %s", n.from).
				WithHint("state it with --format: " + strings.Join(formatNames(), ", "))
		}
	}
	n.encoding = decode.GuessEncoding(n.format, body[:min(len(body), 64<<10)])
	row, several, err := firstRecord(n.format, n.settings(), body)
	if err != nil {
		return err
	}
	sample := mapping.Sample{Name: n.name, Row: row, Timezone: n.timezone}
	files := map[string][]byte{}
	if len(body) <= maxSample {
		sample.File = n.name + ".sample" + filepath.Ext(n.from)
		files["mappings/"+sample.File] = body
		if several {
			sample.Record = 1
		}
	}
	m, tests, err := mapping.Scaffold(sample)
	if err != nil {
		return err
	}
	instance, err := n.instance()
	if err != nil {
		return err
	}
	files["mappings/"+n.name+".yaml"], files["mappings/"+n.name+".test.yaml"] = m, tests
	files["connectors/"+n.name+".yaml"] = []byte(instance)
	if err := n.write(files); err != nil {
		return err
	}
	return n.next("read mappings/" + n.name + ".yaml and correct what is marked CHECK, there and in connectors/" + n.name + ".yaml")
}

// maxSample is the largest sample that is kept beside the test; of a larger one the test holds the first record.
const maxSample = 256 << 10

// firstRecord decodes the first record of a sample and says whether there are more.
func firstRecord(format, settings string, body []byte) (row any, several bool, err error) {
	d, err := decode.New(format, []byte(settings))
	if err != nil {
		return nil, false, err
	}
	n := 0
	err = decode.All(d, bytes.NewReader(body), func(_ connectors.Piece, t decode.Tree) error {
		if n++; n > 1 {
			return errEnough
		}
		row = t.Value
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, false, err
	}
	if n == 0 {
		return nil, false, noRecord()
	}
	return row, n > 1, nil
}

func noRecord() error {
	return hub.Faultf(hub.Invalid, "sample.empty", "the sample holds no record").WithHint("take one with at least one record")
}

// instance is the text of the instance file.
func (n *scaffold) instance() (string, error) {
	source, err := n.source()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`# %s: where its records come from. docs/connectors.md explains every key.
id: %s
provider: %s   # CHECK: the party whose statements these are
%sdecode: { %s: %s }
map: ../mappings/%s.yaml
`, n.name, n.name, cmp.Or(n.provider, n.name), source, n.format, n.settings(), n.name), nil
}

// settings are the format's: the encoding, where the default would misread the sample.
func (n *scaffold) settings() string {
	if n.encoding == "" {
		return "{}"
	}
	return "{ encoding: " + n.encoding + " }"
}

// source is the part of the instance file that says where records come from: of the kind's own example, or the folder
// inbox/NAME.
func (n *scaffold) source() (string, error) {
	if n.kind == "file" {
		return fmt.Sprintf("source:\n  file:\n    paths: [\"../inbox/%s/*\"]   # CHECK: where the files are dropped\n    ready: { minAge: 2s }\n", n.name), nil
	}
	i := slices.IndexFunc(kinds(), func(k connectors.Kind) bool { return k.Name == n.kind })
	if i < 0 {
		return "", usageError{fmt.Errorf("there is no kind %q\n    → see: suyuan connector list", n.kind)}
	}
	var b strings.Builder
	within := false
	for line := range strings.Lines(kinds()[i].Example) {
		if line[0] != ' ' && line[0] != '#' && line[0] != '\n' {
			within = strings.HasPrefix(line, "source:")
		}
		if within {
			b.WriteString(line)
		}
	}
	return "# CHECK: the source below is the kind's example\n" + b.String(), nil
}

// write writes the files, mappings first, so that a hub that watches the folder never sees an instance without its mapping.
// It writes none when one is there already.
func (n *scaffold) write(files map[string][]byte) error {
	names := slices.Sorted(maps.Keys(files))
	slices.Reverse(names)
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(n.dir, filepath.FromSlash(name))); err == nil {
			return hub.Faultf(hub.Conflict, "connector.exists", "%s is there already", filepath.Join(n.dir, name)).
				WithHint("take another name, or move it away")
		}
	}
	for _, name := range names {
		to := filepath.Join(n.dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(to), 0o755) //nolint:gosec // these files hold references to secrets, never secrets
		if err == nil {
			err = os.WriteFile(to, files[name], 0o644) //nolint:gosec // as above
		}
		if err != nil {
			return hub.Faultf(hub.Unavailable, "connector.write", "cannot write %s", to).Because(cause(err)).
				WithHint("name a folder that can be written with --dir")
		}
		fmt.Fprintf(n.std.out, "wrote %s\n", to)
	}
	if n.kind == "file" && n.recipe == "" {
		if err := os.MkdirAll(filepath.Join(n.dir, "inbox", n.name), 0o755); err != nil { //nolint:gosec // others drop files there
			return hub.Faultf(hub.Unavailable, "connector.write", "cannot make the folder inbox/%s", n.name).Because(cause(err)).
				WithHint("name a folder that can be written with --dir")
		}
	}
	return nil
}

// next checks that what was written loads and passes its tests, and says what to do next.
func (n *scaffold) next(first string) error {
	file := filepath.Join(n.dir, "connectors", n.name+".yaml")
	if ok, err := testPath(n.std, file); err != nil || !ok {
		return errors.Join(err, errFailed)
	}
	fmt.Fprintf(n.std.out, "\nnext:\n  1. %s\n  2. suyuan connector test %s\n", first, file)
	fmt.Fprintf(n.std.out, "  3. suyuan connector preview %s %s\n", file, cmp.Or(n.from, "SAMPLE"))
	fmt.Fprintf(n.std.out, "  4. suyuan check --config suyuan.yaml; a running hub takes the connector up by itself\n")
	return nil
}
