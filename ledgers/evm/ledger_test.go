package main

import (
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/suyuan-io/suyuan/ledgers/evm/internal/devchain"
	"github.com/suyuan-io/suyuan/ledgers/program"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// on does something else with one method.
func on(method string, f devchain.Between) devchain.Between {
	return func(called string, params []json.RawMessage, forward devchain.Forward) (json.RawMessage, error) {
		if called == method {
			return f(called, params, forward)
		}
		return forward(params)
	}
}

func gone(string, []json.RawMessage, devchain.Forward) (json.RawMessage, error) {
	return nil, devchain.ErrGone
}

// TestAnswerToATransactionIsLost: the node took it, and its answer did not arrive.
func TestAnswerToATransactionIsLost(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	w.Put(on("eth_sendRawTransaction", func(_ string, params []json.RawMessage, forward devchain.Forward) (json.RawMessage, error) {
		_, _ = forward(params)
		return nil, devchain.ErrGone
	}))
	w.must(l, w.log.commit(0, 5))
	if n := w.events(); n != 1 {
		t.Errorf("the contract took it %d times", n)
	}
}

// TestNodeGoesDown at each call of a commit in turn: whatever was sent is settled when it is back, and counts once.
func TestNodeGoesDown(t *testing.T) {
	w := newWorld(t)
	held := int64(0)
	for at := 0; ; at++ {
		calls, down := 0, false
		l := w.open("wait", "50ms")
		w.Put(func(_ string, params []json.RawMessage, forward devchain.Forward) (json.RawMessage, error) {
			if down = down || calls >= at; down {
				return nil, devchain.ErrGone
			}
			calls++
			return forward(params)
		})
		r := w.log.commit(held, held+3)
		_, err := l.commit(t.Context(), r)
		if err == nil {
			break // it makes no more calls than at
		}
		w.Put(nil)
		w.dir = filepath.Clean(w.dir)
		l = w.open()
		r.ArrivedAt = time.Now()
		note, _, err := l.lookup(t.Context(), r)
		if err != nil {
			t.Fatalf("call %d: look up: %v", at, err)
		}
		if note == "" {
			w.must(l, r)
		}
		held += 3
	}
	if n := w.events(); held < 20 || n != int(held/3)+1 {
		t.Errorf("%d events of %d checkpoints", n, held/3+1)
	}
}

// TestTransactionThatNobodyTakes is made anew at a higher fee with the same number, so that one of them counts.
func TestTransactionThatNobodyTakes(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "300ms", "retry", "0s")
	w.Manual(true)
	r := w.log.commit(0, 5)
	w.refused(l, r, "unknown", "in no block yet")
	w.unsure(w.open("wait", "0s"), r, "in no block yet")
	made := journal(t, w)
	if len(made) < 2 {
		t.Fatalf("%d transactions were made", len(made))
	}
	for i, tx := range made[1:] {
		if tx.Nonce() != made[0].Nonce() {
			t.Errorf("transaction %d has another number", i+1)
		}
		if least := new(big.Int).Div(new(big.Int).Mul(made[i].GasFeeCap(), big.NewInt(9)), big.NewInt(8)); tx.GasFeeCap().Cmp(least) < 0 {
			t.Errorf("transaction %d is not dearer by an eighth", i+1)
		}
	}
	w.Mine(1)
	l = w.open()
	w.holds(l, r)
	if again := w.must(l, w.log.commit(0, 5)); len(again) == 0 || w.events() != 1 {
		t.Errorf("%d events", w.events())
	}
	w.Manual(false)
	w.must(l, w.log.commit(5, 9))
}

