package anchortest

import (
	"fmt"
	"testing"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
)

// Log is a small log that makes commitments, honest and other, without an [anchor.Log].
type Log struct {
	Key  *anchor.SigningKey
	Hash anchor.Hash
	// Name distinguishes the leaves of logs that differ.
	Name string

	tree *anchor.Tree
	// sealed is the size of the last checkpoint.
	sealed uint64
	store  Store
}

// NewLog returns an empty log of the given origin whose leaves are named after name.
func NewLog(tb testing.TB, origin, name string) *Log {
	tb.Helper()
	key, err := anchor.GenerateKey(origin)
	if err != nil {
		tb.Fatal(err)
	}
	return &Log{Key: key, Name: name, tree: anchor.NewTree(anchor.SHA256)}
}

// Fork returns a log with the key of l and the first size leaves of l, whose later leaves are named after name.
func (l *Log) Fork(tb testing.TB, size uint64, name string) *Log {
	tb.Helper()
	f := &Log{Key: l.Key, Hash: l.Hash, Name: l.Name, tree: anchor.NewTree(l.Hash)}
	if size > 0 {
		f.Grow(tb, size)
	}
	f.Name = name
	return f
}

// Grow appends leaves up to size and returns the signed checkpoint.
func (l *Log) Grow(tb testing.TB, size uint64) hub.Checkpoint {
	tb.Helper()
	for l.tree.Size() < size {
		leaf := l.Hash.Leaf(fmt.Appendf(nil, "%s %d", l.Name, l.tree.Size()))
		l.tree.Append([]hub.Digest{leaf})
	}
	c := l.Key.SignCheckpoint(size, l.tree.Root())
	if err := l.store.Seal(tb.Context(), anchor.Sealed{Checkpoint: c, PreviousSize: l.sealed}, l.tree.TakeTiles()); err != nil {
		tb.Fatal(err)
	}
	l.sealed = size
	return c
}

// Commit grows the log to size and returns the commitment that proves it from previous.
func (l *Log) Commit(tb testing.TB, previous, size uint64) anchor.Commitment {
	tb.Helper()
	c := anchor.Commitment{Checkpoint: l.Grow(tb, size), PreviousSize: previous}
	if previous > 0 {
		proof, err := anchor.ProveConsistency(tb.Context(), l.Hash, &l.store, previous, size)
		if err != nil {
			tb.Fatal(err)
		}
		c.Consistency = proof
	}
	return c
}
