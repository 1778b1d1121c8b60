package anchor

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/suyuan-io/suyuan/hub"
)

const (
	// maxNote bounds a signed note, and maxSignatures its signature lines: 16 of nearly 5 kB each have to fit (c2sp.org/signed-note).
	maxNote       = 128 << 10
	maxSignatures = 64
	// maxSize is the largest tree size: JSON numbers are exact up to it in every language (RFC 8785, section 3.2.2.3).
	maxSize = 1<<53 - 1
)

// Signature is one signature line of a signed note (c2sp.org/signed-note).
type Signature struct {
	// Name is the key's name and KeyID its id; together they say which key, and which algorithm, it claims to be.
	Name  string
	KeyID uint32
	// Bytes are what follows the key id: 64 bytes for Ed25519.
	Bytes []byte
}

// checkpointText returns the text that is signed (c2sp.org/tlog-checkpoint): origin, size and root, a line each.
func checkpointText(origin string, size uint64, root hub.Digest) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
}

// ParseCheckpoint reads a checkpoint without looking at its signatures, which it returns. A checkpoint has one
// spelling: extension lines, leading zeros, lenient base64 and bytes after the last signature are refused, although
// c2sp.org/tlog-checkpoint allows the first.
func ParseCheckpoint(note []byte) (hub.Checkpoint, []Signature, error) {
	text, sigs, err := parseNote(note)
	if err != nil {
		return hub.Checkpoint{}, nil, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 { // three lines, each ended
		return hub.Checkpoint{}, nil, badNote("its text has %d lines, a checkpoint has 3", len(lines)-1)
	}
	if err := CheckOrigin(lines[0]); err != nil {
		return hub.Checkpoint{}, nil, err
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] || size > maxSize {
		return hub.Checkpoint{}, nil, badNote("%q is not a tree size", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != hub.DigestSize {
		return hub.Checkpoint{}, nil, badNote("%q is not a root hash", lines[2])
	}
	return hub.Checkpoint{Origin: lines[0], Size: size, Root: hub.Digest(root), Note: bytes.Clone(note)}, sigs, nil
}

// OpenCheckpoint reads a checkpoint and checks that key signed it and that its origin is the key's name. Signatures by
// other keys, such as a witness's, are not looked at.
func OpenCheckpoint(note []byte, key VerifierKey) (hub.Checkpoint, error) {
	c, _, err := ParseCheckpoint(note)
	if err != nil {
		return hub.Checkpoint{}, err
	}
	if c.Origin != key.Name() {
		return hub.Checkpoint{}, badNote("its origin is %q, the key is that of %q", c.Origin, key.Name())
	}
	if _, err := OpenNote(note, key); err != nil {
		return hub.Checkpoint{}, err
	}
	return c, nil
}

// OpenNote returns the text of a signed note (c2sp.org/signed-note) that key signed. Signatures by other keys are not
// looked at; of those that claim to be by key, all have to fit.
func OpenNote(note []byte, key VerifierKey) (string, error) {
	text, signed, err := openNote(note, key)
	if err == nil && !signed {
		err = badNote("the key %v did not sign it", key)
	}
	if err != nil {
		return "", err
	}
	return text, nil
}

// IsSignedBy reports whether a note bears a signature by key. It fails where one that claims to be by key does not fit.
func IsSignedBy(note []byte, key VerifierKey) (bool, error) {
	_, signed, err := openNote(note, key)
	return signed, err
}

func openNote(note []byte, key VerifierKey) (text string, signed bool, err error) {
	text, sigs, err := parseNote(note)
	if err != nil {
		return "", false, err
	}
	for _, s := range sigs {
		if s.Name != key.Name() || s.KeyID != key.id() {
			continue
		}
		if !key.Verify([]byte(text), s.Bytes) {
			return "", false, badNote("the signature of %s does not fit", s.Name)
		}
		signed = true
	}
	return text, signed, nil
}

// parseNote splits a signed note into its text and its signature lines.
func parseNote(note []byte) (string, []Signature, error) {
	if len(note) > maxNote {
		return "", nil, badNote("it has %d bytes, at most %d are read", len(note), maxNote)
	}
	if !utf8.Valid(note) {
		return "", nil, badNote("it is not UTF-8")
	}
	if i := bytes.IndexFunc(note, func(r rune) bool { return r < 0x20 && r != '\n' }); i >= 0 {
		return "", nil, badNote("it has a control character at byte %d", i)
	}
	s := string(note)
	i := strings.LastIndex(s, "\n\n")
	if i < 0 || !strings.HasSuffix(s, "\n") || i+2 == len(s) {
		return "", nil, badNote("it has no signature")
	}
	sigs, err := ParseSignatures(s[i+2:])
	return s[:i+1], sigs, err
}

// ParseSignatures reads signature lines, at least one, each ended by a newline.
func ParseSignatures(s string) ([]Signature, error) {
	rest, ok := strings.CutSuffix(s, "\n")
	lines := strings.Split(rest, "\n")
	if !ok || len(lines) > maxSignatures {
		return nil, badNote("it has %d signatures, at most %d are read", len(lines), maxSignatures)
	}
	sigs := make([]Signature, len(lines))
	for i, line := range lines {
		sig, ok := parseSignature(line)
		if !ok {
			return nil, badNote("signature line %d is not one", i+1)
		}
		sigs[i] = sig
	}
	return sigs, nil
}

// parseSignature reads a line "— name base64(key id || signature)".
func parseSignature(line string) (Signature, bool) {
	rest, ok := strings.CutPrefix(line, "— ")
	if !ok {
		return Signature{}, false
	}
	name, encoded, ok := strings.Cut(rest, " ")
	if !ok || !isKeyName(name) {
		return Signature{}, false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(b) < 5 {
		return Signature{}, false
	}
	id := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	return Signature{Name: name, KeyID: id, Bytes: b[4:]}, true
}

// isKeyName reports whether name may name a key: not empty, no Unicode space, no plus.
func isKeyName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || r == '+' || r < 0x20
	})
}

// CheckOrigin returns a fault when s cannot name a log or a notary. An origin is also the name of its key, so it has
// neither spaces nor "+"; it is 1 to 255 visible ASCII characters, on which all languages agree, and should look like a
// URL without a scheme, such as "hub.example.com/log".
func CheckOrigin(s string) error {
	if s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '+' || r > '~' }) {
		return nil
	}
	return hub.Faultf(hub.Invalid, "anchor.origin", "%q is not an origin", s).
		WithHint("use a URL without a scheme, such as hub.example.com/log, without spaces and '+'")
}

func badNote(format string, args ...any) error {
	return hub.Faultf(hub.Invalid, "checkpoint.invalid", "the checkpoint is refused: %s", fmt.Sprintf(format, args...))
}

// signatureLine renders a signature line with its newline.
func signatureLine(name string, id uint32, sig []byte) string {
	b := append([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}, sig...)
	return "— " + name + " " + base64.StdEncoding.EncodeToString(b) + "\n"
}

// SignatureOf returns the first signature line by a key of the given name, with its newline, or "".
func SignatureOf(name string, sigs []Signature) string {
	for _, s := range sigs {
		if s.Name == name {
			return signatureLine(s.Name, s.KeyID, s.Bytes)
		}
	}
	return ""
}
