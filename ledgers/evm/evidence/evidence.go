// Package evidence makes and checks the evidence of the ledger evm: that the contract's event is in a block, and who sealed it. It
// needs no chain to check it.
package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/suyuan-io/suyuan/ledgers/evm/contract"
)

const (
	// Kind is what this evidence is called in receipts.
	Kind = "evm"

	proofType = "https://suyuan.dev/evm/v1"
	// maxProof bounds the nodes from a block's receipts root to a receipt: a key has at most 9 bytes.
	maxProof = 18
)

// proof is the evidence: the event's receipt is in the block whose header it is. Its members stand in the order of RFC 8785.
type proof struct {
	// Block is the block's hash, Header its header in RLP.
	Block  common.Hash `json:"block"`
	Header []byte      `json:"header"`
	// Log is the event's place in the receipt, Transaction the receipt's in the block; Proof the nodes of the trie of receipts
	// from the root on.
	Log   int      `json:"log"`
	Proof [][]byte `json:"proof"`
	// Seals is whose seals the header bears.
	Seals       string `json:"seals"`
	Transaction uint64 `json:"transaction"`
	Type        string `json:"type"`
}

// Pinned is what a reader trusts, as the trust file has it.
type Pinned struct {
	Contract  common.Address  `json:"contract"`
	Submitter *common.Address `json:"submitter,omitempty"`
	// Validators are those whose seals count, NOf how many of them must have sealed; most, as the chain has it, if 0.
	Validators []common.Address `json:"validators,omitempty"`
	NOf        int              `json:"nOf,omitempty"`
	// Blocks are blocks of which the reader knows that they are in the chain.
	Blocks []common.Hash `json:"blocks,omitempty"`
}

// Fact is what genuine evidence says.
type Fact struct {
	// Block is the hash of the block, Number its number.
	Block  common.Hash
	Number uint64
	// Size and Note are the checkpoint's.
	Size uint64
	Note string

	at        time.Time
	sealers   []common.Address
	contract  common.Address
	submitter common.Address
	origin    common.Hash // of its name
	root      [32]byte
}

// Event is where to find the event of one checkpoint.
type Event struct {
	Contract common.Address
	Origin   string
	Size     uint64
}

// Block is a block with the hash under which a node has it, and the kind of its seals.
type Block struct {
	Header   *types.Header
	Hash     common.Hash
	Seals    string
	Receipts types.Receipts
}

// Prove makes the evidence of an event in a block. Whether what a node told of the block fits, [Examine] tells.
func Prove(b Block, e Event) ([]byte, error) {
	p := proof{Block: b.Hash, Seals: b.Seals, Type: proofType}
	wanted := []common.Hash{committed().ID, crypto.Keccak256Hash([]byte(e.Origin)), common.BigToHash(new(big.Int).SetUint64(e.Size))}
	found := false
	t := trie.NewEmpty(nil)
	for i, r := range b.Receipts {
		value, err := r.MarshalBinary()
		if err == nil {
			err = t.Update(rlp.AppendUint64(nil, uint64(i)), value)
		}
		if err != nil {
			return nil, fmt.Errorf("build the trie of receipts: %w", err)
		}
		for j, log := range r.Logs {
			if log.Address == e.Contract && len(log.Topics) == 4 && slices.Equal(log.Topics[:3], wanted) {
				p.Transaction, p.Log, found = uint64(i), j, true
			}
		}
	}
	if !found {
		return nil, fmt.Errorf("the event is not in block %v", b.Header.Number)
	}
	nodes := (*written)(&p.Proof)
	if err := t.Prove(rlp.AppendUint64(nil, p.Transaction), nodes); err != nil {
		return nil, fmt.Errorf("prove the receipt: %w", err)
	}
	var err error
	if p.Header, err = rlp.EncodeToBytes(b.Header); err != nil {
		return nil, err
	}
	return json.Marshal(p)
}

// written collects the nodes of a proof.
type written [][]byte

// Put implements [ethdb.KeyValueWriter].
func (w *written) Put(_, value []byte) error {
	*w = append(*w, value)
	return nil
}

// Delete implements [ethdb.KeyValueWriter].
func (w *written) Delete([]byte) error { return errors.New("nothing is deleted") }

// unread gives out the nodes of a proof, each once and in order, so that none is there in vain.
type unread [][]byte

// Get implements [ethdb.KeyValueReader].
func (u *unread) Get(key []byte) ([]byte, error) {
	if len(*u) == 0 || !bytes.Equal(crypto.Keccak256((*u)[0]), key) {
		return nil, errors.New("the proof does not fit")
	}
	next := (*u)[0]
	*u = (*u)[1:]
	return next, nil
}

// Has implements [ethdb.KeyValueReader].
func (u *unread) Has([]byte) (bool, error) { return false, nil }

var (
	_ ethdb.KeyValueWriter = (*written)(nil)
	_ ethdb.KeyValueReader = (*unread)(nil)
)

