package body_test

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/suyuan-io/suyuan/store/internal/body"
)

// rowsOf packs rows.
func rowsOf(rows []body.Row) []byte {
	var r body.Rows
	for i := range rows {
		r.Add(&rows[i])
	}
	return r.Pack()
}

// unpacked are the rows at places, their bodies unpacked.
func unpacked(t *testing.T, b []byte, places ...int) []body.Row {
	t.Helper()
	rows, err := body.UnpackRows(b, places)
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if rows[i].Body, err = body.Unpack(rows[i].Body); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func TestRowsComeBack(t *testing.T) {
	const usual = "urn:uuid:209704a0-2c77-547e-867a-a2d6be0dd3c4"
	hash := "ni:///sha-256;" + strings.Repeat("0a", 32) + "?ver=CBV2.0"
	rows := []body.Row{
		{ID: usual, Hash: hash, RecordID: "r1", Received: 1_700_000_000_000_000, Provider: 1, Connector: 2, Body: []byte(`{"eventID":"` + usual + `","x":1}`)},
		{ID: usual, Hash: hash, RecordID: "r2", Received: 1_600_000_000_000_000, Declared: -5, Provider: 300, Raw: [32]byte{1}, Salt: [32]byte{2}},
		{ID: `a"b`, Hash: "x", RecordID: "", Body: []byte(`{"eventID":"a\"b"}`)},
		{ID: "", Hash: "", RecordID: "\x00\xff", Body: []byte(`{"eventID":""}`)},
		{ID: strings.ToUpper(usual), Hash: strings.ToUpper(hash), Body: []byte("no JSON")},
		{ID: "urn:uuid:55", Body: []byte(`{"eventID":"urn:uuid:5","note":"\"eventID\":\"urn:uuid:55\"","y":{"eventID":"urn:uuid:55"}}`)},
		{ID: "urn:uuid:209704a0 2c77-547e-867a-a2d6be0dd3c4"}, {ID: "urn:uuid:209704a0-2c77-547e-867a-a2d6be0dd3cg"},
	}
	for i := range rows {
		rows[i].Body = append([]byte{}, rows[i].Body...)
	}
	packed := rowsOf(rows)
	if diff := cmp.Diff(rows, unpacked(t, packed, 0, 1, 2, 3, 4, 5, 6, 7)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]body.Row{rows[1], rows[5]}, unpacked(t, packed, 1, 5)); diff != "" {
		t.Error(diff)
	}
	if _, err := body.UnpackRows(packed, []int{len(rows)}); err == nil {
		t.Error("there is one too many")
	}
	var again body.Rows
	for range 2 { // what was packed before leaves nothing behind
		for i := range rows {
			again.Add(&rows[i])
		}
		if !slices.Equal(again.Pack(), packed) || again.Len() != 0 {
			t.Error("the same rows are packed otherwise")
		}
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(`{"eventID":"urn:uuid:1"}`), "urn:uuid:1", "r", int64(1))
	f.Add([]byte("\x01\x02\x00\x00"), "", "", int64(-1))
	f.Add(rowsOf([]body.Row{{ID: "x"}, {ID: "y"}}), "urn:uuid:209704a0-2c77-547e-867a-a2d6be0dd3c4", "ni:///sha-256;", int64(1))
	f.Fuzz(func(t *testing.T, b []byte, id, record string, at int64) {
		row := body.Row{ID: id, RecordID: record, Hash: record, Received: at, Declared: at, Provider: at & 0xffff, Body: append([]byte{}, b...)}
		if diff := cmp.Diff([]body.Row{row, row}, unpacked(t, rowsOf([]body.Row{row, row}), 0, 1)); diff != "" {
			t.Error(diff)
		}
		_, _ = body.UnpackRows(b, []int{0, 3})
	})
}

// BenchmarkRows packs 64 events that are as alike as those of one sender are. One op is all of them.
func BenchmarkRows(b *testing.B) {
	var rows []body.Row
	size := 0
	for i := range body.MaxBlock {
		id := fmt.Sprintf("urn:uuid:69c41659-5dbd-5d70-8341-%012x", i*7919)
		row := body.Row{
			ID: id, RecordID: fmt.Sprintf("rec-%d", i), Provider: 3, Connector: 4, Received: 1_700_000_000_000_000,
			Body: fmt.Appendf(nil, `{"action":"OBSERVE","bizStep":"shipping","epcList":["https://id.gs1.org/01/07613035982949/21/%d"],`+
				`"eventID":%q,"eventTime":"2026-11-01T08:%02d:04.000+08:00","eventTimeZoneOffset":"+08:00","type":"ObjectEvent"}`, i*104729, id, i),
		}
		for k := range row.Raw { // bytes that do not repeat
			row.Raw[k], row.Salt[k] = byte(i*k*31), byte(i*k*17+k)
		}
		row.Hash = "ni:///sha-256;" + hex.EncodeToString(row.Raw[:]) + "?ver=CBV2.0"
		rows = append(rows, row)
		size += len(row.Body)
	}
	var packed []byte
	var r body.Rows
	for b.Loop() {
		for i := range rows {
			r.Add(&rows[i])
		}
		packed = r.Pack()
	}
	b.ReportMetric(float64(size)/body.MaxBlock, "B/body")
	b.ReportMetric(float64(len(packed))/body.MaxBlock, "packed-B/event")
}
