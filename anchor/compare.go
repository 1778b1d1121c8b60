package anchor

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/suyuan-io/suyuan/hub"
)

// View is what several receipts say of one log, put together, so that a hub which shows two histories is found out
// offline: both are signed. Two receipts contradict if their checkpoints are of one size and of different roots, or if
// their proofs give different hashes to a part of the tree that no growth can change, a perfect subtree. Without a
// contradiction a view proves nothing about checkpoints of different sizes; a consistency proof does ([View.Grow]).
// The zero value is not usable.
type View struct {
	origin string
	hash   Hash
	roots  map[uint64]stated
	nodes  map[nodeID]stated
	shared int
}

// nodeID names the perfect subtree over the leaves [index << level, (index+1) << level).
type nodeID struct {
	level int
	index uint64
}

// stated is a hash, and in which receipt it was stated.
type stated struct {
	hash hub.Digest
	in   string
}

// NewView returns the view of nothing of a log.
func NewView(origin string, h Hash) *View {
	return &View{origin: origin, hash: h, roots: make(map[uint64]stated), nodes: make(map[nodeID]stated)}
}

// Shared returns how many parts of the tree stood in more than one receipt.
func (v *View) Shared() int { return v.shared }

// Add adds a receipt that verifies, which the caller calls name. A fault of kind Conflict, with the code "receipt.fork",
// says that it contradicts an earlier one.
func (v *View) Add(name string, r hub.Receipt) error {
	c, _, err := ParseCheckpoint([]byte(r.Checkpoint))
	if err != nil {
		return err
	}
	if c.Origin != v.origin {
		return hub.Faultf(hub.Invalid, "receipt.origin", "%s is of the log %q, not of %q", name, c.Origin, v.origin)
	}
	if err := v.addRoot(name, Head{Size: c.Size, Root: c.Root}); err != nil {
		return err
	}
	for id, hash := range perfectNodes(v.hash, r) {
		known, ok := v.nodes[id]
		if !ok {
			v.nodes[id] = stated{hash, name}
			continue
		}
		if known.hash != hash {
			return forked("%s and %s give different hashes to the leaves %d to %d of %s: the log was forked",
				known.in, name, id.index<<id.level, (id.index+1)<<id.level-1, v.origin)
		}
		v.shared++
	}
	return nil
}

// addRoot notes a root, or finds that another one was stated for its size.
func (v *View) addRoot(name string, h Head) error {
	known, ok := v.roots[h.Size]
	if ok && known.hash != h.Root {
		return forked("%s and %s state different roots of the first %d leaves of %s: the log was forked",
			known.in, name, h.Size, v.origin)
	}
	v.roots[h.Size] = stated{h.Root, name}
	return nil
}

// Grow checks a consistency proof, the answer of /v1/anchors/{size}/consistency, which the caller calls name: that the
// log's keys signed both checkpoints, that neither contradicts the receipts, and that the larger extends the smaller.
func (v *View) Grow(name string, proof []byte, keys ...VerifierKey) error {
	var p hub.Consistency
	if err := json.Unmarshal(proof, &p, json.RejectUnknownMembers(true)); err != nil {
		return hub.Faultf(hub.Invalid, "consistency.format", "%s is not a consistency proof", name).Because(err)
	}
	var heads [2]Head
	for i, note := range []string{p.From, p.To} {
		c, _, err := openBy([]byte(note), keys)
		if err != nil {
			return err
		}
		if c.Origin != v.origin {
			return hub.Faultf(hub.Invalid, "receipt.origin", "%s is of the log %q, not of %q", name, c.Origin, v.origin)
		}
		heads[i] = Head{Size: c.Size, Root: c.Root}
		if err := v.addRoot(name, heads[i]); err != nil {
			return err
		}
	}
	return VerifyConsistency(v.hash, heads[0], heads[1], p.Hashes)
}

// openBy opens a checkpoint that one of keys signed, and returns which.
func openBy(note []byte, keys []VerifierKey) (hub.Checkpoint, VerifierKey, error) {
	err := badNote("there is no key to check it with")
	for _, key := range keys {
		var c hub.Checkpoint
		if c, err = OpenCheckpoint(note, key); err == nil {
			return c, key, nil
		}
	}
	return hub.Checkpoint{}, VerifierKey{}, err
}

func forked(format string, args ...any) *hub.Fault {
	f := hub.Faultf(hub.Conflict, "receipt.fork", format, args...).
		WithHint("keep both files: each is signed, and together they prove it to anyone")
	f.MessageZh = fmt.Sprintf("日志 %v 出现分叉:两份凭证互相矛盾", args[len(args)-1])
	f.HintZh = "请保留这两份文件:它们都有签名,合在一起即可向任何人证明"
	return f
}

// perfectNodes returns the hashes that a receipt's proof states of, or gives to, perfect subtrees.
func perfectNodes(h Hash, r hub.Receipt) map[nodeID]hub.Digest {
	nodes := make(map[nodeID]hub.Digest)
	put := func(level int, index uint64, hash hub.Digest) {
		if level < 64 && (index+1)<<level <= r.Proof.TreeSize {
			nodes[nodeID{level, index}] = hash
		}
	}
	index := r.Proof.LeafIndex
	inner, _ := splitProof(index, r.Proof.TreeSize)
	hash := h.Leaf(r.Leaf.Bytes())
	put(0, index, hash)
	level := 0
	for ; level < inner && level < len(r.Proof.Hashes); level++ {
		sibling := r.Proof.Hashes[level]
		put(level, index>>level^1, sibling)
		if index>>level&1 == 1 {
			hash = h.Node(sibling, hash)
		} else {
			hash = h.Node(hash, sibling)
		}
		put(level+1, index>>(level+1), hash)
	}
	for _, sibling := range r.Proof.Hashes[level:] { // above, every sibling is a perfect subtree on the left
		for index>>level&1 == 0 {
			level++
		}
		put(level, index>>level-1, sibling)
		hash = h.Node(sibling, hash)
		level++
		put(level, index>>level, hash)
	}
	return nodes
}
