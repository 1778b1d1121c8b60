package fabric

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/rwset/kvrwset"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"github.com/suyuan-io/suyuan/anchor/fabric/internal/contract"
	"github.com/suyuan-io/suyuan/hub"
)

// watchFor bounds one stream of blocks: a peer that hangs sends nothing, and nothing else would tell.
const watchFor = 10 * time.Minute

// mark is how far the channel's blocks have been read: the number and the hash of the last one.
type mark struct {
	Block uint64 `json:"block"`
	Hash  []byte `json:"hash"`
}

// Watch implements [anchor.Watcher]: it reads the channel's blocks from where it was, and checks that each follows the one
// before. A fault of kind Conflict says that the channel's history is not the one that was read before.
func (l *Ledger) Watch(ctx context.Context, origin string, saw func(hub.Checkpoint) error) error {
	last, err := l.resume(ctx)
	if err != nil {
		return err
	}
	stream, cancel := context.WithTimeout(ctx, watchFor)
	defer cancel()
	blocks, err := l.gateway.GetNetwork(l.config.Channel).BlockEvents(stream, client.WithStartBlock(last.Block))
	if err != nil {
		return l.nothingDone("listen for blocks", err)
	}
	first := true // the block that was read last comes again
	for block := range blocks {
		next, err := follow(last, block, first)
		if err != nil {
			return err
		}
		if !first {
			if err := l.tell(block, origin, saw); err != nil {
				return err
			}
			if err := l.state.saveMark(next); err != nil {
				return err
			}
		}
		last, first = next, false
	}
	if stream.Err() != nil {
		return ctx.Err() // nil when the stream has lasted long enough
	}
	return l.nothingDone("listen for blocks", errors.New("the peer has ended the stream"))
}

// resume returns the last block that was read, or, at the first time, the last block that there is.
func (l *Ledger) resume(ctx context.Context) (mark, error) {
	b, err := l.system.EvaluateWithContext(ctx, "GetChainInfo", client.WithArguments(l.config.Channel))
	if err != nil {
		return mark{}, l.nothingDone("ask for the height of the channel", err)
	}
	var info common.BlockchainInfo
	if err := unmarshal(b, &info, "height of the channel"); err != nil {
		return mark{}, err
	}
	last, ok, err := l.state.mark()
	switch {
	case err != nil:
		return mark{}, err
	case !ok:
		last = mark{Block: info.GetHeight() - 1, Hash: info.GetCurrentBlockHash()}
		return last, l.state.saveMark(last)
	case info.GetHeight() <= last.Block:
		fault := hub.Faultf(hub.Unavailable, "fabric.height", "the peer's channel ends at block %d, block %d was read before", info.GetHeight()-1, last.Block).
			WithHint("if it does not catch up, its ledger was replaced: compare it with those of the other organisations")
		fault.MessageZh = fmt.Sprintf("节点的通道止于区块 %d,而此前已读到区块 %d", info.GetHeight()-1, last.Block)
		return mark{}, fault
	}
	return last, nil
}

// follow checks that block is the one that was read last, or the one after it, and returns its mark.
func follow(last mark, block *common.Block, again bool) (mark, error) {
	header := block.GetHeader()
	hash, err := contract.BlockHash(header)
	if err != nil {
		return mark{}, err
	}
	data := sha256.Sum256(bytes.Join(block.GetData().GetData(), nil))
	switch {
	case !bytes.Equal(data[:], header.GetDataHash()):
		return mark{}, reorganised("block %d does not hold what its header says", header.GetNumber())
	case again && (header.GetNumber() != last.Block || !bytes.Equal(hash, last.Hash)):
		return mark{}, reorganised("block %d is not the one that was read before", last.Block)
	case !again && header.GetNumber() != last.Block+1:
		return mark{}, reorganised("block %d comes after block %d", header.GetNumber(), last.Block)
	case !again && !bytes.Equal(header.GetPreviousHash(), last.Hash):
		return mark{}, reorganised("block %d does not follow the block %d that was read before", header.GetNumber(), last.Block)
	}
	return mark{Block: header.GetNumber(), Hash: hash}, nil
}

