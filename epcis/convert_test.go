package epcis_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

type sample struct {
	File     string   `json:"file"`
	Kind     string   `json:"kind"`
	Root     string   `json:"root"`
	Events   int      `json:"events"`
	Valid    bool     `json:"valid_2_0_1"`
	XSDValid []string `json:"xsd_valid"`
}

func samples(t *testing.T) []sample {
	t.Helper()
	data, err := os.ReadFile(vectors.Path(t, "epcis", "index_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func preHashes(t *testing.T, data []byte) []string {
	t.Helper()
	var out bytes.Buffer
	if err := epcis.HashLines(bytes.NewReader(data), &out, epcis.HashOptions{PreHash: true}, epcis.Limits{}); err != nil {
		t.Fatalf("hash: %v", err)
	}
	lines := bytes.Split(bytes.TrimRight(out.Bytes(), "\n"), []byte("\n"))
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = string(l)
	}
	return texts
}

func convert(t *testing.T, data []byte, to epcis.Format) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := epcis.Convert(bytes.NewReader(data), &out, to, epcis.Limits{}); err != nil {
		t.Fatalf("convert to %s: %v", to, err)
	}
	return out.Bytes()
}

// Every valid sample keeps the hash of every event, there and back.
func TestConversionKeepsTheHash(t *testing.T) {
	for _, s := range samples(t) {
		if !s.Valid && len(s.XSDValid) == 0 || s.Events == 0 || s.Kind == "query-json" {
			continue
		}
		t.Run(s.File, func(t *testing.T) {
			data, err := os.ReadFile(vectors.Path(t, "epcis", s.File))
			if err != nil {
				t.Fatal(err)
			}
			want := preHashes(t, data)
			if len(want) != s.Events {
				t.Errorf("%d events, want %d", len(want), s.Events)
			}
			asXML := convert(t, data, epcis.XML)
			if d := cmp.Diff(want, preHashes(t, asXML)); d != "" {
				t.Errorf("as XML:\n%s\n%s", d, asXML)
			}
			asJSON := convert(t, asXML, epcis.JSON)
			if d := cmp.Diff(want, preHashes(t, asJSON)); d != "" {
				t.Errorf("as XML and JSON:\n%s\n%s", d, asJSON)
			}
			if !json.Valid(asJSON) {
				t.Errorf("no JSON: %s", asJSON)
			}
			direct := convert(t, data, epcis.JSON)
			if d := cmp.Diff(want, preHashes(t, direct)); d != "" {
				t.Errorf("as JSON:\n%s\n%s", d, direct)
			}
		})
	}
}
