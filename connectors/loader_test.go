package connectors_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/connectortest"
	"github.com/suyuan-io/suyuan/connectors/epcis"
	"github.com/suyuan-io/suyuan/connectors/file"
	"github.com/suyuan-io/suyuan/connectors/sql"
	"github.com/suyuan-io/suyuan/connectors/webhook"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

var update = flag.Bool("update", false, "write the golden files")

func kinds() []connectors.Kind {
	drivers := []sql.Driver{{Name: "sqlite", Register: "sqlite", Dialect: sql.SQLite}}
	return []connectors.Kind{webhook.Kind(), file.Kind(), sql.Kind(drivers), epcis.Kind()}
}

// format knows csv and json with one setting each.
func format(name string, settings []byte) (connectors.Splitter, error) {
	if f := strictyaml.Unknown("format", name, []string{"csv", "json", connectors.FormatEPCIS}); f != nil {
		return nil, f
	}
	var s struct {
		Encoding string `yaml:"encoding" enum:"utf-8,gb18030"`
		Header   bool   `yaml:"header"`
	}
	if err := strictyaml.Decode("", settings, &s, strictyaml.Options{}).Err(); err != nil {
		return nil, err
	}
	return connectortest.Whole{}, nil
}

func loader(fsys fstest.MapFS) connectors.Loader {
	fsys["mapping.yaml"] = &fstest.MapFile{}
	return connectors.Loader{
		FS: fsys, Dir: "/srv/hub", Kinds: kinds(), Format: format,
		Lookup: func(scheme, name string) (string, error) {
			if name == "UNSET" {
				return "", errors.New("not set")
			}
			if strings.HasSuffix(name, "SECRET") {
				return "whsec_dmFsdWUtb2YtYS1zZWNyZXQtMjRi", nil
			}
			return "value-of-" + scheme + "-" + name, nil
		},
	}
}

// TestBrokenFilesTellTheFix compares every message with a golden file, which a newcomer must be able to act on.
func TestBrokenFilesTellTheFix(t *testing.T) {
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(names) < 10 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Base(name)
			_, err = loader(fstest.MapFS{base: &fstest.MapFile{Data: data}}).Load(base)
			var faults hub.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("no faults: %v", err)
			}
			var got strings.Builder
			for _, f := range faults {
				fmt.Fprintf(&got, "%s\n", f)
				if f.MessageZh == "" || f.Where.Line == 0 || f.Code == "" {
					t.Errorf("incomplete fault %+v", f)
				}
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(got.String(), "s3cr3t") || strings.Contains(got.String(), "value-of") || strings.Contains(got.String(), "whsec_dm") {
				t.Error("a message shows a secret")
			}
		})
	}
}

func TestExamplesOfTheKindsLoad(t *testing.T) {
	for _, k := range kinds() {
		t.Run(k.Name, func(t *testing.T) {
			inst, err := loader(fstest.MapFS{"x.yaml": &fstest.MapFile{Data: []byte(k.Example)}}).Load("x.yaml")
			if err != nil {
				t.Fatal(err)
			}
			_, opens := inst.Options.(connectors.Opener)
			_, listens := inst.Options.(connectors.Listener)
			if inst.Kind != k.Name || opens == listens || inst.Pushed() != listens {
				t.Errorf("%+v: opens %v, listens %v", inst, opens, listens)
			}
			if r, ok := inst.Options.(connectors.Resumer); ok != (opens && k.Name != "exec") { // an adapter alone knows its positions
				t.Errorf("knows its positions: %v", ok)
			} else if ok && hub.KindOf(r.CheckPosition("no position of any kind")) != hub.Invalid {
				t.Error("takes any position")
			}
			if shown := fmt.Sprintf("%+v %#v", inst, inst.Options); strings.Contains(shown, "value-of") || strings.Contains(shown, "whsec_dm") {
				t.Errorf("a secret shows in %s", shown)
			}
		})
	}
}

func TestInstanceSaysWhereItIs(t *testing.T) {
	fsys := fstest.MapFS{"connectors/wms.yaml": &fstest.MapFile{Data: []byte(`id: wms
provider: bonded
source: { file: { paths: ["in/${env:SITE}/*.csv"] } }
decode: { csv: { encoding: gb18030 } }
map: ../mappings/wms.yaml
`)}, "mappings/wms.yaml": &fstest.MapFile{}}
	inst, err := loader(fsys).Load("connectors/wms.yaml")
	if err != nil {
		t.Fatal(err)
	}
	o, ok := inst.Options.(*file.Options)
	if !ok || inst.Map != "mappings/wms.yaml" || inst.Dir != "/srv/hub/connectors" || inst.Format != "csv" ||
		o.Paths[0] != "in/value-of-env-SITE/*.csv" || inst.Limits.InFlight != 1024 || inst.Retry.Max == 0 {
		t.Errorf("%+v %+v", inst, o)
	}
	fsys["connectors/wms.yaml"].Data = append(fsys["connectors/wms.yaml"].Data, "interval: 1m\n"...)
	changed, err := loader(fsys).Load("connectors/wms.yaml")
	if err != nil || changed.Version == inst.Version {
		t.Errorf("the version does not change with the file: %v", err)
	}
	l := loader(fsys)
	l.Lookup = func(string, string) (string, error) { return "rotated", nil }
	rotated, err := l.Load("connectors/wms.yaml")
	if err != nil || rotated.Version == changed.Version {
		t.Errorf("the version does not change with a secret: %v", err)
	}
}

func TestOneBadFileStopsOnlyItself(t *testing.T) {
	good := "id: a\nprovider: p\nsource: { epcis: {} }\n"
	insts, err := loader(fstest.MapFS{
		"c/1.yaml": &fstest.MapFile{Data: []byte(good)}, "c/2.yml": &fstest.MapFile{Data: []byte(good)},
		"c/3.yaml": &fstest.MapFile{Data: []byte("id: b\n")}, "c/.hidden.yaml": &fstest.MapFile{}, "c/notes.txt": &fstest.MapFile{},
	}).LoadAll("c")
	var faults hub.Faults
	if !errors.As(err, &faults) || len(insts) != 1 || insts[0].ID != "a" {
		t.Fatalf("%v, %v", insts, err)
	}
	want := "c/2.yml:1:1: the id \"a\" is taken by c/1.yaml (give the newer of the two files an id of its own: the id owns what " +
		"the older one has read so far)\nc/3.yaml:1:1: key \"provider\" is missing (add  provider:  with a text)\n" +
		"c/3.yaml:1:1: key \"source\" is missing (add  source:  with one key below it that names a kind)"
	if diff := cmp.Diff(want, faults.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestOfflineCheckNeedsNoSecrets(t *testing.T) {
	l := loader(fstest.MapFS{"x.yaml": &fstest.MapFile{Data: []byte(webhook.Kind().Example)}})
	l.Lookup = nil
	if _, err := l.Load("x.yaml"); err != nil {
		t.Error(err)
	}
}

func FuzzInstance(f *testing.F) {
	for _, k := range kinds() {
		f.Add(k.Example)
	}
	names, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		inst, err := loader(fstest.MapFS{"x.yaml": &fstest.MapFile{Data: []byte(text)}}).Load("x.yaml")
		if err == nil && (inst.Splitter == nil || inst.Options == nil || hub.CheckName(string(inst.ID)) != nil) {
			t.Errorf("accepted %+v", inst)
		}
	})
}
