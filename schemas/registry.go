package schemas

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/spelling"
)

// Version is the version of the EPCIS schemas that the registry holds, as it stands in their $id.
const Version = "2.0"

// Names of the schemas that every registry holds.
const (
	// EPCISRoot is a document, a query document, or one event that brings its own @context.
	EPCISRoot = "epcis/2.0/root.json"
	// EPCISEvent is one event as it stands in a document's eventList.
	EPCISEvent = "epcis/2.0/event.json"
)

// cbvName is the schema that holds the vocabularies.
const cbvName = "epcis/2.0/cbv.json"

// baseURL is the start of every schema's $id. Nothing is ever fetched from it.
const baseURL = "https://suyuan.dev/schemas/"

//go:embed epcis
var files embed.FS

// Registry holds compiled schemas by name. It is safe for concurrent use.
type Registry struct {
	mu      sync.RWMutex
	schemas map[string]*schema
	// What the hub itself asks for most.
	event, root, persistent *schema
	fast                    *fastPath
}

// schema is one compiled schema with the raw text of it and of all that it refers to, from which refusals are explained.
type schema struct {
	compiled *jsonschema.Schema
	texts    *texts
}

// Open compiles the embedded schemas. It fails only when the build itself is broken.
func Open() (*Registry, error) {
	r := &Registry{schemas: map[string]*schema{}}
	docs := newTexts()
	c := newCompiler(strictEngine)
	c.UseLoader(noLoader{})
	var names []string
	err := fs.WalkDir(files, "epcis", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		doc, err := readSchema(files.ReadFile, path)
		if err != nil {
			return err
		}
		names = append(names, path)
		docs.add(baseURL+path, doc)
		return c.AddResource(baseURL+path, doc)
	})
	if err != nil {
		return nil, fmt.Errorf("read embedded schemas: %w", err)
	}
	for _, name := range names {
		compiled, err := c.Compile(baseURL + name)
		if err != nil {
			return nil, fmt.Errorf("compile embedded schema %s: %w", name, err)
		}
		r.schemas[name] = &schema{compiled: compiled, texts: docs}
	}
	persistent, err := c.Compile(baseURL + "epcis/" + Version + "/common.json#/$defs/persistentDisposition")
	if err != nil {
		return nil, fmt.Errorf("compile embedded schema of persistentDisposition: %w", err)
	}
	r.persistent = &schema{compiled: persistent, texts: docs}
	r.fast = newFastPath(docs.at(baseURL + cbvName))
	r.event, r.root = r.schemas[EPCISEvent], r.schemas[EPCISRoot]
	return r, nil
}

// Add registers the JSON Schema in file under name, for [Registry.Validate]. A draft is chosen by its $schema, 2020-12 by
// default; formats are asserted, and in draft 7 what a text encodes is too. A relative $ref names a file in the same folder or below, an absolute one an embedded
// schema by its $id, or a file of the folder by its own $id or the path of the address; nothing is fetched. Adding a name
// again replaces it, but for the embedded ones.
//
// The annotation "x-fault" of a schema words what the sender of a failing value is told: hint and hintZh are added to the
// fault, noun and nounZh say what the value should be ("a trace code"), open says that URIs may extend an enumeration,
// and a code or a message replaces all that failed below.
func (r *Registry) Add(name, file string) error {
	if strings.HasPrefix(name, "epcis/") {
		return hub.Faultf(hub.Conflict, "schema.name-taken", "the schema name %q is the hub's own", name)
	}
	s, err := compileFile(file)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schemas[name] = s
	return nil
}

// Names returns the names of all schemas, sorted.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := make([]string, 0, len(r.schemas))
	for name := range r.schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Validate checks one JSON value against the schema called name. It returns nil, a [hub.Faults] in the order of their
// places, or a NotFound fault when there is no such schema.
func (r *Registry) Validate(name string, data []byte) error {
	r.mu.RLock()
	s := r.schemas[name]
	r.mu.RUnlock()
	if s == nil {
		return r.unknownName(name)
	}
	doc, fault := parse(data)
	if fault != nil {
		return hub.Faults{fault}
	}
	x := newExplainer(doc)
	x.explain(s, doc.root, "")
	return x.report().Err()
}

func (r *Registry) unknownName(name string) error {
	f := hub.Faultf(hub.NotFound, "schema.unknown-name", "there is no schema called %q", name)
	f.MessageZh = fmt.Sprintf("没有名为 %q 的模式", name)
	if near := spelling.Nearest(name, r.Names(), spelling.Typed); near != "" {
		f.Hint = fmt.Sprintf("did you mean %q?", near)
		f.HintZh = fmt.Sprintf("是否指 %q？", near)
	}
	return f
}

// readSchema reads and decodes the schema at path, keeping numbers as written.
func readSchema(read func(string) ([]byte, error), path string) (any, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	doc, fault := parse(data)
	if fault != nil {
		fault.Where.File = path
		return nil, fault
	}
	return doc.root.value(), nil
}

// compileFile compiles a brand's own schema together with the files that it refers to.
func compileFile(file string) (*schema, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("find schema %s: %w", file, err)
	}
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, schemaFault(file, err)
	}
	defer root.Close()
	docs := newTexts()
	c := newCompiler(lenientEngine)
	folder := &folderLoader{root: root, texts: docs}
	c.UseLoader(folder)
	if doc, err := folder.read(filepath.Base(path)); err == nil { // Compile says what is wrong otherwise
		draft := draftOf(doc)
		if c.DefaultDraft(draft); draft == jsonschema.Draft7 {
			c.AssertContent()
		}
	}
	compiled, err := c.Compile(folderURL + filepath.Base(path))
	if err != nil {
		return nil, schemaFault(file, err)
	}
	return &schema{compiled: compiled, texts: docs}, nil
}

