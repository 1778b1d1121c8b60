package mapping_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/connectors/mapping"
)

// TestDocumentationWorks loads every mapping that docs/mapping.md shows, and runs its tests against the largest.
func TestDocumentationWorks(t *testing.T) {
	doc, err := os.ReadFile("../../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	var largest, tests string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(doc), -1) {
		if strings.Contains(block[1], "cases:\n") {
			tests = block[1]
			continue
		}
		if len(block[1]) > len(largest) {
			largest = block[1]
		}
		files := mapFS("wms.yaml", block[1], "sites.csv", "code,gln\nSHA,7613035000001\n")
		if _, err := mapping.Load(files, "wms.yaml"); err != nil {
			t.Error(mapping.Explain(files, err, mapping.English))
		}
	}
	r, err := mapping.RunTests(mapFS("wms.yaml", largest, "wms.test.yaml", tests, "sites.csv", "code,gln\nSHA,7613035000001\n"), "wms.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed() || len(r.Cases) != 3 {
		t.Errorf("\n%s", r)
	}
}
