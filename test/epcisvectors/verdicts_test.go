// Package epcisvectors writes the verdict on every third-party EPCIS, event hash and GS1 file into
// docs/epcis-conformance.md, and fails where a file is not followed without a reason.
package epcisvectors

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/internal/vectors"
	"github.com/suyuan-io/suyuan/schemas"
)

var update = flag.Bool("update", false, "write the verdicts into docs/epcis-conformance.md")

// page is the document that holds the verdicts between its marks.
const (
	page  = "../../docs/epcis-conformance.md"
	begin = "<!-- verdicts: written by test/epcisvectors, go test ./test/epcisvectors -update -->\n"
	end   = "<!-- end of verdicts -->"
)

// sample is a row of the index of samples.
type sample struct {
	File     string
	Kind     string
	Valid    bool     `json:"valid_2_0_1"`
	XSDValid []string `json:"xsd_valid"`
}

// hashes is a row of the index of event hashes.
type hashes struct {
	File    string
	Hash    []string `json:"expected_hash"`
	PreHash []string `json:"expected_prehash"`
	Hash21  []string `json:"expected_hash_cbv21"`
}

func TestEveryVectorFileHasItsVerdict(t *testing.T) {
	var b strings.Builder
	samples(t, &b)
	eventHashes(t, &b)
	identifiers(t, &b)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has lost its marks", page)
	}
	want := head + begin + b.String() + end + tail
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s is not what the vectors give now: go test ./test/epcisvectors -update", page)
	}
}

func read[T any](t *testing.T, elem ...string) T {
	t.Helper()
	data, err := os.ReadFile(vectors.Path(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// samples judges every EPCIS document: by the JSON Schemas or the XML structure, and by a round trip that must keep every
// event's hash.
func samples(t *testing.T, b *strings.Builder) {
	t.Helper()
	registry, err := schemas.Open()
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(b, "\n### Documents\n\n| file | published verdict | ours | JSON→XML→JSON keeps the hash |\n|---|---|---|---|\n")
	for _, s := range read[[]sample](t, "epcis", "index_dev.json") {
		data, err := os.ReadFile(vectors.Path(t, "epcis", s.File))
		if err != nil {
			t.Fatal(err)
		}
		published := s.Valid
		switch s.Kind {
		case "json":
			err = registry.ValidateDocument(data)
		case "xml":
			published = len(s.XSDValid) > 0
			err = epcis.CheckXML(bytes.NewReader(data), epcis.Limits{})
		default:
			continue // a query, which is no document
		}
		if published != (err == nil) {
			t.Errorf("%s: published valid %v, ours: %v", s.File, published, err)
		}
		trip := "–"
		if published {
			trip = roundTrip(t, s.File, data)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", strings.TrimPrefix(s.File, "samples/"), word(published), word(err == nil), trip)
	}
}

func word(valid bool) string {
	if valid {
		return "valid"
	}
	return "invalid"
}

// roundTrip converts a document to XML and back to JSON and compares the event hashes.
func roundTrip(t *testing.T, file string, data []byte) string {
	t.Helper()
	before := hashLines(t, data, epcis.HashOptions{})
	if len(before) == 0 {
		return "no events"
	}
	var xml, back bytes.Buffer
	if err := epcis.Convert(bytes.NewReader(data), &xml, epcis.XML, epcis.Limits{}); err != nil {
		t.Errorf("%s to XML: %v", file, err)
		return "no"
	}
	if err := epcis.Convert(bytes.NewReader(xml.Bytes()), &back, epcis.JSON, epcis.Limits{}); err != nil {
		t.Errorf("%s back to JSON: %v", file, err)
		return "no"
	}
	if after := hashLines(t, back.Bytes(), epcis.HashOptions{}); !slices.Equal(before, after) {
		t.Errorf("%s: the round trip changes the hashes", file)
		return "no"
	}
	return fmt.Sprintf("yes, %d", len(before))
}

func hashLines(t *testing.T, data []byte, o epcis.HashOptions) []string {
	t.Helper()
	var out bytes.Buffer
	if err := epcis.HashLines(bytes.NewReader(data), &out, o, epcis.Limits{}); err != nil {
		return nil // what holds no events, such as a capture job
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// eventHashes compares every event's hash and pre-hash.
func eventHashes(t *testing.T, b *strings.Builder) {
	t.Helper()
	fmt.Fprint(b, "\n### Event hashes\n\n| file | events | CBV 2.0 hash | CBV 2.0 pre-hash | CBV 2.1 draft hash |\n|---|---|---|---|---|\n")
	for _, h := range read[[]hashes](t, "eventhash", "index_dev.json") {
		data, err := os.ReadFile(vectors.Path(t, "eventhash", h.File))
		if err != nil {
			t.Fatal(err)
		}
		cell := func(want []string, o epcis.HashOptions) string {
			if len(want) == 0 {
				return "–"
			}
			if got := hashLines(t, data, o); !slices.Equal(got, want) {
				t.Errorf("%s: %+v gives %q, want %q", h.File, o, got, want)
				return "differs"
			}
			return "equal"
		}
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s |\n", strings.TrimPrefix(h.File, "inputs/"), len(h.Hash),
			cell(h.Hash, epcis.HashOptions{}), cell(h.PreHash, epcis.HashOptions{PreHash: true}),
			cell(h.Hash21, epcis.HashOptions{Dialect: epcis.CBV21}))
	}
}

// identifiers counts the cases of the GS1 files; package epcis/gs1 holds each of them, and fails for one that is not
// followed and not listed.
func identifiers(t *testing.T, b *strings.Builder) {
	t.Helper()
	fmt.Fprint(b, "\n### GS1 identifiers\n\nEach case is asserted in `epcis/gs1/vectors_test.go`.\n\n| file | cases | not followed |\n|---|---|---|\n")
	exceptions := map[string]string{
		"openepcis_translate.json":           "1: the published prefix table gives 30224 twelve digits, the upstream test an older six",
		"openepcis_validate.json":            "2: upstream refuses every link when it is told no prefix length; the links themselves are right",
		"gs1_syntax_dictionary_linters.json": "2: a table of company prefixes cannot be offline",
		"gs1_syntax_engine.json":             "0; 4 links with GTINs of 8, 12 or 13 digits are refused only with the engine's switch, which the file does not tell",
	}
	names, err := filepath.Glob(vectors.Path(t, "gs1ids", "dev", "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		var file struct {
			Vectors []json.RawMessage
			Sets    map[string][]json.RawMessage
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		n := len(file.Vectors)
		for _, set := range file.Sets {
			n += len(set)
		}
		reason := exceptions[filepath.Base(name)]
		if reason == "" {
			reason = "0"
		}
		fmt.Fprintf(b, "| %s | %d | %s |\n", filepath.Base(name), n, reason)
	}
}
