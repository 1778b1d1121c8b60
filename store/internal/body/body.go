// Package body packs what a store keeps of events. Those that are recorded together are packed together, in [Rows]. Of one that
// comes alone the canonical JSON is packed, with a dictionary of what EPCIS events are made of: events are small and alike, and it
// saves most of what compressing each by itself cannot.
//
// It leaves to its caller where the bytes go. A dictionary never changes once a release stored with it; a better one gets a
// mark of its own.
package body

import (
	_ "embed" // the dictionary
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"
)

// The first byte says how the rest is packed.
const (
	raw   = 0
	plain = 1 // S2, as releases before the dictionary wrote it
	dict1 = 2 // S2 with dict1.txt
)

//go:embed dict1.txt
var words []byte

//nolint:gochecknoglobals // read-only table, made when it is first used
var dictionary = sync.OnceValue(func() *s2.Dict { return s2.MakeDict(words, nil) })

// Pack returns body packed.
func Pack(body []byte) []byte {
	out := make([]byte, 1+s2.MaxEncodedLen(len(body)))
	if packed := dictionary().Encode(out[1:], body); len(packed) < len(body) {
		out[0] = dict1
		return out[:1+len(packed)]
	}
	out[0] = raw
	return append(out[:1], body...)
}

// Unpack returns what Pack packed, in this release or an earlier one.
func Unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errors.New("unpack body: empty")
	}
	var out []byte
	var err error
	switch b[0] {
	case raw:
		return b[1:], nil
	case plain:
		out, err = s2.Decode(nil, b[1:])
	case dict1:
		out, err = dictionary().Decode(nil, b[1:])
	default:
		return nil, fmt.Errorf("unpack body: unknown packing %d", b[0])
	}
	if err != nil {
		return nil, fmt.Errorf("unpack body: %w", err)
	}
	return out, nil
}
