package pipeline

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/suyuan-io/suyuan/hub"
)

// DecodeFrame decodes a frame whose envelopes hold at most limit bytes before compression. The envelopes share memory
// with b where it is not compressed. Whatever is wrong with b, it returns a fault of kind Invalid with a code under
// "frame.", and has allocated in proportion to limit at most.
func DecodeFrame(b []byte, limit int) ([]hub.Envelope, error) {
	return decodeFrame(b, limit, new([]byte))
}

// decodeFrame is DecodeFrame with room for what is compressed, which it replaces by more where it is too small. The envelopes
// share memory with room as well.
func decodeFrame(b []byte, limit int, room *[]byte) ([]hub.Envelope, error) {
	head, err := parseFrame(b)
	if err != nil {
		return nil, err
	}
	list, err := head.open(limit, room)
	if err != nil {
		return nil, err
	}
	d := frameDecoder{}
	if err := eachField(list, func(f field) error {
		if f.num != listFieldEnvelope {
			return nil
		}
		env, err := f.bytes()
		if err != nil {
			return err
		}
		return d.envelope(env)
	}); err != nil {
		return nil, hub.Faultf(hub.Invalid, "frame.malformed", "the frame's envelopes are malformed").Because(err)
	}
	return d.envelopes, nil
}

// frameHead is a frame with its envelopes still packed.
type frameHead struct {
	version, compression, size uint64
	crc                        uint32
	body                       []byte
}

func parseFrame(b []byte) (frameHead, error) {
	var h frameHead
	err := eachField(b, func(f field) (err error) {
		switch f.num {
		case frameFieldVersion:
			h.version, err = f.varint()
		case frameFieldCompression:
			h.compression, err = f.varint()
		case frameFieldSize:
			h.size, err = f.varint()
		case frameFieldCRC:
			h.crc, err = f.fixed32()
		case frameFieldEnvelopes:
			h.body, err = f.bytes()
		default: // of a later release
		}
		return err
	})
	if err != nil {
		return h, hub.Faultf(hub.Invalid, "frame.malformed", "the message is not a frame").Because(err)
	}
	return h, nil
}

// unpackedSize is how many bytes a frame occupies when it is decoded, as it states itself. Bytes that are no frame occupy
// what they are.
func unpackedSize(b []byte) int64 {
	h, err := parseFrame(b)
	if err != nil || h.size > frameCeiling {
		return int64(len(b))
	}
	return int64(max(h.size, uint64(len(b))))
}

// open checks h and returns its envelopes unpacked, in room where they were compressed.
func (h frameHead) open(limit int, room *[]byte) ([]byte, error) {
	if h.version != frameVersion {
		return nil, hub.Faultf(hub.Invalid, "frame.version", "frame version %d is not known, only %d is", h.version, frameVersion).
			WithHint("it was written by a newer release: upgrade, then replay this dead letter")
	}
	if got := crc32.Checksum(h.body, castagnoli); got != h.crc {
		return nil, hub.Faultf(hub.Invalid, "frame.crc", "the frame's checksum is %08x, its bytes give %08x", h.crc, got)
	}
	if limit < 0 || h.size > uint64(limit) {
		return nil, hub.Faultf(hub.Invalid, "frame.too-large", "the frame holds %d bytes, at most %d are allowed", h.size, limit)
	}
	switch h.compression {
	case compressNone:
		if uint64(len(h.body)) != h.size {
			return nil, hub.Faultf(hub.Invalid, "frame.size", "the frame states %d bytes and has %d", h.size, len(h.body))
		}
		return h.body, nil
	case compressS2:
		n, err := s2.DecodedLen(h.body)
		if err != nil || n < 0 || uint64(n) != h.size {
			return nil, hub.Faultf(hub.Invalid, "frame.size", "the frame states %d bytes and unpacks to %d", h.size, n).Because(err)
		}
		out, err := s2.Decode((*room)[:cap(*room)], h.body)
		if err != nil {
			return nil, hub.Faultf(hub.Invalid, "frame.compression", "the frame cannot be unpacked").Because(err)
		}
		*room = out
		return out, nil
	}
	return nil, hub.Faultf(hub.Invalid, "frame.compression", "compression %d is not known", h.compression)
}

// frameDecoder counts what one frame makes it allocate.
type frameDecoder struct {
	envelopes []hub.Envelope
	records   int
	reserved  int          // records that there is room for, or was
	before    hub.Envelope // of the first one: none
}

