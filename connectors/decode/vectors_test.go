package decode_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/connectors/decode"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

// TestEveryVectorDecodes reads every file of the third-party data as the command does: by its bytes alone.
func TestEveryVectorDecodes(t *testing.T) {
	root := vectors.Path(t, "legacy")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "index_dev.json" {
			return err
		}
		name, _ := filepath.Rel(root, path)
		t.Run(name, func(t *testing.T) {
			item, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := decode.Run(&out, name, bytes.NewReader(item), ""); err != nil {
				t.Error(err)
			}
			if out.Len() == 0 {
				t.Error("no records")
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
