package sqlite

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// sumSize is how many bytes a checksum has.
const sumSize = 4

// sum is a CRC-32C of bytes and of where they belong, so that neither is taken for another.
func sum(b []byte, at ...int64) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var where []byte
	for _, n := range at {
		where = binary.LittleEndian.AppendUint64(where, uint64(n))
	}
	return crc32.Update(crc32.Checksum(where, table), table, b)
}

// summed is b with its checksum behind it.
func summed(b []byte, at ...int64) []byte {
	return binary.LittleEndian.AppendUint32(slices.Clip(b), sum(b, at...))
}

// checked returns what [summed] was made of; ok is false where it is anything else.
func checked(b []byte, at ...int64) (_ []byte, ok bool) {
	n := len(b) - sumSize
	if n < 0 || sum(b[:n], at...) != binary.LittleEndian.Uint32(b[n:]) {
		return nil, false
	}
	return b[:n], true
}