func journal(t *testing.T, w *world) []*types.Transaction {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, "pending.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p pending
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	made, err := p.transactions()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestReplacementIsUnderpriced: the node wants more for a transaction in the place of another than was offered.
func TestReplacementIsUnderpriced(t *testing.T) {
	w := newWorld(t)
	w.Manual(true)
	refuse := 2
	w.Put(on("eth_sendRawTransaction", func(_ string, params []json.RawMessage, forward devchain.Forward) (json.RawMessage, error) {
		if refuse--; refuse >= 0 {
			return nil, errors.New("replacement transaction underpriced")
		}
		return forward(params)
	}))
	l := w.open("wait", "0s")
	r := w.log.commit(0, 5)
	w.refused(l, r, "unknown", "underpriced")
	l = w.open("wait", "0s")
	w.unsure(l, r, "underpriced")
	w.unsure(l, r, "in no block yet")
	w.Mine(1)
	w.holds(l, r)
}

// TestAnotherTransactionTakesTheNumber: ours can never come into a block then.
func TestAnotherTransactionTakesTheNumber(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "0s")
	w.Manual(true)
	r := w.log.commit(0, 5)
	w.refused(l, r, "unknown", "in no block yet")
	w.pay(journal(t, w)[0].Nonce())
	w.Manual(false)
	l = w.open()
	w.lacks(l, r)
	w.must(l, w.log.commit(0, 5))
}

// TestGapBeforeTheNumber: the transaction under way has a number that no block reaches, as after blocks were replaced.
func TestGapBeforeTheNumber(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	r := w.log.commit(0, 5)
	input, err := l.input(r)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := l.sign(t.Context(), w.nonce()+3, input, 400_000, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.save(&pending{Origin: r.Origin, Size: r.Size}, tx); err != nil {
		t.Fatal(err)
	}
	w.holds(w.open(), r)
	w.must(l, w.log.commit(5, 9))
	if n := w.events(); n != 2 {
		t.Errorf("%d events", n)
	}
}

// TestNodeForgetsATransaction: it is sent again.
func TestNodeForgetsATransaction(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "0s")
	w.Manual(true)
	r := w.log.commit(0, 5)
	w.refused(l, r, "unknown", "in no block yet")
	w.Drop()
	w.unsure(w.open("wait", "0s"), r, "in no block yet")
	w.Mine(1)
	w.holds(w.open(), r)
}

// TestFolderIsLost while a transaction is under way: the account's numbers show that there is one.
func TestFolderIsLost(t *testing.T) {
	w := newWorld(t)
	w.Manual(true)
	r := w.log.commit(0, 5)
	w.refused(w.open("wait", "0s"), r, "unknown", "in no block yet")
	w.dir = t.TempDir()
	l := w.open()
	w.unsure(l, r, "is in no block yet")
	w.Mine(1)
	w.holds(l, r)
}

// TestBlockIsReplacedBeforeItIsFinal: the checkpoint comes into another block, and only that is given out.
func TestBlockIsReplacedBeforeItIsFinal(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "0s", "confirmations", "3")
	r := w.log.commit(0, 5)
	w.refused(l, r, "unknown", "no block yet")
	w.unsure(l, r, "not final yet")
	if note, err := l.latest(t.Context(), r.Origin); note != "" || err != nil {
		t.Errorf("latest is %q, %v", note, err)
	}
	if err := w.Replace(1); err != nil {
		t.Fatal(err)
	}
	if n := w.events(); n != 0 {
		t.Fatalf("%d events are in the chain", n)
	}
	w.unsure(l, r, "no block yet") // and sends it again
	w.Mine(1)
	w.unsure(l, r, "not final yet")
	w.Mine(1)
	w.holds(l, r)
	if note, err := l.latest(t.Context(), r.Origin); note != r.Note || err != nil {
		t.Errorf("latest is %q, %v", note, err)
	}
}

// TestBlockIsReplacedAfterItWasFinal is an alarm: the evidence that was given out is of a block that is not there.
func TestBlockIsReplacedAfterItWasFinal(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	r := w.log.commit(0, 5)
	w.must(l, r)
	if err := w.Replace(1); err != nil {
		t.Fatal(err)
	}
	_, _, err := l.lookup(t.Context(), r)
	w.failed(err, "conflict", "not in the chain any more")
	w.refused(l, r, "conflict", "not in the chain any more")
}

