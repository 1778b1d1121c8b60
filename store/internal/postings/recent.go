package postings

import (
	"slices"
	"sync"
)

// Recent is the newest segment, in memory. It is safe for concurrent use.
type Recent struct {
	// First is the seq of its first event.
	First int64

	mu    sync.RWMutex
	times []int64
	heads map[int64]head
	links []link
	many  map[int64]*Set // of keys that have many events

	orderMu sync.Mutex
	order   []uint16 // of the first events; it is never changed, only replaced
}

// head is a key's newest link, and how many it has.
type head struct {
	link  int32
	count int32
}

// link is one event of a key, and the link before it, -1 at the end. Chains in one array spare the collector a slice a key.
type link struct {
	before int32
	place  uint16
}

// manyFrom is how many events a key has when they become a set.
const manyFrom = 64

// NewRecent returns an empty segment.
func NewRecent(first int64) *Recent {
	return &Recent{First: first, heads: make(map[int64]head), many: make(map[int64]*Set)}
}

// Add adds the next event: its time in microseconds and its keys, each once. There is room for [Size].
func (r *Recent) Add(time int64, keys ...[]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	place := uint16(len(r.times))
	r.times = append(r.times, time)
	for _, group := range keys {
		for _, key := range group {
			r.add(key, place)
		}
	}
}

func (r *Recent) add(key int64, place uint16) {
	h, ok := r.heads[key]
	if !ok {
		h.link = -1
	}
	h.count++
	if h.count < manyFrom {
		r.links = append(r.links, link{h.link, place})
		h.link = int32(len(r.links) - 1)
		r.heads[key] = h
		return
	}
	if h.count == manyFrom {
		set := new(Set)
		r.follow(h, set)
		r.many[key] = set
		r.heads[key] = h
	}
	r.many[key].Add(place)
}

func (r *Recent) follow(h head, to *Set) {
	for at := h.link; at >= 0; at = r.links[at].before {
		to.Add(r.links[at].place)
	}
}

// Len is the number of events.
func (r *Recent) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.times)
}

// Time is when the event at a place was.
func (r *Recent) Time(place uint16) int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.times[place]
}

// Find adds the events that have one of the keys to a set.
func (r *Recent) Find(keys []int64, to *Set) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, key := range keys {
		h, ok := r.heads[key]
		switch {
		case !ok:
		case h.count < manyFrom:
			r.follow(h, to)
		default:
			to.Or(r.many[key])
		}
	}
}

// Times returns those of the events that are there now.
func (r *Recent) Times() *Times {
	r.mu.RLock()
	at := slices.Clip(r.times) // what is in it is not changed any more
	r.mu.RUnlock()
	r.orderMu.Lock()
	defer r.orderMu.Unlock()
	if len(r.order) < len(at) {
		r.order = merge(r.order, at)
	}
	order := r.order
	if len(order) > len(at) { // another reader was faster and has seen more
		order = slices.DeleteFunc(slices.Clone(order), func(p uint16) bool { return int(p) >= len(at) })
	}
	return &Times{At: at, Order: order}
}
