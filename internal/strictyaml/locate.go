package strictyaml

import (
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/suyuan-io/suyuan/hub"
)

// locator returns the Locator of the mapping n, which stands at parent.
func (d *decoder) locator(n ast.Node, parent hub.Where) Locator {
	return func(path string) hub.Where {
		at := parent
		node := n
		for _, step := range steps(path) {
			next, where, ok := d.step(node, step)
			if !ok {
				return at
			}
			node, at = next, where
		}
		return at
	}
}

// steps cuts "ready.paths[1]" into "ready", "paths", "[1]".
func steps(path string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(path, "[", ".["), func(r rune) bool { return r == '.' })
}

// step goes one level down and returns the value there and its place: a scalar's own, a mapping's key.
func (d *decoder) step(n ast.Node, step string) (ast.Node, hub.Where, bool) {
	if seq, ok := n.(*ast.SequenceNode); ok && strings.HasPrefix(step, "[") {
		i, err := strconv.Atoi(strings.Trim(step, "[]"))
		if err != nil || i < 0 || i >= len(seq.Values) || seq.Values[i] == nil {
			return nil, hub.Where{}, false
		}
		return seq.Values[i], d.where(seq.Values[i]), true
	}
	if n == nil || !isMapping(n) {
		return nil, hub.Where{}, false
	}
	silent := &decoder{file: d.file}
	for _, e := range silent.entries(n) {
		if e.name != step {
			continue
		}
		if isNull(e.value) || isMapping(e.value) {
			return e.value, d.where(e.key), true
		}
		return e.value, d.where(e.value), true
	}
	return nil, hub.Where{}, false
}
