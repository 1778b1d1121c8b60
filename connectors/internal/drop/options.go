package drop

import (
	"path"
	"strings"
	"time"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Files are the settings that the kinds have in common, which each kind's options embed.
type Files struct {
	// Paths are patterns as in path.Match; relative ones are relative to the folder that the server's login leads to.
	Paths []string `yaml:"paths,required"`
	// Order is by "name" or by "mtime", oldest first.
	Order string `yaml:"order" enum:"name,mtime"`
	Ready Ready  `yaml:"ready"`
	After After  `yaml:"after"`
	Spool Spool  `yaml:"spool"`
	// Timeout is for connecting and for every answer, 30s by default.
	Timeout time.Duration `yaml:"timeout"`
}

// Defaults are the settings where nothing is said: a file counts that was the same in two looks and is ten seconds old.
func Defaults() Files {
	return Files{
		Order:   "name",
		Ready:   Ready{MinAge: 10 * time.Second, StablePolls: 2},
		After:   After{Success: "keep", Failure: "keep"},
		Spool:   Spool{Max: 4 << 30},
		Timeout: 30 * time.Second,
	}
}

// Ready says when a file is complete.
type Ready struct {
	// MinAge is how long ago it was last changed. Of a file on another machine, whose clock is not ours, it counts from when
	// it was first seen as it is.
	MinAge time.Duration `yaml:"minAge"`
	// StablePolls is how many looks in a row must find it unchanged; 1 takes it at first sight.
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

// Spool says where a file of more than a mebibyte is held while it is read.
type Spool struct {
	// Dir is a folder of the hub's machine, by default the system's for temporary files. Nothing stays in it.
	Dir string `yaml:"dir"`
	// Max is the largest file that is fetched, 4GiB by default; a larger one is refused.
	Max strictyaml.Size `yaml:"max"`
}

// Check implements [strictyaml.Checker]; Ready and After are checked as they are read.
func (f *Files) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	for _, p := range f.Paths {
		if _, err := path.Match(p, ""); err != nil || p == "" || strings.HasSuffix(p, "/") {
			faults = append(faults, refuse(at, "paths", "file.pattern", `"`+p+`" is no pattern of files`, `“`+p+`” 不是文件模式`))
		}
	}
	if len(f.Paths) == 0 {
		faults = append(faults, refuse(at, "paths", "file.no-paths", "paths is empty", "paths 为空"))
	}
	if f.Timeout <= 0 {
		faults = append(faults, refuse(at, "timeout", "file.timeout", "the timeout must be more than 0", "timeout 必须大于 0"))
	}
	return faults
}

// Check implements [strictyaml.Checker].
func (a After) Check(at strictyaml.Locator) hub.Faults {
	var faults hub.Faults
	for _, v := range []struct{ key, text string }{{"success", a.Success}, {"failure", a.Failure}} {
		if _, ok := ParseAction(v.text); !ok {
			faults = append(faults, refuse(at, v.key, "file.after", `write keep, delete or move:FOLDER`, `请写 keep、delete 或 move:目录`))
		}
	}
	return faults
}

// Check implements [strictyaml.Checker].
func (r Ready) Check(at strictyaml.Locator) hub.Faults {
	m := r.Marker
	if m != "" && !strings.Contains(m, "{name}") && !strings.Contains(m, "{stem}") || strings.ContainsAny(m, `/\`) {
		return hub.Faults{refuse(at, "marker", "file.marker", "the marker must contain {name} or {stem} and no folder",
			"marker 须包含 {name} 或 {stem}，且不含目录")}
	}
	return nil
}

func refuse(at strictyaml.Locator, path, code, en, zh string) *hub.Fault {
	return (&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at(path))
}

// Action is one value of [After]: Keep, Remove, or the folder to move to.
type Action struct {
	Keep, Remove bool
	Dir          string
}

// ParseAction reads a value of [After]. The folder is as it is written.
func ParseAction(text string) (Action, bool) {
	dir, move := strings.CutPrefix(text, "move:")
	switch {
	case text == "keep":
		return Action{Keep: true}, true
	case text == "delete":
		return Action{Remove: true}, true
	case move && dir != "":
		return Action{Dir: dir}, true
	}
	return Action{}, false
}

// action is a value of After with its folder below base.
func action(text, base string) Action {
	a, _ := ParseAction(text)
	if a.Dir != "" {
		a.Dir = Absolute(a.Dir, base)
	}
	return a
}
