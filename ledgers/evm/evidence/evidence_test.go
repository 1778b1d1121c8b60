package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/suyuan-io/suyuan/ledgers/evm/internal/qbfttest"
)

// event is the event of a checkpoint, and note what the checkpoint says.
func event() (e Event, note string, root [32]byte) {
	e = Event{Contract: common.Address{7}, Origin: "log.example/a", Size: 5}
	root = [32]byte{1, 2, 3}
	return e, fmt.Sprintf("%s\n%d\n%s\n\n— %s AAAA\n", e.Origin, e.Size, base64.StdEncoding.EncodeToString(root[:]), e.Origin), root
}

// blockWith is a block of n transactions, of which the one at the place at has the event, without seals or with those of some
// validators.
func blockWith(t testing.TB, n, at int, v qbfttest.Validators) Block {
	t.Helper()
	e, note, root := event()
	data, err := committed().Inputs.NonIndexed().Pack(root, uint64(0), []byte(note))
	if err != nil {
		t.Fatal(err)
	}
	b := Block{Seals: SealsNone, Receipts: make(types.Receipts, n)}
	for i := range b.Receipts {
		b.Receipts[i] = &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: uint64(21000 * (i + 1))}
	}
	b.Receipts[at].Logs = []*types.Log{{Address: common.Address{9}}, {Address: e.Contract, Data: data, Topics: []common.Hash{
		committed().ID, crypto.Keccak256Hash([]byte(e.Origin)), common.BigToHash(big.NewInt(5)), common.BytesToHash([]byte{8}),
	}}}
	b.Header = &types.Header{Number: big.NewInt(12), Difficulty: big.NewInt(1), ReceiptHash: types.DeriveSha(b.Receipts, trie.NewStackTrie(nil))}
	if b.Hash = b.Header.Hash(); v != nil {
		b.Seals, b.Hash = SealsQBFT, v.Seal(t, b.Header, v...)
	}
	return b
}

func prove(t testing.TB, b Block) []byte {
	t.Helper()
	e, _, _ := event()
	made, err := Prove(b, e)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestReceiptAmongMany is proven wherever it stands.
func TestReceiptAmongMany(t *testing.T) {
	_, note, _ := event()
	for _, at := range []int{0, 1, 127, 128, 299} {
		made := prove(t, blockWith(t, 300, at, nil))
		if _, err := Verify(made, note, nil); err != nil {
			t.Errorf("receipt %d of 300: %v", at, err)
		}
	}
}

// TestForgeries are refused, whatever else holds.
func TestForgeries(t *testing.T) {
	_, note, _ := event()
	made := prove(t, blockWith(t, 300, 128, qbfttest.New(t, 4, "a")))
	var p proof
	if err := json.Unmarshal(made, &p); err != nil {
		t.Fatal(err)
	}
	other := blockWith(t, 300, 127, nil)
	for name, change := range map[string]func(*proof){
		"another place in the receipt":       func(p *proof) { p.Log-- },
		"a place after the receipt":          func(p *proof) { p.Log++ },
		"a place before the receipt":         func(p *proof) { p.Log = -1 },
		"another transaction":                func(p *proof) { p.Transaction++ },
		"a hash of the block with its seals": func(p *proof) { p.Seals = SealsNone },
		"seals of no kind":                   func(p *proof) { p.Seals = "clique" },
		"no proof":                           func(p *proof) { p.Proof = nil },
		"a node in vain":                     func(p *proof) { p.Proof = append(p.Proof, p.Proof[0]) },
		"a node left out":                    func(p *proof) { p.Proof = p.Proof[1:] },
		"another type":                       func(p *proof) { p.Type += "x" },
		"another block":                      func(p *proof) { p.Block = other.Hash },
		"no header":                          func(p *proof) { p.Header = nil },
		"bytes after the header":             func(p *proof) { p.Header = append(bytes.Clone(p.Header), 0) },
	} {
		forged := p
		change(&forged)
		b, err := json.Marshal(forged)
		if err != nil {
			t.Fatal(err)
		}
		if by, err := Verify(b, note, nil); err == nil {
			t.Errorf("%s was accepted: %s", name, by)
		}
	}
	if _, err := Verify(append(made, ' '), note, nil); err == nil {
		t.Error("another encoding was accepted")
	}
	failed := blockWith(t, 1, 0, nil)
	failed.Receipts[0].Status = types.ReceiptStatusFailed
	failed.Header.ReceiptHash = types.DeriveSha(failed.Receipts, trie.NewStackTrie(nil))
	failed.Hash = failed.Header.Hash()
	if _, err := Verify(prove(t, failed), note, nil); err == nil {
		t.Error("a transaction that failed was accepted")
	}
	if _, err := Prove(other, Event{Contract: common.Address{1}, Origin: "log.example/a", Size: 5}); err == nil {
		t.Error("an event of another contract was proven")
	}
}

// FuzzEvidence accepts nothing but what was proven.
func FuzzEvidence(f *testing.F) {
	_, note, _ := event()
	v := qbfttest.New(f, 4, "a")
	good := [][]byte{prove(f, blockWith(f, 1, 0, nil)), prove(f, blockWith(f, 20, 3, v))}
	pin, err := json.Marshal(Pinned{Contract: common.Address{7}, Validators: v.Addresses(), NOf: 2})
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range good {
		f.Add(b, []byte(pin))
	}
	f.Fuzz(func(t *testing.T, evidence, trust []byte) {
		if _, err := Verify(evidence, note, nil); err == nil && !bytes.Equal(evidence, good[0]) && !bytes.Equal(evidence, good[1]) {
			t.Errorf("accepted: %s", evidence)
		}
		_, _ = Verify(good[1], note, trust)
	})
}

// FuzzHeader reads extra data and receipts of any bytes.
func FuzzHeader(f *testing.F) {
	b := blockWith(f, 1, 0, qbfttest.New(f, 4, "a"))
	receipt, err := b.Receipts[0].MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b.Header.Extra, receipt)
	f.Fuzz(func(t *testing.T, extra, receipt []byte) {
		h := &types.Header{Number: big.NewInt(12), Difficulty: big.NewInt(1), Extra: extra}
		if _, sealers, err := checkQBFT(h); err == nil && len(sealers) == 0 {
			t.Error("sealed by nobody")
		}
		_ = new(Fact).readReceipt(receipt, 0)
	})
}
