package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/suyuan-io/suyuan/ledgers/evm/evidence"
	"github.com/suyuan-io/suyuan/ledgers/program"
)

// ledger is the contract on a chain. In its folder are the transaction under way, which is signed before it is sent, and the
// evidence that it has given out, because another node may have other seals of a block.
type ledger struct {
	*chain
	pin *evidence.Pinned
	// seen is the number of the newest block that any node has told of.
	seen uint64
	// spentAt is the newest block when the nonces of the transaction under way were first found taken; sentAt when it was last sent.
	spentAt uint64
	sentAt  time.Time
}

func open(ctx context.Context, settings map[string]string) (*ledger, error) {
	c, err := parse(settings, "rpc", "chainId", "contract", "dir")
	if err != nil {
		return nil, err
	}
	n, err := dial(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := n.checkContract(ctx); err != nil {
		return nil, err
	}
	l := &ledger{chain: n, pin: &evidence.Pinned{Contract: n.at, Submitter: &n.account}}
	if n.seals == evidence.SealsQBFT {
		head, err := n.eth.BlockNumber(ctx)
		if err != nil {
			return nil, program.Refuse(program.Unavailable, "ask the node for its newest block: %w", err)
		}
		b, err := n.blockAt(ctx, head)
		if err != nil {
			return nil, program.Refusal{Code: program.Unavailable, Err: err}
		}
		if l.pin.Validators, err = evidence.Validators(b.Header); err != nil {
			return nil, program.Refuse(program.Config, "seals are not those of the chain: %w", err)
		}
	}
	return l, nil
}

// commit brings a checkpoint before the contract. What is true after a crash:
//
//	before save    nothing was sent
//	after save     the outcome is unknown; the next request settles it by the same transaction, or by one in its place
//	after settle   it is in a final block, or can never be; the contract says what it holds
//
// A checkpoint that reaches the contract twice is taken once, so that two transactions for it do no harm.
func (l *ledger) commit(ctx context.Context, r program.Request) (json.RawMessage, error) {
	input, err := l.input(r)
	if err != nil {
		return nil, program.Refusal{Code: program.Invalid, Err: err}
	}
	until := r.ArrivedAt.Add(l.wait)
	p, err := l.pending()
	if err != nil {
		return nil, err
	}
	if err := l.settle(ctx, until); err != nil && !p.is(r.Origin, r.Size) {
		return nil, program.Refuse(program.Unavailable, "an earlier transaction is under way: %w", err)
	} else if err != nil {
		return nil, err
	}
	if known, err := l.answer(ctx, r, until); known != nil || err != nil {
		return known, err
	}
	gas, reason, err := l.try(ctx, input)
	if err != nil {
		return nil, l.refused(ctx, r, reason, err)
	}
	nonce, err := l.eth.NonceAt(ctx, l.account, nil)
	if err != nil {
		return nil, program.Refuse(program.Unavailable, "ask the node for the account: %w", err)
	}
	tx, err := l.sign(ctx, nonce, input, gas, nil)
	if err != nil {
		return nil, program.Refusal{Code: program.Unavailable, Err: err}
	}
	if err := l.save(&pending{Origin: r.Origin, Size: r.Size}, tx); err != nil {
		return nil, program.Refusal{Code: program.Unavailable, Err: err}
	}
	if err := l.settle(ctx, until); err != nil {
		return nil, err
	}
	made, err := l.answer(ctx, r, until)
	if made == nil && err == nil {
		err = program.Refuse(program.Unavailable, "the transaction changed nothing: the contract refused it, or another took its place")
	}
	return made, err
}

// input encodes the call of a commit whose note states the same checkpoint.
func (l *ledger) input(r program.Request) ([]byte, error) {
	root, err := hex.DecodeString(r.Root)
	if err != nil || len(root) != 32 {
		return nil, fmt.Errorf("root: %q is no digest", r.Root)
	}
	if err := evidence.Stated(r.Note, r.Origin, r.Size, [32]byte(root)); err != nil {
		return nil, err
	}
	path := make([][32]byte, len(r.Consistency))
	for i, s := range r.Consistency {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != 32 {
			return nil, fmt.Errorf("consistency: %q is no digest", s)
		}
		path[i] = [32]byte(b)
	}
	return l.ABI.Pack("commit", r.Origin, r.Size, [32]byte(root), path, []byte(r.Note))
}

// refused says what the hub may do after the contract's, or the node's, refusal of a transaction that was not sent.
func (l *ledger) refused(ctx context.Context, r program.Request, reason string, err error) error {
	code := program.Unavailable
	switch reason {
	case "AnotherRoot", "LargerHeld":
		code = program.Conflict
	case "NotOwner":
		code = program.Forbidden
	case "Malformed":
		code = program.Invalid
	case "Inconsistent":
		code = program.Invalid
		if size, err := l.newest(ctx, r.Origin); err != nil {
			return err
		} else if size == r.Previous {
			code = program.Conflict
		}
	}
	if reason == "" {
		reason = "the node"
	}
	return program.Refuse(code, "checkpoint %d is refused, %s: %w", r.Size, reason, err)
}

// answer returns the evidence of the checkpoint that a request brings, nil if the contract holds none of its size. It waits
// until the block is final.
func (l *ledger) answer(ctx context.Context, r program.Request, until time.Time) (json.RawMessage, error) {
	note, entry, err := l.awaitHeld(ctx, r.Origin, r.Size, until)
	if entry == nil || err != nil {
		return nil, err
	}
	if held, stated := rootLine(note), rootLine(r.Note); held != stated {
		return nil, program.Refuse(program.Conflict, "the contract holds the root %s for size %d, not %s", held, r.Size, stated)
	}
	if note != r.Note {
		return nil, program.Refuse(program.Invalid, "the contract holds size %d with this root and another note", r.Size)
	}
	return entry, nil
}

func rootLine(note string) string { return strings.SplitN(note, "\n", 4)[2] }

func (l *ledger) lookup(ctx context.Context, r program.Request) (string, json.RawMessage, error) {
	until := r.ArrivedAt.Add(l.wait)
	if err := l.settle(ctx, until); err != nil {
		return "", nil, err
	}
	note, entry, err := l.awaitHeld(ctx, r.Origin, r.Size, until)
	if note == "" && err == nil {
		err = l.sure(ctx)
	}
	return note, entry, err
}

// latest returns the note of the newest final checkpoint, "" for none.
func (l *ledger) latest(ctx context.Context, origin string) (string, error) {
	_, final, err := l.heights(ctx)
	if err != nil {
		return "", err
	}
	size, err := l.newest(ctx, origin)
	for err == nil && size > 0 {
		var c checkpoint
		if c, err = l.get(ctx, origin, size); err == nil && c.Number <= final {
			note, _, err := l.held(ctx, origin, size)
			return note, err
		}
		size = c.Previous
	}
	if err == nil {
		err = l.sure(ctx)
	}
	return "", err
}

// sure returns an error if the node may not know yet what the chain holds, or if a transaction of the account is under way.
func (l *ledger) sure(ctx context.Context) error {
	syncing, err := l.eth.SyncProgress(ctx)
	if err != nil {
		return fmt.Errorf("ask the node whether it is up to date: %w", err)
	}
	if syncing != nil {
		return errors.New("the node is still reading the chain")
	}
	taken, err := l.eth.NonceAt(ctx, l.account, nil)
	if err != nil {
		return fmt.Errorf("ask the node for the account: %w", err)
	}
	under, err := l.eth.PendingNonceAt(ctx, l.account)
	if err == nil && under > taken {
		err = errors.New("a transaction of the account is in no block yet")
	}
	return err
}

// heights returns the numbers of the newest and the newest final block, from a node that is not behind what was seen.
func (l *ledger) heights(ctx context.Context) (head, final uint64, err error) {
	head, final, err = l.final(ctx)
	if err == nil && head < l.seen {
		return 0, 0, fmt.Errorf("the node is at block %d, and %d was seen", head, l.seen)
	}
	l.seen = max(l.seen, head)
	return head, final, err
}

// errNotFinal says that a checkpoint is in a block that may yet be replaced.
var errNotFinal = errors.New("the block is not final yet")

// awaitHeld is held, but waits for a block that is not final yet.
func (l *ledger) awaitHeld(ctx context.Context, origin string, size uint64, until time.Time) (note string, entry json.RawMessage, _ error) {
	var outcome error
	if err := poll(ctx, until, func() (bool, error) {
		note, entry, outcome = l.held(ctx, origin, size)
		return !errors.Is(outcome, errNotFinal), outcome
	}); err != nil {
		return "", nil, err
	}
	return note, entry, outcome
}

// held returns a checkpoint's note and evidence: what was given out first, or else made anew; none if the contract does not
// hold it. A block that was final and is gone is a conflict, as the ledger's history is not the one that it was.
func (l *ledger) held(ctx context.Context, origin string, size uint64) (string, json.RawMessage, error) {
	head, final, err := l.heights(ctx)
	if err != nil {
		return "", nil, err
	}
	c, err := l.get(ctx, origin, size)
	if err != nil {
		return "", nil, err
	}
	given, err := os.ReadFile(l.evidencePath(origin, size))
	switch {
	case err == nil:
		return l.again(ctx, head, given)
	case !errors.Is(err, os.ErrNotExist):
		return "", nil, err
	case c.Number == 0:
		return "", nil, nil
	case c.Number > final:
		return "", nil, fmt.Errorf("checkpoint %d is in block %d of %d: %w", size, c.Number, head, errNotFinal)
	}
	b, err := l.blockAt(ctx, c.Number)
	if err != nil {
		return "", nil, err
	}
	if b.Receipts, err = l.receipts(ctx, b); err != nil {
		return "", nil, err
	}
	made, err := evidence.Prove(b.Block, evidence.Event{Contract: l.at, Origin: origin, Size: size})
	if err != nil {
		return "", nil, err
	}
	fact, err := evidence.Examine(made)
	if err != nil {
		return "", nil, fmt.Errorf("what the node tells of block %d does not hold: %w", c.Number, err)
	}
	if err := evidence.Stated(fact.Note, origin, size, c.Root); err != nil {
		return "", nil, fmt.Errorf("block %d: %w", c.Number, err)
	}
	return fact.Note, made, program.WriteFile(l.evidencePath(origin, size), made)
}

// again returns evidence that was given out, if its block is still there.
func (l *ledger) again(ctx context.Context, head uint64, given []byte) (string, json.RawMessage, error) {
	fact, err := evidence.Examine(given)
	if err != nil {
		return "", nil, fmt.Errorf("read the evidence that was given out: %w", err)
	}
	if fact.Number > head {
		return "", nil, fmt.Errorf("the node is at block %d, and the checkpoint in %d", head, fact.Number)
	}
	b, err := l.blockAt(ctx, fact.Number)
	if err != nil {
		return "", nil, err
	}
	if b.Hash != fact.Block {
		return "", nil, program.Refuse(program.Conflict, "checkpoint %d was in block %d, %v, which was final and is not in the chain any more: raise confirmations",
			fact.Size, fact.Number, fact.Block)
	}
	return fact.Note, given, nil
}

func (l *ledger) path(name string) string { return filepath.Join(l.dir, name) }

func (l *ledger) evidencePath(origin string, size uint64) string {
	return l.path(fmt.Sprintf("evidence-%x-%d.json", crypto.Keccak256([]byte(origin)), size))
}
