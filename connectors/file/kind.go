package file

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Kind is the row of this kind in the list of kinds.
func Kind() connectors.Kind {
	return connectors.Kind{
		Name:    "file",
		Summary: "files dropped into folders of this machine",
		Example: example,
		Options: func() any {
			return &Options{
				Order: "name",
				Ready: Ready{MinAge: 2 * time.Second, StablePolls: 2},
				After: After{Success: "keep", Failure: "keep"},
			}
		},
	}
}

const example = `id: wms-outbound
provider: bonded-wms
source:
  file:
    paths: [/srv/wms/out/*.csv]
    ready: { minAge: 30s, stablePolls: 2 }   # or marker: "{name}.done"
    after: { success: move:/srv/wms/archive/, failure: move:/srv/wms/error/ }
decode: { csv: { encoding: gb18030, header: true } }
map: ./mapping.yaml
interval: 10s
`

// Options are the settings of a file instance.
type Options struct {
	// Paths are patterns as in path.Match; relative ones are relative to the instance file. Files in the folders that
	// After moves to are never read.
	Paths []string `yaml:"paths,required"`
	// Order is by "name" or by "mtime", oldest first.
	Order string `yaml:"order" enum:"name,mtime"`
	Ready Ready  `yaml:"ready"`
	After After  `yaml:"after"`
}

// Ready says when a file is complete.
type Ready struct {
	// MinAge is how long ago it was last changed, 2s by default.
	MinAge time.Duration `yaml:"minAge"`
	// StablePolls is how many looks in a row must find it unchanged, 2 by default; 1 takes it at first sight.
	StablePolls int `yaml:"stablePolls" min:"1" max:"1000"`
	// Marker is the name of the file that announces it, with {name} or {stem} (the name without its extension). Where it
	// is set, only the marker counts. The marker is deleted when the file is moved or deleted.
	Marker string `yaml:"marker"`
}

// After says what becomes of a file: "keep", "delete" or "move:FOLDER". A kept file is remembered by the position.
type After struct {
	// Success is after every record is durable, Failure when the file itself could not be taken. Both are keep by default.
	Success string `yaml:"success"`
	Failure string `yaml:"failure"`
}

// Check implements [strictyaml.Checker].
func (o *Options) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	refuse := func(path, code, en, zh string) {
		faults = append(faults, (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path)))
	}
	for _, p := range o.Paths {
		if _, err := filepath.Match(p, ""); err != nil || p == "" {
			refuse("paths", "file.pattern", "the pattern "+p+" is not valid", "模式 "+p+" 无效")
		}
	}
	if len(o.Paths) == 0 {
		refuse("paths", "file.no-paths", "paths is empty", "paths 为空")
	}
	for path, action := range map[string]string{"after.success": o.After.Success, "after.failure": o.After.Failure} {
		if _, ok := parseAction(action, ""); !ok {
			refuse(path, "file.after", `write keep, delete or move:FOLDER`, `请写 keep、delete 或 move:目录`)
		}
	}
	m := o.Ready.Marker
	if m != "" && !strings.Contains(m, "{name}") && !strings.Contains(m, "{stem}") || strings.ContainsAny(m, `/\`) {
		refuse("ready.marker", "file.marker", "the marker must contain {name} or {stem} and no folder",
			"marker 须包含 {name} 或 {stem}，且不含目录")
	}
	return faults
}

// action is a parsed After.
type action struct {
	keep, remove bool
	dir          string
}

func parseAction(text, base string) (action, bool) {
	dir, move := strings.CutPrefix(text, "move:")
	switch {
	case text == "keep":
		return action{keep: true}, true
	case text == "delete":
		return action{remove: true}, true
	case move && dir != "":
		return action{dir: absolute(dir, base)}, true
	}
	return action{}, false
}

func absolute(path, base string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

// Open implements [connectors.Opener].
func (o *Options) Open(_ context.Context, env connectors.Env) (connectors.Source, error) {
	success, _ := parseAction(o.After.Success, env.Dir)
	failure, _ := parseAction(o.After.Failure, env.Dir)
	s := &source{options: o, now: env.Now, success: success, failure: failure, seen: map[string]sighting{}, out: map[string]bool{}}
	var err error
	if s.done, err = decodePosition(env.Position); err != nil {
		return nil, err
	}
	for _, pattern := range o.Paths {
		f, err := openFolder(absolute(pattern, env.Dir))
		if err != nil {
			return nil, joinClose(err, s)
		}
		s.folders = append(s.folders, f)
	}
	if err := s.probe(); err != nil {
		return nil, joinClose(err, s)
	}
	return s, nil
}