func reorganised(format string, args ...any) error {
	fault := hub.Faultf(hub.Conflict, "fabric.reorganised", "the channel's history has changed: "+format, args...).
		WithHint("compare the peer's ledger with those of the other organisations")
	fault.MessageZh, fault.HintZh = "通道的历史已被改变", "请与其他组织节点的账本比对"
	return fault
}

// tell calls saw for every checkpoint of origin that a valid transaction of the block wrote.
func (l *Ledger) tell(block *common.Block, origin string, saw func(hub.Checkpoint) error) error {
	writes, err := l.validWrites(block)
	if err != nil {
		return err
	}
	for _, write := range writes {
		if !strings.HasPrefix(write.GetKey(), contract.RecordPrefix(origin)) {
			continue
		}
		if write.GetIsDelete() {
			return reorganised("block %d deletes the %s", block.GetHeader().GetNumber(), write.GetKey())
		}
		r, err := contract.ParseRecord(write.GetValue())
		if err != nil {
			return err
		}
		c, err := r.Parse()
		if err != nil {
			return err
		}
		if err := saw(c); err != nil {
			return err
		}
	}
	return nil
}

// validWrites returns what the valid transactions of a block wrote in the contract's namespace, in order.
func (l *Ledger) validWrites(block *common.Block) ([]*kvrwset.KVWrite, error) {
	verdicts := block.GetMetadata().GetMetadata()
	if len(verdicts) <= int(common.BlockMetadataIndex_TRANSACTIONS_FILTER) {
		return nil, fmt.Errorf("block %d comes without verdicts", block.GetHeader().GetNumber())
	}
	valid := verdicts[common.BlockMetadataIndex_TRANSACTIONS_FILTER]
	var writes []*kvrwset.KVWrite
	for i, envelope := range block.GetData().GetData() {
		if i < len(valid) && peer.TxValidationCode(valid[i]) == peer.TxValidationCode_VALID {
			writes = append(writes, writesOf(envelope, l.config.Chaincode)...)
		}
	}
	return writes, nil
}

// writesOf returns what a transaction wrote in the contract's namespace; nothing if it is of another kind.
func writesOf(envelope []byte, chaincode string) []*kvrwset.KVWrite {
	var outer common.Envelope
	var payload common.Payload
	var channel common.ChannelHeader
	var transaction peer.Transaction
	if unmarshal(envelope, &outer, "envelope") != nil || unmarshal(outer.GetPayload(), &payload, "payload") != nil ||
		unmarshal(payload.GetHeader().GetChannelHeader(), &channel, "header") != nil ||
		common.HeaderType(channel.GetType()) != common.HeaderType_ENDORSER_TRANSACTION ||
		unmarshal(payload.GetData(), &transaction, "transaction") != nil {
		return nil
	}
	var writes []*kvrwset.KVWrite
	for _, a := range transaction.GetActions() {
		var action peer.ChaincodeActionPayload
		var answer peer.ProposalResponsePayload
		var result peer.ChaincodeAction
		var sets rwset.TxReadWriteSet
		if unmarshal(a.GetPayload(), &action, "action") != nil ||
			unmarshal(action.GetAction().GetProposalResponsePayload(), &answer, "answer") != nil ||
			unmarshal(answer.GetExtension(), &result, "result") != nil || unmarshal(result.GetResults(), &sets, "results") != nil {
			continue
		}
		for _, ns := range sets.GetNsRwset() {
			var set kvrwset.KVRWSet
			if ns.GetNamespace() == chaincode && unmarshal(ns.GetRwset(), &set, "writes") == nil {
				writes = append(writes, set.GetWrites()...)
			}
		}
	}
	return writes
}

func (f folder) markPath() string { return filepath.Join(string(f), "blocks.json") }

// mark returns the last block that was read, if any was.
func (f folder) mark() (mark, bool, error) {
	b, err := os.ReadFile(f.markPath())
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, false, nil
	}
	var m mark
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return mark{}, false, fmt.Errorf("read place in the channel: %w", err)
	}
	return m, true, nil
}

// saveMark notes the last block that was read. After a crash it may be an earlier one, whose successors are then read again.
func (f folder) saveMark(m mark) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("note place in the channel: %w", err)
	}
	name := f.markPath()
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return fmt.Errorf("note place in the channel: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("note place in the channel: %w", err)
	}
	return nil
}
