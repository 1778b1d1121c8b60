package pipeline

import (
	"crypto/sha1" //nolint:gosec // what version 5 UUIDs are made of; it protects nothing
	"encoding/hex"
	"strconv"

	"github.com/suyuan-io/suyuan/hub"
)

// eventNamespace is the UUID namespace of [EventID]: the version 5 UUID of "https://suyuan.dev/event-id" under the
// namespace for URLs (RFC 9562, section 6.6), 209704a0-2c77-547e-867a-a2d6be0dd3c4.
const eventNamespace = "\x20\x97\x04\xa0\x2c\x77\x54\x7e\x86\x7a\xa2\xd6\xbe\x0d\xd3\xc4"

// EventID is the eventID of the index-th event, from 0, that a record means when it states none: "urn:uuid:" and the
// version 5 UUID (RFC 9562, section 5.5) of connector, LF, record id, LF, index in decimal. The same record read or
// replayed again gives the same id; docs/formats-raw.md has vectors.
func EventID(record hub.RecordRef, index int) string {
	var room [256]byte
	name := append(room[:0], eventNamespace...)
	name = append(append(name, record.Connector...), '\n')
	name = append(append(name, record.ID...), '\n')
	sum := sha1.Sum(strconv.AppendInt(name, int64(index), 10)) //nolint:gosec // see the import
	sum[6] = sum[6]&0x0f | 5<<4                                // version
	sum[8] = sum[8]&0x3f | 0x80                                // variant
	const prefix = "urn:uuid:"
	var text [len(prefix) + 36]byte
	b := append(text[:0], prefix...)
	b = hex.AppendEncode(b, sum[:4])
	for _, part := range [][]byte{sum[4:6], sum[6:8], sum[8:10], sum[10:16]} {
		b = hex.AppendEncode(append(b, '-'), part)
	}
	return string(b)
}
