// Package qbfttest seals headers as QBFT does, for tests.
package qbfttest

import (
	"crypto/ecdsa"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// Validators are the keys of a chain's validators.
type Validators []*ecdsa.PrivateKey

// New returns n validators, for one name always the same.
func New(t testing.TB, n int, name string) Validators {
	t.Helper()
	v := make(Validators, n)
	for i := range v {
		var err error
		if v[i], err = crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "%s %d", name, i))); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

// Addresses returns the validators' addresses.
func (v Validators) Addresses() []common.Address {
	all := make([]common.Address, len(v))
	for i, key := range v {
		all[i] = crypto.PubkeyToAddress(key.PublicKey)
	}
	return all
}

// Seal puts extra data with the seals of some, of round 2, into a header and returns the block's hash.
func (v Validators) Seal(t testing.TB, h *types.Header, by ...*ecdsa.PrivateKey) common.Hash {
	t.Helper()
	encode := func(round uint32, seals [][]byte) {
		var err error
		if h.Extra, err = rlp.EncodeToBytes([]any{make([]byte, 32), v.Addresses(), []any{}, round, seals}); err != nil {
			t.Fatal(err)
		}
	}
	encode(2, [][]byte{})
	sealed := h.Hash()
	seals := make([][]byte, len(by))
	for i, key := range by {
		var err error
		if seals[i], err = crypto.Sign(sealed[:], key); err != nil {
			t.Fatal(err)
		}
	}
	encode(0, [][]byte{})
	hash := h.Hash()
	encode(2, seals)
	return hash
}
