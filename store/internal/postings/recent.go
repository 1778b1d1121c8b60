package postings

import (
	"slices"
	"sync"
)

// Recent is the newest segment, in memory. It is safe for concurrent use.
type Recent struct {
	// First is the seq of its first event.
	First int64

	mu     sync.RWMutex
	times  []int64
	names  chains
	things chains
	many   map[int64]*Set // of things that have many events

	orderMu sync.Mutex
	order   []uint16 // of the first events; it is never changed, only replaced
}

// chains are the events of keys.
type chains struct {
	heads map[int64]head
	links []link
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

// manyFrom is how many events a thing has when they become a set.
const manyFrom = 64

// Room is how much there is in a segment. The zero value is nothing.
type Room struct{ events, many, names, nameLinks, things, thingLinks int }

// room is that of r. The caller holds r.mu.
func (r *Recent) room() Room {
	return Room{len(r.times), len(r.many), len(r.names.heads), len(r.names.links), len(r.things.heads), len(r.things.links)}
}

// NewRecent returns an empty segment with room for as much as there was in the one before: growing costs more than filling.
func NewRecent(first int64, before Room) *Recent {
	return &Recent{
		First: first, times: make([]int64, 0, before.events), many: make(map[int64]*Set, before.many),
		names: newChains(before.names, before.nameLinks), things: newChains(before.things, before.thingLinks),
	}
}

func newChains(heads, links int) chains {
	return chains{heads: make(map[int64]head, heads), links: make([]link, 0, links)}
}

// Add adds the next event: its time in microseconds, its names, and its other keys, each once. There is room for [Size].
func (r *Recent) Add(time int64, names []int64, things ...[]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	place := uint16(len(r.times))
	r.times = append(r.times, time)
	for _, key := range names {
		r.names.add(key, place)
	}
	for _, group := range things {
		for _, key := range group {
			r.add(key, place)
		}
	}
}

// add adds an event to a thing.
func (r *Recent) add(key int64, place uint16) {
	if set, ok := r.many[key]; ok {
		set.Add(place)
		return
	}
	if r.things.add(key, place) == manyFrom {
		set := new(Set)
		r.things.follow(key, set)
		r.many[key] = set
		delete(r.things.heads, key)
	}
}

// add adds an event to a key, and returns how many it has then.
func (c *chains) add(key int64, place uint16) int32 {
	h, ok := c.heads[key]
	if !ok {
		h.link = -1
	}
	c.links = append(c.links, link{h.link, place})
	h = head{int32(len(c.links) - 1), h.count + 1}
	c.heads[key] = h
	return h.count
}

func (c *chains) follow(key int64, to *Set) {
	h, ok := c.heads[key]
	for at := h.link; ok && at >= 0; at = c.links[at].before {
		to.Add(c.links[at].place)
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

// Find adds the events that have one of the keys, which are names or things, to a set.
func (r *Recent) Find(kind Kind, keys []int64, to *Set) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, key := range keys {
		if kind == Names {
			r.names.follow(key, to)
		} else if set, ok := r.many[key]; ok {
			to.Or(set)
		} else {
			r.things.follow(key, to)
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
