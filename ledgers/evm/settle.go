package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/suyuan-io/suyuan/ledgers/program"
)

// resend is after how long a transaction that is in no block is sent again: nodes forget some when they start anew.
const resend = 5 * time.Second

// pending is the transaction under way, with those made later in its place; a nil one is none.
type pending struct {
	Origin string          `json:"origin"`
	Size   uint64          `json:"size"`
	MadeAt time.Time       `json:"madeAt"`
	Made   []hexutil.Bytes `json:"made"`
}

func (p *pending) is(origin string, size uint64) bool {
	return p != nil && p.Origin == origin && p.Size == size
}

func (p *pending) transactions() ([]*types.Transaction, error) {
	made := make([]*types.Transaction, len(p.Made))
	for i, b := range p.Made {
		made[i] = new(types.Transaction)
		if err := made[i].UnmarshalBinary(b); err != nil {
			return nil, fmt.Errorf("read the transaction under way: %w", err)
		}
	}
	return made, nil
}

// settle brings the transaction under way, if there is one, to its end: until its checkpoint is in a final block, or other
// transactions with its numbers are. An error says what it waits for.
func (l *ledger) settle(ctx context.Context, until time.Time) error {
	p, err := l.pending()
	if err != nil || p == nil {
		return err
	}
	l.spentAt, l.sentAt = 0, time.Time{}
	err = poll(ctx, until, func() (bool, error) { return l.step(ctx, p) })
	if err != nil {
		return err
	}
	if err := os.Remove(l.path("pending.json")); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// step does what can be done now, and tells whether the transaction has come to its end, and if not, why.
func (l *ledger) step(ctx context.Context, p *pending) (bool, error) {
	head, final, err := l.heights(ctx)
	if err != nil {
		return false, err
	}
	c, err := l.get(ctx, p.Origin, p.Size)
	if err != nil {
		return false, err
	}
	if c.Number != 0 {
		return c.Number <= final, fmt.Errorf("checkpoint %d is in block %d of %d: %w", p.Size, c.Number, head, errNotFinal)
	}
	made, err := p.transactions()
	if err != nil {
		return false, err
	}
	nonce, err := l.eth.NonceAt(ctx, l.account, nil)
	if err != nil {
		return false, fmt.Errorf("ask the node for the account: %w", err)
	}
	var live []*types.Transaction
	for _, tx := range made {
		if tx.Nonce() >= nonce {
			live = append(live, tx)
		}
	}
	if len(live) == 0 { // they were refused, or others took their numbers; that too has to be final
		if l.spentAt == 0 {
			l.spentAt = head
		}
		return final >= l.spentAt, fmt.Errorf("the transaction changed nothing in block %d: %w", l.spentAt, errNotFinal)
	}
	l.spentAt = 0
	return false, l.press(ctx, p, live, nonce)
}

// press sends the transactions that can still come into a block, and makes one in their place if they do not for long or if
// none has the account's next number, as after a block was replaced. It always returns an error, which says why it waits.
func (l *ledger) press(ctx context.Context, p *pending, live []*types.Transaction, nonce uint64) error {
	why := errors.New("the transaction is in no block yet")
	var next *types.Transaction
	for _, tx := range live {
		if tx.Nonce() == nonce {
			next = tx
		}
	}
	if next == nil || time.Since(p.MadeAt) > l.retry {
		newest := live[len(live)-1]
		tx, err := l.sign(ctx, nonce, newest.Data(), newest.Gas(), next)
		if err == nil {
			err = l.save(p, tx)
		}
		if err != nil {
			return fmt.Errorf("%w; make another: %w", why, err)
		}
		live, l.sentAt = append(live, tx), time.Time{}
	}
	if time.Since(l.sentAt) < resend {
		return why
	}
	l.sentAt = time.Now()
	for _, tx := range live { // of an error the state tells the meaning: that a node knows it already is one, too
		if err := l.eth.SendTransaction(ctx, tx); err != nil {
			why = fmt.Errorf("the transaction is in no block yet; send: %w", err)
		}
	}
	return why
}

// poll calls f, more and more seldom, until it says that it is done, and returns nil; at the time until, the error of the last
// call.
func poll(ctx context.Context, until time.Time, f func() (bool, error)) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		done, err := f()
		if done {
			return nil
		}
		if left := time.Until(until); left < pause {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func (l *ledger) pending() (*pending, error) {
	b, err := os.ReadFile(l.path("pending.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := new(pending)
	return p, json.Unmarshal(b, p)
}

// save remembers one more transaction of p.
func (l *ledger) save(p *pending, tx *types.Transaction) error {
	b, err := tx.MarshalBinary()
	if err != nil {
		return err
	}
	p.Made, p.MadeAt = append(p.Made, b), time.Now()
	if b, err = json.Marshal(p); err != nil {
		return err
	}
	return program.WriteFile(l.path("pending.json"), b)
}