// TestLatestIsTheNewestThatIsFinal.
func TestLatestIsTheNewestThatIsFinal(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "0s", "confirmations", "2")
	first, second := w.log.commit(0, 5), w.log.commit(5, 9)
	w.refused(l, first, "unknown", "")
	w.Mine(1)
	w.holds(l, first)
	w.refused(l, second, "unknown", "")
	if note, err := l.latest(t.Context(), first.Origin); note != first.Note || err != nil {
		t.Errorf("latest is %q, %v", note, err)
	}
}

// TestNodeIsBehind: it does not know what others hold already.
func TestNodeIsBehind(t *testing.T) {
	w := newWorld(t)
	l := w.open("wait", "0s")
	first, second := w.log.commit(0, 5), w.log.commit(5, 9)
	w.refused(l, first, "unknown", "")
	w.Mine(5)
	w.holds(l, first)
	w.Put(on("eth_blockNumber", func(string, []json.RawMessage, devchain.Forward) (json.RawMessage, error) {
		return json.RawMessage(`"0x1"`), nil
	}))
	w.unsure(l, second, "the node is at block 1, and 7 was seen")
	w.unsure(w.open("wait", "0s"), first, "the node is at block 1, and the checkpoint in 2")
	w.Put(on("eth_syncing", func(string, []json.RawMessage, devchain.Forward) (json.RawMessage, error) {
		return json.RawMessage(`{"currentBlock":"0x1","highestBlock":"0x9"}`), nil
	}))
	w.unsure(l, second, "still reading the chain")
}

// TestNodeLies about a block: the evidence is checked before it is given out.
func TestNodeLies(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	r := w.log.commit(0, 5)
	other := newWorld(t)
	other.must(other.open(), r)
	w.Put(on("eth_getBlockByNumber", func(_ string, params []json.RawMessage, forward devchain.Forward) (json.RawMessage, error) {
		b, err := forward(params)
		return json.RawMessage(strings.Replace(string(b), `"gasLimit":"0x`, `"gasLimit":"0x1`, 1)), err
	}))
	w.refused(l, r, "unknown", "does not hold")
	w.Put(nil)
	w.holds(l, r)
}

func TestAccountWithoutMoney(t *testing.T) {
	w := newWorld(t)
	l := w.open("key", "4646464646464646464646464646464646464646464646464646464646464646")
	w.refused(l, w.log.commit(0, 5), "unavailable", "fund it")
	w.lacks(l, w.log.commit(0, 5))
}

func TestGasIsTooDear(t *testing.T) {
	w := newWorld(t)
	w.refused(w.open("maxFee", "1"), w.log.commit(0, 5), "unavailable", "more than maxFee")
	w.must(w.open("maxFee", "2000000000"), w.log.commit(0, 5))
}

// TestContractRefuses what no ledger may take, whatever the program in front of it.
func TestContractRefuses(t *testing.T) {
	w := newWorld(t)
	l := w.open()
	w.must(l, w.log.commit(0, 5))
	fork := newLog(t, "log.example/b")
	forked := func(previous, size int64) program.Request {
		fork.origin = "log.example/b"
		r := fork.commit(previous, size)
		r.Note = strings.ReplaceAll(r.Note, fork.origin, w.log.origin)
		r.Origin = w.log.origin
		return r
	}
	w.refused(l, forked(0, 5), "conflict", "the contract holds the root")
	w.refused(l, forked(5, 9), "conflict", "Inconsistent")
	w.refused(l, w.log.commit(3, 9), "invalid", "Inconsistent")
	w.refused(l, w.log.commit(0, 4), "conflict", "LargerHeld")
	stranger, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	theirs := w.open("key", strings.ToUpper(hexKey(stranger)), "dir", t.TempDir())
	w.refused(theirs, w.log.commit(5, 9), "forbidden", "NotOwner")
	w.holds(theirs, w.log.commit(0, 5))
}

