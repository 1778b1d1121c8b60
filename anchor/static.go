package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"

	"github.com/suyuan-io/suyuan/hub"
)

// The names of what a static log consists of, below its prefix. The tiles are named by [TilePath].
const (
	// StaticCheckpoint is the newest committed checkpoint (c2sp.org/tlog-tiles).
	StaticCheckpoint = "checkpoint"
	// StaticTrust is the trust file that the hub shows, for readers to compare with what they were told by another way.
	StaticTrust = "trust.yaml"
)

// CheckpointPath is where the checkpoint of a size stands in a static log, with the cosignatures of witnesses.
func CheckpointPath(size uint64) string { return fmt.Sprintf("checkpoint.d/%d", size) }

// ReceiptPath is where the receipt of an event stands in a static log, and beside it with the extension ".tlog-proof" its bare
// proof.
func ReceiptPath(seq hub.Seq) string { return "receipt/" + indexPath(uint64(seq)) + ".json" }

// Export is a log being written as static files. What is there already and can never change is not written again, so that an
// export may be repeated into the same folder as the log grows. The newest checkpoint is written last: whoever reads
// meanwhile, or after a crash, finds everything that it commits to.
type Export struct {
	Reader

	// Dir is the folder.
	Dir string
	// Receipts says of which events the receipts are written, events included: all with from <= seq < to.
	From, To hub.Seq
	// Trust is the trust file; nil for none.
	Trust []byte
}

// Exported is what an export wrote. Size is that of the newest checkpoint.
type Exported struct {
	Size                         uint64
	Checkpoints, Tiles, Receipts int
}

// Run writes the files. A fault of kind Conflict says that the folder holds another log, or another history of it.
func (e Export) Run(ctx context.Context) (Exported, error) {
	var done Exported
	last, err := e.newestCommitted(ctx)
	if err != nil {
		return done, err
	}
	if err := e.checkFolder(ctx, last.Checkpoint); err != nil {
		return done, err
	}
	done.Size = last.Checkpoint.Size
	if done.Tiles, err = e.tiles(ctx, done.Size); err != nil {
		return done, err
	}
	if done.Checkpoints, err = e.checkpoints(ctx, done.Size); err != nil {
		return done, err
	}
	if done.Receipts, err = e.receipts(ctx, done.Size); err != nil {
		return done, err
	}
	if e.Trust != nil {
		if err := e.write(StaticTrust, e.Trust); err != nil {
			return done, err
		}
	}
	return done, e.write(StaticCheckpoint, cosignedNote(last))
}

// newestCommitted returns the newest committed checkpoint; only the newest can be uncommitted.
func (e Export) newestCommitted(ctx context.Context) (Sealed, error) {
	sealed, err := e.Journal.SealedFrom(ctx, math.MaxInt64, -2)
	if err != nil {
		return Sealed{}, fmt.Errorf("read journal: %w", err)
	}
	for _, s := range sealed {
		if s.State == StateCommitted {
			return s, nil
		}
	}
	return Sealed{}, hub.Faultf(hub.Unavailable, "export.nothing", "nothing is anchored yet")
}

// checkFolder refuses a folder with a checkpoint that the log does not extend.
func (e Export) checkFolder(ctx context.Context, newest hub.Checkpoint) error {
	note, err := os.ReadFile(filepath.Join(e.Dir, StaticCheckpoint))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read exported checkpoint: %w", err)
	}
	there, err := OpenCheckpoint(note, e.Key)
	if err != nil {
		return hub.Faultf(hub.Conflict, "export.folder", "the folder holds the export of another log").Because(err).
			WithHint("choose an empty folder")
	}
	if there.Size <= newest.Size {
		tree, err := LoadTree(ctx, e.Hash, e.Journal, there.Size)
		if err != nil {
			return err
		}
		if tree.Root() == there.Root {
			return nil
		}
	}
	return hub.Faultf(hub.Conflict, "export.history", "the folder holds checkpoint %d, which this log does not extend", there.Size).
		WithHint("keep both: one of them is not the history that was anchored")
}

// tiles writes the tiles of the tree of size leaves.
func (e Export) tiles(ctx context.Context, size uint64) (int, error) {
	written := 0
	for level, n := 0, size; n > 0; level, n = level+1, n/tileWidth {
		for index := uint64(0); index*tileWidth < n; index++ {
			width := int(min(tileWidth, n-index*tileWidth))
			path := TilePath(level, index, width)
			if e.has(path) {
				continue
			}
			hashes, err := readTile(ctx, e.Journal, level, index, width)
			if err != nil {
				return written, err
			}
			var b bytes.Buffer
			for _, h := range hashes[:width] {
				b.Write(h[:])
			}
			if err := e.write(path, b.Bytes()); err != nil {
				return written, err
			}
			written++
		}
	}
	return written, nil
}

// checkpoints writes every committed checkpoint up to size.
func (e Export) checkpoints(ctx context.Context, size uint64) (int, error) {
	const page = 1000
	written := 0
	for from := uint64(0); ; {
		sealed, err := e.Journal.SealedFrom(ctx, from, page)
		if err != nil {
			return written, fmt.Errorf("read journal: %w", err)
		}
		for _, s := range sealed {
			if from = s.Checkpoint.Size + 1; s.Checkpoint.Size > size || s.State != StateCommitted {
				return written, nil
			}
			if err := e.write(CheckpointPath(s.Checkpoint.Size), cosignedNote(s)); err != nil { // witnesses may have come since
				return written, err
			}
			written++
		}
		if len(sealed) < page {
			return written, nil
		}
	}
}

