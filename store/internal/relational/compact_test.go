package relational

import (
	"hash/fnv"
	"strings"
	"testing"
)

// The keys of recorded events never change.
func TestKeysAreFNV(t *testing.T) {
	for _, parts := range [][]string{{""}, {"a", "", "b"}, {"eventID", "urn:uuid:209704a0-2c77-547e-867a-a2d6be0dd3c4"}, {"启\xff\x00", "x"}} {
		h := fnv.New64a()
		for _, p := range parts {
			_, _ = h.Write(append([]byte(p), 0))
		}
		if got, want := hashKey(parts...), int64(h.Sum64()>>1); got != want {
			t.Errorf("%q: %d, want %d", parts, got, want)
		}
	}
}

func TestCompactFormsComeBack(t *testing.T) {
	for _, id := range []string{
		"urn:uuid:209704a0-2c77-547e-867a-a2d6be0dd3c4", "urn:uuid:209704A0-2c77-547e-867a-a2d6be0dd3c4", "urn:uuid:", "x", "",
		"urn:uuid:{209704a0-2c77-547e-867a-a2d6be0dd3c4}", "0123456789abcdef", "urn:uuid:209704a02c77547e867aa2d6be0dd3c4",
	} {
		var back eventID
		if err := back.Scan(compactID(id)); err != nil || string(back) != id {
			t.Errorf("%q came back as %q: %v", id, back, err)
		}
	}
	digits := strings.Repeat("0a", 32)
	for _, hash := range []string{
		"ni:///sha-256;" + digits + "?ver=CBV2.0", "ni:///sha-256;" + strings.ToUpper(digits) + "?ver=CBV2.0",
		"ni:///sha-256;" + digits + "?ver=CBV2.1", "ni:///sha-256;0a?ver=CBV2.0", "", strings.Repeat("x", 32),
	} {
		var back eventHash
		if err := back.Scan(compactHash(hash)); err != nil || string(back) != hash {
			t.Errorf("%q came back as %q: %v", hash, back, err)
		}
	}
	if b, ok := compactID("urn:uuid:209704a0-2c77-547e-867a-a2d6be0dd3c4").([]byte); !ok || len(b) != 16 {
		t.Error("a UUID is not 16 bytes")
	}
	if b, ok := compactHash("ni:///sha-256;" + digits + "?ver=CBV2.0").([]byte); !ok || len(b) != 32 {
		t.Error("a hash is not 32 bytes")
	}
}
