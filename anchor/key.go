package anchor

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/suyuan-io/suyuan/hub"
)

// Algorithm is what a key signs with. The zero value is Ed25519.
type Algorithm uint8

// The algorithms of logs and notaries.
const (
	Ed25519 Algorithm = iota
	// SM2 is GB/T 32918.2-2016 with SM3, on the recommended curve and with the default identity. Keys of this kind belong to
	// SM3 logs, and to the notaries that serve them.
	SM2
)

// String returns "Ed25519" or "SM2".
func (a Algorithm) String() string {
	if a == SM2 {
		return "SM2"
	}
	return "Ed25519"
}

// scheme is how keys of one algorithm are written and checked.
type scheme struct {
	// mark stands before the key in its text forms and in the computation of its id (c2sp.org/signed-note, "Signature
	// types"); public and private are the lengths of what follows it.
	mark            string
	public, private int
	verify          func(public string, message, sig []byte) bool
	parse           func(private []byte) (signer, error)
}

// signer is a private key.
type signer interface {
	// seed is what its text form holds, public its public key.
	seed() []byte
	public() []byte
	sign(message []byte) []byte
}

// scheme returns how keys of a are written; nil if there is no such algorithm.
func (a Algorithm) scheme() *scheme {
	switch a {
	case Ed25519:
		return &scheme{"\x01", ed25519.PublicKeySize, ed25519.SeedSize, verifyEd25519, parseEd25519}
	case SM2:
		// A type without an assigned byte is 0xff and a longer identifier.
		return &scheme{"\xffsuyuan.dev/sm2\n", sm2PointSize, sm2ScalarSize, verifySM2, parseSM2}
	}
	return nil
}

// algorithmOf splits typed, a mark and what follows it.
func algorithmOf(typed []byte) (Algorithm, *scheme, []byte, bool) {
	for _, a := range []Algorithm{Ed25519, SM2} {
		s := a.scheme()
		if rest, ok := bytes.CutPrefix(typed, []byte(s.mark)); ok {
			return a, s, rest, true
		}
	}
	return 0, nil, nil, false
}

func verifyEd25519(public string, message, sig []byte) bool {
	return len(sig) == ed25519.SignatureSize && ed25519.Verify(ed25519.PublicKey(public), message, sig)
}

// ed25519Signer is a private Ed25519 key.
type ed25519Signer ed25519.PrivateKey

func parseEd25519(seed []byte) (signer, error) {
	return ed25519Signer(ed25519.NewKeyFromSeed(seed)), nil
}

func (k ed25519Signer) seed() []byte   { return ed25519.PrivateKey(k).Seed() }
func (k ed25519Signer) public() []byte { return k[ed25519.PrivateKeySize-ed25519.PublicKeySize:] }
func (k ed25519Signer) sign(message []byte) []byte {
	return ed25519.Sign(ed25519.PrivateKey(k), message)
}

// VerifierKey is a public key with its name, "name+id+base64" (c2sp.org/signed-note, "Verifier keys"). The zero value
// verifies nothing.
type VerifierKey struct {
	name      string
	algorithm Algorithm
	public    string
}

// ParseVerifierKey parses the text form of a key of a log or a notary. It has one spelling.
func ParseVerifierKey(s string) (VerifierKey, error) {
	name, id, typed, err := splitKey(s)
	if err != nil {
		return VerifierKey{}, badKey(s, err.Error())
	}
	algorithm, scheme, public, ok := algorithmOf(typed)
	switch {
	case !ok:
		return VerifierKey{}, badKey(s, "it is neither an Ed25519 nor an SM2 key")
	case len(public) != scheme.public:
		return VerifierKey{}, badKey(s, "its length is wrong")
	}
	k := VerifierKey{name: name, algorithm: algorithm, public: string(public)}
	if id != k.id() || k.String() != s {
		return VerifierKey{}, badKey(s, "its id does not fit its name and key")
	}
	return k, nil
}

func badKey(s, why string) error {
	return hub.Faultf(hub.Invalid, "key.invalid", "%.200q is not a verifier key: %s", s, why).
		WithHint("it looks like hub.example.com/log+1a2b3c4d+AbC…")
}

