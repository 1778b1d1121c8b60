package body_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/suyuan-io/suyuan/store/internal/body"
)

// packBlock packs bodies as an earlier release did.
func packBlock(bodies, ids []string) []byte {
	var b []byte
	for i, text := range bodies {
		cut := 0
		if at := strings.Index(text, `"eventID":"`+ids[i]+`"`); at >= 0 && ids[i] != "" {
			cut = at + len(`"eventID":"`) + 1
			text = text[:cut-1] + text[cut-1+len(ids[i]):]
		}
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(cut)), uint64(len(text)))
		b = append(b, text...)
	}
	return append([]byte{1}, s2.Encode(nil, b)...)
}

func TestBlocksOfEarlierReleasesAreRead(t *testing.T) {
	bodies := []string{
		`{"eventID":"urn:uuid:1","type":"ObjectEvent"}`, `{"type":"ObjectEvent","x":"urn:uuid:2"}`, "",
		`{"eventID":"a\"b"}`, `{"eventID":"urn:uuid:55","note":"\"eventID\":\"urn:uuid:55\""}`, `{"eventID":""}`,
	}
	ids := []string{"urn:uuid:1", "urn:uuid:2", "urn:uuid:3", `a"b`, "urn:uuid:55", ""}
	b, err := body.UnpackBlock(packBlock(bodies, ids))
	if err != nil {
		t.Fatal(err)
	}
	for i := range bodies {
		if got, err := b.Body(i, ids[i]); err != nil || string(got) != bodies[i] {
			t.Errorf("%d: %s came back as %s: %v", i, bodies[i], got, err)
		}
	}
	if _, err := b.Body(len(bodies), ""); err == nil {
		t.Error("there is one too many")
	}
	if place, ok := body.PlaceInBlock([]byte{3, 17}); !ok || place != 17 {
		t.Errorf("place 17 is %d", place)
	}
	if _, ok := body.PlaceInBlock(body.Pack([]byte("x"))); ok {
		t.Error("a packed body is taken for a place")
	}
}

func FuzzBlock(f *testing.F) {
	f.Add(packBlock([]string{`{"eventID":"urn:uuid:1"}`}, []string{"urn:uuid:1"}), "urn:uuid:1")
	f.Add([]byte("\x01\x02\x00\x00"), "")
	f.Fuzz(func(_ *testing.T, b []byte, id string) {
		if damaged, err := body.UnpackBlock(b); err == nil {
			_, _ = damaged.Body(0, id)
		}
	})
}
