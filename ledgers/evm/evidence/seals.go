package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// The kinds of seals that a header may bear.
const (
	SealsNone = "none"
	SealsQBFT = "qbft"
)

// qbft is what a header's extra data hold under QBFT (EntEth's QBFT specification, as Besu and GoQuorum have it).
type qbft struct {
	Vanity     []byte
	Validators []common.Address
	Vote       rlp.RawValue
	Round      uint32
	Seals      [][]byte
}

func readQBFT(h *types.Header) (*qbft, error) {
	var x qbft
	if err := rlp.DecodeBytes(h.Extra, &x); err != nil {
		return nil, fmt.Errorf("the header bears no seals of QBFT: %w", err)
	}
	if again, err := rlp.EncodeToBytes(&x); err != nil || !bytes.Equal(again, h.Extra) {
		return nil, errors.New("the header's extra data have another encoding")
	}
	return &x, nil
}

// checkQBFT checks that most of the validators that the header names have sealed it, and nobody else, and returns the block's
// hash and them. The hash is that of the header without round and seals; sealed is the header without seals.
func checkQBFT(h *types.Header) (common.Hash, []common.Address, error) {
	x, err := readQBFT(h)
	if err != nil {
		return common.Hash{}, nil, err
	}
	var sealers []common.Address
	sealed := x.hash(h, x.Round)
	for _, seal := range x.Seals {
		key, err := crypto.SigToPub(sealed[:], seal)
		if err != nil {
			return common.Hash{}, nil, fmt.Errorf("a seal is none: %w", err)
		}
		if who := crypto.PubkeyToAddress(*key); slices.Contains(x.Validators, who) && !slices.Contains(sealers, who) {
			sealers = append(sealers, who)
			continue
		}
		return common.Hash{}, nil, errors.New("a seal is not by one of the block's validators, or is there twice")
	}
	if all := len(distinct(x.Validators)); len(sealers) < quorum(all) {
		return common.Hash{}, nil, fmt.Errorf("%d of the block's %d validators sealed it", len(sealers), all)
	}
	return x.hash(h, 0), sealers, nil
}

// hash returns the hash of h without seals and with a round.
func (x *qbft) hash(h *types.Header, round uint32) common.Hash {
	bare := types.CopyHeader(h)
	bare.Extra, _ = rlp.EncodeToBytes(&qbft{x.Vanity, x.Validators, x.Vote, round, nil}) // it was decoded, so it can be encoded
	return bare.Hash()
}

// quorum is how many of n validators QBFT asks for.
func quorum(n int) int { return max(1, (2*n+2)/3) }

func distinct(all []common.Address) []common.Address {
	sorted := slices.SortedFunc(slices.Values(all), common.Address.Cmp)
	return slices.Compact(sorted)
}

// Validators are those whom a header of QBFT names.
func Validators(h *types.Header) ([]common.Address, error) {
	x, err := readQBFT(h)
	if err != nil {
		return nil, err
	}
	return x.Validators, nil
}