// splitKey reads "name+id+base64".
func splitKey(s string) (name string, id uint32, typed []byte, err error) {
	name, rest, _ := strings.Cut(s, "+")
	hexID, encoded, ok := strings.Cut(rest, "+")
	if !ok || !isKeyName(name) {
		return "", 0, nil, errors.New("it is not name+id+key")
	}
	if typed, err = base64.StdEncoding.Strict().DecodeString(encoded); err != nil {
		return "", 0, nil, errors.New("its last part is not base64")
	}
	n, err := strconv.ParseUint(hexID, 16, 32)
	if err != nil || fmt.Sprintf("%08x", n) != hexID {
		return "", 0, nil, errors.New("its id is not 8 digits")
	}
	return name, uint32(n), typed, nil
}

// formatKey returns "name+id+base64".
func formatKey(name string, typed []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, keyID(name, typed), base64.StdEncoding.EncodeToString(typed))
}

// keyID is the id of a key in signature lines.
func keyID(name string, typed []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), typed...))
	return binary.BigEndian.Uint32(sum[:])
}

// Name returns the name of the key: for a log's key, its origin.
func (k VerifierKey) Name() string { return k.name }

// Algorithm returns what k verifies with.
func (k VerifierKey) Algorithm() Algorithm { return k.algorithm }

// Hash returns the hash function of a log whose key k is, unless the reader knows better: SM3 for SM2, else SHA-256.
func (k VerifierKey) Hash() Hash {
	if k.algorithm == SM2 {
		return SM3
	}
	return SHA256
}

// IsZero reports whether k is the zero value.
func (k VerifierKey) IsZero() bool { return k.name == "" }

// String returns the text form of k.
func (k VerifierKey) String() string { return formatKey(k.name, k.typed()) }

func (k VerifierKey) typed() []byte { return []byte(k.algorithm.scheme().mark + k.public) }

// id is the key id of a signature by k.
func (k VerifierKey) id() uint32 { return keyID(k.name, k.typed()) }

// Verify reports whether sig is k's signature of message.
func (k VerifierKey) Verify(message, sig []byte) bool {
	return !k.IsZero() && k.algorithm.scheme().verify(k.public, message, sig)
}

// SigningKey is a private key with its name.
type SigningKey struct {
	private signer
	public  VerifierKey
}

// GenerateKey returns a fresh Ed25519 key. A log's key has the log's origin as its name.
func GenerateKey(name string) (*SigningKey, error) { return Ed25519.GenerateKey(name) }

// GenerateKey returns a fresh key.
func (a Algorithm) GenerateKey(name string) (*SigningKey, error) {
	if err := CheckOrigin(name); err != nil {
		return nil, err
	}
	seed, err := a.newSeed()
	if err != nil {
		return nil, fmt.Errorf("generate key %s: %w", name, err)
	}
	return newSigningKey(name, a, seed)
}

// newSeed returns a random private key.
func (a Algorithm) newSeed() ([]byte, error) {
	if a == SM2 {
		return newSM2Scalar()
	}
	seed := make([]byte, ed25519.SeedSize)
	_, err := rand.Read(seed)
	return seed, err
}

func newSigningKey(name string, a Algorithm, seed []byte) (*SigningKey, error) {
	private, err := a.scheme().parse(seed)
	if err != nil {
		return nil, err
	}
	return &SigningKey{
		private: private, public: VerifierKey{name: name, algorithm: a, public: string(private.public())},
	}, nil
}

// Public returns the key that verifies what k signs.
func (k *SigningKey) Public() VerifierKey { return k.public }

// Sign returns k's signature of message.
func (k *SigningKey) Sign(message []byte) []byte { return k.private.sign(message) }

// SignCheckpoint returns the signed checkpoint of the log whose key k is.
func (k *SigningKey) SignCheckpoint(size uint64, root hub.Digest) hub.Checkpoint {
	origin := k.public.name
	text := checkpointText(origin, size, root)
	line := signatureLine(origin, k.public.id(), k.Sign([]byte(text)))
	return hub.Checkpoint{Origin: origin, Size: size, Root: root, Note: []byte(text + "\n" + line)}
}