func (d *frameDecoder) envelope(b []byte) error {
	if len(d.envelopes) == maxFrameEnvelopes {
		return fmt.Errorf("more than %d envelopes", maxFrameEnvelopes)
	}
	d.envelopes = append(d.envelopes, hub.Envelope{})
	env, last := &d.envelopes[len(d.envelopes)-1], &d.before
	if n := len(d.envelopes); n > 1 {
		last = &d.envelopes[n-2]
	}
	return eachField(b, func(f field) (err error) {
		switch f.num {
		case envFieldConnector:
			err = setAsBefore(&env.Connector, last.Connector, f)
		case envFieldProvider:
			err = setAsBefore(&env.Provider, last.Provider, f)
		case envFieldReceivedAt:
			var ns uint64
			ns, err = f.fixed64()
			env.ReceivedAt = time.Unix(0, int64(ns)).UTC()
		case envFieldContentType:
			err = setAsBefore(&env.ContentType, last.ContentType, f)
		case envFieldOrigin:
			err = setAsBefore(&env.Origin, last.Origin, f)
		case envFieldPreamble:
			env.Preamble, err = f.bytes()
		case envFieldTraceParent:
			err = setString(&env.TraceParent, f)
		case envFieldRecord:
			err = d.record(env, f, len(b))
		default: // of a later release
		}
		return err
	})
}

// record adds a record to env, which has size bytes.
func (d *frameDecoder) record(env *hub.Envelope, in field, size int) error {
	b, err := in.bytes()
	if err != nil {
		return err
	}
	if d.records++; d.records > maxFrameRecords {
		return fmt.Errorf("more than %d records", maxFrameRecords)
	}
	var rec hub.Record
	err = eachField(b, func(f field) (err error) {
		switch f.num {
		case recFieldID:
			err = setString(&rec.ID, f)
		case recFieldBody:
			rec.Body, err = f.bytes()
		case recFieldLine:
			rec.Line, err = f.count()
		case recFieldColumn:
			rec.Column, err = f.count()
		case recFieldAttempt:
			rec.Attempt, err = f.count()
		case recFieldRefused:
			rec.Refused, err = decodeFault(f)
		default: // of a later release
		}
		return err
	})
	if env.Records == nil { // most are about as long as the first
		n := min(size/max(len(b), 1)+1, maxFrameRecords-d.reserved)
		env.Records = make([]hub.Record, 0, max(n, 1))
		d.reserved += n
	}
	env.Records = append(env.Records, rec)
	return err
}

func decodeFault(in field) (*hub.Fault, error) {
	b, err := in.bytes()
	if err != nil {
		return nil, err
	}
	var fault hub.Fault
	err = eachField(b, func(f field) (err error) {
		switch f.num {
		case faultFieldKind:
			var n int
			n, err = f.count()
			fault.Kind = hub.Kind(n)
		case faultFieldCode:
			err = setString(&fault.Code, f)
		case faultFieldMessage:
			err = setString(&fault.Message, f)
		case faultFieldMessageZh:
			err = setString(&fault.MessageZh, f)
		case faultFieldHint:
			err = setString(&fault.Hint, f)
		case faultFieldHintZh:
			err = setString(&fault.HintZh, f)
		case faultFieldFile:
			err = setString(&fault.Where.File, f)
		case faultFieldLine:
			fault.Where.Line, err = f.count()
		case faultFieldColumn:
			fault.Where.Column, err = f.count()
		case faultFieldPointer:
			err = setString(&fault.Where.Pointer, f)
		default: // of a later release
		}
		return err
	})
	return &fault, err
}

// field is one field of a message as it stands on the wire.
type field struct {
	num protowire.Number
	typ protowire.Type
	raw []byte
}

var errWireType = errors.New("a field has the wrong wire type")

// eachField calls yield for every field of b in order. Fields that yield does not know are for it to skip.
func eachField(b []byte, yield func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		n = protowire.ConsumeFieldValue(num, typ, b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := yield(field{num, typ, b[:n]}); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (f field) bytes() ([]byte, error) {
	if f.typ != protowire.BytesType {
		return nil, errWireType
	}
	v, n := protowire.ConsumeBytes(f.raw)
	return slices.Clip(v), protowire.ParseError(n)
}

func (f field) varint() (uint64, error) {
	if f.typ != protowire.VarintType {
		return 0, errWireType
	}
	v, n := protowire.ConsumeVarint(f.raw)
	return v, protowire.ParseError(n)
}

func (f field) count() (int, error) {
	v, err := f.varint()
	if err == nil && v > math.MaxInt32 {
		err = fmt.Errorf("count %d is out of range", v)
	}
	return int(v), err
}

func (f field) fixed32() (uint32, error) {
	if f.typ != protowire.Fixed32Type {
		return 0, errWireType
	}
	v, n := protowire.ConsumeFixed32(f.raw)
	return v, protowire.ParseError(n)
}

func (f field) fixed64() (uint64, error) {
	if f.typ != protowire.Fixed64Type {
		return 0, errWireType
	}
	v, n := protowire.ConsumeFixed64(f.raw)
	return v, protowire.ParseError(n)
}

// setAsBefore is setString where the value is mostly that of the envelope before, whose memory it then shares.
func setAsBefore[S ~string](dst *S, before S, f field) error {
	b, err := f.bytes()
	if *dst = before; string(b) != string(before) {
		*dst = S(b)
	}
	return err
}

func setString[S ~string](dst *S, f field) error {
	b, err := f.bytes()
	*dst = S(b)
	return err
}
