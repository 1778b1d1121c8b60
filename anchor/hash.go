package anchor

import (
	"crypto/sha256"
	"fmt"

	"github.com/emmansun/gmsm/sm3"

	"github.com/suyuan-io/suyuan/hub"
)

// Hash is the hash function of a log's Merkle tree (RFC 6962, section 2.1). A log has one for ever: an SM3 log is a
// separate log with its own origin and its own key. The zero value is SHA-256.
type Hash uint8

// The hash functions.
const (
	SHA256 Hash = iota
	// SM3 is GB/T 32905-2016.
	SM3
)

// ParseHash parses the name of a hash function: "sha-256", "sm3", or empty for SHA-256.
func ParseHash(name string) (Hash, error) {
	switch name {
	case "", "sha-256":
		return SHA256, nil
	case "sm3":
		return SM3, nil
	}
	return 0, hub.Faultf(hub.Invalid, "anchor.hash", "%q is not a hash function", name).
		WithHint("use sha-256 or sm3")
}

// String returns "sha-256" or "sm3".
func (h Hash) String() string {
	switch h {
	case SHA256:
		return "sha-256"
	case SM3:
		return "sm3"
	}
	return fmt.Sprintf("hash(%d)", uint8(h))
}

// Sum returns the digest of b.
func (h Hash) Sum(b []byte) hub.Digest {
	if h == SM3 {
		return sm3.Sum(b)
	}
	return sha256.Sum256(b)
}

// Empty returns the root of the tree without leaves, the hash of nothing.
func (h Hash) Empty() hub.Digest { return h.Sum(nil) }

// usualLeaf is more than a leaf with a hub's record has, so that it is hashed without being allocated.
const usualLeaf = 768

// Leaf returns the hash of a leaf with the given bytes: Sum(0x00 || record).
func (h Hash) Leaf(record []byte) hub.Digest {
	var room [usualLeaf]byte
	return h.Sum(append(room[:1], record...))
}

// Node returns the hash of an inner node: Sum(0x01 || left || right).
func (h Hash) Node(left, right hub.Digest) hub.Digest {
	var b [1 + 2*hub.DigestSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+hub.DigestSize:], right[:])
	return h.Sum(b[:])
}

// perfect returns the root of a perfect tree over hashes, whose number is a power of two and at most tileWidth.
func (h Hash) perfect(hashes []hub.Digest) hub.Digest {
	if len(hashes) == 1 {
		return hashes[0]
	}
	var level [tileWidth / 2]hub.Digest
	var node [1 + 2*hub.DigestSize]byte
	node[0] = 1
	below := hashes
	for n := len(hashes) / 2; n > 0; n /= 2 {
		for i := range n {
			copy(node[1:], below[2*i][:])
			copy(node[1+hub.DigestSize:], below[2*i+1][:])
			level[i] = h.Sum(node[:])
		}
		below = level[:]
	}
	return level[0]
}
