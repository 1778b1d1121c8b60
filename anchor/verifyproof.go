package anchor

import (
	"fmt"
	"math/bits"

	"github.com/suyuan-io/suyuan/hub"
)

// VerifyInclusion checks that leaf, a leaf hash, is at p.LeafIndex of the tree with the given root and p.TreeSize
// leaves (RFC 9162, section 2.1.3.2). It refuses with a fault of kind Invalid.
func VerifyInclusion(h Hash, p hub.Proof, leaf, root hub.Digest) error {
	if p.LeafIndex >= p.TreeSize {
		return refuse("leaf %d is not in a tree of %d", p.LeafIndex, p.TreeSize)
	}
	inner, border := splitProof(p.LeafIndex, p.TreeSize)
	if len(p.Hashes) != inner+border {
		return refuse("the proof has %d hashes, a leaf at %d of %d needs %d",
			len(p.Hashes), p.LeafIndex, p.TreeSize, inner+border)
	}
	got := leaf
	for i, sibling := range p.Hashes {
		if i >= inner || p.LeafIndex>>i&1 == 1 {
			got = h.Node(sibling, got)
		} else {
			got = h.Node(got, sibling)
		}
	}
	if got != root {
		return refuse("the leaf and the proof give the root %v, not %v", got, root)
	}
	return nil
}

// Head is the head of a tree: its size and its root.
type Head struct {
	Size uint64
	Root hub.Digest
}

// VerifyConsistency checks that the tree with head to extends the tree with head from (RFC 9162, section 2.1.4.2). It
// refuses with a fault of kind Invalid. From an empty tree there is nothing to prove, and a proof that claims to is
// refused: whoever has seen nothing yet accepts a first checkpoint without one.
func VerifyConsistency(h Hash, from, to Head, hashes []hub.Digest) error {
	switch {
	case from.Size > to.Size:
		return refuse("a tree of %d cannot grow into one of %d", from.Size, to.Size)
	case from.Size == 0:
		return refuse("a proof from an empty tree says nothing")
	case from.Size == to.Size && len(hashes) > 0:
		return refuse("a tree of %d extends itself without a proof, this one has %d hashes", from.Size, len(hashes))
	case from.Size == to.Size && from.Root != to.Root:
		return refuse("two roots for %d leaves: %v and %v", from.Size, from.Root, to.Root)
	case from.Size == to.Size:
		return nil
	}
	shift := bits.TrailingZeros64(from.Size)
	seed := from.Root
	if from.Size != 1<<shift { // otherwise the first tree is itself the subtree at which the proof starts
		if len(hashes) == 0 {
			return refuse("the proof is empty")
		}
		seed, hashes = hashes[0], hashes[1:]
	}
	inner, border := splitProof(from.Size-1, to.Size)
	inner -= shift
	if len(hashes) != inner+border {
		return refuse("the proof has %d hashes after its seed, from %d to %d leaves it needs %d",
			len(hashes), from.Size, to.Size, inner+border)
	}
	was, is := seed, seed
	for i, sibling := range hashes {
		if i >= inner || (from.Size-1)>>(shift+i)&1 == 1 {
			was, is = h.Node(sibling, was), h.Node(sibling, is)
		} else {
			is = h.Node(is, sibling)
		}
	}
	if was != from.Root {
		return refuse("the proof gives %v as the root of the first %d leaves, not %v", was, from.Size, from.Root)
	}
	if is != to.Root {
		return refuse("the proof gives %v as the root of the first %d leaves, not %v", is, to.Size, to.Root)
	}
	return nil
}

// splitProof returns how many hashes an inclusion proof has below and above the point where the paths of the leaf at
// index and of the last leaf meet. Above it, every sibling is on the left.
func splitProof(index, size uint64) (inner, border int) {
	inner = bits.Len64(index ^ (size - 1))
	return inner, bits.OnesCount64(index >> inner)
}

func refuse(format string, args ...any) error {
	return &hub.Fault{Kind: hub.Invalid, Code: "proof.refused", Message: fmt.Sprintf(format, args...)}
}
