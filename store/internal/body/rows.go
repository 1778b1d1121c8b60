package body

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"
)

// Row is what a store keeps of an event besides its place in the log, its leaf hash, and the times of the event and its record.
type Row struct {
	ID string
	// Declared and Received are microseconds since 1970, 0 for never.
	Declared, Received int64
	// Provider and Connector are whatever numbers the store gives them, none of them negative.
	Provider, Connector int64
	RecordID, Hash      string
	Raw                 [32]byte
	Salt                [32]byte
	// Body is the canonical event.
	Body []byte
}

// Rows packs the rows of events that are recorded together: what they share is stored once, and an id that stands in the body as
// well is not stored twice. The zero Rows is ready for use.
//
// The form is one byte, [rows1]; a varint of the length of what cannot be packed, and that, row by row: raw, salt, then the bytes of
// the id and of the hash where they have the usual form; and S2 of the rest, row by row: a byte of flags; varints of provider,
// connector, and how much later than the row before it was received; where its flag is set the time of declaration, as a
// varint; id, record id and hash, each the varint of its length and its bytes, id and hash only where they are not among the
// above; where its flag is set a varint of the place at which the id was taken out of the body; and what is left of the body with
// its length.
type Rows struct {
	n           int
	plain, text []byte
	received    int64
	packed      []byte
}

const rows1 = 1

// The flags of a row.
const (
	idBytes = 1 << iota
	hashBytes
	declared
	cut
)

// Len is how many rows there are.
func (r *Rows) Len() int { return r.n }

// Add adds a row; there is room for [MaxBlock].
func (r *Rows) Add(row *Row) {
	r.n++
	flags, at := byte(0), idAt(row.Body, row.ID)
	r.plain = append(append(r.plain, row.Raw[:]...), row.Salt[:]...)
	if u, ok := ID(row.ID); ok {
		flags |= idBytes
		r.plain = append(r.plain, u[:]...)
	}
	if h, ok := Hash(row.Hash); ok {
		flags |= hashBytes
		r.plain = append(r.plain, h[:]...)
	}
	if row.Declared != 0 {
		flags |= declared
	}
	if at >= 0 {
		flags |= cut
	}
	b := append(r.text, flags)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(row.Provider)), uint64(row.Connector))
	b = binary.AppendVarint(b, row.Received-r.received)
	r.received = row.Received
	if flags&declared != 0 {
		b = binary.AppendVarint(b, row.Declared)
	}
	if flags&idBytes == 0 {
		b = appendText(b, row.ID)
	}
	b = appendText(b, row.RecordID)
	if flags&hashBytes == 0 {
		b = appendText(b, row.Hash)
	}
	r.text = appendBody(b, row.Body, row.ID, at)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendBody appends body without the id at a place, -1 for nowhere.
func appendBody(b, body []byte, id string, at int) []byte {
	if at < 0 {
		return append(binary.AppendUvarint(b, uint64(len(body))), body...)
	}
	b = binary.AppendUvarint(b, uint64(at))
	b = binary.AppendUvarint(b, uint64(len(body)-len(id)))
	return append(append(b, body[:at]...), body[at+len(id):]...)
}

// Pack returns the rows packed, and begins anew.
func (r *Rows) Pack() []byte {
	if n := s2.MaxEncodedLen(len(r.text)); cap(r.packed) < n {
		r.packed = make([]byte, n)
	}
	packed := s2.Encode(r.packed[:cap(r.packed)], r.text)
	out := make([]byte, 0, 1+binary.MaxVarintLen32+len(r.plain)+len(packed))
	out = binary.AppendUvarint(append(out, rows1), uint64(len(r.plain)))
	out = append(append(out, r.plain...), packed...)
	*r = Rows{plain: r.plain[:0], text: r.text[:0], packed: r.packed}
	return out
}

