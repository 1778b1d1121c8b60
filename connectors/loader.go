package connectors

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
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
		f := hub.Faultf(hub.NotFound, "instance.unreadable", "cannot read the instance file").
			At(hub.Where{File: name}).Because(err).WithHint("it is a regular file that the hub's user may read; move what is none out of the folder")
		f.MessageZh, f.HintZh = "无法读取实例文件", "实例文件应为系统用户可读的普通文件；请将其他内容移出该目录"
		return nil, f
	}
	seen := &seenSecrets{lookup: l.Lookup}
	file := defaults()
	faults := strictyaml.Decode(name, data, &file, strictyaml.Options{Lookup: seen.option()})
	inst := &Instance{
		ID: hub.ConnectorID(file.ID), Provider: hub.ProviderID(file.Provider), File: name,
		Dir: filepath.Join(l.Dir, filepath.FromSlash(path.Dir(name))), Retired: file.Retired,
		Retry: file.Retry, Limits: file.Limits, Breaker: file.Breaker, Interval: file.Interval, Silence: file.Silence,
	}
	faults = append(faults, l.source(inst, file)...)
	faults = append(faults, l.mapping(inst, file)...)
	inst.Version = hub.Sum(append(data, seen.values...))
	if len(faults) > 0 && file.ID == "" && file.Source.Key == "" && mappingKeys.Match(data) {
		faults = hub.Faults{misplaced(name)}
	}
	if err := ordered(faults).Err(); err != nil {
		return nil, err
	}
	return inst, nil
}

// mappingKeys are those that a mapping or its tests have and an instance file has not.
var mappingKeys = regexp.MustCompile(`(?m)^(events|cases):`)

// misplaced is said of a mapping among the instance files, in place of everything that it lacks to be one.
func misplaced(name string) *hub.Fault {
	return (&hub.Fault{
		Kind: hub.Invalid, Code: "instance.is-mapping",
		Message: "this is a mapping or its tests, no instance file", MessageZh: "这是映射文件或其测试，不是实例文件",
		Hint:   "keep it in a folder of its own beside this one, and write  map: ../mappings/" + path.Base(name) + "  in the instance file",
		HintZh: "请放入旁边的单独目录，并在实例文件中写  map: ../mappings/" + path.Base(name),
	}).At(hub.Where{File: name, Line: 1, Column: 1})
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
	refuse := func(at hub.Where, f *hub.Fault) hub.Faults {
		f.Kind = hub.Invalid
		return hub.Faults{f.At(at)}
	}
	switch {
	case inst.Format == "":
		return nil // reported already
	case file.Map.Value == "" && inst.Format == FormatEPCIS:
		return nil
	case file.Map.Value == "":
		return refuse(hub.Where{File: inst.File, Line: 1, Column: 1}, &hub.Fault{
			Code: "instance.no-map", Message: "key \"map\" is missing: it names the mapping file", MessageZh: "缺少键 \"map\"：它指明映射文件",
			Hint:   "write  map: ../mappings/NAME.yaml  (suyuan connector new --from SAMPLE makes one); only decode: epcis needs none",
			HintZh: "请写  map: ../mappings/名称.yaml（suyuan connector new --from 样本 可生成）；只有 decode: epcis 不需要",
		})
	}
	inst.Map = path.Join(path.Dir(inst.File), file.Map.Value)
	if _, err := fs.Stat(l.FS, inst.Map); err != nil {
		return refuse(file.Map.At, l.noMapping(inst.Map, file.Map.Value))
	}
	return nil
}

// noMapping says that there is no mapping at a path, and what there is in its place.
func (l Loader) noMapping(at, stated string) *hub.Fault {
	f := &hub.Fault{
		Code:      "instance.map-unreadable",
		Message:   fmt.Sprintf("cannot read the mapping file %q: there is none at %s", stated, at),
		MessageZh: fmt.Sprintf("无法读取映射文件 %q：%s 处没有文件", stated, at),
		Hint:      "the path is relative to the instance file", HintZh: "路径相对于实例文件",
	}
	entries, err := fs.ReadDir(l.FS, path.Dir(at))
	if err != nil {
		f.Hint, f.HintZh = f.Hint+", and there is no folder "+path.Dir(at), f.HintZh+"，且没有文件夹 "+path.Dir(at)
		return f
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	if near := spelling.Nearest(path.Base(at), names, spelling.Typed); near != "" {
		near = strings.TrimSuffix(stated, path.Base(at)) + near
		f.Hint, f.HintZh = fmt.Sprintf("did you mean %q?", near), fmt.Sprintf("是否想写 %q？", near)
	}
	return f
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
				Hint:      "give the newer of the two files an id of its own: the id owns what the older one has read so far",
				HintZh:    "请为较新的文件另取 id：id 对应较早文件的读取位置",
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
