// Package test holds what is checked of the whole: the layers, and in its sub-packages the running binary.
package test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the path that every package of ours begins with.
const module = "github.com/suyuan-io/suyuan/"

// layers is the table of docs/architecture.md: what each package may import of ours. A row whose name ends in "/..." is
// for every package below that has no row of its own. A package without a row fails the test.
var layers = map[string][]string{
	"hub":                            {},
	"internal/spelling":              {},
	"internal/strictyaml":            {"hub", "internal/spelling"},
	"internal/telemetry":             {"hub"},
	"internal/vectors":               {},
	"internal/sample":                {},
	"internal/backup":                {"hub"},
	"internal/child":                 {"hub"},
	"internal/bench":                 {"hub"},
	"epcis/gs1":                      {"hub"},
	"epcis":                          {"hub", "epcis/gs1", "internal/spelling"},
	"schemas":                        {"hub", "internal/spelling"},
	"connectors":                     {"hub", "internal/spelling", "internal/strictyaml"},
	"connectors/decode":              {"hub", "connectors", "internal/spelling", "internal/strictyaml"},
	"connectors/mapping":             {"hub", "epcis", "epcis/gs1", "internal/spelling", "internal/strictyaml"},
	"connectors/connectortest":       {"hub", "connectors"},
	"connectors/epcispull":           {"hub", "connectors", "connectors/http", "epcis", "internal/strictyaml"},
	"connectors/exec":                {"hub", "connectors", "internal/child", "internal/strictyaml"},
	"connectors/recipes":             {},
	"connectors/internal/drop":       {"hub", "connectors", "internal/strictyaml"},
	"connectors/internal/broker":     {"hub", "connectors", "internal/strictyaml"},
	"connectors/internal/brokertest": {"connectors", "connectors/connectortest"},
	"connectors/...":                 {"hub", "connectors", "connectors/internal/drop", "connectors/internal/broker", "epcis", "schemas", "internal/spelling", "internal/strictyaml"},
	"pipeline":                       {"hub", "epcis", "schemas", "connectors/decode", "connectors/mapping"},
	"store/internal/body":            {},
	"store/internal/postings":        {},
	"store/...":                      {"hub", "epcis", "epcis/gs1", "store/internal/body", "store/internal/postings", "store/internal/relational"},
	"trace":                          {"hub"},
	"anchor":                         {"hub"},
	"anchor/...":                     {"hub", "anchor"},
	"anchor/fabric":                  {"hub", "anchor", "anchor/fabric/internal/contract"},
	"anchor/fabric/fabrictest":       {"hub", "anchor", "anchor/fabric/internal/contract"},
	"anchor/ledgertest":              {"hub", "anchor", "anchor/anchortest"},
	"anchor/exec":                    {"hub", "anchor", "anchor/anchortest", "anchor/ledgertest", "internal/child", "internal/strictyaml"},
	"api":                            {"hub", "epcis", "trace"},
	"api/epcisrest":                  {"hub", "epcis", "epcis/gs1"},
	"web":                            {"hub", "trace", "internal/strictyaml"},
	"cmd/suyuan":                     {"..."},
	"test":                           {},
	"test/...":                       {"..."},
}

// row finds the row of a package.
func row(pkg string) ([]string, bool) {
	if allowed, ok := layers[pkg]; ok {
		return allowed, true
	}
	best := ""
	for name := range layers {
		if prefix, ok := strings.CutSuffix(name, "/..."); ok && strings.HasPrefix(pkg, prefix+"/") && len(name) > len(best) {
			best = name
		}
	}
	return layers[best], best != ""
}

func TestEveryPackageKeepsToItsLayer(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module)
		allowed, ok := row(pkg)
		if !ok {
			t.Errorf("package %s has no row in the layer table: give it one here and in docs/architecture.md", pkg)
			continue
		}
		for _, imported := range fields[1:] {
			dep, ours := strings.CutPrefix(imported, module)
			if ours && !slices.Contains(allowed, dep) && !slices.Contains(allowed, "...") {
				t.Errorf("%s imports %s, which its layer may not", pkg, dep)
			}
		}
	}
}
