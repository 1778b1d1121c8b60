package schemas_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/suyuan-io/suyuan/epcis"
	"github.com/suyuan-io/suyuan/internal/vectors"
	"github.com/suyuan-io/suyuan/schemas"
)

// example961 returns the first event of example 9.6.1 of the standard with the context of its document.
func example961(b *testing.B) []byte {
	b.Helper()
	data, err := os.ReadFile(vectors.Path(b, "epcis", "samples", "EPCIS", "JSON", "Example_9.6.1-with-comment.jsonld"))
	if err != nil {
		b.Fatal(err)
	}
	var doc struct {
		Context json.RawMessage `json:"@context"`
		Body    struct {
			EventList []map[string]json.RawMessage `json:"eventList"`
		} `json:"epcisBody"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		b.Fatal(err)
	}
	event := doc.Body.EventList[0]
	event["@context"] = doc.Context
	out, err := json.Marshal(event)
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// everythingOnce is what the pipeline does with one EPCIS event.
func everythingOnce(reg *schemas.Registry, event []byte) error {
	if err := reg.ValidateEvent(event); err != nil {
		return err
	}
	e, err := epcis.ParseEvent(event, nil)
	if err != nil {
		return err
	}
	if _, err := e.Canonical(); err != nil {
		return err
	}
	_, err = e.Hash(epcis.CBV20)
	e.Release()
	return err
}

// The two figures to compare: the same event, validation alone, by Suyuan (from bytes) and by santhosh with the ratified
// schema (from values that are decoded already).
func BenchmarkEvent(b *testing.B) {
	event := example961(b)
	reg, official := open(b), ratified(b)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("suyuan", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(event)))
		for b.Loop() {
			if err := reg.ValidateEvent(event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("suyuan-rules", func(b *testing.B) {
		v := reg.With(everything(nil))
		b.ReportAllocs()
		for b.Loop() {
			if err := v.ValidateEvent(event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("suyuan-parse-validate-canonical-hash", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := everythingOnce(reg, event); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("santhosh-ratified", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := official.Validate(doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("santhosh-ratified-from-bytes", func(b *testing.B) { // as the chain above begins
		b.ReportAllocs()
		for b.Loop() {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(event))
			if err == nil {
				err = official.Validate(doc)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("suyuan-schema-only", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !reg.SchemaEvent(event) {
				b.Fatal("invalid")
			}
		}
	})
}

// A document of 1,000 events with one mistake costs the schema once, not a thousand times.
func BenchmarkDocument(b *testing.B) {
	event := example961(b)
	var list [][]byte
	for range 1000 {
		list = append(list, event)
	}
	reg := open(b)
	good := document(list...)
	list[500] = bytes.Replace(event, []byte(`"OBSERVE"`), []byte(`"LOOK"`), 1)
	bad := document(list...)
	for name, data := range map[string][]byte{"valid": good, "one-mistake": bad} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if err := reg.ValidateDocument(data); (err == nil) != (name == "valid") {
					b.Fatal(err)
				}
			}
		})
	}
}
