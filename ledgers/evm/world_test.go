package main

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/suyuan-io/suyuan/ledgers/evm/evidence"
	"github.com/suyuan-io/suyuan/ledgers/evm/internal/devchain"
	"github.com/suyuan-io/suyuan/ledgers/program"
)

// world is a chain and a log to commit to it.
type world struct {
	*devchain.Chain
	t   *testing.T
	log *testLog
	// dir is the ledger's folder.
	dir string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := devchain.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{Chain: c, t: t, log: newLog(t, "log.example/a"), dir: t.TempDir()}
}

// open opens the ledger, as after a restart, with settings of its own ("" takes one away).
func (w *world) open(own ...string) *ledger {
	w.t.Helper()
	l, err := open(w.t.Context(), w.settings(own...))
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func (w *world) settings(own ...string) map[string]string {
	m := w.Settings()
	maps.Copy(m, map[string]string{"dir": w.dir, "wait": "10s"})
	for i := 0; i < len(own); i += 2 {
		if m[own[i]] = own[i+1]; own[i+1] == "" {
			delete(m, own[i])
		}
	}
	return m
}

// must commits.
func (w *world) must(l *ledger, r program.Request) json.RawMessage {
	w.t.Helper()
	entry, err := l.commit(w.t.Context(), r)
	if err != nil {
		w.t.Fatalf("commit %d: %v", r.Size, err)
	}
	return entry
}

// refused checks that a commit fails with a code, "unknown" if it is not known what became of it, and a message.
func (w *world) refused(l *ledger, r program.Request, code, message string) {
	w.t.Helper()
	_, err := l.commit(w.t.Context(), r)
	w.failed(err, code, message)
}

func (w *world) failed(err error, code, message string) {
	w.t.Helper()
	if got := program.CodeOf(err); err == nil || got != code || !contains(err.Error(), message) {
		w.t.Errorf("got %s: %v; want %s: …%s…", got, err, code, message)
	}
}

// holds checks that the ledger holds a checkpoint.
func (w *world) holds(l *ledger, r program.Request) {
	w.t.Helper()
	r.ArrivedAt = time.Now()
	note, entry, err := l.lookup(w.t.Context(), r)
	if err != nil || note != r.Note {
		w.t.Fatalf("look up %d: %q, %v", r.Size, note, err)
	}
	if _, err := evidence.Verify(entry, note, nil); err != nil {
		w.t.Errorf("evidence of %d: %v", r.Size, err)
	}
}

// lacks checks that the ledger is sure not to hold it.
func (w *world) lacks(l *ledger, r program.Request) {
	w.t.Helper()
	r.ArrivedAt = time.Now()
	if note, _, err := l.lookup(w.t.Context(), r); err != nil || note != "" {
		w.t.Fatalf("look up %d: %q, %v", r.Size, note, err)
	}
}

// unsure checks that a look-up does not say that it is not held.
func (w *world) unsure(l *ledger, r program.Request, message string) {
	w.t.Helper()
	_, _, err := l.lookup(w.t.Context(), r)
	w.failed(err, "unknown", message)
}

// events counts the contract's events.
func (w *world) events() int {
	w.t.Helper()
	logs, err := w.Client().FilterLogs(w.t.Context(), ethereum.FilterQuery{Addresses: []common.Address{w.Contract}})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(logs)
}

// pay mines a transaction of the account that has nothing to do with the ledger.
func (w *world) pay(nonce uint64) {
	w.t.Helper()
	to := crypto.PubkeyToAddress(w.Key.PublicKey)
	tx, err := types.SignNewTx(w.Key, types.LatestSignerForChainID(big.NewInt(devchain.ChainID)), &types.LegacyTx{
		Nonce: nonce, GasPrice: big.NewInt(1e12), Gas: 21000, To: &to,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.Client().SendTransaction(w.t.Context(), tx); err != nil {
		w.t.Fatal(err)
	}
	w.Mine(1)
}

func (w *world) nonce() uint64 {
	w.t.Helper()
	n, err := w.Client().NonceAt(w.t.Context(), crypto.PubkeyToAddress(w.Key.PublicKey), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// testLog is a log of RFC 6962.
type testLog struct {
	t      *testing.T
	origin string
	hashes []tlog.Hash
	size   int64
}

func newLog(t *testing.T, origin string) *testLog { return &testLog{t: t, origin: origin} }

// ReadHashes implements [tlog.HashReader].
func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = l.hashes[x]
	}
	return out, nil
}

func (l *testLog) root(size int64) tlog.Hash {
	l.t.Helper()
	for ; l.size < size; l.size++ {
		more, err := tlog.StoredHashes(l.size, fmt.Appendf(nil, "%s %d", l.origin, l.size), l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes = append(l.hashes, more...)
	}
	root, err := tlog.TreeHash(size, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return root
}

// commit is a request to commit the checkpoint of a size.
func (l *testLog) commit(previous, size int64) program.Request {
	l.t.Helper()
	root := l.root(size)
	r := program.Request{
		Origin: l.origin, Size: uint64(size), Root: hex.EncodeToString(root[:]), Previous: uint64(previous), ArrivedAt: time.Now(),
		Note: fmt.Sprintf("%s\n%d\n%s\n\n— %s AAAA\n", l.origin, size, base64.StdEncoding.EncodeToString(root[:]), l.origin),
	}
	if previous > 0 {
		proof, err := tlog.ProveTree(size, previous, l)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, h := range proof {
			r.Consistency = append(r.Consistency, hex.EncodeToString(h[:]))
		}
	}
	return r
}

func hexKey(k *ecdsa.PrivateKey) string { return hex.EncodeToString(crypto.FromECDSA(k)) }
