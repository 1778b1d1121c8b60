package pipeline

import (
	"hash/crc32"

	"github.com/klauspost/compress/s2"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/suyuan-io/suyuan/hub"
)

// A frame is one message of the raw stream: the envelopes of many concurrent publishers in Protocol Buffers wire format.
// docs/formats-raw.md specifies it. Each envelope is encoded by its publisher's goroutine; the one that commits only
// concatenates, compresses and seals.

const (
	frameVersion = 1
	// maxFrameRecords and maxFrameEnvelopes bound what a few hostile bytes can make a reader allocate.
	maxFrameRecords   = 1 << 13
	maxFrameEnvelopes = 1 << 13
	// frameOverhead is more than the frame's own fields need around its envelopes.
	frameOverhead = 64
	// compressFrom is the size in bytes under which compression is not worth its call.
	compressFrom = 512
)

// The field numbers of docs/formats-raw.md.
const (
	frameFieldVersion     protowire.Number = 1
	frameFieldCompression protowire.Number = 2
	frameFieldSize        protowire.Number = 3
	frameFieldCRC         protowire.Number = 4
	frameFieldEnvelopes   protowire.Number = 5

	listFieldEnvelope protowire.Number = 1

	envFieldConnector   protowire.Number = 1
	envFieldProvider    protowire.Number = 2
	envFieldReceivedAt  protowire.Number = 3
	envFieldContentType protowire.Number = 4
	envFieldOrigin      protowire.Number = 5
	envFieldPreamble    protowire.Number = 6
	envFieldTraceParent protowire.Number = 7
	envFieldRecord      protowire.Number = 8

	recFieldID      protowire.Number = 1
	recFieldBody    protowire.Number = 2
	recFieldLine    protowire.Number = 3
	recFieldColumn  protowire.Number = 4
	recFieldAttempt protowire.Number = 5
	recFieldRefused protowire.Number = 6

	faultFieldKind      protowire.Number = 1
	faultFieldCode      protowire.Number = 2
	faultFieldMessage   protowire.Number = 3
	faultFieldMessageZh protowire.Number = 4
	faultFieldHint      protowire.Number = 5
	faultFieldHintZh    protowire.Number = 6
	faultFieldFile      protowire.Number = 7
	faultFieldLine      protowire.Number = 8
	faultFieldColumn    protowire.Number = 9
	faultFieldPointer   protowire.Number = 10
)

const (
	compressNone = 0
	compressS2   = 1
)

//nolint:gochecknoglobals // read-only table
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendEnvelope appends env as one element of the frame's list of envelopes.
func appendEnvelope(dst []byte, env *hub.Envelope) []byte {
	dst = protowire.AppendTag(dst, listFieldEnvelope, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(envelopeSize(env)))
	dst = appendString(dst, envFieldConnector, string(env.Connector))
	dst = appendString(dst, envFieldProvider, string(env.Provider))
	if !env.ReceivedAt.IsZero() {
		dst = protowire.AppendTag(dst, envFieldReceivedAt, protowire.Fixed64Type)
		dst = protowire.AppendFixed64(dst, uint64(env.ReceivedAt.UnixNano()))
	}
	dst = appendString(dst, envFieldContentType, env.ContentType)
	dst = appendString(dst, envFieldOrigin, env.Origin)
	dst = appendBytes(dst, envFieldPreamble, env.Preamble)
	dst = appendString(dst, envFieldTraceParent, env.TraceParent)
	for i := range env.Records {
		rec := &env.Records[i]
		dst = protowire.AppendTag(dst, envFieldRecord, protowire.BytesType)
		dst = protowire.AppendVarint(dst, uint64(recordSize(rec)))
		dst = appendString(dst, recFieldID, string(rec.ID))
		dst = appendBytes(dst, recFieldBody, rec.Body)
		dst = appendCount(dst, recFieldLine, rec.Line)
		dst = appendCount(dst, recFieldColumn, rec.Column)
		dst = appendCount(dst, recFieldAttempt, rec.Attempt)
		dst = appendFault(dst, recFieldRefused, rec.Refused)
	}
	return dst
}

