package relational

import (
	"sync"

	"github.com/suyuan-io/suyuan/hub"
)

// recentLeaves are the leaf hashes of the newest events that are committed, where one process is the only writer: the log asks for
// them moments after they were recorded, and need not read them back.
type recentLeaves struct {
	mu    sync.RWMutex
	first uint64 // seq of the first of them
	all   []hub.Digest
}

// maxRecentLeaves is how many are kept at least, up to twice as many at most: 2 MiB.
const maxRecentLeaves = 1 << 15

// forget begins anew at the event at seq.
func (r *recentLeaves) forget(seq uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first, r.all = seq, nil
}

// add adds the leaves of the events from seq on, which follow those that are there.
func (r *recentLeaves) add(seq uint64, leaves []hub.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first+uint64(len(r.all)) != seq {
		r.first, r.all = seq, nil
	}
	r.all = append(r.all, leaves...)
	if n := len(r.all); n > 2*maxRecentLeaves {
		r.first += uint64(n - maxRecentLeaves)
		r.all = append(r.all[:0], r.all[n-maxRecentLeaves:]...) // readers have copies
	}
}

// read returns the leaves from seq on, at most n; ok is false when the first of them is not in memory.
func (r *recentLeaves) read(seq uint64, n int) (out []hub.Digest, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	end := r.first + uint64(len(r.all))
	if seq < r.first || seq >= end {
		return nil, false
	}
	return append(out, r.all[seq-r.first:min(seq+uint64(max(n, 0)), end)-r.first]...), true
}
