// Package recipes holds ready connectors for what many senders speak: each is a folder with an instance file, a mapping, its
// tests, and test data written for this project. It leaves reading them to the packages that read any other instance.
package recipes

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed */*
var files embed.FS

// Files are the recipes' folders: NAME/instance.yaml, NAME/mapping.yaml, NAME/mapping.test.yaml, and what these name.
func Files() fs.FS { return files }

// Recipe is one ready connector.
type Recipe struct {
	// Name is its folder.
	Name string
	// Summary is the first comment of its instance file, a sentence.
	Summary string
}

// All lists the recipes by name.
func All() []Recipe {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic("recipes: " + err.Error()) // embedded: it is there or the build is broken
	}
	var out []Recipe
	for _, e := range entries {
		b, err := files.ReadFile(path.Join(e.Name(), "instance.yaml"))
		if err != nil {
			continue // a folder without an instance is no recipe
		}
		first, _, _ := strings.Cut(string(b), "\n")
		out = append(out, Recipe{Name: e.Name(), Summary: strings.TrimPrefix(first, "# ")})
	}
	return out
}

// Layout is a recipe's files as they stand in a hub's folder: the instance in connectors/, everything else in mappings/.
// The names have the recipe's name in them, so that recipes stand side by side. False when there is no such recipe.
func Layout(name string) (map[string][]byte, bool) {
	entries, err := files.ReadDir(name)
	if err != nil {
		return nil, false
	}
	out := map[string][]byte{}
	for _, e := range entries {
		b, err := files.ReadFile(path.Join(name, e.Name()))
		if err != nil {
			panic("recipes: " + err.Error()) // as above
		}
		to := path.Join("mappings", e.Name())
		switch e.Name() {
		case "instance.yaml":
			to = path.Join("connectors", name+".yaml")
			b = []byte(strings.Replace(string(b), "\nmap: mapping.yaml", "\nmap: ../mappings/"+name+".yaml", 1))
		case "mapping.yaml", "mapping.test.yaml":
			to = path.Join("mappings", strings.Replace(e.Name(), "mapping", name, 1))
		}
		out[to] = b
	}
	return out, true
}
