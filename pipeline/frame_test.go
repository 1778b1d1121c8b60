package pipeline_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/pipeline"
)

const limit = 1 << 20

func crc(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

func sampleEnvelopes() []hub.Envelope {
	full := hub.Envelope{
		Connector: "wms", Provider: "shanghai-bonded-wms", ReceivedAt: time.Date(2019, 11, 8, 0, 11, 4, 123456789, time.UTC),
		ContentType: "text/csv", Origin: "出库.csv", Preamble: []byte("a;b\n"), TraceParent: "00-x-y-01",
		Records: []hub.Record{
			{ID: "f#1", Body: []byte("1;2\n"), Line: 2, Column: 1, Attempt: 3},
			{ID: "f#2", Body: bytes.Repeat([]byte("no news "), 400), Line: math.MaxInt32},
			{ID: "f#3", Body: []byte("beginning"), Refused: &hub.Fault{
				Kind: hub.TooLarge, Code: "record.too-large", Message: "m", MessageZh: "太大", Hint: "h", HintZh: "拆分",
				Where: hub.Where{File: "出库.csv", Line: 4, Column: 5, Pointer: "/x"},
			}},
		},
	}
	return []hub.Envelope{full, {Connector: "shop", Records: []hub.Record{{ID: "1"}}}, {Connector: "empty"}}
}

func TestFramesRoundTrip(t *testing.T) {
	for name, want := range map[string][]hub.Envelope{
		"all fields": sampleEnvelopes(), "no envelope": nil,
		"before 1970": {{Connector: "c", ReceivedAt: time.Date(1901, 1, 2, 3, 4, 5, 6, time.UTC)}},
	} {
		got, err := pipeline.DecodeFrame(pipeline.EncodeFrame(want), limit)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestAFrameTellsWhatIsWrongWithIt(t *testing.T) {
	good := pipeline.EncodeFrame(sampleEnvelopes())
	frame := func(version, compression, size uint64, body []byte) []byte {
		b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), version)
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), compression)
		b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), size)
		b = protowire.AppendFixed32(protowire.AppendTag(b, 4, protowire.Fixed32Type), crc(body))
		return protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), body)
	}
	envelope := func(b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), b)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)-3] ^= 1
	records := func(n int) []byte {
		return envelope(bytes.Repeat([]byte{8<<3 | 2, 0}, n))
	}
	for name, c := range map[string]struct {
		frame []byte
		code  string
	}{
		"nothing":                     {nil, "frame.version"},
		"no protocol buffer":          {[]byte("hello"), "frame.malformed"},
		"cut off":                     {good[:len(good)-1], "frame.malformed"},
		"one bit flipped":             {flipped, "frame.crc"},
		"a newer version":             {frame(2, 0, 0, nil), "frame.version"},
		"an unknown compression":      {frame(1, 9, 3, []byte("abc")), "frame.compression"},
		"a bomb":                      {frame(1, 1, 1<<40, []byte("\xff\xff\xff\xff\x0f")), "frame.too-large"},
		"a size that lies":            {frame(1, 0, 4, []byte("abc")), "frame.size"},
		"a packed size that lies":     {frame(1, 1, 4, []byte("\x05abc")), "frame.size"},
		"packed bytes that are none":  {frame(1, 1, 5, []byte("\x05\xf0")), "frame.compression"},
		"an envelope cut off":         {frame(1, 0, 2, []byte{1<<3 | 2, 9}), "frame.malformed"},
		"a connector that is a count": {frame(1, 0, 4, envelope([]byte{1 << 3, 7})), "frame.malformed"},
		"more records than fit":       {frame(1, 0, uint64(len(records(1<<14))), records(1<<14)), "frame.malformed"},
		"a line out of range": {
			frame(1, 0, 11, envelope([]byte{8<<3 | 2, 7, 3 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})), "frame.malformed",
		},
	} {
		_, err := pipeline.DecodeFrame(c.frame, limit)
		if f := hub.AsFault(err); err == nil || f.Code != c.code || f.Kind != hub.Invalid {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	b := protowire.AppendBytes(protowire.AppendTag(pipeline.EncodeFrame(sampleEnvelopes()), 99, protowire.BytesType), []byte("x"))
	got, err := pipeline.DecodeFrame(b, limit)
	if diff := cmp.Diff(sampleEnvelopes(), got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestRepetitiveRecordsArePacked(t *testing.T) {
	e := hub.Envelope{Connector: "c", Records: []hub.Record{{ID: "1", Body: []byte(strings.Repeat("0123456789", 1000))}}}
	if n := len(pipeline.EncodeFrame([]hub.Envelope{e})); n > 1000 {
		t.Errorf("10,000 repetitive bytes became %d", n)
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(pipeline.EncodeFrame(sampleEnvelopes()))
	f.Add(pipeline.EncodeFrame(nil))
	f.Add([]byte("\x08\x01\x18\x02\x25\x00\x00\x00\x00\x2a\x02\x0a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := pipeline.DecodeFrame(b, limit)
		if err != nil {
			if hub.KindOf(err) != hub.Invalid {
				t.Fatalf("%v is not Invalid", err)
			}
			return
		}
		again, err := pipeline.DecodeFrame(pipeline.EncodeFrame(got), limit+1<<16)
		if err != nil || !bytes.Equal(pipeline.EncodeFrame(got), pipeline.EncodeFrame(again)) {
			t.Fatalf("it does not round-trip: %v", err)
		}
	})
}

// FuzzEnvelopes goes past the checksum, which a fuzzer does not find, into the envelopes.
func FuzzEnvelopes(f *testing.F) {
	f.Add([]byte("\x0a\x03\x0a\x01c"))
	f.Fuzz(func(t *testing.T, list []byte) {
		b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
		b = protowire.AppendVarint(protowire.AppendTag(b, 3, protowire.VarintType), uint64(len(list)))
		b = protowire.AppendFixed32(protowire.AppendTag(b, 4, protowire.Fixed32Type), crc(list))
		b = protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), list)
		got, err := pipeline.DecodeFrame(b, limit)
		if err != nil {
			return
		}
		again, err := pipeline.DecodeFrame(pipeline.EncodeFrame(got), limit+1<<16)
		if err != nil || !bytes.Equal(pipeline.EncodeFrame(got), pipeline.EncodeFrame(again)) {
			t.Fatalf("it does not round-trip: %v", err)
		}
	})
}

func TestTheVectorInTheDocumentationIsTrue(t *testing.T) {
	want := []hub.Envelope{{
		Connector: "c", Provider: "p", ReceivedAt: time.Date(2019, 11, 8, 0, 11, 4, 0, time.UTC),
		Records: []hub.Record{{ID: "1", Body: []byte("x"), Line: 2}},
	}}
	page, err := os.ReadFile("../docs/formats-raw.md")
	if err != nil {
		t.Fatal(err)
	}
	vector := fmt.Sprintf("%x", pipeline.EncodeFrame(want))
	if !strings.Contains(strings.ReplaceAll(string(page), "\n", ""), vector) {
		t.Errorf("docs/formats-raw.md does not have %s", vector)
	}
}
