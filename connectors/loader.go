package connectors

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/strictyaml"
)

// Loader reads instance files.
type Loader struct {
	// FS holds the instance files and their mappings; Dir is where it lies on disk, for the relative paths in options.
	FS  fs.FS
	Dir string
	// Kinds are the kinds that may stand under "source:".
	Kinds []Kind
	// Format builds the splitter of a format from its settings, which are YAML or nil. Its faults may name places in the
	// settings.
	Format func(name string, settings []byte) (Splitter, error)
	// Lookup resolves secrets; nil leaves them unresolved, for an offline check.
	Lookup strictyaml.Lookup
}

// Load reads the instance file at name. The error is a [hub.Faults] with everything that is wrong in it.
func (l Loader) Load(name string) (*Instance, error) {
	data, err := fs.ReadFile(l.FS, name)
	if err != nil {
		return nil, hub.Faultf(hub.NotFound, "instance.unreadable", "cannot read the instance file").
			At(hub.Where{File: name}).Because(err)
	}
	seen := &seenSecrets{lookup: l.Lookup}
	file := defaults()
	faults := strictyaml.Decode(name, data, &file, strictyaml.Options{Lookup: seen.option()})
	inst := &Instance{
		ID: hub.ConnectorID(file.ID), Provider: hub.ProviderID(file.Provider), File: name,
		Dir: filepath.Join(l.Dir, filepath.FromSlash(path.Dir(name))), Retired: file.Retired,
		Retry: file.Retry, Limits: file.Limits, Interval: file.Interval, Silence: file.Silence,
	}
	faults = append(faults, l.source(inst, file)...)
	faults = append(faults, l.mapping(inst, file)...)
	inst.Version = hub.Sum(append(data, seen.values...))
	if err := ordered(faults).Err(); err != nil {
		return nil, err
	}
	return inst, nil
}

// source decodes the kind's options and the decoder's settings.
func (l Loader) source(inst *Instance, file instanceFile) hub.Faults {
	if file.Source.Key == "" {
		return nil // reported as missing
	}
	names := make([]string, len(l.Kinds))
	for i, k := range l.Kinds {
		names[i] = k.Name
	}
	if f := strictyaml.Unknown("kind", file.Source.Key, names); f != nil {
		return hub.Faults{f.At(file.Source.At)}
	}
	kind := l.Kinds[slices.Index(names, file.Source.Key)]
	inst.Kind, inst.Options = kind.Name, kind.Options()
	if inst.Interval == unstated {
		inst.Interval = cmp.Or(kind.Interval, defaultInterval)
	}
	faults := file.Source.Decode(inst.Options)

	inst.Format, inst.Settings = file.Decode.Key, file.Decode.Source()
	at := file.Decode.At
	if inst.Format == "" {
		inst.Format, at = kind.Decode, file.Source.At
	}
	if inst.Format == "" {
		return append(faults, (&hub.Fault{
			Kind: hub.Invalid, Code: "instance.no-decode",
			Message:   fmt.Sprintf("the kind %q needs a decode key that names the format", kind.Name),
			MessageZh: fmt.Sprintf("种类 %q 需要用 decode 键指明格式", kind.Name),
			Hint:      "for example: decode: { json: {} }", HintZh: "例如：decode: { json: {} }",
		}).At(at))
	}
	splitter, err := l.Format(inst.Format, inst.Settings)
	if err != nil {
		return append(faults, placed(err, at)...)
	}
	inst.Splitter = splitter
	return faults
}

// mapping resolves the mapping's path against the instance file's folder.
func (l Loader) mapping(inst *Instance, file instanceFile) hub.Faults {
	refuse := func(at hub.Where, code, en, zh string) hub.Faults {
		return hub.Faults{(&hub.Fault{Kind: hub.Invalid, Code: code, Message: en, MessageZh: zh}).At(at)}
	}
	switch {
	case inst.Format == "":
		return nil // reported already
	case file.Map.Value == "" && inst.Format == FormatEPCIS:
		return nil
	case file.Map.Value == "":
		return refuse(hub.Where{File: inst.File, Line: 1, Column: 1}, "instance.no-map",
			"key \"map\" is missing: it names the mapping file", "缺少键 \"map\"：它指明映射文件")
	}
	inst.Map = path.Join(path.Dir(inst.File), file.Map.Value)
	if _, err := fs.Stat(l.FS, inst.Map); err != nil {
		return refuse(file.Map.At, "instance.map-unreadable",
			fmt.Sprintf("cannot read the mapping file %q: there is none at %s", file.Map.Value, inst.Map),
			fmt.Sprintf("无法读取映射文件 %q：%s 处没有文件", file.Map.Value, inst.Map))
	}
	return nil
}

// LoadAll reads every .yaml and .yml file in a folder, not below it. The error is a [hub.Faults] with everything that is
// wrong in any of them; the instances without fault are returned too, so that one bad file stops only itself.
func (l Loader) LoadAll(dir string) ([]*Instance, error) {
	entries, err := fs.ReadDir(l.FS, dir)
	if err != nil {
		return nil, hub.Faultf(hub.NotFound, "instance.unreadable", "cannot read the folder of instance files").
			At(hub.Where{File: dir}).Because(err)
	}
	var faults hub.Faults
	var out []*Instance
	owner := map[hub.ConnectorID]string{}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		inst, err := l.Load(path.Join(dir, e.Name()))
		if err != nil {
			faults = append(faults, faultsOf(err)...)
			continue
		}
		if other, taken := owner[inst.ID]; taken {
			faults = append(faults, (&hub.Fault{
				Kind: hub.Invalid, Code: "instance.duplicate-id",
				Message:   fmt.Sprintf("the id %q is taken by %s", inst.ID, other),
				MessageZh: fmt.Sprintf("id %q 已被 %s 使用", inst.ID, other),
			}).At(hub.Where{File: inst.File, Line: 1, Column: 1}))
			continue
		}
		owner[inst.ID] = inst.File
		out = append(out, inst)
	}
	return out, faults.Err()
}

// seenSecrets remembers what a lookup gave, so that a rotated secret changes an instance's version.
type seenSecrets struct {
	lookup strictyaml.Lookup
	values []byte
}

func (s *seenSecrets) option() strictyaml.Lookup {
	if s.lookup == nil {
		return nil
	}
	return func(scheme, name string) (string, error) {
		value, err := s.lookup(scheme, name)
		s.values = append(append(s.values, value...), 0)
		return value, err
	}
}

// faultsOf returns the faults in err's chain.
func faultsOf(err error) hub.Faults {
	if several, ok := errors.AsType[hub.Faults](err); ok {
		return several
	}
	return hub.Faults{hub.AsFault(err)}
}

// placed gives the faults of a format their place: what they lack of it is that of the decode key.
func placed(err error, at hub.Where) hub.Faults {
	faults := faultsOf(err)
	for _, f := range faults {
		if f.Where.Line == 0 {
			f.Where.Line, f.Where.Column = at.Line, at.Column
		}
		f.Where.File = at.File
	}
	return faults
}

func ordered(faults hub.Faults) hub.Faults {
	slices.SortStableFunc(faults, func(a, b *hub.Fault) int {
		if a.Where.Line != b.Where.Line {
			return a.Where.Line - b.Where.Line
		}
		return a.Where.Column - b.Where.Column
	})
	return faults
}