// Examine checks that evidence is genuine in itself and returns what it says. Whether the block is one of a chain that anybody
// knows only a reader's trust can tell.
func Examine(evidence []byte) (*Fact, error) {
	var p proof
	if err := strict(evidence, &p); err != nil {
		return nil, err
	}
	if p.Type != proofType || p.Log < 0 || len(p.Proof) > maxProof {
		return nil, errors.New("it is not evidence of this kind")
	}
	var header types.Header
	if err := rlp.DecodeBytes(p.Header, &header); err != nil {
		return nil, fmt.Errorf("read the header: %w", err)
	}
	if again, err := rlp.EncodeToBytes(&header); err != nil || !bytes.Equal(again, p.Header) || !header.Number.IsUint64() {
		return nil, errors.New("the header has another encoding")
	}
	f := &Fact{Block: p.Block, Number: header.Number.Uint64(), at: time.Unix(int64(header.Time), 0).UTC()}
	hash, err := header.Hash(), error(nil)
	switch p.Seals {
	case SealsNone:
	case SealsQBFT:
		hash, f.sealers, err = checkQBFT(&header)
	default:
		err = fmt.Errorf("seals of the kind %.20q are not known", p.Seals)
	}
	if err != nil {
		return nil, err
	}
	if hash != p.Block {
		return nil, fmt.Errorf("the header is of block %v, not %v", hash, p.Block)
	}
	nodes := unread(p.Proof)
	b, err := trie.VerifyProof(header.ReceiptHash, rlp.AppendUint64(nil, p.Transaction), &nodes)
	if err != nil || b == nil || len(nodes) != 0 {
		return nil, errors.New("the receipt is not in the block")
	}
	return f, f.readReceipt(b, p.Log)
}

// readReceipt reads the event out of a receipt.
func (f *Fact) readReceipt(b []byte, at int) error {
	var r types.Receipt
	if err := r.UnmarshalBinary(b); err != nil {
		return fmt.Errorf("read the receipt: %w", err)
	}
	if r.Status != types.ReceiptStatusSuccessful || at >= len(r.Logs) {
		return errors.New("the transaction failed, or has no such event")
	}
	log, event := r.Logs[at], committed()
	if len(log.Topics) != 4 || log.Topics[0] != event.ID {
		return errors.New("the event is another")
	}
	var data struct {
		Root     [32]byte
		Previous uint64
		Note     []byte
	}
	values, err := event.Inputs.Unpack(log.Data)
	if err == nil {
		err = event.Inputs.Copy(&data, values)
	}
	if err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	f.contract, f.origin, f.submitter = log.Address, log.Topics[1], common.BytesToAddress(log.Topics[3][:])
	f.Size, f.root, f.Note = log.Topics[2].Big().Uint64(), data.Root, string(data.Note)
	return nil
}

// strict reads JSON that has exactly the members of v and is in its canonical encoding.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("read the evidence: %w", err)
	}
	if again, err := json.Marshal(v); err != nil || !bytes.Equal(again, b) {
		return errors.New("the evidence is not in its canonical encoding")
	}
	return nil
}

// Verify checks that evidence is genuine, about exactly the checkpoint of a note, and by what the reader has pinned, if that is
// there. It returns who witnessed, in words.
func Verify(evidence json.RawMessage, note string, trust json.RawMessage) (string, error) {
	f, err := Examine(evidence)
	if err != nil {
		return "", err
	}
	origin, _, _ := strings.Cut(note, "\n")
	if f.Note != note || f.origin != crypto.Keccak256Hash([]byte(origin)) {
		return "", errors.New("the evidence is of another checkpoint")
	}
	if err := Stated(note, origin, f.Size, f.root); err != nil {
		return "", err
	}
	by := fmt.Sprintf("the contract %s holds it since block %d of %s", f.contract, f.Number, f.at.Format(time.RFC3339))
	if len(trust) == 0 {
		return by + "; nobody vouches for the block", nil
	}
	var p Pinned
	d := json.NewDecoder(bytes.NewReader(trust))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return "", fmt.Errorf("read what the trust file pins: %w", err)
	}
	who, err := f.trusted(&p)
	if err != nil {
		return "", err
	}
	return by + ", " + who, nil
}

// trusted checks a fact against what is pinned and says who vouches for the block.
func (f *Fact) trusted(p *Pinned) (string, error) {
	switch {
	case p.Contract != f.contract:
		return "", fmt.Errorf("it is of the contract %s, and the trusted one is %s", f.contract, p.Contract)
	case p.Submitter != nil && *p.Submitter != f.submitter:
		return "", fmt.Errorf("it was submitted by %s, and not by %s", f.submitter, p.Submitter)
	case slices.Contains(p.Blocks, f.Block):
		return "which the reader knows", nil
	case len(p.Validators) == 0:
		return "", fmt.Errorf("nobody whom the trust file pins vouches for block %d, %v: it names neither validators nor this block", f.Number, f.Block)
	}
	all := len(distinct(p.Validators))
	need := p.NOf
	if need == 0 {
		need = quorum(all)
	}
	if need < 1 || need > all {
		return "", fmt.Errorf("nOf is %d, of %d validators", need, all)
	}
	count := 0
	for _, s := range f.sealers {
		if slices.Contains(p.Validators, s) {
			count++
		}
	}
	if count < need {
		return "", fmt.Errorf("block %d is sealed by %d of the trusted validators, %d must have", f.Number, count, need)
	}
	return fmt.Sprintf("sealed by %d of %d trusted validators", count, all), nil
}

// Stated checks that a note states a checkpoint.
func Stated(note, origin string, size uint64, root [32]byte) error {
	lines := strings.SplitN(note, "\n", 4)
	if len(lines) < 4 || lines[0] != origin || lines[1] != strconv.FormatUint(size, 10) || lines[2] != base64.StdEncoding.EncodeToString(root[:]) ||
		size == 0 {
		return errors.New("the note states another checkpoint")
	}
	return nil
}

// committed is the contract's event.
func committed() abi.Event { return contract.Checkpoints().ABI.Events["Committed"] }
