package epcis_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/suyuan-io/suyuan/epcis"
)

func benchEvent(b *testing.B) []byte {
	b.Helper()
	data, err := os.ReadFile("testdata/object-event.json")
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func BenchmarkParse(b *testing.B) {
	data := benchEvent(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := epcis.ParseEvent(data, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func benchOn(b *testing.B, do func(*epcis.Event) error) {
	b.Helper()
	e, err := epcis.ParseEvent(benchEvent(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := do(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	benchOn(b, func(e *epcis.Event) error { _, err := e.Canonical(); return err })
}

func BenchmarkHash(b *testing.B) {
	benchOn(b, func(e *epcis.Event) error { _, err := e.Hash(epcis.CBV20); return err })
}

func BenchmarkPreHash(b *testing.B) {
	benchOn(b, func(e *epcis.Event) error { _, err := e.PreHash(epcis.CBV20); return err })
}

func BenchmarkFacets(b *testing.B) {
	benchOn(b, func(e *epcis.Event) error { _, err := e.Facets(); return err })
}

// BenchmarkParseCanonicalHash is what the pipeline does with an event besides validating it.
func BenchmarkParseCanonicalHash(b *testing.B) {
	data := benchEvent(b)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := epcis.ParseEvent(data, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Canonical(); err != nil {
			b.Fatal(err)
		}
		if _, err := e.Hash(epcis.CBV20); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadDocument(b *testing.B) {
	event := benchEvent(b)
	doc := append([]byte(`{"@context":"https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld","type":"EPCISDocument",`+
		`"schemaVersion":"2.0","creationDate":"2024-01-01T00:00:00Z","epcisBody":{"eventList":[`),
		bytes.Repeat(append(event, ','), 100)...)
	doc = append(append(doc, event...), "]}}"...)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := epcis.ReadDocument(bytes.NewReader(doc), epcis.Limits{}, func(epcis.Item) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
