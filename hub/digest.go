package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// DigestSize is the length of a [Digest] in bytes. SHA-256 and SM3 both have it.
const DigestSize = sha256.Size

// Digest is a 32-byte hash value. Its text form is 64 lower-case hexadecimal digits.
type Digest [DigestSize]byte

// Sum returns the SHA-256 digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// String returns the text form of d.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether d is the zero value, which no hash of anything is expected to have.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It accepts exactly the text form: upper case is refused, so
// that a digest has one spelling.
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != 2*DigestSize {
		return fmt.Errorf("parse digest: got %d characters, want %d", len(b), 2*DigestSize)
	}
	for _, c := range b {
		if c >= 'A' && c <= 'F' {
			return errors.New("parse digest: upper-case hexadecimal is not canonical")
		}
	}
	if _, err := hex.Decode(d[:], b); err != nil {
		return fmt.Errorf("parse digest: %w", err)
	}
	return nil
}
