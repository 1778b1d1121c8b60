package anchor

import (
	"math/bits"

	"github.com/suyuan-io/suyuan/hub"
)

// Subtree is the part of a log from leaf Start up to and without leaf End, as cosigners may sign it
// (c2sp.org/tlog-cosignature; draft-ietf-plants-merkle-tree-certs, section 4.1).
type Subtree struct {
	Start, End uint64
}

// check refuses what is no subtree: Start must be a multiple of the power of two that is at least the length.
func (s Subtree) check() error {
	if s.Start > s.End {
		return refuse("the subtree [%d, %d) ends before it starts", s.Start, s.End)
	}
	length := s.End - s.Start
	if length < 2 {
		return nil
	}
	if height := bits.Len64(length - 1); height > 63 || s.Start&(1<<height-1) != 0 {
		return refuse("[%d, %d) is not a subtree: its start is no multiple of its length rounded up to a power of two",
			s.Start, s.End)
	}
	return nil
}

// VerifySubtreeInclusion checks that leaf, a leaf hash, is at index (counted in the whole log) of the subtree s with
// the given root.
func VerifySubtreeInclusion(h Hash, index uint64, s Subtree, hashes []hub.Digest, leaf, root hub.Digest) error {
	if err := s.check(); err != nil {
		return err
	}
	if index < s.Start || index >= s.End {
		return refuse("leaf %d is not in the subtree [%d, %d)", index, s.Start, s.End)
	}
	return VerifyInclusion(h, hub.Proof{LeafIndex: index - s.Start, TreeSize: s.End - s.Start, Hashes: hashes}, leaf, root)
}

// VerifySubtreeConsistency checks that the subtree s with root sub is part of the tree with root root and size leaves
// (draft-ietf-plants-merkle-tree-certs, section 4.4.3).
func VerifySubtreeConsistency(h Hash, s Subtree, size uint64, hashes []hub.Digest, sub, root hub.Digest) error {
	if err := s.check(); err != nil {
		return err
	}
	switch {
	case s.End > size:
		return refuse("the subtree [%d, %d) is not in a tree of %d", s.Start, s.End, size)
	case s.Start == s.End: // an empty subtree says nothing of the tree
		if sub != h.Empty() || len(hashes) > 0 {
			return refuse("the subtree [%d, %d) is empty, its root or its proof is not", s.Start, s.End)
		}
		return nil
	}
	// The path climbs from the subtree's last leaf: first, last and end are the node that holds the subtree's first
	// leaf, its last leaf, and the tree's last leaf on the current level.
	first, last, end := s.Start, s.End-1, size-1
	for first != last && (last == end || last&1 == 1) {
		first, last, end = first>>1, last>>1, end>>1
	}
	got, gotSub := sub, sub
	if first != last { // otherwise the proof climbs from the subtree's own root
		if len(hashes) == 0 {
			return refuse("the proof is empty")
		}
		got, gotSub, hashes = hashes[0], hashes[0], hashes[1:]
	}
	for i, sibling := range hashes {
		if end == 0 {
			return refuse("the proof has %d hashes too many", len(hashes)-i)
		}
		if last&1 == 1 || last == end {
			if first < last {
				gotSub = h.Node(sibling, gotSub)
			}
			got = h.Node(sibling, got)
			for last&1 == 0 && last != 0 {
				first, last, end = first>>1, last>>1, end>>1
			}
		} else {
			got = h.Node(got, sibling)
		}
		first, last, end = first>>1, last>>1, end>>1
	}
	switch {
	case end != 0:
		return refuse("the proof ends below the root")
	case gotSub != sub:
		return refuse("the proof gives the subtree the root %v, not %v", gotSub, sub)
	case got != root:
		return refuse("the proof gives the tree the root %v, not %v", got, root)
	}
	return nil
}