// appendFault appends f without its cause, which a record's fault does not have.
func appendFault(dst []byte, num protowire.Number, f *hub.Fault) []byte {
	if f == nil {
		return dst
	}
	dst = protowire.AppendTag(dst, num, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(faultSize(f)))
	dst = appendCount(dst, faultFieldKind, int(f.Kind))
	dst = appendString(dst, faultFieldCode, f.Code)
	dst = appendString(dst, faultFieldMessage, f.Message)
	dst = appendString(dst, faultFieldMessageZh, f.MessageZh)
	dst = appendString(dst, faultFieldHint, f.Hint)
	dst = appendString(dst, faultFieldHintZh, f.HintZh)
	dst = appendString(dst, faultFieldFile, f.Where.File)
	dst = appendCount(dst, faultFieldLine, f.Where.Line)
	dst = appendCount(dst, faultFieldColumn, f.Where.Column)
	return appendString(dst, faultFieldPointer, f.Where.Pointer)
}

func faultSize(f *hub.Fault) int {
	return sizeCount(int(f.Kind)) + sizeField(len(f.Code)) + sizeField(len(f.Message)) + sizeField(len(f.MessageZh)) +
		sizeField(len(f.Hint)) + sizeField(len(f.HintZh)) + sizeField(len(f.Where.File)) + sizeCount(f.Where.Line) +
		sizeCount(f.Where.Column) + sizeField(len(f.Where.Pointer))
}

// envelopeSize returns the encoded size of env without its own tag and length.
func envelopeSize(env *hub.Envelope) int {
	n := headSize(env)
	for i := range env.Records {
		n += recordTotal(&env.Records[i])
	}
	return n
}

// headSize returns the encoded size of env's fields other than its records.
func headSize(env *hub.Envelope) int {
	n := sizeField(len(env.Connector)) + sizeField(len(env.Provider)) + sizeField(len(env.ContentType)) +
		sizeField(len(env.Origin)) + sizeField(len(env.Preamble)) + sizeField(len(env.TraceParent))
	if !env.ReceivedAt.IsZero() {
		n += 1 + protowire.SizeFixed64()
	}
	return n
}

// recordTotal returns the encoded size of rec within its envelope.
func recordTotal(rec *hub.Record) int { return 1 + protowire.SizeBytes(recordSize(rec)) }

func recordSize(rec *hub.Record) int {
	n := sizeField(len(rec.ID)) + sizeField(len(rec.Body)) + sizeCount(rec.Line) + sizeCount(rec.Column) + sizeCount(rec.Attempt)
	if rec.Refused != nil {
		n += 1 + protowire.SizeBytes(faultSize(rec.Refused))
	}
	return n
}

func sizeField(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}

func sizeCount(n int) int {
	if n <= 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(uint64(n))
}

func appendString(dst []byte, f protowire.Number, s string) []byte {
	if s == "" {
		return dst
	}
	return protowire.AppendString(protowire.AppendTag(dst, f, protowire.BytesType), s)
}

func appendBytes(dst []byte, f protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, f, protowire.BytesType), b)
}

func appendCount(dst []byte, f protowire.Number, n int) []byte {
	if n <= 0 {
		return dst
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, f, protowire.VarintType), uint64(n))
}

// sealer makes frames. It keeps what it needs on the way for the next, and is used by one goroutine at a time.
type sealer struct{ packed []byte }

// seal makes a frame of encoded envelopes. It compresses them when that saves at least an eighth.
func (s *sealer) seal(envelopes []byte) []byte {
	body, compression := envelopes, compressNone
	if len(envelopes) >= compressFrom {
		if n := s2.MaxEncodedLen(len(envelopes)); cap(s.packed) < n {
			s.packed = make([]byte, n)
		}
		if packed := s2.Encode(s.packed[:cap(s.packed)], envelopes); len(packed) <= len(envelopes)-len(envelopes)/8 {
			body, compression = packed, compressS2
		}
	}
	b := make([]byte, 0, frameOverhead+len(body))
	b = appendCount(b, frameFieldVersion, frameVersion)
	b = appendCount(b, frameFieldCompression, compression)
	b = appendCount(b, frameFieldSize, len(envelopes))
	b = protowire.AppendTag(b, frameFieldCRC, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, crc32.Checksum(body, castagnoli))
	return appendBytes(b, frameFieldEnvelopes, body)
}

// EncodeFrame encodes envelopes as one frame of the raw stream.
func EncodeFrame(envelopes []hub.Envelope) []byte {
	var b []byte
	for i := range envelopes {
		b = appendEnvelope(b, &envelopes[i])
	}
	return new(sealer).seal(b)
}
