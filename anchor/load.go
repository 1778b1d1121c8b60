package anchor

import (
	"context"
	"fmt"
	"time"

	"github.com/suyuan-io/suyuan/hub"
)

// load finds out what is true: it reads the last sealed checkpoint and its tree, and compares them with the key and the
// leaves; with each ledger it is compared before that ledger is asked for anything. Whatever contradicts raises the alarm,
// because going on could fork the log.
func (l *Log) load(ctx context.Context) error {
	last, err := newest(ctx, l.opts.Journal)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	tree, err := LoadTree(ctx, l.opts.Hash, l.opts.Journal, last.Checkpoint.Size)
	if err != nil {
		return fmt.Errorf("load tree of checkpoint %d: %w", last.Checkpoint.Size, err)
	}
	if last.Checkpoint.Size > 0 {
		if err := l.checkSealed(ctx, last.Checkpoint, tree.Root()); err != nil {
			return err
		}
	}
	l.forget()
	committed, err := l.committedSize(ctx, last)
	if err != nil {
		return err
	}
	l.tree, l.last = tree, last
	l.update(func(s *state) {
		s.checked, s.sealed, s.committed, s.oldestAt = true, last.Checkpoint.Size, committed, time.Time{}
		if last.State == StateCommitted {
			s.committedAt = last.CommittedAt
		}
	})
	l.metrics.sealed.Set(float64(last.Checkpoint.Size))
	l.metrics.committed.Set(float64(committed))
	return nil
}

// committedSize returns the size of the newest committed checkpoint: the last one, or the one before.
func (l *Log) committedSize(ctx context.Context, last Sealed) (uint64, error) {
	if last.State == StateCommitted || last.PreviousSize == 0 {
		if last.State != StateCommitted {
			return 0, nil
		}
		return last.Checkpoint.Size, nil
	}
	before, err := l.opts.Journal.SealedFrom(ctx, last.PreviousSize, -1)
	if err != nil {
		return 0, fmt.Errorf("read journal: %w", err)
	}
	if len(before) == 0 || before[0].Checkpoint.Size != last.PreviousSize || before[0].State != StateCommitted {
		return 0, l.raise("the journal lacks the committed checkpoint %d before its last", last.PreviousSize)
	}
	return last.PreviousSize, nil
}

// checkSealed compares the last sealed checkpoint with our key, its tiles and the leaves.
func (l *Log) checkSealed(ctx context.Context, c hub.Checkpoint, root hub.Digest) error {
	opened, err := OpenCheckpoint(c.Note, l.Key())
	if err != nil {
		return l.raise("the journal's last checkpoint was not signed with the key of %s: %v", l.Origin(), err)
	}
	if opened.Size != c.Size || opened.Root != c.Root {
		return l.raise("the journal's last checkpoint says size %d, its note says %d", c.Size, opened.Size)
	}
	if root != c.Root {
		return l.raise("the tiles give the root %v for size %d, the checkpoint says %v", root, c.Size, c.Root)
	}
	size, err := l.opts.Leaves.LogSize(ctx)
	if err != nil {
		return fmt.Errorf("read size of the log: %w", err)
	}
	if size < c.Size {
		return l.raise("the store has %d leaves, %d are sealed", size, c.Size)
	}
	if l.audited {
		return nil
	}
	tree := NewTree(l.opts.Hash)
	for tree.Size() < c.Size {
		if err := appendLeaves(ctx, l.opts.Leaves, tree, min(c.Size, tree.Size()+maxBatch)); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
		tree.full = nil
	}
	if tree.Root() != c.Root {
		return l.raise("the leaves give the root %v for size %d, the checkpoint says %v", tree.Root(), c.Size, c.Root)
	}
	l.audited = true
	return nil
}

// forget makes every lane that is not at work compare again what its ledger holds.
func (l *Log) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lane := range l.lanes {
		if !lane.busy {
			lane.known = false
		}
	}
}

// superseded is the fault of a look that another process's progress has made old: look again.
func superseded() error {
	return hub.Faultf(hub.Unavailable, "anchor.superseded", "another process has sealed or committed meanwhile")
}