func TestConfigIsRefused(t *testing.T) {
	w := newWorld(t)
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("0x"+hexKey(w.Key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.open("key", "", "keyFile", keyFile)
	nobody := "0x00000000000000000000000000000000000000aa"
	for _, c := range []struct {
		own        []string
		code, want string
	}{
		{[]string{"rpc", ""}, "config", "lacks rpc"},
		{[]string{"rpc", "node"}, "config", "no URL of a node"},
		{[]string{"rpc", "http://127.0.0.1:1"}, "unavailable", "ask the node for its chain"},
		{[]string{"chainId", "1"}, "config", "the node is of chain 1337, not 1"},
		{[]string{"chainId", "x"}, "config", "no whole number"},
		{[]string{"contract", "0x12"}, "config", "no address"},
		{[]string{"contract", nobody}, "config", "there is no contract at"},
		{[]string{"key", ""}, "config", "one of key and keyFile"},
		{[]string{"key", "12"}, "config", "no secp256k1 key"},
		{[]string{"keyFile", keyFile}, "config", "one of key and keyFile"},
		{[]string{"key", "", "keyFile", "/no/such"}, "config", "no such file"},
		{[]string{"dir", ""}, "config", "lacks dir"},
		{[]string{"confirmations", "0"}, "config", "neither a number of blocks"},
		{[]string{"seals", "clique"}, "config", "neither none nor qbft"},
		{[]string{"seals", "qbft"}, "config", "no seals of QBFT"},
		{[]string{"wait", "soon"}, "config", "no length of time"},
		{[]string{"colour", "red"}, "config", "no setting"},
	} {
		_, err := open(t.Context(), w.settings(c.own...))
		w.failed(err, c.code, c.want)
	}
	w.Put(gone)
	_, err := open(t.Context(), w.settings())
	w.failed(err, "unavailable", "ask the node")
}

// TestOtherContractAtTheAddress: what stands there must be the code of this module.
func TestOtherContractAtTheAddress(t *testing.T) {
	w := newWorld(t)
	w.Put(on("eth_getCode", func(string, []json.RawMessage, devchain.Forward) (json.RawMessage, error) {
		return json.RawMessage(`"0x6001"`), nil
	}))
	_, err := open(t.Context(), w.settings())
	w.failed(err, "config", "its code differs")
}

// TestFinalityOfTheNode asks the node what is final.
func TestFinalityOfTheNode(t *testing.T) {
	w := newWorld(t)
	l := w.open("confirmations", "finalized", "wait", "0s")
	r := w.log.commit(0, 5)
	final := "0x1"
	w.Put(on("eth_getBlockByNumber", func(_ string, params []json.RawMessage, forward devchain.Forward) (json.RawMessage, error) {
		if string(params[0]) == `"finalized"` {
			params = []json.RawMessage{json.RawMessage(`"` + final + `"`), params[1]}
		}
		return forward(params)
	}))
	w.refused(l, r, "unknown", "")
	w.unsure(l, r, "not final yet")
	final = "0x2"
	w.holds(l, r)
}

func TestDeploy(t *testing.T) {
	w := newWorld(t)
	m := w.settings()
	var out strings.Builder
	if err := deploy(t.Context(), []string{"rpc=" + m["rpc"], "chainId=" + m["chainId"], "key=" + m["key"]}, &out); err != nil {
		t.Fatal(err)
	}
	w.must(w.open("contract", strings.TrimSpace(out.String())), w.log.commit(0, 5))
	if err := deploy(t.Context(), []string{"rpc=" + m["rpc"]}, &out); err == nil || !contains(err.Error(), "lacks chainId") {
		t.Error(err)
	}
}

// lacking is the error of a node that does not have a method.
type lacking struct{}

func (lacking) Error() string  { return "the method does not exist" }
func (lacking) ErrorCode() int { return methodNotFound }

// TestNodeWithoutReceiptsOfABlock is asked for each transaction's.
func TestNodeWithoutReceiptsOfABlock(t *testing.T) {
	w := newWorld(t)
	w.Put(on("eth_getBlockReceipts", func(string, []json.RawMessage, devchain.Forward) (json.RawMessage, error) {
		return nil, lacking{}
	}))
	l := w.open("wait", "0s")
	w.Manual(true)
	r := w.log.commit(0, 5)
	w.refused(l, r, "unknown", "in no block yet")
	w.pay(w.nonce() + 1) // both come into one block
	w.holds(l, r)
}
