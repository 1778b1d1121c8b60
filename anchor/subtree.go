package anchor

import (
	"math/bits"

	"github.com/suyuan-io/suyuan/hub"
)

// Subtree is the part of a log from leaf Start up to and without leaf End, with its root, as cosigners may sign it
// (c2sp.org/tlog-cosignature; draft-ietf-plants-merkle-tree-certs, section 4.1).
type Subtree struct {
	Start, End uint64
	Root       hub.Digest
}

// check refuses what is no subtree: Start must be a multiple of the power of two that is at least the length.
func (s Subtree) check() error {
	if s.Start > s.End {
		return refuse("the subtree [%d, %d) ends before it starts", s.Start, s.End)
	}
	if s.Start == 0 || s.End-s.Start < 2 {
		return nil
	}
	if height := bits.Len64(s.End - s.Start - 1); height > 63 || s.Start&(1<<height-1) != 0 {
		return refuse("[%d, %d) is not a subtree: its start is no multiple of its length rounded up to a power of two",
			s.Start, s.End)
	}
	return nil
}

// VerifySubtreeInclusion checks that leaf, a leaf hash, is at index (counted in the whole log) of the subtree s.
func VerifySubtreeInclusion(h Hash, s Subtree, index uint64, leaf hub.Digest, hashes []hub.Digest) error {
	if err := s.check(); err != nil {
		return err
	}
	if index < s.Start || index >= s.End {
		return refuse("leaf %d is not in the subtree [%d, %d)", index, s.Start, s.End)
	}
	p := hub.Proof{LeafIndex: index - s.Start, TreeSize: s.End - s.Start, Hashes: hashes}
	return VerifyInclusion(h, p, leaf, s.Root)
}

// VerifySubtreeConsistency checks that the subtree s is part of the tree with the given head
// (draft-ietf-plants-merkle-tree-certs, section 4.4.3).
func VerifySubtreeConsistency(h Hash, s Subtree, head Head, hashes []hub.Digest) error {
	if err := s.check(); err != nil {
		return err
	}
	switch {
	case s.End > head.Size:
		return refuse("the subtree [%d, %d) is not in a tree of %d", s.Start, s.End, head.Size)
	case s.Start == s.End: // an empty subtree says nothing of the tree
		if s.Root != h.Empty() || len(hashes) > 0 {
			return refuse("the subtree [%d, %d) is empty, its root or its proof is not", s.Start, s.End)
		}
		return nil
	}
	at := place{s.Start, s.End - 1, head.Size - 1}
	for at.first != at.last && (at.last == at.end || at.last&1 == 1) {
		at.rise()
	}
	seed := s.Root
	if at.first != at.last { // otherwise the proof climbs from the subtree's own root
		if len(hashes) == 0 {
			return refuse("the proof is empty")
		}
		seed, hashes = hashes[0], hashes[1:]
	}
	sub, root, err := at.climb(h, seed, hashes)
	switch {
	case err != nil:
		return err
	case sub != s.Root:
		return refuse("the proof gives the subtree the root %v, not %v", sub, s.Root)
	case root != head.Root:
		return refuse("the proof gives the tree the root %v, not %v", root, head.Root)
	}
	return nil
}

// place is a level of the tree: the nodes that hold the subtree's first leaf, its last leaf, and the tree's last leaf.
type place struct{ first, last, end uint64 }

// rise goes to the level above.
func (p *place) rise() { p.first, p.last, p.end = p.first>>1, p.last>>1, p.end>>1 }

// climb follows a proof from the node with hash seed to the top, and returns the roots that it gives to the subtree and
// to the tree.
func (p place) climb(h Hash, seed hub.Digest, hashes []hub.Digest) (sub, root hub.Digest, err error) {
	sub, root = seed, seed
	for i, sibling := range hashes {
		switch {
		case p.end == 0:
			return sub, root, refuse("the proof has %d hashes too many", len(hashes)-i)
		case p.last&1 == 0 && p.last != p.end:
			root = h.Node(root, sibling)
		default:
			if p.first < p.last { // the sibling is within the subtree
				sub = h.Node(sibling, sub)
			}
			root = h.Node(sibling, root)
			for p.last&1 == 0 && p.last != 0 {
				p.rise()
			}
		}
		p.rise()
	}
	if p.end != 0 {
		return sub, root, refuse("the proof ends below the root")
	}
	return sub, root, nil
}
