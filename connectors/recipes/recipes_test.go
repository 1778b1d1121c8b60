package recipes_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/connectors/file"
	"github.com/suyuan-io/suyuan/connectors/mapping"
	"github.com/suyuan-io/suyuan/connectors/recipes"
	connsql "github.com/suyuan-io/suyuan/connectors/sql"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/vectors"
	"github.com/suyuan-io/suyuan/pipeline"
	"github.com/suyuan-io/suyuan/schemas"
)

func load(t *testing.T, fsys fs.FS, name string) *connectors.Instance {
	t.Helper()
	loader := connectors.Loader{
		FS: fsys, Dir: t.TempDir(),
		Kinds:  []connectors.Kind{webhook.Kind(), file.Kind(), connsql.Kind([]connsql.Driver{{Name: "postgres", Register: "none", Dialect: connsql.PostgreSQL}})},
		Format: func(name string, settings []byte) (connectors.Splitter, error) { return decode.New(name, settings) },
	}
	inst, err := loader.Load(name)
	if err != nil {
		t.Fatal(mapping.Explain(fsys, err, "en"))
	}
	return inst
}

// records decodes a test's input as the connector would.
func records(d decode.Decoder) mapping.Decode {
	return func(body []byte) (out []mapping.Record, err error) {
		err = decode.All(d, bytes.NewReader(body), func(p connectors.Piece, tree decode.Tree) error {
			out = append(out, mapping.Record{Row: tree.Value, Locate: func(at string) hub.Where { return decode.Shift(tree.Locate(at), p) }})
			return nil
		})
		return out, err
	}
}

// Every recipe loads, its tests pass and reach every branch, and what it makes of its test data is valid EPCIS.
func TestRecipesAreTestedToTheLastBranch(t *testing.T) {
	all := recipes.All()
	if len(all) < 13 {
		t.Errorf("there are %d recipes", len(all))
	}
	for _, r := range all {
		t.Run(r.Name, func(t *testing.T) {
			if !strings.HasSuffix(r.Summary, ".") {
				t.Errorf("the first comment of the instance file is no sentence: %q", r.Summary)
			}
			inst := load(t, recipes.Files(), path.Join(r.Name, "instance.yaml"))
			d, err := decode.New(inst.Format, inst.Settings)
			if err != nil {
				t.Fatal(err)
			}
			report, err := mapping.RunTests(recipes.Files(), inst.Map, records(d))
			if err != nil {
				t.Fatal(mapping.Explain(recipes.Files(), err, "en"))
			}
			if !report.Passed() || len(report.Unreached) > 0 {
				t.Errorf("\n%s", report)
			}
			checkEvents(t, inst, d)
		})
	}
}

