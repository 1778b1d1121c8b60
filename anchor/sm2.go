package anchor

import (
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const (
	// sm2Identity is the default identity of GM/T 0009-2012, section 10; a checkpoint names its log itself.
	sm2Identity = "1234567812345678"
	// sm2PointSize is that of 0x04 || X || Y, sm2ScalarSize that of a private key and of either half of a signature.
	sm2PointSize, sm2ScalarSize = 65, 32
)

// verifySM2 checks a signature r || s, 32 bytes each.
func verifySM2(public string, message, sig []byte) bool {
	if len(public) != sm2PointSize || public[0] != 4 || len(sig) != 2*sm2ScalarSize {
		return false
	}
	x, y := new(big.Int).SetBytes([]byte(public[1:33])), new(big.Int).SetBytes([]byte(public[33:]))
	curve := sm2.P256()
	if !curve.IsOnCurve(x, y) { //nolint:staticcheck // the library's curve is one of crypto/elliptic
		return false
	}
	key := &ecdsa.PublicKey{Curve: curve, X: x, Y: y} //nolint:staticcheck // what crypto/ecdsa offers instead knows NIST curves only
	return sm2.VerifyASN1WithSM2(key, []byte(sm2Identity), message, sm2ToASN1(sig))
}

// sm2Signer is a private SM2 key.
type sm2Signer struct{ key *sm2.PrivateKey }

// newSM2Scalar returns a random private key.
func newSM2Scalar() ([]byte, error) {
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return k.D.FillBytes(make([]byte, sm2ScalarSize)), nil
}

func parseSM2(private []byte) (signer, error) {
	d, curve := new(big.Int).SetBytes(private), sm2.P256()
	limit := new(big.Int).Sub(curve.Params().N, big.NewInt(1))
	if d.Sign() == 0 || d.Cmp(limit) >= 0 {
		return nil, errors.New("the SM2 key is out of range")
	}
	k := new(sm2.PrivateKey)
	k.Curve, k.D = curve, d
	k.X, k.Y = curve.ScalarBaseMult(private) //nolint:staticcheck // the library's curve is one of crypto/elliptic
	return sm2Signer{k}, nil
}

func (k sm2Signer) seed() []byte { return k.key.D.FillBytes(make([]byte, sm2ScalarSize)) }

func (k sm2Signer) public() []byte {
	b := make([]byte, sm2PointSize)
	b[0] = 4
	k.key.X.FillBytes(b[1:33])
	k.key.Y.FillBytes(b[33:])
	return b
}

func (k sm2Signer) sign(message []byte) []byte {
	der, err := k.key.Sign(rand.Reader, message, sm2.NewSM2SignerOption(true, []byte(sm2Identity)))
	if err == nil {
		var sig []byte
		if sig, err = sm2FromASN1(der); err == nil {
			return sig
		}
	}
	// Cannot happen: the key is in range, and crypto/rand does not fail.
	panic(fmt.Sprintf("anchor: sign with SM2: %v", err))
}

// sm2ToASN1 returns r || s as the library reads it.
func sm2ToASN1(sig []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(sig[:sm2ScalarSize]))
		b.AddASN1BigInt(new(big.Int).SetBytes(sig[sm2ScalarSize:]))
	})
	der, err := b.Bytes()
	if err != nil { // cannot happen: numbers can be encoded
		return nil
	}
	return der
}

// sm2FromASN1 returns r || s of what the library writes.
func sm2FromASN1(der []byte) ([]byte, error) {
	var inner cryptobyte.String
	input := cryptobyte.String(der)
	r, s := new(big.Int), new(big.Int)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) {
		return nil, errors.New("the signature is not ASN.1")
	}
	sig := make([]byte, 2*sm2ScalarSize)
	r.FillBytes(sig[:sm2ScalarSize])
	s.FillBytes(sig[sm2ScalarSize:])
	return sig, nil
}
