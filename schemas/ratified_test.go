package schemas_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/suyuan-io/suyuan/internal/vectors"
	"github.com/suyuan-io/suyuan/schemas"
)

func TestVerdictsOfSamples(t *testing.T) {
	reg, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	dir := vectors.Path(t, "epcis")
	raw, err := os.ReadFile(filepath.Join(dir, "index_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index []struct {
		File, Kind string
		Valid      *bool `json:"valid_2_0_1"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range index {
		if e.Kind != "json" || e.Valid == nil {
			continue
		}
		n++
		data, err := os.ReadFile(filepath.Join(dir, e.File))
		if err != nil {
			t.Fatal(err)
		}
		got := reg.ValidateDocument(data)
		if (got == nil) != *e.Valid {
			t.Errorf("%s: valid %v, want %v: %v", e.File, got == nil, *e.Valid, got)
		}
		if got != nil {
			t.Logf("%s\n%v", e.File, got)
		}
	}
	t.Log(n)
}
