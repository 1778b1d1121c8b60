package body_test

import (
	"fmt"
	"testing"

	"github.com/suyuan-io/suyuan/store/internal/body"
)

func TestBlocksComeBack(t *testing.T) {
	bodies := [][]byte{
		[]byte(`{"eventID":"urn:uuid:1","type":"ObjectEvent"}`), []byte(`{"type":"ObjectEvent","x":"urn:uuid:2"}`), {},
		[]byte(`{"eventID":"a\"b"}`), []byte(`{"eventID":"urn:uuid:55","note":"\"eventID\":\"urn:uuid:55\""}`), []byte(`{"eventID":""}`),
	}
	ids := []string{"urn:uuid:1", "urn:uuid:2", "urn:uuid:3", `a"b`, "urn:uuid:55", ""}
	b, err := body.UnpackBlock(body.PackBlock(bodies, ids))
	if err != nil {
		t.Fatal(err)
	}
	for i := range bodies {
		if got, err := b.Body(i, ids[i]); err != nil || string(got) != string(bodies[i]) {
			t.Errorf("%d: %s came back as %s: %v", i, bodies[i], got, err)
		}
	}
	if _, err := b.Body(len(bodies), ""); err == nil {
		t.Error("there is one too many")
	}
	for i := range body.MaxBlock {
		if place, ok := body.PlaceInBlock(body.InBlock(i)); !ok || place != i {
			t.Errorf("place %d is %d", i, place)
		}
	}
	if _, ok := body.PlaceInBlock(body.Pack([]byte("x"))); ok {
		t.Error("a packed body is taken for a place")
	}
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte(`{"eventID":"urn:uuid:1"}`), "urn:uuid:1")
	f.Add([]byte("\x01\x02\x00\x00"), "")
	f.Fuzz(func(t *testing.T, b []byte, id string) {
		got, err := body.UnpackBlock(body.PackBlock([][]byte{b, b}, []string{id, id}))
		if err != nil {
			t.Fatal(err)
		}
		if back, err := got.Body(1, id); err != nil || string(back) != string(b) {
			t.Errorf("%q came back as %q: %v", b, back, err)
		}
		if damaged, err := body.UnpackBlock(b); err == nil {
			_, _ = damaged.Body(0, id)
		}
	})
}

// BenchmarkBlock packs 64 bodies that are as alike as those of one sender are. One op is all of them.
func BenchmarkBlock(b *testing.B) {
	var bodies [][]byte
	var ids []string
	size := 0
	for i := range body.MaxBlock {
		id := fmt.Sprintf("urn:uuid:69c41659-5dbd-5d70-8341-%012x", i*7919)
		ids = append(ids, id)
		bodies = append(bodies, fmt.Appendf(nil, `{"action":"OBSERVE","bizStep":"shipping","epcList":["https://id.gs1.org/01/07613035982949/21/%d"],`+
			`"eventID":%q,"eventTime":"2026-11-01T08:%02d:04.000+08:00","eventTimeZoneOffset":"+08:00","type":"ObjectEvent"}`, i*104729, id, i))
		size += len(bodies[i])
	}
	var packed []byte
	for b.Loop() {
		packed = body.PackBlock(bodies, ids)
	}
	b.ReportMetric(float64(size)/body.MaxBlock, "B/body")
	b.ReportMetric(float64(len(packed))/body.MaxBlock, "packed-B/body")
}
