package ledgertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/anchor/anchortest"
	"github.com/suyuan-io/suyuan/hub"
)

// Memory is a ledger in memory, named "memory". It keeps the whole contract; its evidence proves nothing to anyone.
type Memory struct {
	Logs []anchor.VerifierKey

	mu   sync.Mutex
	held map[string][]hub.Checkpoint
}

// Name implements [anchor.Ledger].
func (m *Memory) Name() string { return "memory" }

// Commit implements [anchor.Ledger].
func (m *Memory) Commit(ctx context.Context, c anchor.Commitment) (hub.Evidence, error) {
	if err := ctx.Err(); err != nil {
		return hub.Evidence{}, hub.Faultf(hub.Unavailable, "memory.done", "nothing was done").Because(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(c); err != nil {
		return hub.Evidence{}, err
	}
	origin := c.Checkpoint.Origin
	for _, h := range m.held[origin] {
		if h.Size == c.Checkpoint.Size {
			return evidence(h), nil
		}
	}
	if m.held == nil {
		m.held = make(map[string][]hub.Checkpoint)
	}
	m.held[origin] = append(m.held[origin], c.Checkpoint)
	return evidence(c.Checkpoint), nil
}

// check refuses what no ledger may take.
func (m *Memory) check(c anchor.Commitment) error {
	signed := false
	for _, key := range m.Logs {
		opened, err := anchor.OpenCheckpoint(c.Checkpoint.Note, key)
		signed = signed || err == nil && opened.Root == c.Checkpoint.Root && opened.Size == c.Checkpoint.Size
	}
	if !signed {
		return hub.Faultf(hub.Forbidden, "memory.signature", "no known log signed the checkpoint")
	}
	conflict := func(why string) error { return hub.Faultf(hub.Conflict, "memory.conflict", "refused: %s", why) }
	held := m.held[c.Checkpoint.Origin]
	for _, h := range held {
		if h.Size == c.Checkpoint.Size && h.Root == c.Checkpoint.Root {
			return nil
		}
		if h.Size == c.Checkpoint.Size {
			return conflict("another root for this size")
		}
	}
	if len(held) == 0 {
		return nil
	}
	newest := held[len(held)-1]
	if newest.Size > c.Checkpoint.Size {
		return conflict("a larger size is held")
	}
	if newest.Size != c.PreviousSize {
		return hub.Faultf(hub.Invalid, "memory.previous", "the newest size is %d", newest.Size)
	}
	from, to := anchor.Head{Size: newest.Size, Root: newest.Root}, anchor.Head{Size: c.Checkpoint.Size, Root: c.Checkpoint.Root}
	err := anchor.VerifyConsistency(anchor.SHA256, from, to, c.Consistency)
	if err != nil {
		return conflict(err.Error())
	}
	return nil
}

func evidence(c hub.Checkpoint) hub.Evidence {
	b, err := json.Marshal(string(c.Note))
	if err != nil { // cannot happen: a string marshals
		panic(err)
	}
	return hub.Evidence{Ledger: "memory", Entry: b}
}

// VerifyMemory is the [anchor.EvidenceVerifier] of Memory.
func VerifyMemory(entry []byte, c hub.Checkpoint, _ anchor.Pinned) (string, error) {
	if !bytes.Equal(entry, evidence(c).Entry) {
		return "", errors.New("the evidence is of another checkpoint")
	}
	return fmt.Sprintf("memory holds size %d", c.Size), nil
}

// Lookup implements [anchor.Ledger].
func (m *Memory) Lookup(_ context.Context, origin string, size uint64) (hub.Checkpoint, hub.Evidence, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.held[origin] {
		if h.Size == size {
			return h, evidence(h), nil
		}
	}
	return hub.Checkpoint{}, hub.Evidence{}, hub.Faultf(hub.NotFound, "memory.unknown", "size %d is not held", size)
}

// Latest implements [anchor.Ledger].
func (m *Memory) Latest(_ context.Context, origin string) (hub.Checkpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.held[origin]
	if len(held) == 0 {
		return hub.Checkpoint{}, hub.Faultf(hub.NotFound, "memory.unknown", "nothing of %s is held", origin)
	}
	return held[len(held)-1], nil
}

// Close implements [anchor.Ledger].
func (m *Memory) Close() error { return nil }

// Faulty is a ledger whose calls pass through a switch.
type Faulty struct {
	anchor.Ledger

	Faults *anchortest.Switch
}

// Commit implements [anchor.Ledger].
func (f Faulty) Commit(ctx context.Context, c anchor.Commitment) (e hub.Evidence, err error) {
	err = f.Faults.Do(func() error {
		e, err = f.Ledger.Commit(ctx, c)
		return err
	})
	return e, err
}

// Lookup implements [anchor.Ledger].
func (f Faulty) Lookup(ctx context.Context, origin string, size uint64) (c hub.Checkpoint, e hub.Evidence, err error) {
	err = f.Faults.Do(func() error {
		c, e, err = f.Ledger.Lookup(ctx, origin, size)
		return err
	})
	return c, e, err
}

// Latest implements [anchor.Ledger].
func (f Faulty) Latest(ctx context.Context, origin string) (c hub.Checkpoint, err error) {
	err = f.Faults.Do(func() error {
		c, err = f.Ledger.Latest(ctx, origin)
		return err
	})
	return c, err
}
