package epcis_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

func TestXMLSchemaVerdicts(t *testing.T) {
	for _, s := range samples(t) {
		if s.Kind != "xml" {
			continue
		}
		t.Run(s.File, func(t *testing.T) {
			data, err := os.ReadFile(vectors.Path(t, "epcis", s.File))
			if err != nil {
				t.Fatal(err)
			}
			err = epcis.CheckXML(bytes.NewReader(data), epcis.Limits{})
			if want := len(s.XSDValid) > 0; (err == nil) != want {
				t.Errorf("valid: want %v, got %v", want, err)
			}
			t.Log(err)
		})
	}
}
