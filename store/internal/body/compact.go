package body

import (
	"encoding/hex"
	"strings"
)

// Most event ids are UUIDs and most event hashes of one form. They are kept as the 16 and 32 bytes that they are.
const (
	uuidPrefix = "urn:uuid:"
	uuidSize   = 16
	uuidText   = 36
	// The form of an event hash (CBV 2.0, section 8.9): 64 hexadecimal digits stand between.
	hashPrefix, hashSuffix = "ni:///sha-256;", "?ver=CBV2.0"
	hashSize               = 32
)

// ID returns the bytes of an event id that is a UUID in lower case.
func ID(id string) (u [uuidSize]byte, ok bool) {
	text, ok := strings.CutPrefix(id, uuidPrefix)
	if !ok || len(text) != uuidText {
		return u, false
	}
	at := 0
	for i := range u {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			if text[at] != '-' {
				return u, false
			}
			at++
		}
		hi, lo := digits[text[at]], digits[text[at+1]]
		if hi|lo > 0xf {
			return u, false
		}
		u[i] = hi<<4 | lo
		at += 2
	}
	return u, true
}

// IDText is the event id whose bytes are u.
func IDText(u [uuidSize]byte) string {
	b := append(make([]byte, 0, len(uuidPrefix)+uuidText), uuidPrefix...)
	for i := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, u[i:i+1])
	}
	return string(b)
}

// Hash returns the bytes of an event hash of the usual form.
func Hash(hash string) (b [hashSize]byte, ok bool) {
	if len(hash) != len(hashPrefix)+2*hashSize+len(hashSuffix) || !strings.HasPrefix(hash, hashPrefix) || !strings.HasSuffix(hash, hashSuffix) {
		return b, false
	}
	text := hash[len(hashPrefix):][:2*hashSize]
	for i := range b {
		hi, lo := digits[text[2*i]], digits[text[2*i+1]]
		if hi|lo > 0xf {
			return b, false
		}
		b[i] = hi<<4 | lo
	}
	return b, true
}

// HashText is the event hash whose bytes are b.
func HashText(b [hashSize]byte) string {
	out := append(make([]byte, 0, len(hashPrefix)+2*hashSize+len(hashSuffix)), hashPrefix...)
	return string(append(hex.AppendEncode(out, b[:]), hashSuffix...))
}

// digits are the values of the hexadecimal digits in lower case, more than 15 for any other character.
//
//nolint:gochecknoglobals // read-only table
var digits = func() (table [256]byte) {
	for c := range table {
		table[c] = 0xff
	}
	for value, c := range []byte("0123456789abcdef") {
		table[c] = byte(value)
	}
	return table
}()