// UnpackRows returns those of the rows that Pack packed whose places are wanted, in their order; places are in order.
// The bodies are as [Pack] leaves them.
func UnpackRows(b []byte, places []int) ([]Row, error) {
	in, err := openRows(b)
	if err != nil {
		return nil, err
	}
	out := make([]Row, 0, len(places))
	for place := 0; len(out) < len(places); place++ {
		var row Row
		in.row(&row, place == places[len(out)])
		if in.failed {
			return nil, errRows
		}
		if place == places[len(out)] {
			out = append(out, row)
		}
	}
	return out, nil
}

var errRows = errors.New("unpack events: damaged")

// rowReader reads rows. Once it failed it has nothing more.
type rowReader struct {
	plain, text []byte
	received    int64
	failed      bool
}

func openRows(b []byte) (*rowReader, error) {
	if len(b) == 0 || b[0] != rows1 {
		return nil, errors.New("unpack events: unknown packing")
	}
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || size > uint64(len(b)-1-n) {
		return nil, errRows
	}
	plain, packed := b[1+n:][:size], b[1+n:][size:]
	const most = 256 << 20 // a few damaged bytes must not take all memory
	if n, err := s2.DecodedLen(packed); err != nil || n > most {
		return nil, errRows
	}
	text, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("unpack events: %w", err)
	}
	return &rowReader{plain: plain, text: text}, nil
}

// row reads the next row, of which nothing is kept unless it is wanted.
func (r *rowReader) row(row *Row, wanted bool) {
	flags := r.take(&r.text, 1)
	copy(row.Raw[:], r.take(&r.plain, len(row.Raw)))
	copy(row.Salt[:], r.take(&r.plain, len(row.Salt)))
	if r.failed {
		return
	}
	has := func(flag byte) bool { return flags[0]&flag != 0 }
	var id, hash []byte
	if has(idBytes) {
		id = r.take(&r.plain, uuidSize)
	}
	if has(hashBytes) {
		hash = r.take(&r.plain, hashSize)
	}
	row.Provider, row.Connector = int64(r.uvarint()), int64(r.uvarint())
	r.received += r.varint()
	row.Received = r.received
	if has(declared) {
		row.Declared = r.varint()
	}
	if !has(idBytes) {
		id = r.bytes()
	}
	record := r.bytes()
	if !has(hashBytes) {
		hash = r.bytes()
	}
	at := -1
	if has(cut) {
		at = int(min(r.uvarint(), 1<<30))
	}
	rest := r.bytes()
	if r.failed = r.failed || at > len(rest); r.failed || !wanted {
		return
	}
	row.ID, row.Hash, row.RecordID = string(id), string(hash), string(record)
	if has(idBytes) {
		row.ID = IDText([uuidSize]byte(id))
	}
	if has(hashBytes) {
		row.Hash = HashText([hashSize]byte(hash))
	}
	row.Body = append(make([]byte, 0, 1+len(rest)+len(row.ID)), raw)
	if at < 0 {
		row.Body = append(row.Body, rest...)
		return
	}
	row.Body = append(append(append(row.Body, rest[:at]...), row.ID...), rest[at:]...)
}

// take returns the next n bytes of a part.
func (r *rowReader) take(from *[]byte, n int) []byte {
	if r.failed = r.failed || n > len(*from); r.failed {
		return nil
	}
	out := (*from)[:n]
	*from = (*from)[n:]
	return out
}

func (r *rowReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.text)
	r.skip(n)
	return v
}

func (r *rowReader) varint() int64 {
	v, n := binary.Varint(r.text)
	r.skip(n)
	return v
}

// skip passes a number of n bytes, none where there was no number.
func (r *rowReader) skip(n int) {
	if r.failed = r.failed || n <= 0; !r.failed {
		r.text = r.text[n:]
	}
}

func (r *rowReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.text)) {
		r.failed = true
	}
	return slices.Clip(r.take(&r.text, int(min(n, 1<<30))))
}