// checkEvents runs the recipe's data files through the hub's own normaliser. A file whose name says "refused" holds only
// records that must become dead letters, any other none.
func checkEvents(t *testing.T, inst *connectors.Instance, d decode.Decoder) {
	t.Helper()
	m, err := mapping.Load(recipes.Files(), inst.Map)
	if err != nil {
		t.Fatal(err)
	}
	registry, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	part := pipeline.Instance{Decoder: d, Map: m.Map}
	n := pipeline.NewNormaliser(func(hub.ConnectorID) (pipeline.Instance, bool) { return part, true },
		registry.With(schemas.ValidateOptions{Rules: true}).ValidateEvent, time.Now)
	dir := path.Dir(inst.File)
	entries, err := fs.ReadDir(recipes.Files(), dir)
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	for _, e := range entries {
		if ext := path.Ext(e.Name()); ext == ".yaml" || strings.HasSuffix(e.Name(), ".lookup.csv") {
			continue
		}
		body, err := fs.ReadFile(recipes.Files(), path.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Split(bytes.NewReader(body), func(p connectors.Piece) error {
			env := &hub.Envelope{Connector: inst.ID, Provider: inst.Provider, ReceivedAt: time.Now(), Preamble: p.Preamble, Records: []hub.Record{{ID: "r", Body: bytes.Clone(p.Body)}}}
			out := pipeline.Normalised(n, env, &env.Records[0])
			if refused := strings.Contains(e.Name(), "refused"); refused != (out.Dead != nil) {
				t.Errorf("%s: dead letter %v", e.Name(), out.Dead)
			}
			events += len(out.Events)
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
	if events == 0 {
		t.Error("no data file makes an event")
	}
}

// A recipe that is laid out in a hub's folder loads there, beside all others, and finds its tests.
func TestRecipesStandSideBySideInAHubsFolder(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, r := range recipes.All() {
		files, ok := recipes.Layout(r.Name)
		if !ok {
			t.Fatalf("%s has no layout", r.Name)
		}
		for name, b := range files {
			if _, taken := fsys[name]; taken {
				t.Errorf("two recipes have %s", name)
			}
			fsys[name] = &fstest.MapFile{Data: b}
		}
	}
	for _, r := range recipes.All() {
		inst := load(t, fsys, "connectors/"+r.Name+".yaml")
		if string(inst.ID) != r.Name {
			t.Errorf("%s has the id %s", r.Name, inst.ID)
		}
		d, err := decode.New(inst.Format, inst.Settings)
		if err != nil {
			t.Fatal(err)
		}
		if report, err := mapping.RunTests(fsys, inst.Map, records(d)); err != nil || !report.Passed() {
			t.Errorf("%s: %v\n%s", r.Name, err, report)
		}
	}
	if _, ok := recipes.Layout("no-such"); ok {
		t.Error("a recipe that is not there has a layout")
	}
}

// What stands in the folder is read through the embedded copy: a folder that lacks its instance would vanish silently.
func TestEveryFolderIsARecipe(t *testing.T) {
	entries, err := fs.ReadDir(recipes.Files(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, name := range []string{"instance.yaml", "mapping.yaml", "mapping.test.yaml"} {
			if _, err := fs.Stat(recipes.Files(), path.Join(e.Name(), name)); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s lacks %s", e.Name(), name)
			}
		}
	}
	if !slices.IsSortedFunc(recipes.All(), func(a, b recipes.Recipe) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the recipes are not in order")
	}
}

// What senders themselves publish as samples is read by the recipes: each record becomes events, is skipped for a stated
// reason, or is refused for what the sample really lacks.
func TestRecipesReadWhatSendersPublish(t *testing.T) {
	dir := vectors.Dir(t)
	for _, tc := range []struct {
		recipe, file            string
		events, skipped, refuse int
	}{
		{"easypost", "legacy/easypost/tracking-webhook.json", 5, 0, 0},
		{"easypost", "legacy/easypost/webhook_post_example.json", 0, 1, 0},
		{"uk-customs", "legacy/hmrc/notifications/02_DMSRCV.xml", 1, 0, 0},
		{"uk-customs", "legacy/hmrc/notifications/09_DMSCLE.xml", 1, 0, 0},
		{"uk-customs", "legacy/hmrc/notifications/11_DMSREQ.xml", 1, 0, 0},
		{"uk-customs", "legacy/hmrc/notifications/13_DMSTAX.xml", 1, 0, 0},
		{"uk-customs", "legacy/hmrc/notifications/14_DMSCPI.xml", 1, 0, 0},
		{"uk-customs", "legacy/hmrc/notifications/15_DMSCPR.xml", 1, 0, 0},
		{"uk-customs", "legacy/hmrc/notifications/17_DMSGER.xml", 1, 0, 0},
		{"dcsa-track-and-trace", "legacy/dcsa/TNT_v2_2_0_01.json", 1, 0, 0},
		{"dcsa-track-and-trace", "legacy/dcsa/tnt_13.json", 0, 0, 1},
		{"dcsa-track-and-trace", "legacy/dcsa/tnt_17.json", 0, 0, 1},
		{"dcsa-track-and-trace", "legacy/dcsa/tnt_v3_0_0-Beta-1_02.json", 1, 1, 0},
		{"dcsa-track-and-trace", "legacy/dcsa/tnt_v3_0_0-Beta-1_04.json", 0, 1, 1},
		{"dcsa-track-and-trace", "legacy/dcsa/tnt_v3_0_0-Beta-1_05.json", 0, 0, 1},
		{"dcsa-track-and-trace", "legacy/dcsa/tnt_v3_0_0-Beta-1_06.json", 0, 0, 1},
		{"dcsa-track-and-trace", "legacy/dcsa/tnt_v3_0_0-Beta-1_08.json", 0, 0, 1},
		{"x12-214", "legacy/edi-net/214-MGCTLYST-SAMPLE.EDI", 1, 0, 0},
		{"iftsta", "legacy/omniparser/posten_iftsta.edi", 7, 0, 0},
		{"gs1-desadv", "legacy/php-edifact/D96ADESADV.edi", 1, 0, 0},
	} {
		t.Run(tc.file, func(t *testing.T) {
			inst := load(t, recipes.Files(), path.Join(tc.recipe, "instance.yaml"))
			d, err := decode.New(inst.Format, inst.Settings)
			if err != nil {
				t.Fatal(err)
			}
			m, err := mapping.Load(recipes.Files(), inst.Map)
			if err != nil {
				t.Fatal(err)
			}
			body, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(tc.file)))
			if err != nil {
				t.Fatal(err)
			}
			events, skipped, refused := 0, 0, 0
			err = decode.All(d, bytes.NewReader(body), func(_ connectors.Piece, tree decode.Tree) error {
				out, err := m.Map(mapping.Input{Row: tree.Value, Provider: inst.Provider, Connector: inst.ID, RecordID: "r", ReceivedAt: time.Now()}, tree.Locate)
				events += len(out.Events)
				if out.Skipped != "" {
					skipped++
				}
				if err != nil {
					t.Log(err)
					refused++
				}
				return nil
			})
			if err != nil || events != tc.events || skipped != tc.skipped || refused != tc.refuse {
				t.Errorf("%d events, %d skipped, %d refused: %v", events, skipped, refused, err)
			}
		})
	}
}
