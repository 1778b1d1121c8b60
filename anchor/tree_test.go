package anchor_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/suyuan-io/suyuan/anchor"
	"github.com/suyuan-io/suyuan/hub"
	"github.com/suyuan-io/suyuan/internal/vectors"
)

// proofCase is one file of the RFC 6962 cases, of any of the four kinds.
type proofCase struct {
	LeafIdx, TreeSize  uint64
	Size1, Size2       uint64
	Start, End, Size   uint64
	Root, Root1, Root2 []byte
	LeafHash           []byte
	Proof              [][]byte
	Desc               string
	WantErr            bool
	leafHash           hub.Digest
	root, root1, root2 hub.Digest
	proof              []hub.Digest
	unspeakable        bool
}

// readProofCase turns the case into digests. A leaf hash or proof component that is no digest cannot be spoken of in
// our API, which refuses it where it is parsed; roots of other lengths stand for themselves by their hash.
func readProofCase(t *testing.T, path string) proofCase {
	t.Helper()
	var c proofCase
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	root := func(b []byte) hub.Digest {
		if len(b) == hub.DigestSize {
			return hub.Digest(b)
		}
		return hub.Sum(b)
	}
	c.root, c.root1, c.root2 = root(c.Root), root(c.Root1), root(c.Root2)
	if len(c.LeafHash) == hub.DigestSize {
		c.leafHash = hub.Digest(c.LeafHash)
	} else if strings.Contains(path, "inclusion") {
		c.unspeakable = true
	}
	for _, p := range c.Proof {
		if len(p) != hub.DigestSize {
			c.unspeakable = true
			break
		}
		c.proof = append(c.proof, hub.Digest(p))
	}
	return c
}

func TestProofVectors(t *testing.T) {
	kinds := map[string]func(c proofCase) error{
		"inclusion": func(c proofCase) error {
			p := hub.Proof{LeafIndex: c.LeafIdx, TreeSize: c.TreeSize, Hashes: c.proof}
			return anchor.VerifyInclusion(anchor.SHA256, p, c.leafHash, c.root)
		},
		"consistency": func(c proofCase) error {
			return anchor.VerifyConsistency(anchor.SHA256, anchor.Head{Size: c.Size1, Root: c.root1}, anchor.Head{Size: c.Size2, Root: c.root2}, c.proof)
		},
		"subtreeinclusion": func(c proofCase) error {
			s := anchor.Subtree{Start: c.Start, End: c.End, Root: c.root}
			return anchor.VerifySubtreeInclusion(anchor.SHA256, s, c.LeafIdx, c.leafHash, c.proof)
		},
		"subtreeconsistency": func(c proofCase) error {
			s := anchor.Subtree{Start: c.Start, End: c.End, Root: c.root1}
			return anchor.VerifySubtreeConsistency(anchor.SHA256, s, anchor.Head{Size: c.Size, Root: c.root2}, c.proof)
		},
	}
	for kind, verify := range kinds {
		dir := vectors.Path(t, "merkle", "rfc6962_testdata", kind)
		n := 0
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(path) != ".json" {
				return err
			}
			n++
			c := readProofCase(t, path)
			err = verify(c)
			if refused := c.unspeakable || err != nil; refused != c.WantErr {
				t.Errorf("%s (%s): refused %v (%v), want %v", path, c.Desc, refused, err, c.WantErr)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			t.Errorf("no case of %s was run", kind)
		}
	}
}

// memTiles keeps the widest of each tile.
type memTiles map[string]anchor.Tile

func (m memTiles) put(tiles []anchor.Tile) {
	for _, t := range tiles {
		key := fmt.Sprint(t.Level, "/", t.Index)
		if len(m[key].Hashes) < len(t.Hashes) {
			m[key] = t
		}
	}
}

func (m memTiles) Tile(_ context.Context, level int, index uint64) (anchor.Tile, error) {
	t, ok := m[fmt.Sprint(level, "/", index)]
	if !ok {
		return anchor.Tile{}, hub.Faultf(hub.NotFound, "tile.unknown", "no tile %d/%d", level, index)
	}
	return t, nil
}

// leaf returns the hash of the n-th leaf of the tests' log.
func leaf(h anchor.Hash, n uint64) hub.Digest { return h.Leaf(fmt.Appendf(nil, "leaf %d", n)) }

