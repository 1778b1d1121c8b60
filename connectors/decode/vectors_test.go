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

func TestEveryVectorDecodes(t *testing.T) {
	root := vectors.Path(t, "legacy")
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "index_dev.json" {
			return err
		}
		name, _ := filepath.Rel(root, path)
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var out bytes.Buffer
			if err := decode.Run(&out, name, f, ""); err != nil {
				t.Error(err)
			}
			if out.Len() == 0 {
				t.Error("no records")
			}
			t.Logf("%d %.600s", bytes.Count(out.Bytes(), []byte{'\n'}), out.Bytes())
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
