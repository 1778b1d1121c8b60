package file

import (
	"context"
	"path/filepath"
	"time"

	"github.com/suyuan-io/suyuan/connectors"
	"github.com/suyuan-io/suyuan/connectors/internal/drop"
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
				Ready: drop.Ready{MinAge: 2 * time.Second, StablePolls: 2},
				After: drop.After{Success: "keep", Failure: "keep"},
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
	Order string     `yaml:"order" enum:"name,mtime"`
	Ready drop.Ready `yaml:"ready"`
	After drop.After `yaml:"after"`
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
	return faults
}

// action is a value of After with its folder relative to that of the instance file.
func action(text, dir string) drop.Action {
	a, _ := drop.ParseAction(text)
	if a.Dir != "" {
		a.Dir = absolute(a.Dir, dir)
	}
	return a
}

func absolute(path, base string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

// Open implements [connectors.Opener].
func (o *Options) Open(_ context.Context, env connectors.Env) (connectors.Source, error) {
	success, failure := action(o.After.Success, env.Dir), action(o.After.Failure, env.Dir)
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
