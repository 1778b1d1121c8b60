package schemas_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/internal/vectors"
	"github.com/suyuan-io/suyuan/schemas"
)

// The public JSON Schema test suite, draft 7, formats asserted, as a brand's own schema files.
func TestSchemasOfBrandsPassTheDraft7Suite(t *testing.T) {
	reg := open(t)
	dir := vectors.Path(t, "webhooks", "json-schema-test-suite", "tests", "draft7")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json") {
			t.Run(strings.TrimPrefix(path, dir+"/"), func(t *testing.T) { runSuite(t, reg, path) })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type suiteGroup struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

func runSuite(t *testing.T, reg *schemas.Registry, path string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var groups []suiteGroup
	if err := json.Unmarshal(raw, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		dir := t.TempDir()
		if bytes.Contains(g.Schema, []byte("localhost:1234")) { // what the suite expects at that address stands in the folder
			if err := os.CopyFS(dir, os.DirFS(vectors.Path(t, "webhooks", "json-schema-test-suite", "remotes"))); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(dir, "schema.json")
		if err := os.WriteFile(file, draft7(g.Schema), 0o600); err != nil {
			t.Fatal(err)
		}
		err := reg.Add("suite", file)
		if err != nil && strings.Contains(err.Error(), "no file in the folder") {
			t.Logf("%s: the vectors lack what it refers to", g.Description)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", g.Description, err)
			continue
		}
		for _, test := range g.Tests {
			if err := reg.Validate("suite", test.Data); (err == nil) != test.Valid {
				t.Errorf("%s: %s: %s: valid is %v, want %v: %v", g.Description, test.Description, test.Data, err == nil, test.Valid, err)
			}
		}
	}
}

// draft7 states the draft in a schema that does not.
func draft7(schema []byte) []byte {
	if rest, ok := bytes.CutPrefix(bytes.TrimSpace(schema), []byte("{")); ok && !bytes.Contains(schema, []byte(`"$schema"`)) {
		comma := ","
		if bytes.Equal(bytes.TrimSpace(rest), []byte("}")) {
			comma = ""
		}
		return append([]byte(`{"$schema": "http://json-schema.org/draft-07/schema#"`+comma), rest...)
	}
	return schema
}
