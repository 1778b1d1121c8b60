package schemas_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every embedded schema names itself by its path, quotes the section that it is written from, and words its faults in
// both languages.
func TestEmbeddedSchemasAreDocumented(t *testing.T) {
	paths, err := filepath.Glob("epcis/2.0/*.json")
	if err != nil || len(paths) < 15 {
		t.Fatalf("%d schemas: %v", len(paths), err)
	}
	section := regexp.MustCompile(`sections? [0-9]+`)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var schema map[string]any
		if err := json.Unmarshal(data, &schema); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if id := schema["$id"]; id != "https://suyuan.dev/schemas/"+filepath.ToSlash(path) {
			t.Errorf("%s: $id is %v", path, id)
		}
		if schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
			t.Errorf("%s: $schema is %v", path, schema["$schema"])
		}
		if title, ok := schema["title"].(string); !ok || !section.MatchString(title) {
			t.Errorf("%s: the title %q quotes no section", path, title)
		}
		eachObject(schema, func(o map[string]any) {
			words, _ := o["x-fault"].(map[string]any)
			for key := range words {
				base := strings.TrimSuffix(key, "Zh")
				if _, ok := words[base+"Zh"]; !ok && base != "code" && base != "open" {
					t.Errorf("%s: x-fault has no %sZh: %v", path, base, words)
				}
				if _, ok := words[base]; !ok {
					t.Errorf("%s: x-fault has no %s: %v", path, base, words)
				}
			}
		})
	}
}

func eachObject(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, value := range v {
			eachObject(value, f)
		}
	case []any:
		for _, value := range v {
			eachObject(value, f)
		}
	}
}
