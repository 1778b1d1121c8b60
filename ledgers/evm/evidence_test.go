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

	"github.com/suyuan-io/suyuan/ledgers/evm/evidence"
	"github.com/suyuan-io/suyuan/ledgers/evm/internal/devchain"
	"github.com/suyuan-io/suyuan/ledgers/evm/internal/qbfttest"
	"github.com/suyuan-io/suyuan/ledgers/program"
)

// between makes the blocks of a node look sealed by some.
func between(t testing.TB, v qbfttest.Validators, by ...*ecdsa.PrivateKey) devchain.Between {
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
			hash := v.Seal(t, &h, by...)
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
	w, v := newWorld(t), qbfttest.New(t, 4, "a")
	strangers := qbfttest.New(t, 4, "b")
	w.Put(between(t, v, v[:3]...))
	l := w.open("seals", "qbft")
	if !slices.Equal(l.pin.Validators, v.Addresses()) {
		t.Errorf("it pins %v", l.pin.Validators)
	}
	r := w.log.commit(0, 5)
	entry := w.must(l, r)
	w.holds(w.open("seals", "qbft"), r)
	fact, err := evidence.Examine(entry)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pin  evidence.Pinned
		want string
	}{
		{"all validators", evidence.Pinned{Validators: v.Addresses()}, ""},
		{"what the ledger says", *l.pin, ""},
		{"some, and enough", evidence.Pinned{Validators: v.Addresses()[:2], NOf: 2}, ""},
		{"more than sealed", evidence.Pinned{Validators: v.Addresses(), NOf: 4}, "sealed by 3 of the trusted validators, 4 must have"},
		{"more than there are", evidence.Pinned{Validators: v.Addresses(), NOf: 5}, "nOf is 5"},
		{"strangers", evidence.Pinned{Validators: strangers.Addresses()}, "sealed by 0"},
		{"one, twice", evidence.Pinned{Validators: append(v.Addresses()[:1:1], v.Addresses()[0]), NOf: 2}, "nOf is 2"},
		{"nobody", evidence.Pinned{}, "names neither validators nor this block"},
		{"another block", evidence.Pinned{Blocks: []common.Hash{{1}}}, "names neither validators nor this block"},
		{"the block", evidence.Pinned{Blocks: []common.Hash{fact.Block}}, ""},
		{"another submitter", evidence.Pinned{Validators: v.Addresses(), Submitter: &common.Address{1}}, "it was submitted by"},
		{"another contract", evidence.Pinned{Validators: v.Addresses(), Contract: common.Address{1}}, "the trusted one is"},
	} {
		if c.pin.Contract == (common.Address{}) {
			c.pin.Contract = w.Contract
		}
		pin, err := json.Marshal(c.pin)
		if err != nil {
			t.Fatal(err)
		}
		by, err := evidence.Verify(entry, r.Note, pin)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: by %q, %v", c.name, by, err)
		}
	}
	if _, err := evidence.Verify(entry, r.Note, json.RawMessage(`{"contract":"`+w.Contract.Hex()+`","colour":"red"}`)); err == nil {
		t.Error("an unknown name in the trust file was passed over")
	}
	if _, err := evidence.Verify(entry, w.log.commit(5, 9).Note, nil); err == nil {
		t.Error("it was accepted for another checkpoint")
	}
	for i := range entry { // every byte stands under a hash or a seal
		forged := bytes.Clone(entry)
		forged[i] ^= 1 << (i % 8)
		if _, err := evidence.Verify(forged, r.Note, nil); err == nil {
			t.Errorf("evidence with a bit of byte %d flipped was accepted: %s", i, forged)
		}
	}
}

// TestSealsThatAreNotEnough are refused by the ledger itself, before evidence is given out.
func TestSealsThatAreNotEnough(t *testing.T) {
	v, strangers := qbfttest.New(t, 4, "a"), qbfttest.New(t, 1, "b")
	for want, by := range map[string][]*ecdsa.PrivateKey{
		"2 of the block's 4 validators sealed it":                  v[:2],
		"not by one of the block's validators, or is there twice":  {v[0], v[1], strangers[0]},
		"not by one of the block's validators, or is there twice ": {v[0], v[1], v[1]},
	} {
		w := newWorld(t)
		w.Put(between(t, v, by...))
		w.refused(w.open("seals", "qbft"), w.log.commit(0, 5), "unknown", strings.TrimSpace(want))
	}
}

// TestConversation is what goes over standard input and output.
func TestConversation(t *testing.T) {
	w := newWorld(t)
	_, pin, err := begin(t.Context(), program.Settings{Config: w.settings()})
	if p, ok := pin.(*evidence.Pinned); err != nil || !ok || p.Contract != w.Contract || *p.Submitter != crypto.PubkeyToAddress(w.Key.PublicKey) {
		t.Errorf("it pins %+v, %v", pin, err)
	}
	for _, c := range []struct{ name, in, want string }{
		{"a log of SM3", `{"t":"init","protocol":1,"config":{},"logs":[{"key":"k","hash":"sm3"}]}`, "checks proofs of SHA-256"},
		{"a bad config", `{"t":"init","protocol":1,"config":{"rpc":"x"}}`, "config lacks chainId"},
		{"to verify", `{"t":"init","protocol":1}` + "\n" + `{"t":"commit","id":1}`, "only verifies"},
	} {
		var out bytes.Buffer
		err := served().Serve(strings.NewReader(c.in+"\n"), &out)
		if said := fmt.Sprint(out.String(), err); !strings.Contains(said, c.want) {
			t.Errorf("%s: %s", c.name, said)
		}
	}
}

// TestNodeHangs: the hub is answered before it loses patience.
func TestNodeHangs(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "0s")
	w.Put(func(string, []json.RawMessage, devchain.Forward) (json.RawMessage, error) {
		<-t.Context().Done()
		return nil, devchain.ErrGone
	})
	r := w.log.commit(0, 5)
	r.ArrivedAt = r.ArrivedAt.Add(-grace) // as if it had waited
	_, err := l.Commit(t.Context(), r)
	w.failed(err, "unknown", "deadline exceeded")
}
