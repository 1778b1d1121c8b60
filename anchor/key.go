package anchor

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/suyuan-io/suyuan/hub"
)

// algEd25519 is the signature type of an Ed25519 key (c2sp.org/signed-note, "Signature types").
const algEd25519 = 1

// VerifierKey is a public key with its name, "name+id+base64" (c2sp.org/signed-note, "Verifier keys"). The zero value
// verifies nothing.
type VerifierKey struct {
	name   string
	public [ed25519.PublicKeySize]byte
}

// ParseVerifierKey parses the text form of an Ed25519 key. It has one spelling.
func ParseVerifierKey(s string) (VerifierKey, error) {
	bad := func(why string) (VerifierKey, error) {
		return VerifierKey{}, hub.Faultf(hub.Invalid, "key.invalid", "%.200q is not a verifier key: %s", s, why).
			WithHint("it looks like hub.example.com/log+1a2b3c4d+AbC…")
	}
	name, rest, _ := strings.Cut(s, "+")
	id, encoded, ok := strings.Cut(rest, "+")
	if !ok || !isKeyName(name) {
		return bad("it is not name+id+key")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(encoded)
	switch {
	case err != nil:
		return bad("its last part is not base64")
	case len(b) == 0 || b[0] != algEd25519:
		return bad("it is not an Ed25519 key")
	case len(b) != 1+ed25519.PublicKeySize:
		return bad("its length is wrong")
	}
	k := VerifierKey{name: name, public: [ed25519.PublicKeySize]byte(b[1:])}
	if id != fmt.Sprintf("%08x", k.id()) || k.String() != s {
		return bad("its id does not fit its name and key")
	}
	return k, nil
}

// Name returns the name of the key: for a log's key, its origin.
func (k VerifierKey) Name() string { return k.name }

// IsZero reports whether k is the zero value.
func (k VerifierKey) IsZero() bool { return k.name == "" }

// String returns the text form of k.
func (k VerifierKey) String() string {
	typed := append([]byte{algEd25519}, k.public[:]...)
	return fmt.Sprintf("%s+%08x+%s", k.name, k.id(), base64.StdEncoding.EncodeToString(typed))
}

// id is the key id of a signature by k.
func (k VerifierKey) id() uint32 {
	b := append([]byte(k.name+"\n"), algEd25519)
	sum := sha256.Sum256(append(b, k.public[:]...))
	return binary.BigEndian.Uint32(sum[:])
}

// Verify reports whether sig is k's Ed25519 signature of message.
func (k VerifierKey) Verify(message, sig []byte) bool {
	return !k.IsZero() && len(sig) == ed25519.SignatureSize && ed25519.Verify(k.public[:], message, sig)
}

// SigningKey is a private Ed25519 key with its name.
type SigningKey struct {
	private ed25519.PrivateKey
	public  VerifierKey
}

// GenerateKey returns a fresh key. A log's key has the log's origin as its name.
func GenerateKey(name string) (*SigningKey, error) {
	if err := CheckOrigin(name); err != nil {
		return nil, err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key %s: %w", name, err)
	}
	return newSigningKey(name, private), nil
}

func newSigningKey(name string, private ed25519.PrivateKey) *SigningKey {
	public := [ed25519.PublicKeySize]byte(private[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
	return &SigningKey{private: private, public: VerifierKey{name: name, public: public}}
}

// Public returns the key that verifies what k signs.
func (k *SigningKey) Public() VerifierKey { return k.public }

// Sign returns k's Ed25519 signature of message.
func (k *SigningKey) Sign(message []byte) []byte { return ed25519.Sign(k.private, message) }

// SignCheckpoint returns the signed checkpoint of the log whose key k is.
func (k *SigningKey) SignCheckpoint(size uint64, root hub.Digest) hub.Checkpoint {
	origin := k.public.name
	text := checkpointText(origin, size, root)
	line := signatureLine(origin, k.public.id(), k.Sign([]byte(text)))
	return hub.Checkpoint{Origin: origin, Size: size, Root: root, Note: []byte(text + "\n" + line)}
}

// skeyPrefix begins the text form of a private key, as golang.org/x/mod/sumdb/note writes it:
// "PRIVATE+KEY+name+id+base64(type || seed)".
const skeyPrefix = "PRIVATE+KEY+"

// encode returns the text form of k, which is a secret.
func (k *SigningKey) encode() string {
	typed := append([]byte{algEd25519}, k.private.Seed()...)
	return fmt.Sprintf("%s%s+%08x+%s", skeyPrefix, k.public.name, k.public.id(), base64.StdEncoding.EncodeToString(typed))
}

// parseSigningKey parses the text form of a private key. Its errors never repeat it.
func parseSigningKey(s string) (*SigningKey, error) {
	if _, err := note.NewSigner(s); err != nil {
		return nil, errors.New("it is not an Ed25519 note key")
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(s, skeyPrefix), "+")
	_, encoded, _ := strings.Cut(rest, "+")
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(b) != 1+ed25519.SeedSize {
		return nil, errors.New("its seed is not 32 bytes")
	}
	return newSigningKey(name, ed25519.NewKeyFromSeed(b[1:])), nil
}

// LoadKey reads a private key from a file that only its owner may read.
func LoadKey(path string) (*SigningKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, hub.Faultf(hub.Invalid, "key.readable", "the key may be read by others (mode %v)", info.Mode().Perm()).
			WithHint("chmod 600, and replace the key if others had access").At(hub.Where{File: path})
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	k, err := parseSigningKey(strings.TrimSuffix(string(b), "\n"))
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "key.invalid", "the file holds no signing key").
			Because(err).At(hub.Where{File: path})
	}
	return k, nil
}

// LoadOrCreateKey reads the private key of name from path, or generates it there with mode 0600, durably, if there is
// no such file. A file that holds the key of another name is refused.
func LoadOrCreateKey(path, name string) (*SigningKey, error) {
	k, err := LoadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createKey(path, name)
	}
	if err != nil {
		return nil, fmt.Errorf("load key of %s: %w", name, err)
	}
	if k.public.name != name {
		return nil, hub.Faultf(hub.Conflict, "key.name", "the key is that of %s, not of %s", k.public.name, name).
			WithHint("an origin keeps its key; give the log its former origin, or a new key file").At(hub.Where{File: path})
	}
	return k, nil
}

// createKey generates the key of name and writes it to path.
func createKey(path, name string) (*SigningKey, error) {
	k, err := GenerateKey(name)
	if err != nil {
		return nil, err
	}
	if err := writeKey(path, k); err != nil {
		return nil, err
	}
	return k, nil
}

// writeKey writes k to a file that must not exist. After a crash there is the whole file or none under its name.
func writeKey(path string, k *SigningKey) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("create key: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.WriteString(k.encode() + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write key %s: %w", path, err)
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike Rename it never replaces a key
		return fmt.Errorf("create key: %w", err)
	}
	return syncDir(dir)
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
