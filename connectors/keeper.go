package connectors

import (
	"context"
	"sync"
	"time"
)

const (
	// maxUnsaved is how many records may be durable beyond the stored position: as many may come again after a crash.
	maxUnsaved = 1 << 15
	// markPause is how long the next position is waited for when nobody waits for this one to be stored.
	markPause = 100 * time.Millisecond
)

// keeper stores a session's positions while the writer goes on: what becomes durable while one is being stored goes into the
// next. A position waits for the database's one writer, which may be busy with thousands of events; without a keeper a source
// would wait with it, group by group.
//
// The order stays: a position is stored after its records are durable, and an item is handed back after its position is
// stored. After a crash the records beyond the stored position come again, at most [maxUnsaved] and a group, and are known by
// their ids.
type keeper struct {
	s *session

	mu      sync.Mutex
	mark    mark    // the newest, to be stored
	ends    []entry // the ends of items below mark
	records int     // beyond the stored position
	dirty   bool
	closed  bool
	err     error // why storing was given up

	wake, room chan struct{} // hold a token after a change
	done       chan struct{}
}

func (s *session) keeper(ctx context.Context) *keeper {
	k := &keeper{s: s, wake: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
	go k.run(ctx)
	return k
}

// add takes the mark of a group that is durable. It blocks while too much is not stored; its error is why nothing can be.
func (k *keeper) add(m mark, group []entry) error {
	k.mu.Lock()
	k.mark, k.dirty, k.records = m, true, k.records+len(group)
	for i := range group {
		if group[i].end {
			k.ends = append(k.ends, group[i])
		}
	}
	k.mu.Unlock()
	notify(k.wake)
	for {
		full, err := k.full()
		if err != nil || !full {
			return err
		}
		select {
		case <-k.room:
		case <-k.done:
		}
	}
}

func (k *keeper) full() (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.records >= maxUnsaved || len(k.ends) >= groupRecords, k.err
}

// close stores what is left and returns why it could not be.
func (k *keeper) close() error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	notify(k.wake)
	<-k.done
	return k.err
}

// run stores mark after mark until the keeper is closed and clean, or until storing is given up.
func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	for {
		m, ends, records, state := k.take()
		switch state {
		case keeperEnded:
			return
		case keeperIdle:
			<-k.wake
			continue
		case keeperDirty:
		}
		err := k.s.persist(ctx, func() error { return k.s.r.save(ctx, m) })
		k.stored(records, err)
		if err != nil {
			return
		}
		k.s.stored()
		k.s.finished.add(ends)
		if len(ends) == 0 {
			k.pause()
		}
	}
}

// keeperState is whether there is something to store.
type keeperState uint8

const (
	keeperIdle keeperState = iota
	keeperDirty
	keeperEnded
)

func (k *keeper) take() (m mark, ends []entry, records int, state keeperState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.dirty:
		state = keeperDirty
	case k.closed:
		state = keeperEnded
	}
	m, ends, records = k.mark, k.ends, k.records
	k.ends, k.dirty = nil, false
	return m, ends, records, state
}

func (k *keeper) stored(records int, err error) {
	k.mu.Lock()
	k.err = err
	k.records -= records
	k.mu.Unlock()
	notify(k.room)
}

// pause waits a little, unless an item ends, room is wanted or the keeper is closed.
func (k *keeper) pause() {
	t := time.NewTimer(markPause)
	defer t.Stop()
	for {
		k.mu.Lock()
		urgent := k.closed || len(k.ends) > 0 || k.records >= maxUnsaved
		k.mu.Unlock()
		if urgent {
			return
		}
		select {
		case <-t.C:
			return
		case <-k.wake:
		}
	}
}

// notify leaves a token in c.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
