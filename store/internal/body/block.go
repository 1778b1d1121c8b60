package body

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/s2"
)

// Block is the bodies of events that an earlier release recorded together, packed together; their rows stand by themselves and hold
// their ids. This one writes [Rows].
//
// Its form is one byte, [block1], and S2 of its bodies one after the other: a varint that is 0 or one more than the place at which
// the event's id was taken out, a varint of the length of what is left, and that.
type Block struct {
	parts []part
}

type part struct {
	cut  int // where the id goes, -1 for nowhere
	rest []byte
}

const block1 = 1

// MaxBlock is how many events are packed together at most. More hardly pack better, and whoever reads one unpacks all.
const MaxBlock = 64

// inBlock is the first byte of what a row holds in place of a body that is in a block; its place there follows.
const inBlock = 3

// PlaceInBlock returns the place in its block of a body that is in one.
func PlaceInBlock(row []byte) (place int, ok bool) {
	if len(row) != 2 || row[0] != inBlock {
		return 0, false
	}
	return int(row[1]), true
}

// idAt returns where the id stands in a body, -1 where it does not, or not in these bytes.
func idAt(body []byte, id string) int {
	const name, rare = `"event`, `ID":"` // a letter that is rare is sooner found than a quote
	for from := 0; id != ""; {
		at := bytes.Index(body[from:], []byte(rare))
		if at < 0 {
			break
		}
		named := bytes.HasSuffix(body[:from+at], []byte(name))
		from += at + len(rare)
		if rest := body[from:]; named && len(rest) > len(id) && rest[len(id)] == '"' && string(rest[:len(id)]) == id {
			return from
		}
	}
	return -1
}

// UnpackBlock unpacks what PackBlock packed.
func UnpackBlock(b []byte) (*Block, error) {
	if len(b) == 0 || b[0] != block1 {
		return nil, errors.New("unpack bodies: unknown packing")
	}
	const most = 256 << 20 // a few damaged bytes must not take all memory
	if n, err := s2.DecodedLen(b[1:]); err != nil || n > most {
		return nil, errors.New("unpack bodies: damaged")
	}
	rest, err := s2.Decode(nil, b[1:])
	if err != nil {
		return nil, fmt.Errorf("unpack bodies: %w", err)
	}
	out := &Block{}
	for len(rest) > 0 {
		cut, n := binary.Uvarint(rest)
		size, m := binary.Uvarint(rest[max(n, 0):])
		if n <= 0 || m <= 0 || size > uint64(len(rest)-n-m) || cut > size+1 {
			return nil, errors.New("unpack bodies: damaged")
		}
		rest = rest[n+m:]
		out.parts = append(out.parts, part{int(cut) - 1, rest[:size]})
		rest = rest[size:]
	}
	return out, nil
}

// Body returns the body at a place; id is its event's id.
func (b *Block) Body(place int, id string) ([]byte, error) {
	if place < 0 || place >= len(b.parts) {
		return nil, fmt.Errorf("unpack bodies: there is none at %d of %d", place, len(b.parts))
	}
	p := b.parts[place]
	if p.cut < 0 {
		return p.rest, nil
	}
	out := make([]byte, 0, len(p.rest)+len(id))
	return append(append(append(out, p.rest[:p.cut]...), id...), p.rest[p.cut:]...), nil
}
