package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
)

// digest is a SHA-256 hash.
type digest [sha256.Size]byte

// maxProof is the most hashes that a consistency proof between trees of 64-bit sizes has.
const maxProof = 65

// parseDigest reads 64 lower-case hexadecimal digits.
func parseDigest(s string) (digest, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != sha256.Size || hex.EncodeToString(b) != s {
		return digest{}, fmt.Errorf("%.80q is not the hexadecimal form of a SHA-256 hash", s)
	}
	return digest(b), nil
}

// parseProof reads a JSON array of digests.
func parseProof(s string) ([]digest, error) {
	if len(s) > maxProof*80 {
		return nil, fmt.Errorf("it has %d bytes, more than any proof needs", len(s))
	}
	var texts []string
	if err := json.Unmarshal([]byte(s), &texts); err != nil {
		return nil, fmt.Errorf("it is not a JSON array of strings: %w", err)
	}
	hashes := make([]digest, len(texts))
	for i, text := range texts {
		var err error
		if hashes[i], err = parseDigest(text); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}

// head is the head of a tree.
type head struct {
	size uint64
	root digest
}

// verifyConsistency checks that the tree to extends the tree from (RFC 9162, section 2.1.4.2). Nothing can be proved
// from an empty tree, and such a proof is refused.
func verifyConsistency(from, to head, proof []digest) error {
	switch {
	case from.size == 0:
		return fmt.Errorf("a proof from an empty tree says nothing")
	case from.size > to.size:
		return fmt.Errorf("a tree of %d leaves cannot grow into one of %d", from.size, to.size)
	case from.size == to.size && (from.root != to.root || len(proof) > 0):
		return fmt.Errorf("a tree of %d leaves extends only itself, and that without a proof", from.size)
	case from.size == to.size:
		return nil
	}
	// fn and sn walk from the last leaf of either tree to its root, as the RFC's algorithm does.
	fn, sn := from.size-1, to.size-1
	shift := bits.TrailingZeros64(^fn)
	fn, sn = fn>>shift, sn>>shift
	first := from.root
	if from.size&(from.size-1) != 0 { // otherwise the first tree is itself the subtree at which the proof starts
		if len(proof) == 0 {
			return fmt.Errorf("the proof is empty")
		}
		first, proof = proof[0], proof[1:]
	}
	was, is := first, first
	for _, sibling := range proof {
		if sn == 0 {
			return fmt.Errorf("the proof is too long")
		}
		if fn&1 == 1 || fn == sn {
			was, is = node(sibling, was), node(sibling, is)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			is = node(is, sibling)
		}
		fn, sn = fn>>1, sn>>1
	}
	switch {
	case sn != 0:
		return fmt.Errorf("the proof is too short")
	case was != from.root:
		return fmt.Errorf("the proof gives another root for %d leaves", from.size)
	case is != to.root:
		return fmt.Errorf("the proof gives another root for %d leaves", to.size)
	}
	return nil
}

// node hashes an inner node (RFC 6962, section 2.1).
func node(left, right digest) digest {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}
