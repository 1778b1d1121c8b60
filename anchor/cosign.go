package anchor

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// markCosigner is the signature type of timestamped Ed25519 cosignatures (c2sp.org/tlog-cosignature).
const markCosigner = "\x04"

// CosignerKey is the public key of a witness with its name. Its text form is that of [VerifierKey], of another type.
type CosignerKey struct {
	name   string
	public string
}

// ParseCosignerKey parses the text form of a witness's key. It has one spelling.
func ParseCosignerKey(s string) (CosignerKey, error) {
	name, _, typed, err := splitKey(s)
	if err != nil {
		return CosignerKey{}, badKey(s, err.Error())
	}
	if len(typed) != 1+ed25519.PublicKeySize || string(typed[:1]) != markCosigner {
		return CosignerKey{}, badKey(s, "it is not the key of an Ed25519 cosigner")
	}
	k := CosignerKey{name: name, public: string(typed[1:])}
	if k.String() != s {
		return CosignerKey{}, badKey(s, "its id does not fit its name and key")
	}
	return k, CheckOrigin(name)
}

// Name returns the name of the witness.
func (k CosignerKey) Name() string { return k.name }

// String returns the text form of k.
func (k CosignerKey) String() string { return formatKey(k.name, []byte(markCosigner+k.public)) }

func (k CosignerKey) id() uint32 { return keyID(k.name, []byte(markCosigner+k.public)) }

// Find returns the signature line of k in what a witness answers or a checkpoint bears, or "".
func (k CosignerKey) Find(sigs []Signature) string {
	for _, s := range sigs {
		if s.Name == k.name && s.KeyID == k.id() {
			return signatureLine(s.Name, s.KeyID, s.Bytes)
		}
	}
	return ""
}

// Verify checks that line, a signature line with its newline, is k's cosignature of c, and returns its time.
func (k CosignerKey) Verify(c hub.Checkpoint, line string) (time.Time, error) {
	sigs, err := ParseSignatures(line)
	if err != nil {
		return time.Time{}, err
	}
	if len(sigs) != 1 || sigs[0].Name != k.name || sigs[0].KeyID != k.id() {
		return time.Time{}, fmt.Errorf("the cosignature is not by %s", k.name)
	}
	b := sigs[0].Bytes
	if len(b) != 8+ed25519.SignatureSize {
		return time.Time{}, errors.New("the cosignature is not as long as one is")
	}
	at := binary.BigEndian.Uint64(b)
	if at > math.MaxInt64 {
		return time.Time{}, errors.New("the cosignature's time is out of range")
	}
	if !ed25519.Verify(ed25519.PublicKey(k.public), cosigned(c, at), b[8:]) {
		return time.Time{}, fmt.Errorf("the cosignature of %s does not fit", k.name)
	}
	return time.Unix(int64(at), 0).UTC(), nil
}

// cosigned returns what is signed.
func cosigned(c hub.Checkpoint, at uint64) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at, checkpointText(c.Origin, c.Size, c.Root))
}

// CosignerKey returns the key that verifies what k cosigns. k must be an Ed25519 key that signs nothing else.
func (k *SigningKey) CosignerKey() (CosignerKey, error) {
	if k.public.algorithm != Ed25519 {
		return CosignerKey{}, hub.Faultf(hub.Invalid, "key.cosigner", "cosigning needs an Ed25519 key, %s is not one", k.public.name)
	}
	return CosignerKey{name: k.public.name, public: k.public.public}, nil
}

// Cosign returns the signature line, with its newline, with which the witness k states that at the given time c is the
// largest consistent checkpoint of its log that it has seen.
func (k *SigningKey) Cosign(c hub.Checkpoint, at time.Time) (string, error) {
	public, err := k.CosignerKey()
	if err != nil {
		return "", err
	}
	seconds := uint64(max(at.Unix(), 1))
	b := binary.BigEndian.AppendUint64(nil, seconds)
	return signatureLine(public.name, public.id(), append(b, k.Sign(cosigned(c, seconds))...)), nil
}
