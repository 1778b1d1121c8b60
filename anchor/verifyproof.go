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

// VerifyConsistency checks that the tree with root2 and size2 leaves extends the tree with root1 and size1 leaves
// (RFC 9162, section 2.1.4.2). It refuses with a fault of kind Invalid. From an empty tree there is nothing to prove,
// and a proof that claims to is refused: whoever has seen nothing yet accepts a first checkpoint without one.
func VerifyConsistency(h Hash, size1, size2 uint64, hashes []hub.Digest, root1, root2 hub.Digest) error {
	switch {
	case size1 > size2:
		return refuse("a tree of %d cannot grow into one of %d", size1, size2)
	case size1 == 0:
		return refuse("a proof from an empty tree says nothing")
	case size1 == size2 && len(hashes) > 0:
		return refuse("a tree of %d extends itself without a proof, this one has %d hashes", size1, len(hashes))
	case size1 == size2 && root1 != root2:
		return refuse("two roots for %d leaves: %v and %v", size1, root1, root2)
	case size1 == size2:
		return nil
	}
	shift := bits.TrailingZeros64(size1)
	seed := root1
	if size1 != 1<<shift { // otherwise the first tree is itself the subtree at which the proof starts
		if len(hashes) == 0 {
			return refuse("the proof is empty")
		}
		seed, hashes = hashes[0], hashes[1:]
	}
	inner, border := splitProof(size1-1, size2)
	inner -= shift
	if len(hashes) != inner+border {
		return refuse("the proof has %d hashes after its seed, from %d to %d leaves it needs %d",
			len(hashes), size1, size2, inner+border)
	}
	got1, got2 := seed, seed
	for i, sibling := range hashes {
		if i >= inner || (size1-1)>>(shift+i)&1 == 1 {
			got1, got2 = h.Node(sibling, got1), h.Node(sibling, got2)
		} else {
			got2 = h.Node(got2, sibling)
		}
	}
	if got1 != root1 {
		return refuse("the proof gives %v as the root of the first %d leaves, not %v", got1, size1, root1)
	}
	if got2 != root2 {
		return refuse("the proof gives %v as the root of the first %d leaves, not %v", got2, size2, root2)
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
