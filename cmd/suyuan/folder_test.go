package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Files that appear or change while the folder is read are seen as changed afterwards, or they would not be applied until
// something else changes. The secret is resolved in the middle of a reading.
func TestWhatChangesWhileTheFolderIsReadIsSeen(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"connectors", "mappings"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("mappings/m.yaml", "events: []\n")
	write("connectors/a.yaml", "id: a\nprovider: p\nsource: { webhook: { preset: github, secrets: [\"${env:SECRET}\"] } }\n"+
		"decode: json\nmap: ../mappings/m.yaml\n")

	for name, meanwhile := range map[string]func(reading int){
		"appears": func(reading int) { write(fmt.Sprintf("connectors/%d.yaml", reading), "id: b\n") },
		"changes": func(reading int) { write("mappings/m.yaml", fmt.Sprintf("events: [] # %*d\n", reading, reading)) },
	} {
		f := newFolder(filepath.Join(root, "connectors"), zap.NewNop(), prometheus.NewRegistry())
		readings := 0
		f.secrets = func() strictyaml.Lookup {
			readings++
			return func(string, string) (string, error) { meanwhile(readings); return "secret", nil }
		}
		look := func(of footprint) footprint { return f.look(slices.Collect(maps.Keys(of))) }
		_, seen, _ := f.load(nil) // what is wrong with the files is of no account here
		if maps.Equal(look(seen), seen) {
			t.Errorf("%s: not seen when the folder is read first", name)
		}
		if _, seen, _ = f.load(seen); maps.Equal(look(seen), seen) {
			t.Errorf("%s: not seen when the folder is read again", name)
		}
		f.secrets = func() strictyaml.Lookup { return func(string, string) (string, error) { return "secret", nil } }
		if _, seen, _ = f.load(seen); !maps.Equal(look(seen), seen) {
			t.Errorf("%s: seen where nothing changes", name)
		}
	}
}
