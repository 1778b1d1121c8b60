package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/suyuan-io/suyuan/ledgers/evm/contract"
	"github.com/suyuan-io/suyuan/ledgers/evm/evidence"
	"github.com/suyuan-io/suyuan/ledgers/program"
)

// callTimeout bounds what a node answers from what it has.
const callTimeout = 10 * time.Second

// deployTimeout is how long the contract may take to come into a block.
const deployTimeout = 5 * time.Minute

// chain is the contract as one account sees it through a node.
type chain struct {
	*config
	contract.Artifact
	rpc     *rpc.Client
	eth     *ethclient.Client
	account common.Address
}

// dial connects to a node and refuses one of another chain.
func dial(ctx context.Context, c *config) (*chain, error) {
	client, err := rpc.DialOptions(ctx, c.rpc, rpc.WithHTTPClient(&http.Client{Timeout: callTimeout}))
	if err != nil {
		return nil, program.Refuse(program.Unavailable, "connect to the node: %w", err)
	}
	n := &chain{config: c, Artifact: contract.Checkpoints(), rpc: client, eth: ethclient.NewClient(client), account: crypto.PubkeyToAddress(c.key.PublicKey)}
	id, err := n.eth.ChainID(ctx)
	if err != nil {
		return nil, program.Refuse(program.Unavailable, "ask the node for its chain: %w", err)
	}
	if id.Cmp(c.chainID) != 0 {
		return nil, program.Refuse(program.Config, "the node is of chain %v, not %v", id, c.chainID)
	}
	return n, nil
}

// checkContract refuses an address at which other code stands than that of contract/.
func (n *chain) checkContract(ctx context.Context) error {
	code, err := n.eth.CodeAt(ctx, n.at, nil)
	switch {
	case err != nil:
		return program.Refuse(program.Unavailable, "read the contract: %w", err)
	case len(code) == 0:
		return program.Refuse(program.Config, "there is no contract at %s of chain %v; deploy it, or correct contract", n.at, n.chainID)
	case string(code) != string(n.Code):
		return program.Refuse(program.Config, "the contract at %s is not the one of this program: its code differs", n.at)
	}
	return nil
}

// final returns the numbers of the newest block and of the newest that is final by the config.
func (n *chain) final(ctx context.Context) (head, final uint64, err error) {
	if head, err = n.eth.BlockNumber(ctx); err != nil {
		return 0, 0, fmt.Errorf("ask the node for its newest block: %w", err)
	}
	if n.confirmations > 0 {
		return head, max(head+1, n.confirmations) - n.confirmations, nil
	}
	h, err := n.eth.HeaderByNumber(ctx, big.NewInt(int64(rpc.FinalizedBlockNumber)))
	if err != nil {
		return 0, 0, fmt.Errorf("ask the node what is final: %w", err)
	}
	return head, h.Number.Uint64(), nil
}

// checkpoint is what the contract keeps of one.
type checkpoint struct {
	Root     [32]byte
	Number   uint64
	Previous uint64
}

// get reads a checkpoint from the newest state; its number is 0 if it is not held.
func (n *chain) get(ctx context.Context, origin string, size uint64) (c checkpoint, err error) {
	return c, n.query(ctx, "get", &c, origin, size)
}

// newest reads the size of the newest checkpoint, 0 for none.
func (n *chain) newest(ctx context.Context, origin string) (uint64, error) {
	var head struct {
		Size  uint64
		Owner common.Address
	}
	err := n.query(ctx, "latest", &head, origin)
	return head.Size, err
}

func (n *chain) query(ctx context.Context, method string, to any, args ...any) error {
	input, err := n.ABI.Pack(method, args...)
	if err != nil {
		return err
	}
	output, err := n.eth.CallContract(ctx, ethereum.CallMsg{To: &n.at, Data: input}, nil)
	if err != nil {
		return fmt.Errorf("read from the contract: %w", err)
	}
	if err := n.ABI.UnpackIntoInterface(to, method, output); err != nil {
		return fmt.Errorf("read from the contract: %w", err)
	}
	return nil
}

// try has the node run a transaction without making one, and returns the gas that it takes. Where the contract refuses it,
// reason is the error's name.
func (n *chain) try(ctx context.Context, input []byte) (gas uint64, reason string, err error) {
	gas, err = n.eth.EstimateGas(ctx, ethereum.CallMsg{From: n.account, To: &n.at, Data: input})
	if err == nil {
		return gas + gas/4, "", nil
	}
	return 0, n.reason(err), err
}

// reason is the name of the contract's error in a node's, or "".
func (n *chain) reason(err error) string {
	data, ok := errors.AsType[rpc.DataError](err)
	if !ok {
		return ""
	}
	text, _ := data.ErrorData().(string)
	b, _ := hexutil.Decode(text)
	for name, e := range n.ABI.Errors {
		if len(b) >= 4 && string(b[:4]) == string(e.ID[:4]) {
			return name
		}
	}
	return ""
}

