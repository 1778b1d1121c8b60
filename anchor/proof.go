package anchor

import (
	"context"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"

	"github.com/suyuan-io/suyuan/hub"
)

// ProveInclusion returns the RFC 6962 inclusion proof of the leaf at index in the tree of the first size leaves. It
// reads at most one tile for each level of tiles, and those of the right edge.
func ProveInclusion(ctx context.Context, h Hash, tiles TileReader, index, size uint64) (hub.Proof, error) {
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return hub.Proof{}, hub.Faultf(hub.Invalid, "proof.range", "leaf %d is not in a tree of %d", index, size)
	}
	hashes, err := proveNodes(ctx, h, tiles, nodes)
	if err != nil {
		return hub.Proof{}, fmt.Errorf("prove leaf %d in %d: %w", index, size, err)
	}
	return hub.Proof{LeafIndex: index, TreeSize: size, Hashes: hashes}, nil
}

// ProveConsistency returns the RFC 6962 consistency proof from the tree of the first from leaves to that of the first
// to leaves. It is empty when from is 0 or equals to.
func ProveConsistency(ctx context.Context, h Hash, tiles TileReader, from, to uint64) ([]hub.Digest, error) {
	nodes, err := proof.Consistency(from, to)
	if err != nil {
		return nil, hub.Faultf(hub.Invalid, "proof.range", "a tree of %d cannot grow into one of %d", from, to)
	}
	hashes, err := proveNodes(ctx, h, tiles, nodes)
	if err != nil {
		return nil, fmt.Errorf("prove that %d extends %d: %w", to, from, err)
	}
	return hashes, nil
}

// proveNodes turns the nodes of a proof into its hashes. A tile is read once.
func proveNodes(ctx context.Context, h Hash, tiles TileReader, nodes proof.Nodes) ([]hub.Digest, error) {
	cache := tileCache{hash: h, tiles: tiles, read: make(map[tileID][]hub.Digest)}
	raw := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		d, err := cache.node(ctx, id)
		if err != nil {
			return nil, err
		}
		raw[i] = d[:]
	}
	raw, err := nodes.Rehash(raw, func(left, right []byte) []byte {
		d := h.Node(hub.Digest(left), hub.Digest(right))
		return d[:]
	})
	if err != nil {
		return nil, fmt.Errorf("rehash: %w", err)
	}
	hashes := make([]hub.Digest, len(raw))
	for i, b := range raw {
		hashes[i] = hub.Digest(b)
	}
	return hashes, nil
}

// tileCache computes nodes from tiles and keeps the tiles that it has read.
type tileCache struct {
	hash  Hash
	tiles TileReader
	read  map[tileID][]hub.Digest
}

type tileID struct {
	level int
	index uint64
}

// node returns the hash of a node of the perfect part of the tree.
func (c *tileCache) node(ctx context.Context, id compact.NodeID) (hub.Digest, error) {
	level, height := int(id.Level)/tileHeight, id.Level%tileHeight
	first := id.Index << height // the node's first hash among those of the tile's level
	offset, width := int(first%tileWidth), 1<<height
	at := tileID{level, first / tileWidth}
	hashes := c.read[at]
	if len(hashes) < offset+width {
		var err error
		if hashes, err = readTile(ctx, c.tiles, at.level, at.index, offset+width); err != nil {
			return hub.Digest{}, err
		}
		c.read[at] = hashes
	}
	return c.hash.perfect(hashes[offset : offset+width]), nil
}