// naiveRoot is the definition of RFC 6962, section 2.1, word by word.
func naiveRoot(h anchor.Hash, leaves []hub.Digest) hub.Digest {
	switch len(leaves) {
	case 0:
		return h.Empty()
	case 1:
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	return h.Node(naiveRoot(h, leaves[:k]), naiveRoot(h, leaves[k:]))
}

func TestTreeConstants(t *testing.T) {
	var c struct {
		Hasher map[string]string
		Leaves []string   `json:"leaf_inputs_hex"`
		Roots  []string   `json:"root_hashes_for_sizes_0_to_8"`
		Levels [][]string `json:"node_hashes_by_level"`
	}
	b, err := os.ReadFile(vectors.Path(t, "merkle", "rfc6962_tree_vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	h := anchor.SHA256
	for name, got := range map[string]hub.Digest{
		"empty_root":      anchor.NewTree(h).Root(),
		"empty_leaf":      h.Leaf(nil),
		`leaf("L123456")`: h.Leaf([]byte("L123456")),
	} {
		if got.String() != c.Hasher[name] {
			t.Errorf("%s is %v, want %s", name, got, c.Hasher[name])
		}
	}
	tree := anchor.NewTree(h)
	var leaves []hub.Digest
	for _, s := range c.Leaves {
		record, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, h.Leaf(record))
		if got := leaves[len(leaves)-1].String(); got != c.Levels[0][len(leaves)-1] {
			t.Errorf("leaf %q is %s", s, got)
		}
		tree.Append(leaves[len(leaves)-1:])
		if got := tree.Root(); got != naiveRoot(h, leaves) {
			t.Errorf("root of %d leaves is %v", len(leaves), got)
		}
		if want := c.Roots[len(leaves)-1]; tree.Root().String() != want {
			t.Errorf("root of %d leaves is %v, want %s", len(leaves), tree.Root(), want)
		}
	}
	if got, want := h.Node(h.Node(leaves[0], leaves[1]), h.Node(leaves[2], leaves[3])).String(), c.Levels[2][0]; got != want {
		t.Errorf("node (2, 0) is %s, want %s", got, want)
	}
}

func TestTreeGrowsInAnyStepsToTheSameTilesAndRoots(t *testing.T) {
	for _, h := range []anchor.Hash{anchor.SHA256, anchor.SM3} {
		t.Run(h.String(), func(t *testing.T) {
			const size = 66_000 // a full tile of level 1, and more
			leaves := make([]hub.Digest, size)
			for i := range leaves {
				leaves[i] = leaf(h, uint64(i))
			}
			tiles := memTiles{}
			rng := rand.New(rand.NewPCG(1, 2))
			sizes := []uint64{0, 1, 2, 3, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, size}
			for n := uint64(0); n < size; {
				tree, err := anchor.LoadTree(t.Context(), h, tiles, n) // as after a restart
				if err != nil {
					t.Fatal(err)
				}
				step := min(size-n, rng.Uint64N(4_000)+1)
				for _, s := range sizes {
					if n < s && s < n+step {
						step = s - n
						break
					}
				}
				tree.Append(leaves[n : n+step])
				n += step
				tiles.put(tree.TakeTiles())
				if !slices.Contains(sizes, n) {
					continue
				}
				if got, want := tree.Root(), naiveRoot(h, leaves[:n]); got != want {
					t.Fatalf("root of %d leaves is %v, want %v", n, got, want)
				}
			}
			for _, s := range sizes { // the tiles of the large tree serve every smaller one
				tree, err := anchor.LoadTree(t.Context(), h, tiles, s)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := tree.Root(), naiveRoot(h, leaves[:s]); got != want {
					t.Errorf("root of the first %d leaves is %v, want %v", s, got, want)
				}
			}
		})
	}
}

func TestProofsOfEverySmallTree(t *testing.T) {
	const size = 70
	h, tiles, tree := anchor.SHA256, memTiles{}, anchor.NewTree(anchor.SHA256)
	roots := []hub.Digest{tree.Root()}
	for n := range uint64(size) {
		tree.Append([]hub.Digest{leaf(h, n)})
		roots = append(roots, tree.Root())
		tiles.put(tree.TakeTiles())
	}
	head := func(size uint64) anchor.Head { return anchor.Head{Size: size, Root: roots[size]} }
	for to := uint64(1); to <= size; to++ {
		for from := range to {
			p, err := anchor.ProveInclusion(t.Context(), h, tiles, from, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := anchor.VerifyInclusion(h, p, leaf(h, from), roots[to]); err != nil {
				t.Errorf("inclusion of %d in %d: %v", from, to, err)
			}
			if err := anchor.VerifyInclusion(h, p, leaf(h, from+1), roots[to]); err == nil {
				t.Errorf("inclusion of another leaf at %d in %d was accepted", from, to)
			}
			sameAsLibrary(t, p, leaf(h, from), roots[to])
			if from == 0 {
				continue
			}
			c, err := anchor.ProveConsistency(t.Context(), h, tiles, from, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := anchor.VerifyConsistency(h, head(from), head(to), c); err != nil {
				t.Errorf("consistency from %d to %d: %v", from, to, err)
			}
			if err := anchor.VerifySubtreeConsistency(h, anchor.Subtree{End: from, Root: roots[from]}, head(to), c); err != nil {
				t.Errorf("consistency from %d to %d as a subtree: %v", from, to, err)
			}
			if err := anchor.VerifyConsistency(h, anchor.Head{Size: from, Root: roots[from-1]}, head(to), c); err == nil {
				t.Errorf("consistency from %d to %d with a foreign first root was accepted", from, to)
			}
			if err := anchor.VerifyConsistency(h, head(from), anchor.Head{Size: to, Root: roots[to-1]}, c); err == nil && to-1 != from {
				t.Errorf("consistency from %d to %d with a foreign second root was accepted", from, to)
			}
		}
	}
}

func sameAsLibrary(t *testing.T, p hub.Proof, leaf, root hub.Digest) {
	t.Helper()
	hashes := make([][]byte, len(p.Hashes))
	for i := range p.Hashes {
		hashes[i] = p.Hashes[i][:]
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.LeafIndex, p.TreeSize, leaf[:], hashes, root[:]); err != nil {
		t.Errorf("the library refuses %d in %d: %v", p.LeafIndex, p.TreeSize, err)
	}
}

func TestProofOutsideTheTreeIsRefused(t *testing.T) {
	if _, err := anchor.ProveInclusion(t.Context(), anchor.SHA256, memTiles{}, 5, 5); hub.KindOf(err) != hub.Invalid {
		t.Errorf("got %v", err)
	}
	if _, err := anchor.ProveConsistency(t.Context(), anchor.SHA256, memTiles{}, 6, 5); hub.KindOf(err) != hub.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestMissingTileIsNamed(t *testing.T) {
	_, err := anchor.ProveInclusion(t.Context(), anchor.SHA256, memTiles{}, 300, 1000)
	if err == nil || !strings.Contains(err.Error(), "tile/0/001") {
		t.Errorf("got %v", err)
	}
}

func TestTilePath(t *testing.T) {
	for _, c := range []struct {
		level int
		index uint64
		width int
		want  string
	}{
		{0, 0, 256, "tile/0/000"},
		{0, 273, 112, "tile/0/273.p/112"},
		{1, 1234067, 256, "tile/1/x001/x234/067"},
		{2, 1000, 1, "tile/2/x001/000.p/1"},
	} {
		if got := anchor.TilePath(c.level, c.index, c.width); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestSM3Vectors(t *testing.T) {
	var c struct {
		Vectors []struct {
			Message string `json:"message_utf8"`
			Hex     string `json:"message_hex"`
			Digest  string `json:"digest"`
		}
	}
	b, err := os.ReadFile(vectors.Path(t, "sm3", "sm3_dev.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Vectors {
		message := []byte(v.Message)
		if v.Hex != "" {
			if message, err = hex.DecodeString(v.Hex); err != nil {
				t.Fatal(err)
			}
		}
		if got := anchor.SM3.Sum(message).String(); got != v.Digest {
			t.Errorf("SM3 of %q is %s, want %s", message, got, v.Digest)
		}
	}
	if len(c.Vectors) == 0 {
		t.Error("no vector was read")
	}
}
