package body_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/suyuan-io/suyuan/store/internal/body"
)

const event = `{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"action":"ADD","bizLocation":{"id":"https://id.gs1.org/414/5391520850004"},` +
	`"bizStep":"commissioning","disposition":"active","epcList":["https://id.gs1.org/01/07613035982949/21/02130081810167359142"],` +
	`"eventID":"urn:uuid:5ee6aa43-7c1b-5d2a-9d8c-1f27b4a1e0aa","eventTime":"2019-05-01T08:00:00.000+01:00","eventTimeZoneOffset":"+01:00",` +
	`"ilmd":{"cbvmda:itemExpirationDate":"2021-04-30","cbvmda:lotNumber":"9121755841"},"readPoint":{"id":"https://id.gs1.org/414/5391520850004"},"type":"ObjectEvent"}`

func TestWhatIsPackedComesBack(t *testing.T) {
	for name, text := range map[string]string{
		"event": event, "nothing": "", "one byte": "{", "not like an event": "\x00\x01\x02\x03 nothing of this is in the dictionary",
		"long": `{"x":"` + string(bytes.Repeat([]byte("abc"), 1<<20)) + `"}`,
	} {
		got, err := body.Unpack(body.Pack([]byte(text)))
		if err != nil || string(got) != text {
			t.Errorf("%s: %v, %d bytes for %d", name, err, len(got), len(text))
		}
	}
}

func TestEventsOfEarlierReleasesAreRead(t *testing.T) {
	for name, packed := range map[string][]byte{
		"uncompressed": append([]byte{0}, event...), "without a dictionary": append([]byte{1}, s2.EncodeBetter(nil, []byte(event))...),
	} {
		if got, err := body.Unpack(packed); err != nil || string(got) != event {
			t.Errorf("%s: %v, %q", name, err, got)
		}
	}
}

// The dictionary is part of the format: with another one no recorded event can be read.
func TestDictionaryIsTheOneThatWasReleased(t *testing.T) {
	text, err := os.ReadFile("dict1.txt")
	if err != nil {
		t.Fatal(err)
	}
	const released = "c3980c61aea2105bc42b5cf5ee7ac48941387102deb46ed0a9475873659ffa33"
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != released {
		t.Errorf("dict1.txt has the digest %x", sum)
	}
}

func TestWhatIsNotPackedIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{"empty": nil, "unknown packing": {9, 1}, "cut short": body.Pack([]byte(event))[:40]} {
		if got, err := body.Unpack(b); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func BenchmarkPack(b *testing.B) {
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = len(body.Pack([]byte(event)))
	}
	b.ReportMetric(float64(size), "B/event")
	b.ReportMetric(float64(len(s2.EncodeBetter(nil, []byte(event)))), "B/event-without-dictionary")
}

func BenchmarkUnpack(b *testing.B) {
	packed := body.Pack([]byte(event))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := body.Unpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}
