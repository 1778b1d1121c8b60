// Package devchain is a chain in process for tests and trials: go-ethereum's simulated one, with its JSON-RPC on loopback. Its
// blocks bear no seals, and whoever runs it can make any.
package devchain

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/suyuan-io/suyuan/ledgers/evm/contract"
)

// ChainID is the simulated chain's.
const ChainID = 1337

// Chain is a chain with the contract on it and an account with money.
type Chain struct {
	URL      string
	Contract common.Address
	Key      *ecdsa.PrivateKey

	dir     string
	backend *simulated.Backend
	rpc     *rpc.Client
	server  *http.Server
	// gate admits one call at a time. Manual keeps transactions out of blocks until Mine; Between, if set, stands between a call and
	// the node.
	gate    sync.Mutex
	manual  bool
	between Between
}

// Between sees a call and makes it by forward, with the same parameters or others, or not at all. [ErrGone] closes the connection
// without an answer.
type Between func(method string, params []json.RawMessage, forward Forward) (json.RawMessage, error)

// Forward makes a call.
type Forward func(params []json.RawMessage) (json.RawMessage, error)

// ErrGone is the error of a node that is not there.
var ErrGone = errors.New("the node is gone")

// Start starts a chain.
func Start() (*Chain, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "evm")
	if err != nil {
		return nil, err
	}
	rich := new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether))
	c := &Chain{Key: key, dir: dir}
	c.backend = simulated.NewBackend(types.GenesisAlloc{crypto.PubkeyToAddress(key.PublicKey): {Balance: rich}}, c.configure)
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.backend.Close(), os.RemoveAll(dir))
	}
	return c, nil
}

// configure takes the newest rules away, with their prices of gas, which no consortium chain has yet, and listens to nobody.
func (c *Chain) configure(n *node.Config, e *ethconfig.Config) {
	n.P2P.MaxPeers, n.P2P.ListenAddr, n.IPCPath = 0, "", filepath.Join(c.dir, "ipc")
	rules := *e.Genesis.Config
	rules.AmsterdamTime, rules.BogotaTime = nil, nil
	e.Genesis.Config = &rules
}

// open deploys the contract and listens.
func (c *Chain) open() (err error) {
	if c.rpc, err = rpc.Dial(filepath.Join(c.dir, "ipc")); err != nil {
		return err
	}
	if err := c.deploy(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.URL = "http://" + listener.Addr().String()
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: time.Minute}
	go func() { _ = c.server.Serve(listener) }() // until Close
	return nil
}

// deploy puts the contract on the chain.
func (c *Chain) deploy() error {
	gas := uint64(3_000_000)
	tx, err := types.SignNewTx(c.Key, types.LatestSignerForChainID(big.NewInt(ChainID)), &types.LegacyTx{
		GasPrice: big.NewInt(10 * params.GWei), Gas: gas, Data: contract.Checkpoints().Deploy,
	})
	if err != nil {
		return err
	}
	if err := c.backend.Client().SendTransaction(context.Background(), tx); err != nil {
		return fmt.Errorf("deploy the contract: %w", err)
	}
	c.backend.Commit()
	c.Contract = crypto.CreateAddress(crypto.PubkeyToAddress(c.Key.PublicKey), 0)
	return nil
}

// Close ends the chain.
func (c *Chain) Close() error {
	err := c.server.Close()
	c.rpc.Close()
	return errors.Join(err, c.backend.Close(), os.RemoveAll(c.dir))
}

// Settings are what the ledger's program needs to use the chain.
func (c *Chain) Settings() map[string]string {
	return map[string]string{
		"rpc": c.URL, "chainId": fmt.Sprint(ChainID), "contract": c.Contract.Hex(), "key": fmt.Sprintf("%x", crypto.FromECDSA(c.Key)),
	}
}

// Client asks the chain without anything between.
func (c *Chain) Client() simulated.Client { return c.backend.Client() }

// Put puts something between the ledger and the node; nil takes it away.
func (c *Chain) Put(between Between) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.between = between
}

// Manual keeps transactions out of blocks until Mine, or no longer.
func (c *Chain) Manual(on bool) {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.manual = on
}

// Mine makes blocks.
func (c *Chain) Mine(blocks int) {
	c.gate.Lock()
	defer c.gate.Unlock()
	for range blocks {
		c.backend.Commit()
	}
}

// Drop forgets the transactions that are in no block.
func (c *Chain) Drop() {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.backend.Rollback()
}

// Replace puts empty blocks in the place of the newest, and one more.
func (c *Chain) Replace(blocks int) error {
	c.gate.Lock()
	defer c.gate.Unlock()
	head, err := c.backend.Client().HeaderByNumber(context.Background(), nil)
	if err != nil {
		return err
	}
	parent, err := c.backend.Client().HeaderByNumber(context.Background(), new(big.Int).Sub(head.Number, big.NewInt(int64(blocks))))
	if err != nil {
		return err
	}
	if err := c.backend.Fork(parent.Hash()); err != nil {
		return err
	}
	for range blocks + 1 {
		c.backend.Rollback() // transactions of the blocks that went are in the pool again
		c.backend.Commit()
	}
	return nil
}

// call is a JSON-RPC request.
type call struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// ServeHTTP implements [http.Handler]: one request of JSON-RPC each.
func (c *Chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in call
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.gate.Lock()
	defer c.gate.Unlock()
	result, err := c.ask(r.Context(), in)
	if errors.Is(err, ErrGone) {
		panic(http.ErrAbortHandler)
	}
	answer := map[string]any{"jsonrpc": "2.0", "id": in.ID, "result": result}
	if err != nil {
		delete(answer, "result")
		answer["error"] = describe(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // who does not read it does not get it
}

func (c *Chain) ask(ctx context.Context, in call) (json.RawMessage, error) {
	forward := func(params []json.RawMessage) (json.RawMessage, error) {
		return c.forward(ctx, call{Method: in.Method, Params: params})
	}
	if c.between != nil {
		return c.between(in.Method, in.Params, forward)
	}
	return forward(in.Params)
}

func (c *Chain) forward(ctx context.Context, in call) (json.RawMessage, error) {
	args := make([]any, len(in.Params))
	for i, p := range in.Params {
		args[i] = p
	}
	var result json.RawMessage
	err := c.rpc.CallContext(ctx, &result, in.Method, args...)
	if err == nil && in.Method == "eth_sendRawTransaction" && !c.manual {
		c.backend.Commit()
	}
	if result == nil {
		result = json.RawMessage("null")
	}
	return bytes.TrimSpace(result), err
}

func describe(err error) map[string]any {
	out := map[string]any{"code": -32000, "message": err.Error()}
	if coded, ok := errors.AsType[rpc.Error](err); ok {
		out["code"] = coded.ErrorCode()
	}
	if detailed, ok := errors.AsType[rpc.DataError](err); ok {
		out["data"] = detailed.ErrorData()
	}
	return out
}