// sign makes a transaction. raised is that of an earlier one in whose place it is to be taken, or nil.
func (n *chain) sign(ctx context.Context, nonce uint64, input []byte, gas uint64, raised *types.Transaction) (*types.Transaction, error) {
	head, err := n.eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the node for its newest block: %w", err)
	}
	tip, fee := new(big.Int), new(big.Int)
	if head.BaseFee == nil {
		if fee, err = n.eth.SuggestGasPrice(ctx); err != nil {
			return nil, fmt.Errorf("ask the node for the price of gas: %w", err)
		}
		tip.Set(fee)
	} else {
		if tip, err = n.eth.SuggestGasTipCap(ctx); err != nil {
			return nil, fmt.Errorf("ask the node for the price of gas: %w", err)
		}
		fee.Add(tip, new(big.Int).Lsh(head.BaseFee, 1))
	}
	if raised != nil { // nodes ask for a tenth more, and some for an eighth
		tip, fee = dearer(tip, raised.GasTipCap()), dearer(fee, raised.GasFeeCap())
	}
	if n.maxFee != nil && fee.Cmp(n.maxFee) > 0 {
		if head.BaseFee == nil || n.maxFee.Cmp(head.BaseFee) < 0 || raised != nil {
			return nil, fmt.Errorf("a unit of gas costs %v wei, more than maxFee", fee)
		}
		fee.Set(n.maxFee)
		if tip.Cmp(fee) > 0 {
			tip.Set(fee)
		}
	}
	if balance, err := n.eth.BalanceAt(ctx, n.account, nil); err != nil {
		return nil, fmt.Errorf("ask the node for the balance: %w", err)
	} else if cost := new(big.Int).Mul(fee, new(big.Int).SetUint64(gas)); cost.Cmp(balance) > 0 {
		return nil, fmt.Errorf("the account %s has %v wei, and a transaction may cost %v: fund it", n.account, balance, cost)
	}
	signer := types.LatestSignerForChainID(n.chainID)
	if head.BaseFee == nil {
		return types.SignNewTx(n.key, signer, &types.LegacyTx{Nonce: nonce, GasPrice: fee, Gas: gas, To: n.to(), Data: input})
	}
	return types.SignNewTx(n.key, signer, &types.DynamicFeeTx{
		ChainID: n.chainID, Nonce: nonce, GasTipCap: tip, GasFeeCap: fee, Gas: gas, To: n.to(), Data: input,
	})
}

// to is whom a transaction is for: nobody, if it deploys the contract.
func (n *chain) to() *common.Address {
	if n.at == (common.Address{}) {
		return nil
	}
	return &n.at
}

// dearer is the higher of a price and an eighth more than that before.
func dearer(price, before *big.Int) *big.Int {
	more := new(big.Int).Add(before, new(big.Int).Rsh(before, 3))
	more.Add(more, big.NewInt(1))
	if price.Cmp(more) > 0 {
		return price
	}
	return more
}

// block is a block, at first without its receipts.
type block struct {
	evidence.Block

	transactions []common.Hash
}

// blockAt returns the block of a number.
func (n *chain) blockAt(ctx context.Context, number uint64) (*block, error) {
	var raw json.RawMessage
	if err := n.rpc.CallContext(ctx, &raw, "eth_getBlockByNumber", hexutil.Uint64(number), false); err != nil {
		return nil, fmt.Errorf("read block %d: %w", number, err)
	}
	var rest struct {
		Hash         common.Hash
		Transactions []common.Hash
	}
	var header *types.Header
	if err := errors.Join(json.Unmarshal(raw, &header), json.Unmarshal(raw, &rest)); err != nil {
		return nil, fmt.Errorf("read block %d: %w", number, err)
	}
	if header == nil {
		return nil, fmt.Errorf("the node has no block %d", number)
	}
	return &block{evidence.Block{Header: header, Hash: rest.Hash, Seals: n.seals}, rest.Transactions}, nil
}

// methodNotFound is the code of JSON-RPC for a method that a node does not have.
const methodNotFound = -32601

// receipts returns the receipts of a block: all at once, or one by one from older nodes, such as GoQuorum's. Whether they are
// all, and of this block, its header tells.
func (n *chain) receipts(ctx context.Context, b *block) (types.Receipts, error) {
	var all types.Receipts
	err := n.rpc.CallContext(ctx, &all, "eth_getBlockReceipts", b.Hash)
	if coded, ok := errors.AsType[rpc.Error](err); ok && coded.ErrorCode() == methodNotFound {
		err = nil
		for _, tx := range b.transactions {
			r, failed := n.eth.TransactionReceipt(ctx, tx)
			if failed != nil {
				err = failed
				break
			}
			all = append(all, r)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the receipts of block %v: %w", b.Header.Number, err)
	}
	return all, nil
}

// deploy deploys the contract, waits for its block and prints its address: suyuan-evm deploy rpc=URL chainId=N keyFile=PATH.
func deploy(ctx context.Context, args []string, out io.Writer) error {
	m := make(map[string]string)
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		m[name] = value
	}
	c, err := parse(m, "rpc", "chainId")
	if err != nil {
		return err
	}
	n, err := dial(ctx, c)
	if err != nil {
		return err
	}
	gas, err := n.eth.EstimateGas(ctx, ethereum.CallMsg{From: n.account, Data: n.Deploy})
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	nonce, err := n.eth.PendingNonceAt(ctx, n.account)
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	tx, err := n.sign(ctx, nonce, n.Deploy, gas, nil)
	if err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	if err := n.eth.SendTransaction(ctx, tx); err != nil {
		return fmt.Errorf("deploy: %w", err)
	}
	n.at = crypto.CreateAddress(n.account, nonce)
	if err := poll(ctx, time.Now().Add(deployTimeout), func() (bool, error) {
		err := n.checkContract(ctx)
		return err == nil, err
	}); err != nil {
		return fmt.Errorf("deploy by transaction %v: %w", tx.Hash(), err)
	}
	fmt.Fprintln(out, n.at)
	return nil
}
