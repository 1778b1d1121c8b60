package epcis

import "sync"

// slab is where the nodes of one event live, so that an event costs few allocations. The zero slab is ready for use.
type slab struct {
	nodes []node
	// pooled is the first memory that nodes was, when it came from the pool.
	pooled *[]node
	// beyond is true once another has taken its place.
	beyond bool
}

// What was in a slab stays there until it is overwritten or the collector empties the pool: to clear it every time costs
// more than to parse.
//
//nolint:gochecknoglobals // a pool of scratch space
var slabs = sync.Pool{New: func() any { return new([]node) }}

// maxSlab is how many nodes a slab has at first; an event with more gets further ones.
const maxSlab = 4096

// open gives s room for count nodes, from the pool if it may be given back.
func (s *slab) open(count int, pooled bool) {
	if pooled {
		s.pooled, _ = slabs.Get().(*[]node)
		s.nodes = (*s.pooled)[:0]
	}
	if count = min(count, maxSlab); cap(s.nodes) < count {
		s.nodes = make([]node, 0, count)
	}
}

// take returns n nodes, which hold whatever they held before.
func (s *slab) take(n int) []node {
	if n > cap(s.nodes)-len(s.nodes) {
		s.keep()
		s.beyond = true
		s.nodes = make([]node, 0, max(64, n))
	}
	at := len(s.nodes)
	s.nodes = s.nodes[:at+n]
	return s.nodes[at : at+n : at+n]
}

// keep notes the memory that goes back to the pool.
func (s *slab) keep() {
	if s.pooled != nil && !s.beyond {
		*s.pooled = s.nodes
	}
}

// release gives the pool its memory back. Nothing that was taken may be used any more.
func (s *slab) release() {
	if s.pooled != nil {
		s.keep()
		slabs.Put(s.pooled)
	}
}
