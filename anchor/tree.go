package anchor

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/suyuan-io/suyuan/hub"
)

const (
	// tileHeight is the number of tree levels that a tile spans, and tileWidth the hashes of a full one
	// (c2sp.org/tlog-tiles).
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// TileReader reads stored tiles; a [Journal] is one.
type TileReader interface {
	// Tile returns the stored tile, of the largest width seen, or a fault of kind NotFound.
	Tile(ctx context.Context, level int, index uint64) (Tile, error)
}

// Tree is a growing Merkle tree of which only the right edge is in memory: for each level of tiles the one that is not
// full. It is not safe for concurrent use.
type Tree struct {
	hash Hash
	size uint64
	// edge[l] are the hashes of the partial tile of level l, fewer than tileWidth.
	edge [][]hub.Digest
	// full are the tiles that became full since the last call of TakeTiles.
	full []Tile
}

// NewTree returns the tree without leaves.
func NewTree(h Hash) *Tree { return &Tree{hash: h} }

// LoadTree returns the tree of the first size leaves, from the tiles of its right edge. The tiles may belong to a
// larger tree.
func LoadTree(ctx context.Context, h Hash, tiles TileReader, size uint64) (*Tree, error) {
	t := &Tree{hash: h, size: size}
	for level, n := 0, size; n > 0; level, n = level+1, n/tileWidth {
		width := int(n % tileWidth)
		var hashes []hub.Digest
		if width > 0 {
			tile, err := readTile(ctx, tiles, level, n/tileWidth, width)
			if err != nil {
				return nil, err
			}
			hashes = append(make([]hub.Digest, 0, tileWidth), tile[:width]...)
		}
		t.edge = append(t.edge, hashes)
	}
	return t, nil
}

// readTile returns the hashes of a tile that must be at least width wide.
func readTile(ctx context.Context, tiles TileReader, level int, index uint64, width int) ([]hub.Digest, error) {
	tile, err := tiles.Tile(ctx, level, index)
	if err != nil {
		return nil, fmt.Errorf("read tile %s: %w", TilePath(level, index, width), err)
	}
	if len(tile.Hashes) < width || len(tile.Hashes) > tileWidth {
		return nil, fmt.Errorf("read tile %s: it has %d hashes", TilePath(level, index, width), len(tile.Hashes))
	}
	return tile.Hashes, nil
}

// Size returns the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Append adds leaves by their leaf hashes. The tree keeps the slice: the caller must not change it any more.
func (t *Tree) Append(leaves []hub.Digest) {
	for len(leaves) > 0 {
		n := min(len(leaves), tileWidth-int(t.size%tileWidth))
		if n == tileWidth {
			t.complete(0, leaves[:n:n]) // as it is: most tiles of large batches are never copied
		} else {
			t.grow(0, leaves[:n])
		}
		t.size += uint64(n)
		leaves = leaves[n:]
	}
}

// grow adds hashes to the partial tile of level, which must have room for them.
func (t *Tree) grow(level int, hashes []hub.Digest) {
	t.reach(level)
	if t.edge[level] == nil {
		t.edge[level] = make([]hub.Digest, 0, tileWidth)
	}
	t.edge[level] = append(t.edge[level], hashes...)
	if len(t.edge[level]) == tileWidth {
		tile := t.edge[level]
		t.edge[level] = nil
		t.complete(level, tile)
	}
}

// complete takes in a tile of level that is full; its root goes to the level above.
func (t *Tree) complete(level int, tile []hub.Digest) {
	t.reach(level)
	index := t.size >> (tileHeight * (level + 1))
	t.full = append(t.full, Tile{Level: level, Index: index, Hashes: tile})
	t.grow(level+1, []hub.Digest{t.hash.perfect(tile)})
}

// reach makes the edge reach up to level.
func (t *Tree) reach(level int) {
	if level == len(t.edge) {
		t.edge = append(t.edge, nil)
	}
}

// TakeTiles returns every tile that the tree gained or changed since it was loaded or this was last called: those that
// became full, in the order in which they did, then the partial ones of the right edge.
func (t *Tree) TakeTiles() []Tile {
	tiles := t.full
	t.full = nil
	for level, hashes := range t.edge {
		if len(hashes) == 0 {
			continue
		}
		index := t.size >> (tileHeight * (level + 1))
		tiles = append(tiles, Tile{Level: level, Index: index, Hashes: append([]hub.Digest(nil), hashes...)})
	}
	return tiles
}

// Root returns the root of the tree (RFC 6962, section 2.1).
func (t *Tree) Root() hub.Digest {
	var root hub.Digest
	started := false
	for _, hashes := range t.edge {
		// The perfect subtrees of a partial tile are, from the right, those of the bits of its width.
		for end := len(hashes); end > 0; {
			width := 1 << bits.TrailingZeros(uint(end))
			sub := t.hash.perfect(hashes[end-width : end])
			if started {
				sub = t.hash.Node(sub, root)
			}
			root, started = sub, true
			end -= width
		}
	}
	if !started {
		return t.hash.Empty()
	}
	return root
}

// TilePath returns the path of a tile of the given width under the log's prefix (c2sp.org/tlog-tiles, "Merkle Tree"):
// "tile/0/x001/067", with ".p/W" when the tile is partial.
func TilePath(level int, index uint64, width int) string {
	path := fmt.Sprintf("tile/%d/%s", level, indexPath(index))
	if width < tileWidth {
		path = fmt.Sprintf("%s.p/%d", path, width)
	}
	return path
}

// indexPath returns a number as tiles have it in their paths: 1234067 as "x001/x234/067".
func indexPath(index uint64) string {
	path := fmt.Sprintf("%03d", index%1000)
	for index /= 1000; index > 0; index /= 1000 {
		path = fmt.Sprintf("x%03d/%s", index%1000, path)
	}
	return path
}
