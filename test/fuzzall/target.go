package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// target is one fuzz function.
type target struct {
	folder string // from the folder that was searched, with slashes
	path   string // the same folder for the operating system
	name   string
}

// String is what -run is matched with.
func (t target) String() string { return t.folder + "." + t.name }

// find returns the targets below dir that the pattern finds, in order. Nested modules are folders like others.
func find(dir string, pattern *regexp.Regexp) ([]target, error) {
	var targets []target
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != dir && (entry.Name() == "testdata" || strings.ContainsAny(entry.Name()[:1], "._")):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		names, err := fuzzFunctions(path)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(dir, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, name := range names {
			t := target{folder: filepath.ToSlash(folder), path: filepath.Dir(path), name: name}
			if pattern.MatchString(t.String()) {
				targets = append(targets, t)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find fuzz targets: %w", err)
	}
	slices.SortFunc(targets, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.folder, b.folder), cmp.Compare(a.name, b.name))
	})
	return targets, nil
}

// fuzzFunctions returns the names of a file's fuzz functions. The Go tool refuses a test file in which a function of such a name
// has another signature.
func fuzzFunctions(path string) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") {
			names = append(names, f.Name.Name)
		}
	}
	return names, nil
}
