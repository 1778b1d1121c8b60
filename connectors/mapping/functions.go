package mapping

import (
	"maps"
)

// functions is the function library. docs/mapping.md lists it; a test holds the two together.
func functions() map[string]*function {
	all := map[string]*function{}
	for _, part := range []map[string]*function{gs1Functions(), timeFunctions(), textFunctions(), valueFunctions(), ediFunctions()} {
		maps.Copy(all, part)
	}
	return all
}

// Function describes one function of the library, for documentation and editors.
type Function struct {
	Name, Usage, Summary string
}

// Functions returns the function library in the order of names.
func Functions() []Function {
	all := functions()
	out := make([]Function, 0, len(all))
	for _, name := range sortedKeys(all) {
		out = append(out, Function{Name: name, Usage: all[name].usage, Summary: all[name].doc})
	}
	return out
}