// receipts writes the receipts that were asked for. They are written again: evidence of a ledger that lagged may have come.
func (e Export) receipts(ctx context.Context, size uint64) (int, error) {
	written := 0
	for seq := e.From; seq < min(e.To, hub.Seq(size)); seq++ {
		r, err := e.Receipt(ctx, seq)
		if err != nil {
			return written, err
		}
		b, err := EncodeReceipt(r)
		if err != nil {
			return written, err
		}
		path := ReceiptPath(seq)
		if err := e.write(path, append(b, '\n')); err != nil {
			return written, err
		}
		if err := e.write(path[:len(path)-len(".json")]+".tlog-proof", ProofOf(r).Encode()); err != nil {
			return written, err
		}
		written++
	}
	return written, nil
}

// cosignedNote returns a checkpoint with the cosignatures of the witnesses among its ledgers.
func cosignedNote(s Sealed) []byte {
	return append(bytes.Clone(s.Checkpoint.Note), cosignatures(s.Evidence)...)
}

func (e Export) has(path string) bool {
	_, err := os.Stat(filepath.Join(e.Dir, filepath.FromSlash(path)))
	return err == nil
}

// write puts b under a path so that a reader finds all of it or what was there before.
func (e Export) write(path string, b []byte) error {
	name := filepath.Join(e.Dir, filepath.FromSlash(path))
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, b) {
		return nil
	}
	err := os.MkdirAll(filepath.Dir(name), 0o755) //nolint:gosec // it is made to be served
	if err == nil {
		err = os.WriteFile(name+".new", b, 0o644) //nolint:gosec // the same
	}
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		return fmt.Errorf("export %s: %w", path, err)
	}
	return nil
}

// Static reads a log from static files: a folder, or any server of files.
type Static struct {
	// Read returns a file of the log by its name below the log's prefix, or an error that is fs.ErrNotExist.
	Read func(ctx context.Context, name string) ([]byte, error)
	// size is that of the checkpoint whose tiles are read.
	size uint64
}

// Checkpoint returns the newest checkpoint, signed by key.
func (s *Static) Checkpoint(ctx context.Context, key VerifierKey) (hub.Checkpoint, error) {
	note, err := s.Read(ctx, StaticCheckpoint)
	if err != nil {
		return hub.Checkpoint{}, hub.Faultf(hub.Unavailable, "static.checkpoint", "the log's newest checkpoint cannot be read").Because(err)
	}
	c, err := OpenCheckpoint(note, key)
	if err != nil {
		return hub.Checkpoint{}, err
	}
	s.size = c.Size
	return c, nil
}

// Tile implements [TileReader] for the tree of the newest checkpoint.
func (s *Static) Tile(ctx context.Context, level int, index uint64) (Tile, error) {
	n := s.size >> (tileHeight * level)
	if level > 7 || index*tileWidth >= n {
		return Tile{}, hub.Faultf(hub.NotFound, "static.tile", "a log of %d leaves has no tile %d/%d", s.size, level, index)
	}
	width := int(min(tileWidth, n-index*tileWidth))
	path := TilePath(level, index, width)
	b, err := s.Read(ctx, path)
	if err != nil {
		return Tile{}, hub.Faultf(hub.Unavailable, "static.tile", "%s cannot be read", path).Because(err)
	}
	if len(b) != width*hub.DigestSize {
		return Tile{}, hub.Faultf(hub.Invalid, "static.tile", "%s has %d bytes, not %d", path, len(b), width*hub.DigestSize)
	}
	t := Tile{Level: level, Index: index, Hashes: make([]hub.Digest, width)}
	for i := range t.Hashes {
		t.Hashes[i] = hub.Digest(b[i*hub.DigestSize:])
	}
	return t, nil
}

// Signed is what a log is signed and hashed with.
type Signed struct {
	Key  VerifierKey
	Hash Hash
}

// VerifyExtends checks that the newest checkpoint, which the log's key signed, extends a receipt's checkpoint, and returns it.
// A fault of kind Conflict says that the log was forked.
func (s *Static) VerifyExtends(ctx context.Context, by Signed, from hub.Checkpoint) (hub.Checkpoint, error) {
	c, err := s.Checkpoint(ctx, by.Key)
	if err != nil {
		return hub.Checkpoint{}, err
	}
	if c.Size < from.Size {
		return c, hub.Faultf(hub.Unavailable, "static.behind", "the log there ends at %d, the receipt's checkpoint at %d", c.Size, from.Size).
			WithHint("wait for its next export")
	}
	hashes, err := ProveConsistency(ctx, by.Hash, s, from.Size, c.Size)
	if err != nil {
		return c, err
	}
	if err := VerifyConsistency(by.Hash, Head{Size: from.Size, Root: from.Root}, Head{Size: c.Size, Root: c.Root}, hashes); err != nil {
		return c, forked("the log there, of %d leaves, does not extend the receipt's checkpoint %d of %s", c.Size, from.Size, by.Key.Name()).Because(err)
	}
	return c, nil
}
