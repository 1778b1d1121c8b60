package epcis_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

type hashVector struct {
	File      string   `json:"file"`
	Hash      []string `json:"expected_hash"`
	PreHash   []string `json:"expected_prehash"`
	Hash21    []string `json:"expected_hash_cbv21"`
	PreHash21 []string `json:"expected_prehash_cbv21"`
}

func TestEventHashVectors(t *testing.T) {
	var index []hashVector
	data, err := os.ReadFile(vectors.Path(t, "eventhash", "index_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	for _, v := range index {
		t.Run(v.File, func(t *testing.T) {
			data, err := os.ReadFile(vectors.Path(t, "eventhash", v.File))
			if err != nil {
				t.Fatal(err)
			}
			var got hashVector
			got.File = v.File
			for _, e := range readEvents(t, data) {
				got.PreHash = append(got.PreHash, must(t)(e.PreHash(epcis.CBV20)))
				got.Hash = append(got.Hash, must(t)(e.Hash(epcis.CBV20)))
				got.PreHash21 = append(got.PreHash21, must(t)(e.PreHash(epcis.CBV21)))
				got.Hash21 = append(got.Hash21, must(t)(e.Hash(epcis.CBV21)))
			}
			if d := cmp.Diff(v, got); d != "" {
				t.Error("want -, got +:\n" + d)
			}
		})
	}
}

func TestEventsThatAreOneHaveOneHash(t *testing.T) {
	files, err := filepath.Glob(vectors.Path(t, "eventhash", "equal", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var first string
			for i, e := range readEvents(t, data) {
				pre := must(t)(e.PreHash(epcis.CBV20))
				if i == 0 {
					first = pre
				}
				if d := cmp.Diff(first, pre); d != "" {
					t.Errorf("event %d: %s", i, d)
				}
			}
		})
	}
}

func must(t *testing.T) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// readEvents reads every event of a document in any of the forms.
func readEvents(t *testing.T, data []byte) []*epcis.Event {
	t.Helper()
	var events []*epcis.Event
	_, err := epcis.ReadDocument(bytes.NewReader(data), epcis.Limits{}, func(it epcis.Item) error {
		e, err := it.Event()
		events = append(events, e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(events) == 0 {
		t.Fatal("the document has no events")
	}
	return events
}
