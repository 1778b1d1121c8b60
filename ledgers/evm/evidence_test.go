package main

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/suyuan-io/suyuan/ledgers/evm/internal/devchain"
)

// validators seal blocks as QBFT does.
type validators []*ecdsa.PrivateKey

func newValidators(t testing.TB, n int) validators {
	t.Helper()
	v := make(validators, n)
	for i := range v {
		var err error
		if v[i], err = crypto.GenerateKey(); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func (v validators) addresses() []common.Address {
	all := make([]common.Address, len(v))
	for i, key := range v {
		all[i] = crypto.PubkeyToAddress(key.PublicKey)
	}
	return all
}

// seal puts extra data with the seals of some into a header and returns the block's hash.
func (v validators) seal(t testing.TB, h *types.Header, by ...*ecdsa.PrivateKey) common.Hash {
	t.Helper()
	encode := func(round uint32, seals [][]byte) {
		var err error
		if h.Extra, err = rlp.EncodeToBytes([]any{make([]byte, 32), v.addresses(), []any{}, round, seals}); err != nil {
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

// between makes the blocks of a node look sealed by some.
func (v validators) between(t testing.TB, by ...*ecdsa.PrivateKey) devchain.Between {
	real := make(map[common.Hash]common.Hash)
	return func(method string, params []json.RawMessage, forward devchain.Forward) (json.RawMessage, error) {
		switch method {
		case "eth_getBlockByNumber":
			b, err := forward(params)
			if err != nil || string(b) == "null" {
				return b, err
			}
			var h types.Header
			if err := json.Unmarshal(b, &h); err != nil {
				t.Error(err)
			}
			inner := h.Hash()
			hash := v.seal(t, &h, by...)
			real[hash] = inner
			b, err = json.Marshal(&h)
			return bytes.Replace(b, []byte(h.Hash().Hex()), []byte(hash.Hex()), 1), err
		case "eth_getBlockReceipts":
			var hash common.Hash
			if err := json.Unmarshal(params[0], &hash); err != nil {
				t.Error(err)
			}
			params = []json.RawMessage{json.RawMessage(`"` + real[hash].Hex() + `"`)}
		}
		return forward(params)
	}
}

// TestChainWithSeals: evidence of a chain of QBFT is verified with its validators' addresses alone.
func TestChainWithSeals(t *testing.T) {
	w, v := newWorld(t), newValidators(t, 4)
	strangers := newValidators(t, 4)
	w.Put(v.between(t, v[:3]...))
	l := w.open("seals", "qbft")
	if !slices.Equal(l.pin.Validators, v.addresses()) {
		t.Errorf("it pins %v", l.pin.Validators)
	}
	r := w.log.commit(0, 5)
	evidence := w.must(l, r)
	w.holds(w.open("seals", "qbft"), r)
	fact, err := examine(evidence)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pin  pinned
		want string
	}{
		{"all validators", pinned{Validators: v.addresses()}, ""},
		{"what the ledger says", *l.pin, ""},
		{"some, and enough", pinned{Validators: v.addresses()[:2], NOf: 2}, ""},
		{"more than sealed", pinned{Validators: v.addresses(), NOf: 4}, "sealed by 3 of the trusted validators, 4 must have"},
		{"more than there are", pinned{Validators: v.addresses(), NOf: 5}, "nOf is 5"},
		{"strangers", pinned{Validators: strangers.addresses()}, "sealed by 0"},
		{"one, twice", pinned{Validators: append(v.addresses()[:1:1], v.addresses()[0]), NOf: 2}, "nOf is 2"},
		{"nobody", pinned{}, "names neither validators nor this block"},
		{"another block", pinned{Blocks: []common.Hash{{1}}}, "names neither validators nor this block"},
		{"the block", pinned{Blocks: []common.Hash{fact.block}}, ""},
		{"another submitter", pinned{Validators: v.addresses(), Submitter: &common.Address{1}}, "it was submitted by"},
		{"another contract", pinned{Validators: v.addresses(), Contract: common.Address{1}}, "the trusted one is"},
	} {
		if c.pin.Contract == (common.Address{}) {
			c.pin.Contract = w.Contract
		}
		pin, err := json.Marshal(c.pin)
		if err != nil {
			t.Fatal(err)
		}
		by, err := verify(evidence, r.Note, pin)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: by %q, %v", c.name, by, err)
		}
	}
	if _, err := verify(evidence, r.Note, json.RawMessage(`{"contract":"`+w.Contract.Hex()+`","colour":"red"}`)); err == nil {
		t.Error("an unknown name in the trust file was passed over")
	}
	if _, err := verify(evidence, w.log.commit(5, 9).Note, nil); err == nil {
		t.Error("it was accepted for another checkpoint")
	}
	for i := range evidence { // every byte stands under a hash or a seal
		forged := bytes.Clone(evidence)
		forged[i] ^= 1 << (i % 8)
		if _, err := verify(forged, r.Note, nil); err == nil {
			t.Errorf("evidence with a bit of byte %d flipped was accepted: %s", i, forged)
		}
	}
}

// TestSealsThatAreNotEnough are refused by the ledger itself, before evidence is given out.
func TestSealsThatAreNotEnough(t *testing.T) {
	v, strangers := newValidators(t, 4), newValidators(t, 1)
	for want, by := range map[string][]*ecdsa.PrivateKey{
		"2 of the block's 4 validators sealed it":                  v[:2],
		"not by one of the block's validators, or is there twice":  {v[0], v[1], strangers[0]},
		"not by one of the block's validators, or is there twice ": {v[0], v[1], v[1]},
	} {
		w := newWorld(t)
		w.Put(v.between(t, by...))
		w.refused(w.open("seals", "qbft"), w.log.commit(0, 5), "unknown", strings.TrimSpace(want))
	}
}

// TestReceiptOfAFullBlock is proven among many others, and no node of a proof may stand there in vain.
func TestReceiptOfAFullBlock(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	r := w.log.commit(0, 5)
	w.must(l, r)
	c, err := l.get(t.Context(), r.Origin, r.Size)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.blockAt(t.Context(), c.Number)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.receipts(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 1, 127, 128, 299} {
		all := make(types.Receipts, 300)
		for i := range all {
			all[i] = &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: uint64(21000 * (i + 1))}
		}
		all[at] = ours[0]
		full := &block{header: types.CopyHeader(b.header)}
		full.header.ReceiptHash = types.DeriveSha(all, hasher())
		full.hash = full.header.Hash()
		evidence, err := l.prove(full, all, crypto.Keccak256Hash([]byte(r.Origin)), r.Size)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify(evidence, r.Note, nil); err != nil {
			t.Errorf("receipt %d of 300: %v", at, err)
		}
		var p proof
		if err := json.Unmarshal(evidence, &p); err != nil {
			t.Fatal(err)
		}
		p.Proof = append(p.Proof, p.Proof[0])
		if forged, err := json.Marshal(p); err != nil {
			t.Fatal(err)
		} else if _, err := verify(forged, r.Note, nil); err == nil {
			t.Error("a node in vain was accepted")
		}
	}
}

// TestEventsThatAreNone are refused, whatever else holds.
func TestEventsThatAreNone(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	r := w.log.commit(0, 5)
	evidence := w.must(l, r)
	var p proof
	if err := json.Unmarshal(evidence, &p); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*proof){
		"another place in the receipt": func(p *proof) { p.Log++ },
		"a place before the receipt":   func(p *proof) { p.Log-- },
		"another transaction":          func(p *proof) { p.Transaction++ },
		"seals that it lacks":          func(p *proof) { p.Seals = sealsQBFT },
		"seals of no kind":             func(p *proof) { p.Seals = "clique" },
		"no proof":                     func(p *proof) { p.Proof = nil },
		"another type":                 func(p *proof) { p.Type += "x" },
	} {
		forged := p
		change(&forged)
		b, err := json.Marshal(forged)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify(b, r.Note, nil); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := verify(append(evidence, ' '), r.Note, nil); err == nil {
		t.Error("another encoding was accepted")
	}
}

func FuzzEvidence(f *testing.F) {
	v := newValidators(f, 4)
	h := &types.Header{}
	h.Number, h.Difficulty = newBig(1), newBig(1)
	hash := v.seal(f, h, v...)
	header, err := rlp.EncodeToBytes(h)
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(proof{Block: hash, Header: header, Proof: [][]byte{{0x80}}, Seals: sealsQBFT, Type: proofType})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, []byte(`{"contract":"0x00000000000000000000000000000000000000aa","validators":[],"nOf":1}`))
	f.Fuzz(func(_ *testing.T, evidence, trust []byte) {
		_, _ = verify(evidence, "a\n5\nAAAA\n", trust)
	})
}

// FuzzHeader reads extra data and receipts of any bytes.
func FuzzHeader(f *testing.F) {
	v := newValidators(f, 4)
	h := &types.Header{Number: newBig(1), Difficulty: newBig(1)}
	v.seal(f, h, v[:3]...)
	f.Add(h.Extra, []byte{2, 0xc0})
	f.Fuzz(func(t *testing.T, extra, receipt []byte) {
		h := &types.Header{Number: newBig(1), Difficulty: newBig(1), Extra: extra}
		if _, sealers, err := checkQBFT(h); err == nil && len(sealers) == 0 {
			t.Error("sealed by nobody")
		}
		_ = new(fact).readReceipt(receipt, 0)
	})
}

// TestConversation is what goes over standard input and output.
func TestConversation(t *testing.T) {
	w := newWorld(t)
	a, err := reply(t.Context(), new(*ledger), request{T: "init", Protocol: protocol, Config: w.settings()})
	if err != nil || a.Spec.Pin.Contract != w.Contract || *a.Spec.Pin.Submitter != crypto.PubkeyToAddress(w.Key.PublicKey) {
		t.Errorf("it pins %+v, %v", a.Spec, err)
	}
	for _, c := range []struct{ name, in, want string }{
		{"another protocol", `{"t":"init","protocol":2,"config":{}}`, "speaks protocol 1"},
		{"a log of SM3", `{"t":"init","protocol":1,"config":{},"logs":[{"key":"k","hash":"sm3"}]}`, "checks proofs of SHA-256"},
		{"a bad config", `{"t":"init","protocol":1,"config":{"rpc":"x"}}`, "config lacks chainId"},
		{"to verify", `{"t":"init","protocol":1}` + "\n" + `{"t":"commit","id":1}`, "only verifies"},
		{"an unknown request", `{"t":"init","protocol":1}` + "\n" + `{"t":"tomorrow","id":7}`, `"id":7,"code":"unsupported"`},
		{"no message", `x`, "read request"},
	} {
		var out bytes.Buffer
		err := serve(strings.NewReader(c.in+"\n"), &out)
		if said := fmt.Sprint(out.String(), err); !strings.Contains(said, c.want) {
			t.Errorf("%s: %s", c.name, said)
		}
	}
}

func hasher() *trie.StackTrie { return trie.NewStackTrie(nil) }

// TestNodeHangs: the hub is answered before it loses patience.
func TestNodeHangs(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "0s")
	w.Put(func(string, []json.RawMessage, devchain.Forward) (json.RawMessage, error) {
		<-t.Context().Done()
		return nil, devchain.ErrGone
	})
	r := w.log.commit(0, 5)
	r.arrivedAt = r.arrivedAt.Add(-grace) // as if it had waited
	_, err := reply(t.Context(), &l, r)
	w.failed(err, "unknown", "deadline exceeded")
}