// draftOf is the draft that a schema states, and that the files it refers to keep where they state none.
func draftOf(doc any) *jsonschema.Draft {
	obj, _ := doc.(map[string]any)
	stated, _ := obj["$schema"].(string)
	_, stated, _ = strings.Cut(strings.TrimSuffix(stated, "#"), "://json-schema.org/")
	switch stated {
	case "draft-04/schema":
		return jsonschema.Draft4
	case "draft-06/schema":
		return jsonschema.Draft6
	case "draft-07/schema":
		return jsonschema.Draft7
	case "draft/2019-09/schema":
		return jsonschema.Draft2019
	}
	return jsonschema.Draft2020
}

// schemaFault says why a brand's schema file cannot be used.
func schemaFault(file string, err error) *hub.Fault {
	var inner *hub.Fault
	if asFault(err, &inner) && inner.Where.Line > 0 {
		inner.Where.File = file
		return inner
	}
	f := hub.Faultf(hub.Invalid, "schema.bad-schema", "the JSON Schema cannot be used").Because(err)
	f.MessageZh = "这个 JSON Schema 无法使用"
	return f.At(hub.Where{File: file})
}

// newCompiler returns a compiler that asserts formats and fetches nothing.
func newCompiler(engine jsonschema.RegexpEngine) *jsonschema.Compiler {
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseRegexpEngine(engine)
	for _, f := range formats() {
		c.RegisterFormat(f)
	}
	return c
}

// noLoader refuses every reference that was not added beforehand.
type noLoader struct{}

// Load implements [jsonschema.URLLoader].
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("load %s: references outside the registry are not followed", url)
}

// folderURL stands for the folder that holds a brand's schema.
const folderURL = "folder:///"

// folderLoader reads references from one folder, or from the embedded schemas, and notes their texts. The root keeps it inside that folder.
type folderLoader struct {
	root  *os.Root
	texts *texts
	// base is the folder's own address, as the $id of the first schema states it; "" where it states none.
	base string
}

// Load implements [jsonschema.URLLoader].
func (l *folderLoader) Load(url string) (any, error) {
	var doc any
	var err error
	if name, ok := strings.CutPrefix(url, baseURL); ok {
		doc, err = readSchema(files.ReadFile, name)
	} else if name, ok := strings.CutPrefix(url, folderURL); ok {
		doc, err = l.read(name)
	} else {
		doc, err = l.find(url)
	}
	if err != nil {
		return nil, err
	}
	if id := ownID(doc); len(l.texts.docs) == 0 && strings.Contains(id, "://") {
		l.base = id[:strings.LastIndexByte(id, '/')+1]
	}
	l.texts.add(url, doc)
	return doc, nil
}

func (l *folderLoader) read(name string) (any, error) {
	return readSchema(l.root.ReadFile, filepath.FromSlash(name))
}

// find reads the schema with an address of the web from the folder, which may hold it beside the first one, by the path of
// its address, or under a name of its own.
func (l *folderLoader) find(url string) (any, error) {
	name, beside := strings.CutPrefix(url, l.base)
	if beside && l.base != "" && l.has(name) {
		return l.read(name)
	}
	_, rest, _ := strings.Cut(url, "://")
	if _, path, _ := strings.Cut(rest, "/"); l.has(path) {
		return l.read(path)
	}
	names, err := fs.Glob(l.root.FS(), "*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if doc, err := l.read(name); err == nil && ownID(doc) == url {
			return doc, nil
		}
	}
	return nil, fmt.Errorf("load %s: no file in the folder of the schema has this path or $id, and nothing is fetched", url)
}

// has reports whether the folder has a file of that name.
func (l *folderLoader) has(name string) bool {
	info, err := l.root.Stat(filepath.FromSlash(name))
	return err == nil && info.Mode().IsRegular()
}

// ownID is the address that a schema gives itself.
func ownID(doc any) string {
	obj, _ := doc.(map[string]any)
	id, _ := obj["$id"].(string)
	return strings.TrimSuffix(id, "#")
}

// texts finds the raw text of a compiled schema by the URL that the compiler gave it.
type texts struct {
	docs map[string]any
}

func newTexts() *texts { return &texts{docs: map[string]any{}} }

func (t *texts) add(url string, doc any) {
	t.docs[url] = doc
	// A schema may name itself; its own name is then what the compiler reports.
	if id := ownID(doc); id != "" {
		t.docs[id] = doc
	}
}

// at returns the schema object at url, or nil when it is not an object or not known.
func (t *texts) at(url string) map[string]any {
	base, pointer, _ := strings.Cut(url, "#")
	v := t.docs[base]
	for _, token := range splitPointer(pointer) {
		switch c := v.(type) {
		case map[string]any:
			v = c[token]
		case []any:
			v = element(c, token)
		default:
			return nil
		}
	}
	obj, _ := v.(map[string]any)
	return obj
}

// resolve follows a chain of local $ref from obj, whose base is url, and returns the object at its end.
func (t *texts) resolve(url string, obj map[string]any) (string, map[string]any) {
	for range 8 {
		ref, ok := obj["$ref"].(string)
		if !ok {
			return url, obj
		}
		base, _, _ := strings.Cut(url, "#")
		switch {
		case strings.HasPrefix(ref, "#"):
			url = base + ref
		case strings.Contains(ref, "://"):
			url = ref
		default:
			url = base[:strings.LastIndexByte(base, '/')+1] + ref
		}
		next := t.at(url)
		if next == nil {
			return url, obj
		}
		obj = next
	}
	return url, obj
}
